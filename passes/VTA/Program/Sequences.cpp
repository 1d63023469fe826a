//===- Sequences.cpp - The micro-op sequences of a program ----------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/VTA/Program/Sequences.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/Hashing.h"
#include "llvm/ADT/STLExtras.h"

#include <map>
#include <optional>

using namespace acc;
using namespace acc::vta;

uint32_t acc::vta::getLongestSequence(const isa::Config &config,
                                      isa::Dialect dialect) {
  const bool mayLookUp = config.aluTable && dialect == isa::Dialect::Acc;
  return config.depth(isa::Memory::Uop) -
         (mayLookUp ? isa::Config::kTableEntries : 0);
}

uint32_t Sequences::intern(llvm::ArrayRef<isa::Uop> uops, Reads reads) {
  size_t hash = uops.size();
  for (const isa::Uop &uop : uops)
    hash = llvm::hash_combine(hash, uop.dst, uop.src, uop.wgt);
  auto [begin, end] = byHash.equal_range(hash);
  for (auto it = begin; it != end; ++it) {
    Sequence &known = all[it->second];
    if (llvm::ArrayRef(known.uops) != uops)
      continue;
    known.reads = std::max(known.reads, reads);
    return it->second;
  }
  uint32_t number = all.size();
  all.push_back({uops.vec(), reads});
  byHash.emplace(hash, number);
  return number;
}

std::vector<isa::Uop> Sequences::makeTable(uint32_t depth) {
  // Which sequence another one is a part of, and from where on.
  struct Host {
    uint32_t number, offset;
  };
  std::vector<std::optional<Host>> hosts(all.size());

  auto getDestinations = [](const Sequence &sequence) {
    std::vector<uint32_t> result;
    for (const isa::Uop &uop : sequence.uops)
      result.push_back(uop.dst);
    return result;
  };
  std::map<std::vector<uint32_t>, uint32_t> byDestinations;
  for (auto [number, sequence] : llvm::enumerate(all))
    if (sequence.reads != Destinations)
      byDestinations.try_emplace(getDestinations(sequence), number);
  size_t size = 0;
  for (auto [number, sequence] : llvm::enumerate(all)) {
    if (sequence.reads == Destinations)
      if (auto host = byDestinations.find(getDestinations(sequence));
          host != byDestinations.end()) {
        hosts[number] = Host{host->second, 0};
        continue;
      }
    size += sequence.uops.size();
  }

  if (size <= depth) {
    llvm::DenseMap<uint32_t, Host> byDestination;
    llvm::DenseMap<std::pair<uint32_t, uint32_t>, Host> byEntries;
    for (auto [number, sequence] : llvm::enumerate(all))
      if (sequence.uops.size() > 1 && !hosts[number])
        for (auto [offset, uop] : llvm::enumerate(sequence.uops)) {
          Host host{uint32_t(number), uint32_t(offset)};
          byDestination.try_emplace(uop.dst, host);
          byEntries.try_emplace({uop.dst, uop.src}, host);
        }
    for (auto [number, sequence] : llvm::enumerate(all)) {
      const isa::Uop &uop = sequence.uops.front();
      if (sequence.uops.size() > 1 || hosts[number])
        continue;
      if (sequence.reads == Destinations) {
        if (auto host = byDestination.find(uop.dst);
            host != byDestination.end())
          hosts[number] = host->second;
      } else if (sequence.reads == Entries) {
        if (auto host = byEntries.find({uop.dst, uop.src});
            host != byEntries.end())
          hosts[number] = host->second;
      }
    }
  }

  std::vector<isa::Uop> table;
  positions.assign(all.size(), 0);
  for (auto [number, sequence] : llvm::enumerate(all)) {
    if (hosts[number])
      continue;
    positions[number] = table.size();
    table.insert(table.end(), sequence.uops.begin(), sequence.uops.end());
  }
  for (auto [number, host] : llvm::enumerate(hosts)) {
    // A host may have a host itself.
    uint32_t offset = 0;
    std::optional<Host> at = host;
    for (; at; at = hosts[at->number]) {
      offset += at->offset;
      positions[number] = positions[at->number] + offset;
    }
  }
  return table;
}

std::map<uint32_t, uint32_t>
acc::vta::findRuns(llvm::ArrayRef<isa::Instruction> insns) {
  std::map<uint32_t, uint32_t> longest, runs;
  for (const isa::Instruction &insn : insns)
    if (const isa::MicroLoop *loop = insn.loop();
        loop && loop->uopCount() > 0) {
      uint32_t &end = longest[loop->uopBgn];
      end = std::max(end, loop->uopEnd);
    }
  uint32_t open = 0, until = 0;
  for (auto [bgn, end] : longest) {
    if (bgn >= until)
      open = bgn;
    until = std::max(until, end);
    runs[open] = until;
  }
  return runs;
}
