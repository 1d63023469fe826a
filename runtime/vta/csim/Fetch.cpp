//===- Fetch.cpp - Instructions on their way to the modules ---------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Fetch.h"

using namespace acc::vta::csim;

static constexpr int kLogInstruction = 4;

Fetch::Fetch(const Pipeline &pipeline, const Geometry &geometry,
             const std::vector<isa::Module> &modules,
             std::vector<Queue> &queues)
    : pipeline(pipeline), modules(modules), queues(queues),
      maxBurst(geometry.maxBurst()),
      logBeats(std::max(kLogInstruction - geometry.logPort, 0)),
      logSplit(std::max(geometry.logPort - kLogInstruction, 0)),
      capacity(uint64_t(maxBurst) << pipeline.logFetchBursts),
      rest(((uint64_t(modules.size()) << logBeats) + (1u << logSplit) - 1) >>
           logSplit),
      arrivals(2 * capacity), takes(2 * capacity), requestFrom(kNever) {
  times.reserve(modules.size());
  updateRequest();
}

void Fetch::updateRequest() {
  requestFrom = kNever;
  if (rest == 0)
    return;
  Cycle from = std::max(lastRequest + 1, pipeline.start);
  // Places of the FIFO that are taken or asked for leave room for a burst.
  const uint64_t allowed = capacity - maxBurst;
  if (requested > allowed) {
    const uint64_t needed = requested - allowed;
    if (takenCount < needed)
      return;
    from = std::max(from, taken(needed - 1) + pipeline.fifo);
  }
  requestFrom = from;
}

void Fetch::fire(Cycle cycle) {
  requested += length();
  rest -= length();
  lastRequest = cycle;
  updateRequest();
}

void Fetch::arrive(Cycle first, unsigned beats) {
  for (unsigned i = 0; i < beats; ++i)
    arrival(arrived++) = first + i + pipeline.fifo;
  advance();
}

bool Fetch::gather() {
  // The first of two halves is put aside.
  if (logBeats == 1 && half == gatheredCount) {
    const uint64_t beat = uint64_t(half) << 1;
    if (beat >= arrived)
      return false;
    low = std::max(arrival(beat), gathered + 1);
    taken(takenCount++) = low;
    ++half;
  }
  // The other one needs the register that the instruction before leaves.
  const uint64_t next = gatheredCount + 1;
  const uint64_t beat = ((next << logBeats) - 1) >> logSplit;
  if (gatheredCount != checkedCount || beat >= arrived)
    return false;
  const Cycle free = std::max(checked, gathered + (1u << logBeats));
  Cycle at = std::max({arrival(beat), checked, gathered + 1});
  if (logBeats == 1)
    at = std::max(at, low + 1);
  if (at > free)
    waited += at - free;
  gathered = at;
  ++gatheredCount;
  // A beat leaves with its last instruction.
  if ((next & ((uint64_t(1) << logSplit) - 1)) == 0)
    taken(takenCount++) = at;
  return true;
}

void Fetch::advance() {
  waiting = -1;
  while (times.size() < modules.size()) {
    const size_t next = times.size();
    if (checkedCount > next) {
      const size_t module = static_cast<size_t>(modules[next]);
      const Cycle room = queues[module].room();
      if (room != kNever) {
        const Cycle earliest = checked + pipeline.dispatch;
        lastDispatch = std::max(earliest, room);
        queueWaits[module] += lastDispatch - earliest;
        queues[module].push(static_cast<uint32_t>(next), lastDispatch);
        times.push_back(lastDispatch);
        continue;
      }
      waiting = static_cast<int>(module);
    } else if (gatheredCount > checkedCount) {
      checked = std::max(gathered + pipeline.check, lastDispatch);
      ++checkedCount;
      continue;
    }
    if (gatheredCount == modules.size() || !gather())
      break;
  }
  updateRequest();
}
