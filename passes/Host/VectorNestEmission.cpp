//===- VectorNestEmission.cpp - A linalg op as loops over vectors ---------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Host/VectorNest.h"

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace acc::host;

namespace {

/// Where every operand is read or written.
using Offsets = SmallVector<Value>;

/// The same for rows that are computed side by side.
using Rows = SmallVector<Offsets>;

class Emission {
public:
  Emission(OpBuilder &builder, const VectorNest &nest)
      : builder(builder), nest(nest), op(nest.op), loc(op.getLoc()),
        index(builder, loc), lanes(nest.lanes) {
    for (auto [i, loop] : llvm::enumerate(nest.loops)) {
      SmallVector<Value> steps;
      for (const Product &step : loop.steps)
        steps.push_back(step.isZero() ? Value() : materialize(step));
      loopSteps.push_back(steps);
      extents.push_back(materialize(loop.extent));
      (loop.reduction ? reductions : parallels).push_back(i);
    }
    for (auto [i, operand] : llvm::enumerate(nest.operands))
      if (op.isDpsInit(operand.operand))
        inits.push_back(i);
  }

  void emit() {
    Offsets start;
    for (const VectorOperand &operand : nest.operands)
      start.push_back(index.constant(operand.offset));
    for (size_t table = 0; table < nest.tables.size(); ++table)
      start.push_back(index.constant(0));
    SmallVector<size_t> cut;
    for (size_t loop : parallels)
      if (nest.loops[loop].chunk > 0)
        cut.push_back(loop);
    Value chunks = index.constant(1);
    for (size_t loop : cut)
      chunks = index.mul(chunks,
                         index.ceilDiv(extents[loop], nest.loops[loop].chunk));
    index.parallel(chunks, Value(), [&](Value number, Value) {
      Offsets offsets = start;
      for (size_t loop : llvm::reverse(cut))
        number =
            index.takeChunk(number, extents[loop], nest.loops[loop].chunk,
                            loop == cut.front(), [&](Value first, Value count) {
                              offsets = advance(offsets, loop, first);
                              extents[loop] = count;
                            });
      walk(0, offsets);
    });
  }

private:
  Value materialize(const Product &product) {
    Value value = index.constant(product.factor);
    for (unsigned size : product.sizes)
      value = index.mul(value, nest.sizes[size]);
    return value;
  }

  Offsets advance(ArrayRef<Value> offsets, size_t loop, Value iv) {
    Offsets next;
    for (auto [offset, step] : llvm::zip(offsets, loopSteps[loop]))
      next.push_back(step ? index.add(offset, index.mul(iv, step)) : offset);
    return next;
  }

  VectorType vectorOf(Type element) { return VectorType::get(lanes, element); }

  Value mask(Value valid) { return createMask(builder, loc, lanes, valid); }

  Value zero(Type type) {
    return arith::ConstantOp::create(builder, loc, builder.getZeroAttr(type));
  }

  /// Parallel loops, then the vectors of results or one result.
  void walk(size_t depth, Offsets offsets) {
    bool reduces = nest.loops[nest.vectorLoop].reduction;
    if (depth == parallels.size()) {
      loadTables(offsets);
      if (reduces)
        return emitReduced(offsets);
      index.chunks(extents[nest.vectorLoop], lanes, {},
                   [&](Value at, Value valid, ValueRange) {
                     emitRows(advance(offsets, nest.vectorLoop, at), valid);
                     return SmallVector<Value>();
                   });
      return;
    }
    size_t loop = parallels[depth];
    if (loop == nest.vectorLoop || loop == nest.rowLoop)
      return walk(depth + 1, offsets);
    index.loop(extents[loop],
               [&](Value iv) { walk(depth + 1, advance(offsets, loop, iv)); });
  }

  /// Tables are in registers while vectors are looked up in them.
  void loadTables(ArrayRef<Value> offsets) {
    lookups.clear();
    for (auto [view, offset] :
         llvm::zip(nest.tableViews, offsets.drop_front(nest.operands.size())))
      lookups.emplace_back(builder, loc, nest.lookupInstruction, lanes,
                           view.memref, offset);
  }

  /// All rows of one vector of results, several at a time.
  void emitRows(Offsets offsets, Value valid) {
    if (!nest.rowLoop)
      return emitVector({offsets}, valid);
    size_t loop = *nest.rowLoop;
    auto emitBlock = [&](Value first, int64_t count) {
      Rows rows;
      for (int64_t r = 0; r < count; ++r)
        rows.push_back(advance(offsets, loop, index.add(first, r)));
      emitVector(rows, valid);
    };
    index.loop(index.div(extents[loop], nest.rows), [&](Value block) {
      emitBlock(index.mul(block, nest.rows), nest.rows);
    });
    Value rest = index.rem(extents[loop], nest.rows);
    Value start = index.sub(extents[loop], rest);
    if (std::optional<int64_t> known = getConstantIntValue(rest)) {
      if (*known)
        emitBlock(start, *known);
      return;
    }
    index.loop(rest, [&](Value r) { emitBlock(index.add(start, r), 1); });
  }

  /// Bytes that stand for bits become these.
  Value toElement(const VectorOperand &operand, Value loaded) {
    if (!operand.element.isInteger(1))
      return loaded;
    return arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ne, loaded,
                                 zero(loaded.getType()));
  }

  static Type storedType(const VectorOperand &operand) {
    return cast<MemRefType>(operand.memref.getType()).getElementType();
  }

  Value loadScalar(size_t i, Value offset) {
    const VectorOperand &operand = nest.operands[i];
    return toElement(
        operand, memref::LoadOp::create(builder, loc, operand.memref, offset));
  }

  /// Reads every `stride`-th element through one wide load.
  Value loadStrided(const VectorOperand &operand, Value offset, int64_t stride,
                    Value valid) {
    auto wide = static_cast<int64_t>(llvm::PowerOf2Ceil(lanes * stride));
    auto type = VectorType::get(wide, storedType(operand));
    Value count = valid ? valid : index.constant(lanes);
    Value reach = index.add(index.mul(index.add(count, -1), stride), 1);
    Value loaded = vector::MaskedLoadOp::create(
        builder, loc, type, operand.memref, ValueRange{offset},
        createMask(builder, loc, wide, reach), zero(type));
    SmallVector<int64_t> picks;
    for (int64_t i = 0; i < lanes; ++i)
      picks.push_back(i * stride);
    return vector::ShuffleOp::create(builder, loc, loaded, loaded, picks);
  }

  Value load(size_t i, Value offset, Value valid) {
    const VectorOperand &operand = nest.operands[i];
    if (!operand.memref)
      return vector::BroadcastOp::create(
          builder, loc, vectorOf(operand.element), operand.operand->get());
    int64_t stride = nest.loops[nest.vectorLoop].steps[i].factor;
    if (stride == 0)
      return vector::BroadcastOp::create(
          builder, loc, vectorOf(operand.element), loadScalar(i, offset));
    return toElement(operand, stride > 1
                                  ? loadStrided(operand, offset, stride, valid)
                                  : loadVector(operand, offset, valid));
  }

  /// What is added to.
  Value loadStart(size_t i, Value offset, Value valid) {
    const VectorOperand &operand = nest.operands[i];
    if (!operand.start)
      return load(i, offset, valid);
    return vector::BroadcastOp::create(builder, loc, vectorOf(operand.element),
                                       operand.start);
  }

  /// Neighbouring elements as they are in memory.
  Value loadVector(const VectorOperand &operand, Value offset, Value valid) {
    VectorType type = vectorOf(storedType(operand));
    if (!valid)
      return vector::LoadOp::create(builder, loc, type, operand.memref,
                                    ValueRange{offset});
    return vector::MaskedLoadOp::create(builder, loc, type, operand.memref,
                                        ValueRange{offset}, mask(valid),
                                        zero(type));
  }

  /// Of an operand that is contiguous along the rows, a vector along the lanes
  /// for each of them.
  SmallVector<Value> loadCrossed(size_t i, const Rows &rows, Value valid) {
    const VectorOperand &operand = nest.operands[i];
    auto count = static_cast<int64_t>(rows.size());
    VectorType type = vectorOf(storedType(operand));
    std::optional<int64_t> known;
    if (valid)
      known = getConstantIntValue(valid);
    SmallVector<Value> lines;
    for (int64_t lane = 0; lane < lanes; ++lane) {
      // There is no memory behind lanes that do not exist.
      if (known && lane >= *known) {
        lines.push_back(zero(type));
        continue;
      }
      Value at = index.add(rows[0][i], index.mul(loopSteps[nest.vectorLoop][i],
                                                 index.constant(lane)));
      Value reads = count < lanes ? index.constant(count) : Value();
      if (valid && !known)
        reads = arith::SelectOp::create(
            builder, loc,
            arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ugt,
                                  valid, index.constant(lane)),
            index.constant(count), index.constant(0));
      lines.push_back(loadVector(operand, at, reads));
    }
    lines = transposeVectors(builder, loc, lines);
    lines.truncate(count);
    for (Value &line : lines)
      line = toElement(operand, line);
    return lines;
  }

  void store(size_t i, Value value, Value offset, Value valid) {
    const VectorOperand &operand = nest.operands[i];
    if (operand.element.isInteger(1))
      value = arith::ExtUIOp::create(builder, loc,
                                     vectorOf(storedType(operand)), value);
    storeLanes(builder, loc, value, operand.memref, offset,
               valid ? mask(valid) : Value());
  }

  /// The body on vectors, row by row: `running` are those of the inits.
  SmallVector<Value> apply(const Rows &rows, Value valid, ValueRange running) {
    SmallVector<Value> results, first;
    DenseMap<size_t, SmallVector<Value>> crossed;
    for (size_t i = 0; i < nest.operands.size(); ++i)
      if (nest.isCrossed(i) &&
          !op.getMatchingBlockArgument(nest.operands[i].operand).use_empty())
        crossed[i] = loadCrossed(i, rows, valid);
    for (auto [r, offsets] : llvm::enumerate(rows)) {
      SmallVector<Value> arguments;
      ValueRange own = running.slice(r * inits.size(), inits.size());
      for (size_t i = 0; i < nest.operands.size(); ++i) {
        auto init = llvm::find(inits, i);
        BlockArgument argument =
            op.getMatchingBlockArgument(nest.operands[i].operand);
        if (init != inits.end())
          arguments.push_back(own[init - inits.begin()]);
        else if (argument.use_empty())
          // Nothing looks at it: any value of the type will do.
          arguments.push_back(zero(vectorOf(nest.operands[i].element)));
        else if (crossed.contains(i))
          arguments.push_back(crossed[i][r]);
        else if (r > 0 && offsets[i] == rows[0][i])
          arguments.push_back(first[i]);
        else
          arguments.push_back(load(i, offsets[i], valid));
      }
      llvm::append_range(results,
                         vectorizeBody(builder, *op.getBlock(), arguments,
                                       lanes, nest.tables, lookups));
      if (r == 0)
        first = arguments;
    }
    return results;
  }

  Rows advanceAll(const Rows &rows, size_t loop, Value iv) {
    Rows next;
    for (const Offsets &offsets : rows) {
      next.push_back(advance(offsets, loop, iv));
      // What rows share stays shared.
      for (size_t i = 0; i < offsets.size(); ++i)
        if (offsets[i] == rows[0][i])
          next.back()[i] = next[0][i];
    }
    return next;
  }

  /// How often a reduction is unrolled, if it is: rows of a window with a
  /// stride of its own read the same vectors in different turns, which LLVM
  /// then loads once.
  std::optional<int64_t> getUnrolled(size_t depth, size_t rowCount) {
    auto all = static_cast<int64_t>(rowCount);
    for (size_t loop : ArrayRef(reductions).drop_front(depth)) {
      std::optional<int64_t> extent = getConstantIntValue(extents[loop]);
      if (rowCount == 1 || !nest.overlaps() || !extent)
        return std::nullopt;
      all *= *extent;
    }
    if (all > kMostUnrolled)
      return std::nullopt;
    return getConstantIntValue(extents[reductions[depth]]);
  }

  /// All reductions from `depth` on, over one vector of results per row or,
  /// when one of them is vectorized, partial results in every lane.
  SmallVector<Value> reduce(size_t depth, const Rows &at, Value valid,
                            ValueRange running) {
    if (depth == reductions.size())
      return apply(at, valid, running);
    size_t loop = reductions[depth];
    if (std::optional<int64_t> turns = getUnrolled(depth, at.size())) {
      SmallVector<Value> results(running);
      for (int64_t turn = 0; turn < *turns; ++turn)
        results = reduce(depth + 1, advanceAll(at, loop, index.constant(turn)),
                         valid, results);
      return results;
    }
    if (loop != nest.vectorLoop)
      return index.loop(
          extents[loop], running, [&](Value iv, ValueRange carried) {
            return reduce(depth + 1, advanceAll(at, loop, iv), valid, carried);
          });
    return index.chunks(extents[loop], lanes, running,
                        [&](Value iv, Value count, ValueRange carried) {
                          SmallVector<Value> next =
                              reduce(depth + 1, advanceAll(at, loop, iv), count,
                                     carried);
                          // Lanes that do not exist keep what they had.
                          if (count)
                            for (auto [value, old] : llvm::zip(next, carried))
                              value = arith::SelectOp::create(
                                  builder, loc, mask(count), value, old);
                          return next;
                        });
  }

  /// One vector of results per row, over all reductions.
  void emitVector(const Rows &rows, Value valid) {
    SmallVector<Value> running;
    for (const Offsets &offsets : rows)
      for (size_t i : inits) {
        BlockArgument argument =
            op.getMatchingBlockArgument(nest.operands[i].operand);
        running.push_back(argument.use_empty()
                              ? zero(vectorOf(nest.operands[i].element))
                              : loadStart(i, offsets[i], valid));
      }
    SmallVector<Value> results = reduce(0, rows, valid, running);
    const auto *result = results.begin();
    for (const Offsets &offsets : rows)
      for (size_t i : inits)
        store(i, *result++, offsets[i], valid);
  }

  Value combine(Operation *combiner, Value a, Value b) {
    OperationState state(loc, combiner->getName());
    state.addOperands({a, b});
    state.addTypes(a.getType());
    state.propertiesAttr = combiner->getPropertiesAsAttribute();
    return builder.create(state)->getResult(0);
  }

  /// The only reduction, several vectors at a time: each of them goes into
  /// partial results of its own, so that none waits for the one before it.
  SmallVector<Value> reduceSideBySide(const Offsets &offsets,
                                      ArrayRef<Value> neutral,
                                      ArrayRef<Operation *> combiners) {
    constexpr int64_t chains = 4;
    size_t loop = reductions.front();
    Value extent = extents[loop];
    std::optional<int64_t> known = getConstantIntValue(extent);
    int64_t wide = lanes * chains;
    if (known && *known < 2 * wide)
      return reduce(0, {offsets}, Value(), neutral);
    SmallVector<Value> running;
    for (int64_t chain = 0; chain < chains; ++chain)
      llvm::append_range(running, neutral);
    Value blocks = index.div(extent, wide);
    size_t count = neutral.size();
    running = index.loop(blocks, running, [&](Value b, ValueRange carried) {
      SmallVector<Value> next;
      for (int64_t chain = 0; chain < chains; ++chain) {
        Value at = index.add(index.mul(b, wide), chain * lanes);
        llvm::append_range(next, apply({advance(offsets, loop, at)}, Value(),
                                       carried.slice(chain * count, count)));
      }
      return next;
    });
    SmallVector<Value> joined(ArrayRef(running).take_front(count));
    for (int64_t chain = 1; chain < chains; ++chain)
      for (size_t i = 0; i < count; ++i)
        joined[i] =
            combine(combiners[i], joined[i], running[(chain * count) + i]);
    Value start = index.mul(blocks, wide);
    return index.chunks(index.sub(extent, start), lanes, joined,
                        [&](Value at, Value valid, ValueRange carried) {
                          SmallVector<Value> next = apply(
                              {advance(offsets, loop, index.add(start, at))},
                              valid, carried);
                          if (valid)
                            for (auto [value, old] : llvm::zip(next, carried))
                              value = arith::SelectOp::create(
                                  builder, loc, mask(valid), value, old);
                          return next;
                        });
  }

  /// One element of every result: partial results in the lanes, which are
  /// joined half by half at the end.
  void emitReduced(Offsets offsets) {
    SmallVector<Operation *> combiners;
    SmallVector<Value> running;
    for (size_t i : inits) {
      combiners.push_back(findCombiner(op, nest.operands[i].operand));
      Value neutral = arith::ConstantOp::create(
          builder, loc, *arith::getNeutralElement(combiners.back()));
      running.push_back(vector::BroadcastOp::create(
          builder, loc, vectorOf(nest.operands[i].element), neutral));
    }
    SmallVector<Value> partial =
        reductions.size() == 1 ? reduceSideBySide(offsets, running, combiners)
                               : reduce(0, {offsets}, Value(), running);
    for (auto [i, combiner, value] : llvm::zip(inits, combiners, partial)) {
      for (int64_t half = lanes / 2; half > 0; half /= 2) {
        auto part = [&](int64_t from) {
          return vector::ExtractStridedSliceOp::create(
                     builder, loc, value, ArrayRef<int64_t>{from},
                     ArrayRef<int64_t>{half}, ArrayRef<int64_t>{1})
              .getResult();
        };
        value = combine(combiner, part(0), part(half));
      }
      Value result =
          combine(combiner,
                  nest.operands[i].start ? nest.operands[i].start
                                         : loadScalar(i, offsets[i]),
                  vector::ExtractOp::create(builder, loc, value, int64_t{0}));
      const VectorOperand &operand = nest.operands[i];
      if (operand.element.isInteger(1))
        result =
            arith::ExtUIOp::create(builder, loc, storedType(operand), result);
      memref::StoreOp::create(builder, loc, result, operand.memref,
                              ValueRange{offsets[i]});
    }
  }

  OpBuilder &builder;
  const VectorNest &nest;
  linalg::LinalgOp op;
  Location loc;
  IndexBuilder index;
  int64_t lanes;
  SmallVector<Value> extents;
  /// Null where an operand stays where it is.
  SmallVector<SmallVector<Value>> loopSteps;
  SmallVector<size_t> parallels, reductions, inits;
  SmallVector<ByteLookup> lookups;
};

} // namespace

/// Products of sums of products need not be rounded before they are added.
static void allowFusedProducts(linalg::LinalgOp op) {
  if (op.getNumReductionLoops() == 0)
    return;
  for (OpOperand &init : op.getDpsInitsMutable()) {
    auto sum = dyn_cast_or_null<arith::AddFOp>(findCombiner(op, &init));
    if (!sum || !(sum.getType().isF32() || sum.getType().isF64()))
      continue;
    for (Value operand : sum->getOperands())
      if (auto product = operand.getDefiningOp<arith::MulFOp>()) {
        product.setFastmath(arith::FastMathFlags::contract);
        sum.setFastmath(arith::FastMathFlags::contract);
      }
  }
}

void acc::host::emitVectorNest(OpBuilder &builder, const VectorNest &nest) {
  allowFusedProducts(nest.op);
  Emission(builder, nest).emit();
}
