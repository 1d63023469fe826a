//===- Config.h - Hardware configuration ------------------------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

/// The one description of an accelerator: everything else (instruction layout,
/// scratchpad sizes, element sizes) derives from it.
///
/// What the instruction set consists of stands in runtime/vta/isa/isa.toml, of
/// which Facts.inc is made: each section of it is included where its macro is
/// defined.

#ifndef ACC_VTA_ISA_CONFIG_H
#define ACC_VTA_ISA_CONFIG_H

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace acc::vta::isa {

#define GET_ISA_MEMORIES
#include "acc/vta/isa/Facts.inc"

inline bool isDefined(Memory memory) {
  return static_cast<int>(memory) < kNumMemories;
}

/// "uop", "wgt", "inp", "acc", "out", "acc8", "mem6", "mem7".
const char *memoryName(Memory memory);
std::optional<Memory> memoryFromName(std::string_view name);

/// A hardware configuration, as in vta_config.json. The member initializers
/// are the documented defaults.
struct Config {
  std::string target = "sim";
  /// Whatever the file says; nothing depends on it.
  std::string hwVersion = "0.0.2";
#define GET_CONFIG_MEMBERS
#include "acc/vta/isa/Facts.inc"

  /// An integer key of vta_config.json: its member and the range that makes
  /// sense at all.
  struct Key {
    const char *name;
    int Config::*member;
    int least, most;
    /// An extension of the published instruction set, absent if 0.
    bool isExtension = false;
  };
  /// All integer keys, in the order of the members.
  static std::span<const Key> keys();

  bool operator==(const Config &) const = default;

  /// Reads the text of a vta_config.json. On failure returns nothing and
  /// appends every problem found, each one sentence naming its key. What can
  /// be read but not followed, such as the keys of other tools, is told in
  /// \p warnings, a sentence each.
  static std::optional<Config>
  fromJson(std::string_view text, std::vector<std::string> &problems,
           std::vector<std::string> *warnings = nullptr);

  /// The vta_config.json text of this configuration; one line if not \p pretty.
  std::string toJson(bool pretty = false) const;

  /// Everything that is illegal about this configuration; empty if legal. The
  /// derived values below and every user of a Config assume a legal one.
  std::vector<std::string> validate() const;

  int batch() const { return 1 << logBatch; }
  int blockIn() const { return 1 << logBlockIn; }
  int blockOut() const { return 1 << logBlockOut; }
  int inpBits() const { return 1 << logInpWidth; }
  int wgtBits() const { return 1 << logWgtWidth; }
  /// Output elements are as wide as inputs.
  int outBits() const { return inpBits(); }

  /// log2 of the bits of one element; for Acc8, of its form in DRAM. A byte for
  /// what is no memory, so that instructions that move nothing can be handled
  /// like others.
  int logElementBits(Memory memory) const;
  /// Bytes of one element in DRAM, the unit of dram_base.
  uint32_t elementBytes(Memory memory) const {
    return 1u << (logElementBits(memory) - 3);
  }
  /// Bytes of the largest element. Addresses in DRAM count elements, so a
  /// buffer that any memory may be loaded from starts at a multiple of it.
  uint32_t alignment() const;
  /// log2 of the number of entries of a scratchpad; Out and Acc8 are the
  /// accumulator's entries.
  int logDepth(Memory memory) const;
  uint32_t depth(Memory memory) const { return 1u << logDepth(memory); }

  /// The tables of the ALU's operation `table` are the last micro-ops, at most
  /// half of them: an entry of 8 bits is the low bits of a micro-op's dst,
  /// which is what a micro-op begins with.
  static constexpr int kLogTableEntries = 8;
  static constexpr uint32_t kTableEntries = 1u << kLogTableEntries;
  /// More of them do not fit the block RAM that serves two lanes.
  static constexpr int kLogMostTables = 3;
  /// log2 of the number of tables, of a configuration that declares them.
  int logTables() const {
    return std::min(kLogMostTables,
                    logDepth(Memory::Uop) - 1 - kLogTableEntries);
  }
  /// The micro-op that is the first entry of the table that the immediate
  /// names: its low bits do, others have no meaning.
  uint32_t tableBegin(int32_t imm) const {
    const uint32_t tables = 1u << logTables();
    const uint32_t left = tables - (static_cast<uint32_t>(imm) & (tables - 1));
    return depth(Memory::Uop) - left * kTableEntries;
  }
};

} // namespace acc::vta::isa

#endif // ACC_VTA_ISA_CONFIG_H
