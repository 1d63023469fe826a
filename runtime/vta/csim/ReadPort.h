//===- ReadPort.h - Requests, bursts and beats ------------------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

/// acc_read_port with the memory behind it, and acc_walk.

#ifndef ACC_RUNTIME_VTA_CSIM_READPORT_H
#define ACC_RUNTIME_VTA_CSIM_READPORT_H

#include "Parameters.h"

#include <vector>

namespace acc::vta::csim {

/// A burst that is asked for.
struct Request {
  /// The first cycle in which it can be granted.
  Cycle visible = 0;
  unsigned beats = 0;
  /// It is the last one of a row.
  bool endsRow = false;
};

/// Memory answers in order, a beat per cycle, so a burst's place in time is
/// settled as soon as its request is granted.
class ReadPort {
public:
  /// By priority.
  enum Client { Fetching, Computing, Loading, Clients };

  ReadPort(const Pipeline &pipeline, uint32_t latency)
      : pipeline(pipeline), toBeat(pipeline.request + latency + pipeline.beat) {
  }

  /// The first cycle in which a client can ask; kNever as long as that depends
  /// on a grant to come.
  Cycle room(Client client) const {
    const Waiting &w = waiting[client];
    return w.asked < w.granted + pipeline.requests ? w.room[w.asked % kSlots]
                                                   : kNever;
  }
  void ask(Client client, Cycle cycle, unsigned beats, bool endsRow) {
    Waiting &w = waiting[client];
    w.slots[w.asked++ % kSlots] = {cycle + pipeline.fifo, beats, endsRow};
    settle();
  }

  /// The first cycle in which a request can be granted, and whose; kNever if
  /// there is none.
  Cycle grantable() const { return grantAt; }
  Client chosen() const { return grantTo; }
  /// Grants it; its client takes beats from \p ready on. Returns the cycle of
  /// the first one; the others follow without a gap.
  Cycle grant(Cycle ready, Request &request) {
    Waiting &w = waiting[grantTo];
    request = w.slots[w.granted % kSlots];
    w.room[(w.granted++ + pipeline.requests) % kSlots] =
        grantAt + pipeline.fifo;
    const Cycle first = std::max({grantAt + toBeat, nextBeat, ready});
    nextBeat = first + request.beats;
    nextGrant = grantAt + 1;
    settle();
    return first;
  }

private:
  static constexpr size_t kSlots = 8;
  struct Waiting {
    Request slots[kSlots];
    /// When each of the next requests finds room.
    Cycle room[kSlots] = {};
    uint64_t asked = 0, granted = 0;
  };
  void settle() {
    grantAt = kNever;
    for (int c = Clients; c-- > 0;) {
      const Waiting &w = waiting[c];
      if (w.asked == w.granted)
        continue;
      const Cycle at = std::max(w.slots[w.granted % kSlots].visible, nextGrant);
      // The first to be there; at once, the one of higher priority.
      if (at <= grantAt) {
        grantAt = at;
        grantTo = static_cast<Client>(c);
      }
    }
  }

  const Pipeline &pipeline;
  const Cycle toBeat;
  Waiting waiting[Clients];
  Cycle nextGrant = 0, nextBeat = 0, grantAt = kNever;
  Client grantTo = Fetching;
};

/// Counts the beats that are on their way: a burst is asked for only if there
/// is room for the largest ones.
class Credit {
public:
  Credit(const Pipeline &pipeline, unsigned limit, unsigned maxBurst)
      : pipeline(pipeline),
        allowed(int64_t(limit) - int64_t(pipeline.creditBursts) * maxBurst),
        runs(size(limit)) {}

  /// The first cycle from \p cycle on in which another burst may be asked for;
  /// kNever as long as that depends on beats to come.
  Cycle from(Cycle cycle) {
    // Taken notice of late, so the burst asked for just before is no hindrance.
    if (cycle <= lastRequest + pipeline.creditSeen) {
      const Cycle at = beat(requested - lastBeats - allowed);
      if (at != kNever && at + pipeline.fifo + pipeline.creditSeen <= cycle)
        return cycle;
      cycle = lastRequest + pipeline.creditSeen + 1;
    }
    const Cycle at = beat(requested - allowed);
    return at == kNever
               ? kNever
               : std::max(cycle, at + pipeline.fifo + pipeline.creditSeen);
  }
  void request(Cycle cycle, unsigned beats) {
    requested += beats;
    lastRequest = cycle;
    lastBeats = beats;
  }
  /// The next \p beats are taken one per cycle, the last one at \p last.
  void arrived(unsigned beats, Cycle last) {
    end += beats;
    at(head++) = {end, last};
  }

private:
  struct Run {
    int64_t end = 0;
    Cycle last = 0;
  };
  static size_t size(unsigned limit) {
    size_t n = 1;
    while (n < 2 * limit + 2)
      n *= 2;
    return n;
  }
  Run &at(size_t i) { return runs[i & (runs.size() - 1)]; }
  /// When beat number \p n, from 1 on, was taken.
  Cycle beat(int64_t n) {
    if (n <= 0)
      return 0;
    if (n > end)
      return kNever;
    // What lies before that will not be asked for again.
    while (at(tail).end < std::min(n, requested - lastBeats - allowed))
      ++tail;
    size_t i = tail;
    while (at(i).end < n)
      ++i;
    return at(i).last - Cycle(at(i).end - n);
  }

  const Pipeline &pipeline;
  const int64_t allowed;
  std::vector<Run> runs;
  int64_t requested = 0, end = 0;
  Cycle lastRequest = 0;
  unsigned lastBeats = 0;
  size_t head = 0, tail = 0;
};

/// The rows of an instruction as bursts (acc_walk).
class Walk {
public:
  Walk(const Pipeline &pipeline, const Geometry &geometry)
      : credit(pipeline, 1u << geometry.logOutstanding, geometry.maxBurst()),
        pipeline(pipeline), maxBurst(geometry.maxBurst()) {}

  /// Accepts an instruction at \p cycle >= ready().
  void start(Cycle cycle, const isa::MemInsn &mem, const Geometry &geometry) {
    up = geometry.beatsEach(mem.memory);
    down = geometry.perBeat(mem.memory);
    row = mem.dramBase;
    stride = mem.xStride;
    cols = mem.xSize;
    left = mem.ySize;
    accepted = cycle;
    readyFrom = kNever;
    advance();
  }
  /// The first cycle in which another instruction may be accepted; kNever as
  /// long as a burst has to be sent for that.
  Cycle ready() const { return readyFrom; }

  /// The first cycle from \p room on in which the next burst is asked for;
  /// kNever if there is none or that depends on beats to come.
  Cycle request(Cycle room) {
    if (length == 0 || room == kNever)
      return kNever;
    return credit.from(std::max(formed + pipeline.walkRequest, room));
  }
  unsigned beats() const { return length; }
  /// Whether the next burst is the last one of its row, of its instruction.
  bool endsRow() const { return burstEndsRow; }
  bool endsAll() const { return burstEndsRow && burstIsLast; }

  /// The next burst is asked for at \p cycle.
  void fire(Cycle cycle) {
    credit.request(cycle, length);
    length = 0;
    fired = cycle;
    advance();
  }
  /// The next burst's beats were taken, the last one at \p last.
  void arrived(unsigned beats, Cycle last) { credit.arrived(beats, last); }

private:
  /// Forms the next burst, takes the next row, as far as that is possible.
  void advance() {
    for (;;) {
      if (length == 0 && rest != 0) {
        length = std::min(rest, maxBurst - (address & (maxBurst - 1)));
        formed = std::max({rowTaken + pipeline.walkBurst, formed + 1, fired});
        rest -= length;
        address += length;
        burstEndsRow = rest == 0;
        burstIsLast = rowIsLast;
      } else if (rest == 0 && left != 0) {
        // As the burst before it is formed, or when the instruction has come.
        rowTaken = std::max(accepted + pipeline.walkRow, formed);
        const uint64_t mask = (uint64_t(1) << down) - 1;
        address = uint32_t((row >> down) << up);
        rest = uint32_t(((cols + (row & mask) + mask) >> down) << up);
        row += stride;
        rowIsLast = --left == 0;
        if (rowIsLast)
          readyFrom = rowTaken + 1;
      } else {
        return;
      }
    }
  }

  Credit credit;
  const Pipeline &pipeline;
  const unsigned maxBurst;
  int up = 0, down = 0;
  uint64_t row = 0;
  uint32_t stride = 0, cols = 0, left = 0;
  Cycle accepted = 0, readyFrom = 0;
  /// The row that is split. Only the low bits of the address matter.
  uint32_t address = 0, rest = 0;
  bool rowIsLast = false;
  Cycle rowTaken = 0;
  /// The next burst; no beats if there is none.
  uint32_t length = 0;
  bool burstEndsRow = false, burstIsLast = false;
  Cycle formed = 0, fired = 0;
};

} // namespace acc::vta::csim

#endif // ACC_RUNTIME_VTA_CSIM_READPORT_H
