//===- Dma.cpp - Lower cached transfers to the accelerator's DMA ----------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/VTA/VTADialect.h"
#include "passes/TE/Passes.h"

#include "mlir/IR/PatternMatch.h"

namespace acc::te {
#define GEN_PASS_DEF_TEDMA
#include "passes/TE/Passes.h.inc"
} // namespace acc::te

using namespace mlir;
using namespace acc::te;

/// The two innermost dimensions are one element of the memory.
static constexpr size_t kElementRank = 2;

static LogicalResult lowerRead(CacheReadOp op, RewriterBase &rewriter) {
  SmallVector<OpFoldResult> low = op.getMixedLow(), high = op.getMixedHigh();
  if (low.size() < kElementRank)
    return op.emitOpError("transfers less than one element");
  for (size_t i = low.size() - kElementRank; i < low.size(); ++i)
    if (!isZeroInteger(low[i]) || !isZeroInteger(high[i]))
      return op.emitOpError("pads inside of an element, which a transfer "
                            "cannot do");
  low.truncate(low.size() - kElementRank);
  high.truncate(high.size() - kElementRank);
  rewriter.setInsertionPoint(op);
  rewriter.replaceOpWithNewOp<acc::vta::LoadOp>(op, op.getSource(),
                                                op.getTarget(), low, high);
  return success();
}

namespace {
struct Dma : acc::te::impl::TeDmaBase<Dma> {
  void runOnOperation() override {
    if (!getSchedule(getOperation()))
      return;
    IRRewriter rewriter(&getContext());
    SmallVector<Operation *> transfers;
    getOperation().walk([&](Operation *op) {
      if (isa<CacheReadOp, CacheWriteOp>(op))
        transfers.push_back(op);
    });
    for (Operation *op : transfers) {
      if (op->getNumResults() != 0) {
        op->emitOpError("is still on tensors: bufferize first");
        return signalPassFailure();
      }
      if (auto read = dyn_cast<CacheReadOp>(op)) {
        if (failed(lowerRead(read, rewriter)))
          return signalPassFailure();
        continue;
      }
      auto write = cast<CacheWriteOp>(op);
      rewriter.setInsertionPoint(op);
      rewriter.replaceOpWithNewOp<acc::vta::StoreOp>(op, write.getSource(),
                                                     write.getTarget());
    }
  }
};
} // namespace
