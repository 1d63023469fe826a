//===- Lanes.cpp - Which channel a lane of a packed tensor holds ----------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/VTA/Graph/Lanes.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace acc::vta;

Lanes Lanes::inOrder(int64_t channels, int64_t tile) {
  SmallVector<int64_t> lanes(llvm::divideCeilSigned(channels, tile) * tile,
                             kNone);
  for (int64_t channel = 0; channel < channels; ++channel)
    lanes[channel] = channel;
  return Lanes(std::move(lanes));
}

bool Lanes::areInOrder() const {
  return llvm::all_of(llvm::enumerate(channels), [](auto entry) {
    return entry.value() == kNone || entry.value() == int64_t(entry.index());
  });
}

SmallVector<int64_t> Lanes::getPlaces(int64_t count) const {
  SmallVector<int64_t> places(count, kNone);
  for (auto [lane, channel] : llvm::enumerate(channels))
    if (channel != kNone)
      places[channel] = lane;
  assert(!llvm::is_contained(places, kNone) && "a channel has no lane");
  return places;
}

bool Lanes::hold(int64_t count) const {
  SmallVector<bool> known(count, false);
  for (int64_t channel : channels)
    if (channel != kNone) {
      if (channel < 0 || channel >= count || known[channel])
        return false;
      known[channel] = true;
    }
  return !llvm::is_contained(known, false);
}

Lanes Lanes::rename(ArrayRef<int64_t> moved) const {
  int64_t most = -1;
  for (int64_t channel : channels)
    most = std::max(most, channel);
  SmallVector<int64_t> names(most + 1, kNone);
  for (auto [name, channel] : llvm::enumerate(moved))
    names[channel] = name;
  Lanes result(channels);
  for (int64_t &channel : result.channels)
    if (channel != kNone)
      channel = names[channel];
  return result;
}

Lanes Lanes::compact(int64_t tile) const {
  Lanes result;
  for (int64_t channel : channels)
    if (channel != kNone)
      result.channels.push_back(channel);
  result.channels.resize(llvm::divideCeilSigned(result.size(), tile) * tile,
                         kNone);
  return result;
}

Lanes Lanes::slice(int64_t first, int64_t count, int64_t tile) const {
  return Lanes(llvm::to_vector(get().slice(first * tile, count * tile)));
}

Lanes Lanes::take(int64_t first, int64_t count, int64_t tile) const {
  Lanes result;
  for (int64_t begin = 0; begin + tile <= size(); begin += tile) {
    ArrayRef<int64_t> block = get().slice(begin, tile);
    if (llvm::any_of(block, [&](int64_t channel) {
          return channel >= first && channel < first + count;
        }))
      for (int64_t channel : block)
        result.channels.push_back(channel == kNone ? kNone : channel - first);
  }
  return result;
}

std::pair<int64_t, int64_t> Lanes::getUsedBlocks(int64_t tile) const {
  int64_t first = size() / tile, last = -1;
  for (auto [lane, channel] : llvm::enumerate(channels))
    if (channel != kNone) {
      first = std::min<int64_t>(first, lane / tile);
      last = std::max<int64_t>(last, lane / tile);
    }
  return {first, last - first + 1};
}

void Lanes::append(const Lanes &other, int64_t offset) {
  for (int64_t channel : other.channels)
    channels.push_back(channel == kNone ? kNone : channel + offset);
}
