//===- ToLinalgStandardization.cpp - Normalization by moments to linalg ---===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Two passes over the input, since the variance is the mean of the squares of
// differences; roots and divisions run once for every slice.
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

/// The input of a normalization and its moments along `axes`, which stay with
/// size 1.
struct Moments {
  ImplicitLocOpBuilder b;
  Value input;
  ArrayRef<int64_t> axes;
  Type element, compute;
  AffineMap whole, kept;
  Value count;

  template <typename Op>
  Moments(Op op, Value input, ConversionPatternRewriter &rewriter)
      : b(op.getLoc(), rewriter), input(input), axes(op.getAxes()),
        element(getElementTypeOrSelf(input.getType())),
        compute(getComputeType(element)) {
    int64_t rank = cast<RankedTensorType>(input.getType()).getRank();
    whole = b.getMultiDimIdentityMap(rank);
    kept = dropAxes(b.getContext(), rank, axes, /*keep=*/true);
    count = b.createOrFold<arith::IndexCastOp>(b.getI64Type(),
                                               countElements(b, input, axes));
    count = b.createOrFold<arith::SIToFPOp>(compute, count);
  }

  Value createMean() {
    Value sum = createFold(
        b, input, axes, /*keep=*/true, {{input, whole}}, getZero(compute),
        [&](ImplicitLocOpBuilder &inner, ValueRange x) -> Value {
          return arith::AddFOp::create(inner, x[1],
                                       convertFloat(inner, x[0], compute));
        });
    return createMap(b, sum, compute, {{sum, whole}},
                     [&](ImplicitLocOpBuilder &inner, ValueRange x) -> Value {
                       return arith::DivFOp::create(inner, x[0], count);
                     });
  }

  /// x, or x - mean.
  Value center(ImplicitLocOpBuilder &inner, ValueRange x, bool hasMean) const {
    Value value = convertFloat(inner, x[0], compute);
    if (hasMean)
      value = arith::SubFOp::create(inner, value, x[1]);
    return value;
  }

  SmallVector<Indexed> operands(Value mean) const {
    SmallVector<Indexed> result{{input, whole}};
    if (mean)
      result.push_back({mean, kept});
    return result;
  }

  /// 1 / sqrt(mean((x - mean)^2) + epsilon).
  Value createInverseDeviation(Value mean, double epsilon) {
    Value sum = createFold(
        b, input, axes, /*keep=*/true, operands(mean), getZero(compute),
        [&](ImplicitLocOpBuilder &inner, ValueRange x) -> Value {
          Value value = center(inner, x, bool(mean));
          return arith::AddFOp::create(
              inner, x.back(), arith::MulFOp::create(inner, value, value));
        });
    return createMap(
        b, sum, compute, {{sum, whole}},
        [&](ImplicitLocOpBuilder &inner, ValueRange x) -> Value {
          Value variance = arith::DivFOp::create(inner, x[0], count);
          variance = arith::AddFOp::create(
              inner, variance, createNumber(inner, compute, epsilon));
          return arith::DivFOp::create(inner, createNumber(inner, compute, 1),
                                       math::SqrtOp::create(inner, variance));
        });
  }

  /// (x - mean) * inverse * scale + bias, as far as they are given.
  Value createResult(Value mean, Value inverse, ValueRange parameters) {
    auto type = cast<RankedTensorType>(input.getType());
    SmallVector<Indexed> all = operands(mean);
    size_t next = all.size();
    all.push_back({inverse, kept});
    for (Value parameter : parameters)
      all.push_back({parameter, broadcastTo(parameter, type)});
    return createMap(
        b, input, element, all, [&](ImplicitLocOpBuilder &inner, ValueRange x) {
          Value y = arith::MulFOp::create(inner, center(inner, x, bool(mean)),
                                          x[next]);
          if (!parameters.empty())
            y = arith::MulFOp::create(
                inner, y, convertFloat(inner, x[next + 1], compute));
          if (parameters.size() > 1)
            y = arith::AddFOp::create(
                inner, y, convertFloat(inner, x[next + 2], compute));
          return convertFloat(inner, y, element);
        });
  }
};

class MeanVarianceNormalizationPattern
    : public OpConversionPattern<MeanVarianceNormalizationOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(MeanVarianceNormalizationOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Moments moments(op, adaptor.getInput(), rewriter);
    Value mean = moments.createMean();
    Value inverse =
        moments.createInverseDeviation(mean, op.getEpsilon().convertToDouble());
    Value result = moments.createResult(mean, inverse, adaptor.getParameters());
    rewriter.replaceOp(op, {result, mean, inverse});
    return success();
  }
};

class RmsNormalizationPattern : public OpConversionPattern<RmsNormalizationOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(RmsNormalizationOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Moments moments(op, adaptor.getInput(), rewriter);
    Value inverse =
        moments.createInverseDeviation({}, op.getEpsilon().convertToDouble());
    rewriter.replaceOp(
        op, moments.createResult({}, inverse, adaptor.getParameters()));
    return success();
  }
};

} // namespace

void acc::graph::populateStandardizationToLinalg(const TypeConverter &converter,
                                                 RewritePatternSet &patterns) {
  patterns.add<MeanVarianceNormalizationPattern, RmsNormalizationPattern>(
      converter, patterns.getContext());
}
