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

  /// x - max of an element and the largest of its slice.
  Value shift(ImplicitLocOpBuilder &inner, ValueRange x) const {
    return arith::SubFOp::create(inner, load(inner, x[0]), x[1]);
  }

  /// The sum of `term` over every slice; `operands` have the input's axes or
  /// those that are kept.
  Value createSum(ArrayRef<Indexed> operands, ScalarBody term) {
    return createFold(b, input, axis, /*keep=*/false, operands,
                      getZero(compute),
                      [&](ImplicitLocOpBuilder &inner, ValueRange x) -> Value {
                        Value next = term(inner, x.drop_back());
                        return arith::AddFOp::create(inner, x.back(), next);
                      });
  }

  /// The result, each element of it computed as `compute`.
  Value createResult(ArrayRef<Indexed> operands, ScalarBody body) {
    return createMap(b, input, element, operands,
                     [&](ImplicitLocOpBuilder &inner, ValueRange x) {
                       return convertFloat(inner, body(inner, x), element);
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
                    return math::ExpOp::create(inner, s.shift(inner, x));
                  });
    Value total = s.createSum(
        {{powers, s.whole}},
        [](ImplicitLocOpBuilder &, ValueRange x) -> Value { return x[0]; });
    rewriter.replaceOp(
        op,
        s.createResult({{powers, s.whole}, {total, s.kept}},
                       [&](ImplicitLocOpBuilder &inner, ValueRange x) -> Value {
                         return divide(inner, x[0], x[1], op);
                       }));
    return success();
  }

private:
  /// Along the last axis all elements of a vector have the same divisor, whose
  /// reciprocal is computed once for all of them.
  static Value divide(ImplicitLocOpBuilder &b, Value x, Value total,
                      SoftmaxOp op) {
    int64_t rank = cast<RankedTensorType>(op.getType()).getRank();
    if (static_cast<int64_t>(op.getAxis()) != rank - 1)
      return arith::DivFOp::create(b, x, total);
    Value one =
        arith::ConstantOp::create(b, b.getFloatAttr(total.getType(), 1.0));
    return arith::MulFOp::create(b, x, arith::DivFOp::create(b, one, total));
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
    Value total =
        s.createSum({{s.input, s.whole}, {top, s.kept}},
                    [&](ImplicitLocOpBuilder &inner, ValueRange x) -> Value {
                      return math::ExpOp::create(inner, s.shift(inner, x));
                    });
    AffineMap same = s.b.getMultiDimIdentityMap(s.whole.getNumDims() - 1);
    Value logarithm =
        createMap(s.b, total, s.compute, {{total, same}},
                  [](ImplicitLocOpBuilder &inner, ValueRange x) -> Value {
                    return math::LogOp::create(inner, x[0]);
                  });
    rewriter.replaceOp(
        op, s.createResult(
                {{s.input, s.whole}, {top, s.kept}, {logarithm, s.kept}},
                [&](ImplicitLocOpBuilder &inner, ValueRange x) -> Value {
                  return arith::SubFOp::create(inner, s.shift(inner, x), x[2]);
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
    Value sums =
        s.createSum({{s.input, s.whole}},
                    [&](ImplicitLocOpBuilder &inner, ValueRange x) -> Value {
                      Value value = s.load(inner, x[0]);
                      if (isSquare)
                        return arith::MulFOp::create(inner, value, value);
                      return math::AbsFOp::create(inner, value);
                    });
    rewriter.replaceOp(
        op,
        s.createResult({{s.input, s.whole}, {sums, s.kept}},
                       [&](ImplicitLocOpBuilder &inner, ValueRange x) -> Value {
                         Value norm = x[1];
                         if (isSquare)
                           norm = math::SqrtOp::create(inner, norm);
                         Value zero = createNumber(inner, s.compute, 0);
                         Value isZero = arith::CmpFOp::create(
                             inner, arith::CmpFPredicate::OEQ, norm, zero);
                         Value y = arith::DivFOp::create(
                             inner, s.load(inner, x[0]), norm);
                         return arith::SelectOp::create(inner, isZero, zero, y);
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
