//===- ScalarMath.cpp - Formulas as C++ expressions -----------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Graph/ScalarMath.h"

#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace acc::graph;

Scalar Scalar::same(double number) const {
  TypedAttr attribute;
  if (isReal())
    attribute = builder->getFloatAttr(getType(), number);
  else
    attribute =
        builder->getIntegerAttr(getType(), static_cast<int64_t>(number));
  return {*builder, arith::ConstantOp::create(*builder, attribute)};
}

/// The operation for floats or the one for indices.
template <typename Real, typename Index>
static Value create(ImplicitLocOpBuilder &b, Value lhs, Value rhs) {
  if (isa<FloatType>(lhs.getType()))
    return Real::create(b, lhs, rhs);
  return Index::create(b, lhs, rhs);
}

Scalar Scalar::operator+(Scalar other) const {
  return {*builder,
          create<arith::AddFOp, arith::AddIOp>(*builder, value, other)};
}

Scalar Scalar::operator-(Scalar other) const {
  return {*builder,
          create<arith::SubFOp, arith::SubIOp>(*builder, value, other)};
}

Scalar Scalar::operator*(Scalar other) const {
  return {*builder,
          create<arith::MulFOp, arith::MulIOp>(*builder, value, other)};
}

Scalar Scalar::operator/(Scalar other) const {
  return {*builder,
          create<arith::DivFOp, arith::DivSIOp>(*builder, value, other)};
}

Scalar Scalar::operator%(Scalar other) const {
  return {*builder,
          create<arith::RemFOp, arith::RemSIOp>(*builder, value, other)};
}

static Value compare(ImplicitLocOpBuilder &b, Value lhs, Value rhs,
                     arith::CmpFPredicate real, arith::CmpIPredicate index) {
  if (isa<FloatType>(lhs.getType()))
    return arith::CmpFOp::create(b, real, lhs, rhs);
  return arith::CmpIOp::create(b, index, lhs, rhs);
}

Scalar Scalar::operator<(Scalar other) const {
  return {*builder, compare(*builder, value, other, arith::CmpFPredicate::OLT,
                            arith::CmpIPredicate::slt)};
}

Scalar Scalar::operator<=(Scalar other) const {
  return {*builder, compare(*builder, value, other, arith::CmpFPredicate::OLE,
                            arith::CmpIPredicate::sle)};
}

Scalar Scalar::operator==(Scalar other) const {
  return {*builder, compare(*builder, value, other, arith::CmpFPredicate::OEQ,
                            arith::CmpIPredicate::eq)};
}

Scalar Scalar::operator&(Scalar other) const {
  return {*builder, arith::AndIOp::create(*builder, value, other)};
}

Scalar Scalar::operator|(Scalar other) const {
  return {*builder, arith::OrIOp::create(*builder, value, other)};
}

Scalar Scalar::min(Scalar other) const {
  return {*builder,
          create<arith::MinNumFOp, arith::MinSIOp>(*builder, value, other)};
}

Scalar Scalar::max(Scalar other) const {
  return {*builder,
          create<arith::MaxNumFOp, arith::MaxSIOp>(*builder, value, other)};
}

Scalar Scalar::abs() const {
  return {*builder, math::AbsFOp::create(*builder, value)};
}

Scalar Scalar::floor() const {
  return {*builder, math::FloorOp::create(*builder, value)};
}

Scalar Scalar::ceil() const {
  return {*builder, math::CeilOp::create(*builder, value)};
}

Scalar Scalar::roundEven() const {
  return {*builder, math::RoundEvenOp::create(*builder, value)};
}

Scalar Scalar::select(Scalar yes, Scalar no) const {
  return {*builder, arith::SelectOp::create(*builder, value, yes, no)};
}

Scalar Scalar::toReal(Type type) const {
  if (value.getType() == type)
    return *this;
  if (auto from = dyn_cast<FloatType>(value.getType())) {
    if (from.getWidth() < cast<FloatType>(type).getWidth())
      return {*builder, arith::ExtFOp::create(*builder, type, value)};
    return {*builder, arith::TruncFOp::create(*builder, type, value)};
  }
  Value integer = value;
  if (isa<IndexType>(value.getType()))
    integer =
        arith::IndexCastOp::create(*builder, builder->getI64Type(), value);
  return {*builder, arith::SIToFPOp::create(*builder, type, integer)};
}

Scalar Scalar::toIndex() const {
  Value integer =
      arith::FPToSIOp::create(*builder, builder->getI64Type(), value);
  return {*builder, arith::IndexCastOp::create(
                        *builder, builder->getIndexType(), integer)};
}
