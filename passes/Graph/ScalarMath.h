//===- ScalarMath.h - Formulas as C++ expressions ---------------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Bodies that compute coordinates are formulas; written with operators they can
// be compared with the standard at a glance.
//
//===----------------------------------------------------------------------===//

#ifndef ACC_PASSES_GRAPH_SCALARMATH_H
#define ACC_PASSES_GRAPH_SCALARMATH_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace acc::graph {

/// A float, an index or a truth value that is being computed. Both operands of
/// an operator have one type; numbers of C++ take the type of the other side.
class Scalar {
public:
  Scalar(mlir::ImplicitLocOpBuilder &builder, mlir::Value value)
      : builder(&builder), value(value) {}

  mlir::Value get() const { return value; }
  operator mlir::Value() const { return value; }
  mlir::Type getType() const { return value.getType(); }
  bool isReal() const { return mlir::isa<mlir::FloatType>(value.getType()); }

  /// A constant of this type.
  Scalar same(double number) const;

  Scalar operator+(Scalar other) const;
  Scalar operator-(Scalar other) const;
  Scalar operator*(Scalar other) const;
  /// Towards zero for indices.
  Scalar operator/(Scalar other) const;
  Scalar operator%(Scalar other) const;
  Scalar operator+(double number) const { return *this + same(number); }
  Scalar operator-(double number) const { return *this - same(number); }
  Scalar operator*(double number) const { return *this * same(number); }
  Scalar operator/(double number) const { return *this / same(number); }
  Scalar operator-() const { return same(0) - *this; }

  Scalar operator<(Scalar other) const;
  Scalar operator<=(Scalar other) const;
  Scalar operator==(Scalar other) const;
  Scalar operator>(Scalar other) const { return other < *this; }
  Scalar operator>=(Scalar other) const { return other <= *this; }
  Scalar operator<(double number) const { return *this < same(number); }
  Scalar operator<=(double number) const { return *this <= same(number); }
  Scalar operator>(double number) const { return *this > same(number); }
  Scalar operator>=(double number) const { return *this >= same(number); }
  Scalar operator==(double number) const { return *this == same(number); }
  Scalar operator&(Scalar other) const;
  Scalar operator|(Scalar other) const;

  /// The smaller and the larger number; where one of the two is NaN, the other.
  Scalar min(Scalar other) const;
  Scalar max(Scalar other) const;
  Scalar min(double number) const { return min(same(number)); }
  Scalar max(double number) const { return max(same(number)); }
  Scalar abs() const;
  Scalar floor() const;
  Scalar ceil() const;
  Scalar roundEven() const;

  /// For truth values: one of two.
  Scalar select(Scalar yes, Scalar no) const;

  /// An index as a float of `type`, or a float in another precision.
  Scalar toReal(mlir::Type type) const;
  /// Towards zero; the float must be within the range of 64 bits.
  Scalar toIndex() const;

private:
  mlir::ImplicitLocOpBuilder *builder;
  mlir::Value value;
};

} // namespace acc::graph

#endif // ACC_PASSES_GRAPH_SCALARMATH_H
