//===- Convolutions.h - What convolutions share -----------------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_PASSES_GRAPH_CONVOLUTIONS_H
#define ACC_PASSES_GRAPH_CONVOLUTIONS_H

#include "passes/Graph/ToLinalg.h"

namespace acc::graph {

/// The type that convolutions and products of elements of `type` sum in: f32
/// for narrower floats, else `type`.
mlir::Type getAccumulatorType(mlir::Type type);

/// sum + x * w in the type of the sum; integers are sign-extended.
mlir::Value multiplyAccumulate(mlir::ImplicitLocOpBuilder &b, mlir::Value x,
                               mlir::Value w, mlir::Value sum);

/// (groups, count / groups, rest...) of a weight, the number of whose outputs
/// is known if there are several groups.
mlir::Value splitGroups(mlir::ImplicitLocOpBuilder &b, mlir::Value weight,
                        int64_t group);

/// A result (N, O, D1...) of `sizes` and `sum` elements that sums products over
/// input channels and taps. The loops are n, group, output channel, positions,
/// then input channel, taps; `x` and `w` are the maps of the input and of a
/// weight with groups.
mlir::Value createSumOfProducts(mlir::ImplicitLocOpBuilder &b,
                                mlir::Value input, mlir::Value weight,
                                llvm::ArrayRef<mlir::OpFoldResult> sizes,
                                mlir::Type sum, int64_t outputsPerGroup,
                                llvm::ArrayRef<mlir::AffineExpr> x,
                                llvm::ArrayRef<mlir::AffineExpr> w);

/// Sums as results of `element`, with a bias along axis 1 if there is one.
mlir::Value finishSums(mlir::ImplicitLocOpBuilder &b, mlir::Value sums,
                       mlir::Value bias, mlir::Type element);

} // namespace acc::graph

#endif // ACC_PASSES_GRAPH_CONVOLUTIONS_H
