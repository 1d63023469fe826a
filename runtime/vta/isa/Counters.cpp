//===- Counters.cpp - What instructions do --------------------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "acc/vta/isa/Counters.h"

using namespace acc::vta::isa;

Counters &Counters::operator+=(const Counters &other) {
  for (size_t i = 0; i < instructions.size(); ++i)
    instructions[i] += other.instructions[i];
  for (size_t i = 0; i < dramBytes.size(); ++i)
    dramBytes[i] += other.dramBytes[i];
  gemmSteps += other.gemmSteps;
  resetSteps += other.resetSteps;
  aluSteps += other.aluSteps;
  return *this;
}

Counters acc::vta::isa::count(const Instruction &insn, const Config &config) {
  Counters one;
  one.instructions[static_cast<int>(insn.opcode())] = 1;
  if (const MemInsn *mem = insn.mem()) {
    if (isDefined(mem->memory))
      one.dramBytes[static_cast<int>(mem->memory)] =
          uint64_t(mem->xSize) * mem->ySize * config.elementBytes(mem->memory);
  } else if (const GemmInsn *gemm = insn.gemm()) {
    (gemm->reset ? one.resetSteps : one.gemmSteps) = gemm->steps();
  } else if (const AluInsn *alu = insn.alu()) {
    one.aluSteps = alu->steps();
  }
  return one;
}

Counters acc::vta::isa::count(const Program &program) {
  Counters total;
  for (const Instruction &insn : program.insns)
    total += count(insn, program.config);
  return total;
}
