//===- IntegerSum.h - Instructions for sums of bytes ------------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_DIALECTS_CPU_INTEGERSUM_H
#define ACC_DIALECTS_CPU_INTEGERSUM_H

#include "llvm/ADT/StringRef.h"

#include <cstdint>

namespace acc::cpu {

/// In what form an instruction that sums products of bytes takes them. All of
/// them give the exact sum in 32 bits.
struct IntegerSum {
  llvm::StringLiteral instruction;
  /// Products that one lane adds at once.
  int64_t pack;
  /// Of an input's element, as it is copied before the sum.
  unsigned bits;
  /// Whether inputs become 128 more than they are.
  bool isUnsigned = false;

  /// Weights stay bytes where inputs do.
  bool takesBytes() const { return bits == 8; }

  /// Null if there is no such instruction; "" is the form without any.
  static const IntegerSum *find(llvm::StringRef instruction);
};

} // namespace acc::cpu

#endif // ACC_DIALECTS_CPU_INTEGERSUM_H
