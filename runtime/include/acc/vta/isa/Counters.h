//===- Counters.h - What instructions do ------------------------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

/// What instructions do, counted: the work of a stream does not depend on its
/// data, so the compiler's report and a run's statistics are the same.

#ifndef ACC_VTA_ISA_COUNTERS_H
#define ACC_VTA_ISA_COUNTERS_H

#include "acc/vta/isa/Program.h"

#include <array>

namespace acc::vta::isa {

struct Counters {
  /// Instructions by opcode (see Opcode).
  std::array<uint64_t, kNumOpcodes> instructions = {};
  /// Bytes moved to or from DRAM by memory type (see Memory).
  std::array<uint64_t, kNumMemories> dramBytes = {};
  /// Micro-op executions: each GEMM step is BATCH x BLOCK_IN x BLOCK_OUT
  /// multiply-accumulates (resets are counted apart), each ALU step BATCH x
  /// BLOCK_OUT operations.
  uint64_t gemmSteps = 0;
  uint64_t resetSteps = 0;
  uint64_t aluSteps = 0;

  Counters &operator+=(const Counters &other);
};

/// What executing \p insn once does.
Counters count(const Instruction &insn, const Config &config);

/// What executing \p program once does.
Counters count(const Program &program);

} // namespace acc::vta::isa

#endif // ACC_VTA_ISA_COUNTERS_H
