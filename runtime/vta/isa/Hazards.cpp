//===- Hazards.cpp - Exact dataflow on a stream ---------------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "acc/vta/isa/Hazards.h"
#include "IntervalMap.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

using namespace acc::vta::isa;

void acc::vta::isa::join(Clock &clock, const Clock &other) {
  for (int m = 0; m < kNumModules; ++m)
    clock[m] = std::max(clock[m], other[m]);
}

UopReader acc::vta::isa::tableReader(const Program &program) {
  return
      [&program](int32_t space, uint64_t element) -> std::optional<uint32_t> {
        if (space == Program::kNone || space != program.uopBuffer ||
            element >= program.uops.size())
          return std::nullopt;
        return program.uops[element];
      };
}

namespace {

constexpr int index(Module module) { return static_cast<int>(module); }

/// Last writer and last reader of every entry of one scratchpad, as index + 1.
/// Only the module that does not write it counts as a reader.
struct Scratchpad {
  std::vector<uint32_t> writer, reader;
  explicit Scratchpad(uint32_t depth) : writer(depth), reader(depth) {}
};

/// Last writer (always store) and last reader per reading module of the bytes
/// of one DRAM space.
struct Space {
  IntervalMap writer, loadReader, computeReader;
};

/// Calls fn(entry) for the entries that base and the loops reach, once per
/// repetition that differs.
template <typename Base, typename Fn>
void forEachEntry(std::span<const Uop> uops, const MicroLoop &loop, Base base,
                  uint32_t factorOut, uint32_t factorIn, Fn fn) {
  uint32_t outs = factorOut ? loop.iterOut : 1,
           ins = factorIn ? loop.iterIn : 1;
  uint32_t previous = ~0u;
  for (uint32_t u = loop.uopBgn; u < loop.uopEnd; ++u) {
    uint32_t first = base(uops[u]);
    if (first == previous)
      continue;
    previous = first;
    for (uint32_t o = 0; o < outs; ++o)
      for (uint32_t i = 0; i < ins; ++i)
        fn(first + o * factorOut + i * factorIn);
  }
}

} // namespace

Initialised::Initialised(const Config &config)
    : uop(config.depth(Memory::Uop)), inp(config.depth(Memory::Inp)),
      wgt(config.depth(Memory::Wgt)), acc(config.depth(Memory::Acc)) {}

void Initialised::clear() {
  for (std::vector<uint8_t> *flags : {&uop, &inp, &wgt, &acc})
    std::fill(flags->begin(), flags->end(), 0);
}

void Initialised::fill(const Instruction &insn, std::span<const Uop> uops) {
  if (const MemInsn *mem = insn.mem()) {
    if (mem->store || mem->isNop())
      return;
    std::vector<uint8_t> &flags = mem->memory == Memory::Uop   ? uop
                                  : mem->memory == Memory::Inp ? inp
                                  : mem->memory == Memory::Wgt ? wgt
                                                               : acc;
    std::fill_n(flags.begin() + mem->sramBase, mem->sramEntries(), 1);
  } else if (const GemmInsn *gemm = insn.gemm();
             gemm && (gemm->reset || gemm->set) && gemm->steps() != 0) {
    forEachEntry(
        uops, *gemm, [](const Uop &u) { return u.dst; }, gemm->dstOut,
        gemm->dstIn, [&](uint32_t e) { acc[e] = 1; });
  }
}

struct HazardTracker::State {
  Config config;
  Codec codec;
  UopReader reader;
  Scratchpad inp, wgt, acc;
  std::vector<Uop> uops;
  Initialised filled;
  std::unordered_map<int32_t, Space> spaces;
  std::optional<std::unordered_set<int32_t>> tracked;

  State(const Config &config, UopReader reader)
      : config(config), codec(config), reader(std::move(reader)),
        inp(config.depth(Memory::Inp)), wgt(config.depth(Memory::Wgt)),
        acc(config.depth(Memory::Acc)), uops(config.depth(Memory::Uop)),
        filled(config) {}

  Conflict conflict;

  void collide(Module module, uint32_t after, const char *verb,
               std::optional<Memory> memory, uint64_t where) {
    uint32_t &slot = conflict.after[index(module)];
    if (after <= slot)
      return;
    slot = after;
    conflict.what[index(module)] = {verb, memory, where};
  }

  void uninitialised(Memory memory, uint32_t entry) {
    if (!conflict.uninitialised)
      conflict.uninitialised = {memory, entry};
  }

  void writeAcc(uint32_t stamp, uint32_t entry) {
    acc.writer[entry] = stamp;
    filled.acc[entry] = 1;
  }

  /// Calls fn(begin, end) for the rows of a copy in DRAM, in bytes.
  template <typename Fn> void forEachRow(const MemInsn &mem, Fn fn) {
    uint64_t bytes = config.elementBytes(mem.memory);
    if (mem.xStride == mem.xSize) {
      fn(mem.dramBase * bytes,
         (mem.dramBase + static_cast<uint64_t>(mem.ySize) * mem.xSize) * bytes);
      return;
    }
    for (uint32_t y = 0; y < mem.ySize; ++y) {
      uint64_t begin = mem.dramBase + static_cast<uint64_t>(y) * mem.xStride;
      fn(begin * bytes, (begin + mem.xSize) * bytes);
    }
  }

  void visitMem(uint32_t stamp, const MemInsn &mem, int32_t space);
  void visitLoop(uint32_t stamp, const Instruction &insn,
                 const MicroLoop &loop);
};

void HazardTracker::State::visitMem(uint32_t stamp, const MemInsn &mem,
                                    int32_t space) {
  if (mem.isNop())
    return;
  uint32_t begin = mem.sramBase, end = begin + mem.sramEntries();
  switch (mem.memory) {
  case Memory::Uop:
    // What is not overwritten below is padding, which is zero.
    for (uint32_t e = begin; e < end; ++e) {
      filled.uop[e] = 1;
      uops[e] = Uop();
    }
    for (uint32_t y = 0; y < mem.ySize; ++y)
      for (uint32_t x = 0; x < mem.xSize; ++x) {
        uint32_t entry =
            begin + (mem.yPad0 + y) * mem.sramCols() + mem.xPad0 + x;
        uint64_t element =
            mem.dramBase + static_cast<uint64_t>(y) * mem.xStride + x;
        std::optional<uint32_t> word =
            reader ? reader(space, element) : std::nullopt;
        filled.uop[entry] = word.has_value();
        uops[entry] = codec.decode(word.value_or(0));
      }
    break;
  case Memory::Inp:
  case Memory::Wgt: {
    Scratchpad &pad = mem.memory == Memory::Inp ? inp : wgt;
    auto &flags = mem.memory == Memory::Inp ? filled.inp : filled.wgt;
    for (uint32_t e = begin; e < end; ++e) {
      collide(Module::Compute, pad.reader[e], "overwrites", mem.memory, e);
      pad.writer[e] = stamp;
      flags[e] = 1;
    }
    break;
  }
  case Memory::Acc:
  case Memory::Acc8:
    for (uint32_t e = begin; e < end; ++e) {
      collide(Module::Store, acc.reader[e], "overwrites", Memory::Acc, e);
      writeAcc(stamp, e);
    }
    break;
  case Memory::Out:
    for (uint32_t e = begin; e < end; ++e) {
      if (acc.writer[e])
        collide(Module::Compute, acc.writer[e], "reads", Memory::Acc, e);
      if (!filled.acc[e])
        uninitialised(Memory::Acc, e);
      acc.reader[e] = stamp;
    }
    break;
  case Memory::Undefined6:
  case Memory::Undefined7:
    return;
  }

  if (tracked && !tracked->contains(space))
    return;
  Space &dram = spaces[space];
  forEachRow(mem, [&](uint64_t from, uint64_t to) {
    if (!mem.store) {
      IntervalMap::Hit hit = dram.writer.maxOver(from, to);
      collide(Module::Store, hit.value, "reads", std::nullopt, hit.byte);
      bool byLoad = mem.memory == Memory::Inp || mem.memory == Memory::Wgt;
      (byLoad ? dram.loadReader : dram.computeReader).assign(from, to, stamp);
      return;
    }
    IntervalMap::Hit byLoad = dram.loadReader.maxOver(from, to);
    collide(Module::Load, byLoad.value, "overwrites", std::nullopt,
            byLoad.byte);
    IntervalMap::Hit byCompute = dram.computeReader.maxOver(from, to);
    collide(Module::Compute, byCompute.value, "overwrites", std::nullopt,
            byCompute.byte);
    dram.writer.assign(from, to, stamp);
  });
}

void HazardTracker::State::visitLoop(uint32_t stamp, const Instruction &insn,
                                     const MicroLoop &loop) {
  if (loop.steps() == 0)
    return;
  for (uint32_t u = loop.uopBgn; u < loop.uopEnd; ++u)
    if (!filled.uop[u]) {
      uninitialised(Memory::Uop, u);
      break;
    }
  const GemmInsn *gemm = insn.gemm();
  const AluInsn *alu = insn.alu();
  if (alu && alu->op == AluOp::Table) {
    // Which entries are looked up is for the accumulators to say.
    const uint32_t begin = config.tableBegin(alu->imm);
    const auto first = filled.uop.begin() + begin;
    const auto missing = std::find(first, first + Config::kTableEntries, 0);
    if (missing != first + Config::kTableEntries)
      uninitialised(Memory::Uop, missing - filled.uop.begin());
  }
  if (gemm && !gemm->reset) {
    auto read = [&](Memory memory, Scratchpad &pad,
                    const std::vector<uint8_t> &flags) {
      return [&, memory](uint32_t e) {
        if (pad.writer[e])
          collide(Module::Load, pad.writer[e], "reads", memory, e);
        if (!flags[e])
          uninitialised(memory, e);
        pad.reader[e] = stamp;
      };
    };
    forEachEntry(
        uops, loop, [](const Uop &u) { return u.src; }, loop.srcOut, loop.srcIn,
        [&, sources = gemm->sources(config),
         one = read(Memory::Inp, inp, filled.inp)](uint32_t e) {
          for (uint32_t k = 0; k < sources; ++k)
            one(e + k);
        });
    forEachEntry(
        uops, loop, [](const Uop &u) { return u.wgt; }, gemm->wgtOut,
        gemm->wgtIn, read(Memory::Wgt, wgt, filled.wgt));
  }
  bool readsDst = !gemm || !(gemm->reset || gemm->set);
  // Operands are checked before destinations are marked as written, except
  // where an earlier micro-op of the same instruction wrote them.
  if (alu && !alu->useImm) {
    for (uint32_t o = 0; o < loop.iterOut; ++o)
      for (uint32_t i = 0; i < loop.iterIn; ++i)
        for (uint32_t u = loop.uopBgn; u < loop.uopEnd; ++u) {
          uint32_t src = uops[u].src + o * loop.srcOut + i * loop.srcIn;
          uint32_t dst = uops[u].dst + o * loop.dstOut + i * loop.dstIn;
          for (uint32_t k = 0; k < alu->sources(); ++k)
            if (!filled.acc[src + k])
              uninitialised(Memory::Acc, src + k);
          if (!filled.acc[dst])
            uninitialised(Memory::Acc, dst);
          collide(Module::Store, acc.reader[dst], "overwrites", Memory::Acc,
                  dst);
          writeAcc(stamp, dst);
        }
    return;
  }
  forEachEntry(
      uops, loop, [](const Uop &u) { return u.dst; }, loop.dstOut, loop.dstIn,
      [&](uint32_t e) {
        if (readsDst && !filled.acc[e])
          uninitialised(Memory::Acc, e);
        collide(Module::Store, acc.reader[e], "overwrites", Memory::Acc, e);
        writeAcc(stamp, e);
      });
}

HazardTracker::HazardTracker(const Config &config, UopReader reader)
    : state(std::make_unique<State>(config, std::move(reader))) {}
HazardTracker::~HazardTracker() = default;
HazardTracker::HazardTracker(HazardTracker &&) = default;

void HazardTracker::resume(const Initialised &initialised,
                           std::span<const Uop> uops) {
  state->filled = initialised;
  state->uops.assign(uops.begin(), uops.end());
}

const Initialised &HazardTracker::initialised() const { return state->filled; }

void HazardTracker::restrictTo(const Program &program) {
  std::unordered_set<int32_t> loaded;
  state->tracked.emplace();
  for (size_t i = 0; i < program.insns.size(); ++i)
    if (const MemInsn *mem = program.insns[i].mem(); mem && !mem->store)
      loaded.insert(program.bufferOfInsn(i));
  for (size_t i = 0; i < program.insns.size(); ++i)
    if (const MemInsn *mem = program.insns[i].mem(); mem && mem->store)
      if (loaded.contains(program.bufferOfInsn(i)))
        state->tracked->insert(program.bufferOfInsn(i));
}

HazardTracker::Conflict HazardTracker::visit(uint32_t instruction,
                                             const Instruction &insn,
                                             int32_t space) {
  state->conflict = {};
  if (const MemInsn *mem = insn.mem())
    state->visitMem(instruction + 1, *mem, space);
  else if (const MicroLoop *loop = insn.loop())
    state->visitLoop(instruction + 1, insn, *loop);
  return state->conflict;
}

std::span<const Uop> HazardTracker::uops() const { return state->uops; }

static std::string describe(const HazardTracker::Conflict::What &what,
                            uint32_t other,
                            const std::vector<Instruction> &insns) {
  std::string text = what.verb;
  if (what.memory)
    text += std::string(" ") + memoryName(*what.memory) + "[" +
            std::to_string(what.index) + "] ";
  else
    text += " DRAM byte " + std::to_string(what.index) + " ";
  text += text.starts_with("reads") ? "written by" : "read by";
  return text + " instruction " + std::to_string(other) + " (" +
         describe(insns[other]) + "), but no token orders it after that";
}

std::vector<std::string> acc::vta::isa::complaints(
    const HazardTracker::Conflict &conflict, const Clock &before,
    const std::vector<Instruction> &insns, bool uninitialised) {
  std::vector<std::string> result;
  if (uninitialised && conflict.uninitialised) {
    auto [memory, entry] = *conflict.uninitialised;
    result.push_back("reads " + std::string(memoryName(memory)) + "[" +
                     std::to_string(entry) + "], which nothing has written");
  }
  for (int m = 0; m < kNumModules; ++m)
    if (conflict.after[m] > before[m])
      result.push_back(
          ::describe(conflict.what[m], conflict.after[m] - 1, insns));
  return result;
}

std::vector<std::string>
acc::vta::isa::finishComplaints(const std::vector<Instruction> &insns,
                                const Clock &beforeFinish) {
  std::vector<std::string> result;
  for (Module module : {Module::Load, Module::Store}) {
    uint32_t last = insns.size();
    while (last > 0 && insns[last - 1].module() != module)
      --last;
    if (last > beforeFinish[index(module)])
      result.push_back("FINISH does not wait for instruction " +
                       std::to_string(last - 1) + " (" +
                       describe(insns[last - 1]) + ")");
  }
  return result;
}
