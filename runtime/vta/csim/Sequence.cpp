//===- Sequence.cpp - Issue of micro-operations ---------------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Sequence.h"

using namespace acc;
using namespace acc::vta;
using namespace acc::vta::csim;
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

Cycle Sequence::issueFrom(Cycle from, Kind kind, uint32_t reads, uint32_t dst,
                          uint32_t src) {
  auto isAlu = [](Kind k) { return k == Alu || k == Requantize; };
  // Results are written in the order of issue.
  const Cycle behind = lastRequantize + geometry.requantizeMore;
  if (!isAlu(kind))
    from = std::max(
        {from, lastAlu + geometry.aluStages, behind + geometry.aluStages});
  else if (kind == Alu)
    from = std::max(from, behind + 1);
  if (isAlu(kind) || (kind == Gemm && quietFrom() > from))
    for (uint64_t i = count - 1;; --i) {
      // Only one is issued per cycle, so this ends soon. What is issued later
      // is written later.
      const Op &other = op(i);
      if (other.issued + hazard(Requantize) <= from)
        break;
      const Cycle written = other.issued + hazard(other.kind);
      bool waits = isAlu(kind) ? other.kind != Null : isAlu(other.kind);
      if (waits && written > from &&
          (other.dst == dst || (isAlu(kind) && other.dst - src < reads))) {
        from = written;
        break;
      }
    }
  return from + reads;
}

void Sequence::execute(Cycle first, Kind kind, uint32_t reads, uint32_t dst,
                       uint32_t src) {
  const Cycle step = stepFrom(first);
  const Cycle taken =
      std::max(step + pipeline.indices + pipeline.fifo, latest().issued);
  const Cycle issued = issueFrom(taken + pipeline.issue, kind, reads, dst, src);
  op(count++) = {step, taken, issued, dst, kind};
  if (kind == Alu)
    lastAlu = issued;
  if (kind == Requantize)
    lastRequantize = issued;
}

uint32_t Sequence::skip(uint32_t iterations, uint32_t period, uint64_t size,
                        Cycle then, uint32_t factor) {
  const Cycle cycles = iterations / period * (latest().issued - then);
  const uint32_t entries = iterations * factor;
  const uint64_t number = iterations * size;
  for (Op &entry : ops) {
    entry.step += cycles;
    entry.taken += cycles;
    entry.issued += cycles;
    entry.dst += entries;
  }
  lastAlu += cycles;
  lastRequantize += cycles;
  count += number;
  seen += number;
  skipped += number;
  return iterations;
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
  if (latest().issued <= first + toTaken && quietFrom() <= first + lag) {
    runFreely(loop, uops, kind, 0,
              {first - 1, first - 1 + toTaken, first - 1 + lag, 0, kind});
    return;
  }
  uint64_t n = 0, steady = 0;
  for (uint32_t o = 0; o < loop.iterOut; ++o)
    for (uint32_t i = 0; i < loop.iterIn; ++i)
      for (const Uop &uop : uops) {
        const Op before = latest();
        execute(first, kind, 0, uop.dst + o * loop.dstOut + i * loop.dstIn, 0);
        ++n;
        const Op &now = latest();
        const bool same = now.step == before.step + 1 &&
                          now.taken == before.taken + 1 &&
                          now.issued == before.issued + 1;
        steady = same ? steady + 1 : 0;
        // The waiting room is empty, or as full as it will stay.
        if (quietFrom() <= now.issued + 1 &&
            (now.issued == now.step + lag || steady >= kMemory)) {
          runFreely(loop, uops, kind, n, now);
          return;
        }
      }
}

void Sequence::runWindow(Cycle first, const isa::GemmInsn &gemm,
                         std::span<const Uop> uops) {
  const uint32_t sources = geometry.window;
  // The last source, if there was one.
  std::optional<uint32_t> last;
  auto leaveOut = [&](uint32_t iterations, uint32_t period, uint64_t size,
                      Cycle then, uint32_t dstFactor, uint32_t srcFactor) {
    *last += iterations * srcFactor;
    return skip(iterations, period, size, then, dstFactor);
  };
  Repetition outer;
  for (uint32_t o = 0; o < gemm.iterOut; ++o) {
    const uint32_t base = o * gemm.dstOut;
    Repetition inner;
    for (uint32_t i = 0; i < gemm.iterIn; ++i) {
      for (const Uop &uop : uops) {
        const uint32_t src = uop.src + o * gemm.srcOut + i * gemm.srcIn;
        // What the window moves on by is read, or all of it. The last input is
        // read with the operation itself.
        const uint32_t further = last ? src - *last : 0;
        const bool moves = further != 0 && further < sources;
        last = src;
        execute(first, Gemm, (moves ? further : sources) - 1,
                uop.dst + base + i * gemm.dstIn, src);
      }
      const uint32_t left = gemm.iterIn - 1 - i;
      // As long as something older matters, nothing can be alike.
      if (left == 0 || (i + 1) * uops.size() < kMemory)
        continue;
      if (uint32_t n = period(inner, i, base + i * gemm.dstIn))
        i += leaveOut(left / n * n, n, uops.size(), inner.state.now, gemm.dstIn,
                      gemm.srcIn);
    }
    const uint32_t left = gemm.iterOut - 1 - o;
    const uint64_t size = uops.size() * gemm.iterIn;
    if (left == 0 || (o + 1) * size < kMemory)
      continue;
    if (uint32_t n = period(outer, o, base))
      o += leaveOut(left / n * n, n, size, outer.state.now, gemm.dstOut,
                    gemm.srcOut);
  }
}

uint32_t Sequence::period(Repetition &seen, uint32_t iteration, uint32_t base) {
  const Cycle now = latest().issued;
  auto isAlike = [&] {
    for (size_t k = kMemory; k-- > 0;)
      if (seen.state.ops[k] != relative(op(count - kMemory + k), now, base))
        return false;
    return true;
  };
  if (seen.patience != 0 && isAlike())
    return iteration - seen.iteration;
  // Compared with one iteration for so long, then with a later one for longer:
  // what repeats is found after at most three times as many as it takes.
  if (iteration - seen.iteration >= seen.patience) {
    seen.patience = std::max(2 * seen.patience, 1u);
    seen.iteration = iteration;
    seen.state.now = now;
    for (size_t k = 0; k < kMemory; ++k)
      seen.state.ops[k] = relative(op(count - kMemory + k), now, base);
  }
  return 0;
}

/// Whether no entry that \p loop reads as a source, of which there are
/// \p sources each time, is one that it writes.
static bool isDisjoint(const isa::MicroLoop &loop, std::span<const Uop> uops,
                       uint32_t sources) {
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
  return dstEnd < src || srcEnd + sources - 1 < dst;
}

void Sequence::runAlu(Cycle first, const isa::AluInsn &alu,
                      std::span<const Uop> uops, Kind kind) {
  // An iteration is like another only if sources and destinations keep their
  // distance, or never meet.
  const uint32_t sources = alu.sources();
  const bool apart = sources == 0 || isDisjoint(alu, uops, sources);
  // `requantize` reads its source only where that is another one.
  std::optional<uint32_t> source;
  auto leaveOut = [&](uint32_t iterations, uint32_t period, uint64_t size,
                      Cycle then, uint32_t dstFactor, uint32_t srcFactor) {
    *source += iterations * srcFactor;
    return skip(iterations, period, size, then, dstFactor);
  };
  const bool repeatsInner = apart || alu.srcIn == alu.dstIn;
  const bool repeatsOuter = apart || alu.srcOut == alu.dstOut;

  Repetition outer;
  for (uint32_t o = 0; o < alu.iterOut; ++o) {
    const uint32_t base = o * alu.dstOut;
    Repetition inner;
    for (uint32_t i = 0; i < alu.iterIn; ++i) {
      for (const Uop &uop : uops) {
        const uint32_t src = uop.src + o * alu.srcOut + i * alu.srcIn;
        const bool reads = kind == Alu || source != src;
        source = src;
        execute(first, kind, reads ? sources : 0,
                uop.dst + base + i * alu.dstIn, src);
      }
      const uint32_t left = alu.iterIn - 1 - i;
      // As long as something older matters, nothing can be alike.
      if (!repeatsInner || left == 0 || (i + 1) * uops.size() < kMemory)
        continue;
      if (uint32_t n = period(inner, i, base + i * alu.dstIn))
        i += leaveOut(left / n * n, n, uops.size(), inner.state.now, alu.dstIn,
                      alu.srcIn);
    }
    const uint32_t left = alu.iterOut - 1 - o;
    const uint64_t size = uops.size() * alu.iterIn;
    if (!repeatsOuter || left == 0 || (o + 1) * size < kMemory)
      continue;
    if (uint32_t n = period(outer, o, base))
      o += leaveOut(left / n * n, n, size, outer.state.now, alu.dstOut,
                    alu.srcOut);
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
    execute(first, Null, 0, 0, 0);
  } else {
    std::span<const Uop> used = uops.subspan(loop->uopBgn, loop->uopCount());
    if (const isa::AluInsn *alu = insn.alu()) {
      kind = alu->op == isa::AluOp::Requantize ? Requantize : Alu;
      runAlu(first, *alu, used, kind);
    } else {
      const isa::GemmInsn &gemm = *insn.gemm();
      kind = gemm.reset ? Reset : Gemm;
      // One input is read with each operation, as ever.
      if (gemm.window && geometry.window > 1)
        runWindow(first, gemm, used);
      else
        runGemm(first, gemm, used, kind);
    }
  }
  used[0] = used[1];
  used[1] = {0, 0, latest().step + pipeline.loopIdle};
  if (loop && loop->steps() != 0)
    used[1].first = loop->uopBgn, used[1].end = loop->uopEnd;
  return {taken + pipeline.nextRoom, latest().step + pipeline.loopIdle,
          latest().issued + ahead +
              (kind == Alu ? pipeline.alu + geometry.aluStages
               : kind == Requantize
                   ? pipeline.alu + geometry.aluStages + geometry.requantizeMore
                   : pipeline.gemm)};
}

Cycle Sequence::readBy(uint32_t first, uint32_t end, bool isOther) const {
  Cycle result = 0;
  for (const Used &one : used)
    if (!isOther || (first < one.end && one.first < end))
      result = std::max(result, one.idle);
  return result;
}
