//===- ToLinalgPooling.cpp - Pools and reductions to linalg ---------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A pool is a window reduction: what it starts from and how it combines, then
// possibly a division.
//
//===----------------------------------------------------------------------===//

#include "dialects/Graph/GraphInteger.h"
#include "dialects/Graph/GraphPooling.h"
#include "passes/Graph/ToLinalg.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace acc::graph;

namespace {

RankedTensorType typeOf(Value value) {
  return cast<RankedTensorType>(value.getType());
}

struct Window {
  ArrayRef<int64_t> shape, strides, pads, dilations;
};

template <typename Op> Window windowOf(Op op) {
  return {op.getKernelShape(), op.getStrides(), op.getPads(),
          op.getDilations()};
}

/// Reduces every window of `input`, padded with `init`. With two spatial axes
/// this is the named operation `Named`.
template <typename Named>
Value createPool(ImplicitLocOpBuilder &b, Value input, const Window &window,
                 RankedTensorType resultType, TypedAttr init, ScalarBody body) {
  int64_t rank = resultType.getRank(), spatial = window.shape.size();
  SmallVector<int64_t> low, high;
  splitSpatialPads(window.pads, rank, low, high);
  Value padded = createPadded(b, input, low, high, init);
  Value taps =
      tensor::EmptyOp::create(b, window.shape, resultType.getElementType());
  Value filled = createFilled(b, resultType, init);
  if (spatial == 2)
    return Named::create(b, TypeRange(resultType), ValueRange{padded, taps},
                         ValueRange(filled), b.getI64VectorAttr(window.strides),
                         b.getI64VectorAttr(window.dilations))
        ->getResult(0);
  SmallVector<AffineExpr> source, tap, result;
  for (int64_t axis = 0; axis < rank; ++axis)
    result.push_back(b.getAffineDimExpr(axis));
  source.append(result.begin(), result.begin() + 2);
  for (int64_t axis = 0; axis < spatial; ++axis) {
    tap.push_back(b.getAffineDimExpr(rank + axis));
    source.push_back(result[axis + 2] * window.strides[axis] +
                     tap.back() * window.dilations[axis]);
  }
  SmallVector<utils::IteratorType> iterators(rank,
                                             utils::IteratorType::parallel);
  iterators.append(spatial, utils::IteratorType::reduction);
  auto map = [&](ArrayRef<AffineExpr> exprs) {
    return AffineMap::get(rank + spatial, 0, exprs, b.getContext());
  };
  return linalg::GenericOp::create(
             b, TypeRange(resultType), ValueRange{padded, taps},
             ValueRange(filled),
             ArrayRef<AffineMap>{map(source), map(tap), map(result)}, iterators,
             [&](OpBuilder &nested, Location loc, ValueRange args) {
               ImplicitLocOpBuilder inner(loc, nested);
               linalg::YieldOp::create(inner, body(inner, {args[0], args[2]}));
             })
      .getResult(0);
}

/// Flips the sign bit: maps the order of unsigned integers to that of signed
/// ones and back.
Value flipSign(ImplicitLocOpBuilder &b, Value value) {
  return createElementwise(
      b, typeOf(value), value,
      [](ImplicitLocOpBuilder &inner, ValueRange x) -> Value {
        Value bit = arith::ConstantOp::create(
            inner, getLowest(x[0].getType(), /*isUnsigned=*/false));
        return arith::XOrIOp::create(inner, x[0], bit);
      });
}

class MaxPoolPattern : public OpConversionPattern<MaxPoolOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(MaxPoolOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    auto type =
        cast<RankedTensorType>(getTypeConverter()->convertType(op.getType()));
    bool isUnsigned = isUnsignedElement(op.getType());
    Value input = adaptor.getInput();
    Value result = createPool<linalg::PoolingNchwMaxOp>(
        b, isUnsigned ? flipSign(b, input) : input, windowOf(op), type,
        getLowest(type.getElementType(), /*isUnsigned=*/false),
        [](ImplicitLocOpBuilder &inner, ValueRange x) -> Value {
          if (isa<FloatType>(x[0].getType()))
            return arith::MaximumFOp::create(inner, x[1], x[0]);
          return arith::MaxSIOp::create(inner, x[1], x[0]);
        });
    rewriter.replaceOp(op, isUnsigned ? flipSign(b, result) : result);
    return success();
  }
};

class AveragePoolPattern : public OpConversionPattern<AveragePoolOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(AveragePoolOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    RankedTensorType type = typeOf(op.getResult());
    Type element = type.getElementType();
    Value sums = createPool<linalg::PoolingNchwSumOp>(
        b, adaptor.getInput(), windowOf(op), type, getZero(element),
        [](ImplicitLocOpBuilder &inner, ValueRange x) -> Value {
          return arith::AddFOp::create(inner, x[1], x[0]);
        });
    rewriter.replaceOp(op, divideByCounts(b, op, sums));
    return success();
  }

  /// Divides each sum by the number of elements that it counts.
  static Value divideByCounts(ImplicitLocOpBuilder &b, AveragePoolOp op,
                              Value sums) {
    RankedTensorType type = typeOf(sums);
    ArrayRef<int64_t> input = typeOf(op.getInput()).getShape().drop_front(2);
    ArrayRef<int64_t> output = type.getShape().drop_front(2);
    SmallVector<double> divisors{1.0};
    for (size_t axis = 0; axis < output.size(); ++axis) {
      SmallVector<double> next;
      for (double divisor : divisors)
        for (int64_t position = 0; position < output[axis]; ++position)
          next.push_back(divisor * countTaps(op, axis, position, input[axis]));
      divisors = std::move(next);
    }
    SmallVector<Attribute> values;
    for (double divisor : divisors)
      values.push_back(FloatAttr::get(type.getElementType(), divisor));
    SmallVector<Value> operands{sums};
    Value splat;
    if (llvm::all_equal(values))
      splat = arith::ConstantOp::create(b, cast<TypedAttr>(values.front()));
    else
      operands.push_back(arith::ConstantOp::create(
          b, DenseElementsAttr::get(type.clone(output), values)));
    return createElementwise(
        b, type, operands,
        [&](ImplicitLocOpBuilder &inner, ValueRange x) -> Value {
          return arith::DivFOp::create(inner, x[0], splat ? splat : x[1]);
        });
  }

  static int64_t countTaps(AveragePoolOp op, size_t axis, int64_t position,
                           int64_t size) {
    int64_t taps = op.getKernelShape()[axis], count = 0;
    if (op.getCountIncludePad())
      return taps;
    for (int64_t tap = 0; tap < taps; ++tap) {
      int64_t index = position * op.getStrides()[axis] +
                      tap * op.getDilations()[axis] - op.getPads()[axis];
      count += index >= 0 && index < size;
    }
    return std::max<int64_t>(count, 1);
  }
};

class GlobalAveragePoolPattern
    : public OpConversionPattern<GlobalAveragePoolOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(GlobalAveragePoolOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    RankedTensorType inputType = typeOf(adaptor.getInput());
    Type element = inputType.getElementType();
    Value sums = createReduction(
        b, adaptor.getInput(),
        llvm::to_vector(llvm::seq<int64_t>(2, inputType.getRank())),
        getZero(element), element,
        [](ImplicitLocOpBuilder &inner, ValueRange x) -> Value {
          return arith::AddFOp::create(inner, x[1], x[0]);
        });
    double count =
        ShapedType::getNumElements(inputType.getShape().drop_front(2));
    Value means = createElementwise(
        b, typeOf(sums), sums,
        [&](ImplicitLocOpBuilder &inner, ValueRange x) -> Value {
          Value factor = arith::ConstantOp::create(
              inner, FloatAttr::get(element, 1.0 / count));
          return arith::MulFOp::create(inner, x[0], factor);
        });
    rewriter.replaceOp(
        op, createReshape(b, means, typeOf(op.getResult()).getShape()));
    return success();
  }
};

class GlobalSumIntegerPattern : public OpConversionPattern<GlobalSumIntegerOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(GlobalSumIntegerOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    int64_t rank = typeOf(adaptor.getInput()).getRank();
    Value sums = createReduction(
        b, adaptor.getInput(), llvm::to_vector(llvm::seq<int64_t>(2, rank)),
        op.getOffsetAttr(), b.getI32Type(),
        [](ImplicitLocOpBuilder &inner, ValueRange x) -> Value {
          Value wide = arith::ExtSIOp::create(inner, x[1].getType(), x[0]);
          return arith::AddIOp::create(inner, x[1], wide);
        });
    rewriter.replaceOp(
        op, createReshape(b, sums, typeOf(op.getResult()).getShape()));
    return success();
  }
};

} // namespace

void acc::graph::populatePoolingToLinalg(const TypeConverter &converter,
                                         RewritePatternSet &patterns) {
  patterns.add<MaxPoolPattern, AveragePoolPattern, GlobalAveragePoolPattern,
               GlobalSumIntegerPattern>(converter, patterns.getContext());
}
