//===- JoinLoops.h - Loops that may share one over chunks -------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_PASSES_HOST_JOINLOOPS_H
#define ACC_PASSES_HOST_JOINLOOPS_H

#include "mlir/Dialect/MemRef/IR/MemRef.h"

namespace acc::host {

/// An operation of a group and the loop of it that all of the group share.
struct JoinedLoop {
  mlir::Operation *op;
  int64_t axis;
};

/// Operations in a row, of linalg or copies on buffers, each of whose shared
/// iterations depends on the same iteration of the others only.
struct JoinableLoops {
  llvm::SmallVector<JoinedLoop> parts;
  /// How many iterations there are.
  int64_t extent = 0;
  /// The largest buffer that nothing but the group uses: of it, an iteration
  /// needs a slice along `dim` only. Null if there is none.
  mlir::memref::AllocOp own;
  int64_t dim = 0;
  /// The size of the buffer, open sizes taken for one.
  int64_t ownBytes = 0;
};

/// The longest group that begins with the operation and shares its loop `axis`.
JoinableLoops findJoinableLoops(mlir::Operation *first, int64_t axis);

} // namespace acc::host

#endif // ACC_PASSES_HOST_JOINLOOPS_H
