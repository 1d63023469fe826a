//===- IntrinsicMatch.h - Structural match of intrinsics --------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_PASSES_TE_INTRINSICMATCH_H
#define ACC_PASSES_TE_INTRINSICMATCH_H

#include "dialects/TE/TEDialect.h"

#include <optional>
#include <string>

namespace acc::te {

/// How a linalg operation is an intrinsic repeated over outer loops.
struct IntrinsicMatch {
  /// The memrefs, in the order of the intrinsic's memref arguments, and the
  /// maps from the outer loops to the dimensions outside of one element.
  llvm::SmallVector<mlir::Value> operands;
  llvm::SmallVector<mlir::AffineMap> maps;
  /// The value of the intrinsic's scalar argument.
  std::optional<int64_t> immediate;
  /// The leading loops of the operation, which the intrinsic does not cover.
  unsigned outerLoops = 0;
};

/// Matches the innermost loops, the operands' types and the body of `op`
/// against the definition of `intrin`; on failure says why in `reason`.
mlir::FailureOr<IntrinsicMatch>
matchIntrinsic(mlir::linalg::LinalgOp op, IntrinOp intrin, std::string &reason);

} // namespace acc::te

#endif // ACC_PASSES_TE_INTRINSICMATCH_H
