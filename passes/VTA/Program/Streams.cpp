//===- Streams.cpp - Streams one behind the other -------------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/VTA/Program/Streams.h"

#include "llvm/ADT/DenseSet.h"

using namespace mlir;
using namespace acc;
using namespace acc::vta;

/// Adds the micro-ops that \p program executes to the table, unless they are
/// there. Returns, for the beginning of every run of micro-ops in its own table
/// that is used as a whole or in parts, where that run is now.
std::map<uint32_t, uint32_t> Streams::mergeUops(ProgramOp program) {
  // Instructions may execute parts of what others execute: such ranges stay
  // together.
  std::map<uint32_t, uint32_t> runs;
  SmallVector<uint32_t> order;
  for (Operation &op : program.getBody().front()) {
    isa::Instruction insn = getInstruction(&op);
    const isa::MicroLoop *loop = insn.loop();
    if (!loop || loop->uopCount() == 0)
      continue;
    uint32_t bgn = loop->uopBgn, end = loop->uopEnd;
    auto next = runs.upper_bound(bgn);
    if (next != runs.begin())
      if (auto before = std::prev(next); before->second > bgn) {
        bgn = before->first;
        end = std::max(end, before->second);
        next = runs.erase(before);
      }
    while (next != runs.end() && next->first < end) {
      end = std::max(end, next->second);
      next = runs.erase(next);
    }
    runs[bgn] = end;
    order.push_back(loop->uopBgn);
  }

  std::map<uint32_t, uint32_t> places;
  for (uint32_t first : order) {
    auto [bgn, end] = *std::prev(runs.upper_bound(first));
    if (places.count(bgn))
      continue;
    ArrayRef<int32_t> table = program.getUopsAttr().getValues();
    std::vector<int32_t> run = table.slice(3 * bgn, 3 * (end - bgn)).vec();
    auto [known, isNew] = sequences.try_emplace(run, uops.size() / 3);
    if (isNew)
      uops.insert(uops.end(), run.begin(), run.end());
    places[bgn] = known->second;
  }
  return places;
}

LogicalResult Streams::append(ProgramOp program, ArrayRef<Place> places) {
  starts.push_back(insns.size());
  std::map<uint32_t, uint32_t> runs = mergeUops(program);
  for (Operation &op : program.getBody().front()) {
    int32_t buffer;
    isa::Instruction insn = getInstruction(&op, &buffer);
    if (insn.isFinish())
      continue;
    if (auto *mem = std::get_if<isa::MemInsn>(&insn.body);
        mem && buffer != isa::Program::kNone) {
      Place place = places[buffer];
      buffer = place.buffer;
      int64_t base = mem->dramBase;
      if (mem->movesData())
        base += place.offset / int64_t(config.elementBytes(mem->memory));
      if (base > isa::limits::kDramBase)
        return op.emitOpError()
               << "addresses element " << base << " of a buffer, but addresses "
               << "end at " << isa::limits::kDramBase;
      mem->dramBase = base;
    }
    if (auto *loop = const_cast<isa::MicroLoop *>(insn.loop());
        loop && loop->uopCount() > 0) {
      auto [run, place] = *std::prev(runs.upper_bound(loop->uopBgn));
      uint32_t count = loop->uopEnd - loop->uopBgn;
      loop->uopBgn += place - run;
      loop->uopEnd = loop->uopBgn + count;
    }
    insns.push_back({insn, buffer, op.getLoc()});
  }
  return success();
}

void Streams::hoistLoads() {
  llvm::DenseSet<int32_t> stored;
  for (const Insn &insn : insns)
    if (const isa::MemInsn *mem = insn.insn.mem(); mem && mem->store)
      stored.insert(insn.buffer);
  for (auto [number, start] : llvm::enumerate(starts)) {
    size_t end = number + 1 < starts.size() ? starts[number + 1] : insns.size();
    hoistLoads(MutableArrayRef(insns).slice(start, end - start), stored);
  }
}

/// Moves LOADs in front of the first that reads something stored. Only those
/// before the first GEMM: until then the program reads nothing of what LOADs
/// for the matrix unit overwrite.
void Streams::hoistLoads(MutableArrayRef<Insn> part,
                         const llvm::DenseSet<int32_t> &stored) {
  std::optional<size_t> first;
  SmallVector<isa::MemInsn> passed;
  for (size_t i = 0; i < part.size(); ++i) {
    const isa::Instruction &insn = part[i].insn;
    if (const isa::GemmInsn *gemm = insn.gemm(); gemm && !gemm->reset)
      return;
    if (insn.module() != isa::Module::Load)
      continue;
    const isa::MemInsn &mem = *insn.mem();
    if (mem.movesData() && stored.contains(part[i].buffer)) {
      first = first.value_or(i);
      passed.push_back(mem);
      continue;
    }
    bool overlaps = llvm::any_of(passed, [&](const isa::MemInsn &other) {
      return other.memory == mem.memory &&
             other.sramBase < mem.sramBase + mem.sramEntries() &&
             mem.sramBase < other.sramBase + other.sramEntries();
    });
    if (overlaps) {
      passed.push_back(mem);
      continue;
    }
    if (!first)
      continue;
    std::rotate(part.begin() + *first, part.begin() + i, part.begin() + i + 1);
    ++*first;
  }
}

void Streams::write(ProgramOp program, Location end) const {
  isa::Program result;
  result.config = config;
  SmallVector<Location> locations;
  for (const Insn &insn : insns) {
    result.append(insn.insn, insn.buffer);
    locations.push_back(insn.location);
  }
  result.append({isa::FinishInsn(), {}});
  locations.push_back(end);
  if (!uops.empty())
    program.setUopsAttr(UopsAttr::get(program.getContext(), uops));
  program.setInstructions(result, locations);
}
