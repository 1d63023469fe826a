//===- MultiBuffer.cpp - Let several buffers of a read take turns ---------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/TE/Passes.h"

#include "mlir/Dialect/MemRef/Transforms/Transforms.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Interfaces/ValueBoundsOpInterface.h"

namespace acc::te {
#define GEN_PASS_DEF_TEMULTIBUFFER
#include "passes/TE/Passes.h.inc"
} // namespace acc::te

using namespace mlir;
using namespace acc::te;

/// Replaces a memref by one of another layout; views of it are made anew.
static void replaceMemRef(Value old, Value with, RewriterBase &rewriter) {
  for (OpOperand &use : llvm::make_early_inc_range(old.getUses())) {
    auto view = dyn_cast<memref::SubViewOp>(use.getOwner());
    if (!view) {
      rewriter.modifyOpInPlace(use.getOwner(), [&] { use.set(with); });
      continue;
    }
    rewriter.setInsertionPoint(view);
    auto type = memref::SubViewOp::inferRankReducedResultType(
        view.getType().getShape(), cast<MemRefType>(with.getType()),
        view.getMixedOffsets(), view.getMixedSizes(), view.getMixedStrides());
    Value again = memref::SubViewOp::create(
        rewriter, view.getLoc(), cast<MemRefType>(type), with,
        view.getMixedOffsets(), view.getMixedSizes(), view.getMixedStrides());
    replaceMemRef(view, again, rewriter);
    rewriter.eraseOp(view);
  }
}

/// Replaces an allocation of dynamic sizes by one of their upper bounds and a
/// view of it, so that it can leave the loop.
static FailureOr<memref::AllocOp> makeStatic(memref::AllocOp alloc,
                                             RewriterBase &rewriter) {
  MemRefType type = alloc.getType();
  if (type.hasStaticShape())
    return alloc;
  SmallVector<int64_t> shape(type.getShape());
  auto dynamic = alloc.getDynamicSizes().begin();
  for (int64_t &size : shape) {
    if (!ShapedType::isDynamic(size))
      continue;
    FailureOr<int64_t> bound = ValueBoundsConstraintSet::computeConstantBound(
        presburger::BoundType::UB, *dynamic++, /*stopCondition=*/nullptr,
        /*closedUB=*/true);
    if (failed(bound))
      return alloc.emitOpError("has a size without a known upper bound, of "
                               "which there cannot be several");
    size = *bound;
  }
  rewriter.setInsertionPoint(alloc);
  auto whole = memref::AllocOp::create(
      rewriter, alloc.getLoc(),
      MemRefType::get(shape, type.getElementType(), MemRefLayoutAttrInterface(),
                      type.getMemorySpace()));
  OpBuilder builder(alloc);
  SmallVector<OpFoldResult> offsets(shape.size(), builder.getIndexAttr(0));
  SmallVector<OpFoldResult> ones(shape.size(), builder.getIndexAttr(1));
  auto view = memref::SubViewOp::create(rewriter, alloc.getLoc(), whole,
                                        offsets, alloc.getMixedSizes(), ones);
  replaceMemRef(alloc, view, rewriter);
  rewriter.eraseOp(alloc);
  return whole;
}

namespace {
struct MultiBuffer : acc::te::impl::TeMultiBufferBase<MultiBuffer> {
  void runOnOperation() override {
    IRRewriter rewriter(&getContext());
    SmallVector<CacheReadOp> reads;
    getOperation().walk([&](CacheReadOp read) {
      if (read.getSlots().value_or(1) > 1)
        reads.push_back(read);
    });
    for (CacheReadOp read : reads) {
      auto alloc = read.getTarget().getDefiningOp<memref::AllocOp>();
      if (!alloc || !isa<scf::ForOp>(alloc->getParentOp())) {
        read.emitOpError("has slots, but its target is not allocated in a "
                         "loop");
        return signalPassFailure();
      }
      int64_t slots = *read.getSlots();
      read.removeSlotsAttr();
      FailureOr<memref::AllocOp> fixed = makeStatic(alloc, rewriter);
      if (failed(fixed))
        return signalPassFailure();
      (*fixed)->moveBefore((*fixed)->getParentOp());
      if (failed(memref::multiBuffer(rewriter, *fixed, slots,
                                     /*skipOverrideAnalysis=*/true))) {
        read.emitOpError("has a target that cannot be multiplied");
        return signalPassFailure();
      }
    }
  }
};
} // namespace
