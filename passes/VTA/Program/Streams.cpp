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

/// Adds the micro-ops that instructions of \p program execute to the table,
/// unless they are there. Returns where each run of them (findRuns) is now, by
/// where it begins.
std::map<uint32_t, uint32_t>
Streams::mergeUops(ProgramOp program, ArrayRef<isa::Instruction> stream) {
  std::map<uint32_t, uint32_t> runs = findRuns(stream), places;
  for (const isa::Instruction &insn : stream) {
    const isa::MicroLoop *loop = insn.loop();
    if (!loop || loop->uopCount() == 0)
      continue;
    auto [bgn, end] = *std::prev(runs.upper_bound(loop->uopBgn));
    auto [place, isNew] = places.try_emplace(bgn);
    if (!isNew)
      continue;
    ArrayRef<int32_t> table = program.getUopsAttr().getValues();
    std::vector<int32_t> run = table.slice(3 * bgn, 3 * (end - bgn)).vec();
    auto [known, isUnknown] = sequences.try_emplace(run, uops.size() / 3);
    if (isUnknown)
      uops.insert(uops.end(), run.begin(), run.end());
    place->second = known->second;
  }
  return places;
}

LogicalResult Streams::append(ProgramOp program, ArrayRef<Place> places) {
  starts.push_back(insns.size());
  std::vector<isa::Instruction> stream;
  std::vector<int32_t> buffers;
  for (Operation &op : program.getBody().front())
    stream.push_back(getInstruction(&op, &buffers.emplace_back()));
  std::map<uint32_t, uint32_t> runs = mergeUops(program, stream);
  for (auto [op, insn, buffer] :
       llvm::zip(program.getBody().front(), stream, buffers)) {
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
      uint32_t moved = place - run;
      loop->uopBgn += moved;
      loop->uopEnd += moved;
    }
    if (auto *alu = std::get_if<isa::AluInsn>(&insn.body);
        alu && alu->op == isa::AluOp::Table && program.getTables())
      alu->imm = tables.intern(
          cast<DenseI8ArrayAttr>((*program.getTables())[alu->imm]));
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
  if (ArrayAttr all = tables.get())
    program.setTablesAttr(all);
  program.setInstructions(result, locations);
}
