//===- Assembly.cpp - Assembly printer ------------------------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "acc/vta/isa/Assembly.h"

using namespace acc::vta::isa;

namespace {

#define GET_ASSEMBLY_KEYS
#include "acc/vta/isa/Facts.inc"

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

/// Appends what the keys of one kind of instruction say. \p buffer stands
/// before the address in DRAM.
class KeyPrinter {
public:
  KeyPrinter(std::string &text, int32_t buffer = Program::kNone)
      : text(text), buffer(buffer) {}

  template <typename... T>
  void operator()(const AssemblyKey &key, const T &...values) {
    if (key.optional && !(values || ...))
      return;
    text += std::string(" ") + key.name;
    char before = '=';
    if (buffer != Program::kNone && key.name == std::string_view("dram")) {
      text += "=@" + std::to_string(buffer);
      before = '+';
    }
    auto append = [&](int64_t value) {
      text += before + std::to_string(value);
      before = key.between;
    };
    (append(values), ...);
  }

private:
  std::string &text;
  int32_t buffer;
};

} // namespace

std::string acc::vta::isa::printInstruction(const Instruction &insn,
                                            int32_t buffer) {
  // A GEMM that sets, or that has a window, is another opcode, but one of its
  // forms here.
  std::string text = opcodeName(insn.gemm() ? Opcode::Gemm : insn.opcode());
  if (const MemInsn *mem = insn.mem()) {
    text += std::string(".") + memoryName(mem->memory);
    forEachMemKey(*mem, KeyPrinter(text, buffer));
  } else if (const GemmInsn *gemm = insn.gemm()) {
    text += gemm->window ? ".window" : "";
    text += gemm->reset ? ".reset" : gemm->set ? ".set" : "";
    forEachGemmKey(*gemm, KeyPrinter(text));
  } else if (const AluInsn *alu = insn.alu()) {
    text += std::string(".") + aluOpName(alu->op);
    forEachAluKey(*alu, KeyPrinter(text));
  }
  text += neighbours("pop", insn.deps.popPrev, insn.deps.popNext) +
          neighbours("push", insn.deps.pushPrev, insn.deps.pushNext);
  if (insn.spare[0] || insn.spare[1])
    text += " spare=" + hex(insn.spare[0]) + "," + hex(insn.spare[1]);
  return text;
}

std::string acc::vta::isa::printUop(const Uop &uop, uint32_t spare) {
  std::string text = ".uop";
  forEachUopKey(uop, KeyPrinter(text));
  return text + (spare ? " spare=" + hex(spare) : "");
}

std::string acc::vta::isa::printProgram(const Program &program) {
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
