//===- Sampling.h - Reading tensors at computed positions -------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Resizing, sampling on grids, deformable convolutions and pools of regions are
// one linalg.generic each whose body computes a position, and reads there with
// tensor.extract. What these bodies share is here.
//
//===----------------------------------------------------------------------===//

#ifndef ACC_PASSES_GRAPH_SAMPLING_H
#define ACC_PASSES_GRAPH_SAMPLING_H

#include "passes/Graph/ScalarMath.h"
#include "passes/Graph/ToLinalg.h"

#include <optional>

namespace acc::graph {

/// The type that sums and interpolations of elements of `type` are computed in:
/// f64 for doubles and integers, which are rounded in the end, else f32.
mlir::FloatType getSamplingType(mlir::Type type);

/// An element as a float of type `real`.
Scalar toReal(mlir::ImplicitLocOpBuilder &b, mlir::Value element,
              mlir::Type real, bool isUnsigned);

/// A float as an element of `type`: rounded half to even and saturated if that
/// is an integer.
mlir::Value fromReal(mlir::ImplicitLocOpBuilder &b, Scalar value,
                     mlir::Type type, bool isUnsigned);

/// Dimension `axis` of the surrounding linalg.generic, counted by an index.
Scalar loopIndex(mlir::ImplicitLocOpBuilder &b, int64_t axis);

/// The size of `axis` of a tensor, as an index.
Scalar sizeOf(mlir::ImplicitLocOpBuilder &b, mlir::Value tensor, int64_t axis);

/// One element that contributes to an interpolated value, along one axis. The
/// index is within the tensor; without `inside` its value counts as zero.
struct Tap {
  Scalar index;
  Scalar weight;
  std::optional<Scalar> inside;
};
using Taps = llvm::SmallVector<Tap, 4>;

/// The conjunction of two truths, of which those that are absent hold.
std::optional<Scalar> both(const std::optional<Scalar> &x,
                           const std::optional<Scalar> &y);

/// The sum over all combinations of `taps`, one list for each of the last axes,
/// of the product of their weights and the element of `tensor` there. `prefix`
/// selects in the first axes.
Scalar interpolate(mlir::ImplicitLocOpBuilder &b, mlir::Value tensor,
                   mlir::ValueRange prefix, llvm::ArrayRef<Taps> taps);

/// The two neighbours of a position, and zero beyond the tensor.
Taps linearTaps(Scalar position, Scalar size);

} // namespace acc::graph

#endif // ACC_PASSES_GRAPH_SAMPLING_H
