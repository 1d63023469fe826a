//===- ToLinalg.cpp - The pass graph-to-linalg ----------------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Graph/ToLinalg.h"

#include "dialects/Graph/Graph.h"
#include "dialects/TE/TEDialect.h"
#include "passes/Graph/Passes.h"
#include "passes/Graph/ToLinalgControl.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Func/Transforms/FuncConversions.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace acc::graph {
#define GEN_PASS_DEF_GRAPHTOLINALG
#include "passes/Graph/Passes.h.inc"
} // namespace acc::graph

using namespace mlir;
using namespace acc;
using namespace acc::graph;

namespace {

/// Rebuilds an operation of another dialect with converted types; the
/// attributes (the operand segments too) stay as they are.
template <typename Op> class RetypePattern : public OpConversionPattern<Op> {
  using OpConversionPattern<Op>::OpConversionPattern;

  LogicalResult
  matchAndRewrite(Op op, typename Op::Adaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    SmallVector<Type> types;
    if (failed(this->getTypeConverter()->convertTypes(op->getResultTypes(),
                                                      types)))
      return rewriter.notifyMatchFailure(op, "a result type has no storage");
    rewriter.replaceOp(op, Op::create(rewriter, op.getLoc(), types,
                                      adaptor.getOperands(), op->getAttrs()));
    return success();
  }
};

/// Makes the computation of `value` write to `init`, by following the chain of
/// destinations back to the tensor.empty that it starts from. Fails when it
/// starts from anything else, or when others read what would be overwritten.
LogicalResult writeInto(Value value, Value init) {
  Value destination = value;
  while (true) {
    if (destination.getType() != init.getType())
      return failure();
    Operation *op = destination.getDefiningOp();
    if (!op)
      return success(destination == init);
    if (auto empty = dyn_cast<tensor::EmptyOp>(op)) {
      // Several computations may share one empty tensor after CSE; each keeps
      // its own unless there is one user only.
      if (!empty->hasOneUse())
        return failure();
      empty.replaceAllUsesWith(init);
      empty.erase();
      return success();
    }
    auto styled = dyn_cast<DestinationStyleOpInterface>(op);
    if (auto loop = dyn_cast<scf::ForOp>(op))
      destination = loop.getTiedLoopInit(cast<OpResult>(destination))->get();
    else if (auto loop = dyn_cast<scf::WhileOp>(op))
      // Loops of graph.loop carry everything on in one order.
      destination =
          loop.getInits()[cast<OpResult>(destination).getResultNumber()];
    else if (auto write = dyn_cast<tensor::InsertOp>(op))
      destination = write.getDest();
    else if (styled)
      destination = styled.getTiedOpOperand(cast<OpResult>(destination))->get();
    else if (auto insert = dyn_cast<tensor::InsertSliceOp>(op))
      destination = insert.getDest();
    else
      return failure();
    if (isa_and_nonnull<linalg::LinalgOp, scf::ForOp, scf::WhileOp,
                        tensor::InsertOp, tensor::InsertSliceOp>(
            destination.getDefiningOp()) &&
        !destination.hasOneUse())
      return failure();
  }
}

/// Kernels write their results through their initial values.
void writeResultsIntoInits(te::KernelOp kernel) {
  if (kernel.getBody().empty())
    return;
  auto terminator =
      dyn_cast<te::ReturnOp>(kernel.getBody().front().getTerminator());
  if (!terminator)
    return;
  Block &block = kernel.getBody().front();
  unsigned numResults = terminator.getNumOperands();
  for (auto [operand, init] :
       llvm::zip(terminator->getOpOperands(),
                 block.getArguments().take_back(numResults))) {
    if (succeeded(writeInto(operand.get(), init)))
      continue;
    OpBuilder builder(terminator);
    operand.set(linalg::CopyOp::create(builder, terminator.getLoc(),
                                       operand.get(), init)
                    .getResult(0));
  }
}

class GraphToLinalg : public graph::impl::GraphToLinalgBase<GraphToLinalg> {
  void runOnOperation() override {
    MLIRContext *context = &getContext();
    StorageTypeConverter converter;
    RewritePatternSet patterns(context);
    populateElementwiseToLinalg(converter, patterns);
    populateControlToLinalg(converter, patterns);
    populateConvolutionToLinalg(converter, patterns);
    populateContractionToLinalg(converter, patterns);
    populateConvTransposeToLinalg(converter, patterns);
    populateResizeToLinalg(converter, patterns);
    populateSamplingToLinalg(converter, patterns);
    populateNormalizationToLinalg(converter, patterns);
    populateMaxPoolToLinalg(converter, patterns);
    populatePoolingToLinalg(converter, patterns);
    populateMovementToLinalg(converter, patterns);
    populateIndexingToLinalg(converter, patterns);
    populateScatterToLinalg(converter, patterns);
    populateSearchToLinalg(converter, patterns);
    populateLayoutToLinalg(converter, patterns);
    populateQuantizationToLinalg(converter, patterns);
    populateRecurrentToLinalg(converter, patterns);
    populateReductionToLinalg(converter, patterns);
    populateScanToLinalg(converter, patterns);
    populateDeterminantToLinalg(converter, patterns);
    populateSoftmaxToLinalg(converter, patterns);
    populateStandardizationToLinalg(converter, patterns);
    populateFunctionOpInterfaceTypeConversionPattern<func::FuncOp>(patterns,
                                                                   converter);
    populateFunctionOpInterfaceTypeConversionPattern<te::KernelOp>(patterns,
                                                                   converter);
    patterns.add<RetypePattern<tensor::EmptyOp>, RetypePattern<tensor::DimOp>,
                 RetypePattern<tensor::ExtractOp>,
                 RetypePattern<tensor::ExtractSliceOp>,
                 RetypePattern<func::ReturnOp>, RetypePattern<te::ReturnOp>,
                 RetypePattern<te::LaunchOp>>(converter, context);

    // Elements of less than a byte have one on the host, but not elsewhere.
    auto isLegalElsewhere = [&](Type type) {
      Type element = getElementTypeOrSelf(type);
      return converter.isLegal(type) || element.isSignlessInteger();
    };
    auto isInKernelElsewhere = [](Operation *op) {
      auto kernel = op->getParentOfType<te::KernelOp>();
      return kernel && !kernel.isOnHost();
    };
    auto areLegalElsewhere = [&](Operation *op) {
      return llvm::all_of(op->getOperandTypes(), isLegalElsewhere) &&
             llvm::all_of(op->getResultTypes(), isLegalElsewhere);
    };
    ConversionTarget target(*context);
    target.markUnknownOpDynamicallyLegal([&](Operation *op) {
      return converter.isLegal(op) ||
             (areLegalElsewhere(op) && isInKernelElsewhere(op));
    });
    target.addDynamicallyLegalDialect<GraphDialect>([&](Operation *op) {
      return isa<ConstantOp>(op) &&
             (converter.isLegal(op) ||
              (areLegalElsewhere(op) && !op->use_empty() &&
               te::isReadElsewhereOnly(op->getResult(0))));
    });
    target.addDynamicallyLegalOp<LoopOp, IfOp, YieldOp>([&](Operation *op) {
      return converter.isLegal(op) &&
             llvm::all_of(op->getRegions(), [&](Region &region) {
               return converter.isLegal(&region);
             });
    });
    target.addDynamicallyLegalOp<te::LaunchOp>([&](te::LaunchOp launch) {
      return converter.isLegal(launch) ||
             (areLegalElsewhere(launch) && launch.isElsewhere());
    });
    auto isLegalFunction = [&](FunctionOpInterface function) {
      auto isLegal = [&](Type type) { return converter.isLegal(type); };
      return llvm::all_of(function.getArgumentTypes(), isLegal) &&
             llvm::all_of(function.getResultTypes(), isLegal);
    };
    target.addDynamicallyLegalOp<func::FuncOp>(isLegalFunction);
    target.addDynamicallyLegalOp<te::KernelOp>([&](te::KernelOp kernel) {
      return isLegalFunction(kernel) ||
             (!kernel.isOnHost() &&
              llvm::all_of(kernel.getArgumentTypes(), isLegalElsewhere) &&
              llvm::all_of(kernel.getResultTypes(), isLegalElsewhere));
    });
    // What cannot be lowered shows in the middle of a pattern at times.
    bool hasErrors = false;
    ScopedDiagnosticHandler handler(context, [&](Diagnostic &diagnostic) {
      hasErrors |= diagnostic.getSeverity() == DiagnosticSeverity::Error;
      return failure();
    });
    if (failed(
            applyFullConversion(getOperation(), target, std::move(patterns))) ||
        hasErrors)
      return signalPassFailure();
    lowerControl(getOperation());
    getOperation().walk(writeResultsIntoInits);
  }
};

} // namespace
