//===- Dialect.h - What a stream may use ------------------------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

/// Dialects of the instruction set: all that acc's accelerator does, and the
/// part of it that the public hardware designs agree on.

#ifndef ACC_VTA_ISA_DIALECT_H
#define ACC_VTA_ISA_DIALECT_H

#include "acc/vta/isa/Instruction.h"

#include <span>

namespace acc::vta::isa {

enum class Dialect : uint8_t {
  /// Everything.
  Acc = 0,
  /// What the public Chisel and HLS designs do alike: no MUL, no LOAD of acc8,
  /// no shift to the left or by more than 31, no GEMM that meets an entry again
  /// within two steps; an ALU instruction with an immediate has the same entry
  /// as source and destination.
  Public = 1
};

/// "acc", "public".
const char *dialectName(Dialect dialect);
std::optional<Dialect> dialectFromName(std::string_view name);

/// Says what of \p insn is not part of \p dialect, or nothing. \p uops holds
/// the micro-op scratchpad; the ranges of the instruction were checked. By how
/// much an instruction shifts that takes the amount from accumulators is not
/// known here.
std::optional<std::string> checkDialect(Dialect dialect,
                                        const Instruction &insn,
                                        std::span<const Uop> uops);

} // namespace acc::vta::isa

#endif // ACC_VTA_ISA_DIALECT_H
