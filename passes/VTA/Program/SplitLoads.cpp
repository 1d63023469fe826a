//===- SplitLoads.cpp - Weights in the order in which they are read -------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/VTA/Passes.h"
#include "passes/VTA/Program/Kernels.h"

#include "acc/vta/isa/Verify.h"

namespace acc::vta {
#define GEN_PASS_DEF_VTASPLITLOADS
#include "passes/VTA/Passes.h.inc"
} // namespace acc::vta

using namespace mlir;
using namespace acc;
using namespace acc::vta;

/// Calls \p visit with every entry of the weight scratchpad that \p gemm reads,
/// some of them several times.
static void forEachWeight(const isa::GemmInsn &gemm,
                          std::span<const isa::Uop> uops,
                          llvm::function_ref<void(uint32_t)> visit) {
  uint32_t outer = gemm.wgtOut ? gemm.iterOut : 1,
           inner = gemm.wgtIn ? gemm.iterIn : 1;
  if (!gemm.iterOut || !gemm.iterIn)
    return;
  for (uint32_t u = gemm.uopBgn; u < gemm.uopEnd; ++u)
    for (uint32_t o = 0; o < outer; ++o)
      for (uint32_t i = 0; i < inner; ++i)
        visit(uops[u].wgt + o * gemm.wgtOut + i * gemm.wgtIn);
}

namespace {

/// Entries of a LOAD that one instruction is the first to read: `begin` counts
/// from the first entry of the LOAD.
struct Part {
  uint32_t reader, begin, size;
};

struct SplitLoads : vta::impl::VTASplitLoadsBase<SplitLoads> {
  using VTASplitLoadsBase::VTASplitLoadsBase;

  void runOnOperation() override {
    ProgramOp op = getOperation();
    if (failed(checkCached(op)))
      return signalPassFailure();
    isa::Program program = op.getProgram();
    follow(program);
    llvm::DenseMap<uint32_t, SmallVector<Part>> splits;
    for (uint32_t load : weights)
      if (SmallVector<Part> parts = findParts(program, load);
          isWorthwhile(program, load, parts))
        splits[load] = std::move(parts);
    if (!splits.empty())
      rewrite(op, program, splits);
  }

private:
  /// Finds the first reader of everything that is loaded into the weight
  /// scratchpad, and what every LOAD has to wait for.
  void follow(const isa::Program &program) {
    size_t count = program.insns.size();
    isa::HazardTracker tracker(program.config, isa::tableReader(program));
    tracker.restrictTo(program);
    weights.clear();
    readers.clear();
    stores.clear();
    steps.assign(count + 1, 0);
    busy.assign(count + 1, 0);
    ready.assign(count, 0);
    constexpr auto compute = size_t(isa::Module::Compute);
    // By entry: the LOAD that filled it last, and which of its entries it is.
    std::vector<std::pair<uint32_t, uint32_t>> filled(
        program.config.depth(isa::Memory::Wgt), {kNobody, 0});
    for (uint32_t i = 0; i < count; ++i) {
      const isa::Instruction &insn = program.insns[i];
      steps[i + 1] = steps[i];
      busy[i + 1] = busy[i];
      if (isa::checkRanges(program.config, insn, tracker.uops(), nullptr))
        continue;
      ready[i] = tracker.visit(i, insn, program.bufferOfInsn(i)).after[compute];
      if (const isa::MicroLoop *loop = insn.loop())
        steps[i + 1] += loop->steps();
      if (const isa::GemmInsn *gemm = insn.gemm(); gemm && !gemm->reset)
        forEachWeight(*gemm, tracker.uops(), [&](uint32_t entry) {
          auto [load, at] = filled[entry];
          if (load != kNobody && readers[load][at] == kNobody)
            readers[load][at] = i;
        });
      const isa::MemInsn *mem = insn.mem();
      if (mem && mem->store)
        stores[program.bufferOfInsn(i)].push_back(i);
      if (!mem || insn.module() != isa::Module::Load)
        continue;
      busy[i + 1] += getCycles(program, *mem);
      if (mem->memory != isa::Memory::Wgt || !mem->movesData())
        continue;
      for (uint32_t at = 0; at < mem->sramEntries(); ++at)
        filled[mem->sramBase + at] = {i, at};
      readers[i].assign(mem->sramEntries(), kNobody);
      weights.push_back(i);
    }
  }

  uint64_t getCycles(const isa::Program &program,
                     const isa::MemInsn &mem) const {
    return uint64_t(mem.xSize) * mem.ySize *
               program.config.elementBytes(mem.memory) / portBytes +
           loadCycles;
  }

  /// The parts of a LOAD in the order of their readers, and in memory where
  /// these are the same; none if something is never read.
  SmallVector<Part> findParts(const isa::Program &program, uint32_t load) {
    const isa::MemInsn &mem = *program.insns[load].mem();
    SmallVector<Part> parts;
    if (mem.hasPads())
      return parts;
    ArrayRef<uint32_t> known = readers[load];
    for (auto [at, reader] : llvm::enumerate(known)) {
      if (reader == kNobody)
        return {};
      bool isSameRow = mem.xStride == mem.xSize || at % mem.xSize != 0;
      if (!parts.empty() && parts.back().reader == reader && isSameRow)
        ++parts.back().size;
      else
        parts.push_back({reader, uint32_t(at), 1});
    }
    llvm::sort(parts, [](const Part &a, const Part &b) {
      return std::pair(a.reader, a.begin) < std::pair(b.reader, b.begin);
    });
    return parts;
  }

  /// Whether compute would wait for the whole LOAD longer than what the
  /// instructions for its parts take.
  bool isWorthwhile(const isa::Program &program, uint32_t load,
                    ArrayRef<Part> parts) const {
    if (parts.size() < 2 || parts.front().reader == parts.back().reader)
      return false;
    uint32_t first = parts.front().reader, last = parts.back().reader;
    // What is computed must not be overwritten before it is loaded.
    if (auto found = stores.find(program.bufferOfInsn(load));
        found != stores.end() &&
        llvm::any_of(found->second, [&](uint32_t store) {
          return store > load && store < last;
        }))
      return false;
    // LOADs are carried out in order, and this one not before what it
    // overwrites has been read.
    uint64_t loading = busy[load + 1] - busy[ready[load]],
             computing = steps[first] - steps[ready[load]];
    if (loading <= computing)
      return false;
    uint64_t gain = std::min(loading - computing, steps[last] - steps[first]);
    return gain > parts.size() * loadCycles;
  }

  /// Puts every part in front of its first reader.
  void rewrite(ProgramOp op, const isa::Program &program,
               const llvm::DenseMap<uint32_t, SmallVector<Part>> &splits) {
    struct Piece {
      uint32_t load;
      Part part;
    };
    std::vector<SmallVector<Piece>> before(program.insns.size());
    for (uint32_t load : weights)
      if (auto found = splits.find(load); found != splits.end())
        for (const Part &part : found->second)
          before[part.reader].push_back({load, part});
    isa::Program result;
    SmallVector<Location> locations, all;
    for (Operation &insn : op.getBody().front())
      all.push_back(insn.getLoc());
    auto append = [&](const isa::Instruction &insn, uint32_t origin) {
      result.append(insn, program.bufferOfInsn(origin));
      locations.push_back(all[origin]);
    };
    for (uint32_t i = 0; i < program.insns.size(); ++i) {
      for (const Piece &piece : before[i]) {
        isa::Instruction insn = program.insns[piece.load];
        auto &mem = std::get<isa::MemInsn>(insn.body);
        mem.sramBase += piece.part.begin;
        mem.dramBase += piece.part.begin / mem.xSize * mem.xStride +
                        piece.part.begin % mem.xSize;
        mem.xSize = mem.xStride = piece.part.size;
        mem.ySize = 1;
        append(insn, piece.load);
        ++numParts;
      }
      if (!splits.contains(i))
        append(program.insns[i], i);
    }
    op.setInstructions(result, locations);
  }

  static constexpr uint32_t kNobody = ~uint32_t(0);

  /// The LOADs of weights in order, and the first reader of each entry.
  SmallVector<uint32_t> weights;
  llvm::DenseMap<uint32_t, SmallVector<uint32_t>> readers;
  /// The STOREs to each buffer.
  llvm::DenseMap<int32_t, SmallVector<uint32_t>> stores;
  /// By instruction: the steps of compute and the cycles of LOADs in front of
  /// it, and one more than the last instruction of compute that it waits for.
  std::vector<uint64_t> steps, busy;
  std::vector<uint32_t> ready;
};

} // namespace
