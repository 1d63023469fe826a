//===- Encoding.cpp - Binary form of instructions -------------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "acc/isa/Instruction.h"

#include <algorithm>

using namespace acc::isa;

namespace {

constexpr int kDepBits = 4;
constexpr int kOpcodeBits = 3;
constexpr int kHeaderBits = kOpcodeBits + kDepBits;

/// Places fields one after another; one that would straddle a word boundary
/// moves to the next word, as a C compiler places bit-fields of 64-bit type.
class Packer {
public:
  explicit Packer(int start) : pos(start) {}
  void place(Field &field, int width) {
    if (pos % 64 + width > 64)
      pos = (pos / 64 + 1) * 64;
    field = {static_cast<uint8_t>(std::min(pos, 255)),
             static_cast<uint8_t>(width)};
    pos += width;
  }
  int end() const { return pos; }

private:
  int pos;
};

uint64_t mask(int width) { return width >= 64 ? ~0ull : (1ull << width) - 1; }

uint64_t get(const Word128 &word, Field field) {
  if (field.width == 0)
    return 0;
  return (word[field.pos / 64] >> (field.pos % 64)) & mask(field.width);
}

void set(Word128 &word, Field field, uint64_t value) {
  if (field.width != 0)
    word[field.pos / 64] |= (value & mask(field.width)) << (field.pos % 64);
}

/// Calls fn(name, field, value) for each field of an instruction body, the one
/// list that checking, encoding and decoding share.
template <typename L, typename Insn, typename Fn>
void forEachMem(const L &l, Insn &insn, Fn fn) {
  fn("sram_base", l.sramBase, insn.sramBase);
  fn("dram_base", l.dramBase, insn.dramBase);
  fn("y_size", l.ySize, insn.ySize);
  fn("x_size", l.xSize, insn.xSize);
  fn("x_stride", l.xStride, insn.xStride);
  fn("y_pad_0", l.yPad0, insn.yPad0);
  fn("y_pad_1", l.yPad1, insn.yPad1);
  fn("x_pad_0", l.xPad0, insn.xPad0);
  fn("x_pad_1", l.xPad1, insn.xPad1);
}

template <typename L, typename Insn, typename Fn>
void forEachLoop(const L &l, Insn &insn, Fn fn) {
  fn("uop_bgn", l.uopBgn, insn.uopBgn);
  fn("uop_end", l.uopEnd, insn.uopEnd);
  fn("iter_out", l.iterOut, insn.iterOut);
  fn("iter_in", l.iterIn, insn.iterIn);
  fn("dst_factor_out", l.dstOut, insn.dstOut);
  fn("dst_factor_in", l.dstIn, insn.dstIn);
  fn("src_factor_out", l.srcOut, insn.srcOut);
  fn("src_factor_in", l.srcIn, insn.srcIn);
}

template <typename L, typename Insn, typename Fn>
void forEachGemm(const L &l, Insn &insn, Fn fn) {
  forEachLoop(l, insn, fn);
  fn("wgt_factor_out", l.wgtOut, insn.wgtOut);
  fn("wgt_factor_in", l.wgtIn, insn.wgtIn);
}

std::string tooBig(const char *name, uint64_t value, int width) {
  return std::string(name) + " is " + std::to_string(value) +
         ", which does not fit its " + std::to_string(width) + " bits";
}

} // namespace

Layout::Layout(const Config &config) {
  int logUop = config.logDepth(Memory::Uop),
      logInp = config.logDepth(Memory::Inp);
  int logWgt = config.logDepth(Memory::Wgt),
      logAcc = config.logDepth(Memory::Acc);

  Packer memPack(kHeaderBits);
  memPack.place(mem.memory, 3);
  memPack.place(mem.sramBase, 16);
  memPack.place(mem.dramBase, 32);
  memPack.place(mem.ySize, 16);
  memPack.place(mem.xSize, 16);
  memPack.place(mem.xStride, 16);
  for (Field *field : {&mem.yPad0, &mem.yPad1, &mem.xPad0, &mem.xPad1})
    memPack.place(*field, 4);
  memEnd = memPack.end();

  auto placeLoop = [&](Packer &pack, auto &fields) {
    pack.place(fields.reset, 1);
    pack.place(fields.uopBgn, logUop);
    pack.place(fields.uopEnd, logUop + 1);
    pack.place(fields.iterOut, 14);
    pack.place(fields.iterIn, 14);
    pack.place(fields.dstOut, logAcc);
    pack.place(fields.dstIn, logAcc);
  };
  Packer gemmPack(kHeaderBits);
  placeLoop(gemmPack, gemm);
  gemmPack.place(gemm.srcOut, logInp);
  gemmPack.place(gemm.srcIn, logInp);
  gemmPack.place(gemm.wgtOut, logWgt);
  gemmPack.place(gemm.wgtIn, logWgt);
  gemmEnd = gemmPack.end();

  Packer aluPack(kHeaderBits);
  placeLoop(aluPack, alu);
  aluPack.place(alu.srcOut, logAcc);
  aluPack.place(alu.srcIn, logAcc);
  aluPack.place(alu.op, 3);
  aluPack.place(alu.useImm, 1);
  aluPack.place(alu.imm, 16);
  aluEnd = aluPack.end();

  Packer uopPack(0);
  uopPack.place(uop.dst, logAcc);
  uopPack.place(uop.src, std::max(logAcc, logInp));
  uopPack.place(uop.wgt, logWgt);
  uopEnd = uopPack.end();
}

Codec::Codec(const Config &config) : layout(config), used() {
  auto usedBy = [&](Opcode opcode) -> Word128 & {
    return used[static_cast<size_t>(opcode)];
  };
  for (Word128 &bits : used)
    bits[0] = mask(kHeaderBits);
  Word128 *bits = nullptr;
  auto use = [&](const char *, Field field, uint32_t) {
    set(*bits, field, ~0ull);
  };
  MemInsn memInsn;
  bits = &usedBy(Opcode::Load);
  set(*bits, layout.mem.memory, ~0ull);
  forEachMem(layout.mem, memInsn, use);
  usedBy(Opcode::Store) = *bits;
  GemmInsn gemmInsn;
  bits = &usedBy(Opcode::Gemm);
  set(*bits, layout.gemm.reset, ~0ull);
  forEachGemm(layout.gemm, gemmInsn, use);
  AluInsn aluInsn;
  bits = &usedBy(Opcode::Alu);
  forEachLoop(layout.alu, aluInsn, use);
  for (Field field :
       {layout.alu.reset, layout.alu.op, layout.alu.useImm, layout.alu.imm})
    set(*bits, field, ~0ull);
}

std::optional<std::string> Codec::check(const Instruction &insn) const {
  std::optional<std::string> problem;
  auto fits = [&](const char *name, Field field, uint32_t value) {
    if (!problem && value > mask(field.width))
      problem = tooBig(name, value, field.width);
  };
  if (const MemInsn *memInsn = insn.mem()) {
    forEachMem(layout.mem, *memInsn, fits);
  } else if (const GemmInsn *gemmInsn = insn.gemm()) {
    forEachGemm(layout.gemm, *gemmInsn, fits);
  } else if (const AluInsn *aluInsn = insn.alu()) {
    forEachLoop(layout.alu, *aluInsn, fits);
    if (!problem && (aluInsn->imm < -32768 || aluInsn->imm > 32767))
      problem = "imm is " + std::to_string(aluInsn->imm) +
                ", which does not fit 16 signed bits";
  }
  const Word128 &fields = used[static_cast<size_t>(insn.opcode())];
  if (!problem &&
      ((insn.spare[0] & fields[0]) != 0 || (insn.spare[1] & fields[1]) != 0))
    problem = "spare has bits that belong to a field";
  return problem;
}

std::optional<std::string> Codec::check(const Uop &uop) const {
  if (uop.dst > mask(layout.uop.dst.width))
    return tooBig("dst", uop.dst, layout.uop.dst.width);
  if (uop.src > mask(layout.uop.src.width))
    return tooBig("src", uop.src, layout.uop.src.width);
  if (uop.wgt > mask(layout.uop.wgt.width))
    return tooBig("wgt", uop.wgt, layout.uop.wgt.width);
  return std::nullopt;
}

Word128 Codec::encode(const Instruction &insn) const {
  Word128 word = insn.spare;
  auto put = [&](const char *, Field field, uint32_t value) {
    set(word, field, value);
  };
  word[0] |= static_cast<uint64_t>(insn.opcode()) |
             static_cast<uint64_t>(insn.deps.popPrev) << 3 |
             static_cast<uint64_t>(insn.deps.popNext) << 4 |
             static_cast<uint64_t>(insn.deps.pushPrev) << 5 |
             static_cast<uint64_t>(insn.deps.pushNext) << 6;
  if (const MemInsn *memInsn = insn.mem()) {
    set(word, layout.mem.memory, static_cast<uint64_t>(memInsn->memory));
    forEachMem(layout.mem, *memInsn, put);
  } else if (const GemmInsn *gemmInsn = insn.gemm()) {
    set(word, layout.gemm.reset, gemmInsn->reset);
    forEachGemm(layout.gemm, *gemmInsn, put);
  } else if (const AluInsn *aluInsn = insn.alu()) {
    set(word, layout.alu.reset, aluInsn->reset);
    forEachLoop(layout.alu, *aluInsn, put);
    set(word, layout.alu.op, static_cast<uint64_t>(aluInsn->op));
    set(word, layout.alu.useImm, aluInsn->useImm);
    set(word, layout.alu.imm, static_cast<uint64_t>(aluInsn->imm));
  }
  return word;
}

std::optional<Instruction> Codec::decode(const Word128 &word,
                                         std::string *error) const {
  auto fail = [&](std::string message) {
    if (error)
      *error = std::move(message);
    return std::nullopt;
  };
  auto take = [&](const char *, Field field, uint32_t &value) {
    value = static_cast<uint32_t>(get(word, field));
  };
  Instruction insn;
  insn.deps = {(word[0] >> 3 & 1) != 0, (word[0] >> 4 & 1) != 0,
               (word[0] >> 5 & 1) != 0, (word[0] >> 6 & 1) != 0};
  unsigned opcode = word[0] & 7;
  if (opcode < used.size())
    insn.spare = {word[0] & ~used[opcode][0], word[1] & ~used[opcode][1]};
  switch (opcode) {
  case 0:
  case 1: {
    MemInsn memInsn;
    memInsn.store = opcode == 1;
    memInsn.memory = static_cast<Memory>(get(word, layout.mem.memory));
    forEachMem(layout.mem, memInsn, take);
    insn.body = memInsn;
    return insn;
  }
  case 2: {
    GemmInsn gemmInsn;
    gemmInsn.reset = get(word, layout.gemm.reset) != 0;
    forEachGemm(layout.gemm, gemmInsn, take);
    insn.body = gemmInsn;
    return insn;
  }
  case 3:
    insn.body = FinishInsn();
    return insn;
  case 4: {
    AluInsn aluInsn;
    aluInsn.reset = get(word, layout.alu.reset) != 0;
    forEachLoop(layout.alu, aluInsn, take);
    uint64_t op = get(word, layout.alu.op);
    if (op > static_cast<uint64_t>(AluOp::Mul))
      return fail("undefined ALU operation " + std::to_string(op));
    aluInsn.op = static_cast<AluOp>(op);
    aluInsn.useImm = get(word, layout.alu.useImm) != 0;
    aluInsn.imm = static_cast<int16_t>(get(word, layout.alu.imm));
    insn.body = aluInsn;
    return insn;
  }
  default:
    return fail("undefined opcode " + std::to_string(opcode));
  }
}

uint32_t Codec::encode(const Uop &uop) const {
  Word128 word = {};
  set(word, layout.uop.dst, uop.dst);
  set(word, layout.uop.src, uop.src);
  set(word, layout.uop.wgt, uop.wgt);
  return static_cast<uint32_t>(word[0]);
}

Uop Codec::decode(uint32_t encoded) const {
  Word128 word = {encoded, 0};
  return {static_cast<uint32_t>(get(word, layout.uop.dst)),
          static_cast<uint32_t>(get(word, layout.uop.src)),
          static_cast<uint32_t>(get(word, layout.uop.wgt))};
}

uint32_t Codec::spareBits(uint32_t word) const {
  return word & ~encode(decode(~0u));
}
