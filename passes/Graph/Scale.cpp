//===- Scale.cpp - Real factors as integers and shifts --------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Graph/Scale.h"

#include "llvm/ADT/STLExtras.h"

#include <cmath>

using namespace acc::graph;

static bool isNear(double value, double target) {
  return std::abs(value - target) <= 0x1p-20 * std::abs(target);
}

bool acc::graph::haveEvenDenominator(llvm::ArrayRef<double> values,
                                     int64_t &denominator) {
  for (denominator = 1; denominator <= 64; ++denominator)
    if (llvm::all_of(values, [&](double value) {
          double scaled = std::abs(value) * double(denominator);
          double nearest = std::round(scaled);
          return nearest >= 1 && isNear(scaled, nearest);
        }))
      return denominator % 2 == 0;
  return false;
}

Scale::Scale(double value) : value(value) {
  for (int bits = 0; bits <= kTieBits; ++bits) {
    double scaled = std::ldexp(value, bits), nearest = std::round(scaled);
    if (nearest < 1 || nearest >= 1 << 15 || !isNear(scaled, nearest))
      continue;
    numerator = int32_t(nearest);
    shift = bits;
    ties = bits ? std::ldexp(1.0, -bits) : 0;
    return;
  }
  int exponent;
  double fraction = std::frexp(value, &exponent);
  for (double power : {0.5, 1.0})
    if (isNear(fraction, power)) {
      numerator = 1;
      shift = (power == 0.5 ? 1 : 0) - exponent;
      return;
    }
  int64_t denominator;
  if (haveEvenDenominator(value, denominator))
    ties = 1.0 / double(denominator);
}

bool Scale::isExact() const {
  return isDyadic() && value == std::ldexp(double(numerator), -shift);
}

double acc::graph::getRatio(llvm::ArrayRef<double> factors,
                            llvm::ArrayRef<double> divisors) {
  auto multiply = [](auto one, llvm::ArrayRef<double> numbers) {
    for (double number : numbers)
      one *= static_cast<decltype(one)>(number);
    return one;
  };
  float rounded = multiply(1.0f, factors) / multiply(1.0f, divisors);
  int exponent;
  if (rounded > 0 && std::frexp(rounded, &exponent) == 0.5f)
    return rounded;
  return multiply(1.0, factors) / multiply(1.0, divisors);
}

Multiplier::Multiplier(double value) {
  int exponent;
  multiplier = int32_t(std::lround(std::frexp(value, &exponent) * (1 << 15)));
  shift = 15 - exponent;
  if (multiplier == 1 << 15) {
    multiplier >>= 1;
    --shift;
  }
}

int64_t acc::graph::roundToMultiplier(double value) {
  int excess = std::max(0, std::ilogb(value) - 14);
  return std::llround(std::ldexp(value, -excess)) * (int64_t(1) << excess);
}
