//===- RoundingDown.h - Requantization in the fewest steps ------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Where one accumulator step is a small part of an output step, the accumulator
// itself can hold the zero point and the half that makes rounding down round to
// nearest. What is left are at most five steps:
//
//     ((acc + offset) >> preShift) * multiplier >> postShift
//
// and two bounds, in front of the product or behind it. This file finds the
// shifts, and the place for the bounds, that cost the accelerator the fewest
// cycles at an error that docs/dialects/graph.md bounds. All targets compute
// what is chosen here.
//
//===----------------------------------------------------------------------===//

#ifndef ACC_PASSES_GRAPH_ROUNDINGDOWN_H
#define ACC_PASSES_GRAPH_ROUNDINGDOWN_H

#include "passes/Graph/RequantizationForm.h"
#include "passes/Graph/Scale.h"
#include "passes/Support/ConstantProduct.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/STLExtras.h"

#include <algorithm>
#include <cmath>

namespace acc::graph {

/// The most, in output steps, by which the number that is rounded may differ
/// from the real result.
constexpr double kMostError = 1.0 / 32;
/// The most of it that the offset may be off, which is a whole number of
/// accumulator steps: other errors vary, this one moves all results alike.
constexpr double kMostOffsetError = 1.0 / 128;

/// What adds constants to the accumulators that parameters are chosen for: a
/// matrix unit of 16 lanes with weights of 8 bits. The choice must not depend
/// on the accelerator, so that all targets compute the same; where weights are
/// narrower or lanes fewer, large constants take a cycle more than they need.
constexpr ConstantProduct kAssumedProduct(127, 127, 16);

/// Cycles that one step of the vector unit takes for a vector of outputs: none
/// if it changes nothing, one with an immediate of 16 bits for all channels,
/// two with a vector of values.
template <typename Values>
int countStepCycles(const Values &values, int64_t neutral) {
  int64_t first = *values.begin();
  bool isCommon = llvm::all_of(values, [&](auto v) { return v == first; });
  if (isCommon && first == neutral)
    return 0;
  return isCommon && std::abs(first) <= kLargestImmediate ? 1 : 2;
}

/// Finds the parameters for one layer. `scales` and `ranges` hold one value, or
/// one per channel.
template <template <typename> class Vector> class RoundingDown {
public:
  using Point = Requantization<Vector>;

  /// `spentError` is how far the accumulators are from the real numbers
  /// already, in output steps; `largestBias` is set if they have
  /// biases, which may be rounded to multiples of what the first shift divides
  /// by.
  RoundingDown(llvm::ArrayRef<Scale> scales, llvm::ArrayRef<Interval> ranges,
               OutputGrid output, double spentError,
               std::optional<int64_t> largestBias)
      : ranges(ranges), output(output), spentError(spentError),
        largestBias(largestBias) {
    for (auto [scale, range] : llvm::zip(scales, ranges))
      if (getLargest(range) * scale.value >= kNegligible)
        largestScale = std::max(largestScale, scale.value);
    // All results of a channel that never leaves zero are the zero point, at
    // any scale that leaves it there: one near to those of the other channels
    // asks for no shift of its own.
    for (auto [scale, range] : llvm::zip(scales, ranges)) {
      double largest = getLargest(range), value = scale.value;
      if (largest * value < kNegligible)
        value = std::max(value, std::min(largestScale, 0.25 / largest));
      values.push_back(value);
    }
  }

  /// The parameters of the fewest cycles, and among those of the least error;
  /// none if none are precise enough.
  std::optional<Point> choose() {
    if (largestScale == 0)
      return std::nullopt;
    for (bool clipsLast : {true, false}) {
      for (int shift = 0; shift <= kMostPreShift; ++shift) {
        if (std::ldexp(largestScale, shift - 1) > kMostError)
          break;
        consider(clipsLast, [&](double) { return shift; });
      }
      if (values.size() == 1)
        continue;
      // A shift for each channel, so that what remains is 2^-bits of an output
      // step or less.
      for (int bits = 5; bits <= 12; ++bits)
        consider(clipsLast, [&](double scale) {
          return std::clamp(-bits - 1 - std::ilogb(scale), 0, kMostPreShift);
        });
    }
    return best;
  }

private:
  static double getLargest(Interval range) {
    return double(std::max(std::abs(range.lo), std::abs(range.hi)));
  }

  template <typename PreShift> void consider(bool clipsLast, PreShift shiftOf) {
    consider(clipsLast, false, shiftOf);
    if (largestBias)
      consider(clipsLast, true, shiftOf);
  }

  template <typename PreShift>
  void consider(bool clipsLast, bool roundsBias, PreShift shiftOf) {
    Point point;
    point.rounding = RoundingForm::Down;
    point.clipsLast = clipsLast;
    point.roundsBias = roundsBias;
    double most = 0;
    for (auto [scale, range] : llvm::zip(values, ranges)) {
      int32_t shift = shiftOf(scale);
      point.preShift.push_back(shift);
      // The number behind the product, one step of rounding included.
      double largest =
          clipsLast ? getLargest(range) * scale + std::abs(output.zeroPoint)
                    : std::max(std::abs(output.lo), std::abs(output.hi));
      most = std::max(most, largest + 2 + std::ldexp(scale, shift));
    }
    int post = std::min(kMostPostShift, 30 - std::ilogb(most));
    if (values.size() == 1) {
      // The multiplier is an immediate.
      double unit = std::ldexp(values[0], point.preShift[0]);
      post = std::min(post, 14 - std::ilogb(unit));
      if (std::llround(std::ldexp(unit, post)) > kLargestImmediate)
        --post;
    }
    double error = 0;
    if (post < 1 || !setMultipliers(point, post, error))
      return;
    int cycles = countCycles(point);
    if (!best || std::pair(cycles, error) < std::pair(bestCycles, bestError)) {
      best = point;
      bestCycles = cycles;
      bestError = error;
    }
  }

  /// Sets multipliers and offsets. Fails where a product could wrap or the
  /// error is too large.
  bool setMultipliers(Point &point, int post, double &error) {
    point.postShift.assign(1, post);
    for (size_t c = 0; c != values.size(); ++c) {
      int pre = point.preShift[c];
      double factor = std::ldexp(values[c], pre + post);
      if (!(factor >= 1 && factor < double(kHighestWord)))
        return false;
      int64_t multiplier = std::llround(factor);
      // Results are told apart between these. The offset makes up for what the
      // multiplier is off in the middle, so that half the distance is the most
      // that an error is multiplied with.
      double hi = std::min(output.hi - output.zeroPoint + 0.5,
                           double(ranges[c].hi) * values[c]),
             lo = std::max(output.lo - output.zeroPoint - 0.5,
                           double(ranges[c].lo) * values[c]);
      lo = std::min(lo, hi);
      double deviation = double(multiplier) / factor - 1;
      double offset =
          std::ldexp(output.zeroPoint + 0.5 - (lo + hi) / 2 * deviation,
                     pre + post) /
          double(multiplier);
      double offsetError = values[c] * std::abs(offset - std::round(offset));
      if (offsetError > kMostOffsetError)
        return false;
      double channelError = (hi - lo) / 2 * std::abs(deviation) + offsetError +
                            (pre ? std::ldexp(values[c], pre - 1) : 0) +
                            values[c] * double(point.getBiasError(c));
      error = std::max(error, channelError);
      if (error + spentError > kMostError)
        return false;
      int64_t half = pre ? int64_t(1) << (pre - 1) : 0;
      point.multiplier.push_back(int32_t(multiplier));
      point.offset.push_back(std::llround(offset) + half);
      int64_t slack = point.getBiasError(c);
      for (int64_t bound : {ranges[c].lo - slack, ranges[c].hi + slack}) {
        bound += point.offset.back();
        if (bound < kLowestWord || bound > kHighestWord)
          return false;
        int64_t product = (bound >> pre) * multiplier;
        if (point.clipsLast &&
            (product < kLowestWord || product > kHighestWord))
          return false;
      }
    }
    return true;
  }

  int countCycles(const Point &point) const {
    bool reachesLo = false, reachesHi = false;
    int64_t largestBound = 0;
    int post = point.postShift[0];
    for (size_t c = 0; c != values.size(); ++c) {
      auto evaluate = [&](int64_t acc) {
        return (((acc + point.offset[c]) >> point.preShift[c]) *
                point.multiplier[c]) >>
               post;
      };
      int64_t slack = point.getBiasError(c);
      reachesLo |= evaluate(ranges[c].lo - slack) < output.lo;
      reachesHi |= evaluate(ranges[c].hi + slack) > output.hi;
      for (int64_t bound : {output.lo - 1, output.hi + 1})
        largestBound = std::max(
            largestBound, std::abs(bound << post) / point.multiplier[c] + 1);
    }
    // Bounds in front of the product, shifted as the accumulator is.
    int bound = 1;
    if (!point.clipsLast)
      bound = values.size() == 1 && largestBound <= kLargestImmediate ? 1 : 2;
    return countStepCycles(point.preShift, 0) + countBiasCycles(point) +
           countStepCycles(point.multiplier, 1) +
           countStepCycles(point.postShift, 0) + bound * reachesLo +
           bound * reachesHi;
  }

  /// A rounded bias is added behind the first shift, where it is small.
  int countBiasCycles(const Point &point) const {
    if (!largestBias)
      return 0;
    int64_t largest = 0;
    for (auto [offset, shift] : llvm::zip(point.offset, point.preShift))
      largest = std::max(largest, (*largestBias + std::abs(offset)) >>
                                      (point.roundsBias ? shift : 0));
    return int(std::clamp<int64_t>(kAssumedProduct.count(largest), 1,
                                   ConstantProduct::kMostProducts));
  }

  llvm::ArrayRef<Interval> ranges;
  OutputGrid output;
  double spentError;
  std::optional<int64_t> largestBias;
  double largestScale = 0;
  Vector<double> values;
  std::optional<Point> best;
  int bestCycles = 0;
  double bestError = 0;
};

} // namespace acc::graph

#endif // ACC_PASSES_GRAPH_ROUNDINGDOWN_H
