//===- ToLinalgSearch.cpp - Operators that look for something to loops ----===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Graph/GraphSearch.h"
#include "passes/Graph/LoopNests.h"
#include "passes/Graph/ToLinalg.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace acc::graph;

/// A buffer for a result, with elements of the type that stands for its own.
static Value createBuffer(ImplicitLocOpBuilder &b, OpResult result) {
  return createEmptyResult(
      b, result,
      getStorageType(
          cast<RankedTensorType>(result.getType()).getElementType()));
}

/// `count` as the scalar tensor that is an operator's last result.
static Value createCount(Indices &i, Operation *op, Value count) {
  Value empty = createBuffer(i.b, op->getResults().back());
  return i.write(empty, i.toInteger(count), {});
}

static Value isNotZero(Indices &i, Value x) {
  Value zero = arith::ConstantOp::create(i.b, getZero(x.getType()));
  if (isa<FloatType>(x.getType()))
    return arith::CmpFOp::create(i.b, arith::CmpFPredicate::UNE, x, zero);
  return arith::CmpIOp::create(i.b, arith::CmpIPredicate::ne, x, zero);
}

/// `value` more, if a condition holds.
static Value addIf(Indices &i, Value count, Value condition, Value value) {
  return i.add(count, i.select(condition, value, i.constant(0)));
}

/// The row-major position of `index` in a tensor of `sizes`.
static Value linearize(Indices &i, ValueRange index, ArrayRef<Value> sizes) {
  Value position = i.constant(0);
  for (auto [at, size] : llvm::zip(index, sizes))
    position = i.add(i.mul(position, size), at);
  return position;
}

//===----------------------------------------------------------------------===//
// top_k
//===----------------------------------------------------------------------===//

namespace {

class TopKPattern : public OpConversionPattern<TopKOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(TopKOp op, OpAdaptor operands,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    Indices i(b);
    Value input = operands.getInput();
    int64_t axis = op.getAxis();
    OpFoldResult k = getMixedValues(static_cast<int64_t>(op.getK()),
                                    operands.getDynamics(), b.getContext())[0];
    Value count = i.size(input, axis);
    SmallVector<Value> sizes = i.sizes(input);
    // One sort for every place of the other axes.
    sizes[axis] = i.constant(1);
    SmallVector<Value> results = createLoops(
        i, sizes,
        {createBuffer(b, op->getResult(0)), createBuffer(b, op->getResult(1))},
        [&](Indices &j, ValueRange at, ValueRange carried) {
          SmallVector<Value> place(at);
          auto read = [&](Indices &l, Value index) {
            place[axis] = index;
            return l.read(input, place);
          };
          Value order =
              createPartialSort(j, count, k, [&](Indices &l, Value x, Value y) {
                return comesBefore(l, op, read(l, x), read(l, y), x, y);
              });
          return createLoops(
              j, j.constants(k), carried,
              [&](Indices &l, ValueRange rank,
                  ValueRange buffers) -> SmallVector<Value> {
                Value from = l.readIndex(order, rank);
                Value value = read(l, from);
                place[axis] = rank[0];
                return {l.write(buffers[0], value, place),
                        l.write(buffers[1], l.toInteger(from), place)};
              });
        });
    rewriter.replaceOp(op, results);
    return success();
  }

  /// Better, or as good and in front.
  static Value comesBefore(Indices &i, TopKOp op, Value x, Value y, Value atX,
                           Value atY) {
    Type type = op.getInput().getType().getElementType();
    if (op.getLargest())
      std::swap(x, y);
    Value better = createLess(i, type, x, y);
    Value worse = createLess(i, type, y, x);
    return i.select(better, better, i.select(worse, better, i.less(atX, atY)));
  }
};

//===----------------------------------------------------------------------===//
// non_zero, compress
//===----------------------------------------------------------------------===//

class NonZeroPattern : public OpConversionPattern<NonZeroOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(NonZeroOp op, OpAdaptor operands,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    Indices i(b);
    Value input = operands.getInput();
    SmallVector<Value> sizes = i.sizes(input);
    Value count =
        createLoops(i, sizes, i.constant(0),
                    [&](Indices &j, ValueRange at,
                        ValueRange carried) -> SmallVector<Value> {
                      Value found = isNotZero(j, j.read(input, at));
                      return {addIf(j, carried[0], found, j.constant(1))};
                    })[0];
    SmallVector<Value> results = createLoops(
        i, sizes, {createBuffer(b, op->getResult(0)), i.constant(0)},
        [&](Indices &j, ValueRange at, ValueRange carried) {
          Value found = isNotZero(j, j.read(input, at));
          return createIf(j, found, carried, [&](Indices &l) {
            Value buffer = carried[0];
            for (auto [axis, index] : llvm::enumerate(at)) {
              Value row = l.mul(l.constant(axis), count);
              buffer =
                  l.write(buffer, l.toInteger(index), l.add(row, carried[1]));
            }
            return SmallVector<Value>{buffer, l.add(carried[1], l.constant(1))};
          });
        });
    rewriter.replaceOp(op, {results[0], createCount(i, op, count)});
    return success();
  }
};

/// Copies the slices of `input` along `axis` that `getSlice` names for the
/// numbers below `count` into a flat buffer.
Value copySlices(Indices &i, Value input, int64_t axis, Value count,
                 Value buffer, function_ref<Value(Indices &, Value)> getSlice) {
  SmallVector<Value> sizes = i.sizes(input);
  sizes[axis] = count;
  return createLoops(
      i, sizes, buffer,
      [&](Indices &j, ValueRange at, ValueRange carried) -> SmallVector<Value> {
        SmallVector<Value> from(at);
        from[axis] = getSlice(j, at[axis]);
        return {
            j.write(carried[0], j.read(input, from), linearize(j, at, sizes))};
      })[0];
}

class CompressPattern : public OpConversionPattern<CompressOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(CompressOp op, OpAdaptor operands,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    Indices i(b);
    Value input = operands.getInput(), condition = operands.getCondition();
    int64_t axis = op.getAxis();
    Value slices = i.min(i.size(input, axis), i.size(condition, 0));
    // The slices that are taken, one after the other.
    Value taken = tensor::EmptyOp::create(
        b, ArrayRef<OpFoldResult>{getAsOpFoldResult(i.size(input, axis))},
        b.getI64Type());
    SmallVector<Value> found = createLoops(
        i, slices, {taken, i.constant(0)},
        [&](Indices &j, ValueRange at,
            ValueRange carried) -> SmallVector<Value> {
          // What is written in vain is written over later, or never read.
          Value list = j.write(carried[0], j.toInteger(at[0]), carried[1]);
          return {list,
                  addIf(j, carried[1], j.read(condition, at), j.constant(1))};
        });
    Value buffer = copySlices(
        i, input, axis, found[1], createBuffer(b, op->getResult(0)),
        [&](Indices &j, Value slice) { return j.readIndex(found[0], slice); });
    rewriter.replaceOp(op, {buffer, createCount(i, op, found[1])});
    return success();
  }
};

//===----------------------------------------------------------------------===//
// unique
//===----------------------------------------------------------------------===//

class UniquePattern : public OpConversionPattern<UniqueOp> {
  using OpConversionPattern::OpConversionPattern;

  /// -1, 0 or 1: how slice `x` of the input compares with slice `y`.
  static Value compareSlices(Indices &i, Value input, Type type, int64_t axis,
                             Value x, Value y) {
    SmallVector<Value> sizes = i.sizes(input);
    sizes[axis] = i.constant(1);
    Value zero = i.constant(0);
    return createLoops(
        i, sizes, zero,
        [&](Indices &j, ValueRange at,
            ValueRange carried) -> SmallVector<Value> {
          SmallVector<Value> place(at);
          place[axis] = x;
          Value a = j.read(input, place);
          place[axis] = y;
          Value c = j.read(input, place);
          Value here = j.select(createLess(j, type, a, c), j.constant(-1),
                                j.select(createLess(j, type, c, a),
                                         j.constant(1), j.constant(0)));
          // The first difference decides.
          return {j.select(j.equal(carried[0], zero), here, carried[0])};
        })[0];
  }

  LogicalResult
  matchAndRewrite(UniqueOp op, OpAdaptor operands,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    Indices i(b);
    Value input = operands.getInput();
    Type type = op.getInput().getType().getElementType();
    int64_t axis = op.getAxis();
    Value zero = i.constant(0), one = i.constant(1);
    Value slices = i.size(input, axis);
    OpFoldResult room = getAsOpFoldResult(slices);
    Value order =
        createPartialSort(i, slices, room, [&](Indices &j, Value x, Value y) {
          Value sign = compareSlices(j, input, type, axis, x, y);
          return j.select(j.equal(sign, zero), j.less(x, y),
                          j.less(sign, zero));
        });

    // The first slice that equals each: in sorted order equal ones are
    // neighbors, the first in front.
    Value list = tensor::EmptyOp::create(b, ArrayRef<OpFoldResult>{room},
                                         b.getI64Type());
    Value first = createLoops(
        i, slices, {list, zero},
        [&](Indices &j, ValueRange at,
            ValueRange carried) -> SmallVector<Value> {
          Value slice = j.readIndex(order, at);
          Value sign = compareSlices(j, input, type, axis, carried[1], slice);
          Value starts =
              j.select(j.equal(at[0], zero), slice,
                       j.select(j.equal(sign, zero), carried[1], slice));
          return {j.write(carried[0], j.toInteger(starts), slice), starts};
        })[0];

    // Numbers for those, and where they are.
    Value numbers = tensor::EmptyOp::create(b, ArrayRef<OpFoldResult>{room},
                                            b.getI64Type());
    SmallVector<Value> found = createLoops(
        i, slices, {createBuffer(b, op->getResult(1)), numbers, zero},
        [&](Indices &j, ValueRange at, ValueRange carried) {
          Value slice = op.getSorted() ? j.readIndex(order, at) : at[0];
          Value isFirst = j.equal(j.readIndex(first, slice), slice);
          return createIf(j, isFirst, carried, [&](Indices &l) {
            return SmallVector<Value>{
                l.write(carried[0], l.toInteger(slice), carried[2]),
                l.write(carried[1], l.toInteger(carried[2]), slice),
                l.add(carried[2], one)};
          });
        });
    Value firsts = found[0], count = found[2];

    Value none = arith::ConstantOp::create(b, b.getI64IntegerAttr(0));
    Value zeros =
        linalg::FillOp::create(b, none, createBuffer(b, op->getResult(3)))
            .getResult(0);
    SmallVector<Value> members =
        createLoops(i, slices, {createBuffer(b, op->getResult(2)), zeros},
                    [&](Indices &j, ValueRange at,
                        ValueRange carried) -> SmallVector<Value> {
                      Value number =
                          j.readIndex(found[1], j.readIndex(first, at));
                      Value times = j.add(j.readIndex(carried[1], number), one);
                      return {j.write(carried[0], j.toInteger(number), at),
                              j.write(carried[1], j.toInteger(times), number)};
                    });
    Value buffer = copySlices(
        i, input, axis, count, createBuffer(b, op->getResult(0)),
        [&](Indices &j, Value slice) { return j.readIndex(firsts, slice); });
    rewriter.replaceOp(op, {buffer, firsts, members[0], members[1],
                            createCount(i, op, count)});
    return success();
  }
};

} // namespace

void acc::graph::populateSearchToLinalg(const TypeConverter &converter,
                                        RewritePatternSet &patterns) {
  patterns.add<TopKPattern, NonZeroPattern, CompressPattern, UniquePattern>(
      converter, patterns.getContext());
  populateBoxesToLinalg(converter, patterns);
}
