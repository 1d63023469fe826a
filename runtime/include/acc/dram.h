//===- dram.h - Address space of a device -----------------------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

/// The DRAM of devices that address host memory by numbers of their own.

#ifndef ACC_DRAM_H
#define ACC_DRAM_H

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace acc {

/// The DRAM address space of a device: regions of host memory at DRAM byte
/// addresses. Nothing outside of the regions exists.
class Dram {
public:
  /// Shows \p bytes of host memory at \p address. The memory must outlive the
  /// mapping. False and a message if it would overlap another region.
  bool mapAt(uint64_t address, void *host, uint64_t bytes,
             std::string *error = nullptr);
  /// The same at a free address aligned to \p alignment (a power of two),
  /// which is returned. Regions placed so never adjoin, so that an access
  /// running off the end of one is noticed.
  uint64_t map(void *host, uint64_t bytes, uint64_t alignment);
  /// Removes the region that starts at \p address.
  void unmap(uint64_t address);

  /// Host memory of [address, address + bytes), or null if that is not within
  /// one region.
  uint8_t *lookup(uint64_t address, uint64_t bytes) const;
  /// The address of \p bytes of host memory, if they are within one region.
  std::optional<uint64_t> addressOf(const void *host, uint64_t bytes) const;

private:
  struct Region {
    uint64_t begin, end;
    uint8_t *host;
  };
  /// Sorted by address, disjoint.
  std::vector<Region> regions;
};

} // namespace acc

#endif // ACC_DRAM_H
