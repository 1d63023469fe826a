//===- FixedPoint.cpp - Parameters of integer requantization --------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Graph/FixedPoint.h"

#include "llvm/ADT/SmallVectorExtras.h"

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
        postShift(point.postShift[point.postShift.size() == 1 ? 0 : channel]) {}

  Wide operator()(int64_t acc) const {
    Wide a = preShift >= 0 ? Wide(acc) >> preShift : Wide(acc) << -preShift;
    Wide p = a * multiplier;
    if (point.rounding == RoundingForm::Down)
      return (p >> postShift) + point.zeroPoint;
    if (point.rounding == RoundingForm::HalfUp)
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
    int64_t slack = point.getBiasError(c);
    Interval range{ranges[c].lo + point.offset[c] - slack,
                   ranges[c].hi + point.offset[c] + slack};
    if (range.lo < kLowestWord || range.hi > kHighestWord) {
      reason = "the accumulator may exceed 32 bits";
      return failure();
    }

    Evaluator evaluate(point, c);
    int64_t lo = kLowestWord, hi = kHighestWord;
    if (!point.clipsLast && evaluate(range.hi) > output.hi) {
      hi = evaluate.firstReaching(output.hi);
      clipHi = true;
    }
    if (!point.clipsLast && evaluate(range.lo) < output.lo) {
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
  int32_t bits = 1;
  while (!llvm::isIntN(bits, output.lo) || !llvm::isIntN(bits, output.hi))
    ++bits;
  if (bits < 8)
    point.bits = bits;
  return point;
}

namespace {

/// Multipliers of 8 bits, what a unit of their sum is in output steps, and how
/// far the sum is from the real one.
struct SmallFactors {
  SmallVector<int64_t> factors;
  double unit = 0, error = 0;
};

} // namespace

/// The magnitude that an operand minus its zero point can have.
static double getReach(Interval operand) {
  return double(std::max(std::abs(operand.lo), std::abs(operand.hi)));
}

/// Factors up to `largestFactors` for one operand or two, such that what a unit
/// of the sum stands for is as small, and the sum as exact, as can be. Of two
/// operands the ratio of the factors must be near to that of the scales; among
/// 127 fractions for each of them there is one that is off by less than 2^-12
/// as a rule. Factors with which what the sum must contain fits an immediate
/// are preferred.
static std::optional<SmallFactors>
findSmallFactors(ArrayRef<double> ratios, ArrayRef<Interval> operands,
                 ArrayRef<int32_t> zeroPoints, OutputGrid output,
                 ArrayRef<int64_t> largestFactors) {
  if (ratios.size() > 2)
    return std::nullopt;
  std::optional<SmallFactors> best;
  bool bestFits = false;
  // The best unit is exact for one of the operands.
  for (size_t base = 0; base != ratios.size(); ++base)
    for (int64_t factor = 1; factor <= largestFactors[base]; ++factor) {
      SmallFactors found;
      found.unit = std::abs(ratios[base]) / double(factor);
      bool isSmall = true;
      double bias = (output.zeroPoint + 0.5) / found.unit;
      for (auto [ratio, operand, zeroPoint, largestFactor] :
           llvm::zip(ratios, operands, zeroPoints, largestFactors)) {
        int64_t nearest = std::llround(ratio / found.unit);
        isSmall &= nearest != 0 && std::abs(nearest) <= largestFactor;
        found.error +=
            getReach(operand) * std::abs(double(nearest) * found.unit - ratio);
        found.factors.push_back(nearest);
        bias -= double(zeroPoint) * double(nearest);
      }
      bool fits = std::abs(bias) < double(kLargestImmediate);
      auto cost = [](bool fits, const SmallFactors &factors) {
        return std::pair(!fits, factors.error + factors.unit / 2);
      };
      if (isSmall && (!best || cost(fits, found) < cost(bestFits, *best))) {
        best = found;
        bestFits = fits;
      }
    }
  return best;
}

FailureOr<WeightedSum>
acc::graph::deriveWeightedSum(ArrayRef<double> ratios,
                              ArrayRef<Interval> operands,
                              ArrayRef<int32_t> zeroPoints, OutputGrid output,
                              std::string &reason, Ties ties) {
  SmallVector<double> limited(ratios);
  if (limited.size() == 1)
    limited[0] = std::copysign(std::min(std::abs(limited[0]), kLargestScale),
                               limited[0]);
  double largest = 0, reach = 0;
  for (auto [ratio, operand] : llvm::zip(limited, operands)) {
    largest = std::max(largest, std::abs(ratio));
    reach += std::abs(ratio) * getReach(operand);
  }

  // Fractions with few bits make an exact sum; of powers of two, those that
  // ONNX Runtime computes exactly too count at any number of bits.
  int bits = 0, exactBits = 0;
  bool exact = reach >= kNegligible;
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
    ties.likely = !ties.up && haveEvenDenominator(limited, denominator) &&
                  bits > kTieBits && bits <= kTieBits + 15;
    ties.fits = ties.likely;
  }

  auto sumRange = [&](ArrayRef<int64_t> factors) {
    Interval range;
    for (auto [factor, operand] : llvm::zip(factors, operands)) {
      int64_t atLo = operand.lo * factor, atHi = operand.hi * factor;
      range.lo += std::min(atLo, atHi);
      range.hi += std::max(atLo, atHi);
    }
    return range;
  };
  WeightedSum sum;
  // The products are those of 8-bit integers, or two of them for an operand. An
  // operand that is computed on the spot takes one multiplication anyway, which
  // is the first of a residual connection as a rule.
  constexpr int64_t one = 127, two = 2 * one;
  for (auto [first, second] : {std::pair(one, one), std::pair(two, one),
                               std::pair(one, two), std::pair(two, two)}) {
    if (exact || ties.likely || reach < kNegligible)
      break;
    auto small = findSmallFactors(limited, operands, zeroPoints, output,
                                  {first, second});
    if (!small)
      continue;
    Ties spent = ties;
    spent.approximate = true;
    spent.spentError = small->error;
    FailureOr<FixedPoint> point = deriveFixedPoint(
        small->unit, sumRange(small->factors), output, reason, spent);
    if (failed(point) || point->rounding != RoundingForm::Down)
      continue;
    sum.multipliers.assign(small->factors.begin(), small->factors.end());
    sum.requantize = std::move(*point);
    return sum;
  }

  SmallVector<int64_t> factors;
  for (double ratio : limited) {
    factors.push_back(
        reach < kNegligible ? 0 : roundToMultiplier(std::ldexp(ratio, bits)));
    if (std::abs(factors.back()) > kHighestWord) {
      reason = "the scales of operands and result differ too much";
      return failure();
    }
    sum.multipliers.push_back(int32_t(factors.back()));
  }
  ties.approximate = !exact;
  FailureOr<FixedPoint> point = deriveFixedPoint(
      std::ldexp(1.0, -bits), sumRange(factors), output, reason, ties);
  if (failed(point))
    return failure();
  sum.requantize = std::move(*point);
  return sum;
}
