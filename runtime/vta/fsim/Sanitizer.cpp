//===- Sanitizer.cpp - Checks of the sanitizer mode -----------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Sanitizer.h"
#include "../isa/IntervalMap.h"

#include <cstring>

using namespace acc;
using namespace acc::vta;
using namespace acc::vta::fsim;

struct Sanitizer::State {
  const isa::Config &config;
  const std::vector<isa::Instruction> &insns;
  const isa::Schedule &schedule;
  isa::HazardTracker tracker;
  /// DRAM bytes with known contents, if that is to be checked.
  bool checkDram;
  isa::IntervalMap written;

  std::optional<std::string> visitDram(const isa::MemInsn &mem);
};

Sanitizer::Sanitizer(const isa::Config &config, const Dram &dram,
                     const std::vector<isa::Instruction> &insns,
                     const isa::Schedule &schedule,
                     const StreamOptions &options,
                     const isa::Initialised &initialised,
                     std::span<const isa::Uop> uops) {
  auto reader = [&dram](int32_t, uint64_t element) -> std::optional<uint32_t> {
    const uint8_t *host = dram.lookup(element * 4, 4);
    if (!host)
      return std::nullopt;
    uint32_t word;
    std::memcpy(&word, host, 4);
    return word;
  };
  state = std::make_unique<State>(State{config,
                                        insns,
                                        schedule,
                                        isa::HazardTracker(config, reader),
                                        options.initialised.has_value(),
                                        {}});
  state->tracker.resume(initialised, uops);
  if (options.initialised)
    for (auto [begin, end] : *options.initialised)
      state->written.assign(begin, end, 1);
}

Sanitizer::~Sanitizer() = default;

std::optional<std::string>
Sanitizer::State::visitDram(const isa::MemInsn &mem) {
  uint64_t element = config.elementBytes(mem.memory);
  for (uint32_t y = 0; y < mem.ySize; ++y) {
    uint64_t begin = (mem.dramBase + uint64_t(y) * mem.xStride) * element;
    uint64_t end = begin + mem.xSize * element;
    if (mem.store) {
      written.assign(begin, end, 1);
    } else if (uint64_t gap = written.firstGap(begin, end); gap != end) {
      return "reads DRAM byte " + std::to_string(gap) +
             ", which nothing has written";
    }
  }
  return std::nullopt;
}

std::vector<std::string> Sanitizer::visit(uint32_t index) {
  const isa::Instruction &insn = state->insns[index];
  const isa::Clock &before = state->schedule.before[index];
  isa::HazardTracker::Conflict conflict = state->tracker.visit(index, insn);
  std::vector<std::string> problems =
      isa::complaints(conflict, before, state->insns, /*uninitialised=*/true);
  if (const isa::MemInsn *mem = insn.mem();
      mem && state->checkDram && !mem->isNop())
    if (auto problem = state->visitDram(*mem))
      problems.push_back(*problem);
  if (insn.isFinish())
    for (std::string &problem : isa::finishComplaints(state->insns, before))
      problems.push_back(std::move(problem));
  return problems;
}

std::vector<std::string> Sanitizer::finish() {
  return isa::balanceComplaints(state->schedule);
}

const isa::Initialised &Sanitizer::initialised() const {
  return state->tracker.initialised();
}

std::vector<std::pair<uint64_t, uint64_t>> Sanitizer::dram() const {
  return state->written.all();
}
