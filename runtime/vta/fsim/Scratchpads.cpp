//===- Scratchpads.cpp - Memories of the simulated accelerator ------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Scratchpads.h"

#include <algorithm>
#include <cstring>

using namespace acc;
using namespace acc::vta;
using namespace acc::vta::fsim;
using isa::Memory;

Scratchpads::Scratchpads(const isa::Config &config, const GemmEngine &engine)
    : uops(config.depth(Memory::Uop)), terms(uops.size()), config(config),
      codec(config), engine(engine),
      accLanes(size_t(config.batch()) * config.blockOut()),
      inpElements(size_t(config.batch()) * config.blockIn()),
      wgtElements(size_t(config.blockOut()) * config.blockIn()),
      inpBytes(config.depth(Memory::Inp) * engine.inpBytes()),
      wgtBytes(config.depth(Memory::Wgt) * engine.wgtBytes()),
      accBytes(config.depth(Memory::Acc) * accLanes * sizeof(int32_t)) {
  if (config.gemmWindow) {
    plainInpBytes.resize(config.depth(Memory::Inp) * inpElements);
    plainWgtBytes.resize(config.depth(Memory::Wgt) * wgtElements);
  }
  for (Memory memory : {Memory::Uop, Memory::Wgt, Memory::Inp})
    loaded[static_cast<int>(memory)] = config.depth(memory);
  clear();
}

void Scratchpads::clear() {
  for (Memory memory : {Memory::Uop, Memory::Wgt, Memory::Inp})
    zero(memory, 0, loaded[static_cast<int>(memory)]);
  // The ALU and GEMM write accumulators too.
  zero(Memory::Acc, 0, config.depth(Memory::Acc));
  loaded = {};
}

const int8_t *Scratchpads::unpack(const uint8_t *src, size_t count, int bits) {
  if (bits == 8)
    return reinterpret_cast<const int8_t *>(src);
  if (unpacked.size() < count)
    unpacked.resize(count);
  int perByte = 8 / bits;
  for (size_t i = 0; i < count; ++i) {
    uint8_t value = src[i / perByte] >> (i % perByte * bits);
    unpacked[i] = static_cast<int8_t>(value << (8 - bits)) >> (8 - bits);
  }
  return unpacked.data();
}

void Scratchpads::loadRow(Memory memory, uint32_t entry, const uint8_t *src,
                          uint32_t entries) {
  switch (memory) {
  case Memory::Uop:
    for (uint32_t i = 0; i < entries; ++i) {
      uint32_t word;
      std::memcpy(&word, src + i * 4, 4);
      isa::Uop uop = codec.decode(word);
      uops[entry + i] = uop;
      terms[entry + i] = {uop.src, uop.wgt};
    }
    return;
  case Memory::Inp: {
    const int8_t *values = unpack(src, entries * inpElements, config.inpBits());
    engine.packInp(inp() + entry * engine.inpBytes(), values, entries);
    if (config.gemmWindow)
      std::copy_n(values, entries * inpElements,
                  plainInpBytes.begin() + entry * inpElements);
    return;
  }
  case Memory::Wgt: {
    const int8_t *values = unpack(src, entries * wgtElements, config.wgtBits());
    engine.packWgt(wgt() + entry * engine.wgtBytes(), values, entries);
    if (config.gemmWindow)
      std::copy_n(values, entries * wgtElements,
                  plainWgtBytes.begin() + entry * wgtElements);
    return;
  }
  case Memory::Acc:
    std::memcpy(acc() + entry * accLanes, src,
                entries * accLanes * sizeof(int32_t));
    return;
  case Memory::Acc8: {
    size_t count = entries * accLanes;
    const int8_t *values = unpack(src, count, config.outBits());
    int32_t *dst = acc() + entry * accLanes;
    for (size_t i = 0; i < count; ++i)
      dst[i] = values[i];
    return;
  }
  case Memory::Out:
  case Memory::Undefined6:
  case Memory::Undefined7:
    return;
  }
}

void Scratchpads::zero(Memory memory, uint32_t entry, uint32_t entries) {
  switch (memory) {
  case Memory::Inp:
    std::memset(inp() + entry * engine.inpBytes(), engine.zeroInpByte(),
                entries * engine.inpBytes());
    if (config.gemmWindow)
      std::fill_n(plainInpBytes.begin() + entry * inpElements,
                  entries * inpElements, 0);
    return;
  case Memory::Wgt:
    std::memset(wgt() + entry * engine.wgtBytes(), 0,
                entries * engine.wgtBytes());
    if (config.gemmWindow)
      std::fill_n(plainWgtBytes.begin() + entry * wgtElements,
                  entries * wgtElements, 0);
    return;
  case Memory::Acc:
  case Memory::Acc8:
    std::memset(acc() + entry * accLanes, 0,
                entries * accLanes * sizeof(int32_t));
    return;
  case Memory::Uop:
    std::fill_n(uops.begin() + entry, entries, isa::Uop());
    std::fill_n(terms.begin() + entry, entries, Term());
    return;
  case Memory::Out:
  case Memory::Undefined6:
  case Memory::Undefined7:
    return;
  }
}

void Scratchpads::storeRow(uint32_t entry, uint8_t *dst,
                           uint32_t entries) const {
  const int32_t *src = acc() + entry * accLanes;
  size_t count = entries * accLanes;
  int bits = config.outBits();
  if (bits == 8) {
    for (size_t i = 0; i < count; ++i)
      dst[i] = static_cast<uint8_t>(src[i]);
    return;
  }
  int perByte = 8 / bits;
  for (size_t i = 0; i < count; i += perByte) {
    unsigned byte = 0;
    for (int j = 0; j < perByte; ++j)
      byte |= (static_cast<unsigned>(src[i + j]) & ((1u << bits) - 1))
              << (j * bits);
    dst[i / perByte] = static_cast<uint8_t>(byte);
  }
}

std::optional<std::string> Scratchpads::copy(const isa::MemInsn &mem,
                                             const Dram &dram) {
  if (mem.sramEntries() == 0)
    return std::nullopt;
  const uint64_t element = config.elementBytes(mem.memory);
  const uint64_t rowBytes = mem.xSize * element, stride = mem.xStride * element;
  const uint64_t base = mem.dramBase * element;
  uint8_t *whole = mem.ySize
                       ? dram.lookup(base, (mem.ySize - 1) * stride + rowBytes)
                       : nullptr;

  uint32_t entry = mem.sramBase;
  uint32_t &highest = loaded[static_cast<int>(mem.memory)];
  highest = std::max(highest, entry + mem.sramEntries());
  zero(mem.memory, entry, mem.yPad0 * mem.sramCols());
  entry += mem.yPad0 * mem.sramCols();
  for (uint32_t y = 0; y < mem.ySize; ++y) {
    uint64_t address = base + y * stride;
    uint8_t *row = whole ? whole + y * stride : dram.lookup(address, rowBytes);
    if (!row)
      return std::string(mem.store ? "writes" : "reads") + " DRAM bytes " +
             std::to_string(address) + " to " +
             std::to_string(address + rowBytes - 1) +
             ", which are outside of the memory there is";
    if (mem.store) {
      storeRow(entry, row, mem.xSize);
      entry += mem.xSize;
      continue;
    }
    zero(mem.memory, entry, mem.xPad0);
    loadRow(mem.memory, entry + mem.xPad0, row, mem.xSize);
    zero(mem.memory, entry + mem.xPad0 + mem.xSize, mem.xPad1);
    entry += mem.sramCols();
  }
  zero(mem.memory, entry, mem.yPad1 * mem.sramCols());
  return std::nullopt;
}
