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

/// The most fraction bits with which half an output step and a zero point fit
/// beside all that eight bits can tell apart.
constexpr int kMostEvenBits = 22;
/// The most that graph.requantize shifts at the end.
constexpr int kMostPostShift = 30;

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
    if (point.rounding == Rounding::HalfUp)
      return postShift
                 ? ((p >> (postShift - 1)) + 2 * point.zeroPoint + 1) >> 1
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

/// Whether a channel has ties that must be decided as ONNX Runtime does.
static bool hasExactTies(const Scale &scale) {
  return scale.isPowerOfTwo() && scale.shift > 0 && scale.isExact();
}

/// The shifts of powers of two that are rounded half to even, where one shift
/// of at most kMostPostShift does for each of them; else none.
static SmallVector<int32_t> getPlainShifts(ArrayRef<Scale> scales,
                                           ArrayRef<Interval> ranges) {
  SmallVector<int32_t> shifts;
  for (auto [scale, range] : llvm::zip(scales, ranges)) {
    int32_t shift = scale.shift;
    if (!scale.isPowerOfTwo() || shift < 1)
      return {};
    if (shift > kMostPostShift) {
      // Such results are 0, also with the least shift that makes them so.
      uint64_t largest = std::max(std::abs(range.lo), std::abs(range.hi));
      shift = llvm::Log2_64_Ceil(largest + 1) + 1;
      if (shift > kMostPostShift)
        return {};
    }
    shifts.push_back(shift);
  }
  return shifts;
}

/// The share of accumulators that fall between two outputs.
template <typename Predicate>
static double shareOfTies(ArrayRef<Scale> scales, Predicate counts) {
  double share = 0;
  for (const Scale &scale : scales)
    if (counts(scale))
      share += scale.ties / scales.size();
  return share;
}

/// Chooses shifts and multipliers; the clip bounds follow from them.
static FixedPoint chooseShifts(ArrayRef<Scale> scales,
                               ArrayRef<Interval> ranges, OutputGrid output,
                               Ties ties) {
  FixedPoint point;
  point.zeroPoint = output.zeroPoint;
  size_t channels = scales.size();
  point.preShift.assign(channels, 0);
  point.multiplier.assign(channels, 0);
  point.postShift.assign(channels, 0);
  point.offset.assign(channels, 0);

  auto any = [](const Scale &) { return true; };
  constexpr double frequent = 1.0 / (1 << kTieBits);
  bool exact = !ties.approximate && llvm::any_of(scales, hasExactTies);
  bool halfEven =
      exact || ties.likely || shareOfTies(scales, any) >= frequent;
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
  SmallVector<int32_t> shifts;
  if (halfEven && !ties.likely)
    shifts = getPlainShifts(scales, ranges);
  if (!shifts.empty()) {
    // Nothing is multiplied and nothing dropped before the one shift, so that
    // every tie is seen. Half an output step comes with the accumulator.
    point.rounding = Rounding::HalfEven;
    point.multiplier.assign(channels, 1);
    for (auto [offset, shift] : llvm::zip(point.offset, shifts))
      offset = int64_t(1) << (shift - 1);
    point.postShift = std::move(shifts);
    return point;
  }
  bool powers = llvm::all_of(scales, [](auto &s) { return s.isPowerOfTwo(); });
  if (powers && !halfEven) {
    // a >> (shift - 1) keeps the one bit that rounding half up looks at.
    for (size_t c = 0; c != channels; ++c)
      setExact(c, 1);
    point.postShift.assign(channels, 1);
    return point;
  }
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
    // Near-ties become ties when all but a few bits behind the point are
    // rounded away, which exact ones with more bits do not survive.
    auto isNear = [](const Scale &scale) { return !scale.isDyadic(); };
    bool hasDeepTies = exact && llvm::any_of(scales, [](const Scale &scale) {
                         return hasExactTies(scale) && scale.shift > kTieBits;
                       });
    if (ties.likely ||
        (!hasDeepTies && shareOfTies(scales, isNear) >= frequent)) {
      point.midShift = std::clamp(fraction - kTieBits, 0, 15);
      fraction = std::min(fraction, kTieBits + point.midShift);
    } else {
      fraction = std::min(fraction, kMostEvenBits);
    }
    point.addend = 1 << (fraction - 1);
    if (point.midShift)
      point.addend += 1 << (point.midShift - 1);
  }
  point.postShift.assign(channels, fraction - point.midShift);
  for (size_t c = 0; c != channels; ++c) {
    if (scales[c].isDyadic()) {
      setExact(c, fraction);
    } else {
      Multiplier m(scales[c].value);
      point.multiplier[c] = m.multiplier;
      point.preShift[c] = m.shift - fraction;
    }
  }
  return point;
}

/// Adds the zero point before rounding, by way of what the accumulator or the
/// product must contain anyway. An odd one changes which neighbour of a tie is
/// even, so that is done only if `ties` ask for it.
static void addZeroPointFirst(FixedPoint &point, ArrayRef<Interval> ranges,
                              const Ties &ties) {
  if (point.rounding != Rounding::HalfEven || point.midShift ||
      (point.zeroPoint % 2 != 0 && !ties.zeroPointFirst))
    return;
  if (point.addend) {
    if (ties.zeroPointFirst) {
      point.addend += point.zeroPoint * (1 << point.postShift.front());
      point.zeroPoint = 0;
    }
    return;
  }
  SmallVector<int64_t> offset;
  for (auto [old, shift, range] :
       llvm::zip(point.offset, point.postShift, ranges)) {
    offset.push_back(old + point.zeroPoint * (int64_t(1) << shift));
    if (range.lo + offset.back() < kLowestWord ||
        range.hi + offset.back() > kHighestWord)
      return;
  }
  point.offset = std::move(offset);
  point.zeroPoint = 0;
}

FailureOr<FixedPoint> acc::graph::deriveFixedPoint(ArrayRef<double> values,
                                                   ArrayRef<Interval> ranges,
                                                   OutputGrid output,
                                                   std::string &reason,
                                                   Ties ties) {
  SmallVector<Scale> scales;
  for (double value : values)
    scales.emplace_back(std::min(value, kLargestScale));
  FixedPoint point = chooseShifts(scales, ranges, output, ties);
  // Nothing but a shift: the result is clamped, and no bound is needed before.
  bool isShift =
      point.rounding == Rounding::HalfEven && !point.addend && !point.midShift;
  addZeroPointFirst(point, ranges, ties);

  bool clipLo = false, clipHi = false;
  for (size_t c = 0; c != scales.size(); ++c) {
    double largest =
        double(std::max(std::abs(ranges[c].lo), std::abs(ranges[c].hi)));
    if (!isShift && largest * scales[c].value < kNegligible)
      point.multiplier[c] = point.preShift[c] = 0;

    // A rounding shift by pre_shift is a shift of a sum with half its unit;
    // where the one bit kept for rounding half up is exact, none is needed.
    bool exact = point.rounding == Rounding::HalfUp &&
                 point.postShift[c] == 1 && scales[c].isPowerOfTwo();
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
    bool clampsSum = !ties.likely && !isShift;
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
  if (more && sum.requantize.rounding == Rounding::HalfEven) {
    sum.requantize.addend += int32_t(more);
    more = 0;
  }
  return sum;
}
