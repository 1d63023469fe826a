//===- Helpers.h - Functions that the C code defines for itself -*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_PASSES_C_HELPERS_H
#define ACC_PASSES_C_HELPERS_H

#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringRef.h"

namespace acc::c {

/// What neither C's operators nor its library have: functions that are defined
/// in the source if they are called.
class Helpers {
public:
  /// Takes note of a call of a helper, and of those that it calls; returns its
  /// name.
  llvm::StringRef use(llvm::StringRef name);

  /// The definitions of all that are called, in order.
  llvm::SmallVector<llvm::StringRef> getDefinitions() const;

private:
  llvm::SetVector<llvm::StringRef> used;
};

/// What every source begins with, behind its includes.
llvm::StringRef getPrelude();

} // namespace acc::c

#endif // ACC_PASSES_C_HELPERS_H
