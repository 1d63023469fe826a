//===- TETarget.h - What passes and targets tell each other -----*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The data of TargetAttrInterface.
//
//===----------------------------------------------------------------------===//

#ifndef ACC_DIALECTS_TE_TETARGET_H
#define ACC_DIALECTS_TE_TETARGET_H

#include "mlir/IR/AffineMap.h"
#include "mlir/IR/Attributes.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/Types.h"
#include "mlir/IR/Value.h"
#include "llvm/ADT/SmallVector.h"

#include <optional>

namespace acc::te {

/// What a kernel keeps in a memory: its arguments as a whole (main memory), the
/// two operands of a product, running values, and results before they leave.
enum class Role { Argument, Input, Weight, Accumulator, Output };

/// A memory that slices are staged in. It is addressed by elements: small
/// matrices or vectors of `shape` and `type`, the innermost dimensions of every
/// buffer there.
struct Memory {
  /// The memory space of a memref.
  mlir::Attribute space;
  llvm::SmallVector<int64_t> shape;
  mlir::Type type;
  /// Number of elements that it holds.
  int64_t capacity = 0;
};

/// How a linalg operation is an intrinsic repeated over outer loops.
struct IntrinsicMatch {
  /// The memrefs, in the order of the intrinsic's memref arguments, and the
  /// maps from the outer loops to the dimensions outside of one element.
  llvm::SmallVector<mlir::Value> operands;
  llvm::SmallVector<mlir::AffineMap> maps;
  /// The value of the intrinsic's scalar argument.
  std::optional<int64_t> immediate;
  /// Attributes in the body of the operation that the definition leaves open.
  mlir::NamedAttrList attributes;
  /// The leading loops of the operation, which the intrinsic does not cover,
  /// and their extents.
  unsigned outerLoops = 0;
  llvm::SmallVector<mlir::OpFoldResult> bounds;
};

} // namespace acc::te

#endif // ACC_DIALECTS_TE_TETARGET_H
