//===- Instruction.cpp - Names and kinds of instructions ------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "acc/isa/Instruction.h"

using namespace acc::isa;

const char *acc::isa::aluOpName(AluOp op) {
  constexpr const char *names[] = {"min", "max", "add", "shr", "mul"};
  return names[static_cast<int>(op)];
}

std::optional<AluOp> acc::isa::aluOpFromName(std::string_view name) {
  for (int i = 0; i <= static_cast<int>(AluOp::Mul); ++i)
    if (name == aluOpName(static_cast<AluOp>(i)))
      return static_cast<AluOp>(i);
  return std::nullopt;
}

const char *acc::isa::moduleName(Module module) {
  constexpr const char *names[] = {"load", "compute", "store"};
  return names[static_cast<int>(module)];
}

Opcode Instruction::opcode() const {
  if (const MemInsn *memInsn = mem())
    return memInsn->store ? Opcode::Store : Opcode::Load;
  if (gemm())
    return Opcode::Gemm;
  return alu() ? Opcode::Alu : Opcode::Finish;
}

Module Instruction::module() const {
  if (const MemInsn *memInsn = mem()) {
    if (memInsn->store)
      return Module::Store;
    if (memInsn->memory == Memory::Inp || memInsn->memory == Memory::Wgt)
      return Module::Load;
  }
  return Module::Compute;
}

const MicroLoop *Instruction::loop() const {
  if (const GemmInsn *gemmInsn = gemm())
    return gemmInsn;
  return alu();
}

Instruction Instruction::computeNop() {
  MemInsn nop;
  nop.memory = Memory::Uop;
  return {nop, {}};
}

std::string acc::isa::describe(const Instruction &insn) {
  if (const MemInsn *mem = insn.mem())
    return std::string(mem->store ? "STORE " : "LOAD ") +
           memoryName(mem->memory);
  if (const GemmInsn *gemm = insn.gemm())
    return gemm->reset ? "GEMM reset" : "GEMM";
  if (const AluInsn *alu = insn.alu())
    return std::string("ALU ") + aluOpName(alu->op);
  return "FINISH";
}
