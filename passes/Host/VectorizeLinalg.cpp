//===- VectorizeLinalg.cpp - linalg on buffers to vector loops ------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/TE/TEDialect.h"
#include "passes/Host/Passes.h"
#include "passes/Host/VectorNest.h"

#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;

namespace acc::host {
#define GEN_PASS_DEF_HOSTVECTORIZELINALG
#include "passes/Host/Passes.h.inc"
} // namespace acc::host

using namespace acc;
using namespace acc::host;

/// Emits plain loops, whose chunks may run at the same time as a level of kind
/// `parallel` says.
static LogicalResult emitLoops(linalg::LinalgOp op, te::TileAttr level) {
  IRRewriter builder(op);
  Location loc = op.getLoc();
  IndexBuilder index(builder, loc);
  SmallVector<utils::IteratorType> kinds = op.getIteratorTypesArray();
  SmallVector<int64_t> axes;
  if (level)
    axes = level.getLoopOrder();
  llvm::sort(axes);
  for (int64_t axis : axes) {
    auto isWritten = [&](OpOperand &init) {
      AffineMap map = op.getMatchingIndexingMap(&init);
      return map.isProjectedPermutation() && map.isFunctionOfDim(axis);
    };
    if (axis >= static_cast<int64_t>(kinds.size()) ||
        kinds[axis] == utils::IteratorType::reduction ||
        !llvm::all_of(op.getDpsInitsMutable(), isWritten))
      return op.emitOpError("cannot run chunks of ") << level << " in parallel";
  }
  SmallVector<Range> ranges = op.createLoopRanges(builder, loc);
  SmallVector<Value> extents;
  Value chunks = index.constant(1);
  for (int64_t axis : axes) {
    extents.push_back(
        getValueOrCreateConstantIndexOp(builder, loc, ranges[axis].size));
    chunks =
        index.mul(chunks, index.ceilDiv(extents.back(), level.getSizeOf(axis)));
  }
  LogicalResult result = success();
  index.parallel(chunks, Value(), [&](Value number, Value) {
    SmallVector<std::pair<Value, Value>> bounds(axes.size());
    for (size_t i = axes.size(); i-- > 0;)
      number = index.takeChunk(number, extents[i], level.getSizeOf(axes[i]),
                               i == 0, [&](Value start, Value count) {
                                 bounds[i] = {start, index.add(start, count)};
                               });
    auto inner = cast<linalg::LinalgOp>(builder.clone(*op));
    builder.setInsertionPoint(inner);
    FailureOr<linalg::LinalgLoops> loops =
        linalg::linalgOpToLoops(builder, inner);
    builder.setInsertionPointAfter(inner);
    builder.eraseOp(inner);
    if (failed(loops)) {
      result = failure();
      return;
    }
    for (auto [axis, bound] : llvm::zip(axes, bounds)) {
      auto loop = cast<scf::ForOp>((*loops)[axis]);
      loop.setLowerBound(bound.first);
      loop.setUpperBound(bound.second);
    }
  });
  return result;
}

/// The buffer that a view shows part of.
static Value findRoot(Value buffer) {
  while (auto view = buffer.getDefiningOp<ViewLikeOpInterface>())
    buffer = view.getViewSource();
  return buffer;
}

static bool isSame(Value a, Value b) {
  if (a == b)
    return true;
  auto first = a.getDefiningOp<memref::SubViewOp>(),
       second = b.getDefiningOp<memref::SubViewOp>();
  return first && second &&
         OperationEquivalence::isEquivalentTo(
             first, second, OperationEquivalence::IgnoreLocations);
}

/// Whether an operation may read or write a buffer. Buffers that regions give
/// names of their own are any.
static bool mayTouch(Operation *op, Value root, Block *around) {
  auto isTouched = [&](Value value) {
    if (!isa<BaseMemRefType>(value.getType()))
      return false;
    Value other = findRoot(value);
    auto argument = dyn_cast<BlockArgument>(other);
    return other == root ||
           (argument && argument.getOwner() != around &&
            op->isAncestor(argument.getOwner()->getParentOp()));
  };
  return op
      ->walk([&](Operation *inner) {
        return !isa<ViewLikeOpInterface>(inner) &&
                       llvm::any_of(inner->getOperands(), isTouched)
                   ? WalkResult::interrupt()
                   : WalkResult::advance();
      })
      .wasInterrupted();
}

/// What fills a buffer that `op` adds to, if only `op` reads that: every vector
/// of results begins with the number then, and memory is written once.
static linalg::FillOp findFill(linalg::LinalgOp op, OpOperand &init) {
  AffineMap map = op.getMatchingIndexingMap(&init);
  Value root = findRoot(init.get());
  auto isShared = [&](OpOperand &other) {
    return &other != &init && isa<BaseMemRefType>(other.get().getType()) &&
           findRoot(other.get()) == root;
  };
  if (isa<linalg::FillOp>(op) || !map.isProjectedPermutation() ||
      llvm::any_of(op->getOpOperands(), isShared))
    return nullptr;
  for (Operation *before = op->getPrevNode(); before;
       before = before->getPrevNode()) {
    if (auto fill = dyn_cast<linalg::FillOp>(before))
      if (isSame(fill.output(), init.get()))
        return fill;
    if (mayTouch(before, root, op->getBlock()))
      return nullptr;
  }
  return nullptr;
}

namespace {

struct VectorizeLinalgPass
    : host::impl::HostVectorizeLinalgBase<VectorizeLinalgPass> {
  using HostVectorizeLinalgBase::HostVectorizeLinalgBase;

  /// What fills the inits of an operation, and nothing else reads.
  using Fills = SmallVector<std::pair<OpOperand *, linalg::FillOp>, 1>;

  void runOnOperation() override {
    if (!lookup.empty() && !ByteLookup::isKnown(lookup)) {
      emitError(getOperation().getLoc(), "no instruction '")
          << lookup << "' looks up bytes: there are pshufb, vpermi2b and tbl";
      return signalPassFailure();
    }
    SmallVector<memref::CopyOp> copies;
    getOperation().walk([&](memref::CopyOp op) { copies.push_back(op); });
    for (memref::CopyOp op : copies) {
      OpBuilder builder(op);
      auto copy = linalg::CopyOp::create(builder, op.getLoc(), op.getSource(),
                                         op.getTarget());
      if (Attribute schedule = op->getAttr(te::TEDialect::kSchedule))
        copy->setAttr(te::TEDialect::kSchedule, schedule);
      op.erase();
    }
    SmallVector<linalg::LinalgOp> ops;
    getOperation().walk([&](linalg::LinalgOp op) { ops.push_back(op); });
    // A fill waits for what adds to it, which may do without.
    DenseSet<Operation *> waiting;
    DenseMap<Operation *, Fills> fillsOf;
    for (linalg::LinalgOp op : ops)
      for (OpOperand &init : op.getDpsInitsMutable())
        if (linalg::FillOp fill = findFill(op, init)) {
          waiting.insert(fill);
          fillsOf[op].emplace_back(&init, fill);
        }
    for (linalg::LinalgOp op : ops)
      if (!waiting.contains(op) && failed(lower(op, fillsOf.lookup(op))))
        return signalPassFailure();
  }

  LogicalResult lower(linalg::LinalgOp op, const Fills &fills) {
    OpBuilder builder(op);
    FailureOr<VectorNest> nest =
        VectorNest::create(builder, op, vectorBytes, lookup);
    if (failed(nest)) {
      for (auto [init, fill] : fills)
        if (failed(lower(fill, {})))
          return failure();
      auto schedule =
          op->getAttrOfType<te::ScheduleAttr>(te::TEDialect::kSchedule);
      if (!schedule)
        return success();
      if (namesVectors(schedule) ||
          failed(emitLoops(op, schedule.getLevel(te::LevelKind::Parallel))))
        return failure();
      op->erase();
      return success();
    }
    for (VectorOperand &operand : nest->operands)
      for (auto [init, fill] : fills)
        if (operand.operand == init)
          operand.start = fill.value();
    emitVectorNest(builder, *nest);
    op->erase();
    for (auto [init, fill] : fills)
      fill->erase();
    return success();
  }
};

} // namespace
