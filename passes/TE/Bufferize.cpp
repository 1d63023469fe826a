//===- Bufferize.cpp - From tensors to memrefs ----------------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/TE/Passes.h"

#include "mlir/Dialect/Bufferization/IR/BufferizableOpInterface.h"
#include "mlir/Dialect/Bufferization/Transforms/OneShotAnalysis.h"
#include "mlir/IR/Dominance.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/CSE.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace acc::te {
#define GEN_PASS_DEF_TEBUFFERIZE
#include "passes/TE/Passes.h.inc"
} // namespace acc::te

using namespace mlir;
using namespace acc::te;

/// Turns tensor arguments into memrefs in the target's memory of arguments,
/// seen through to_tensor, and the results into writes of the trailing
/// arguments.
static void convertBoundary(KernelOp kernel, RewriterBase &rewriter) {
  Attribute memory = kernel.getTargetInterface().getMemorySpace(Role::Argument);
  Block &entry = kernel.getBody().front();
  rewriter.setInsertionPointToStart(&entry);
  SmallVector<Type> inputs;
  for (BlockArgument argument : entry.getArguments()) {
    auto type = dyn_cast<RankedTensorType>(argument.getType());
    if (!type) {
      inputs.push_back(argument.getType());
      continue;
    }
    auto memref = MemRefType::get(type.getShape(), type.getElementType(),
                                  MemRefLayoutAttrInterface(), memory);
    inputs.push_back(memref);
    argument.setType(memref);
    auto tensor = bufferization::ToTensorOp::create(
        rewriter, argument.getLoc(), type, argument, /*restrict=*/true,
        /*writable=*/argument.getArgNumber() >= kernel.getNumInputs());
    argument.replaceAllUsesExcept(tensor, tensor);
  }
  Operation *terminator = entry.getTerminator();
  rewriter.setInsertionPoint(terminator);
  auto outputs = entry.getArguments().take_back(terminator->getNumOperands());
  for (auto [value, output] : llvm::zip(terminator->getOperands(), outputs))
    bufferization::MaterializeInDestinationOp::create(
        rewriter, terminator->getLoc(), TypeRange(), value, output,
        /*restrict=*/false, /*writable=*/true);
  rewriter.replaceOpWithNewOp<ReturnOp>(terminator, ValueRange());
  kernel.setFunctionTypeAttr(
      TypeAttr::get(rewriter.getFunctionType(inputs, {})));
  kernel.removeResAttrsAttr();
}

/// Buffers carried through a loop unchanged are not carried at all. The
/// loop's attributes are kept.
static LogicalResult dropCarriedBuffers(scf::ForOp loop,
                                        RewriterBase &rewriter) {
  if (loop.getNumRegionIterArgs() == 0)
    return success();
  auto yield = cast<scf::YieldOp>(loop.getBody()->getTerminator());
  for (auto [arg, yielded] :
       llvm::zip(loop.getRegionIterArgs(), yield.getOperands()))
    if (yielded != arg)
      return loop.emitOpError("carries a value that is not computed in place");
  rewriter.setInsertionPoint(loop);
  auto plain = scf::ForOp::create(rewriter, loop.getLoc(), loop.getLowerBound(),
                                  loop.getUpperBound(), loop.getStep());
  plain->setAttrs(loop->getAttrs());
  rewriter.eraseOp(plain.getBody()->getTerminator());
  SmallVector<Value> replacements{plain.getInductionVar()};
  llvm::append_range(replacements, loop.getInitArgs());
  rewriter.mergeBlocks(loop.getBody(), plain.getBody(), replacements);
  rewriter.setInsertionPointToEnd(plain.getBody());
  auto merged = cast<scf::YieldOp>(plain.getBody()->getTerminator());
  rewriter.replaceOpWithNewOp<scf::YieldOp>(merged);
  rewriter.replaceOp(loop, loop.getInitArgs());
  return success();
}

namespace {
struct Bufferize : acc::te::impl::TeBufferizeBase<Bufferize> {
  void runOnOperation() override {
    KernelOp kernel = getOperation();
    if (!getScheduleOnTensors(kernel))
      return;
    IRRewriter rewriter(kernel.getContext());
    convertBoundary(kernel, rewriter);

    bufferization::OneShotBufferizationOptions options;
    options.bufferAlignment = 0;
    options.opFilter.denyOperation<KernelOp, ReturnOp>();
    bufferization::BufferizationState state;
    if (failed(bufferization::runOneShotBufferize(kernel, options, state)))
      return signalPassFailure();
    SmallVector<scf::ForOp> loops;
    kernel.walk([&](scf::ForOp loop) { loops.push_back(loop); });
    for (scf::ForOp loop : loops)
      if (failed(dropCarriedBuffers(loop, rewriter)))
        return signalPassFailure();

    // A copy between two equal views is only recognised once they are one.
    DominanceInfo dominance(kernel);
    eliminateCommonSubExpressions(rewriter, dominance, kernel);
    RewritePatternSet patterns(kernel.getContext());
    memref::SubViewOp::getCanonicalizationPatterns(patterns,
                                                   kernel.getContext());
    memref::CopyOp::getCanonicalizationPatterns(patterns, kernel.getContext());
    memref::CastOp::getCanonicalizationPatterns(patterns, kernel.getContext());
    memref::DimOp::getCanonicalizationPatterns(patterns, kernel.getContext());
    if (failed(applyPatternsGreedily(kernel, std::move(patterns))))
      return signalPassFailure();
    kernel.walk([&](memref::CopyOp copy) {
      copy.emitOpError("is left of bufferization: a step of the kernel is not "
                       "computed in place");
      signalPassFailure();
    });
  }
};
} // namespace
