//===- LowerVThread.cpp - Interleave virtual threads ----------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/TE/Passes.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Interfaces/ViewLikeInterface.h"

namespace acc::te {
#define GEN_PASS_DEF_TELOWERVTHREAD
#include "passes/TE/Passes.h.inc"
} // namespace acc::te

using namespace mlir;
using namespace acc::te;

/// The allocation or argument that a memref is a view of.
static Value getRoot(Value memref) {
  while (auto view = memref.getDefiningOp<ViewLikeOpInterface>())
    memref = view.getViewSource();
  return memref;
}

/// The buffers that `op` writes.
static SmallVector<Value> getWritten(Operation *op) {
  SmallVector<Value> written;
  auto effects = dyn_cast<MemoryEffectOpInterface>(op);
  if (!effects || isa<memref::AllocOp>(op))
    return written;
  SmallVector<MemoryEffects::EffectInstance> instances;
  effects.getEffects(instances);
  for (const MemoryEffects::EffectInstance &instance : instances)
    if (isa<MemoryEffects::Write>(instance.getEffect()) && instance.getValue())
      written.push_back(getRoot(instance.getValue()));
  return written;
}

/// The values of a loop's body that differ between its iterations: all that is
/// computed from the induction variable, and the buffers that hold such.
static DenseSet<Value> findVarying(scf::ForOp loop) {
  DenseSet<Value> varying{loop.getInductionVar()};
  for (bool changed = true; changed;) {
    changed = false;
    loop.getBody()->walk([&](Operation *op) {
      bool depends = llvm::any_of(op->getOperands(), [&](Value operand) {
        return varying.contains(operand);
      });
      if (!depends)
        return;
      for (Value result : op->getResults())
        changed |= varying.insert(result).second;
      for (Region &region : op->getRegions())
        for (BlockArgument argument : region.getArguments())
          changed |= varying.insert(argument).second;
      for (Value root : getWritten(op))
        if (loop->isAncestor(root.getParentRegion()->getParentOp()))
          changed |= varying.insert(root).second;
    });
  }
  return varying;
}

/// Virtual threads must not share what they write: a buffer in a scratchpad
/// that is written must be the iteration's own.
static LogicalResult checkIndependent(scf::ForOp loop) {
  WalkResult result = loop.getBody()->walk([&](Operation *op) {
    for (Value root : getWritten(op)) {
      bool own = loop->isAncestor(root.getParentRegion()->getParentOp());
      if (own || isa<BlockArgument>(root))
        continue;
      op->emitOpError("writes a buffer that is shared by virtual threads");
      return WalkResult::interrupt();
    }
    return WalkResult::advance();
  });
  return failure(result.wasInterrupted());
}

namespace {
/// Writes the body of a loop for several of its iterations at once.
class Interleaver {
public:
  Interleaver(OpBuilder &builder, const DenseSet<Value> &varying,
              ArrayRef<Value> indices, Value iv)
      : builder(builder), varying(varying), threads(indices.size()) {
    for (auto [thread, index] : llvm::zip(threads, indices))
      thread.map(iv, index);
  }

  /// Loops that all threads share, those of a reduction, become one around
  /// their operations by turns. What stands between such loops is written
  /// thread by thread, so that one stores its results while the next one
  /// computes.
  void interleave(Block &block) {
    SmallVector<Operation *> run;
    for (Operation &op : block.without_terminator()) {
      if (!isShared(op)) {
        run.push_back(&op);
        continue;
      }
      emitByThread(run);
      run.clear();
      interleave(cast<scf::ForOp>(op));
    }
    emitByThread(run);
  }

private:
  bool isVarying(Operation &op) const {
    return llvm::any_of(op.getOperands(),
                        [&](Value v) { return varying.contains(v); }) ||
           llvm::any_of(op.getResults(),
                        [&](Value v) { return varying.contains(v); });
  }

  bool isShared(Operation &op) const {
    auto loop = dyn_cast<scf::ForOp>(op);
    return loop && !isVarying(op) && loop.getNumRegionIterArgs() == 0;
  }

  void interleave(scf::ForOp loop) {
    auto shared = cast<scf::ForOp>(
        builder.cloneWithoutRegions(*loop.getOperation(), threads[0]));
    // The single block and its terminator are made by hand: the clone of the
    // operation has an empty region.
    Block *body = builder.createBlock(&shared.getRegion(), {},
                                      builder.getIndexType(), loop.getLoc());
    for (IRMapping &thread : threads)
      thread.map(loop.getInductionVar(), body->getArgument(0));
    interleave(*loop.getBody());
    scf::YieldOp::create(builder, loop.getLoc());
    builder.setInsertionPointAfter(shared);
  }

  void emitByThread(ArrayRef<Operation *> run) {
    SmallVector<Operation *> differing;
    for (Operation *op : run) {
      bool differs = false;
      op->walk([&](Operation *nested) { differs |= isVarying(*nested); });
      if (differs) {
        differing.push_back(op);
        builder.clone(*op, threads[0]);
        continue;
      }
      Operation *copy = builder.clone(*op, threads[0]);
      for (IRMapping &thread : threads)
        thread.map(op->getResults(), copy->getResults());
    }
    for (IRMapping &thread : llvm::drop_begin(threads))
      for (Operation *op : differing)
        builder.clone(*op, thread);
  }

  OpBuilder &builder;
  const DenseSet<Value> &varying;
  SmallVector<IRMapping> threads;
};
} // namespace

/// Emits `count` iterations from `base` on, interleaved.
static void emitThreads(OpBuilder &builder, scf::ForOp loop, Value base,
                        int64_t count, int64_t step,
                        const DenseSet<Value> &varying) {
  AffineExpr d0 = builder.getAffineDimExpr(0);
  SmallVector<Value> indices;
  for (int64_t thread = 0; thread < count; ++thread) {
    OpFoldResult index = affine::makeComposedFoldedAffineApply(
        builder, loop.getLoc(), d0 + thread * step, OpFoldResult(base));
    indices.push_back(
        getValueOrCreateConstantIndexOp(builder, loop.getLoc(), index));
  }
  Interleaver(builder, varying, indices, loop.getInductionVar())
      .interleave(*loop.getBody());
}

static LogicalResult lower(scf::ForOp loop, int64_t count,
                           RewriterBase &rewriter) {
  std::optional<int64_t> lower = getConstantIntValue(loop.getLowerBound());
  std::optional<int64_t> upper = getConstantIntValue(loop.getUpperBound());
  std::optional<int64_t> step = getConstantIntValue(loop.getStep());
  if (!lower || !upper || !step || *step <= 0)
    return loop.emitOpError("of virtual threads must have constant bounds");
  if (loop.getNumRegionIterArgs() != 0)
    return loop.emitOpError("of virtual threads carries values: bufferize "
                            "first");
  if (failed(checkIndependent(loop)))
    return failure();
  DenseSet<Value> varying = findVarying(loop);
  Location loc = loop.getLoc();
  int64_t trips =
      std::max<int64_t>(0, llvm::divideCeilSigned(*upper - *lower, *step));
  int64_t rounds = trips / count, rest = trips % count;
  rewriter.setInsertionPoint(loop);
  auto index = [&](int64_t value) -> Value {
    return arith::ConstantIndexOp::create(rewriter, loc, value);
  };
  int64_t split = *lower + rounds * count * *step;
  if (rounds > 1) {
    auto outer = scf::ForOp::create(rewriter, loc, loop.getLowerBound(),
                                    index(split), index(*step * count));
    if (DenseI64ArrayAttr axis = getTiledAxis(loop))
      outer->setAttr(TEDialect::kLoop, axis);
    rewriter.setInsertionPointToStart(outer.getBody());
    emitThreads(rewriter, loop, outer.getInductionVar(), count, *step, varying);
    rewriter.setInsertionPointAfter(outer);
  } else if (rounds == 1) {
    emitThreads(rewriter, loop, loop.getLowerBound(), count, *step, varying);
  }
  if (rest > 0)
    emitThreads(rewriter, loop, index(split), rest, *step, varying);
  rewriter.eraseOp(loop);
  return success();
}

namespace {
struct LowerVThread : acc::te::impl::TeLowerVThreadBase<LowerVThread> {
  void runOnOperation() override {
    IRRewriter rewriter(&getContext());
    SmallVector<scf::ForOp> loops;
    getOperation().walk([&](scf::ForOp loop) {
      if (loop->hasAttr(TEDialect::kVThread))
        loops.push_back(loop);
    });
    for (scf::ForOp loop : loops) {
      auto count = loop->getAttrOfType<IntegerAttr>(TEDialect::kVThread);
      if (failed(lower(loop, count.getInt(), rewriter)))
        return signalPassFailure();
    }
  }
};
} // namespace
