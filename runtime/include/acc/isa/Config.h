//===- Config.h - Hardware configuration ------------------------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

/// The one description of an accelerator: everything else (instruction layout,
/// scratchpad sizes, element sizes) derives from it.

#ifndef ACC_ISA_CONFIG_H
#define ACC_ISA_CONFIG_H

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace acc::isa {

/// The memory types of LOAD and STORE, numbered as they are encoded. The last
/// two name no memory: only an instruction that moves nothing may have them.
enum class Memory : uint8_t {
  Uop = 0,
  Wgt = 1,
  Inp = 2,
  Acc = 3,
  Out = 4,
  Acc8 = 5,
  Undefined6 = 6,
  Undefined7 = 7
};
/// How many of them are memories.
inline constexpr int kNumMemories = 6;
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
  int logInpWidth = 3;
  int logWgtWidth = 3;
  int logAccWidth = 5;
  int logBatch = 0;
  int logBlockIn = 4;
  int logBlockOut = 4;
  int logUopBuffSize = 15;
  int logInpBuffSize = 15;
  int logWgtBuffSize = 18;
  int logAccBuffSize = 17;

  bool operator==(const Config &) const = default;

  /// Reads the text of a vta_config.json. On failure returns nothing and
  /// appends every problem found, each one sentence naming its key. What can
  /// be read but not followed, such as the keys of other tools, is told in
  /// \p warnings, a sentence each.
  static std::optional<Config>
  fromJson(std::string_view text, std::vector<std::string> &problems,
           std::vector<std::string> *warnings = nullptr);

  /// The same from integer keys alone (TARGET and HW_VER keep their defaults).
  static std::optional<Config>
  fromMap(const std::map<std::string, int64_t> &keys,
          std::vector<std::string> &problems);

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
  /// log2 of the number of entries of a scratchpad; Out and Acc8 are the
  /// accumulator's entries.
  int logDepth(Memory memory) const;
  uint32_t depth(Memory memory) const { return 1u << logDepth(memory); }
};

} // namespace acc::isa

#endif // ACC_ISA_CONFIG_H
