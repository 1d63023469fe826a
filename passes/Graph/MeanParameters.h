//===- MeanParameters.h - Requantization of means at run time ---*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Where sizes are open only a run knows over how many elements a quantized mean
// goes, and so by how much its sum is scaled. Compiled code then asks this
// function, which is the compiler's own choice of parameters: the result has
// the bits that it has where the sizes are fixed.
//
//===----------------------------------------------------------------------===//

#ifndef ACC_PASSES_GRAPH_MEANPARAMETERS_H
#define ACC_PASSES_GRAPH_MEANPARAMETERS_H

#include <cstdint>

namespace acc::graph {

/// What turns the sum of stored integers into a stored integer, in 64 bits:
///
///     a = clamp(sum + Offset, -Limit, Limit)
///     p = ((a << LeftShift) >> RightShift) * Multiplier
///     t = (p + Addend) >> MidShift
///     y = ((t - ((t >> PostShift) & IsHalfEven)) >> PostShift) + ZeroPoint
///
/// and y is clamped to the bounds of the output.
enum class MeanParameter : int32_t {
  Offset,
  Limit,
  LeftShift,
  RightShift,
  Multiplier,
  Addend,
  MidShift,
  PostShift,
  IsHalfEven,
  ZeroPoint,
};

} // namespace acc::graph

/// One MeanParameter for the mean of `count` elements, at least one. Input and
/// output are scales, zero points and the least and largest stored integers;
/// ties go up where `tiesUp` is not 0, else to even.
extern "C" int64_t acc_mean_parameter(int32_t parameter, int64_t count,
                                      double inputScale, int32_t inputZeroPoint,
                                      int32_t inputLo, int32_t inputHi,
                                      double outputScale,
                                      int32_t outputZeroPoint, int32_t outputLo,
                                      int32_t outputHi, int32_t tiesUp);

#endif // ACC_PASSES_GRAPH_MEANPARAMETERS_H
