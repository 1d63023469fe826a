//===- TokenPlan.cpp - Placing dependence tokens --------------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "acc/vta/isa/Hazards.h"

#include <algorithm>

using namespace acc::vta::isa;

static constexpr int index(Module module) { return static_cast<int>(module); }

namespace {

class Planner {
public:
  explicit Planner(const Program &program)
      : program(program), tracker(program.config, tableReader(program)) {
    tracker.restrictTo(program);
    plan.deps.resize(program.insns.size());
  }

  TokenPlan run() {
    for (uint32_t i = 0; i < program.insns.size(); ++i)
      visit(i);
    return std::move(plan);
  }

private:
  /// Something that can push a token: an instruction or a NOP of the plan.
  struct Source {
    uint32_t index;
    bool isNop;
  };
  /// A compute instruction and what is known once it has completed. Stamps of
  /// compute in clocks are positions in `computes` plus one, so that NOPs have
  /// their place; those of load and store are instruction indices plus one.
  struct ComputePoint {
    Source source;
    Clock clock;
  };

  const Program &program;
  HazardTracker tracker;
  TokenPlan plan;
  std::array<Clock, kNumModules> clocks = {};
  /// Clock after each instruction of load and store.
  std::vector<Clock> after = std::vector<Clock>(program.insns.size());
  std::vector<ComputePoint> computes;
  /// Position in `computes` of each compute instruction.
  std::vector<uint32_t> position = std::vector<uint32_t>(program.insns.size());
  std::array<uint32_t, kNumModules> last = {};

  Deps &depsOf(Source source) {
    return source.isNop ? plan.nops[source.index].deps
                        : plan.deps[source.index];
  }

  /// Adds a token from compute point \p from to an instruction of load or
  /// store.
  void waitForCompute(Module module, uint32_t insn, uint32_t from) {
    Deps &push = depsOf(computes[from].source);
    if (module == Module::Load) {
      push.pushPrev = true;
      plan.deps[insn].popNext = true;
    } else {
      push.pushNext = true;
      plan.deps[insn].popPrev = true;
    }
    join(clocks[index(module)], computes[from].clock);
  }

  /// Adds a token from instruction \p from of load or store to compute.
  void computeWaitsFor(Module module, uint32_t from, Deps &pop) {
    if (module == Module::Load) {
      plan.deps[from].pushNext = true;
      pop.popPrev = true;
    } else {
      plan.deps[from].pushPrev = true;
      pop.popNext = true;
    }
    join(clocks[index(Module::Compute)], after[from]);
  }

  void completeCompute(Source source) {
    Clock &clock = clocks[index(Module::Compute)];
    clock[index(Module::Compute)] = computes.size() + 1;
    computes.push_back({source, clock});
  }

  /// The earliest compute point that knows instruction \p need - 1 of \p other
  /// to be complete. Load and store have no queue between them, so compute
  /// passes the word on, if need be by a NOP before instruction \p insn.
  uint32_t relay(uint32_t insn, Module other, uint32_t need) {
    auto found = std::partition_point(computes.begin(), computes.end(),
                                      [&](const ComputePoint &point) {
                                        return point.clock[index(other)] < need;
                                      });
    if (found == computes.end()) {
      plan.nops.push_back({insn, {}});
      Source nop = {static_cast<uint32_t>(plan.nops.size() - 1), true};
      computeWaitsFor(other, need - 1, plan.nops.back().deps);
      completeCompute(nop);
      found = std::prev(computes.end());
    }
    return static_cast<uint32_t>(found - computes.begin());
  }

  void visit(uint32_t i);
};

void Planner::visit(uint32_t i) {
  const Instruction &insn = program.insns[i];
  Module module = insn.module();
  Clock need = {};
  if (!checkRanges(program.config, insn, tracker.uops(), nullptr))
    need = tracker.visit(i, insn, program.bufferOfInsn(i)).after;
  if (insn.isFinish())
    for (Module other : {Module::Load, Module::Store})
      need[index(other)] = last[index(other)];

  if (module == Module::Compute) {
    Clock &clock = clocks[index(module)];
    // One of the two tokens may imply the other.
    for (Module first : {Module::Load, Module::Store}) {
      Module second = first == Module::Load ? Module::Store : Module::Load;
      bool implied =
          need[index(second)] > clock[index(second)] &&
          need[index(first)] <= after[need[index(second)] - 1][index(first)];
      if (need[index(first)] > clock[index(first)] && !implied)
        computeWaitsFor(first, need[index(first)] - 1, plan.deps[i]);
    }
    position[i] = computes.size();
    completeCompute({i, false});
  } else {
    Clock &clock = clocks[index(module)];
    Module other = module == Module::Load ? Module::Store : Module::Load;
    uint32_t needCompute = need[index(Module::Compute)];
    if (needCompute)
      needCompute = position[needCompute - 1] + 1;
    // The later of two points of compute serves both needs.
    if (need[index(other)] > clock[index(other)])
      needCompute =
          std::max(needCompute, relay(i, other, need[index(other)]) + 1);
    if (needCompute > clock[index(Module::Compute)])
      waitForCompute(module, i, needCompute - 1);
    clock[index(module)] = i + 1;
    after[i] = clock;
  }
  last[index(module)] = i + 1;
}

} // namespace

TokenPlan acc::vta::isa::planTokens(const Program &program) {
  return Planner(program).run();
}

void acc::vta::isa::insertTokens(Program &program) {
  TokenPlan plan = planTokens(program);
  for (size_t i = 0; i < program.insns.size(); ++i)
    program.insns[i].deps = plan.deps[i];
  if (plan.nops.empty())
    return;
  Program result = program;
  result.insns.clear();
  result.bufferOf.clear();
  result.layerOf.clear();
  auto nop = plan.nops.begin();
  for (uint32_t i = 0; i < program.insns.size(); ++i) {
    int32_t layer =
        i < program.layerOf.size() ? program.layerOf[i] : Program::kNone;
    for (; nop != plan.nops.end() && nop->before == i; ++nop) {
      Instruction insn = Instruction::computeNop();
      insn.deps = nop->deps;
      result.append(insn, Program::kNone, layer);
    }
    result.append(program.insns[i], program.bufferOfInsn(i), layer);
  }
  program = std::move(result);
}
