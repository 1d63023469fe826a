//===- Requantization.h - How accumulators become outputs -------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Chooses the shifts and multipliers of graph.requantize. The compiler does so
// for any number of channels; compiled code for one, where it is the run that
// tells how many elements a mean has (Native/MeanParameters.cpp). What holds
// one value per channel is a template for that reason, and nothing here needs
// more of LLVM than its headers.
//
//===----------------------------------------------------------------------===//

#ifndef ACC_PASSES_GRAPH_REQUANTIZATION_H
#define ACC_PASSES_GRAPH_REQUANTIZATION_H

#include "passes/Graph/RequantizationForm.h"
#include "passes/Graph/RoundingDown.h"
#include "passes/Graph/Scale.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"

#include <algorithm>
#include <cmath>

namespace acc::graph {

/// The most fraction bits with which half an output step and a zero point fit
/// beside all that eight bits can tell apart.
constexpr int kMostEvenBits = 22;

/// The share of accumulators that lie between two outputs from which on it
/// counts how ties are decided.
constexpr double kFrequentTies = 1.0 / (1 << kTieBits);

/// What a scale alone does not tell about ties.
struct Ties {
  /// They are frequent although the scale is not one that makes them so.
  bool likely = false;
  /// Accumulators are so small that all results fit 32 bits before they
  /// saturate.
  bool fits = false;
  /// They are decided after an odd zero point is added.
  bool zeroPointFirst = false;
  /// They go up, and not to the even neighbour, which takes fewer steps.
  bool up = false;
  /// Accumulators are rounded themselves, so that a tie among them means
  /// nothing.
  bool approximate = false;
  /// By how much they are, in output steps.
  double spentError = 0;
  /// Set if every accumulator has a bias, which may be rounded to a multiple of
  /// what the first shift divides by: the largest of them.
  std::optional<int64_t> largestBias;
};

/// Whether a channel has ties that must be decided as ONNX Runtime does.
inline bool hasExactTies(const Scale &scale) {
  return scale.isPowerOfTwo() && scale.shift > 0 && scale.isExact();
}

/// The shifts of powers of two, where one shift of at most kMostPostShift does
/// for each of them; else none.
template <template <typename> class Vector>
Vector<int32_t> getPlainShifts(llvm::ArrayRef<Scale> scales,
                               llvm::ArrayRef<Interval> ranges) {
  Vector<int32_t> shifts;
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
double shareOfTies(llvm::ArrayRef<Scale> scales, Predicate counts) {
  double share = 0;
  for (const Scale &scale : scales)
    if (counts(scale))
      share += scale.ties / scales.size();
  return share;
}

/// Chooses shifts and multipliers; the clip bounds follow from them.
template <template <typename> class Vector>
Requantization<Vector> chooseShifts(llvm::ArrayRef<Scale> scales,
                                    llvm::ArrayRef<Interval> ranges,
                                    OutputGrid output, Ties ties) {
  Requantization<Vector> point;
  point.zeroPoint = output.zeroPoint;
  size_t channels = scales.size();
  point.preShift.assign(channels, 0);
  point.multiplier.assign(channels, 0);
  point.postShift.assign(channels, 0);
  point.offset.assign(channels, 0);

  auto any = [](const Scale &) { return true; };
  bool exact = !ties.approximate && llvm::any_of(scales, hasExactTies);
  bool tied = exact || ties.likely || shareOfTies(scales, any) >= kFrequentTies;
  bool halfEven = tied && !ties.up;
  bool dyadic = llvm::all_of(scales, [](auto &s) { return s.isDyadic(); });
  // Of ties that go up, those of fractions are exact; others are as near to the
  // real number as anything else is.
  bool mayApproximate = ties.up ? !dyadic : !tied;
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
  Vector<int32_t> shifts;
  if (!ties.likely || ties.up)
    shifts = getPlainShifts<Vector>(scales, ranges);
  if (!shifts.empty()) {
    // Nothing is multiplied and nothing dropped before the one shift, so that
    // every tie is seen. Half an output step comes with the accumulator.
    point.rounding = halfEven ? RoundingForm::HalfEven : RoundingForm::Down;
    point.isShift = point.clipsLast = true;
    point.multiplier.assign(channels, 1);
    for (auto [offset, shift] : llvm::zip(point.offset, shifts))
      offset = int64_t(1) << (shift - 1);
    point.postShift = std::move(shifts);
    return point;
  }
  if (mayApproximate)
    if (auto down = RoundingDown<Vector>(scales, ranges, output,
                                         ties.spentError, ties.largestBias)
                        .choose())
      return *down;
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
    point.rounding = RoundingForm::HalfEven;
    // Clamping the result instead of the sum keeps the bounds small.
    point.clipsLast = ties.fits;
    // Near-ties become ties when all but a few bits behind the point are
    // rounded away, which exact ones with more bits do not survive.
    auto isNear = [](const Scale &scale) { return !scale.isDyadic(); };
    bool hasDeepTies = exact && llvm::any_of(scales, [](const Scale &scale) {
                         return hasExactTies(scale) && scale.shift > kTieBits;
                       });
    if (ties.likely ||
        (!hasDeepTies && shareOfTies(scales, isNear) >= kFrequentTies)) {
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
/// even, so that is done only if `ties` ask for it or ties go up.
template <template <typename> class Vector>
void addZeroPointFirst(Requantization<Vector> &point,
                       llvm::ArrayRef<Interval> ranges, const Ties &ties) {
  bool halfEven = point.rounding == RoundingForm::HalfEven;
  // Where results saturate first there is room for it behind the product.
  if (halfEven && point.addend && (!point.midShift || !point.clipsLast) &&
      ties.zeroPointFirst) {
    point.addend +=
        point.zeroPoint * (1 << (point.postShift.front() + point.midShift));
    point.zeroPoint = 0;
  }
  if (!point.isShift ||
      (halfEven && point.zeroPoint % 2 != 0 && !ties.zeroPointFirst))
    return;
  Vector<int64_t> offset;
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

/// Everything but the clip bounds, which come from what these parameters do to
/// accumulators within `ranges`. `scales` are at most kLargestScale.
template <template <typename> class Vector>
Requantization<Vector> chooseParameters(llvm::ArrayRef<Scale> scales,
                                        llvm::ArrayRef<Interval> ranges,
                                        OutputGrid output, Ties ties) {
  auto point = chooseShifts<Vector>(scales, ranges, output, ties);
  addZeroPointFirst(point, ranges, ties);
  if (point.rounding == RoundingForm::Down || point.isShift)
    return point;
  for (size_t c = 0; c != scales.size(); ++c) {
    double largest =
        double(std::max(std::abs(ranges[c].lo), std::abs(ranges[c].hi)));
    if (largest * scales[c].value < kNegligible)
      point.multiplier[c] = point.preShift[c] = 0;
    // A rounding shift by pre_shift is a shift of a sum with half its unit;
    // where the one bit kept for rounding half up is exact, none is needed.
    bool exact = point.rounding == RoundingForm::HalfUp &&
                 point.postShift[c] == 1 && scales[c].isPowerOfTwo();
    if (point.preShift[c] > 0 && !exact)
      point.offset[c] = int64_t(1) << (point.preShift[c] - 1);
  }
  return point;
}

/// By what the sum of the stored integers of `count` elements, moved by
/// `offset`, becomes their mean in steps of the output, and what that sum can
/// be.
struct MeanScale {
  double scale;
  int64_t offset;
  Interval range;
};

inline MeanScale getMeanScale(double inputScale, int64_t zeroPoint, int64_t lo,
                              int64_t hi, double outputScale, int64_t count) {
  return {getRatio(inputScale, {outputScale, double(count)}),
          -zeroPoint * count,
          {(lo - zeroPoint) * count, (hi - zeroPoint) * count}};
}

} // namespace acc::graph

#endif // ACC_PASSES_GRAPH_REQUANTIZATION_H
