//===- ExpandMath.cpp - Functions of math as arithmetic -------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/TE/TEDialect.h"
#include "passes/Host/Passes.h"

#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include <cmath>
#include <limits>
#include <numbers>

using namespace mlir;

namespace acc::host {
#define GEN_PASS_DEF_HOSTEXPANDMATH
#include "passes/Host/Passes.h.inc"
} // namespace acc::host

namespace {

/// Neither LLVM's dialect nor libm has a function for this test.
struct ExpandIsInf : OpRewritePattern<math::IsInfOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(math::IsInfOp op,
                                PatternRewriter &rewriter) const override {
    Type type = op.getOperand().getType();
    auto element = cast<FloatType>(getElementTypeOrSelf(type));
    TypedAttr infinity = rewriter.getFloatAttr(
        element, APFloat::getInf(element.getFloatSemantics()));
    if (auto vector = dyn_cast<VectorType>(type))
      infinity = DenseElementsAttr::get(vector, Attribute(infinity));
    Location loc = op.getLoc();
    Value magnitude = math::AbsFOp::create(rewriter, loc, op.getOperand());
    Value bound = arith::ConstantOp::create(rewriter, loc, infinity);
    rewriter.replaceOpWithNewOp<arith::CmpFOp>(op, arith::CmpFPredicate::OEQ,
                                               magnitude, bound);
    return success();
  }
};

/// exp(x) = 2^k exp(r), where k is the whole number next to x / ln 2 and r what
/// is left, at most half of ln 2 away from 0: a polynomial (that of expf in
/// Cephes, netlib.org/cephes) computes it. The result is within two units in
/// the last place; upstream's approximation takes twice as long, for the same.
struct ExpandExp : OpRewritePattern<math::ExpOp> {
  // Before upstream's.
  explicit ExpandExp(MLIRContext *context)
      : OpRewritePattern(context, /*benefit=*/2) {}

  LogicalResult matchAndRewrite(math::ExpOp op,
                                PatternRewriter &rewriter) const override {
    Type type = op.getOperand().getType();
    if (!getElementTypeOrSelf(type).isF32())
      return failure();
    Location loc = op.getLoc();
    Type word = rewriter.getI32Type();
    auto vector = dyn_cast<VectorType>(type);
    Type words = vector ? vector.clone(word) : word;
    auto constant = [&](TypedAttr value) -> Value {
      if (vector)
        value = DenseElementsAttr::get(vector.clone(value.getType()),
                                       Attribute(value));
      return arith::ConstantOp::create(rewriter, loc, value);
    };
    auto number = [&](double value) {
      return constant(rewriter.getF32FloatAttr(static_cast<float>(value)));
    };
    auto integer = [&](int32_t value) {
      return constant(rewriter.getI32IntegerAttr(value));
    };
    auto fuse = arith::FastMathFlagsAttr::get(rewriter.getContext(),
                                              arith::FastMathFlags::contract);
    auto multiplyAdd = [&](Value a, Value b, Value c) -> Value {
      return arith::AddFOp::create(
          rewriter, loc, arith::MulFOp::create(rewriter, loc, a, b, fuse), c,
          fuse);
    };
    // Beyond these bounds results are 0 and infinite; a NaN stays what it is.
    auto clamp = [&](Value x, arith::CmpFPredicate beyond, double bound) {
      Value limit = number(bound);
      return arith::SelectOp::create(
          rewriter, loc, arith::CmpFOp::create(rewriter, loc, beyond, limit, x),
          limit, x);
    };
    Value x = clamp(op.getOperand(), arith::CmpFPredicate::OGT, -104);
    x = clamp(x, arith::CmpFPredicate::OLT, 89);

    // To a number this large only whole ones can be added, which are in its
    // last bits then.
    constexpr float kWhole = 1.5F * (1 << 23);
    Value shifted = multiplyAdd(x, number(std::numbers::log2e), number(kWhole));
    Value k = arith::SubFOp::create(rewriter, loc, shifted, number(kWhole));
    // The first part of ln 2 has so few bits that its product with k is exact.
    constexpr double kLn2 = 0.693359375;
    Value r = multiplyAdd(k, number(-kLn2), x);
    r = multiplyAdd(k, number(kLn2 - std::numbers::ln2), r);
    Value sum = number(1.9875691500E-4);
    for (double coefficient :
         {1.3981999507E-3, 8.3334519073E-3, 4.1665795894E-2, 1.6666665459E-1,
          5.0000001201E-1, 1.0, 1.0})
      sum = multiplyAdd(sum, r, number(coefficient));

    // 2^k itself may be too small or too large for a float: the exponent gets a
    // number nearer to 0, and the product with the rest is rounded once.
    constexpr int32_t part = 64;
    Value bits = arith::BitcastOp::create(rewriter, loc, words, shifted);
    int32_t zero = llvm::bit_cast<int32_t>(kWhole);
    Value isSmall = arith::CmpIOp::create(
        rewriter, loc, arith::CmpIPredicate::slt, bits, integer(zero));
    auto choose = [&](Value small, Value large) {
      return arith::SelectOp::create(rewriter, loc, isSmall, small, large);
    };
    int32_t bias = 127 - zero;
    Value exponent = arith::AddIOp::create(
        rewriter, loc, bits,
        choose(integer(bias + part), integer(bias - part)));
    Value power = arith::BitcastOp::create(
        rewriter, loc, type,
        arith::ShLIOp::create(rewriter, loc, exponent, integer(23)));
    rewriter.replaceOpWithNewOp<arith::MulFOp>(
        op, arith::MulFOp::create(rewriter, loc, sum, power),
        choose(number(std::ldexp(1.0, -part)), number(std::ldexp(1.0, part))));
    return success();
  }
};

/// The approximations take numbers below the smallest normal one for it: scales
/// them up first. `perDoubling` is the function's value at 2.
template <typename Op> void scaleDenormals(Op op, double perDoubling) {
  Type type = op.getOperand().getType();
  if (!getElementTypeOrSelf(type).isF32())
    return;
  OpBuilder builder(op);
  Location loc = op.getLoc();
  auto splat = [&](double value) -> Value {
    TypedAttr attribute = builder.getF32FloatAttr(static_cast<float>(value));
    if (auto vector = dyn_cast<VectorType>(type))
      attribute = DenseElementsAttr::get(vector, Attribute(attribute));
    return arith::ConstantOp::create(builder, loc, attribute);
  };
  constexpr int doublings = 32;
  Value x = op.getOperand();
  Value isSmall =
      arith::CmpFOp::create(builder, loc, arith::CmpFPredicate::OLT, x,
                            splat(std::numeric_limits<float>::min()));
  Value larger =
      arith::MulFOp::create(builder, loc, x, splat(std::ldexp(1.0, doublings)));
  op->setOperand(0, arith::SelectOp::create(builder, loc, isSmall, larger, x));
  builder.setInsertionPointAfter(op);
  Value excess = arith::SelectOp::create(
      builder, loc, isSmall, splat(doublings * perDoubling), splat(0));
  auto result = arith::SubFOp::create(builder, loc, op.getResult(), excess);
  op.getResult().replaceAllUsesExcept(result, result);
}

struct ExpandMathPass : acc::host::impl::HostExpandMathBase<ExpandMathPass> {
  using HostExpandMathBase::HostExpandMathBase;

  void runOnOperation() override {
    auto isListed = [&](StringRef name) {
      return llvm::is_contained(*functions, name);
    };
    if (isListed(math::LogOp::getOperationName()))
      getOperation()->walk(
          [](math::LogOp op) { scaleDenormals(op, std::numbers::ln2); });
    if (isListed(math::Log2Op::getOperationName()))
      getOperation()->walk([](math::Log2Op op) { scaleDenormals(op, 1); });
    RewritePatternSet patterns(&getContext());
    patterns.add<ExpandIsInf>(&getContext());
    if (isListed(math::ExpOp::getOperationName()))
      patterns.add<ExpandExp>(&getContext());
    populateMathPolynomialApproximationPatterns(patterns, isListed);
    // Only math operations match, and what they become is final.
    GreedyRewriteConfig config;
    config.enableFolding(false).enableConstantCSE(false);
    if (failed(
            applyPatternsGreedily(getOperation(), std::move(patterns), config)))
      signalPassFailure();
  }
};

} // namespace
