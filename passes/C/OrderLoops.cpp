//===- OrderLoops.cpp - Loops in the order of a schedule ------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/C/Passes.h"

using namespace mlir;

namespace acc::c {
#define GEN_PASS_DEF_CORDERLOOPS
#include "passes/C/Passes.h.inc"
} // namespace acc::c

using namespace acc;

namespace {

struct OrderLoopsPass : c::impl::COrderLoopsBase<OrderLoopsPass> {
  using COrderLoopsBase::COrderLoopsBase;

  static LogicalResult order(linalg::GenericOp op) {
    auto schedule = dyn_cast_or_null<te::ScheduleAttr>(
        op->getAttr(te::TEDialect::kSchedule));
    if (!schedule)
      return success();
    auto tiles = schedule.getTiles().getAsRange<te::TileAttr>();
    SmallVector<int64_t> axes;
    if (llvm::range_size(tiles) == 1)
      axes = (*tiles.begin()).getLoopOrder();
    if (!isPermutationVector(axes) || axes.size() != op.getNumLoops())
      return op.emitError(
          "has a te.schedule that does not name every loop once");
    op->removeAttr(te::TEDialect::kSchedule);
    SmallVector<unsigned> order(axes.begin(), axes.end());
    IRRewriter rewriter(op);
    return linalg::interchangeGenericOp(rewriter, op, order);
  }

  void runOnOperation() override {
    SmallVector<linalg::GenericOp> operations;
    getOperation().walk(
        [&](linalg::GenericOp op) { operations.push_back(op); });
    for (linalg::GenericOp op : operations)
      if (failed(order(op)))
        return signalPassFailure();
  }
};

} // namespace
