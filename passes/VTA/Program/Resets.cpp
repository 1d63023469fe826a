//===- Resets.cpp - Accumulators that begin at zero -----------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A reset takes a step for every accumulator. Where products can set their
// destinations, it is put off until it is known what meets them first: a
// product that meets all of them, and nothing else, sets them in the steps that
// it takes anyway.
//
//===----------------------------------------------------------------------===//

#include "passes/VTA/Program/Emitter.h"

using namespace mlir;
using namespace acc;
using namespace acc::vta;

namespace {
/// The entries that loops reach, one each: the first, and sizes and strides in
/// the order of the strides, as few as possible.
struct Entries {
  int64_t first = 0;
  SmallVector<std::pair<int64_t, int64_t>> strides;

  void add(int64_t size, int64_t stride) {
    if (stride < 0)
      first += stride * (size - 1);
    if (size > 1)
      strides.push_back({std::abs(stride), size});
  }

  void simplify() {
    llvm::sort(strides);
    SmallVector<std::pair<int64_t, int64_t>> merged;
    for (auto [stride, size] : strides)
      if (!merged.empty() &&
          stride == merged.back().first * merged.back().second)
        merged.back().second *= size;
      else
        merged.push_back({stride, size});
    strides = std::move(merged);
  }

  int64_t getLast() const {
    int64_t last = first;
    for (auto [stride, size] : strides)
      last += stride * (size - 1);
    return last;
  }

  bool operator==(const Entries &other) const {
    return first == other.first && strides == other.strides;
  }
};
} // namespace

static Entries getEntries(const ElementView &view) {
  Entries entries;
  entries.first = view.start;
  for (auto [size, stride] : llvm::zip(view.sizes, view.strides))
    entries.add(size, stride);
  entries.simplify();
  return entries;
}

bool Emitter::takeReset(int64_t base, ArrayRef<LoopDim> dims) {
  Entries met;
  met.first = base;
  for (const LoopDim &dim : dims)
    if (dim.strides[0] != 0)
      met.add(dim.size, dim.strides[0]);
  met.simplify();
  auto meets = [&](const PendingReset &reset) {
    Entries entries = getEntries(reset.view);
    return entries.first <= met.getLast() && met.first <= entries.getLast();
  };
  if (llvm::count_if(resets, meets) == 1) {
    auto *found = llvm::find_if(resets, meets);
    if (getEntries(found->view) == met) {
      resets.erase(found);
      return true;
    }
  }
  if (llvm::any_of(resets, meets))
    emitResets();
  return false;
}

void Emitter::emitResets() {
  Location current = location;
  isa::GemmInsn gemm;
  gemm.reset = true;
  for (const PendingReset &reset : resets) {
    location = reset.location;
    SmallVector<LoopDim> dims;
    for (auto [size, stride] : llvm::zip(reset.view.sizes, reset.view.strides))
      dims.push_back({size, {stride, 0, 0}});
    if (llvm::all_of(reset.view.sizes, [](int64_t size) { return size > 0; }))
      emitDomain({gemm, {}}, {reset.view.start, 0, 0}, std::move(dims));
  }
  resets.clear();
  location = current;
}
