//===- Scale.h - Real factors as integers and shifts ------------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_PASSES_GRAPH_SCALE_H
#define ACC_PASSES_GRAPH_SCALE_H

#include "llvm/ADT/ArrayRef.h"

#include <cstdint>

namespace acc::graph {

/// The most fraction bits at which exact ties are told from their neighbours.
constexpr int kTieBits = 7;

/// A scale, and the fraction it is when it is a simple one. Scales are products
/// and quotients of float32 values; two that differ by less than 2^-20 of
/// themselves are taken to be the same number.
struct Scale {
  double value;
  /// value == numerator / 2^shift, with numerator < 2^15; else numerator is 0.
  /// Shifts over kTieBits are recognized for powers of two only.
  int32_t numerator = 0, shift = 0;
  /// Share of the accumulators that fall exactly between two outputs.
  double ties = 0;

  explicit Scale(double value);

  bool isDyadic() const { return numerator != 0; }
  bool isPowerOfTwo() const { return numerator == 1; }
  /// Whether the scale is the fraction, and not only near to it.
  bool isExact() const;
};

/// The product of `factors` over the product of `divisors`, all of them float32
/// numbers. Where float32 arithmetic, from left to right as ONNX Runtime
/// computes scales, makes a power of two of them, it is that power: then ONNX
/// Runtime's results are exact, and so are its ties.
double getRatio(llvm::ArrayRef<double> factors,
                llvm::ArrayRef<double> divisors);

/// value == multiplier * 2^-shift up to half a unit of the 15-bit multiplier,
/// which lies in [2^14, 2^15).
struct Multiplier {
  int32_t multiplier, shift;

  explicit Multiplier(double value);
};

/// Whether some d up to 64 makes all values multiples of 1 / d, and the least
/// such d is even: then exact ties occur.
bool haveEvenDenominator(llvm::ArrayRef<double> values, int64_t &denominator);

/// Rounds to an integer of 15 significant bits and a sign.
int64_t roundToMultiplier(double value);

} // namespace acc::graph

#endif // ACC_PASSES_GRAPH_SCALE_H
