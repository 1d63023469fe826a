//===- Extent.cpp - Which banks an instruction uses -----------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Extent.h"

#include <bit>

using namespace acc;
using namespace acc::vta;
using namespace acc::vta::csim;

Unit acc::vta::csim::unitOf(const isa::Instruction &insn) {
  return insn.mem() ? Unit::Load : insn.alu() ? Unit::Alu : Unit::Gemm;
}

Extent acc::vta::csim::extentOf(const isa::Instruction &insn,
                                std::span<const isa::Uop> uops,
                                const Pipeline &pipeline,
                                const Geometry &geometry) {
  const int shift = geometry.logAccDepth - geometry.logAccBanks;
  auto between = [&](uint32_t least, uint32_t most) {
    return (2u << (most >> shift)) - (1u << (least >> shift));
  };
  if (const isa::MemInsn *mem = insn.mem()) {
    if (mem->memory == isa::Memory::Uop || mem->isNop())
      return {0, pipeline.examine};
    const uint32_t last = mem->sramBase + mem->sramEntries() - 1;
    // A bit of the rows is added up per cycle, and of the iterations below.
    return {between(mem->sramBase, last),
            pipeline.examine + std::bit_width(mem->sramRows() - 1)};
  }
  const isa::MicroLoop *loop = insn.loop();
  if (!loop || loop->steps() == 0)
    return {0, pipeline.examine};
  uint32_t dst = ~0u, dstEnd = 0, src = ~0u, srcEnd = 0;
  for (const isa::Uop &uop : uops.subspan(loop->uopBgn, loop->uopCount())) {
    dst = std::min(dst, uop.dst);
    dstEnd = std::max(dstEnd, uop.dst);
    src = std::min(src, uop.src);
    srcEnd = std::max(srcEnd, uop.src);
  }
  const uint32_t inner = loop->iterIn - 1, outer = loop->iterOut - 1;
  Extent extent;
  extent.banks =
      between(dst, dstEnd + inner * loop->dstIn + outer * loop->dstOut);
  const isa::AluInsn *alu = insn.alu();
  if (const uint32_t sources = alu ? alu->sources() : 0)
    extent.banks |= between(src, srcEnd + inner * loop->srcIn +
                                     outer * loop->srcOut + sources - 1);
  extent.cycles = pipeline.examine +
                  std::max<Cycle>(std::bit_width(inner) + std::bit_width(outer),
                                  loop->uopCount() + pipeline.examineUops);
  return extent;
}

Cycle Scoreboard::ready(Unit unit, uint32_t banks) const {
  if (started >= retired + pipeline.unretired)
    return kNever;
  Cycle at = 0;
  if (started >= pipeline.unretired)
    at = retirements[(started - pipeline.unretired) % retirements.size()] +
         pipeline.fifo;
  for (uint32_t left = banks; left != 0; left &= left - 1) {
    const int bank = std::countr_zero(left);
    for (size_t other = 0; other < kUnits; ++other) {
      if (other == static_cast<size_t>(unit))
        continue;
      if (other == static_cast<size_t>(Unit::Load) &&
          lastLoad[bank] > loadsEnded)
        return kNever;
      if (ends[other][bank] != 0)
        at = std::max(at, ends[other][bank] + pipeline.release);
    }
  }
  return at;
}

Cycle Scoreboard::quietFrom(Unit unit) const {
  const Cycle last = std::ranges::max(ends[static_cast<size_t>(unit)]);
  return last != 0 ? last + pipeline.release : 0;
}

void Scoreboard::start(uint32_t index, Unit unit, uint32_t banks, Cycle cycle) {
  ++started;
  unretired.push_back({index, cycle});
  if (unit == Unit::Load)
    ++loads;
  for (uint32_t left = banks; left != 0; left &= left - 1) {
    const int bank = std::countr_zero(left);
    if (unit == Unit::Load)
      lastLoad[bank] = loads;
    else
      ends[static_cast<size_t>(unit)][bank] = cycle;
  }
}

void Scoreboard::loadEnds(Cycle cycle) {
  ++loadsEnded;
  for (size_t bank = 0; bank < lastLoad.size(); ++bank)
    if (lastLoad[bank] == loadsEnded)
      ends[static_cast<size_t>(Unit::Load)][bank] = cycle;
  for (Entry &entry : unretired)
    if (entry.ends == kNever) {
      entry.ends = cycle;
      return;
    }
}

Scoreboard::Retirement Scoreboard::pop() {
  const Entry entry = unretired.front();
  unretired.pop_front();
  Cycle at = entry.ends + pipeline.retire;
  if (retired != 0)
    at = std::max(at, retirements[(retired - 1) % retirements.size()] + 1);
  retirements[retired++ % retirements.size()] = at;
  return {entry.index, at};
}
