//===- HalfFloats.c - Conversions of half floats --------------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// LLVM calls these functions for processors without instructions for floats of
// 16 bits, such as RISC-V's without Zfhmin. The builtins of the compiler have
// them, but there are none of other architectures on this machine, and the
// libgcc of Debian 12 lacks them for RISC-V.
//
//===----------------------------------------------------------------------===//

#include <stdint.h>
#include <string.h>

static float toFloat(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof(value));
  return value;
}

static uint32_t toBits(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof(bits));
  return bits;
}

float __extendhfsf2(_Float16 half) {
  uint16_t bits;
  memcpy(&bits, &half, sizeof(bits));
  uint32_t sign = (uint32_t)(bits & 0x8000) << 16;
  uint32_t exponent = (bits >> 10) & 31, fraction = bits & 0x3ff;
  if (exponent == 0) // Denormal numbers are multiples of the least one.
    return toFloat(sign | toBits((float)fraction * 0x1p-24F));
  uint32_t wide = exponent == 31 ? 255 : exponent + 127 - 15;
  return toFloat(sign | wide << 23 | fraction << 13);
}

_Float16 __truncsfhf2(float value) {
  uint32_t bits = toBits(value), magnitude = bits & 0x7fffffff;
  uint32_t result;
  if (magnitude > 0x7f800000) // A quiet NaN.
    result = 0x7e00 | ((magnitude >> 13) & 0x3ff);
  else if (magnitude >= toBits(65520.0F)) // Half a step beyond the largest.
    result = 0x7c00;
  else if (magnitude >= toBits(0x1p-14F)) {
    uint32_t shifted = magnitude - ((127 - 15) << 23);
    result = (shifted + 0xfff + ((shifted >> 13) & 1)) >> 13;
  } else // The sum is rounded to multiples of the least denormal number.
    result = toBits(toFloat(magnitude) + 0.5F) - toBits(0.5F);
  uint16_t half = (uint16_t)(result | bits >> 31 << 15);
  _Float16 converted;
  memcpy(&converted, &half, sizeof(converted));
  return converted;
}

/// Rounds to a float with an odd fraction where there is no equal one, so that
/// a second rounding, to less, is right.
static float roundToOdd(double value) {
  float near = (float)value;
  if (value != value || (double)near == value)
    return near;
  uint32_t bits = toBits(near);
  if (__builtin_fabs((double)near) > __builtin_fabs(value))
    --bits;
  return toFloat(bits | 1);
}

_Float16 __truncdfhf2(double value) { return __truncsfhf2(roundToOdd(value)); }

__bf16 __truncsfbf2(float value) {
  uint32_t bits = toBits(value);
  uint16_t upper = value != value
                       ? (uint16_t)(bits >> 16 | 0x40) // A quiet NaN.
                       : (uint16_t)((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
  __bf16 converted;
  memcpy(&converted, &upper, sizeof(converted));
  return converted;
}

__bf16 __truncdfbf2(double value) { return __truncsfbf2(roundToOdd(value)); }
