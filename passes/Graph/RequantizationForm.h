//===- RequantizationForm.h - What requantization is made of ----*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The parameters of graph.requantize before they are attributes. What holds one
// value per channel is a template, because compiled code, which does not
// allocate, uses the same structures for one channel (Requantization.h).
//
//===----------------------------------------------------------------------===//

#ifndef ACC_PASSES_GRAPH_REQUANTIZATIONFORM_H
#define ACC_PASSES_GRAPH_REQUANTIZATIONFORM_H

#include <cstdint>
#include <limits>
#include <optional>

namespace acc::graph {

/// Above this, one accumulator step saturates every output but the zero point.
constexpr double kLargestScale = 256;
/// Outputs that stay below this round to zero.
constexpr double kNegligible = 0.49;
constexpr int64_t kLargestImmediate = 32767;
constexpr int64_t kLowestWord = std::numeric_limits<int32_t>::min();
constexpr int64_t kHighestWord = std::numeric_limits<int32_t>::max();
/// The most that graph.requantize shifts, in front of the product and behind.
constexpr int kMostPreShift = 31;
constexpr int kMostPostShift = 30;

/// The integers from `lo` to `hi`, both included.
struct Interval {
  int64_t lo = 0, hi = 0;

  bool fitsInt32() const { return lo == int32_t(lo) && hi == int32_t(hi); }
};

/// What an output may be: stored integers from `lo` to `hi`, where `zeroPoint`
/// stands for the real zero. A ReLU or a clip makes it narrower than its type.
struct OutputGrid {
  int32_t zeroPoint = 0, lo = -128, hi = 127;
};

/// The roundings of graph.requantize.
enum class RoundingForm { HalfUp, HalfEven, Down };

/// The attributes of a graph.requantize, and `offset`, which the accumulator
/// must contain besides: half of what a shift drops, and the zero point where
/// that costs nothing. One value, or one per channel; the clip bounds are empty
/// where no accumulator reaches them.
template <template <typename> class Vector> struct Requantization {
  Vector<int32_t> clipLo, clipHi, preShift, multiplier, postShift;
  Vector<int64_t> offset;
  int32_t midShift = 0, addend = 0, zeroPoint = 0;
  RoundingForm rounding = RoundingForm::HalfUp;
  /// Nothing but one shift, which sees every tie.
  bool isShift = false;
  /// Saturates behind the last step: no accumulator makes the others wrap.
  bool clipsLast = false;
  /// The bias that is added to `offset` is to be rounded to a multiple of what
  /// the first shift divides by, so that it can be added behind that shift.
  bool roundsBias = false;

  /// The most that rounding its bias adds to an accumulator or takes from it.
  int64_t getBiasError(size_t channel) const {
    int32_t shift = preShift[preShift.size() == 1 ? 0 : channel];
    return roundsBias && shift > 0 ? int64_t(1) << (shift - 1) : 0;
  }
  std::optional<int32_t> outLo, outHi;
  /// How many bits hold every output, if fewer than 8.
  std::optional<int32_t> bits;
};

} // namespace acc::graph

#endif // ACC_PASSES_GRAPH_REQUANTIZATIONFORM_H
