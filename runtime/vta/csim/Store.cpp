//===- Store.cpp - STOREs, from addresses to acknowledgements -------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Store.h"

using namespace acc::vta::csim;

/// The cycle in which the next address is sent, \p from at the earliest: bursts
/// without an answer are bounded, as counted in the cycle before.
Cycle Store::send(Cycle from) {
  for (;;) {
    const uint64_t sent = bursts - (bursts != 0 && lastSent + 1 == from);
    if (sent < maxOpen)
      return from;
    const Cycle answered = answers[(sent - maxOpen) % answers.size()];
    if (answered + 2 <= from)
      return from;
    from = answered + 2;
  }
}

Cycle Store::run(Cycle cycle, uint32_t index, const isa::MemInsn &mem) {
  Cycle answered = lastAnswer + pipeline.acknowledged, visible = cycle + 1;
  if (mem.xSize == 0 || mem.ySize == 0) {
    // Behind everything that was sent before.
    if (bursts == 0)
      answered = 0;
  } else {
    walk.start(cycle, mem, geometry);
    fill.accept(cycle, index, mem, geometry);
    for (;;) {
      const unsigned length = walk.beats();
      const bool endsRow = walk.endsRow(), endsAll = walk.endsAll();
      Cycle fired = walk.request(0);
      for (Cycle free = send(fired); free != fired; free = send(fired))
        fired = walk.request(free);
      const Cycle first =
          std::max({fill.ready(), lastRead + 1, fired + pipeline.addressTaken});
      lastRead = first + length - 1;
      const Cycle written = lastRead + pipeline.storeData;
      walk.fire(fired);
      walk.arrived(length, written);
      fill.take(first, length, endsRow);
      lastSent = fired;
      lastAnswer = std::max(lastAnswer + 1, written + latency);
      answers[bursts++ % answers.size()] = lastAnswer;
      beats += length;
      if (!endsAll)
        continue;
      walked = fired + 1;
      visible = fired + pipeline.fifo;
      break;
    }
    while (fill.finished())
      fill.pop();
    answered = lastAnswer + pipeline.acknowledged;
    waited += answered - 1 - std::max(lastRead, lastRetired);
  }
  lastRetired = std::max({answered, visible, lastRetired + (stores != 0)});
  retired[stores++ % pipeline.storeQueue] = lastRetired;
  return lastRetired;
}
