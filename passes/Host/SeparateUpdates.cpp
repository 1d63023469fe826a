//===- SeparateUpdates.cpp - No updates in place of what broadcasts -------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/TE/TEDialect.h"
#include "passes/Host/Passes.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

namespace acc::host {
#define GEN_PASS_DEF_HOSTSEPARATEUPDATES
#include "passes/Host/Passes.h.inc"
} // namespace acc::host

using namespace acc;

namespace {

/// Whether an operation reads elements of the result more than once.
bool isReadManyTimes(Value result) {
  return llvm::any_of(result.getUses(), [](OpOperand &use) {
    auto reader = dyn_cast<linalg::LinalgOp>(use.getOwner());
    return reader && !reader.getMatchingIndexingMap(&use).isPermutation();
  });
}

/// Whether every element of the one result is computed from that of the tensor
/// which it takes the place of.
bool isUpdate(linalg::GenericOp op) {
  return op.getNumDpsInits() == 1 && op.hasPureTensorSemantics() &&
         op.getNumParallelLoops() == op.getNumLoops() &&
         op.payloadUsesValueFromOperand(op.getDpsInitOperand(0));
}

struct SeparateUpdatesPass
    : host::impl::HostSeparateUpdatesBase<SeparateUpdatesPass> {
  using HostSeparateUpdatesBase::HostSeparateUpdatesBase;

  void runOnOperation() override {
    if (!getOperation().isOnHost())
      return;
    SmallVector<linalg::GenericOp> updates;
    getOperation().walk([&](linalg::GenericOp op) {
      if (isUpdate(op) && isReadManyTimes(op.getResult(0)))
        updates.push_back(op);
    });
    for (linalg::GenericOp op : updates)
      separate(op);
  }

private:
  static void separate(linalg::GenericOp op) {
    OpBuilder builder(op);
    Value init = op.getDpsInits().front();
    SmallVector<OpFoldResult> sizes =
        tensor::getMixedSizes(builder, op.getLoc(), init);
    Value empty = tensor::EmptyOp::create(builder, op.getLoc(), sizes,
                                          getElementTypeOrSelf(init));
    SmallVector<Value> inputs = op.getDpsInputs();
    inputs.push_back(init);
    SmallVector<AffineMap> maps = op.getIndexingMapsArray();
    maps.push_back(maps.back());
    auto copy = linalg::GenericOp::create(
        builder, op.getLoc(), op->getResultTypes(), inputs, ValueRange(empty),
        maps, op.getIteratorTypesArray());
    copy->setDiscardableAttrs(op->getDiscardableAttrDictionary());
    // The argument that was the element updated is the one read now.
    copy.getRegion().takeBody(op.getRegion());
    copy.getBlock()->addArgument(getElementTypeOrSelf(init), op.getLoc());
    op->replaceAllUsesWith(copy);
    op->erase();
  }
};

} // namespace
