//===- VectorNest.cpp - A linalg op as loops over vectors -----------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Host/VectorNest.h"
#include "passes/Host/VectorBody.h"

using namespace mlir;
using namespace acc::host;

/// Lanes of strided reads come out of one wide load up to this stride.
static constexpr int64_t kWidestShuffle = 4;

/// The steps of an affine map in memory; fails when it is not linear.
static FailureOr<std::pair<SmallVector<int64_t>, int64_t>>
linearize(AffineMap map, ArrayRef<int64_t> strides) {
  SmallVector<int64_t> steps(map.getNumDims(), 0);
  int64_t offset = 0;
  for (auto [expr, stride] : llvm::zip(map.getResults(), strides)) {
    SmallVector<int64_t> flat;
    if (!expr.isPureAffine() ||
        failed(getFlattenedAffineExpr(expr, map.getNumDims(), 0, &flat)) ||
        flat.size() != map.getNumDims() + 1)
      return failure();
    for (unsigned dim = 0; dim < map.getNumDims(); ++dim)
      steps[dim] += flat[dim] * stride;
    offset += flat.back() * stride;
  }
  return std::make_pair(steps, offset);
}

bool VectorNest::addOperand(OpBuilder &builder, OpOperand &operand) {
  VectorOperand entry;
  entry.operand = &operand;
  entry.element = getElementTypeOrSelf(operand.get().getType());
  SmallVector<int64_t> steps(loops.size(), 0);
  // The window of a pooling operator has a shape but no values.
  bool used =
      op.payloadUsesValueFromOperand(&operand) || op.isDpsInit(&operand);
  if (isa<MemRefType>(operand.get().getType()) && used) {
    if (!isVectorElement(entry.element))
      return false;
    FailureOr<FlatView> view = flatten(builder, op.getLoc(), operand.get());
    if (failed(view))
      return false;
    auto linear = linearize(op.getMatchingIndexingMap(&operand), view->strides);
    if (failed(linear))
      return false;
    entry.memref = view->memref;
    steps = linear->first;
    entry.offset = linear->second;
  }
  for (auto [loop, step] : llvm::zip(loops, steps))
    loop.steps.push_back(step);
  operands.push_back(entry);
  return true;
}

/// Drops loops of one iteration and joins those that walk on where the next
/// inner one ends.
void VectorNest::coalesce() {
  llvm::erase_if(loops,
                 [](const VectorLoop &loop) { return loop.extent == 1; });
  for (size_t i = loops.size(); i > 1; --i) {
    VectorLoop &outer = loops[i - 2], &inner = loops[i - 1];
    bool joins = outer.reduction == inner.reduction;
    for (auto [far, near] : llvm::zip(outer.steps, inner.steps))
      joins &= far == near * inner.extent;
    if (!joins)
      continue;
    inner.extent *= outer.extent;
    loops.erase(loops.begin() + (i - 2));
  }
}

/// The longest loop along which results are contiguous.
bool VectorNest::chooseVectorLoop() {
  int64_t longest = 1;
  for (auto [i, loop] : llvm::enumerate(loops)) {
    bool contiguous = !loop.reduction && loop.extent > longest;
    for (auto [operand, step] : llvm::zip(operands, loop.steps)) {
      bool written = op.isDpsInit(operand.operand);
      contiguous &= written ? step == 1 : step >= 0 && step <= kWidestShuffle;
    }
    if (!contiguous)
      continue;
    longest = loop.extent;
    vectorLoop = i;
  }
  return longest > 1;
}

FailureOr<VectorNest> VectorNest::create(OpBuilder &builder,
                                         linalg::LinalgOp op,
                                         int64_t vectorBytes) {
  Block &body = *op.getBlock();
  if (!op.hasPureBufferSemantics() || op.hasDynamicShape() ||
      !isVectorizable(body))
    return failure();
  VectorNest nest(op);
  for (auto [extent, kind] :
       llvm::zip(op.getStaticLoopRanges(), op.getIteratorTypesArray())) {
    if (extent == 0)
      return failure();
    nest.loops.push_back({extent, kind == utils::IteratorType::reduction, {}});
  }
  unsigned widest = 8;
  for (OpOperand &operand : op->getOpOperands()) {
    if (!nest.addOperand(builder, operand))
      return failure();
    widest =
        std::max(widest, nest.operands.back().element.getIntOrFloatBitWidth());
  }
  for (Operation &inner : body.without_terminator())
    if (inner.getResult(0).getType().isIntOrFloat())
      widest = std::max(widest,
                        inner.getResult(0).getType().getIntOrFloatBitWidth());
  nest.coalesce();
  nest.lanes = vectorBytes * 8 / widest;
  if (nest.loops.empty() || !nest.chooseVectorLoop())
    return failure();
  return nest;
}

/// Reads every `stride`-th element through one wide load.
Value VectorNest::loadStrided(OpBuilder &builder, const VectorOperand &operand,
                              Value offset, int64_t stride, int64_t valid) {
  Location loc = op.getLoc();
  auto wide = static_cast<int64_t>(llvm::PowerOf2Ceil(lanes * stride));
  auto type = VectorType::get(wide, operand.element);
  Value zero =
      arith::ConstantOp::create(builder, loc, builder.getZeroAttr(type));
  Value mask = constantMask(builder, loc, wide, ((valid - 1) * stride) + 1);
  Value loaded = vector::MaskedLoadOp::create(
      builder, loc, type, operand.memref, ValueRange{offset}, mask, zero);
  SmallVector<int64_t> picks;
  for (int64_t i = 0; i < lanes; ++i)
    picks.push_back(i * stride);
  return vector::ShuffleOp::create(builder, loc, loaded, loaded, picks);
}

Value VectorNest::load(OpBuilder &builder, size_t index, Value offset,
                       int64_t valid) {
  Location loc = op.getLoc();
  const VectorOperand &operand = operands[index];
  int64_t stride = loops[vectorLoop].steps[index];
  auto type = VectorType::get(lanes, operand.element);
  if (!operand.memref)
    return vector::BroadcastOp::create(builder, loc, type,
                                       operand.operand->get());
  if (stride == 0)
    return vector::BroadcastOp::create(
        builder, loc, type,
        memref::LoadOp::create(builder, loc, operand.memref, offset));
  if (stride > 1)
    return loadStrided(builder, operand, offset, stride, valid);
  if (valid == lanes)
    return vector::LoadOp::create(builder, loc, type, operand.memref,
                                  ValueRange{offset});
  Value zero =
      arith::ConstantOp::create(builder, loc, builder.getZeroAttr(type));
  return vector::MaskedLoadOp::create(
      builder, loc, type, operand.memref, ValueRange{offset},
      constantMask(builder, loc, lanes, valid), zero);
}

/// One vector of results, over all reductions.
void VectorNest::emitVector(OpBuilder &builder, ArrayRef<Value> offsets,
                            int64_t valid) {
  Location loc = op.getLoc();
  IndexBuilder index(builder, loc);
  Block &body = *op.getBlock();
  SmallVector<size_t> reductions, inits;
  for (auto [i, loop] : llvm::enumerate(loops))
    if (loop.reduction)
      reductions.push_back(i);
  for (auto [i, operand] : llvm::enumerate(operands))
    if (op.isDpsInit(operand.operand))
      inits.push_back(i);

  SmallVector<Value> running;
  for (size_t i : inits) {
    BlockArgument argument = op.getMatchingBlockArgument(operands[i].operand);
    bool read = !argument.use_empty();
    auto type = VectorType::get(lanes, operands[i].element);
    running.push_back(read ? load(builder, i, offsets[i], valid)
                           : arith::ConstantOp::create(
                                 builder, loc, builder.getZeroAttr(type))
                                 .getResult());
  }
  std::function<SmallVector<Value>(size_t, SmallVector<Value>, ValueRange)>
      reduce = [&](size_t depth, SmallVector<Value> at, ValueRange values) {
        if (depth < reductions.size()) {
          const VectorLoop &loop = loops[reductions[depth]];
          return index.loop(
              loop.extent, values, [&](Value iv, ValueRange carried) {
                SmallVector<Value> next;
                for (auto [offset, step] : llvm::zip(at, loop.steps))
                  next.push_back(step ? index.add(offset, index.mul(iv, step))
                                      : offset);
                return reduce(depth + 1, next, carried);
              });
        }
        SmallVector<Value> arguments;
        for (size_t i = 0; i < operands.size(); ++i) {
          auto init = llvm::find(inits, i);
          BlockArgument argument =
              op.getMatchingBlockArgument(operands[i].operand);
          if (init != inits.end())
            arguments.push_back(values[init - inits.begin()]);
          else if (argument.use_empty())
            // Nothing looks at it: any value of the type will do.
            arguments.push_back(
                arith::ConstantOp::create(builder, loc,
                                          builder.getZeroAttr(VectorType::get(
                                              lanes, operands[i].element))));
          else
            arguments.push_back(load(builder, i, at[i], valid));
        }
        return vectorizeBody(builder, body, arguments, lanes);
      };
  SmallVector<Value> results = reduce(0, llvm::to_vector(offsets), running);
  for (auto [i, value] : llvm::zip(inits, results)) {
    if (valid == lanes)
      vector::StoreOp::create(builder, loc, value, operands[i].memref,
                              ValueRange{offsets[i]});
    else
      vector::MaskedStoreOp::create(
          builder, loc, operands[i].memref, ValueRange{offsets[i]},
          constantMask(builder, loc, lanes, valid), value);
  }
}

void VectorNest::emit(OpBuilder &builder) {
  IndexBuilder index(builder, op.getLoc());
  SmallVector<Value> start;
  for (const VectorOperand &operand : operands)
    start.push_back(index.constant(operand.offset));
  auto advance = [&](ArrayRef<Value> offsets, const VectorLoop &loop, Value iv,
                     int64_t scale) {
    SmallVector<Value> next;
    for (auto [offset, step] : llvm::zip(offsets, loop.steps))
      next.push_back(step ? index.add(offset, index.mul(iv, step * scale))
                          : offset);
    return next;
  };
  std::function<void(size_t, SmallVector<Value>)> walk =
      [&](size_t depth, SmallVector<Value> offsets) {
        if (depth == loops.size()) {
          const VectorLoop &loop = loops[vectorLoop];
          if (loop.extent >= lanes)
            index.loop(loop.extent / lanes, [&](Value iv) {
              emitVector(builder, advance(offsets, loop, iv, lanes), lanes);
            });
          if (int64_t rest = loop.extent % lanes)
            emitVector(
                builder,
                advance(offsets, loop, index.constant(loop.extent - rest), 1),
                rest);
          return;
        }
        const VectorLoop &loop = loops[depth];
        if (loop.reduction || depth == vectorLoop)
          return walk(depth + 1, offsets);
        index.loop(loop.extent, [&](Value iv) {
          walk(depth + 1, advance(offsets, loop, iv, 1));
        });
      };
  walk(0, start);
}
