//===- Fill.h - The scratchpad side of a DMA --------------------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

/// acc_fill: rows and their padding as segments, which pass through three
/// places (being formed, next, current). A segment of zeros takes as many
/// cycles as it has groups; one of data takes a beat when there is one.

#ifndef ACC_RUNTIME_VTA_CSIM_FILL_H
#define ACC_RUNTIME_VTA_CSIM_FILL_H

#include "Parameters.h"

#include <array>

namespace acc::vta::csim {

class Fill {
public:
  /// \p startAfter: cycles from acceptance of an instruction to its start.
  Fill(const Pipeline &pipeline, Cycle startAfter)
      : pipeline(pipeline), startAfter(startAfter) {}

  /// Accepts the instruction \p index at \p cycle >= room(). Nothing is written
  /// before \p hold.
  void accept(Cycle cycle, uint32_t index, const isa::MemInsn &mem,
              const Geometry &geometry, Cycle hold = 0);

  /// The first cycle in which an instruction finds room in the queue before
  /// this; kNever as long as that depends on beats to come.
  Cycle room() const {
    if (accepted < started + pipeline.fillQueue)
      return accepted < pipeline.fillQueue
                 ? 0
                 : starts[accepted % pipeline.fillQueue] + pipeline.fifo;
    return kNever;
  }
  /// The first cycle in which one can start; kNever as above.
  Cycle idle() const {
    return forming || accepted != started ? kNever : formed;
  }

  /// The first cycle in which a beat would be taken, once all that came before
  /// have been passed to take().
  Cycle ready() const { return std::max(current.from, current.hold); }
  /// \p beats are taken from \p first on, the last ones of a row or not.
  void take(Cycle first, unsigned beats, bool endsRow);

  /// Instructions started and finished so far.
  uint64_t progress() const { return started + done; }

  /// Instructions finish in order; the next one that has, if any.
  bool finished() const { return done != retired; }
  struct Finished {
    uint32_t index;
    Cycle retires;
  };
  Finished pop() { return ends[retired++ % ends.size()]; }

  /// Cycles in which data were awaited, and in which something was written.
  Cycle waited = 0, moved = 0;

private:
  struct Job {
    uint32_t index = 0;
    Cycle accepted = 0, hold = 0;
    /// Groups of zeros: of a row above or below, left and right of data.
    uint32_t wide = 0, leftZeros = 0, rightZeros = 0;
    uint32_t above = 0, rows = 0, below = 0;
    bool empty = false;
  };
  struct Segment {
    /// 0 for data.
    uint32_t zeros = 0;
    bool last = false;
    uint32_t index = 0;
    Cycle hold = 0;
    /// Formed at, or as the current one: takes beats from.
    Cycle from = 0;
  };

  /// The next segment of the instruction being formed.
  Segment form();
  /// Moves on as far as what is known allows.
  void advance();
  void complete(Cycle last);

  const Pipeline &pipeline;
  const Cycle startAfter;

  std::array<Job, 8> jobs;
  std::array<Cycle, 8> starts = {};
  uint64_t accepted = 0, started = 0;

  /// The instruction being formed; which part of its row is next.
  Job job;
  bool forming = false;
  enum { Left, Data, Right } part = Left;
  /// The first cycle in which the next segment, the next instruction can be
  /// formed.
  Cycle formFrom = 0, formed = 0;
  /// Those formed, of which some have become the current one.
  std::array<Segment, 4> formedSegments;
  uint64_t formedCount = 0, takenCount = 0;
  Segment current;
  bool hasCurrent = false;
  /// When the last ones became the current one, and when the last one ended.
  std::array<Cycle, 4> takes = {};
  Cycle ended = 0;

  std::array<Finished, 16> ends;
  uint64_t done = 0, retired = 0;
};

} // namespace acc::vta::csim

#endif // ACC_RUNTIME_VTA_CSIM_FILL_H
