//===- Types.h - What values and elements are in C --------------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_PASSES_C_TYPES_H
#define ACC_PASSES_C_TYPES_H

#include "mlir/Dialect/EmitC/IR/EmitC.h"

namespace acc::c {

/// What a value of this type is in a variable, or null if C has nothing like
/// it. Small floats are their bits.
mlir::Type getValueType(mlir::Type type);

/// What an element of a buffer is in memory, as a value; null as above.
/// Booleans take a byte, indices are as wide as in compiled models.
mlir::Type getStoredType(mlir::Type element);

/// The name of that type for pointers: one that may alias others, as the arena
/// holds elements of different types at different times.
std::string getStoredName(mlir::Type element);

/// The type of a pointer to elements: "const acc_f32 *restrict" or, with the
/// qualifier "const", "acc_f32 *const".
mlir::Type getPointerType(mlir::Type element, bool isRead,
                          llvm::StringRef qualifier);

/// An integer type of the same width, or the narrowest in which C computes
/// without promoting to a signed one.
mlir::Type getUnsigned(mlir::Type type);
mlir::Type getUnsignedForArithmetic(mlir::Type type);

/// A name as an identifier of C, or a part of one.
std::string toIdentifier(llvm::StringRef name);

/// A text that can stand in a comment.
std::string toComment(llvm::StringRef text);

} // namespace acc::c

#endif // ACC_PASSES_C_TYPES_H
