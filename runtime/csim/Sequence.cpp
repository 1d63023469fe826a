//===- Sequence.cpp - Issue of micro-operations ---------------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Sequence.h"

using namespace acc;
using namespace acc::csim;
using isa::Uop;

//===----------------------------------------------------------------------===//
// One operation
//===----------------------------------------------------------------------===//

Cycle Sequence::stepFrom(Cycle first) {
  const Cycle popped = pipeline.fifo + pipeline.waitingSeen;
  const Cycle pushed = pipeline.indices + popped;
  Cycle at = std::max(first, latest().step + 1);
  for (;;) {
    while (seen < count && op(seen).step + pushed <= at)
      ++seen;
    // The loops go on once all but so many of those seen have left.
    Cycle left = op(seen - pipeline.waitingRoom - 1).taken;
    if (left + popped <= at)
      return at;
    at = left + popped;
  }
}

Cycle Sequence::issueFrom(Cycle from, Kind kind, bool two, uint32_t dst,
                          uint32_t src) {
  if (kind != Alu)
    from = std::max(from, lastAlu + pipeline.gemmAfterAlu);
  if (kind == Alu || (kind == Gemm && lastAlu + pipeline.hazard > from))
    for (uint64_t i = count - 1;; --i) {
      // Only one is issued per cycle, so this ends soon.
      const Op &other = op(i);
      if (other.issued + pipeline.hazard <= from)
        break;
      bool waits = kind == Alu ? other.kind != Null : other.kind == Alu;
      if (waits && (other.dst == dst || (two && other.dst == src))) {
        from = other.issued + pipeline.hazard;
        break;
      }
    }
  // The first of two cycles reads the source.
  return two ? from + 1 : from;
}

void Sequence::execute(Cycle first, Kind kind, bool two, uint32_t dst,
                       uint32_t src) {
  const Cycle step = stepFrom(first);
  const Cycle taken =
      std::max(step + pipeline.indices + pipeline.fifo, latest().issued);
  const Cycle issued = issueFrom(taken + pipeline.issue, kind, two, dst, src);
  op(count++) = {step, taken, issued, dst, kind};
  if (kind == Alu)
    lastAlu = issued;
}

void Sequence::skip(uint64_t number, Cycle cycles, uint32_t entries) {
  for (Op &entry : ops) {
    entry.step += cycles;
    entry.taken += cycles;
    entry.issued += cycles;
    entry.dst += entries;
  }
  lastAlu += cycles;
  count += number;
  seen += number;
  skipped += number;
}

//===----------------------------------------------------------------------===//
// Instructions
//===----------------------------------------------------------------------===//

void Sequence::runFreely(const isa::MicroLoop &loop, std::span<const Uop> uops,
                         Kind kind, uint64_t from, Op before) {
  const uint64_t steps = loop.steps(), inner = uops.size() * loop.iterIn;
  const uint64_t recent = std::min<uint64_t>(steps - from, kMemory);
  if (const uint64_t old = steps - from - recent; old != 0) {
    count += old;
    skipped += old;
    seen = count;
  }
  for (uint64_t n = steps - recent; n < steps; ++n) {
    const Cycle later = n - from + 1;
    const uint64_t o = n / inner, i = n % inner / uops.size();
    const uint32_t dst = uops[n % uops.size()].dst +
                         static_cast<uint32_t>(o) * loop.dstOut +
                         static_cast<uint32_t>(i) * loop.dstIn;
    op(count++) = {before.step + later, before.taken + later,
                   before.issued + later, dst, kind};
  }
}

void Sequence::runGemm(Cycle first, const isa::MicroLoop &loop,
                       std::span<const Uop> uops, Kind kind) {
  const Cycle toTaken = pipeline.indices + pipeline.fifo;
  const Cycle lag = toTaken + pipeline.issue;
  // The usual case: everything before is out of the way in time.
  if (latest().issued <= first + toTaken &&
      lastAlu + pipeline.hazard <= first + lag) {
    runFreely(loop, uops, kind, 0,
              {first - 1, first - 1 + toTaken, first - 1 + lag, 0, kind});
    return;
  }
  uint64_t n = 0, steady = 0;
  for (uint32_t o = 0; o < loop.iterOut; ++o)
    for (uint32_t i = 0; i < loop.iterIn; ++i)
      for (const Uop &uop : uops) {
        const Op before = latest();
        execute(first, kind, false, uop.dst + o * loop.dstOut + i * loop.dstIn,
                0);
        ++n;
        const Op &now = latest();
        const bool same = now.step == before.step + 1 &&
                          now.taken == before.taken + 1 &&
                          now.issued == before.issued + 1;
        steady = same ? steady + 1 : 0;
        // The waiting room is empty, or as full as it will stay.
        if (lastAlu + pipeline.hazard <= now.issued + 1 &&
            (now.issued == now.step + lag || steady >= kMemory)) {
          runFreely(loop, uops, kind, n, now);
          return;
        }
      }
}

Sequence::State Sequence::state(uint32_t base) {
  State result;
  const int64_t now = static_cast<int64_t>(latest().issued);
  for (size_t k = 0; k < kMemory; ++k) {
    const Op &entry = op(count - kMemory + k);
    result[k] = {static_cast<int64_t>(entry.step) - now,
                 static_cast<int64_t>(entry.taken) - now,
                 static_cast<int64_t>(entry.issued) - now,
                 entry.kind * (int64_t(1) << 33) + int64_t(entry.dst) - base};
  }
  return result;
}

/// Whether no entry that \p loop reads as a source is one that it writes.
static bool isDisjoint(const isa::MicroLoop &loop, std::span<const Uop> uops) {
  auto range = [&](uint32_t Uop::*index, uint32_t out, uint32_t in) {
    uint32_t low = ~0u, high = 0;
    for (const Uop &uop : uops) {
      low = std::min(low, uop.*index);
      high = std::max(high, uop.*index);
    }
    return std::pair(low,
                     high + (loop.iterOut - 1) * out + (loop.iterIn - 1) * in);
  };
  auto [dst, dstEnd] = range(&Uop::dst, loop.dstOut, loop.dstIn);
  auto [src, srcEnd] = range(&Uop::src, loop.srcOut, loop.srcIn);
  return dstEnd < src || srcEnd < dst;
}

void Sequence::runAlu(Cycle first, const isa::AluInsn &alu,
                      std::span<const Uop> uops) {
  isa::MicroLoop loop = alu;
  if (loop.iterIn == 1) {
    // Only the inner loop's repetition is noticed at once.
    std::swap(loop.iterIn, loop.iterOut);
    std::swap(loop.dstIn, loop.dstOut);
    std::swap(loop.srcIn, loop.srcOut);
  }
  // An iteration is like the one before only if sources and destinations keep
  // their distance, or never meet.
  const bool two = !alu.useImm;
  const bool apart = !two || isDisjoint(loop, uops);
  const bool repeatsInner =
      (apart || loop.srcIn == loop.dstIn) && uops.size() + kMemory <= kHistory;
  const bool repeatsOuter = apart || loop.srcOut == loop.dstOut;

  State before;
  Cycle ended = 0;
  for (uint32_t o = 0; o < loop.iterOut; ++o) {
    const uint32_t base = o * loop.dstOut;
    uint64_t steady = 0;
    Cycle period = 0;
    for (uint32_t i = 0; i < loop.iterIn; ++i) {
      for (const Uop &uop : uops) {
        execute(first, Alu, two, uop.dst + base + i * loop.dstIn,
                uop.src + o * loop.srcOut + i * loop.srcIn);
        if (i == 0 || !repeatsInner)
          continue;
        const Op &now = latest(), &then = op(count - 1 - uops.size());
        const Cycle passed = now.issued - then.issued;
        if (passed == period && now.step - then.step == passed &&
            now.taken - then.taken == passed) {
          ++steady;
        } else {
          steady = 0;
          period = passed;
        }
      }
      const uint32_t left = loop.iterIn - 1 - i;
      if (left != 0 && steady >= kMemory) {
        skip(left * uops.size(), left * period, left * loop.dstIn);
        break;
      }
    }
    const uint32_t left = loop.iterOut - 1 - o;
    if (left == 0 || !repeatsOuter)
      continue;
    const State now = state(base);
    if (o != 0 && now == before) {
      const Cycle turn = latest().issued - ended;
      skip(left * uops.size() * loop.iterIn, left * turn, left * loop.dstOut);
      break;
    }
    before = now;
    ended = latest().issued;
  }
}

Sequence::Times Sequence::run(Cycle cycle, const isa::Instruction &insn,
                              std::span<const Uop> uops) {
  // The loops take it when the last step before is done.
  const Cycle taken = std::max(cycle + pipeline.nextInsn, latest().step);
  const Cycle first = taken + pipeline.loopStart;
  const isa::MicroLoop *loop = insn.loop();
  Kind kind = Null;
  if (!loop || loop->steps() == 0) {
    execute(first, Null, false, 0, 0);
  } else {
    std::span<const Uop> used = uops.subspan(loop->uopBgn, loop->uopCount());
    if (const isa::AluInsn *alu = insn.alu()) {
      kind = Alu;
      runAlu(first, *alu, used);
    } else {
      kind = loop->reset ? Reset : Gemm;
      runGemm(first, *loop, used, kind);
    }
  }
  return {taken + pipeline.nextRoom, latest().step + pipeline.loopIdle,
          latest().issued +
              (kind == Alu ? geometry.aluRetires : geometry.gemmRetires)};
}
