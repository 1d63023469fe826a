//===- Tokens.cpp - Executing dependence tokens ---------------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "acc/vta/isa/Hazards.h"

#include <algorithm>

using namespace acc::vta::isa;

namespace {

/// The queues between neighbours, as numbered in Schedule::left.
enum Queue {
  LoadToCompute,
  ComputeToLoad,
  ComputeToStore,
  StoreToCompute,
  NumQueues
};

constexpr int index(Module module) { return static_cast<int>(module); }

/// Queues that the flags of an instruction name; -1 for none.
struct Ends {
  std::array<int, 2> pops = {-1, -1}, pushes = {-1, -1};

  explicit Ends(const Instruction &insn) {
    const Deps &deps = insn.deps;
    switch (insn.module()) {
    case Module::Load:
      pops = {-1, deps.popNext ? ComputeToLoad : -1};
      pushes = {-1, deps.pushNext ? LoadToCompute : -1};
      break;
    case Module::Compute:
      pops = {deps.popPrev ? LoadToCompute : -1,
              deps.popNext ? StoreToCompute : -1};
      pushes = {deps.pushPrev ? ComputeToLoad : -1,
                deps.pushNext ? ComputeToStore : -1};
      break;
    case Module::Store:
      pops = {deps.popPrev ? ComputeToStore : -1, -1};
      pushes = {deps.pushPrev ? StoreToCompute : -1, -1};
      break;
    }
  }
};

constexpr Module kProducer[] = {Module::Load, Module::Compute, Module::Compute,
                                Module::Store};

/// Tokens in flight; each carries the clock of its push if clocks are wanted.
struct TokenQueue {
  uint64_t pushed = 0, popped = 0;
  std::vector<Clock> clocks;
};

} // namespace

const char *acc::vta::isa::queueName(int queue) {
  constexpr const char *names[] = {"load->compute", "compute->load",
                                   "compute->store", "store->compute"};
  return names[queue];
}

Schedule acc::vta::isa::schedule(const std::vector<Instruction> &insns,
                                 bool wantClocks) {
  Schedule result;
  result.order.reserve(insns.size());
  if (wantClocks)
    result.before.resize(insns.size());

  std::array<std::vector<uint32_t>, kNumModules> lists;
  for (uint32_t i = 0; i < insns.size(); ++i)
    lists[index(insns[i].module())].push_back(i);

  std::array<size_t, kNumModules> heads = {};
  std::array<Clock, kNumModules> clocks = {};
  std::array<TokenQueue, NumQueues> queues;

  auto head = [&](int m) -> std::optional<uint32_t> {
    if (heads[m] == lists[m].size())
      return std::nullopt;
    return lists[m][heads[m]];
  };
  auto missing = [&](uint32_t insn) {
    for (int q : Ends(insns[insn]).pops)
      if (q >= 0 && queues[q].popped == queues[q].pushed)
        return q;
    return -1;
  };
  auto execute = [&](int m, uint32_t insn) {
    Ends ends(insns[insn]);
    for (int q : ends.pops)
      if (q >= 0) {
        if (wantClocks)
          join(clocks[m], queues[q].clocks[queues[q].popped]);
        ++queues[q].popped;
      }
    if (wantClocks)
      result.before[insn] = clocks[m];
    clocks[m][m] = insn + 1;
    for (int q : ends.pushes)
      if (q >= 0) {
        ++queues[q].pushed;
        if (wantClocks)
          queues[q].clocks.push_back(clocks[m]);
      }
    result.order.push_back(insn);
    ++heads[m];
  };

  while (result.order.size() < insns.size()) {
    int chosen = -1;
    uint32_t lowest = ~0u;
    for (int m = 0; m < kNumModules; ++m)
      if (auto insn = head(m); insn && *insn < lowest && missing(*insn) < 0) {
        chosen = m;
        lowest = *insn;
      }
    if (chosen >= 0) {
      execute(chosen, lowest);
      continue;
    }
    // Nobody can go on: every module with work left waits for a token.
    std::string text = "deadlock: ";
    result.blocked = ~0u;
    for (int m = 0; m < kNumModules; ++m) {
      auto insn = head(m);
      if (!insn)
        continue;
      int q = missing(*insn);
      if (result.blocked != ~0u)
        text += "; ";
      result.blocked = std::min(result.blocked, *insn);
      text += std::string(moduleName(static_cast<Module>(m))) +
              " waits at instruction " + std::to_string(*insn) + " (" +
              describe(insns[*insn]) + ") for a token from " +
              moduleName(kProducer[q]);
      auto producer = head(index(kProducer[q]));
      text += producer
                  ? ", which is at instruction " + std::to_string(*producer)
                  : std::string(", which has nothing left to do");
    }
    result.deadlock = text;
    break;
  }
  for (int q = 0; q < NumQueues; ++q)
    result.left[q] = queues[q].pushed - queues[q].popped;
  return result;
}

std::vector<std::string>
acc::vta::isa::balanceComplaints(const Schedule &schedule) {
  std::vector<std::string> result;
  for (int q = 0; q < NumQueues; ++q)
    if (schedule.left[q])
      result.push_back(std::to_string(schedule.left[q]) + " tokens of " +
                       queueName(q) + " are pushed but never popped");
  return result;
}
