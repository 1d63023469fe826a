//===- Requantize.h - The ALU's requantize operation ------------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

/// What the operation `requantize` of the tensor ALU computes, an extension of
/// the published instruction set. It is the requantization of the integer
/// graph, whole, in one pass over the accumulators.

#ifndef ACC_VTA_ISA_REQUANTIZE_H
#define ACC_VTA_ISA_REQUANTIZE_H

#include "acc/vta/isa/Instruction.h"

#include <algorithm>

namespace acc::vta::isa {

/// The parameters of one accumulator. From the accumulator `a`:
///
///     x = a + bias                                     32 bits, wraps
///     p = (x >> pre_shift) * multiplier                47 bits, exact
///     q = p + (adds_half ? half(post_shift) + half(mid_shift) : 0)
///     z = q >> post_shift
///     y = z + zero_point, one less if the tie goes to the number below
///     result = min(max(y, lowest), highest)
///
/// where half(s) is (1 << s) >> 1, and shifts are arithmetic. A tie is a `q`
/// whose bits from mid_shift up to post_shift, which is not among them, are 0.
/// With ties_even, it goes to the number below where z is odd; with ties_odd
/// besides, where z is even, which is right where zero_point is odd and the sum
/// is to be even.
struct Requantize {
#define GET_REQUANTIZE_MEMBERS
#include "acc/vta/isa/Facts.inc"
  bool operator==(const Requantize &) const = default;

  static constexpr uint32_t kSources =
      kAluOpFacts[static_cast<int>(AluOp::Requantize)].sources;
  using Words = std::array<uint32_t, kSources>;

  /// What the sources hold for this accumulator, and back.
  Words encode() const {
    Words words = {};
    forEachField(*this, [&](int source, int at, int width, bool, auto value) {
      words[source] |= (uint32_t(value) & mask(width)) << at;
    });
    return words;
  }
  static Requantize decode(const Words &words) {
    Requantize result;
    forEachField(
        result, [&](int source, int at, int width, bool isSigned, auto &value) {
          uint32_t bits = words[source] >> at & mask(width);
          if (isSigned && width < 32 && (bits >> (width - 1) & 1))
            bits |= ~mask(width);
          value = static_cast<std::remove_reference_t<decltype(value)>>(bits);
        });
    return result;
  }
  /// In which source a parameter lies, and where.
  struct Place {
    int source = 0, at = 0, width = 0;
    bool isSigned = false;
  };
  template <typename T> static Place placeOf(T Requantize::*member) {
    Requantize p;
    Place result;
    forEachField(p, [&](int source, int at, int width, bool isSigned,
                        auto &value) {
      if constexpr (std::is_same_v<std::remove_reference_t<decltype(value)>, T>)
        if (&value == &(p.*member))
          result = {source, at, width, isSigned};
    });
    return result;
  }
  /// Whether every parameter fits its field.
  bool isEncodable() const { return decode(encode()) == *this; }

  int64_t getAddend() const {
    return addsHalf ? half(postShift) + half(midShift) : 0;
  }
  /// The bits of `q` that a tie does not have.
  int64_t getTieMask() const {
    return ((int64_t(1) << postShift) - 1) & ~((int64_t(1) << midShift) - 1);
  }

  /// `y`, for an x = a + bias.
  int64_t scale(int32_t x) const {
    const int64_t q =
        int64_t(x >> preShift) * int64_t(multiplier) + getAddend();
    const int64_t z = q >> postShift;
    const bool tie = tiesEven && (q & getTieMask()) == 0;
    return z + zeroPoint - (tie && ((z ^ int64_t(tiesOdd)) & 1) != 0);
  }
  int32_t operator()(int32_t a) const {
    const auto x = static_cast<int32_t>(static_cast<uint32_t>(a) +
                                        static_cast<uint32_t>(bias));
    return static_cast<int32_t>(
        std::min<int64_t>(std::max<int64_t>(scale(x), lowest), highest));
  }

private:
  static constexpr uint32_t mask(int width) {
    return width >= 32 ? ~0u : (1u << width) - 1;
  }
  static constexpr int64_t half(uint32_t shift) {
    return (int64_t(1) << shift) >> 1;
  }
  template <typename P, typename Fn> static void forEachField(P &p, Fn fn) {
#define GET_REQUANTIZE_FIELDS
#include "acc/vta/isa/Facts.inc"
  }
};

} // namespace acc::vta::isa

#endif // ACC_VTA_ISA_REQUANTIZE_H
