//===- Dram.cpp - Address space of a device -------------------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "acc/dram.h"

#include <algorithm>

using namespace acc;

bool Dram::mapAt(uint64_t address, void *host, uint64_t bytes,
                 std::string *error) {
  auto at =
      std::lower_bound(regions.begin(), regions.end(), address,
                       [](const Region &r, uint64_t a) { return r.begin < a; });
  uint64_t end = address + bytes;
  bool overlaps = end < address || (at != regions.end() && at->begin < end) ||
                  (at != regions.begin() && std::prev(at)->end > address);
  if (overlaps) {
    if (error)
      *error = "DRAM bytes " + std::to_string(address) + " to " +
               std::to_string(end) + " overlap another region";
    return false;
  }
  regions.insert(at, {address, end, static_cast<uint8_t *>(host)});
  return true;
}

uint64_t Dram::map(void *host, uint64_t bytes, uint64_t alignment) {
  constexpr uint64_t kPage = 4096;
  alignment = std::max(alignment, kPage);
  // The first gap that fits, with a page to spare on either side.
  uint64_t address = alignment;
  for (const Region &region : regions) {
    if (address + bytes + kPage <= region.begin)
      break;
    address = std::max(address, (region.end + kPage + alignment - 1) /
                                    alignment * alignment);
  }
  mapAt(address, host, bytes);
  return address;
}

void Dram::unmap(uint64_t address) {
  std::erase_if(regions,
                [&](const Region &region) { return region.begin == address; });
}

uint8_t *Dram::lookup(uint64_t address, uint64_t bytes) const {
  auto at =
      std::upper_bound(regions.begin(), regions.end(), address,
                       [](uint64_t a, const Region &r) { return a < r.begin; });
  if (at == regions.begin())
    return nullptr;
  --at;
  if (address + bytes < address || address + bytes > at->end)
    return nullptr;
  return at->host + (address - at->begin);
}

std::optional<uint64_t> Dram::addressOf(const void *host,
                                        uint64_t bytes) const {
  const auto *at = static_cast<const uint8_t *>(host);
  for (const Region &region : regions)
    if (at >= region.host &&
        at + bytes <= region.host + (region.end - region.begin))
      return region.begin + static_cast<uint64_t>(at - region.host);
  return std::nullopt;
}
