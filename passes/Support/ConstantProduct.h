//===- ConstantProduct.h - Constants that a matrix unit adds ----*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A matrix unit adds a constant to each of its outputs by the product of one
// constant input tile with a tile of weights. What it adds in one product, and
// when a product is quicker than a second operand of a vector unit, is said
// here: for the graph level, which prefers arithmetic with small constants, and
// for the accelerator, which makes the tiles. Nothing here needs more of LLVM
// than its headers.
//
//===----------------------------------------------------------------------===//

#ifndef ACC_PASSES_SUPPORT_CONSTANTPRODUCT_H
#define ACC_PASSES_SUPPORT_CONSTANTPRODUCT_H

#include "llvm/Support/MathExtras.h"

#include <algorithm>
#include <cstdint>

namespace acc {

/// A constant input tile that makes any sum of its lanes' products with weights
/// up to a limit: the first lanes hold powers of the number of weights, whose
/// products are the digits of a number, the others the largest input.
class ConstantProduct {
public:
  /// A vector unit adds a second operand in as many cycles as this many
  /// products take.
  static constexpr int64_t kMostProducts = 2;

  /// `input` and `weight` are the largest magnitudes of an input and a weight
  /// that are used on both sides of zero, `lanes` the inputs of one output.
  constexpr ConstantProduct(int64_t input, int64_t weight, int64_t lanes)
      : input(input), weight(weight), lanes(lanes) {
    // The digits must reach half of the largest input on both sides of zero.
    for (int64_t power = 1, reach = 0; reach < input / 2; ++digits) {
      reach += power * weight;
      power *= getBase();
    }
  }

  constexpr bool isPossible() const { return digits < lanes; }

  /// The largest magnitude that one product adds.
  constexpr int64_t getMost() const {
    return input * weight * (lanes - digits) + input / 2;
  }

  /// How many products add numbers of magnitudes up to `largest`; more than
  /// kMostProducts if they cannot.
  int64_t count(int64_t largest) const {
    return isPossible() ? llvm::divideCeil(largest, getMost())
                        : kMostProducts + 1;
  }

  int64_t getInput(int64_t lane) const {
    if (lane >= digits)
      return input;
    int64_t power = 1;
    for (; lane > 0; --lane)
      power *= getBase();
    return power;
  }

  /// The weights of all lanes for a sum that is not beyond the largest.
  void write(int64_t sum, char *weights) const {
    int64_t multiples = llvm::divideFloorSigned(sum + input / 2, input);
    int64_t rest = sum - multiples * input;
    for (int64_t lane = 0; lane < lanes; ++lane) {
      int64_t share;
      if (lane < digits) {
        int64_t others = llvm::divideFloorSigned(rest + weight, getBase());
        share = rest - others * getBase();
        rest = others;
      } else {
        share = std::clamp(multiples, -weight, weight);
        multiples -= share;
      }
      weights[lane] = char(share);
    }
  }

private:
  constexpr int64_t getBase() const { return 2 * weight + 1; }

  int64_t input, weight, lanes, digits = 0;
};

} // namespace acc

#endif // ACC_PASSES_SUPPORT_CONSTANTPRODUCT_H
