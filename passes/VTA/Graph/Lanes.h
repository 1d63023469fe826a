//===- Lanes.h - Which channel a lane of a packed tensor holds --*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_PASSES_VTA_GRAPH_LANES_H
#define ACC_PASSES_VTA_GRAPH_LANES_H

#include "mlir/Support/LLVM.h"

namespace acc::vta {

/// The channel that every lane of a packed tensor holds, one block of lanes
/// after the other. Lanes of `kNone` hold what nobody reads: the rest of an
/// incomplete block, or a channel of another tensor in the same memory.
///
/// Constants follow such an order at compile time (weights, and whatever there
/// is for each channel), so that the channels of a tensor may lie anywhere:
/// those of a concatenation in whole blocks one operand after the other, those
/// of a slice or a shuffle where the tensor has them that they come from.
class Lanes {
public:
  static constexpr int64_t kNone = -1;

  Lanes() = default;
  explicit Lanes(llvm::SmallVector<int64_t> channels)
      : channels(std::move(channels)) {}
  /// One channel after the other, in whole blocks of `tile` lanes.
  static Lanes inOrder(int64_t channels, int64_t tile);

  llvm::ArrayRef<int64_t> get() const { return channels; }
  int64_t size() const { return channels.size(); }
  bool operator==(const Lanes &) const = default;

  /// Whether channel c is in lane c.
  bool areInOrder() const;
  /// The lane of each of `count` channels; all must be there.
  llvm::SmallVector<int64_t> getPlaces(int64_t count) const;
  /// Whether each of `count` channels is in one lane, and no others.
  bool hold(int64_t count) const;
  /// The lanes of a tensor whose channel c is channel `moved[c]` of this one.
  Lanes rename(llvm::ArrayRef<int64_t> moved) const;
  /// The channels in the order of their lanes, without lanes between them.
  Lanes compact(int64_t tile) const;
  /// Those of the blocks from `first` on.
  Lanes slice(int64_t first, int64_t count, int64_t tile) const;
  /// Those of the blocks that hold any of `count` channels from `first` on,
  /// which are counted from 0 then.
  Lanes take(int64_t first, int64_t count, int64_t tile) const;
  /// The blocks of `tile` lanes that hold channels: the first and how many.
  std::pair<int64_t, int64_t> getUsedBlocks(int64_t tile) const;
  /// Adds lanes of a tensor whose first channel is channel `offset` of this.
  void append(const Lanes &other, int64_t offset);

private:
  llvm::SmallVector<int64_t> channels;
};

} // namespace acc::vta

#endif // ACC_PASSES_VTA_GRAPH_LANES_H
