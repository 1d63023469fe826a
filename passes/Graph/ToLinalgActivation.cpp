//===- ToLinalgActivation.cpp - Activations of recurrent networks ---------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Graph/ToLinalgActivation.h"
#include "passes/Graph/ToLinalgFold.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace acc::graph;

namespace {

/// A float with its builder, so that formulas read as formulas.
struct Real {
  ImplicitLocOpBuilder &b;
  Value value;

  Real number(double constant) const {
    return {b, createNumber(b, value.getType(), constant)};
  }
  Real operator+(Real y) const {
    return {b, arith::AddFOp::create(b, value, y.value)};
  }
  Real operator-(Real y) const {
    return {b, arith::SubFOp::create(b, value, y.value)};
  }
  Real operator*(Real y) const {
    return {b, arith::MulFOp::create(b, value, y.value)};
  }
  Real operator/(Real y) const {
    return {b, arith::DivFOp::create(b, value, y.value)};
  }
  Real max(double y) const {
    return {b, arith::MaximumFOp::create(b, value, number(y).value)};
  }
  Real min(double y) const {
    return {b, arith::MinimumFOp::create(b, value, number(y).value)};
  }
  Real exp() const { return {b, math::ExpOp::create(b, value)}; }
  Real abs() const { return {b, math::AbsFOp::create(b, value)}; }
  Real tanh() const { return {b, math::TanhOp::create(b, value)}; }
  Real log1p() const { return {b, math::Log1pOp::create(b, value)}; }
  Real negate() const { return number(0) - *this; }
  Real ifAbove(double bound, Real otherwise) const {
    Value is = arith::CmpFOp::create(b, arith::CmpFPredicate::OGT, value,
                                     number(bound).value);
    return {b, arith::SelectOp::create(b, is, value, otherwise.value)};
  }
};

using Formula = Real (*)(Real, double, double);

constexpr std::pair<StringLiteral, Formula> formulas[] = {
    {"affine",
     [](Real x, double alpha, double beta) {
       return x * x.number(alpha) + x.number(beta);
     }},
    {"elu",
     [](Real x, double alpha, double) {
       return x.ifAbove(0, (x.exp() - x.number(1)) * x.number(alpha));
     }},
    {"hardsigmoid",
     [](Real x, double alpha, double beta) {
       return (x * x.number(alpha) + x.number(beta)).min(1).max(0);
     }},
    {"leakyrelu", [](Real x, double alpha,
                     double) { return x.ifAbove(0, x * x.number(alpha)); }},
    {"relu", [](Real x, double, double) { return x.max(0); }},
    {"scaledtanh",
     [](Real x, double alpha, double beta) {
       return (x * x.number(beta)).tanh() * x.number(alpha);
     }},
    {"sigmoid",
     [](Real x, double, double) {
       return x.number(1) / (x.negate().exp() + x.number(1));
     }},
    // Stable: log(1 + exp(x)) = max(x, 0) + log(1 + exp(-|x|)).
    {"softplus",
     [](Real x, double, double) {
       return x.max(0) + x.abs().negate().exp().log1p();
     }},
    {"softsign",
     [](Real x, double, double) { return x / (x.abs() + x.number(1)); }},
    {"tanh", [](Real x, double, double) { return x.tanh(); }},
    {"thresholdedrelu", [](Real x, double alpha,
                           double) { return x.ifAbove(alpha, x.number(0)); }},
};

} // namespace

Value acc::graph::createActivation(ImplicitLocOpBuilder &b, StringRef name,
                                   double alpha, double beta, Value x) {
  for (auto [known, formula] : formulas)
    if (known == name)
      return formula({b, x}, alpha, beta).value;
  return x;
}
