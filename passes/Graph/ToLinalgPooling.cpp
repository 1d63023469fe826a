//===- ToLinalgPooling.cpp - Pools and reductions to linalg ---------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A pool is a window reduction: what it starts from and how it combines, then
// possibly a division or a root.
//
//===----------------------------------------------------------------------===//

#include "dialects/Graph/GraphInteger.h"
#include "dialects/Graph/GraphPooling.h"
#include "passes/Graph/Pools.h"

#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace acc::graph;

namespace {

RankedTensorType typeOf(Value value) {
  return cast<RankedTensorType>(value.getType());
}

/// running + x, in the precision of `running`.
Value addWide(ImplicitLocOpBuilder &b, ValueRange x) {
  Scalar running(b, x[1]);
  return running + Scalar(b, x[0]).toReal(running.getType());
}

/// Sums of floats in every window, in f32 at least.
Value createSumPool(ImplicitLocOpBuilder &b, Value input, const Window &window,
                    ArrayRef<OpFoldResult> sizes) {
  Type element = typeOf(input).getElementType();
  return createPool<linalg::PoolingNchwSumOp>(
      b, input, window, sizes, getZero(element),
      getZero(getAccumulatorType(element)), addWide);
}

//===----------------------------------------------------------------------===//
// Means
//===----------------------------------------------------------------------===//

class AveragePoolPattern : public OpConversionPattern<AveragePoolOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(AveragePoolOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    Value sums = createSumPool(b, adaptor.getInput(), windowOf(op),
                               getTypedSizes(b, op, adaptor.getOperands()));
    bool isStatic =
        typeOf(adaptor.getInput()).hasStaticShape() || op.getCountIncludePad();
    Value means = isStatic ? divideByCounts(b, op, sums)
                           : divideByComputed(b, op, adaptor.getInput(), sums);
    rewriter.replaceOp(
        op, convertElements(b, means, op.getType().getElementType()));
    return success();
  }

  /// Divides each sum by the number of elements that it counts.
  static Value divideByCounts(ImplicitLocOpBuilder &b, AveragePoolOp op,
                              Value sums) {
    RankedTensorType type = typeOf(sums);
    ArrayRef<int64_t> input = typeOf(op.getInput()).getShape().drop_front(2);
    ArrayRef<int64_t> output = type.getShape().drop_front(2);
    Type element = type.getElementType();
    if (op.getCountIncludePad()) {
      int64_t taps = ShapedType::getNumElements(op.getKernelShape());
      return createMapped(
          b, sums, element,
          [&](ImplicitLocOpBuilder &, Scalar x) { return x / double(taps); });
    }
    SmallVector<double> divisors{1.0};
    for (size_t axis = 0; axis < output.size(); ++axis) {
      SmallVector<double> next;
      for (double divisor : divisors)
        for (int64_t position = 0; position < output[axis]; ++position)
          next.push_back(divisor * countTaps(op, axis, position, input[axis]));
      divisors = std::move(next);
    }
    if (llvm::all_equal(divisors))
      return createMapped(
          b, sums, element,
          [&](ImplicitLocOpBuilder &, Scalar x) { return x / divisors[0]; });
    SmallVector<Attribute> values;
    for (double divisor : divisors)
      values.push_back(FloatAttr::get(element, divisor));
    Value counts = arith::ConstantOp::create(
        b, DenseElementsAttr::get(type.clone(output), values));
    return createElementwise(
        b, type, {sums, counts},
        [&](ImplicitLocOpBuilder &inner, ValueRange x) -> Value {
          return arith::DivFOp::create(inner, x[0], x[1]);
        });
  }

  static int64_t countTaps(AveragePoolOp op, size_t axis, int64_t position,
                           int64_t size) {
    int64_t taps = op.getKernelShape()[axis], count = 0;
    for (int64_t tap = 0; tap < taps; ++tap) {
      int64_t index = position * op.getStrides()[axis] +
                      tap * op.getDilations()[axis] - op.getPads()[axis];
      count += index >= 0 && index < size;
    }
    return std::max<int64_t>(count, 1);
  }

  /// The same where the number depends on sizes that are not known.
  static Value divideByComputed(ImplicitLocOpBuilder &b, AveragePoolOp op,
                                Value input, Value sums) {
    return createMapped(
        b, sums, typeOf(sums).getElementType(),
        [&](ImplicitLocOpBuilder &inner, Scalar x) -> Value {
          std::optional<Scalar> count;
          for (auto [axis, taps] : llvm::enumerate(op.getKernelShape())) {
            double dilation = op.getDilations()[axis];
            // Taps before the input, and those not beyond its end.
            Scalar start =
                loopIndex(inner, axis + 2) * double(op.getStrides()[axis]) -
                double(op.getPads()[axis]);
            Scalar size = sizeOf(inner, input, axis + 2);
            Scalar before = (-start + (dilation - 1)).max(0) / dilation;
            Scalar until =
                ((size - start + (dilation - 1)).max(0) / dilation).min(taps);
            Scalar here = (until - before).max(0);
            count = count ? *count * here : here;
          }
          return x / count->max(1).toReal(x.getType());
        });
  }
};

class GlobalAveragePoolPattern
    : public OpConversionPattern<GlobalAveragePoolOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(GlobalAveragePoolOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    Value input = adaptor.getInput();
    Type element = op.getType().getElementType();
    Value sums = createGlobalPool(
        b, input, getZero(getAccumulatorType(element)), addWide);
    rewriter.replaceOp(
        op,
        createMapped(b, sums, element,
                     [&](ImplicitLocOpBuilder &inner, Scalar x) -> Value {
                       return (x * reciprocalCount(inner, input, x.getType()))
                           .toReal(element);
                     }));
    return success();
  }

  static Scalar reciprocalCount(ImplicitLocOpBuilder &b, Value input,
                                Type real) {
    ArrayRef<int64_t> spatial = typeOf(input).getShape().drop_front(2);
    Scalar one(b, arith::ConstantOp::create(b, b.getFloatAttr(real, 1)));
    if (!ShapedType::isDynamicShape(spatial))
      return one.same(1.0 / double(ShapedType::getNumElements(spatial)));
    Scalar count = sizeOf(b, input, 2);
    for (size_t axis = 1; axis < spatial.size(); ++axis)
      count = count * sizeOf(b, input, axis + 2);
    return one / count.toReal(real);
  }
};

//===----------------------------------------------------------------------===//
// Norms
//===----------------------------------------------------------------------===//

/// |x|^p, in f32 at least.
Value createPowers(ImplicitLocOpBuilder &b, Value input, int64_t p) {
  Type real = getAccumulatorType(typeOf(input).getElementType());
  return createMapped(
      b, input, real, [&](ImplicitLocOpBuilder &inner, Scalar x) -> Value {
        Scalar size = x.toReal(real).abs();
        if (p == 1)
          return size;
        if (p == 2)
          return size * size;
        return math::PowFOp::create(inner, size.get(), size.same(double(p)));
      });
}

/// The p-th root.
Value createRoots(ImplicitLocOpBuilder &b, Value sums, int64_t p,
                  Type element) {
  return createMapped(
      b, sums, element, [&](ImplicitLocOpBuilder &inner, Scalar x) -> Value {
        if (p == 2)
          x = {inner, math::SqrtOp::create(inner, x.get())};
        else if (p != 1)
          x = {inner,
               math::PowFOp::create(inner, x.get(), x.same(1.0 / double(p)))};
        return x.toReal(element);
      });
}

class LpPoolPattern : public OpConversionPattern<LpPoolOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(LpPoolOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    auto p = static_cast<int64_t>(op.getP());
    Value powers = createPowers(b, adaptor.getInput(), p);
    Value sums = createSumPool(b, powers, windowOf(op),
                               getTypedSizes(b, op, adaptor.getOperands()));
    rewriter.replaceOp(op,
                       createRoots(b, sums, p, op.getType().getElementType()));
    return success();
  }
};

class GlobalLpPoolPattern : public OpConversionPattern<GlobalLpPoolOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(GlobalLpPoolOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    auto p = static_cast<int64_t>(op.getP());
    Value powers = createPowers(b, adaptor.getInput(), p);
    Value sums = createGlobalPool(
        b, powers, getZero(typeOf(powers).getElementType()), addWide);
    rewriter.replaceOp(op,
                       createRoots(b, sums, p, op.getType().getElementType()));
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
        op,
        createReshape(b, sums, getTypedSizes(b, op, adaptor.getOperands())));
    return success();
  }
};

} // namespace

void acc::graph::populatePoolingToLinalg(const TypeConverter &converter,
                                         RewritePatternSet &patterns) {
  patterns.add<AveragePoolPattern, GlobalAveragePoolPattern, LpPoolPattern,
               GlobalLpPoolPattern, GlobalSumIntegerPattern>(
      converter, patterns.getContext());
}
