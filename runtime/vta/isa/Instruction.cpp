//===- Instruction.cpp - Names and kinds of instructions ------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "acc/vta/isa/Instruction.h"

using namespace acc::vta::isa;

const char *acc::vta::isa::opcodeName(Opcode opcode) {
  return kOpcodeNames[static_cast<size_t>(opcode)];
}

const char *acc::vta::isa::aluOpName(AluOp op) {
  return kAluOpNames[static_cast<size_t>(op)];
}

std::optional<AluOp> acc::vta::isa::aluOpFromName(std::string_view name) {
  for (size_t i = 0; i < kNumAluOps; ++i)
    if (name == kAluOpNames[i])
      return static_cast<AluOp>(i);
  return std::nullopt;
}

const char *acc::vta::isa::moduleName(Module module) {
  return kModuleNames[static_cast<size_t>(module)];
}

const char *acc::vta::isa::formErrorText(FormError error) {
  return kFormErrorTexts[static_cast<size_t>(error)];
}

Opcode Instruction::opcode() const {
  if (const MemInsn *memInsn = mem())
    return memInsn->store ? Opcode::Store : Opcode::Load;
  if (const GemmInsn *gemmInsn = gemm())
    return gemmInsn->window ? Opcode::GemmWindow
           : gemmInsn->set  ? Opcode::GemmSet
                            : Opcode::Gemm;
  return alu() ? Opcode::Alu : Opcode::Finish;
}

Module Instruction::module() const {
  if (const MemInsn *memInsn = mem())
    return memInsn->store ? Module::Store
                          : kLoadModules[static_cast<size_t>(memInsn->memory)];
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

std::string acc::vta::isa::describe(const Instruction &insn) {
  if (const MemInsn *mem = insn.mem())
    return std::string(mem->store ? "STORE " : "LOAD ") +
           memoryName(mem->memory);
  if (const GemmInsn *gemm = insn.gemm())
    return gemm->window  ? gemm->set ? "GEMM window set" : "GEMM window"
           : gemm->reset ? "GEMM reset"
           : gemm->set   ? "GEMM set"
                         : "GEMM";
  if (const AluInsn *alu = insn.alu())
    return std::string("ALU ") + aluOpName(alu->op);
  return "FINISH";
}
