//===- Instruction.h - Instructions and micro-ops ---------------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

/// Instructions and micro-ops as structs, and their binary form.

#ifndef ACC_VTA_ISA_INSTRUCTION_H
#define ACC_VTA_ISA_INSTRUCTION_H

#include "acc/vta/isa/Config.h"

#include <array>
#include <variant>

namespace acc::vta::isa {

#define GET_ISA_ENUMS
#include "acc/vta/isa/Facts.inc"

#define GET_BITS
#include "acc/vta/isa/Facts.inc"

#define GET_FIELD_LIMITS
#include "acc/vta/isa/Facts.inc"

/// "load", "store", "gemm", "finish", "alu", "gemm_set", "gemm_window".
const char *opcodeName(Opcode opcode);

/// "min", "max", "add", "shr", "mul", "requantize", "table".
const char *aluOpName(AluOp op);
std::optional<AluOp> aluOpFromName(std::string_view name);

const char *moduleName(Module module);

/// What is wrong, in words.
const char *formErrorText(FormError error);

/// The dependence flags. `prev` and `next` name the neighbour of the
/// instruction's own module in the order load, compute, store.
struct Deps {
#define GET_DEPS_MEMBERS
#include "acc/vta/isa/Facts.inc"
  bool operator==(const Deps &) const = default;
};

/// LOAD and STORE: a two-dimensional strided copy. Sizes, strides and bases
/// count elements of `memory`.
struct MemInsn {
  bool store = false;
#define GET_MEM_MEMBERS
#include "acc/vta/isa/Facts.inc"
  bool operator==(const MemInsn &) const = default;

  /// Does nothing but its dependence flags, whatever its memory and its other
  /// fields are: there is nothing to move. A LOAD of padding alone does
  /// something; a STORE has no padding.
  bool isNop() const {
    return xSize == 0 || (ySize == 0 && (store || sramRows() == 0));
  }
  /// Moves data from or to DRAM. A LOAD that does not may still write padding:
  /// not everything that moves no data does nothing.
  bool movesData() const { return xSize != 0 && ySize != 0; }
  bool hasPads() const { return yPad0 || yPad1 || xPad0 || xPad1; }
  uint32_t sramRows() const { return yPad0 + ySize + yPad1; }
  uint32_t sramCols() const { return xPad0 + xSize + xPad1; }
  /// Number of consecutive scratchpad entries touched.
  uint32_t sramEntries() const { return isNop() ? 0 : sramRows() * sramCols(); }
};

/// The two hardware loops around a range of micro-ops, common to GEMM and ALU.
struct MicroLoop {
#define GET_LOOP_MEMBERS
#include "acc/vta/isa/Facts.inc"
  bool operator==(const MicroLoop &) const = default;

  uint64_t uopCount() const { return uopEnd > uopBgn ? uopEnd - uopBgn : 0; }
  /// Number of micro-op executions.
  uint64_t steps() const { return uopCount() * iterOut * iterIn; }
};

struct GemmInsn : MicroLoop {
  /// Takes the place of what was there and is not added to it. Part of the
  /// opcode.
  bool set = false;
  /// Multiplies each lane of neighbouring inputs by weights of its own. Part of
  /// the opcode. Such an instruction sets its destinations where its field says
  /// `reset`, which `reset` here is not.
  bool window = false;
#define GET_GEMM_MEMBERS
#include "acc/vta/isa/Facts.inc"
  bool operator==(const GemmInsn &) const = default;

  /// How many inputs a step reads from its source on.
  uint32_t sources(const Config &config) const {
    return window ? config.gemmWindow : 1;
  }
};

/// `reset` is carried for round trips; the ALU ignores it.
struct AluInsn : MicroLoop {
#define GET_ALU_MEMBERS
#include "acc/vta/isa/Facts.inc"
  bool operator==(const AluInsn &) const = default;

  /// How many accumulators an operation reads from its source on; 0 if it has
  /// an immediate instead.
  uint32_t sources() const {
    return useImm ? 0 : kAluOpFacts[static_cast<int>(op)].sources;
  }
};

struct FinishInsn {
  bool operator==(const FinishInsn &) const = default;
};

struct Instruction {
  std::variant<MemInsn, GemmInsn, AluInsn, FinishInsn> body;
  Deps deps;
  /// The bits of the encoding that belong to no field, which may hold anything
  /// and mean nothing. Kept so that a stream stays the same bit for bit.
  std::array<uint64_t, 2> spare = {};
  bool operator==(const Instruction &) const = default;

  Opcode opcode() const;
  /// The module that executes this instruction.
  Module module() const;
  const MemInsn *mem() const { return std::get_if<MemInsn>(&body); }
  const GemmInsn *gemm() const { return std::get_if<GemmInsn>(&body); }
  const AluInsn *alu() const { return std::get_if<AluInsn>(&body); }
  bool isFinish() const { return std::holds_alternative<FinishInsn>(body); }
  /// The hardware loops of a GEMM or ALU instruction, else null.
  const MicroLoop *loop() const;

  /// A compute instruction that does nothing but its dependence flags.
  static Instruction computeNop();
};

/// "LOAD inp", "GEMM", "ALU max", ...: the short name used in messages.
std::string describe(const Instruction &insn);

struct Uop {
#define GET_UOP_MEMBERS
#include "acc/vta/isa/Facts.inc"
  bool operator==(const Uop &) const = default;
};

/// A 128-bit instruction: two little-endian words, word 0 first.
using Word128 = std::array<uint64_t, 2>;

/// Where one field lies. A field never straddles the two words.
struct Field {
  uint8_t pos = 0;
  uint8_t width = 0;
};

/// Positions and widths of every field under one configuration.
struct Layout {
#define GET_LAYOUT_MEMBERS
#include "acc/vta/isa/Facts.inc"

  explicit Layout(const Config &config);
};

/// Calls fn(kind, name, field) for each field: of LOAD and STORE ("mem"), of
/// "gemm", those of "alu" that lie elsewhere than a GEMM's, and of "uop".
template <typename Fn> void forEachField(const Layout &layout, Fn fn) {
#define GET_LAYOUT_FIELDS
#include "acc/vta/isa/Facts.inc"
}

/// Encoder and decoder for one legal configuration.
class Codec {
public:
  explicit Codec(const Config &config);

  /// Names the first field whose value does not fit, or nothing. encode()
  /// requires that this returned nothing. Spare bits must be those of no field.
  std::optional<std::string> check(const Instruction &insn) const;
  std::optional<std::string> check(const Uop &uop) const;

  Word128 encode(const Instruction &insn) const;
  /// Nothing (and the reason) for an undefined opcode or ALU operation, among
  /// them those of extensions that the configuration does not declare. Whether
  /// the instruction may be executed is for checkForm() to say.
  std::optional<Instruction> decode(const Word128 &word,
                                    std::string *error = nullptr) const;

  uint32_t encode(const Uop &uop) const;
  Uop decode(uint32_t word) const;
  /// The bits of an encoded micro-op that belong to no field.
  uint32_t spareBits(uint32_t word) const;

  const Layout &getLayout() const { return layout; }

private:
  /// What keeps the configuration from having that operation, that opcode.
  std::optional<std::string> checkOperation(const AluInsn &insn) const;
  std::optional<std::string> checkOpcode(uint64_t code) const;

  Config config;
  Layout layout;
  /// The bits that belong to a field, by opcode.
  std::array<Word128, kNumOpcodes> used;
};

} // namespace acc::vta::isa

#endif // ACC_VTA_ISA_INSTRUCTION_H
