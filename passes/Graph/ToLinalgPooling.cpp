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
#include "passes/Graph/MeanParameters.h"
#include "passes/Graph/Pools.h"

#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace acc::graph;

namespace {

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
    std::optional<Counts> counts = countElements(op);
    Value means = counts ? divideByCounts(b, *counts, sums)
                         : divideByComputed(b, op, adaptor.getInput(), sums);
    rewriter.replaceOp(
        op, convertElements(b, means, op.getType().getElementType()));
    return success();
  }

  /// How many elements the sums count: a number for each position along each
  /// axis, or one where all are alike.
  using Counts = SmallVector<SmallVector<int64_t>>;

  /// The counts, or none where they depend on sizes that are not known.
  static std::optional<Counts> countElements(AveragePoolOp op) {
    Counts counts;
    for (size_t axis = 0; axis < op.getKernelShape().size(); ++axis) {
      counts.push_back(op.countElements(axis));
      if (counts.back().empty())
        return std::nullopt;
    }
    return counts;
  }

  /// Divides each sum by the number of elements that it counts.
  static Value divideByCounts(ImplicitLocOpBuilder &b, const Counts &counts,
                              Value sums) {
    RankedTensorType type = typeOf(sums);
    Type element = type.getElementType();
    SmallVector<int64_t> shape;
    SmallVector<double> divisors{1.0};
    for (ArrayRef<int64_t> axis : counts) {
      SmallVector<double> next;
      for (double divisor : divisors)
        for (int64_t count : axis)
          next.push_back(divisor * double(count));
      divisors = std::move(next);
      shape.push_back(axis.size());
    }
    if (divisors.size() == 1)
      return createMapped(
          b, sums, element,
          [&](ImplicitLocOpBuilder &, Scalar x) { return x / divisors[0]; });
    SmallVector<Attribute> values;
    for (double divisor : divisors)
      values.push_back(FloatAttr::get(element, divisor));
    Value table = arith::ConstantOp::create(
        b, DenseElementsAttr::get(type.clone(shape), values));
    return createElementwise(
        b, type, {sums, table},
        [&](ImplicitLocOpBuilder &inner, ValueRange x) -> Value {
          return arith::DivFOp::create(inner, x[0], x[1]);
        });
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

/// The sums of integers over all spatial axes, from `init` and in its type.
Value sumIntegers(ImplicitLocOpBuilder &b, Value input, IntegerAttr init) {
  return createReduction(
      b, input, llvm::to_vector(llvm::seq<int64_t>(2, typeOf(input).getRank())),
      init, init.getType(),
      [](ImplicitLocOpBuilder &inner, ValueRange x) -> Value {
        Value wide = arith::ExtSIOp::create(inner, x[1].getType(), x[0]);
        return arith::AddIOp::create(inner, x[1], wide);
      });
}

class GlobalSumIntegerPattern : public OpConversionPattern<GlobalSumIntegerOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(GlobalSumIntegerOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    Value sums = sumIntegers(b, adaptor.getInput(), op.getOffsetAttr());
    rewriter.replaceOp(
        op,
        createReshape(b, sums, getTypedSizes(b, op, adaptor.getOperands())));
    return success();
  }
};

/// Sums in 64 bits, scaled as the compiler would if it knew their number.
class GlobalMeanIntegerPattern
    : public OpConversionPattern<GlobalMeanIntegerOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(GlobalMeanIntegerOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    Value input = adaptor.getInput();
    Sizes inputSizes = getSizes(b, input);
    Value sums = sumIntegers(b, input, b.getI64IntegerAttr(0));
    Value elements = getValueOrCreateConstantIndexOp(
        b, b.getLoc(), multiplySizes(b, ArrayRef(inputSizes).drop_front(2)));
    Value count = arith::IndexCastOp::create(b, b.getI64Type(), elements);
    declare(b, op);
    auto get = [&](MeanParameter parameter) {
      return createParameter(b, op, parameter, count);
    };
    Value offset = get(MeanParameter::Offset),
          limit = get(MeanParameter::Limit),
          left = get(MeanParameter::LeftShift),
          right = get(MeanParameter::RightShift),
          multiplier = get(MeanParameter::Multiplier),
          addend = get(MeanParameter::Addend),
          middle = get(MeanParameter::MidShift),
          post = get(MeanParameter::PostShift),
          isHalfEven = get(MeanParameter::IsHalfEven),
          zeroPoint = get(MeanParameter::ZeroPoint);
    Value zero = createConstant(b, 0);
    Value least = arith::SubIOp::create(b, zero, limit),
          lo = createConstant(b, int32_t(op.getLo())),
          hi = createConstant(b, int32_t(op.getHi()));
    Value reshaped =
        createReshape(b, sums, getTypedSizes(b, op, adaptor.getOperands()));
    AffineMap map = b.getMultiDimIdentityMap(typeOf(input).getRank());
    Value init =
        tensor::EmptyOp::create(b, getTypedSizes(b, reshaped), b.getI8Type());
    rewriter.replaceOp(
        op,
        createGeneric(b, init, reshaped, {map, map}, 0,
                      [&](ImplicitLocOpBuilder &in, ValueRange x) -> Value {
                        Value a = arith::AddIOp::create(in, x[0], offset);
                        a = arith::MaxSIOp::create(in, a, least);
                        a = arith::MinSIOp::create(in, a, limit);
                        a = arith::ShLIOp::create(in, a, left);
                        a = arith::ShRSIOp::create(in, a, right);
                        Value t = arith::MulIOp::create(in, a, multiplier);
                        t = arith::AddIOp::create(in, t, addend);
                        t = arith::ShRSIOp::create(in, t, middle);
                        Value isOdd = arith::ShRSIOp::create(in, t, post);
                        isOdd = arith::AndIOp::create(in, isOdd, isHalfEven);
                        Value y = arith::SubIOp::create(in, t, isOdd);
                        y = arith::ShRSIOp::create(in, y, post);
                        y = arith::AddIOp::create(in, y, zeroPoint);
                        y = arith::MaxSIOp::create(in, y, lo);
                        y = arith::MinSIOp::create(in, y, hi);
                        return arith::TruncIOp::create(in, in.getI8Type(), y);
                      }));
    return success();
  }

private:
  static constexpr StringLiteral kFunction = "acc_mean_parameter";

  static Value createConstant(ImplicitLocOpBuilder &b, int64_t value) {
    return arith::ConstantOp::create(b, b.getI64IntegerAttr(value));
  }

  /// Declares the function that is linked into the code of the model.
  static void declare(ImplicitLocOpBuilder &b, Operation *op) {
    auto module = op->getParentOfType<ModuleOp>();
    if (module.lookupSymbol(kFunction))
      return;
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToEnd(module.getBody());
    Type i32 = b.getI32Type(), i64 = b.getI64Type(), f64 = b.getF64Type();
    func::FuncOp::create(
        b, kFunction,
        b.getFunctionType(
            {i32, i64, f64, i32, i32, i32, f64, i32, i32, i32, i32}, i64))
        .setPrivate();
  }

  static Value createParameter(ImplicitLocOpBuilder &b, GlobalMeanIntegerOp op,
                               MeanParameter parameter, Value count) {
    auto integer = [&](int32_t value) -> Value {
      return arith::ConstantOp::create(b, b.getI32IntegerAttr(value));
    };
    auto real = [&](FloatAttr value) -> Value {
      return arith::ConstantOp::create(b, value);
    };
    return func::CallOp::create(
               b, kFunction, b.getI64Type(),
               ValueRange{integer(int32_t(parameter)), count,
                          real(op.getInputScaleAttr()),
                          integer(op.getInputZeroPoint()),
                          integer(op.getInputLo()), integer(op.getInputHi()),
                          real(op.getScaleAttr()), integer(op.getZeroPoint()),
                          integer(op.getLo()), integer(op.getHi()),
                          integer(op.getTiesUp())})
        .getResult(0);
  }
};

} // namespace

void acc::graph::populatePoolingToLinalg(const TypeConverter &converter,
                                         RewritePatternSet &patterns) {
  patterns.add<AveragePoolPattern, GlobalAveragePoolPattern, LpPoolPattern,
               GlobalLpPoolPattern, GlobalSumIntegerPattern,
               GlobalMeanIntegerPattern>(converter, patterns.getContext());
}
