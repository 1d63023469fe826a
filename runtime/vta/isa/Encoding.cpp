//===- Encoding.cpp - Binary form of instructions -------------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "acc/vta/isa/Instruction.h"

#include <algorithm>
#include <utility>

using namespace acc::vta::isa;

static_assert(sizeof(Word128) * 8 == kInstructionBits);

namespace {

/// Places fields one after another; one that would straddle a word boundary
/// moves to the next word, as a C compiler places bit-fields of 64-bit type.
class Packer {
public:
  explicit Packer(int start) : pos(start) {}
  void place(Field &field, int width) {
    if (pos % kWordBits + width > kWordBits)
      pos = (pos / kWordBits + 1) * kWordBits;
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
  return (word[field.pos / kWordBits] >> (field.pos % kWordBits)) &
         mask(field.width);
}

void set(Word128 &word, Field field, uint64_t value) {
  if (field.width != 0)
    word[field.pos / kWordBits] |= (value & mask(field.width))
                                   << (field.pos % kWordBits);
}

// forEachMemField and so on: what checking, encoding and decoding share.
#define GET_FIELD_VISITORS
#include "acc/vta/isa/Facts.inc"

/// Calls fn(name, field, value) for each field of an instruction body; FINISH
/// has none.
template <typename Body, typename Fn>
void forEachBodyField(const Layout &layout, Body &body, Fn fn) {
  using Insn = std::remove_const_t<Body>;
  if constexpr (std::is_same_v<Insn, MemInsn>)
    forEachMemField(layout.mem, body, fn);
  else if constexpr (std::is_same_v<Insn, GemmInsn>)
    forEachGemmField(layout.gemm, body, fn);
  else if constexpr (std::is_same_v<Insn, AluInsn>)
    forEachAluField(layout.alu, body, fn);
}

/// Sets a field's value from its bits.
template <typename T> void assign(T &value, uint64_t bits, int width) {
  if constexpr (std::is_same_v<T, bool>) {
    value = bits != 0;
  } else if constexpr (std::is_signed_v<T>) {
    const uint64_t sign = width == 0 ? 0 : 1ull << (width - 1);
    value = static_cast<T>((bits ^ sign) - sign);
  } else {
    value = static_cast<T>(bits);
  }
}

std::string tooBig(const char *name, uint64_t value, int width) {
  return std::string(name) + " is " + std::to_string(value) +
         ", which does not fit its " + std::to_string(width) + " bits";
}

} // namespace

Layout::Layout(const Config &config){
#define GET_LAYOUT_PLACEMENT
#include "acc/vta/isa/Facts.inc"
}

Codec::Codec(const Config &config)
    : config(config), layout(config), used() {
  auto use = [&](Opcode opcode, auto body) {
    Word128 &bits = used[static_cast<size_t>(opcode)];
    bits[0] = mask(kHeaderBits);
    forEachBodyField(layout, body, [&](const char *, Field field, auto &) {
      set(bits, field, ~0ull);
    });
  };
  use(Opcode::Load, MemInsn());
  use(Opcode::Store, MemInsn());
  use(Opcode::Gemm, GemmInsn());
  use(Opcode::GemmSet, GemmInsn());
  use(Opcode::GemmWindow, GemmInsn());
  use(Opcode::Alu, AluInsn());
  use(Opcode::Finish, FinishInsn());
}

std::optional<std::string> Codec::checkOpcode(uint64_t code) const {
  std::string undefined =
      formErrorText(FormError::Opcode) + (" " + std::to_string(code));
  if (code >= kNumOpcodes)
    return undefined;
  const OpcodeFacts &facts = kOpcodeFacts[code];
  if (facts.extension && config.*facts.extension == 0)
    return undefined + ": it is " + kOpcodeNames[code] +
           " where the configuration declares " + facts.key;
  return std::nullopt;
}

std::optional<std::string> Codec::checkOperation(const AluInsn &insn) const {
  const auto code = static_cast<size_t>(insn.op);
  auto undefined = [&](std::string what) {
    return formErrorText(FormError::AluOp) + (" " + std::move(what));
  };
  if (code >= kNumAluOps)
    return undefined(std::to_string(code));
  const AluOpFacts &facts = kAluOpFacts[code];
  if (facts.extension && config.*facts.extension == 0)
    return undefined(std::to_string(code) + ": it is " + kAluOpNames[code] +
                     " where the configuration declares " + facts.key);
  if (facts.extension && insn.useImm != (facts.sources == 0))
    return undefined(
        std::to_string(code) + ": " + kAluOpNames[code] +
        (insn.useImm ? " has no immediate" : " has nothing but an immediate"));
  return std::nullopt;
}

std::optional<std::string> Codec::check(const Instruction &insn) const {
  if (auto problem = checkOpcode(static_cast<uint64_t>(insn.opcode())))
    return problem;
  if (const AluInsn *alu = insn.alu())
    if (auto problem = checkOperation(*alu))
      return problem;
  if (const GemmInsn *gemm = insn.gemm(); gemm && gemm->reset) {
    if (gemm->set)
      return "a product that is set cannot be a reset";
    if (gemm->window)
      return "a product of a window cannot be a reset";
  }
  std::optional<std::string> problem;
  auto fits = [&]<typename T>(const char *name, Field field, const T &value) {
    if (problem)
      return;
    if constexpr (std::is_same_v<T, uint32_t>) {
      if (value > mask(field.width))
        problem = tooBig(name, value, field.width);
    } else if constexpr (std::is_same_v<T, int32_t>) {
      T kept;
      assign(kept, value & mask(field.width), field.width);
      if (kept != value)
        problem = std::string(name) + " is " + std::to_string(value) +
                  ", which does not fit " + std::to_string(field.width) +
                  " signed bits";
    }
  };
  std::visit([&](const auto &body) { forEachBodyField(layout, body, fits); },
             insn.body);
  const Word128 &fields = used[static_cast<size_t>(insn.opcode())];
  if (!problem &&
      ((insn.spare[0] & fields[0]) != 0 || (insn.spare[1] & fields[1]) != 0))
    problem = "spare has bits that belong to a field";
  return problem;
}

std::optional<std::string> Codec::check(const Uop &uop) const {
  std::optional<std::string> problem;
  forEachUopField(layout.uop, uop,
                  [&](const char *name, Field field, uint32_t value) {
                    if (!problem && value > mask(field.width))
                      problem = tooBig(name, value, field.width);
                  });
  return problem;
}

Word128 Codec::encode(const Instruction &insn) const {
  Word128 word = insn.spare;
  set(word, kOpcodeField, static_cast<uint64_t>(insn.opcode()));
  forEachFlag(insn.deps,
              [&](Field field, bool flag) { set(word, field, flag); });
  auto put = [&](const char *, Field field, auto value) {
    set(word, field, static_cast<uint64_t>(value));
  };
  if (const GemmInsn *gemm = insn.gemm(); gemm && gemm->window) {
    GemmInsn encoded = *gemm;
    encoded.reset = gemm->set;
    forEachBodyField(layout, encoded, put);
    return word;
  }
  std::visit([&](const auto &body) { forEachBodyField(layout, body, put); },
             insn.body);
  return word;
}

std::optional<Instruction> Codec::decode(const Word128 &word,
                                         std::string *error) const {
  auto fail = [&](const std::string &problem) {
    if (error)
      *error = problem;
    return std::nullopt;
  };
  const uint64_t code = get(word, kOpcodeField);
  if (auto problem = checkOpcode(code))
    return fail(*problem);
  Instruction insn;
  forEachFlag(insn.deps,
              [&](Field field, bool &flag) { flag = get(word, field) != 0; });
  insn.spare = {word[0] & ~used[code][0], word[1] & ~used[code][1]};
  auto take = [&](const char *, Field field, auto &value) {
    assign(value, get(word, field), field.width);
  };
  switch (static_cast<Opcode>(code)) {
  case Opcode::Load:
  case Opcode::Store: {
    MemInsn memInsn;
    memInsn.store = static_cast<Opcode>(code) == Opcode::Store;
    forEachMemField(layout.mem, memInsn, take);
    insn.body = memInsn;
    break;
  }
  case Opcode::Gemm:
  case Opcode::GemmSet:
  case Opcode::GemmWindow: {
    GemmInsn gemmInsn;
    gemmInsn.set = static_cast<Opcode>(code) == Opcode::GemmSet;
    gemmInsn.window = static_cast<Opcode>(code) == Opcode::GemmWindow;
    forEachGemmField(layout.gemm, gemmInsn, take);
    if (gemmInsn.window)
      gemmInsn.set = std::exchange(gemmInsn.reset, false);
    // Reserved.
    if (gemmInsn.set && gemmInsn.reset)
      return fail(formErrorText(FormError::Opcode) +
                  (" " + std::to_string(code)) + " with a reset");
    insn.body = gemmInsn;
    break;
  }
  case Opcode::Finish:
    insn.body = FinishInsn();
    break;
  case Opcode::Alu: {
    AluInsn aluInsn;
    forEachAluField(layout.alu, aluInsn, take);
    if (auto problem = checkOperation(aluInsn))
      return fail(*problem);
    insn.body = aluInsn;
    break;
  }
  }
  return insn;
}

uint32_t Codec::encode(const Uop &uop) const {
  Word128 word = {};
  forEachUopField(layout.uop, uop,
                  [&](const char *, Field field, uint32_t value) {
                    set(word, field, value);
                  });
  return static_cast<uint32_t>(word[0]);
}

Uop Codec::decode(uint32_t encoded) const {
  const Word128 word = {encoded, 0};
  Uop uop;
  forEachUopField(layout.uop, uop,
                  [&](const char *, Field field, uint32_t &value) {
                    value = static_cast<uint32_t>(get(word, field));
                  });
  return uop;
}

uint32_t Codec::spareBits(uint32_t word) const {
  return word & ~encode(decode(~0u));
}
