//===- Fill.cpp - The scratchpad side of a DMA ----------------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Fill.h"

#include <cassert>

using namespace acc::vta::csim;

void Fill::accept(Cycle cycle, uint32_t index, const isa::MemInsn &mem,
                  const Geometry &geometry, Cycle hold) {
  const int log = geometry.perBeat(mem.memory);
  auto groups = [&](uint32_t elements) {
    return (elements + (1u << log) - 1) >> log;
  };
  Job &entry = jobs[accepted++ % jobs.size()];
  entry.index = index;
  entry.accepted = cycle;
  entry.hold = hold;
  entry.above = mem.yPad0;
  entry.rows = mem.ySize;
  entry.below = mem.yPad1;
  entry.wide = groups(mem.sramCols());
  entry.leftZeros = groups(mem.xPad0);
  entry.rightZeros = groups(mem.xPad1);
  entry.empty = mem.isNop();
  advance();
}

void Fill::take(Cycle first, unsigned beats, bool endsRow) {
  assert(hasCurrent && current.zeros == 0 && first >= ready());
  const Cycle from = std::max(ready(), ended + 1);
  waited += first - from;
  moved += beats;
  ended = first + beats - 1;
  if (endsRow) {
    complete(ended);
    advance();
  }
}

void Fill::complete(Cycle last) {
  ended = last;
  hasCurrent = false;
  if (current.last)
    ends[done++ % ends.size()] = {current.index, last + pipeline.fillRetire};
}

Fill::Segment Fill::form() {
  Segment segment{0, false, job.index, job.hold, 0};
  if (job.empty) {
    // One step that writes nothing.
    segment.zeros = 1;
    segment.last = true;
    return segment;
  }
  if (job.above != 0) {
    segment.zeros = job.wide;
    --job.above;
  } else if (job.rows != 0) {
    const bool left = part == Left && job.leftZeros != 0;
    const bool data = !left && part != Right;
    segment.zeros = left ? job.leftZeros : data ? 0 : job.rightZeros;
    part = left ? Data : Right;
    if (!left && (!data || job.rightZeros == 0)) {
      part = Left;
      --job.rows;
    }
  } else {
    segment.zeros = job.wide;
    --job.below;
  }
  segment.last = job.above == 0 && job.rows == 0 && job.below == 0;
  return segment;
}

void Fill::advance() {
  for (;;) {
    if (!hasCurrent && takenCount != formedCount) {
      current = formedSegments[takenCount % formedSegments.size()];
      const Cycle at = std::max(current.from + pipeline.fillSegment, ended);
      takes[takenCount++ % takes.size()] = at;
      current.from = at + pipeline.fillStep;
      hasCurrent = true;
    }
    // There is room once the segment so many before has become the current one.
    if (forming && formedCount < takenCount + pipeline.fillSegments) {
      Cycle at = formFrom;
      if (formedCount >= pipeline.fillSegments)
        at = std::max(
            at, takes[(formedCount - pipeline.fillSegments) % takes.size()] +
                    pipeline.fifo);
      Segment &next = formedSegments[formedCount++ % formedSegments.size()];
      next = form();
      next.from = at;
      formFrom = at + 1;
      if (next.last) {
        forming = false;
        formed = at + 1;
      }
      continue;
    }
    if (!forming && started != accepted) {
      job = jobs[started % jobs.size()];
      Cycle start = std::max(job.accepted + startAfter, formed);
      starts[started++ % pipeline.fillQueue] = start;
      formFrom = start + pipeline.fillStart;
      forming = true;
      part = Left;
      continue;
    }
    if (!hasCurrent || current.zeros == 0)
      return;
    moved += current.zeros;
    complete(ready() + current.zeros - 1);
  }
}
