//===- ToLinalgNormalization.cpp - Normalizations to linalg ---------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Graph/GraphNormalization.h"
#include "passes/Graph/ToLinalgFold.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace acc::graph;

namespace {

/// x * factor + offset, where factor and offset are first computed per channel:
/// the square root and the division then run C times only.
class BatchNormalizationPattern
    : public OpConversionPattern<BatchNormalizationOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(BatchNormalizationOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    Value input = adaptor.getInput();
    Type element = typeOf(input).getElementType(),
         compute = getComputeType(element);
    AffineMap vector = b.getMultiDimIdentityMap(1);
    auto load = [&](ImplicitLocOpBuilder &inner, Value x) {
      return convertFloat(inner, x, compute);
    };
    Value factor = createMap(
        b, adaptor.getScale(), compute,
        {{adaptor.getScale(), vector}, {adaptor.getVariance(), vector}},
        [&](ImplicitLocOpBuilder &inner, ValueRange x) -> Value {
          Value epsilon =
              createNumber(inner, compute, op.getEpsilon().convertToDouble());
          Value variance =
              arith::AddFOp::create(inner, load(inner, x[1]), epsilon);
          Value deviation = math::SqrtOp::create(inner, variance);
          return arith::DivFOp::create(inner, load(inner, x[0]), deviation);
        });
    Value offset =
        createMap(b, adaptor.getBias(), compute,
                  {{adaptor.getBias(), vector},
                   {adaptor.getMean(), vector},
                   {factor, vector}},
                  [&](ImplicitLocOpBuilder &inner, ValueRange x) -> Value {
                    return arith::SubFOp::create(
                        inner, load(inner, x[0]),
                        arith::MulFOp::create(inner, load(inner, x[1]), x[2]));
                  });
    int64_t rank = typeOf(input).getRank();
    AffineMap channel = AffineMap::get(rank, 0, b.getAffineDimExpr(1));
    rewriter.replaceOp(
        op,
        createMap(b, input, element,
                  {{input, b.getMultiDimIdentityMap(rank)},
                   {factor, channel},
                   {offset, channel}},
                  [&](ImplicitLocOpBuilder &inner, ValueRange x) {
                    Value y =
                        arith::MulFOp::create(inner, load(inner, x[0]), x[1]);
                    return convertFloat(
                        inner, arith::AddFOp::create(inner, y, x[2]), element);
                  }));
    return success();
  }
};

/// base^-exponent. Quarters, which is what networks use, need square roots
/// only.
Value createInversePower(ImplicitLocOpBuilder &b, Value base, double exponent) {
  Value one = createNumber(b, base.getType(), 1.0);
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
                              createNumber(b, base.getType(), -exponent));
}

class LrnPattern : public OpConversionPattern<LrnOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(LrnOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    Value input = adaptor.getInput();
    Type element = typeOf(input).getElementType(),
         compute = getComputeType(element);
    int64_t rank = typeOf(input).getRank(), size = op.getSize();
    AffineMap whole = b.getMultiDimIdentityMap(rank);
    Value squares =
        createMap(b, input, compute, {{input, whole}},
                  [&](ImplicitLocOpBuilder &inner, ValueRange x) -> Value {
                    Value value = convertFloat(inner, x[0], compute);
                    return arith::MulFOp::create(inner, value, value);
                  });
    Value sums = createWindowSum(b, squares, size);
    rewriter.replaceOp(
        op, createMap(b, input, element, {{input, whole}, {sums, whole}},
                      [&](ImplicitLocOpBuilder &inner, ValueRange x) {
                        Value weight =
                            createNumber(inner, compute,
                                         op.getAlpha().convertToFloat() / size);
                        Value bias = createNumber(
                            inner, compute, op.getBias().convertToDouble());
                        Value base = arith::AddFOp::create(
                            inner, bias,
                            arith::MulFOp::create(inner, weight, x[1]));
                        Value y = arith::MulFOp::create(
                            inner, convertFloat(inner, x[0], compute),
                            createInversePower(inner, base,
                                               op.getBeta().convertToDouble()));
                        return convertFloat(inner, y, element);
                      }));
    return success();
  }

  /// result[n, c, d...] = sum over r < size of squares[n, c + r - before,
  /// d...], where what does not exist is zero.
  static Value createWindowSum(ImplicitLocOpBuilder &b, Value squares,
                               int64_t size) {
    RankedTensorType type = typeOf(squares);
    int64_t rank = type.getRank(), before = (size - 1) / 2;
    SmallVector<int64_t> shape(type.getShape());
    if (!type.isDynamicDim(1))
      shape[1] += size - 1;
    SmallVector<OpFoldResult> low(rank, b.getIndexAttr(0)), high = low;
    low[1] = b.getIndexAttr(before);
    high[1] = b.getIndexAttr(size - 1 - before);
    Value zero = arith::ConstantOp::create(b, getZero(type.getElementType()));
    Value padded = tensor::PadOp::create(b, type.clone(shape), squares, low,
                                         high, zero, /*nofold=*/false);
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
    Value init = createEmptyLike(b, squares, type.getElementType());
    init = linalg::FillOp::create(b, zero, init).getResult(0);
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

} // namespace

void acc::graph::populateNormalizationToLinalg(const TypeConverter &converter,
                                               RewritePatternSet &patterns) {
  patterns.add<BatchNormalizationPattern, LrnPattern>(converter,
                                                      patterns.getContext());
}
