//===- ToLinalgSoftmax.cpp - Softmax and its kin to linalg ----------------===//
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

/// What all of them share: an operand and the slices along one axis of it.
struct Slices {
  ImplicitLocOpBuilder b;
  Value input;
  int64_t axis;
  Type element, compute;
  AffineMap whole, kept;

  template <typename Op>
  Slices(Op op, Value input, ConversionPatternRewriter &rewriter)
      : b(op.getLoc(), rewriter), input(input), axis(op.getAxis()),
        element(getElementTypeOrSelf(input.getType())),
        compute(getComputeType(element)) {
    int64_t rank = cast<RankedTensorType>(input.getType()).getRank();
    whole = b.getMultiDimIdentityMap(rank);
    kept = dropAxes(b.getContext(), rank, axis);
  }

  Value load(ImplicitLocOpBuilder &inner, Value x) const {
    return convertFloat(inner, x, compute);
  }

  Value createMax() {
    return createFold(b, input, axis, /*keep=*/false, {{input, whole}},
                      getLowest(compute, false),
                      [&](ImplicitLocOpBuilder &inner, ValueRange x) -> Value {
                        return arith::MaximumFOp::create(inner, x[1],
                                                         load(inner, x[0]));
                      });
  }
};

/// exp(x - max) / sum, stable.
class SoftmaxPattern : public OpConversionPattern<SoftmaxOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(SoftmaxOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Slices s(op, adaptor.getInput(), rewriter);
    Value top = s.createMax();
    Value powers =
        createMap(s.b, s.input, s.compute, {{s.input, s.whole}, {top, s.kept}},
                  [&](ImplicitLocOpBuilder &inner, ValueRange x) -> Value {
                    Value value =
                        arith::SubFOp::create(inner, s.load(inner, x[0]), x[1]);
                    return math::ExpOp::create(inner, value);
                  });
    Value total =
        createFold(s.b, powers, s.axis, /*keep=*/false, {{powers, s.whole}},
                   getZero(s.compute),
                   [](ImplicitLocOpBuilder &inner, ValueRange x) -> Value {
                     return arith::AddFOp::create(inner, x[1], x[0]);
                   });
    rewriter.replaceOp(
        op,
        createMap(s.b, s.input, s.element, {{powers, s.whole}, {total, s.kept}},
                  [&](ImplicitLocOpBuilder &inner, ValueRange x) {
                    Value y = arith::DivFOp::create(inner, x[0], x[1]);
                    return convertFloat(inner, y, s.element);
                  }));
    return success();
  }
};

/// x - max - log(sum(exp(x - max))).
class LogSoftmaxPattern : public OpConversionPattern<LogSoftmaxOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(LogSoftmaxOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Slices s(op, adaptor.getInput(), rewriter);
    Value top = s.createMax();
    Value total = createFold(
        s.b, s.input, s.axis, /*keep=*/false,
        {{s.input, s.whole}, {top, s.kept}}, getZero(s.compute),
        [&](ImplicitLocOpBuilder &inner, ValueRange x) -> Value {
          Value value = arith::SubFOp::create(inner, s.load(inner, x[0]), x[1]);
          return arith::AddFOp::create(inner, x[2],
                                       math::ExpOp::create(inner, value));
        });
    AffineMap same = s.b.getMultiDimIdentityMap(s.whole.getNumDims() - 1);
    Value logarithm =
        createMap(s.b, total, s.compute, {{total, same}},
                  [](ImplicitLocOpBuilder &inner, ValueRange x) -> Value {
                    return math::LogOp::create(inner, x[0]);
                  });
    rewriter.replaceOp(
        op, createMap(s.b, s.input, s.element,
                      {{s.input, s.whole}, {top, s.kept}, {logarithm, s.kept}},
                      [&](ImplicitLocOpBuilder &inner, ValueRange x) {
                        Value y = arith::SubFOp::create(
                            inner, s.load(inner, x[0]), x[1]);
                        y = arith::SubFOp::create(inner, y, x[2]);
                        return convertFloat(inner, y, s.element);
                      }));
    return success();
  }
};

class HardmaxPattern : public OpConversionPattern<HardmaxOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(HardmaxOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Slices s(op, adaptor.getInput(), rewriter);
    Type index = s.b.getIndexType();
    auto position = [&](ImplicitLocOpBuilder &inner) -> Value {
      return arith::IndexCastOp::create(
          inner, inner.getI64Type(),
          linalg::IndexOp::create(inner, index, s.axis));
    };
    SmallVector<Value> best = createFold(
        s.b, s.input, s.axis, /*keep=*/false, {{s.input, s.whole}},
        {getLowest(s.element, false), s.b.getI64IntegerAttr(0)},
        [&](ImplicitLocOpBuilder &inner, ValueRange x) -> SmallVector<Value> {
          Value wins = arith::CmpFOp::create(inner, arith::CmpFPredicate::OGT,
                                             x[0], x[1]);
          return {arith::SelectOp::create(inner, wins, x[0], x[1]),
                  arith::SelectOp::create(inner, wins, position(inner), x[2])};
        });
    rewriter.replaceOp(
        op, createMap(s.b, s.input, s.element, {{best[1], s.kept}},
                      [&](ImplicitLocOpBuilder &inner, ValueRange x) -> Value {
                        Value is = arith::CmpIOp::create(
                            inner, arith::CmpIPredicate::eq, position(inner),
                            x[0]);
                        return arith::SelectOp::create(
                            inner, is, createNumber(inner, s.element, 1),
                            createNumber(inner, s.element, 0));
                      }));
    return success();
  }
};

class LpNormalizationPattern : public OpConversionPattern<LpNormalizationOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(LpNormalizationOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Slices s(op, adaptor.getInput(), rewriter);
    bool isSquare = op.getP() == 2;
    Value sums = createFold(
        s.b, s.input, s.axis, /*keep=*/false, {{s.input, s.whole}},
        getZero(s.compute),
        [&](ImplicitLocOpBuilder &inner, ValueRange x) -> Value {
          Value value = s.load(inner, x[0]);
          value = isSquare
                      ? arith::MulFOp::create(inner, value, value).getResult()
                      : math::AbsFOp::create(inner, value).getResult();
          return arith::AddFOp::create(inner, x[1], value);
        });
    rewriter.replaceOp(
        op,
        createMap(s.b, s.input, s.element, {{s.input, s.whole}, {sums, s.kept}},
                  [&](ImplicitLocOpBuilder &inner, ValueRange x) {
                    Value norm = x[1];
                    if (isSquare)
                      norm = math::SqrtOp::create(inner, norm);
                    Value zero = createNumber(inner, s.compute, 0);
                    Value isZero = arith::CmpFOp::create(
                        inner, arith::CmpFPredicate::OEQ, norm, zero);
                    Value y =
                        arith::DivFOp::create(inner, s.load(inner, x[0]), norm);
                    y = arith::SelectOp::create(inner, isZero, zero, y);
                    return convertFloat(inner, y, s.element);
                  }));
    return success();
  }
};

} // namespace

void acc::graph::populateSoftmaxToLinalg(const TypeConverter &converter,
                                         RewritePatternSet &patterns) {
  patterns.add<SoftmaxPattern, LogSoftmaxPattern, HardmaxPattern,
               LpNormalizationPattern>(converter, patterns.getContext());
}
