//===- SizeExpr.cpp - Normal form of sizes --------------------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Graph/SizeExpr.h"

#include "mlir/IR/BuiltinTypes.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/CheckedArithmetic.h"

#include <limits>
#include <map>

using namespace mlir;

namespace {

constexpr int64_t tooLarge = std::numeric_limits<int64_t>::max();

/// An order that does not depend on where expressions lie in memory, so that
/// the same model always gives the same code.
int compare(AffineExpr a, AffineExpr b) {
  if (a == b)
    return 0;
  if (a.getKind() != b.getKind())
    return a.getKind() < b.getKind() ? -1 : 1;
  auto order = [](int64_t x, int64_t y) { return x < y ? -1 : x > y; };
  if (auto symbol = dyn_cast<AffineSymbolExpr>(a))
    return order(symbol.getPosition(), cast<AffineSymbolExpr>(b).getPosition());
  if (auto dim = dyn_cast<AffineDimExpr>(a))
    return order(dim.getPosition(), cast<AffineDimExpr>(b).getPosition());
  if (auto constant = dyn_cast<AffineConstantExpr>(a))
    return order(constant.getValue(), cast<AffineConstantExpr>(b).getValue());
  auto x = cast<AffineBinaryOpExpr>(a), y = cast<AffineBinaryOpExpr>(b);
  int first = compare(x.getLHS(), y.getLHS());
  return first ? first : compare(x.getRHS(), y.getRHS());
}

/// A product of symbols and divisions, in order.
using Monomial = SmallVector<AffineExpr, 2>;

struct Less {
  bool operator()(const Monomial &a, const Monomial &b) const {
    for (auto [x, y] : llvm::zip(a, b))
      if (int result = compare(x, y))
        return result < 0;
    return a.size() < b.size();
  }
};

/// A sum of products with their coefficients, none of which is 0.
class Polynomial {
public:
  std::map<Monomial, int64_t, Less> terms;

  void add(const Monomial &monomial, int64_t factor) {
    int64_t &old = terms[monomial];
    old = llvm::checkedAdd(old, factor).value_or(tooLarge);
    if (old == 0)
      terms.erase(monomial);
  }

  std::optional<int64_t> constant() const {
    if (terms.empty())
      return 0;
    if (terms.size() == 1 && terms.begin()->first.empty())
      return terms.begin()->second;
    return std::nullopt;
  }

  AffineExpr build(MLIRContext *context) const {
    AffineExpr sum = getAffineConstantExpr(0, context);
    for (const auto &[monomial, factor] : terms) {
      AffineExpr product;
      for (AffineExpr atom : monomial)
        product = product ? product * atom : atom;
      AffineExpr term = getAffineConstantExpr(factor, context);
      sum = sum + (product ? product * term : term);
    }
    return sum;
  }
};

/// `monomial` without the atoms of `divisor`, if it has them all.
std::optional<Monomial> divide(const Monomial &monomial,
                               const Monomial &divisor) {
  Monomial rest;
  const AffineExpr *next = divisor.begin();
  for (AffineExpr atom : monomial) {
    if (next != divisor.end() && *next == atom)
      ++next;
    else
      rest.push_back(atom);
  }
  if (next != divisor.end())
    return std::nullopt;
  return rest;
}

Polynomial expand(AffineExpr expr);

Polynomial expandDivision(AffineBinaryOpExpr expr) {
  MLIRContext *context = expr.getContext();
  Polynomial dividend = expand(expr.getLHS()), divisor = expand(expr.getRHS());
  AffineExprKind kind = expr.getKind();
  Polynomial result, rest;
  if (divisor.terms.size() == 1 && divisor.terms.begin()->second > 0) {
    const auto &[atoms, factor] = *divisor.terms.begin();
    // What divides exactly leaves the division, whatever the rest is.
    for (const auto &[monomial, coefficient] : dividend.terms) {
      std::optional<Monomial> quotient = divide(monomial, atoms);
      if (quotient && coefficient % factor == 0)
        result.add(*quotient, coefficient / factor);
      else
        rest.add(monomial, coefficient);
    }
    if (std::optional<int64_t> number = rest.constant();
        number && atoms.empty()) {
      int64_t below = *number / factor - (*number % factor < 0);
      if (kind == AffineExprKind::Mod)
        result = Polynomial();
      if (kind == AffineExprKind::Mod)
        result.add({}, *number - below * factor);
      else
        result.add({}, below + (kind == AffineExprKind::CeilDiv &&
                                *number % factor != 0));
      return result;
    }
    if (rest.terms.empty())
      return kind == AffineExprKind::Mod ? Polynomial() : result;
  } else {
    rest = std::move(dividend);
  }
  if (kind == AffineExprKind::Mod)
    result = Polynomial();
  AffineExpr atom =
      getAffineBinaryOpExpr(kind, rest.build(context), divisor.build(context));
  if (isa<AffineBinaryOpExpr>(atom) && atom.getKind() == kind)
    result.add({atom}, 1);
  else
    for (const auto &[monomial, factor] : expand(atom).terms)
      result.add(monomial, factor);
  return result;
}

Polynomial expand(AffineExpr expr) {
  Polynomial result;
  if (auto constant = dyn_cast<AffineConstantExpr>(expr)) {
    result.add({}, constant.getValue());
    return result;
  }
  auto binary = dyn_cast<AffineBinaryOpExpr>(expr);
  if (!binary) {
    result.add({expr}, 1);
    return result;
  }
  if (expr.getKind() == AffineExprKind::Add) {
    result = expand(binary.getLHS());
    for (const auto &[monomial, factor] : expand(binary.getRHS()).terms)
      result.add(monomial, factor);
    return result;
  }
  if (expr.getKind() != AffineExprKind::Mul)
    return expandDivision(binary);
  Polynomial lhs = expand(binary.getLHS()), rhs = expand(binary.getRHS());
  for (const auto &[left, x] : lhs.terms)
    for (const auto &[right, y] : rhs.terms) {
      Monomial product(left);
      llvm::append_range(product, right);
      llvm::sort(product,
                 [](AffineExpr a, AffineExpr b) { return compare(a, b) < 0; });
      result.add(product, llvm::checkedMul(x, y).value_or(tooLarge));
    }
  return result;
}

} // namespace

AffineExpr acc::graph::normalizeSize(AffineExpr expr) {
  if (isa<AffineConstantExpr, AffineSymbolExpr>(expr))
    return expr;
  return expand(expr).build(expr.getContext());
}

std::optional<int64_t> acc::graph::getKnownSize(AffineExpr size) {
  if (auto constant = dyn_cast<AffineConstantExpr>(size))
    return constant.getValue();
  return std::nullopt;
}

int64_t acc::graph::getStaticSize(AffineExpr size) {
  return getKnownSize(size).value_or(ShapedType::kDynamic);
}
