//===- ToLinalgFunctions.cpp - Functions of real numbers ----------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Graph/GraphElementwise.h"
#include "passes/Graph/ElementRules.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace acc::graph;

namespace {

/// A number in formulas.
class Real {
public:
  Real(ImplicitLocOpBuilder &b, Value value) : b(&b), value(value) {}
  operator Value() const { return value; }

  Real like(double number) const {
    return {*b, createScalar(*b, value.getType(), number)};
  }
  template <typename Op> Real apply() const {
    return {*b, Op::create(*b, value)};
  }
  template <typename Op> Real apply(Real other) const {
    return {*b, Op::create(*b, value, other.value)};
  }
  Real operator+(Real other) const { return apply<arith::AddFOp>(other); }
  Real operator-(Real other) const { return apply<arith::SubFOp>(other); }
  Real operator*(Real other) const { return apply<arith::MulFOp>(other); }
  Real operator/(Real other) const { return apply<arith::DivFOp>(other); }
  Real operator+(double other) const { return *this + like(other); }
  Real operator*(double other) const { return *this * like(other); }
  Real operator/(double other) const { return *this / like(other); }
  Real operator-() const { return apply<arith::NegFOp>(); }
  Real atLeast(double least) const {
    return apply<arith::MaximumFOp>(like(least));
  }
  Real atMost(double most) const {
    return apply<arith::MinimumFOp>(like(most));
  }
  Value compare(arith::CmpFPredicate predicate, double other) const {
    return arith::CmpFOp::create(*b, predicate, value, like(other).value);
  }
  static Real choose(Value condition, Real x, Real y) {
    return {*x.b, arith::SelectOp::create(*x.b, condition, x.value, y.value)};
  }

private:
  ImplicitLocOpBuilder *b;
  Value value;
};

constexpr auto lessThan = arith::CmpFPredicate::OLT,
               greaterThan = arith::CmpFPredicate::OGT;

using Function = Real (*)(const ElementContext &, Real);

/// A rule from a function of a real number. Integers take the way over f64.
template <Function function>
Value real(ImplicitLocOpBuilder &b, const ElementContext &context,
           ValueRange x) {
  Type type = x[0].getType();
  if (isa<FloatType>(type))
    return function(context, Real(b, x[0]));
  Real number(b, integerToFloat(b, x[0], b.getF64Type(), context.isUnsigned()));
  return floatToInteger(b, function(context, number), type,
                        context.isUnsigned());
}

template <typename Op>
Value plain(ImplicitLocOpBuilder &b, const ElementContext &, ValueRange x) {
  return Op::create(b, x[0]);
}

/// Odd, also at -0, which approximations lose.
Real erf(const ElementContext &, Real x) {
  return x.apply<math::ErfOp>().apply<math::CopySignOp>(x);
}
Real reciprocal(const ElementContext &, Real x) { return x.like(1) / x; }
Real logistic(Real x) { return x.like(1) / ((-x).apply<math::ExpOp>() + 1); }
Real sigmoid(const ElementContext &, Real x) { return logistic(x); }
Real hardSigmoid(const ElementContext &c, Real x) {
  return (x * c.real("alpha") + c.real("beta")).atMost(1).atLeast(0);
}
Real hardSwish(const ElementContext &, Real x) {
  return x * (x * (1.0 / 6) + 0.5).atMost(1).atLeast(0);
}
Real expm1(Real x) { return x.apply<math::ExpM1Op>(); }
Real elu(const ElementContext &c, Real x) {
  return Real::choose(x.compare(lessThan, 0), expm1(x) * c.real("alpha"), x);
}
Real celu(const ElementContext &c, Real x) {
  double alpha = c.real("alpha");
  return x.atLeast(0) + (expm1(x / alpha) * alpha).atMost(0);
}
Real selu(const ElementContext &c, Real x) {
  Real negative = expm1(x) * c.real("alpha");
  return Real::choose(x.compare(greaterThan, 0), x, negative) * c.real("gamma");
}
Real leakyRelu(const ElementContext &c, Real x) {
  return Real::choose(x.compare(lessThan, 0), x * c.real("alpha"), x);
}
Real thresholdedRelu(const ElementContext &c, Real x) {
  return Real::choose(x.compare(greaterThan, c.real("alpha")), x, x.like(0));
}
/// log(1 + e^x) without an overflow of e^x.
Real softplus(Real x) {
  Real tail = (-x.apply<math::AbsFOp>()).apply<math::ExpOp>();
  return x.atLeast(0) + tail.apply<math::Log1pOp>();
}
Real softplusRule(const ElementContext &, Real x) { return softplus(x); }
Real softsign(const ElementContext &, Real x) {
  return x / (x.apply<math::AbsFOp>() + 1);
}
Real mish(const ElementContext &, Real x) {
  return x * softplus(x).apply<math::TanhOp>();
}
Real gelu(const ElementContext &c, Real x) {
  if (c.flag("tanh")) {
    Real inner = (x + x * x * x * 0.044715) * std::sqrt(2 / M_PI);
    return x * 0.5 * (inner.apply<math::TanhOp>() + 1);
  }
  return x * 0.5 * ((x * M_SQRT1_2).apply<math::ErfOp>() + 1);
}
Real swish(const ElementContext &c, Real x) {
  return x * logistic(x * c.real("alpha"));
}
Real shrink(const ElementContext &c, Real x) {
  double bias = c.real("bias"), lambd = c.real("lambd");
  return Real::choose(
      x.compare(lessThan, -lambd), x + bias,
      Real::choose(x.compare(greaterThan, lambd), x + -bias, x.like(0)));
}

constexpr std::pair<StringLiteral, ElementRule> rules[] = {
    ruleOf<FloorOp>(plain<math::FloorOp>),
    ruleOf<CeilOp>(plain<math::CeilOp>),
    ruleOf<RoundOp>(plain<math::RoundEvenOp>),
    ruleOf<SqrtOp>(plain<math::SqrtOp>),
    ruleOf<ExpOp>(plain<math::ExpOp>),
    ruleOf<LogOp>(plain<math::LogOp>),
    ruleOf<SinOp>(plain<math::SinOp>),
    ruleOf<CosOp>(plain<math::CosOp>),
    ruleOf<TanOp>(plain<math::TanOp>),
    ruleOf<AsinOp>(plain<math::AsinOp>),
    ruleOf<AcosOp>(plain<math::AcosOp>),
    ruleOf<AtanOp>(plain<math::AtanOp>),
    ruleOf<SinhOp>(plain<math::SinhOp>),
    ruleOf<CoshOp>(plain<math::CoshOp>),
    ruleOf<TanhOp>(plain<math::TanhOp>),
    ruleOf<AsinhOp>(plain<math::AsinhOp>),
    ruleOf<AcoshOp>(plain<math::AcoshOp>),
    ruleOf<AtanhOp>(plain<math::AtanhOp>),
    ruleOf<ErfOp>(real<erf>),
    ruleOf<ReciprocalOp>(real<reciprocal>),
    ruleOf<SigmoidOp>(real<sigmoid>),
    ruleOf<HardSigmoidOp>(real<hardSigmoid>),
    ruleOf<HardSwishOp>(real<hardSwish>),
    ruleOf<EluOp>(real<elu>),
    ruleOf<CeluOp>(real<celu>),
    ruleOf<SeluOp>(real<selu>),
    ruleOf<LeakyReluOp>(real<leakyRelu>),
    ruleOf<ThresholdedReluOp>(real<thresholdedRelu>),
    ruleOf<SoftplusOp>(real<softplusRule>),
    ruleOf<SoftsignOp>(real<softsign>),
    ruleOf<MishOp>(real<mish>),
    ruleOf<GeluOp>(real<gelu>),
    ruleOf<SwishOp>(real<swish>),
    ruleOf<ShrinkOp>(real<shrink>),
};

} // namespace

ElementRules acc::graph::getFunctionRules() { return rules; }
