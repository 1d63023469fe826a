//===- FixedPoint.cpp - Parameters of integer requantization --------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Graph/FixedPoint.h"

#include "passes/Graph/Scale.h"

#include <cmath>

using namespace mlir;
using namespace acc::graph;

namespace {

using Wide = __int128;

/// Above this, one accumulator step saturates every output but the zero point.
constexpr double kLargestScale = 256;
/// Outputs that stay below this round to zero.
constexpr double kNegligible = 0.49;
constexpr int64_t kLargestImmediate = 32767;
constexpr int64_t kLowestWord = std::numeric_limits<int32_t>::min();
constexpr int64_t kHighestWord = std::numeric_limits<int32_t>::max();

/// What graph.requantize computes for one channel before its final clamp, with
/// integers too wide to wrap.
class Evaluator {
public:
  Evaluator(const FixedPoint &point, size_t channel)
      : point(point), preShift(point.preShift[channel]),
        multiplier(point.multiplier[channel]) {}

  Wide operator()(int64_t acc) const {
    Wide a = preShift >= 0 ? Wide(acc) >> preShift : Wide(acc) << -preShift;
    Wide p = a * multiplier;
    int s = point.postShift;
    if (point.rounding == Rounding::HalfUp)
      return s ? ((p >> (s - 1)) + 2 * point.zeroPoint + 1) >> 1
               : p + point.zeroPoint;
    if (point.midShift)
      p = (p + (Wide(1) << (point.midShift - 1))) >> point.midShift;
    return ((p + (Wide(1) << (s - 1)) - 1 + ((p >> s) & 1)) >> s) +
           point.zeroPoint;
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
  int32_t preShift, multiplier;
};

void collapse(SmallVectorImpl<int32_t> &values) {
  if (!values.empty() && llvm::all_equal(values))
    values.resize(1);
}

} // namespace

/// Chooses shifts and multipliers; the clip bounds follow from them.
static FixedPoint chooseShifts(ArrayRef<Scale> scales, OutputGrid output,
                               bool tiesLikely) {
  FixedPoint point;
  point.zeroPoint = output.zeroPoint;
  size_t channels = scales.size();
  point.preShift.assign(channels, 0);
  point.multiplier.assign(channels, 0);
  point.offset.assign(channels, 0);

  double ties = 0;
  for (const Scale &scale : scales)
    ties += scale.ties / channels;
  bool halfEven = tiesLikely || ties >= std::ldexp(1.0, -kTieBits);
  bool dyadic = llvm::all_of(scales, [](auto &s) { return s.isDyadic(); });
  int mostShift = 0;
  for (const Scale &scale : scales)
    mostShift = std::max(mostShift, scale.shift);

  // p holds the reals that the output can tell apart, and one accumulator step
  // more, with `fraction` bits behind the point, in 31 bits.
  double reach = 1, step = 0;
  for (int32_t bound : {output.lo, output.hi})
    reach = std::max(reach, std::abs(double(bound) - output.zeroPoint));
  for (const Scale &scale : scales)
    step = std::max(step, scale.value);
  int fraction = 30 - std::ilogb(step > 1 ? reach + step : reach);

  auto setExact = [&](size_t channel, int bits) {
    point.multiplier[channel] = scales[channel].numerator;
    point.preShift[channel] = scales[channel].shift - bits;
  };
  if (dyadic && mostShift == 0) {
    for (size_t c = 0; c != channels; ++c)
      setExact(c, 0);
    return point;
  }
  bool powers = llvm::all_of(scales, [](auto &s) { return s.isPowerOfTwo(); });
  if (powers && !halfEven) {
    // a >> (shift - 1) keeps the one bit that rounding half up looks at.
    for (size_t c = 0; c != channels; ++c)
      setExact(c, 1);
    point.postShift = 1;
    return point;
  }
  if (dyadic && halfEven && !tiesLikely) {
    point.rounding = Rounding::HalfEven;
    point.postShift = std::min(kTieBits, mostShift);
    for (size_t c = 0; c != channels; ++c)
      setExact(c, point.postShift);
  } else {
    int most = 0;
    for (const Scale &scale : scales) {
      Multiplier m(scale.value);
      most = std::max(most, scale.isDyadic() ? scale.shift : m.shift);
      // One scale for all channels: clip bounds become immediates of 16 bits.
      if (channels == 1 && !scale.isDyadic())
        fraction = std::min(fraction, std::ilogb(double(kLargestImmediate - 1) *
                                                 m.multiplier / reach));
    }
    fraction = std::min(fraction, most);
    if (halfEven) {
      point.rounding = Rounding::HalfEven;
      point.postShift = std::min(kTieBits, fraction);
      point.midShift = std::min(15, fraction - point.postShift);
      fraction = point.postShift + point.midShift;
    } else {
      point.postShift = fraction;
    }
    for (size_t c = 0; c != channels; ++c) {
      if (scales[c].isDyadic()) {
        setExact(c, fraction);
      } else {
        Multiplier m(scales[c].value);
        point.multiplier[c] = m.multiplier;
        point.preShift[c] = m.shift - fraction;
      }
    }
  }
  return point;
}

FailureOr<FixedPoint> acc::graph::deriveFixedPoint(ArrayRef<double> values,
                                                   ArrayRef<Interval> ranges,
                                                   OutputGrid output,
                                                   std::string &reason,
                                                   Ties ties) {
  SmallVector<Scale> scales;
  for (double value : values)
    scales.emplace_back(std::min(value, kLargestScale));
  FixedPoint point = chooseShifts(scales, output, ties.likely);

  // An odd zero point changes which neighbour of a tie is even.
  if (ties.zeroPointFirst && scales.size() == 1 && output.zeroPoint % 2 != 0 &&
      point.rounding == Rounding::HalfEven && point.midShift == 0 &&
      scales[0].isDyadic() && scales[0].shift == point.postShift) {
    int64_t moved = int64_t(output.zeroPoint) * (int64_t(1) << scales[0].shift);
    if (moved % scales[0].numerator == 0) {
      moved /= scales[0].numerator;
      FailureOr<FixedPoint> result = deriveFixedPoint(
          values, Interval{ranges[0].lo + moved, ranges[0].hi + moved},
          {0, output.lo, output.hi}, reason);
      if (succeeded(result))
        result->offset[0] += moved;
      return result;
    }
  }

  bool clipLo = false, clipHi = false;
  for (size_t c = 0; c != scales.size(); ++c) {
    double largest =
        double(std::max(std::abs(ranges[c].lo), std::abs(ranges[c].hi)));
    if (largest * scales[c].value < kNegligible)
      point.multiplier[c] = point.preShift[c] = 0;

    // A rounding shift by pre_shift is a shift of a sum with half its unit;
    // where the one bit kept for rounding half up is exact, none is needed.
    bool exact = point.rounding == Rounding::HalfUp && point.postShift == 1 &&
                 scales[c].isPowerOfTwo();
    if (point.preShift[c] > 0 && !exact)
      point.offset[c] = int64_t(1) << (point.preShift[c] - 1);
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
    if (!ties.likely && evaluate(range.hi) > output.hi) {
      hi = evaluate.firstReaching(output.hi);
      clipHi = true;
    }
    if (!ties.likely && evaluate(range.lo) < output.lo) {
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
  for (auto *values :
       {&point.clipLo, &point.clipHi, &point.preShift, &point.multiplier})
    collapse(*values);
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

  // The smallest of these fractions bounds every error, so that no operand
  // loses more than half a unit of the 15-bit multiplier of the largest one.
  int bits = 0;
  bool tiesLikely = false;
  SmallVector<Scale> scales = llvm::map_to_vector(
      limited, [](double ratio) { return Scale(std::abs(ratio)); });
  if (llvm::all_of(scales, [](const Scale &scale) {
        return scale.isDyadic() && scale.shift <= kTieBits;
      })) {
    for (const Scale &scale : scales)
      bits = std::max(bits, scale.shift);
  } else if (reach >= kNegligible) {
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
  Ties ties{tiesLikely, zeroPointFirst};
  double scale = std::ldexp(1.0, -bits);
  FailureOr<FixedPoint> point =
      deriveFixedPoint(scale, range, output, reason, ties);
  // What the sum must contain besides comes by way of an operand.
  if (succeeded(point) && point->offset[0]) {
    auto carries = [&](int32_t multiplier) {
      return multiplier && point->offset[0] % multiplier == 0;
    };
    auto carrier = llvm::find_if(sum.multipliers, carries);
    if (carrier != sum.multipliers.end()) {
      size_t index = carrier - sum.multipliers.begin();
      sum.offsets[index] = int32_t(point->offset[0] / *carrier);
    } else {
      ties.zeroPointFirst = false;
      point = deriveFixedPoint(scale, range, output, reason, ties);
    }
  }
  if (failed(point))
    return failure();
  sum.requantize = std::move(*point);
  return sum;
}
