//===- Scalars.h - Operations on scalars as expressions of C ----*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_PASSES_C_SCALARS_H
#define ACC_PASSES_C_SCALARS_H

#include "passes/C/Helpers.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/EmitC/IR/EmitC.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/IRMapping.h"

namespace acc::c {

/// Builds, where `builder` is, what operations of arith and math compute, as
/// operations of emitc. C promotes what is smaller than an int and leaves
/// undefined what overflows, so sums and products are computed on unsigned
/// types of at least 32 bits. (Upstream's conversion computes products of 16
/// bits on types of 16 bits, which C promotes to int, where they may overflow.)
class Scalars {
public:
  Scalars(mlir::OpBuilder &builder, Helpers &helpers)
      : builder(builder), helpers(helpers) {}

  /// Maps the results of `op` to what they are in C; says what is wrong if
  /// there is no such thing.
  mlir::LogicalResult lower(mlir::Operation *op, mlir::IRMapping &mapping);

  mlir::Value literal(mlir::Location loc, mlir::Type type,
                      llvm::StringRef text);
  /// A number of type size_t.
  mlir::Value size(mlir::Location loc, int64_t value);
  mlir::Value cast(mlir::Value value, mlir::Type type);
  mlir::Value compare(mlir::Location loc, mlir::emitc::CmpPredicate predicate,
                      mlir::Value a, mlir::Value b);
  mlir::Value call(mlir::Location loc, llvm::StringRef name, mlir::Type type,
                   mlir::ValueRange operands);

private:
  template <typename Op>
  mlir::Value binary(mlir::Location loc, mlir::Type type, mlir::Value a,
                     mlir::Value b) {
    return Op::create(builder, loc, type, a, b);
  }
  /// The same on other types: operands are cast, and the result is cast back.
  template <typename Op>
  mlir::Value binaryAs(mlir::Location loc, mlir::Type as, mlir::Type type,
                       mlir::Value a, mlir::Value b) {
    return cast(binary<Op>(loc, as, cast(a, as), cast(b, as)), type);
  }
  template <typename Op>
  mlir::Value wrapping(mlir::Operation *op, mlir::Type type, mlir::Value a,
                       mlir::Value b);
  mlir::Value select(mlir::Location loc, mlir::Value condition, mlir::Value a,
                     mlir::Value b);
  mlir::Value isNotZero(mlir::Value value);
  mlir::Value invert(mlir::Value value);

  mlir::Value constant(mlir::Operation *op, mlir::Attribute value);
  mlir::Value integers(mlir::Operation *op, mlir::Type type,
                       llvm::ArrayRef<mlir::Value> operands);
  mlir::Value floats(mlir::Operation *op, mlir::Type type,
                     llvm::ArrayRef<mlir::Value> operands);
  mlir::Value conversions(mlir::Operation *op, mlir::Type type,
                          llvm::ArrayRef<mlir::Value> operands);
  mlir::Value functions(mlir::Operation *op, mlir::Type type,
                        llvm::ArrayRef<mlir::Value> operands);
  mlir::Value compareIntegers(mlir::arith::CmpIOp op, mlir::Value a,
                              mlir::Value b);
  mlir::Value compareFloats(mlir::arith::CmpFOp op, mlir::Value a,
                            mlir::Value b);
  mlir::Value bitcast(mlir::Operation *op, mlir::Type type, mlir::Value value);
  mlir::Value widen(mlir::Operation *op, mlir::Type type, mlir::Value value);
  mlir::Value narrow(mlir::Operation *op, mlir::Type type, mlir::Value value);
  void extended(mlir::Operation *op, bool isSigned, mlir::IRMapping &mapping);

  mlir::OpBuilder &builder;
  Helpers &helpers;
};

} // namespace acc::c

#endif // ACC_PASSES_C_SCALARS_H
