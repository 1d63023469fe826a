//===- ToLinalgNormalization.cpp - Normalizations to linalg ---------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Graph/GraphNormalization.h"
#include "passes/Graph/ToLinalg.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace acc::graph;

namespace {

RankedTensorType typeOf(Value value) {
  return cast<RankedTensorType>(value.getType());
}

Value createScalar(ImplicitLocOpBuilder &b, Type type, double value) {
  return arith::ConstantOp::create(b, FloatAttr::get(type, value));
}

/// x * factor + offset, where factor and offset are first computed per channel:
/// the square root and the division then run C times only.
class BatchNormalizationPattern
    : public OpConversionPattern<BatchNormalizationOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(BatchNormalizationOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    RankedTensorType type = typeOf(op.getResult()),
                     vectorType = typeOf(adaptor.getScale());
    Value factor = createElementwise(
        b, vectorType, {adaptor.getScale(), adaptor.getVariance()},
        [&](ImplicitLocOpBuilder &inner, ValueRange x) -> Value {
          Value epsilon = createScalar(inner, x[1].getType(),
                                       op.getEpsilon().convertToDouble());
          Value variance = arith::AddFOp::create(inner, x[1], epsilon);
          Value deviation = math::SqrtOp::create(inner, variance);
          return arith::DivFOp::create(inner, x[0], deviation);
        });
    Value offset = createElementwise(
        b, vectorType, {adaptor.getBias(), adaptor.getMean(), factor},
        [](ImplicitLocOpBuilder &inner, ValueRange x) -> Value {
          return arith::SubFOp::create(
              inner, x[0], arith::MulFOp::create(inner, x[1], x[2]));
        });
    int64_t rank = type.getRank();
    AffineMap channel = AffineMap::get(rank, 0, b.getAffineDimExpr(1));
    rewriter.replaceOp(
        op, createElementwise(
                b, type, {adaptor.getInput(), factor, offset},
                {b.getMultiDimIdentityMap(rank), channel, channel},
                [](ImplicitLocOpBuilder &inner, ValueRange x) -> Value {
                  return arith::AddFOp::create(
                      inner, arith::MulFOp::create(inner, x[0], x[1]), x[2]);
                }));
    return success();
  }
};

/// base^-exponent. Quarters, which is what networks use, need square roots
/// only.
Value createInversePower(ImplicitLocOpBuilder &b, Value base, double exponent) {
  Value one = createScalar(b, base.getType(), 1.0);
  auto root = [&](Value x) -> Value { return math::SqrtOp::create(b, x); };
  if (exponent == 1.0)
    return arith::DivFOp::create(b, one, base);
  if (exponent == 0.5)
    return arith::DivFOp::create(b, one, root(base));
  if (exponent == 0.75) {
    Value half = root(base);
    return arith::DivFOp::create(b, one,
                                 arith::MulFOp::create(b, half, root(half)));
  }
  return math::PowFOp::create(b, base,
                              createScalar(b, base.getType(), -exponent));
}

class LrnPattern : public OpConversionPattern<LrnOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(LrnOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    RankedTensorType type = typeOf(op.getResult());
    Type element = type.getElementType();
    int64_t rank = type.getRank(), size = op.getSize();
    Value squares = createElementwise(
        b, type, adaptor.getInput(),
        [](ImplicitLocOpBuilder &inner, ValueRange x) -> Value {
          return arith::MulFOp::create(inner, x[0], x[0]);
        });
    SmallVector<int64_t> low(rank, 0), high(rank, 0);
    low[1] = (size - 1) / 2;
    high[1] = size - 1 - low[1];
    Value sums = createWindowSum(
        b, createPadded(b, squares, low, high, getZero(element)), type, size);
    rewriter.replaceOp(
        op, createElementwise(
                b, type, {adaptor.getInput(), sums},
                [&](ImplicitLocOpBuilder &inner, ValueRange x) -> Value {
                  Value weight = createScalar(
                      inner, element, op.getAlpha().convertToFloat() / size);
                  Value bias = createScalar(inner, element,
                                            op.getBias().convertToDouble());
                  Value base = arith::AddFOp::create(
                      inner, bias, arith::MulFOp::create(inner, weight, x[1]));
                  return arith::MulFOp::create(
                      inner, x[0],
                      createInversePower(inner, base,
                                         op.getBeta().convertToDouble()));
                }));
    return success();
  }

  /// result[n, c, d...] = sum over r < size of padded[n, c + r, d...].
  static Value createWindowSum(ImplicitLocOpBuilder &b, Value padded,
                               RankedTensorType type, int64_t size) {
    int64_t rank = type.getRank();
    MLIRContext *context = b.getContext();
    SmallVector<AffineExpr> source, result;
    for (int64_t axis = 0; axis < rank; ++axis) {
      AffineExpr dim = b.getAffineDimExpr(axis);
      result.push_back(dim);
      source.push_back(axis == 1 ? dim + b.getAffineDimExpr(rank) : dim);
    }
    SmallVector<utils::IteratorType> iterators(rank,
                                               utils::IteratorType::parallel);
    iterators.push_back(utils::IteratorType::reduction);
    Value window = tensor::EmptyOp::create(b, ArrayRef<int64_t>{size},
                                           type.getElementType());
    Value init = createFilled(b, type, getZero(type.getElementType()));
    return linalg::GenericOp::create(
               b, TypeRange(type), ValueRange{padded, window}, ValueRange(init),
               ArrayRef<AffineMap>{
                   AffineMap::get(rank + 1, 0, source, context),
                   AffineMap::get(rank + 1, 0, b.getAffineDimExpr(rank)),
                   AffineMap::get(rank + 1, 0, result, context)},
               iterators,
               [](OpBuilder &nested, Location loc, ValueRange args) {
                 Value sum =
                     arith::AddFOp::create(nested, loc, args[2], args[0]);
                 linalg::YieldOp::create(nested, loc, sum);
               })
        .getResult(0);
  }
};

/// Stable: the maximum along the axis is subtracted first.
class SoftmaxPattern : public OpConversionPattern<SoftmaxOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(SoftmaxOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    RankedTensorType type = typeOf(op.getResult());
    Type element = type.getElementType();
    int64_t rank = type.getRank(), axis = op.getAxis();
    SmallVector<AffineExpr> kept;
    for (int64_t dim = 0; dim < rank; ++dim)
      if (dim != axis)
        kept.push_back(b.getAffineDimExpr(dim));
    SmallVector<AffineMap> maps{b.getMultiDimIdentityMap(rank),
                                AffineMap::get(rank, 0, kept, b.getContext())};
    Value largest = createReduction(
        b, adaptor.getInput(), axis, getLowest(element, false), element,
        [](ImplicitLocOpBuilder &inner, ValueRange x) -> Value {
          return arith::MaximumFOp::create(inner, x[1], x[0]);
        });
    Value powers = createElementwise(
        b, type, {adaptor.getInput(), largest}, maps,
        [](ImplicitLocOpBuilder &inner, ValueRange x) -> Value {
          return math::ExpOp::create(inner,
                                     arith::SubFOp::create(inner, x[0], x[1]));
        });
    Value total =
        createReduction(b, powers, axis, getZero(element), element,
                        [](ImplicitLocOpBuilder &inner, ValueRange x) -> Value {
                          return arith::AddFOp::create(inner, x[1], x[0]);
                        });
    rewriter.replaceOp(
        op, createElementwise(
                b, type, {powers, total}, maps,
                [](ImplicitLocOpBuilder &inner, ValueRange x) -> Value {
                  return arith::DivFOp::create(inner, x[0], x[1]);
                }));
    return success();
  }
};

} // namespace

void acc::graph::populateNormalizationToLinalg(const TypeConverter &converter,
                                               RewritePatternSet &patterns) {
  patterns.add<BatchNormalizationPattern, LrnPattern, SoftmaxPattern>(
      converter, patterns.getContext());
}
