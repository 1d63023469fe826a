//===- Assembly.cpp - Assembly printer ------------------------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "acc/isa/Assembly.h"

using namespace acc::isa;

namespace {

std::string pair(const char *name, uint32_t a, uint32_t b) {
  return std::string(" ") + name + "=" + std::to_string(a) + "," +
         std::to_string(b);
}

std::string value(const char *name, int64_t v) {
  return std::string(" ") + name + "=" + std::to_string(v);
}

std::string quote(std::string_view text) {
  std::string result = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') {
      result += '\\';
      result += c;
    } else if (c == '\n') {
      result += "\\n";
    } else {
      result += c;
    }
  }
  return result + '"';
}

std::string hex(uint64_t v) {
  constexpr const char *digits = "0123456789abcdef";
  std::string text;
  do
    text.insert(text.begin(), digits[v & 15]);
  while (v >>= 4);
  return "0x" + text;
}

std::string neighbours(const char *name, bool prev, bool next) {
  if (!prev && !next)
    return "";
  return std::string(" ") + name + "=" + (prev ? "prev" : "") +
         (prev && next ? "," : "") + (next ? "next" : "");
}

std::string printLoop(const MicroLoop &loop) {
  return " uop=" + std::to_string(loop.uopBgn) + ":" +
         std::to_string(loop.uopEnd) + pair("iter", loop.iterOut, loop.iterIn) +
         pair("dst", loop.dstOut, loop.dstIn) +
         pair("src", loop.srcOut, loop.srcIn);
}

} // namespace

std::string acc::isa::printInstruction(const Instruction &insn,
                                       int32_t buffer) {
  std::string text;
  if (const MemInsn *mem = insn.mem()) {
    text =
        std::string(mem->store ? "store." : "load.") + memoryName(mem->memory);
    text += value("sram", mem->sramBase) + " dram=";
    if (buffer != Program::kNone)
      text += "@" + std::to_string(buffer) + "+";
    text += std::to_string(mem->dramBase) + value("y", mem->ySize) +
            value("x", mem->xSize) + value("stride", mem->xStride);
    if (mem->yPad0 || mem->yPad1 || mem->xPad0 || mem->xPad1)
      text += pair("pad", mem->yPad0, mem->yPad1) + "," +
              std::to_string(mem->xPad0) + "," + std::to_string(mem->xPad1);
  } else if (const GemmInsn *gemm = insn.gemm()) {
    text = (gemm->reset ? "gemm.reset" : "gemm") + printLoop(*gemm) +
           pair("wgt", gemm->wgtOut, gemm->wgtIn);
  } else if (const AluInsn *alu = insn.alu()) {
    text = std::string("alu.") + aluOpName(alu->op) + printLoop(*alu) +
           value("imm", alu->imm) + value("use_imm", alu->useImm);
    if (alu->reset)
      text += " reset=1";
  } else {
    text = "finish";
  }
  text += neighbours("pop", insn.deps.popPrev, insn.deps.popNext) +
          neighbours("push", insn.deps.pushPrev, insn.deps.pushNext);
  if (insn.spare[0] || insn.spare[1])
    text += " spare=" + hex(insn.spare[0]) + "," + hex(insn.spare[1]);
  return text;
}

std::string acc::isa::printUop(const Uop &uop, uint32_t spare) {
  return ".uop" + value("dst", uop.dst) + value("src", uop.src) +
         value("wgt", uop.wgt) + (spare ? " spare=" + hex(spare) : "");
}

std::string acc::isa::printProgram(const Program &program) {
  std::string text = ".config " + program.config.toJson() + "\n";
  for (size_t i = 0; i < program.buffers.size(); ++i) {
    const Buffer &buffer = program.buffers[i];
    text +=
        ".buffer " + quote(buffer.name) + " " + std::to_string(buffer.bytes);
    if (i < program.addresses.size())
      text += " " + hex(program.addresses[i]);
    text += "\n";
  }
  if (program.uopBuffer != Program::kNone)
    text += ".uop_buffer " + std::to_string(program.uopBuffer) + "\n";
  Codec codec(program.config);
  for (size_t i = 0; i < program.uops.size(); ++i)
    text += printUop(codec.decode(program.uops[i]),
                     codec.spareBits(program.uops[i])) +
            " ; " + std::to_string(i) + "\n";
  int32_t layer = Program::kNone;
  for (size_t i = 0; i < program.insns.size(); ++i) {
    int32_t here =
        i < program.layerOf.size() ? program.layerOf[i] : Program::kNone;
    if (here != layer)
      text += ".layer " + quote(program.layerOfInsn(i)) + "\n";
    layer = here;
    text += printInstruction(program.insns[i], program.bufferOfInsn(i)) +
            " ; " + std::to_string(i) + "\n";
  }
  return text;
}
