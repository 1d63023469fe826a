//===- Elements.h - How elements are stored and computed on -----*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Every element type has a storage type, which is what memory holds, and a
// type to compute in. They differ for floats below 32 bits, which are computed
// in f32, and for integers below 8 bits, which take a byte each.
//
//===----------------------------------------------------------------------===//

#ifndef ACC_PASSES_GRAPH_ELEMENTS_H
#define ACC_PASSES_GRAPH_ELEMENTS_H

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace acc::graph {

/// What memory holds for an element of `type`: a signless integer of whole
/// bytes (or i1), f16, bf16, f32 or f64. Smaller floats are the bits in an i8.
mlir::Type getStorageType(mlir::Type type);

/// What elements of `type` are computed in: f32, f64 or a signless integer.
mlir::Type getComputeType(mlir::Type type);

/// Whether elements of `type`, possibly quantized, are unsigned integers.
bool isUnsignedElement(mlir::Type type);

enum class ScaleRounding { Up, Down, Nearest };

/// What becomes of values that the type of a cast does not hold.
struct CastMode {
  /// Floats of 8 bits: the largest value rather than infinity or NaN.
  bool saturate = true;
  /// To powers of two (f8E8M0FNU).
  ScaleRounding rounding = ScaleRounding::Up;
};

/// The value to compute with for a stored element of `type`; exact.
mlir::Value loadElement(mlir::ImplicitLocOpBuilder &b, mlir::Value stored,
                        mlir::Type type);

/// What is stored for a value of the compute type (for a float: any of f32 and
/// f64), rounded half to even.
mlir::Value storeElement(mlir::ImplicitLocOpBuilder &b, mlir::Value value,
                         mlir::Type type, CastMode mode = {});

/// ONNX's Cast of a stored element to a stored element.
mlir::Value castElement(mlir::ImplicitLocOpBuilder &b, mlir::Value stored,
                        mlir::Type from, mlir::Type to, CastMode mode = {});

/// A float as an integer of `type`, rounded toward zero. ONNX leaves open what
/// becomes of those that do not fit: they are saturated to 32 bits (64 for
/// uint32 and wider types), of which the low bits are kept; NaN is 0.
mlir::Value floatToInteger(mlir::ImplicitLocOpBuilder &b, mlir::Value value,
                           mlir::Type type, bool isUnsigned);

/// An integer (i1: bool) as a float of `type`.
mlir::Value integerToFloat(mlir::ImplicitLocOpBuilder &b, mlir::Value value,
                           mlir::Type type, bool isUnsigned);

/// f32 to f64 or back; other values as they are.
mlir::Value resizeFloat(mlir::ImplicitLocOpBuilder &b, mlir::Value value,
                        mlir::Type type);

/// A constant of `type`, an integer or float.
mlir::Value createScalar(mlir::ImplicitLocOpBuilder &b, mlir::Type type,
                         double value);

} // namespace acc::graph

#endif // ACC_PASSES_GRAPH_ELEMENTS_H
