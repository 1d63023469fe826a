//===- Placement.cpp - Buffers in one memory ------------------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Support/Placement.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/MathExtras.h"

using namespace llvm;
using namespace acc;

int64_t acc::placePieces(MutableArrayRef<Piece> pieces, Spacing spacing) {
  auto [alignment, guard] = spacing;
  auto align = [alignment = alignment](int64_t offset) {
    return static_cast<int64_t>(alignTo(offset, alignment));
  };
  SmallVector<Piece *> order;
  for (Piece &piece : pieces)
    order.push_back(&piece);
  stable_sort(order, [](Piece *a, Piece *b) { return a->size > b->size; });
  SmallVector<Piece *> placed;
  int64_t total = 0;
  for (Piece *piece : order) {
    // `placed` is sorted by offset: the first gap that is large enough wins.
    int64_t offset = align(guard);
    for (Piece *other : placed) {
      if (!other->overlapsInTime(*piece))
        continue;
      if (offset + piece->size + guard <= other->offset)
        break;
      offset = std::max(offset, align(other->end() + guard));
    }
    piece->offset = offset;
    placed.insert(
        upper_bound(placed, piece,
                    [](Piece *a, Piece *b) { return a->offset < b->offset; }),
        piece);
    total = std::max(total, piece->end() + guard);
  }
  return align(total);
}
