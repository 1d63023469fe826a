//===- IntrinsicMatch.h - Structural match of intrinsics --------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_PASSES_TE_INTRINSICMATCH_H
#define ACC_PASSES_TE_INTRINSICMATCH_H

#include "dialects/TE/TEDialect.h"

#include <string>

namespace acc::te {

/// Matches the innermost loops, the operands' types and the body of `op`
/// against the definition of `intrin`; on failure says why in `reason`. The
/// extents of the outer loops are left to the caller.
mlir::FailureOr<IntrinsicMatch>
matchIntrinsic(mlir::linalg::LinalgOp op, IntrinOp intrin, std::string &reason);

} // namespace acc::te

#endif // ACC_PASSES_TE_INTRINSICMATCH_H
