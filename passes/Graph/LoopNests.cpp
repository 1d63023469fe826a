//===- LoopNests.cpp - Loops over elements of tensors ---------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Graph/LoopNests.h"

#include "passes/Graph/ToLinalg.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace acc::graph;

//===----------------------------------------------------------------------===//
// Indices
//===----------------------------------------------------------------------===//

Value Indices::constant(int64_t value) {
  return arith::ConstantIndexOp::create(b, value);
}

Value Indices::constants(OpFoldResult value) {
  return getValueOrCreateConstantIndexOp(b, b.getLoc(), value);
}

Value Indices::add(Value x, Value y) {
  return b.createOrFold<arith::AddIOp>(x, y);
}

Value Indices::sub(Value x, Value y) {
  return b.createOrFold<arith::SubIOp>(x, y);
}

Value Indices::mul(Value x, Value y) {
  return b.createOrFold<arith::MulIOp>(x, y);
}

Value Indices::div(Value x, Value y) {
  return b.createOrFold<arith::DivSIOp>(x, y);
}

Value Indices::rem(Value x, Value y) {
  return b.createOrFold<arith::RemSIOp>(x, y);
}

Value Indices::min(Value x, Value y) {
  return b.createOrFold<arith::MinSIOp>(x, y);
}

Value Indices::max(Value x, Value y) {
  return b.createOrFold<arith::MaxSIOp>(x, y);
}

Value Indices::less(Value x, Value y) {
  return b.createOrFold<arith::CmpIOp>(arith::CmpIPredicate::slt, x, y);
}

Value Indices::equal(Value x, Value y) {
  return b.createOrFold<arith::CmpIOp>(arith::CmpIPredicate::eq, x, y);
}

Value Indices::both(Value x, Value y) {
  return b.createOrFold<arith::AndIOp>(x, y);
}

Value Indices::select(Value condition, Value x, Value y) {
  return b.createOrFold<arith::SelectOp>(condition, x, y);
}

Value Indices::size(Value tensor, int64_t axis) {
  return b.createOrFold<tensor::DimOp>(tensor, axis);
}

SmallVector<Value> Indices::sizes(Value tensor) {
  SmallVector<Value> result;
  int64_t rank = cast<RankedTensorType>(tensor.getType()).getRank();
  for (int64_t axis = 0; axis < rank; ++axis)
    result.push_back(size(tensor, axis));
  return result;
}

Value Indices::read(Value tensor, ValueRange index) {
  return tensor::ExtractOp::create(b, tensor, index);
}

Value Indices::readIndex(Value tensor, ValueRange index) {
  return arith::IndexCastOp::create(b, b.getIndexType(), read(tensor, index));
}

Value Indices::write(Value tensor, Value element, ValueRange index) {
  return tensor::InsertOp::create(b, element, tensor, index);
}

Value Indices::toInteger(Value index) {
  return b.createOrFold<arith::IndexCastOp>(b.getI64Type(), index);
}

Value Indices::wrap(Value index, Value size) {
  return select(less(index, constant(0)), add(index, size), index);
}

Value Indices::clamp(Value index, Value size) {
  return max(min(index, sub(size, constant(1))), constant(0));
}

Value Indices::isInside(Value index, Value size) {
  // Negative numbers are large ones without a sign.
  return b.createOrFold<arith::CmpIOp>(arith::CmpIPredicate::ult, index, size);
}

//===----------------------------------------------------------------------===//
// Loops
//===----------------------------------------------------------------------===//

SmallVector<Value> acc::graph::createLoops(Indices &i, ArrayRef<Value> sizes,
                                           ValueRange carried, LoopBody body) {
  SmallVector<Value> index;
  std::function<SmallVector<Value>(Indices &, ValueRange)> nest =
      [&](Indices &outer, ValueRange values) -> SmallVector<Value> {
    if (index.size() == sizes.size())
      return body(outer, index, values);
    auto loop = scf::ForOp::create(
        outer.b, outer.constant(0), sizes[index.size()], outer.constant(1),
        values,
        [&](OpBuilder &nested, Location loc, Value at, ValueRange inner) {
          ImplicitLocOpBuilder b(loc, nested);
          Indices indices(b);
          index.push_back(at);
          scf::YieldOp::create(b, nest(indices, inner));
          index.pop_back();
        });
    return loop.getResults();
  };
  return nest(i, carried);
}

SmallVector<Value>
acc::graph::createIf(Indices &i, Value condition, ValueRange otherwise,
                     llvm::function_ref<SmallVector<Value>(Indices &)> body) {
  auto branch = scf::IfOp::create(
      i.b, condition,
      [&](OpBuilder &nested, Location loc) {
        ImplicitLocOpBuilder b(loc, nested);
        Indices indices(b);
        scf::YieldOp::create(b, body(indices));
      },
      [&](OpBuilder &nested, Location loc) {
        scf::YieldOp::create(nested, loc, otherwise);
      });
  return branch.getResults();
}

Value acc::graph::createLess(Indices &i, Type type, Value x, Value y) {
  if (isa<FloatType>(x.getType())) {
    Value isNumber =
        arith::CmpFOp::create(i.b, arith::CmpFPredicate::ORD, x, x);
    return i.both(isNumber,
                  arith::CmpFOp::create(i.b, arith::CmpFPredicate::ULT, x, y));
  }
  auto predicate = isUnsignedElement(type) ? arith::CmpIPredicate::ult
                                           : arith::CmpIPredicate::slt;
  return arith::CmpIOp::create(i.b, predicate, x, y);
}

//===----------------------------------------------------------------------===//
// Sorting
//===----------------------------------------------------------------------===//

static Value writeIndex(Indices &i, Value tensor, Value index, Value at) {
  return i.write(tensor, i.toInteger(index), at);
}

namespace {

/// A heap of numbers, the one that comes last in the order on top.
class Heap {
public:
  using Order = llvm::function_ref<Value(Indices &, Value, Value)>;
  Heap(Order comesBefore) : comesBefore(comesBefore) {}

  /// Lets `item` sink from the place `at` of the first `size` items of `heap`,
  /// in at most `levels` steps.
  Value sink(Indices &i, Value heap, Value item, Value at, Value size,
             Value levels) {
    SmallVector<Value> result = createLoops(
        i, levels, {heap, at},
        [&](Indices &j, ValueRange, ValueRange carried) -> SmallVector<Value> {
          Value items = carried[0], place = carried[1];
          Value one = j.constant(1), last = j.sub(size, one);
          // Reads stay inside of the heap; whether there is such a child is
          // part of the condition.
          Value left = j.add(j.add(place, place), one);
          Value right = j.add(left, one);
          Value a = j.readIndex(items, j.min(left, last));
          Value c = j.readIndex(items, j.min(right, last));
          Value takeRight = j.both(j.less(right, size), comesBefore(j, a, c));
          Value child = j.select(takeRight, c, a);
          Value next = j.select(takeRight, right, left);
          Value sinks = j.both(j.less(left, size), comesBefore(j, item, child));
          items = writeIndex(j, items, j.select(sinks, child, item), place);
          return {items, j.select(sinks, next, place)};
        });
    return writeIndex(i, result[0], item, result[1]);
  }

private:
  Order comesBefore;
};

} // namespace

Value acc::graph::createPartialSort(
    Indices &i, Value count, OpFoldResult best,
    llvm::function_ref<Value(Indices &, Value, Value)> comesBefore) {
  Heap order(comesBefore);
  Value zero = i.constant(0), one = i.constant(1);
  Value size = i.constants(best);
  // At least one place, so that reads of the top are reads of something.
  OpFoldResult room = best;
  if (std::optional<int64_t> known = getConstantIntValue(best))
    room = i.b.getIndexAttr(std::max<int64_t>(*known, 1));
  else
    room = i.max(size, one);
  Value heap = tensor::EmptyOp::create(i.b, ArrayRef<OpFoldResult>{room},
                                       i.b.getI64Type());
  heap = createLoops(
      i, size, heap,
      [](Indices &j, ValueRange at, ValueRange carried) -> SmallVector<Value> {
        return {writeIndex(j, carried[0], at[0], at[0])};
      })[0];

  // A heap of n items has ceil(log2(n + 1)) levels.
  Value zeros = arith::IndexCastOp::create(
      i.b, i.b.getIndexType(),
      math::CountLeadingZerosOp::create(i.b, i.toInteger(size)));
  Value levels = i.sub(i.constant(64), zeros);

  Value half = i.div(size, i.constant(2));
  heap = createLoops(
      i, half, heap,
      [&](Indices &j, ValueRange at, ValueRange carried) -> SmallVector<Value> {
        Value place = j.sub(j.sub(half, at[0]), one);
        Value item = j.readIndex(carried[0], place);
        return {order.sink(j, carried[0], item, place, size, levels)};
      })[0];

  // Whatever comes before the top replaces it.
  Value rest = i.select(i.equal(size, zero), zero, i.sub(count, size));
  heap = createLoops(
      i, rest, heap,
      [&](Indices &j, ValueRange at, ValueRange carried) -> SmallVector<Value> {
        Value item = j.add(at[0], size);
        Value top = j.readIndex(carried[0], zero);
        Value replaces = comesBefore(j, item, top);
        return {order.sink(j, carried[0], j.select(replaces, item, top), zero,
                           size, j.select(replaces, levels, zero))};
      })[0];

  // The top comes last of those that are left.
  Value steps = i.max(i.sub(size, one), zero);
  return createLoops(
      i, steps, heap,
      [&](Indices &j, ValueRange at, ValueRange carried) -> SmallVector<Value> {
        Value last = j.sub(j.sub(size, at[0]), one);
        Value top = j.readIndex(carried[0], zero);
        Value item = j.readIndex(carried[0], last);
        Value items = writeIndex(j, carried[0], top, last);
        return {order.sink(j, items, item, zero, last, levels)};
      })[0];
}
