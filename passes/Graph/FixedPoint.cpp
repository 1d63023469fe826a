//===- FixedPoint.cpp - Parameters of integer requantization --------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Graph/FixedPoint.h"

#include <cmath>

using namespace mlir;
using namespace acc::graph;

namespace {

using Wide = __int128;

/// What graph.requantize computes for one channel before its final clamp, with
/// integers too wide to wrap.
class Evaluator {
public:
  Evaluator(const FixedPoint &point, size_t channel)
      : point(point), preShift(point.preShift[channel]),
        multiplier(point.multiplier[channel]),
        postShift(point.postShift[channel]) {}

  Wide operator()(int64_t acc) const {
    Wide a = preShift >= 0 ? Wide(acc) >> preShift : Wide(acc) << -preShift;
    Wide p = a * multiplier;
    if (!point.halfEven)
      return postShift ? ((p >> (postShift - 1)) + 2 * point.zeroPoint + 1) >> 1
                       : p + point.zeroPoint;
    Wide t = (p + point.addend) >> point.midShift;
    return ((t - ((t >> postShift) & 1)) >> postShift) + point.zeroPoint;
  }

  /// Smallest accumulator whose output is at least `output`; one beyond the
  /// largest of 32 bits if there is none.
  int64_t firstReaching(Wide output) const {
    int64_t lo = kLowestWord, hi = kHighestWord + 1;
    while (lo < hi) {
      int64_t middle = lo + (hi - lo) / 2;
      if ((*this)(middle) >= output)
        hi = middle;
      else
        lo = middle + 1;
    }
    return lo;
  }

private:
  const FixedPoint &point;
  int32_t preShift, multiplier, postShift;
};

void collapse(SmallVectorImpl<int32_t> &values) {
  if (!values.empty() && llvm::all_equal(values))
    values.resize(1);
}

} // namespace

FailureOr<FixedPoint> acc::graph::deriveFixedPoint(ArrayRef<double> values,
                                                   ArrayRef<Interval> ranges,
                                                   OutputGrid output,
                                                   std::string &reason,
                                                   Ties ties) {
  SmallVector<Scale> scales;
  for (double value : values)
    scales.emplace_back(std::min(value, kLargestScale));
  auto point = chooseParameters<PerChannel>(scales, ranges, output, ties);

  bool clipLo = false, clipHi = false;
  for (size_t c = 0; c != scales.size(); ++c) {
    Interval range{ranges[c].lo + point.offset[c],
                   ranges[c].hi + point.offset[c]};
    if (range.lo < kLowestWord || range.hi > kHighestWord) {
      reason = "the accumulator may exceed 32 bits";
      return failure();
    }

    Evaluator evaluate(point, c);
    int64_t lo = kLowestWord, hi = kHighestWord;
    // A sum fits 32 bits as it is; clamping the result instead of the sum
    // keeps the bounds small.
    bool clampsSum = !ties.likely && !point.isShift;
    if (clampsSum && evaluate(range.hi) > output.hi) {
      hi = evaluate.firstReaching(output.hi);
      clipHi = true;
    }
    if (clampsSum && evaluate(range.lo) < output.lo) {
      lo = evaluate.firstReaching(output.lo + 1) - 1;
      clipLo = true;
    }
    // A bound of zero does as well wherever zero gives the same output.
    if (lo > 0 && evaluate(0) == evaluate(lo))
      lo = 0;
    if (hi < 0 && evaluate(0) == evaluate(hi))
      hi = 0;
    lo = std::min(lo, hi);
    point.clipLo.push_back(int32_t(lo));
    point.clipHi.push_back(int32_t(hi));
    if (evaluate(std::clamp(range.hi, lo, hi)) > output.hi)
      point.outHi = output.hi;
    if (evaluate(std::clamp(range.lo, lo, hi)) < output.lo)
      point.outLo = output.lo;
  }
  if (!clipLo)
    point.clipLo.clear();
  if (!clipHi)
    point.clipHi.clear();
  for (auto *each : {&point.clipLo, &point.clipHi, &point.preShift,
                     &point.multiplier, &point.postShift})
    collapse(*each);
  return point;
}

FailureOr<WeightedSum>
acc::graph::deriveWeightedSum(ArrayRef<double> ratios,
                              ArrayRef<Interval> operands, OutputGrid output,
                              std::string &reason, bool zeroPointFirst) {
  SmallVector<double> limited(ratios);
  if (limited.size() == 1)
    limited[0] = std::copysign(std::min(std::abs(limited[0]), kLargestScale),
                               limited[0]);
  double largest = 0, reach = 0;
  for (auto [ratio, operand] : llvm::zip(limited, operands)) {
    largest = std::max(largest, std::abs(ratio));
    reach += std::abs(ratio) *
             double(std::max(std::abs(operand.lo), std::abs(operand.hi)));
  }

  // Fractions with few bits make an exact sum; of powers of two, those that
  // ONNX Runtime computes exactly too count at any number of bits.
  int bits = 0, exactBits = 0;
  bool tiesLikely = false, exact = reach >= kNegligible;
  SmallVector<Scale> scales = llvm::map_to_vector(
      limited, [](double ratio) { return Scale(std::abs(ratio)); });
  for (const Scale &scale : scales) {
    exactBits = std::max(exactBits, scale.shift);
    exact &= scale.isDyadic() && (scale.shift <= kTieBits || scale.isExact());
  }
  exact &= exactBits <= kMostPostShift && std::ldexp(reach, exactBits) < 0x1p30;
  if (exact) {
    bits = exactBits;
  } else if (reach >= kNegligible) {
    // The smallest of these fractions bounds every error, so that no operand
    // loses more than half a unit of the 15-bit multiplier of the largest one.
    bits = std::max(14 - std::ilogb(largest), 14);
    while (bits > 0 && std::ldexp(reach, bits) > 0x1p30)
      --bits;
    if (bits < 12 && limited.size() > 1) {
      reason = "the scales of operands and result differ too much";
      return failure();
    }
    int64_t denominator;
    tiesLikely = haveEvenDenominator(limited, denominator) && bits > kTieBits &&
                 bits <= kTieBits + 15;
  }

  WeightedSum sum;
  Interval range;
  for (auto [ratio, operand] : llvm::zip(limited, operands)) {
    int64_t multiplier =
        reach < kNegligible ? 0 : roundToMultiplier(std::ldexp(ratio, bits));
    int64_t atLo = operand.lo * multiplier, atHi = operand.hi * multiplier;
    range.lo += std::min(atLo, atHi);
    range.hi += std::max(atLo, atHi);
    if (std::abs(multiplier) > kHighestWord) {
      reason = "the scales of operands and result differ too much";
      return failure();
    }
    sum.multipliers.push_back(int32_t(multiplier));
  }
  sum.offsets.assign(limited.size(), 0);
  FailureOr<FixedPoint> point =
      deriveFixedPoint(std::ldexp(1.0, -bits), range, output, reason,
                       {tiesLikely, zeroPointFirst, !exact});
  if (failed(point))
    return failure();
  sum.requantize = std::move(*point);
  // What the sum must contain besides comes by way of an operand, which may
  // have an offset anyway, or is added to the sum.
  int64_t &more = sum.requantize.offset[0];
  for (auto [offset, multiplier] : llvm::zip(sum.offsets, sum.multipliers))
    if (more && multiplier && more % multiplier == 0) {
      offset = int32_t(more / multiplier);
      more = 0;
    }
  if (more && sum.requantize.halfEven) {
    sum.requantize.addend += int32_t(more);
    more = 0;
  }
  return sum;
}
