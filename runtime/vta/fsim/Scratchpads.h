//===- Scratchpads.h - Memories of the simulated accelerator ----*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

/// The memories of the simulated accelerator and the copies between them and
/// DRAM.

#ifndef ACC_RUNTIME_VTA_FSIM_SCRATCHPADS_H
#define ACC_RUNTIME_VTA_FSIM_SCRATCHPADS_H

#include "Gemm.h"
#include "acc/vta/device.h"

namespace acc::vta::fsim {

/// Memory aligned for vectors.
class AlignedBytes {
public:
  explicit AlignedBytes(size_t bytes)
      : storage(new (std::align_val_t(64)) uint8_t[bytes]()) {}
  uint8_t *data() const { return storage.get(); }

private:
  struct Free {
    void operator()(uint8_t *p) const {
      ::operator delete[](p, std::align_val_t(64));
    }
  };
  std::unique_ptr<uint8_t[], Free> storage;
};

class Scratchpads {
public:
  Scratchpads(const isa::Config &config, const GemmEngine &engine);

  /// Zeroes whatever may have been written since the last time.
  void clear();

  /// Executes a LOAD or STORE whose scratchpad range was checked. Returns a
  /// message if it leaves DRAM.
  std::optional<std::string> copy(const isa::MemInsn &mem, const Dram &dram);

  std::vector<isa::Uop> uops;
  /// The src and wgt of each micro-op again, as GEMM engines want them.
  std::vector<Term> terms;

  uint8_t *inp() const { return inpBytes.data(); }
  uint8_t *wgt() const { return wgtBytes.data(); }
  /// Inputs and weights as they were given, for windows: empty where the
  /// configuration has none.
  const int8_t *plainInp() const { return plainInpBytes.data(); }
  const int8_t *plainWgt() const { return plainWgtBytes.data(); }
  int32_t *acc() const { return reinterpret_cast<int32_t *>(accBytes.data()); }
  /// int32 elements of one accumulator entry.
  size_t lanes() const { return accLanes; }

private:
  void loadRow(isa::Memory memory, uint32_t entry, const uint8_t *src,
               uint32_t entries);
  void zero(isa::Memory memory, uint32_t entry, uint32_t entries);
  void storeRow(uint32_t entry, uint8_t *dst, uint32_t entries) const;
  /// The int8 values of \p count elements of \p bits bits each, low bits first.
  const int8_t *unpack(const uint8_t *src, size_t count, int bits);

  isa::Config config;
  isa::Codec codec;
  const GemmEngine &engine;
  size_t accLanes, inpElements, wgtElements;
  AlignedBytes inpBytes, wgtBytes, accBytes;
  std::vector<int8_t> plainInpBytes, plainWgtBytes;
  std::vector<int8_t> unpacked;
  /// One past the highest entry loaded since clear(), by memory type.
  std::array<uint32_t, isa::kNumMemories> loaded;
};

} // namespace acc::vta::fsim

#endif // ACC_RUNTIME_VTA_FSIM_SCRATCHPADS_H
