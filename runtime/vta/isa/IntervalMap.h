//===- IntervalMap.h - Last access of byte ranges ---------------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

/// A map from half-open ranges of bytes to the index of the instruction that
/// last touched them.

#ifndef ACC_RUNTIME_ISA_INTERVALMAP_H
#define ACC_RUNTIME_ISA_INTERVALMAP_H

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <map>
#include <utility>
#include <vector>

namespace acc::vta::isa {

class IntervalMap {
public:
  /// Sets every byte of [begin, end) to \p value. Amortized logarithmic: each
  /// call creates at most two ranges beyond those it removes.
  void assign(uint64_t begin, uint64_t end, uint32_t value) {
    if (begin >= end)
      return;
    auto it = ranges.lower_bound(begin);
    if (it != ranges.begin()) {
      auto previous = std::prev(it);
      Range old = previous->second;
      if (old.end > begin) {
        if (previous->second.value == value) {
          begin = previous->first;
          end = std::max(end, old.end);
          it = ranges.erase(previous);
        } else {
          previous->second.end = begin;
          if (old.end > end)
            it = ranges.emplace_hint(it, end, old);
        }
      } else if (old.end == begin && old.value == value) {
        // Rows that adjoin in memory stay one range.
        begin = previous->first;
        it = ranges.erase(previous);
      }
    }
    while (it != ranges.end() && it->first < end) {
      Range old = it->second;
      it = ranges.erase(it);
      if (old.end > end) {
        it = ranges.emplace_hint(it, end, old);
        break;
      }
    }
    ranges.emplace_hint(it, begin, Range{end, value});
  }

  struct Hit {
    uint32_t value = 0;
    uint64_t byte = 0;
  };

  /// The largest value within [begin, end) and the first byte that has it;
  /// value 0 if nothing was assigned there.
  Hit maxOver(uint64_t begin, uint64_t end) const {
    Hit hit;
    auto it = ranges.upper_bound(begin);
    if (it != ranges.begin() && std::prev(it)->second.end > begin)
      --it;
    for (; it != ranges.end() && it->first < end; ++it)
      if (it->second.value > hit.value)
        hit = {it->second.value, std::max(begin, it->first)};
    return hit;
  }

  /// The first byte of [begin, end) to which nothing was assigned, or \p end.
  uint64_t firstGap(uint64_t begin, uint64_t end) const {
    auto it = ranges.upper_bound(begin);
    if (it != ranges.begin() && std::prev(it)->second.end > begin)
      --it;
    for (; begin < end && it != ranges.end() && it->first <= begin; ++it)
      begin = it->second.end;
    return std::min(begin, end);
  }

  /// Every range that has been assigned to, in order.
  std::vector<std::pair<uint64_t, uint64_t>> all() const {
    std::vector<std::pair<uint64_t, uint64_t>> result;
    for (const auto &[begin, range] : ranges)
      result.emplace_back(begin, range.end);
    return result;
  }

private:
  struct Range {
    uint64_t end;
    uint32_t value;
  };
  std::map<uint64_t, Range> ranges;
};

} // namespace acc::vta::isa

#endif // ACC_RUNTIME_ISA_INTERVALMAP_H
