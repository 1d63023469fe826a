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
