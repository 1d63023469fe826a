//===- Fetch.h - Instructions on their way to the modules -------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

/// acc_fetch and the three instruction queues behind it.

#ifndef ACC_RUNTIME_VTA_CSIM_FETCH_H
#define ACC_RUNTIME_VTA_CSIM_FETCH_H

#include "ReadPort.h"

namespace acc::vta::csim {

/// The instructions of one module, between fetch and their acceptance.
class Queue {
public:
  Queue(const Pipeline &pipeline, const Geometry &geometry)
      : pipeline(pipeline), depth(size_t(1) << geometry.logQueue) {}

  /// The first cycle in which there is room; kNever if that depends on an
  /// acceptance to come.
  Cycle room() const {
    if (entries.size() < depth)
      return 0;
    const size_t freed = entries.size() - depth;
    return freed <= popped.size() ? left(freed) + pipeline.fifo : kNever;
  }
  void push(uint32_t index, Cycle cycle) { entries.push_back({index, cycle}); }

  bool empty() const { return popped.size() == entries.size(); }
  uint32_t head() const { return entries[popped.size()].index; }
  /// The first cycle in which the head can be accepted, tokens apart.
  Cycle visible() const { return left(popped.size()) + pipeline.queueHead; }
  void pop(Cycle cycle) { popped.push_back(cycle); }
  size_t accepted() const { return popped.size(); }

private:
  struct Entry {
    uint32_t index;
    Cycle pushed;
  };
  /// When an entry left the FIFO for the register behind it, given that the one
  /// before it was accepted.
  Cycle left(size_t i) const {
    const Cycle arrived = entries[i].pushed + pipeline.fifo;
    return i == 0 ? arrived : std::max(arrived, popped[i - 1]);
  }

  const Pipeline &pipeline;
  const size_t depth;
  std::vector<Entry> entries;
  std::vector<Cycle> popped;
};

class Fetch {
public:
  /// \p modules: which queue each instruction of the stream goes to.
  Fetch(const Pipeline &pipeline, const Geometry &geometry,
        const std::vector<isa::Module> &modules, std::vector<Queue> &queues);

  /// The first cycle of its next request, given when there is \p room for it;
  /// kNever if there is none or it depends on an acceptance to come.
  Cycle request(Cycle room) const {
    return requestFrom == kNever ? kNever : std::max(requestFrom, room);
  }
  unsigned length() const {
    return static_cast<unsigned>(std::min<uint64_t>(rest, maxBurst));
  }
  /// The next request is made at \p cycle.
  void fire(Cycle cycle);
  /// \p beats arrive from \p first on. May push into queues.
  void arrive(Cycle first, unsigned beats);
  /// Goes on after an instruction left a queue. May push into queues.
  void advance();

  /// Which queue has no room for the next instruction; none if -1.
  int waitsFor() const { return waiting; }
  /// The end of all activity.
  Cycle end() const { return lastDispatch; }
  /// When each instruction was put into its queue.
  const std::vector<Cycle> &dispatched() const { return times; }

  /// Cycles in which an instruction waited for room in each queue, in which
  /// beats were awaited.
  std::array<Cycle, isa::kNumModules> queueWaits = {};
  Cycle waited = 0;

private:
  void updateRequest();
  /// Gathers the next instruction from its beats; false if they are not there.
  bool gather();
  Cycle &arrival(uint64_t beat) { return arrivals[beat % arrivals.size()]; }
  Cycle &taken(uint64_t beat) { return takes[beat % takes.size()]; }

  const Pipeline &pipeline;
  const std::vector<isa::Module> &modules;
  std::vector<Queue> &queues;
  const unsigned maxBurst;
  /// log2 of beats per instruction, of instructions per beat.
  const int logBeats, logSplit;
  const uint64_t capacity;

  /// Beats not asked for, asked for, and taken out of the FIFO.
  uint64_t rest, requested = 0, takenCount = 0;
  /// When each beat reached the FIFO and left it; both by beat number.
  std::vector<Cycle> arrivals, takes;
  uint64_t arrived = 0;
  Cycle requestFrom;
  /// Instructions of which the first half is put aside, that are gathered,
  /// that are checked; `times` has those dispatched.
  size_t half = 0, gatheredCount = 0, checkedCount = 0;
  /// When the last of each was, and the last request.
  Cycle low = 0, gathered = 0, checked = 0, lastDispatch = 0, lastRequest = 0;
  int waiting = -1;
  std::vector<Cycle> times;
};

} // namespace acc::vta::csim

#endif // ACC_RUNTIME_VTA_CSIM_FETCH_H
