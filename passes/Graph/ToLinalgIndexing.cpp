//===- ToLinalgIndexing.cpp - Reads at computed places to linalg ----------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Graph/GraphIndexing.h"
#include "dialects/Graph/GraphSlicing.h"
#include "passes/Graph/LoopNests.h"
#include "passes/Graph/ToLinalg.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace acc::graph;

//===----------------------------------------------------------------------===//
// The table: which element of an operand the element `at` of the result is.
//===----------------------------------------------------------------------===//

/// Entry `position` of an array whose kDynamic entries are operands in order.
static Value getNumber(Indices &i, ArrayRef<int64_t> numbers,
                       ValueRange dynamics, size_t position) {
  if (!ShapedType::isDynamic(numbers[position]))
    return i.constant(numbers[position]);
  return dynamics[llvm::count_if(numbers.take_front(position),
                                 ShapedType::isDynamic)];
}

static Value readElement(Indices &i, SliceOp op, SliceOp::Adaptor operands,
                         SmallVector<Value> at) {
  for (auto [axis, index] : llvm::enumerate(at)) {
    Value start = getNumber(i, op.getStarts(), operands.getDynamics(), axis);
    index = i.add(start, i.mul(index, i.constant(op.getSteps()[axis])));
  }
  return i.read(operands.getInput(), at);
}

static Value readElement(Indices &i, ExpandOp op, ExpandOp::Adaptor operands,
                         ArrayRef<Value> at) {
  Value input = operands.getInput();
  SmallVector<Value> sizes = i.sizes(input), index;
  for (auto [size, result] : llvm::zip(sizes, at.take_back(sizes.size())))
    index.push_back(i.clamp(result, size));
  return i.read(input, index);
}

static Value readElement(Indices &i, TileOp op, TileOp::Adaptor operands,
                         SmallVector<Value> at) {
  for (auto [axis, index] : llvm::enumerate(at))
    index = i.rem(index, i.size(operands.getInput(), axis));
  return i.read(operands.getInput(), at);
}

static Value readElement(Indices &i, TriluOp op, TriluOp::Adaptor operands,
                         ArrayRef<Value> at) {
  Value column = at.back(), element = i.read(operands.getInput(), at);
  // No distance beyond what sizes can be makes a difference.
  constexpr int64_t limit = int64_t(1) << 41;
  int64_t k = std::clamp<int64_t>(op.getK(), -limit, limit);
  Value diagonal = i.add(at[at.size() - 2], i.constant(k));
  Value cleared =
      op.getUpper() ? i.less(column, diagonal) : i.less(diagonal, column);
  Value zero = arith::ConstantOp::create(i.b, getZero(element.getType()));
  return i.select(cleared, zero, element);
}

static Value readElement(Indices &i, RangeOp op, RangeOp::Adaptor operands,
                         ArrayRef<Value> at) {
  Value start = i.read(operands.getStart(), {});
  Value delta = i.read(operands.getDelta(), {});
  Type type = start.getType();
  if (isa<FloatType>(type)) {
    Value number = arith::SIToFPOp::create(i.b, type, i.toInteger(at[0]));
    return arith::AddFOp::create(i.b, start,
                                 arith::MulFOp::create(i.b, number, delta));
  }
  Value number = arith::IndexCastOp::create(i.b, type, at[0]);
  return arith::AddIOp::create(i.b, start,
                               arith::MulIOp::create(i.b, number, delta));
}

/// The index that `indices` holds at a place, as one that exists in `axis`.
static Value readBounded(Indices &i, Value indices, ValueRange at, Value data,
                         int64_t axis) {
  Value size = i.size(data, axis);
  return i.clamp(i.wrap(i.readIndex(indices, at), size), size);
}

static Value readElement(Indices &i, GatherOp op, GatherOp::Adaptor operands,
                         ArrayRef<Value> at) {
  Value data = operands.getData(), indices = operands.getIndices();
  int64_t axis = op.getAxis();
  int64_t rank = op.getIndices().getType().getRank();
  SmallVector<Value> index(at.take_front(axis));
  index.push_back(readBounded(i, indices, at.slice(axis, rank), data, axis));
  llvm::append_range(index, at.drop_front(axis + rank));
  return i.read(data, index);
}

static Value readElement(Indices &i, GatherElementsOp op,
                         GatherElementsOp::Adaptor operands,
                         SmallVector<Value> at) {
  int64_t axis = op.getAxis();
  at[axis] =
      readBounded(i, operands.getIndices(), at, operands.getData(), axis);
  return i.read(operands.getData(), at);
}

static Value readElement(Indices &i, GatherNDOp op,
                         GatherNDOp::Adaptor operands, ArrayRef<Value> at) {
  Value data = operands.getData(), indices = operands.getIndices();
  RankedTensorType type = op.getIndices().getType();
  int64_t batch = op.getBatchDims(), tuples = type.getRank() - 1;
  SmallVector<Value> index(at.take_front(batch));
  for (int64_t entry = 0; entry < type.getShape().back(); ++entry) {
    SmallVector<Value> place(at.take_front(tuples));
    place.push_back(i.constant(entry));
    index.push_back(readBounded(i, indices, place, data, batch + entry));
  }
  llvm::append_range(index, at.drop_front(tuples));
  return i.read(data, index);
}

static Value readElement(Indices &i, OneHotOp op, OneHotOp::Adaptor operands,
                         SmallVector<Value> at) {
  Value place = at[op.getAxis()];
  at.erase(at.begin() + op.getAxis());
  Value depth = getNumber(i, static_cast<int64_t>(op.getDepth()),
                          operands.getDynamics(), 0);
  Value index = i.wrap(i.readIndex(operands.getIndices(), at), depth);
  return i.read(operands.getValues(),
                i.select(i.equal(index, place), i.constant(1), i.constant(0)));
}

static Value readElement(Indices &i, ReverseSequenceOp op,
                         ReverseSequenceOp::Adaptor operands,
                         SmallVector<Value> at) {
  int64_t axis = op.getTimeAxis();
  Value time = at[axis];
  Value length =
      i.min(i.readIndex(operands.getLengths(), at[op.getBatchAxis()]),
            i.size(operands.getInput(), axis));
  Value mirrored = i.sub(i.sub(length, i.constant(1)), time);
  at[axis] = i.select(i.less(time, length), mirrored, time);
  return i.read(operands.getInput(), at);
}

namespace {

/// An operator of the table above.
template <typename Op> class ReadPattern : public OpConversionPattern<Op> {
  using OpConversionPattern<Op>::OpConversionPattern;

  LogicalResult
  matchAndRewrite(Op op, typename Op::Adaptor operands,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    auto type = cast<RankedTensorType>(
        this->getTypeConverter()->convertType(op.getResult().getType()));
    Value empty = createEmptyResult(b, op->getResult(0), type.getElementType());
    auto generic = linalg::GenericOp::create(
        b, TypeRange(type), ValueRange(), ValueRange(empty),
        b.getMultiDimIdentityMap(type.getRank()),
        SmallVector<utils::IteratorType>(type.getRank(),
                                         utils::IteratorType::parallel),
        [&](OpBuilder &nested, Location loc, ValueRange) {
          ImplicitLocOpBuilder inner(loc, nested);
          Indices indices(inner);
          SmallVector<Value> at;
          for (int64_t axis = 0; axis < type.getRank(); ++axis)
            at.push_back(linalg::IndexOp::create(inner, axis));
          linalg::YieldOp::create(inner,
                                  readElement(indices, op, operands, at));
        });
    rewriter.replaceOp(op, generic.getResult(0));
    return success();
  }
};

/// Steps to the front are a view, from which the result is copied.
class ForwardSlicePattern : public OpConversionPattern<SliceOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(SliceOp op, OpAdaptor operands,
                  ConversionPatternRewriter &rewriter) const override {
    if (llvm::any_of(op.getSteps(), [](int64_t step) { return step < 0; }))
      return rewriter.notifyMatchFailure(op, "steps backwards");
    // tensor.extract_slice refuses slices of nothing that start at the end, or
    // in an axis that has no elements, also where only a run knows their size.
    auto startsAtEnd = [](auto pair) {
      auto [start, length] = pair;
      return !ShapedType::isDynamic(start) && !ShapedType::isDynamic(length) &&
             start >= length;
    };
    if (llvm::is_contained(op.getType().getShape(), 0) ||
        llvm::any_of(
            llvm::zip(op.getStarts(), op.getInput().getType().getShape()),
            startsAtEnd)) {
      ImplicitLocOpBuilder b(op.getLoc(), rewriter);
      rewriter.replaceOp(
          op, createEmpty(b, getTypeConverter()->convertType(op.getType()),
                          getResultSizes(b, op, operands.getOperands())));
      return success();
    }
    SmallVector<int64_t> numbers(op.getStarts());
    llvm::append_range(numbers, op.getSizes());
    SmallVector<OpFoldResult> mixed =
        getMixedValues(numbers, operands.getDynamics(), rewriter.getContext());
    ArrayRef<OpFoldResult> all = mixed;
    size_t rank = op.getSteps().size();
    rewriter.replaceOpWithNewOp<tensor::ExtractSliceOp>(
        op, operands.getInput(), all.take_front(rank), all.drop_front(rank),
        getAsIndexOpFoldResult(rewriter.getContext(), op.getSteps()));
    return success();
  }
};

/// Where all sizes are known, it is known which axes repeat.
class StaticExpandPattern : public OpConversionPattern<ExpandOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(ExpandOp op, OpAdaptor operands,
                  ConversionPatternRewriter &rewriter) const override {
    if (!op.getType().hasStaticShape() ||
        !op.getInput().getType().hasStaticShape())
      return rewriter.notifyMatchFailure(op, "sizes are not known");
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    auto type =
        cast<RankedTensorType>(getTypeConverter()->convertType(op.getType()));
    rewriter.replaceOp(op,
                       createElementwise(b, type, operands.getInput(),
                                         [](ImplicitLocOpBuilder &,
                                            ValueRange x) { return x[0]; }));
    return success();
  }
};

} // namespace

void acc::graph::populateIndexingToLinalg(const TypeConverter &converter,
                                          RewritePatternSet &patterns) {
  patterns
      .add<ReadPattern<SliceOp>, ReadPattern<ExpandOp>, ReadPattern<TileOp>,
           ReadPattern<TriluOp>, ReadPattern<RangeOp>, ReadPattern<GatherOp>,
           ReadPattern<GatherElementsOp>, ReadPattern<GatherNDOp>,
           ReadPattern<OneHotOp>, ReadPattern<ReverseSequenceOp>>(
          converter, patterns.getContext());
  patterns.add<ForwardSlicePattern, StaticExpandPattern>(
      converter, patterns.getContext(), /*benefit=*/2);
}
