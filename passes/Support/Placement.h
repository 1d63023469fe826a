//===- Placement.h - Buffers in one memory ----------------------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_PASSES_SUPPORT_PLACEMENT_H
#define ACC_PASSES_SUPPORT_PLACEMENT_H

#include "llvm/ADT/ArrayRef.h"

#include <cstdint>

namespace acc {

/// A piece of a memory that is in use from operation `first` to `last`.
struct Piece {
  int64_t size = 0, first = 0, last = 0, offset = 0;

  int64_t end() const { return offset + size; }
  bool overlapsInTime(const Piece &other) const {
    return first <= other.last && other.first <= last;
  }
};

/// How much the pieces have to be apart: offsets are multiples of `alignment`,
/// and `guard` units before and behind a piece belong to no other one.
struct Spacing {
  int64_t alignment = 1, guard = 0;
};

/// Places every piece as low as those in use with it allow, large ones first.
/// Returns the size of the memory that this takes.
int64_t placePieces(llvm::MutableArrayRef<Piece> pieces, Spacing spacing = {});

} // namespace acc

#endif // ACC_PASSES_SUPPORT_PLACEMENT_H
