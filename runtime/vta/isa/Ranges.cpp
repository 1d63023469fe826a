//===- Ranges.cpp - Range checks of single instructions -------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "acc/vta/isa/Hazards.h"

#include <algorithm>

using namespace acc::vta::isa;

namespace {

std::string beyond(Memory memory, uint64_t last, uint32_t depth,
                   const char *role) {
  return std::string(role) + " reaches " + memoryName(memory) + "[" +
         std::to_string(last) + "], but there are " + std::to_string(depth) +
         " entries";
}

/// Whether there is such a copy at all.
std::optional<std::string> checkKind(const MemInsn &mem) {
  if (mem.isNop())
    return std::nullopt;
  if (!isDefined(mem.memory))
    return formErrorText(FormError::Memory) +
           (" " + std::to_string(static_cast<int>(mem.memory)));
  if (mem.store && mem.memory != Memory::Out)
    return formErrorText(FormError::StoreMemory) + std::string(", not ") +
           memoryName(mem.memory);
  if (!mem.store && mem.memory == Memory::Out)
    return formErrorText(FormError::LoadOut);
  if (mem.store && mem.hasPads())
    return formErrorText(FormError::Pads);
  return std::nullopt;
}

std::optional<std::string> checkMem(const Config &config, const MemInsn &mem,
                                    const Buffer *buffer) {
  if (auto problem = checkKind(mem))
    return problem;
  if (mem.isNop())
    return std::nullopt;
  uint64_t entries = static_cast<uint64_t>(mem.sramRows()) * mem.sramCols();
  uint32_t depth = config.depth(mem.memory);
  if (entries != 0 && mem.sramBase + entries > depth)
    return beyond(mem.memory, mem.sramBase + entries - 1, depth, "it");
  if (buffer && buffer->bytes != 0 && mem.ySize != 0) {
    uint64_t last = mem.dramBase +
                    static_cast<uint64_t>(mem.ySize - 1) * mem.xStride +
                    mem.xSize;
    uint64_t bytes = last * config.elementBytes(mem.memory);
    if (bytes > buffer->bytes)
      return "it reaches byte " + std::to_string(bytes) + " of buffer '" +
             buffer->name + "', which has " + std::to_string(buffer->bytes);
  }
  return std::nullopt;
}

} // namespace

std::optional<std::string> acc::vta::isa::checkRanges(const Config &config,
                                                      const Instruction &insn,
                                                      std::span<const Uop> uops,
                                                      const Buffer *buffer) {
  if (const MemInsn *mem = insn.mem())
    return checkMem(config, *mem, buffer);
  const MicroLoop *loop = insn.loop();
  if (!loop || loop->steps() == 0)
    return std::nullopt;
  if (loop->uopEnd > uops.size())
    return beyond(Memory::Uop, loop->uopEnd - 1, uops.size(), "uop_end");

  const GemmInsn *gemm = insn.gemm();
  const AluInsn *alu = insn.alu();
  Uop top;
  for (const Uop &uop : uops.subspan(loop->uopBgn, loop->uopCount())) {
    top.dst = std::max(top.dst, uop.dst);
    top.src = std::max(top.src, uop.src);
    top.wgt = std::max(top.wgt, uop.wgt);
  }
  uint64_t out = loop->iterOut - 1, in = loop->iterIn - 1;
  auto check = [&](Memory memory, uint64_t base, uint32_t factorOut,
                   uint32_t factorIn,
                   const char *role) -> std::optional<std::string> {
    uint64_t last = base + out * factorOut + in * factorIn;
    if (last >= config.depth(memory))
      return beyond(memory, last, config.depth(memory), role);
    return std::nullopt;
  };
  if (auto problem =
          check(Memory::Acc, top.dst, loop->dstOut, loop->dstIn, "dst"))
    return problem;
  // A reset and an immediate operand do not read the source.
  if (gemm && !gemm->reset) {
    if (auto problem = check(Memory::Inp, top.src + gemm->sources(config) - 1,
                             loop->srcOut, loop->srcIn, "src"))
      return problem;
    return check(Memory::Wgt, top.wgt, gemm->wgtOut, gemm->wgtIn, "wgt");
  }
  if (alu && !alu->useImm)
    return check(Memory::Acc, top.src + alu->sources() - 1, loop->srcOut,
                 loop->srcIn, "src");
  return std::nullopt;
}

std::optional<std::string> acc::vta::isa::checkForm(const Instruction &insn) {
  if (const MemInsn *mem = insn.mem())
    if (auto problem = checkKind(*mem))
      return problem;
  Module module = insn.module();
  const Deps &deps = insn.deps;
  if (module == Module::Load && (deps.popPrev || deps.pushPrev))
    return "a dependence flag names the previous module, but nothing precedes "
           "load";
  if (module == Module::Store && (deps.popNext || deps.pushNext))
    return "a dependence flag names the next module, but nothing follows store";
  return std::nullopt;
}

void acc::vta::isa::checkForm(
    std::span<const Instruction> insns,
    const std::function<void(int64_t, std::string)> &report) {
  for (size_t i = 0; i < insns.size(); ++i) {
    if (auto problem = checkForm(insns[i]))
      report(static_cast<int64_t>(i), *problem);
    if (insns[i].isFinish() && i + 1 != insns.size())
      report(static_cast<int64_t>(i), formErrorText(FormError::NotLast));
  }
  if (insns.empty() || !insns.back().isFinish())
    report(-1, formErrorText(FormError::NoFinish));
}
