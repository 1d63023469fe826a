//===- Program.cpp - Accelerator programs ---------------------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "acc/vta/isa/Program.h"

#include <algorithm>

using namespace acc::vta::isa;

std::string_view Program::layerOfInsn(size_t insn) const {
  if (insn >= layerOf.size() || layerOf[insn] < 0 ||
      static_cast<size_t>(layerOf[insn]) >= layers.size())
    return {};
  return layers[layerOf[insn]];
}

void Program::append(const Instruction &insn, int32_t buffer, int32_t layer) {
  bufferOf.resize(insns.size(), kNone);
  layerOf.resize(insns.size(), kNone);
  insns.push_back(insn);
  bufferOf.push_back(buffer);
  layerOf.push_back(layer);
}

void Program::insert(size_t position, const Instruction &insn) {
  bufferOf.resize(insns.size(), kNone);
  layerOf.resize(insns.size(), kNone);
  int32_t layer = position < layerOf.size() ? layerOf[position] : kNone;
  insns.insert(insns.begin() + position, insn);
  bufferOf.insert(bufferOf.begin() + position, kNone);
  layerOf.insert(layerOf.begin() + position, layer);
}

int32_t Program::addLayer(std::string_view name) {
  auto found = std::find(layers.begin(), layers.end(), name);
  if (found == layers.end())
    found = layers.insert(layers.end(), std::string(name));
  return static_cast<int32_t>(found - layers.begin());
}

std::vector<Word128> Program::encode() const {
  Codec codec(config);
  std::vector<Word128> words;
  words.reserve(insns.size());
  for (const Instruction &insn : insns)
    words.push_back(codec.encode(insn));
  return words;
}

std::optional<Program> Program::decode(const Config &config,
                                       std::span<const Word128> words,
                                       std::string *error) {
  Codec codec(config);
  Program program;
  program.config = config;
  program.insns.reserve(words.size());
  for (const Word128 &word : words) {
    std::string reason;
    std::optional<Instruction> insn = codec.decode(word, &reason);
    if (!insn) {
      if (error)
        *error = "instruction " + std::to_string(program.insns.size()) + ": " +
                 reason;
      return std::nullopt;
    }
    program.insns.push_back(*insn);
  }
  return program;
}

std::optional<std::vector<Word128>>
Program::link(std::span<const uint64_t> addresses, std::string *error) const {
  Codec codec(config);
  std::vector<Word128> words;
  words.reserve(insns.size());
  for (size_t i = 0; i < insns.size(); ++i) {
    Instruction insn = insns[i];
    int32_t buffer = bufferOfInsn(i);
    if (auto *mem = std::get_if<MemInsn>(&insn.body); mem && buffer != kNone) {
      auto fail = [&](const std::string &reason) {
        if (error)
          *error = "instruction " + std::to_string(i) + ": " + reason;
        return std::nullopt;
      };
      if (buffer < 0 || static_cast<size_t>(buffer) >= addresses.size())
        return fail("buffer " + std::to_string(buffer) + " has no address");
      uint64_t bytes = config.elementBytes(mem->memory);
      if (addresses[buffer] % bytes != 0)
        return fail("buffer " + std::to_string(buffer) + " at byte " +
                    std::to_string(addresses[buffer]) +
                    " is not aligned to its " + std::to_string(bytes) +
                    "-byte elements");
      uint64_t base = addresses[buffer] / bytes + mem->dramBase;
      if (base > 0xffffffffull)
        return fail("dram_base exceeds 32 bits");
      mem->dramBase = static_cast<uint32_t>(base);
    }
    words.push_back(codec.encode(insn));
  }
  return words;
}
