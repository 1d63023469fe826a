//===- ArgumentSlice.h - Slices of kernel arguments -------------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_PASSES_TE_ARGUMENTSLICE_H
#define ACC_PASSES_TE_ARGUMENTSLICE_H

#include "dialects/TE/TEDialect.h"

namespace acc::te {

/// A slice of a kernel argument with zeros around it: per dimension
/// `low + sizes + high` elements, of which those in the middle are the
/// argument's from `offsets` on, every `strides`-th of them.
struct ArgumentSlice {
  mlir::BlockArgument argument;
  llvm::SmallVector<mlir::OpFoldResult> offsets, sizes, strides, low, high;
  /// low + sizes + high.
  llvm::SmallVector<mlir::OpFoldResult> paddedSizes;
};

/// The kernel argument that `value` is a slice of, padded or not; or null.
mlir::BlockArgument findArgument(mlir::Value value);

/// Composes the slices and the padding between a kernel argument and `value`.
/// Where a slice reaches over the border of what is padded, the part outside
/// becomes padding. Errors are reported for `user`.
mlir::FailureOr<ArgumentSlice> resolveSlice(mlir::OpBuilder &builder,
                                            mlir::Value value,
                                            mlir::Operation *user);

} // namespace acc::te

#endif // ACC_PASSES_TE_ARGUMENTSLICE_H
