//===- Program.h - Accelerator programs -------------------------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

/// An accelerator program with everything needed to print, verify, relocate
/// and run it.

#ifndef ACC_VTA_ISA_PROGRAM_H
#define ACC_VTA_ISA_PROGRAM_H

#include "acc/vta/isa/Instruction.h"

#include <span>

namespace acc::vta::isa {

/// A DRAM region a program addresses through relocations. Distinct buffers of
/// one launch do not overlap.
struct Buffer {
  std::string name;
  /// Size in bytes; 0 if not known.
  uint64_t bytes = 0;
  bool operator==(const Buffer &) const = default;
};

struct Program {
  static constexpr int32_t kNone = -1;

  Config config;
  std::vector<Instruction> insns;
  /// The micro-op table, encoded. It is bound to the buffer `uopBuffer`.
  std::vector<uint32_t> uops;
  std::vector<Buffer> buffers;
  /// DRAM byte addresses of the buffers, if it is settled where they lie; empty
  /// otherwise. For people and assembly text: what a model carries has none.
  std::vector<uint64_t> addresses;
  /// Index of the buffer that holds `uops`, or kNone.
  int32_t uopBuffer = kNone;
  /// Per instruction, the buffer its dram_base is an element offset into, or
  /// kNone for an absolute address. Empty means all kNone.
  std::vector<int32_t> bufferOf;
  /// Names of the layers; per instruction an index into them or kNone. Empty
  /// means all kNone.
  std::vector<std::string> layers;
  std::vector<int32_t> layerOf;

  bool operator==(const Program &) const = default;

  int32_t bufferOfInsn(size_t insn) const {
    return insn < bufferOf.size() ? bufferOf[insn] : kNone;
  }
  /// The layer's name, or "" if not known.
  std::string_view layerOfInsn(size_t insn) const;

  /// Appends an instruction with its buffer and layer.
  void append(const Instruction &insn, int32_t buffer = kNone,
              int32_t layer = kNone);
  /// Inserts an instruction before \p position, which inherits the layer of
  /// the one it precedes.
  void insert(size_t position, const Instruction &insn);
  /// The index of the named layer, adding it if new.
  int32_t addLayer(std::string_view name);

  /// The encoded stream, unrelocated: dram_base as in the instructions.
  std::vector<Word128> encode() const;
  /// Reads a raw stream. Nothing and a message naming the instruction if one
  /// is undefined.
  static std::optional<Program> decode(const Config &config,
                                       std::span<const Word128> words,
                                       std::string *error = nullptr);

  /// The encoded stream with every relocated dram_base replaced by the
  /// buffer's address plus its offset. \p addresses are DRAM byte addresses,
  /// one per buffer, aligned to the largest element. Nothing and a message if
  /// an address is misaligned or beyond what a dram_base can express.
  std::optional<std::vector<Word128>> link(std::span<const uint64_t> addresses,
                                           std::string *error = nullptr) const;
};

} // namespace acc::vta::isa

#endif // ACC_VTA_ISA_PROGRAM_H
