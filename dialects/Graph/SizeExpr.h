//===- SizeExpr.h - Normal form of sizes ------------------------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Sizes are affine expressions whose symbols are sizes not known before run
// time; unlike MLIR's own, they multiply symbols (the elements of a tensor).
//
//===----------------------------------------------------------------------===//

#ifndef ACC_DIALECTS_GRAPH_SIZEEXPR_H
#define ACC_DIALECTS_GRAPH_SIZEEXPR_H

#include "mlir/IR/AffineExpr.h"

#include <optional>
#include <string>

namespace acc::graph {

/// `expr` as a sum of products in a fixed order, divided out where that is
/// exact. Sizes that this makes equal are equal at run time, whatever their
/// symbols are; divisors are taken to be positive.
mlir::AffineExpr normalizeSize(mlir::AffineExpr expr);

/// The value of a size that is known.
std::optional<int64_t> getKnownSize(mlir::AffineExpr size);

/// The type's notation of a size: its value, or kDynamic if it is not known.
int64_t getStaticSize(mlir::AffineExpr size);

} // namespace acc::graph

#endif // ACC_DIALECTS_GRAPH_SIZEEXPR_H
