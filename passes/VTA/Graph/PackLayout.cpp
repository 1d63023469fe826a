//===- PackLayout.cpp - The pass vta-pack-layout --------------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/VTA/Graph/LayoutRewriter.h"
#include "passes/VTA/Passes.h"

#include "dialects/Graph/Constants.h"
#include "dialects/TE/TEDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace acc::vta {
#define GEN_PASS_DEF_VTAPACKLAYOUT
#include "passes/VTA/Passes.h.inc"
} // namespace acc::vta

using namespace mlir;
using namespace acc;
using namespace acc::graph;
using namespace acc::vta;

std::optional<SmallVector<int32_t>> acc::vta::readVector(Value value) {
  auto constant = value.getDefiningOp<ConstantOp>();
  if (!constant)
    return std::nullopt;
  ElementsAttr elements = constant.getValue();
  std::optional<ArrayRef<char>> bytes = getRawElements(elements);
  if (!bytes)
    return std::nullopt;
  auto *data = reinterpret_cast<const int32_t *>(bytes->data());
  if (elements.isSplat())
    return SmallVector<int32_t>(elements.getNumElements(), *data);
  return SmallVector<int32_t>(data, data + elements.getNumElements());
}

LogicalResult LayoutRewriter::run() {
  SmallVector<Operation *> accelerated;
  for (Operation &op : block)
    if (isAccelerated(&op) || isPackedOnHost(&op))
      accelerated.push_back(&op);
  for (Operation *op : accelerated) {
    tagger.placement = getPlacement(op);
    if (!tagger.placement)
      return op->emitOpError("joins packed tensors but has no ")
             << GraphDialect::kPlacement;
    b.setInsertionPoint(op);
    b.setLoc(op->getLoc());
    if (failed(rewrite(op)))
      return failure();
  }
  tagger.placement = {};
  return eraseOriginals();
}

LogicalResult LayoutRewriter::rewrite(Operation *op) {
  return TypeSwitch<Operation *, LogicalResult>(op)
      .Case<ConvIntegerOp, GemmIntegerOp, MatMulIntegerOp, WeightedSumOp,
            MulIntegerOp, ScaleIntegerOp, GlobalSumIntegerOp, RequantizeOp,
            MaxPoolOp>([&](auto typed) { return rewriteOp(typed); })
      .Case([&](ConcatOp concat) { return values.createConcat(concat); })
      .Case([&](LookupOp lookup) {
        return isAccelerated(lookup) ? rewriteOp(lookup)
                                     : values.createLookup(lookup);
      })
      .Case([&](AssembleOp op) { return values.createAssembly(op); })
      // Readers load a slice from where it lies.
      .Case([](SliceOp) { return success(); })
      .Default([](Operation *other) {
        return other->emitOpError("cannot run on the accelerator");
      });
}

SmallVector<int64_t> LayoutRewriter::packedResult(ArrayRef<int64_t> shape) {
  return values.getPackedShape(shape, tiles.blockOut);
}

SmallVector<int64_t> LayoutRewriter::packedResult(ArrayRef<int64_t> shape,
                                                  const Lanes &lanes) {
  SmallVector<int64_t> packed = packedResult(shape);
  packed[1] = lanes.size() / tiles.blockOut;
  return packed;
}

SmallVector<int64_t> LayoutRewriter::packedResult(ArrayRef<int64_t> shape,
                                                  const ChannelBlocks &blocks) {
  SmallVector<int64_t> packed = packedResult(shape);
  packed[1] = blocks.outputs;
  if (blocks.sections > 1)
    packed.insert(packed.begin() + 1, blocks.sections);
  return packed;
}

LogicalResult LayoutRewriter::rewriteOp(RequantizeOp op) {
  auto known = accumulators.find(op.getInput());
  if (known == accumulators.end())
    return op.emitOpError("reads an accumulator that no operator of the "
                          "accelerator computes");
  const Accumulator &acc = known->second;
  steps.setLanes(acc.lanes);
  return finish(op, steps.requantize(op, acc.sum, acc.bias, acc.cannotWrap()),
                acc.lanes);
}

LogicalResult LayoutRewriter::finish(Operation *op, Value acc,
                                     const Lanes &lanes) {
  Value result = op->getResult(0);
  auto isInside = [&](Operation *user) {
    return isAccelerated(user) && getKernel(user) == getKernel(op);
  };
  if (llvm::all_of(result.getUsers(), isInside)) {
    narrowable[result] = {acc, lanes};
    return success();
  }
  if (llvm::any_of(result.getUsers(), isInside) ||
      !finished.insert(getKernel(op)).second)
    return op->emitOpError("kernel '")
           << getKernel(op).getValue() << "' has a second result";
  values.createResult(
      result, lanes, shapeOf(acc).drop_front().drop_back(4),
      [&](Value destination) { return steps.narrow(acc, destination); });
  return success();
}

LogicalResult LayoutRewriter::eraseOriginals() {
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(block))) {
    // What the host reads of moved channels it moves itself.
    if ((isReshape(&op) || isPackedMove(&op) || mlir::isa<TransposeOp>(op)) &&
        op.use_empty()) {
      op.erase();
      continue;
    }
    bool isOriginal =
        isPackedOnHost(&op) ||
        (isAccelerated(&op) && (op.getDialect()->getNamespace() == "graph" ||
                                mlir::isa<AssembleOp>(op)));
    if (!isOriginal)
      continue;
    if (!op.use_empty()) {
      b.setInsertionPoint(&op);
      b.setLoc(op.getLoc());
      Value unpacked = values.getUnpacked(op.getResult(0));
      if (!unpacked)
        return op.emitOpError("an accumulator leaves the kernel");
      op.getResult(0).replaceAllUsesWith(unpacked);
    }
    op.erase();
  }
  return success();
}

namespace {

struct PackLayout : vta::impl::VTAPackLayoutBase<PackLayout> {
  void runOnOperation() override {
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      if (function.isExternal())
        continue;
      FailureOr<ConfigAttr> accelerator = findAccelerator(function);
      if (failed(accelerator))
        return signalPassFailure();
      if (!*accelerator)
        continue;
      isa::Config config = accelerator->getConfig();
      Tiles tiles{config.batch(), config.blockIn(), config.blockOut(),
                  unsigned(config.wgtBits()), unsigned(config.inpBits())};
      bool all = accelerator->getIsaDialect() == isa::Dialect::Acc;
      tiles.window = all ? config.gemmWindow : 0;
      VectorUnit unit{all, all, all && config.aluRequantize != 0,
                      all && config.aluTable != 0};
      if (failed(LayoutRewriter(function, tiles, unit, *accelerator).run()))
        return signalPassFailure();
    }
  }

  /// The one accelerator of a function, or null. Tensors pass from operator to
  /// operator in its layout.
  static FailureOr<ConfigAttr> findAccelerator(func::FuncOp function) {
    ConfigAttr first;
    for (Operation &op : function.getBody().front()) {
      ConfigAttr accelerator = getAccelerator(&op);
      if (accelerator && first && accelerator != first)
        return op.emitOpError("is assigned to another accelerator than the "
                              "operators before it");
      if (accelerator)
        first = accelerator;
    }
    return first;
  }
};

} // namespace
