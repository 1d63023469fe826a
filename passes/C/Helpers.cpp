//===- Helpers.cpp - Functions that the C code defines for itself ---------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/C/Helpers.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/ErrorHandling.h"

using llvm::StringRef;

namespace {

struct Helper {
  StringRef name;
  /// Another helper that this one calls.
  StringRef calls;
  StringRef text;
};

} // namespace

/// A helper that is called by another stands before it.
static const Helper kHelpers[] = {
    {"acc_bits_f32", "",
     "static inline int32_t acc_bits_f32(float x) {\n"
     "  int32_t bits;\n"
     "  memcpy(&bits, &x, sizeof bits);\n"
     "  return bits;\n"
     "}"},
    {"acc_f32_of_bits", "",
     "static inline float acc_f32_of_bits(int32_t bits) {\n"
     "  float x;\n"
     "  memcpy(&x, &bits, sizeof x);\n"
     "  return x;\n"
     "}"},
    {"acc_bits_f64", "",
     "static inline int64_t acc_bits_f64(double x) {\n"
     "  int64_t bits;\n"
     "  memcpy(&bits, &x, sizeof bits);\n"
     "  return bits;\n"
     "}"},
    {"acc_f64_of_bits", "",
     "static inline double acc_f64_of_bits(int64_t bits) {\n"
     "  double x;\n"
     "  memcpy(&x, &bits, sizeof x);\n"
     "  return x;\n"
     "}"},
    {"acc_f32_of_f16", "acc_f32_of_bits",
     "/* The value of an IEEE half. A subnormal one is a multiple of 2^-24. "
     "*/\n"
     "static inline float acc_f32_of_f16(uint16_t half) {\n"
     "  uint32_t sign = (uint32_t)(half & 0x8000u) << 16;\n"
     "  uint32_t exponent = (half >> 10) & 0x1fu;\n"
     "  uint32_t fraction = half & 0x3ffu;\n"
     "  if (exponent == 0) {\n"
     "    float small = (float)fraction * 0x1p-24f;\n"
     "    return sign ? -small : small;\n"
     "  }\n"
     "  exponent = exponent == 0x1fu ? 0xffu : exponent + 112u;\n"
     "  return acc_f32_of_bits((int32_t)(sign | exponent << 23 | fraction << "
     "13));\n"
     "}"},
    {"acc_f16_of_f32", "acc_bits_f32",
     "/* The nearest IEEE half, ties to even. */\n"
     "static inline uint16_t acc_f16_of_f32(float x) {\n"
     "  uint32_t bits = (uint32_t)acc_bits_f32(x);\n"
     "  uint32_t sign = bits >> 16 & 0x8000u;\n"
     "  uint32_t magnitude = bits & 0x7fffffffu;\n"
     "  uint32_t kept, rest, half;\n"
     "  if (magnitude > 0x7f800000u) /* NaN */\n"
     "    return (uint16_t)(sign | 0x7e00u | (magnitude >> 13 & 0x3ffu));\n"
     "  if (magnitude >= 0x47800000u) /* 65536 or more */\n"
     "    return (uint16_t)(sign | 0x7c00u);\n"
     "  if (magnitude < 0x33000000u) /* less than half of the least one */\n"
     "    return (uint16_t)sign;\n"
     "  if (magnitude < 0x38800000u) { /* subnormal */\n"
     "    uint32_t shift = 126u - (magnitude >> 23);\n"
     "    uint32_t fraction = (magnitude & 0x7fffffu) | 0x800000u;\n"
     "    kept = fraction >> shift;\n"
     "    rest = fraction & ((1u << shift) - 1u);\n"
     "    half = 1u << (shift - 1u);\n"
     "  } else {\n"
     "    kept = (magnitude - 0x38000000u) >> 13;\n"
     "    rest = magnitude & 0x1fffu;\n"
     "    half = 0x1000u;\n"
     "  }\n"
     "  if (rest > half || (rest == half && (kept & 1u)))\n"
     "    kept += 1u;\n"
     "  return (uint16_t)(sign | kept);\n"
     "}"},
    {"acc_odd_f32_of_f64", "",
     "/* A float that rounds to smaller types as `x` does: inexact results are "
     "odd. */\n"
     "static inline float acc_odd_f32_of_f64(double x) {\n"
     "  float near = (float)x;\n"
     "  int32_t bits;\n"
     "  if (near - near != 0.0f || (double)near == x)\n"
     "    return near;\n"
     "  memcpy(&bits, &near, sizeof bits);\n"
     "  if (!(bits & 1))\n"
     "    bits += fabs((double)near) < fabs(x) ? 1 : -1;\n"
     "  memcpy(&near, &bits, sizeof near);\n"
     "  return near;\n"
     "}"},
    {"acc_leading_zeros", "",
     "static inline int acc_leading_zeros(uint64_t x, int bits) {\n"
     "  int count = 0;\n"
     "  while (count < bits && !(x >> (bits - 1 - count) & 1u))\n"
     "    ++count;\n"
     "  return count;\n"
     "}"},
    {"acc_trailing_zeros", "",
     "static inline int acc_trailing_zeros(uint64_t x, int bits) {\n"
     "  int count = 0;\n"
     "  while (count < bits && !(x >> count & 1u))\n"
     "    ++count;\n"
     "  return count;\n"
     "}"},
    {"acc_count_ones", "",
     "static inline int acc_count_ones(uint64_t x, int bits) {\n"
     "  int count = 0;\n"
     "  for (int i = 0; i < bits; ++i)\n"
     "    count += (int)(x >> i & 1u);\n"
     "  return count;\n"
     "}"},
    {"acc_high_product", "",
     "/* The upper half of a product of 64 by 64 bits. */\n"
     "static inline uint64_t acc_high_product(uint64_t a, uint64_t b) {\n"
     "  uint64_t al = a & 0xffffffffu, ah = a >> 32;\n"
     "  uint64_t bl = b & 0xffffffffu, bh = b >> 32;\n"
     "  uint64_t low = al * bl, middle = ah * bl + (low >> 32);\n"
     "  uint64_t other = al * bh + (middle & 0xffffffffu);\n"
     "  return ah * bh + (middle >> 32) + (other >> 32);\n"
     "}"},
    {"acc_power_i64", "",
     "static inline int64_t acc_power_i64(int64_t base, int64_t exponent) {\n"
     "  uint64_t result = 1, factor = (uint64_t)base;\n"
     "  if (exponent < 0)\n"
     "    return base == 1 ? 1 : base == -1 ? (exponent & 1 ? -1 : 1) : 0;\n"
     "  for (; exponent; exponent >>= 1, factor *= factor)\n"
     "    if (exponent & 1)\n"
     "      result *= factor;\n"
     "  return (int64_t)result;\n"
     "}"},
};

static const Helper &find(StringRef name) {
  for (const Helper &helper : kHelpers)
    if (helper.name == name)
      return helper;
  llvm_unreachable("no helper has this name");
}

StringRef acc::c::Helpers::use(StringRef name) {
  const Helper &helper = find(name);
  if (!helper.calls.empty())
    use(helper.calls);
  used.insert(helper.name);
  return helper.name;
}

llvm::SmallVector<StringRef> acc::c::Helpers::getDefinitions() const {
  llvm::SmallVector<StringRef> texts;
  for (StringRef name : used)
    texts.push_back(find(name).text);
  return texts;
}

StringRef acc::c::getPrelude() {
  return R"(
/* Right shifts of negative numbers and narrowing conversions of integers are
   the implementation's choice in C11; this code wants the usual one. */
_Static_assert((-1 >> 1) == -1, "right shifts must keep the sign");
_Static_assert((int32_t)UINT32_MAX == -1, "conversions must wrap");
_Static_assert(sizeof(float) == 4 && sizeof(double) == 8, "floats must be those of IEEE 754");

/* Products and sums are rounded one by one. GCC does so with -std=c11. */
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#endif

/* The arena holds elements of different types at different times. */
#if defined(__GNUC__)
#define ACC_MAY_ALIAS __attribute__((may_alias))
#else
#define ACC_MAY_ALIAS
#endif
typedef float ACC_MAY_ALIAS acc_f32;
typedef double ACC_MAY_ALIAS acc_f64;
typedef int16_t ACC_MAY_ALIAS acc_i16;
typedef int32_t ACC_MAY_ALIAS acc_i32;
typedef int64_t ACC_MAY_ALIAS acc_i64;
typedef uint16_t ACC_MAY_ALIAS acc_u16;

/* The elements that lie `bytes` behind `base`. */
#define ACC_AT(type, base, bytes) ((type *)(void *)((unsigned char *)(base) + (bytes)))
)";
}
