//===- Cache.cpp - Stage slices of DRAM operands in scratchpads -----------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/TE/ArgumentSlice.h"
#include "passes/TE/Footprint.h"
#include "passes/TE/Passes.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/LoopInvariantCodeMotionUtils.h"

namespace acc::te {
#define GEN_PASS_DEF_TECACHE
#include "passes/TE/Passes.h.inc"
} // namespace acc::te

using namespace mlir;
using namespace acc::te;

namespace {
class Cacher {
public:
  Cacher(KernelOp kernel, ScheduleAttr schedule)
      : kernel(kernel), schedule(schedule), rewriter(kernel.getContext()) {}

  LogicalResult run();

private:
  LogicalResult cacheOperands(linalg::LinalgOp op);
  /// The number of dimensions of an element of a memory.
  size_t getElementRank(Attribute memory);
  FailureOr<Value> read(Value value, Operation *user, Type element,
                        bool readOnly);
  void setInsertionPoint(Value value, Operation *user, CacheAttr cache,
                         bool hoist);
  Value allocate(Location loc, ArrayRef<OpFoldResult> sizes, Type element,
                 Attribute memory);

  KernelOp kernel;
  ScheduleAttr schedule;
  IRRewriter rewriter;
  DenseMap<std::pair<Value, Attribute>, SmallVector<Value>> cached;
};
} // namespace

/// The outermost loop around `user` that is deeper than `level`, or `user`.
static Operation *getLevelEntry(Operation *user, int64_t level) {
  Operation *entry = user;
  for (auto loop = user->getParentOfType<scf::ForOp>(); loop;
       loop = loop->getParentOfType<scf::ForOp>()) {
    DenseI64ArrayAttr axis = getTiledAxis(loop);
    if (axis && axis[0] > level)
      entry = loop;
  }
  return entry;
}

/// Goes in front of the loops deeper than the cache's level and, with `hoist`,
/// in front of those that no index of the slice depends on.
void Cacher::setInsertionPoint(Value value, Operation *user, CacheAttr cache,
                               bool hoist) {
  Operation *point = getLevelEntry(user, cache.getLevel());
  SmallVector<Value> indices;
  for (Value v = value; Operation *op = v.getDefiningOp();
       v = op->getOperand(0))
    llvm::append_range(indices, llvm::drop_begin(op->getOperands()));
  while (hoist) {
    auto loop = dyn_cast<scf::ForOp>(point->getParentOp());
    if (!loop || !llvm::all_of(indices, [&](Value index) {
          return loop.isDefinedOutsideOfLoop(index);
        }))
      break;
    point = loop;
  }
  rewriter.setInsertionPoint(point);
}

Value Cacher::allocate(Location loc, ArrayRef<OpFoldResult> sizes, Type element,
                       Attribute memory) {
  SmallVector<int64_t> shape;
  SmallVector<Value> dynamic;
  dispatchIndexOpFoldResults(sizes, dynamic, shape);
  auto type = RankedTensorType::get(shape, element);
  auto alloc =
      bufferization::AllocTensorOp::create(rewriter, loc, type, dynamic);
  if (memory)
    alloc.setMemorySpaceAttr(memory);
  return alloc;
}

size_t Cacher::getElementRank(Attribute memory) {
  for (const Memory &known : kernel.getTargetInterface().getMemories())
    if (known.space == memory)
      return known.shape.size();
  return 0;
}

/// Reads `value`, a slice of a kernel argument, for `user`. The part of the
/// slicing that happens in loops deeper than the cache's level is left to be
/// done in the scratchpad.
FailureOr<Value> Cacher::read(Value value, Operation *user, Type element,
                              bool readOnly) {
  BlockArgument argument = findArgument(value);
  CacheAttr cache = schedule.getCacheOf(argument.getArgNumber());
  if (!cache)
    return user->emitOpError("reads argument #")
           << argument.getArgNumber()
           << ", which the schedule caches in no memory";
  Operation *entry = getLevelEntry(user, cache.getLevel());
  SmallVector<tensor::ExtractSliceOp> inner;
  while (auto slice = value.getDefiningOp<tensor::ExtractSliceOp>()) {
    if (entry == user || !entry->isAncestor(slice))
      break;
    inner.push_back(slice);
    value = slice.getSource();
  }

  auto getInside = [rank = getElementRank(cache.getMemory())](size_t dims) {
    return std::min(rank, dims);
  };
  Location loc = user->getLoc();
  SmallVector<Value> &known = cached[{value, cache.getMemory()}];
  Value staged;
  for (Value candidate : known)
    if (readOnly &&
        candidate.getDefiningOp()->getBlock()->findAncestorOpInBlock(*user))
      staged = candidate;
  if (!staged) {
    setInsertionPoint(value, user, cache, /*hoist=*/readOnly);
    FailureOr<ArgumentSlice> slice = resolveSlice(rewriter, value, user);
    if (failed(slice))
      return failure();
    // Elements are read whole, even if the operation meets a part of them.
    ArrayRef<int64_t> shape =
        cast<RankedTensorType>(argument.getType()).getShape();
    for (size_t dim = shape.size() - getInside(shape.size());
         dim < shape.size(); ++dim)
      slice->sizes[dim] = slice->paddedSizes[dim] =
          rewriter.getIndexAttr(shape[dim]);
    Value source = tensor::ExtractSliceOp::create(
        rewriter, loc, argument, slice->offsets, slice->sizes, slice->strides);
    Value buffer =
        allocate(loc, slice->paddedSizes, element, cache.getMemory());
    auto read = CacheReadOp::create(rewriter, loc, source, buffer, slice->low,
                                    slice->high);
    if (cache.getSlots() > 1 && isa<scf::ForOp>(read->getParentOp()))
      read.setSlots(cache.getSlots());
    staged = read.getResult();
    if (readOnly)
      known.push_back(staged);
  }
  for (tensor::ExtractSliceOp slice : llvm::reverse(inner)) {
    rewriter.setInsertionPoint(slice);
    SmallVector<OpFoldResult> sizes = slice.getMixedSizes();
    for (size_t dim = sizes.size() - getInside(sizes.size());
         dim < sizes.size(); ++dim)
      sizes[dim] = rewriter.getIndexAttr(
          cast<RankedTensorType>(staged.getType()).getDimSize(dim));
    staged = tensor::ExtractSliceOp::create(rewriter, slice.getLoc(), staged,
                                            slice.getMixedOffsets(), sizes,
                                            slice.getMixedStrides());
  }
  return staged;
}

LogicalResult Cacher::cacheOperands(linalg::LinalgOp op) {
  if (isOnlyCast<arith::ExtSIOp>(op)) {
    Value source = op.getDpsInputs()[0], result = op->getResult(0);
    if (findArgument(source)) {
      // What is changed in place must be read anew in every iteration.
      bool readOnly = llvm::all_of(result.getUses(), [](OpOperand &use) {
        auto user = dyn_cast<linalg::LinalgOp>(use.getOwner());
        return !user || user.isDpsInput(&use);
      });
      FailureOr<Value> staged =
          read(source, op, getElementTypeOrSelf(result.getType()), readOnly);
      if (failed(staged))
        return failure();
      rewriter.replaceOp(op, *staged);
      return success();
    }
  }
  if (isOnlyCast<arith::TruncIOp>(op) || isStore(op)) {
    rewriter.setInsertionPoint(op);
    rewriter.replaceOpWithNewOp<CacheWriteOp>(
        op, op->getResultTypes(), op.getDpsInputs()[0], op.getDpsInits()[0]);
    return success();
  }
  for (OpOperand *operand : op.getDpsInputOperands()) {
    Value value = operand->get();
    if (!isa<RankedTensorType>(value.getType()) || !findArgument(value))
      continue;
    FailureOr<Value> staged =
        read(value, op, getElementTypeOrSelf(value.getType()), true);
    if (failed(staged))
      return failure();
    rewriter.modifyOpInPlace(op, [&] { operand->set(*staged); });
  }
  for (OpOperand &operand : op.getDpsInitsMutable()) {
    auto empty = operand.get().getDefiningOp<tensor::EmptyOp>();
    if (!empty)
      continue;
    rewriter.setInsertionPoint(op);
    Value buffer =
        allocate(op.getLoc(), empty.getMixedSizes(),
                 empty.getType().getElementType(), schedule.getAccumulator());
    rewriter.modifyOpInPlace(op, [&] { operand.set(buffer); });
  }
  return success();
}

LogicalResult Cacher::run() {
  // Slices and their indices leave the loops they do not depend on, so that
  // where an index is defined says which loops a slice needs.
  kernel.walk([](scf::ForOp loop) {
    moveLoopInvariantCode(
        loop.getLoopRegions(),
        [&](Value value, Region *) {
          return loop.isDefinedOutsideOfLoop(value);
        },
        [](Operation *op, Region *) {
          return isa<affine::AffineApplyOp, affine::AffineMinOp,
                     affine::AffineMaxOp, tensor::ExtractSliceOp>(op);
        },
        [&](Operation *op, Region *) { loop.moveOutOfLoop(op); });
  });
  // Equal initial values were merged, but each is changed in place, those in a
  // loop in each of its iterations.
  SmallVector<linalg::FillOp> fills;
  kernel.walk([&](linalg::FillOp fill) { fills.push_back(fill); });
  for (linalg::FillOp fill : fills) {
    bool isTaken = false;
    for (OpOperand &use : llvm::make_early_inc_range(fill->getUses())) {
      Operation *user = use.getOwner();
      if (!isTaken && user->getBlock() == fill->getBlock()) {
        isTaken = true;
        continue;
      }
      rewriter.setInsertionPoint(user);
      use.set(rewriter.clone(*fill)->getResult(0));
    }
    if (!isTaken)
      rewriter.eraseOp(fill);
  }

  SmallVector<linalg::LinalgOp> ops;
  kernel.walk([&](linalg::LinalgOp op) { ops.push_back(op); });
  for (linalg::LinalgOp op : ops)
    if (failed(cacheOperands(op)))
      return failure();
  // Dead slices and paddings of the arguments would still be bufferized.
  SmallVector<Operation *> all;
  kernel.getBody().walk([&](Operation *op) { all.push_back(op); });
  for (Operation *op : llvm::reverse(all))
    if (isa<tensor::ExtractSliceOp, tensor::PadOp, tensor::EmptyOp>(op) &&
        op->use_empty())
      rewriter.eraseOp(op);
  return success();
}

namespace {
struct Cache : acc::te::impl::TeCacheBase<Cache> {
  void runOnOperation() override {
    ScheduleAttr schedule = getScheduleOnTensors(getOperation());
    if (schedule && failed(Cacher(getOperation(), schedule).run()))
      signalPassFailure();
  }
};
} // namespace
