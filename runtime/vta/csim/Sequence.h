//===- Sequence.h - Issue of micro-operations -------------------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

/// acc_sequence and acc_execute: when the micro-operations of GEMM and ALU
/// instructions are issued.
///
/// An operation's time depends on a bounded number of operations before it: on
/// their destinations as long as these are not written, and on the waiting room
/// between loops and issue. So operations are followed one by one until what
/// the next one depends on is what it was after an earlier iteration of the
/// inner or outer loop; the iterations left take as long as those since then.

#ifndef ACC_RUNTIME_VTA_CSIM_SEQUENCE_H
#define ACC_RUNTIME_VTA_CSIM_SEQUENCE_H

#include "Parameters.h"

#include <array>
#include <span>

namespace acc::vta::csim {

class Sequence {
public:
  /// \p ahead: stages that what it issues passes before the accumulators are
  /// read.
  Sequence(const Pipeline &pipeline, const Geometry &geometry, Cycle ahead)
      : pipeline(pipeline), geometry(geometry), ahead(ahead) {}

  struct Times {
    /// Another instruction, or a LOAD, may be accepted.
    Cycle ready, idle;
    /// Its results are written: it retires, if nothing before it is left.
    Cycle ends;
  };
  /// Executes an instruction accepted at \p cycle; \p uops is the scratchpad.
  Times run(Cycle cycle, const isa::Instruction &insn,
            std::span<const isa::Uop> uops);

  /// When a LOAD of the micro-ops from \p first to before \p end is in no
  /// instruction's way; \p isOther: those that are not among them may be read.
  Cycle readBy(uint32_t first, uint32_t end, bool isOther) const;

private:
  enum Kind : uint8_t { Gemm, Reset, Alu, Null, Requantize };
  struct Op {
    /// Cycles in which the loops step to it, the waiting room lets it go, it is
    /// issued.
    Cycle step = 0, taken = 0, issued = 0;
    uint32_t dst = 0;
    Kind kind = Null;
  };
  /// More than the operations whose times the next one depends on, which are
  /// those in the waiting room and in the stages before and behind it.
  static constexpr size_t kHistory = 64, kMemory = 32;

  Op &op(uint64_t i) { return ops[(i - skipped) % kHistory]; }
  Op &latest() { return op(count - 1); }
  /// The next operation; \p first is the first cycle for its step, \p reads how
  /// many entries it reads from \p src on, a cycle each.
  void execute(Cycle first, Kind kind, uint32_t reads, uint32_t dst,
               uint32_t src);
  Cycle stepFrom(Cycle first);
  Cycle issueFrom(Cycle from, Kind kind, uint32_t reads, uint32_t dst,
                  uint32_t src);
  /// Issue of an operation -> its entry may be read again.
  Cycle hazard(Kind kind) const {
    return pipeline.hazard + geometry.aluStages +
           (kind == Requantize ? geometry.requantizeMore : Cycle(0));
  }
  /// From when on no operation of the ALU so far is in the way of a GEMM.
  Cycle quietFrom() const {
    return std::max(lastAlu + hazard(Alu), lastRequantize + hazard(Requantize));
  }

  void runGemm(Cycle first, const isa::MicroLoop &loop,
               std::span<const isa::Uop> uops, Kind kind);
  void runWindow(Cycle first, const isa::GemmInsn &gemm,
                 std::span<const isa::Uop> uops);
  void runAlu(Cycle first, const isa::AluInsn &alu,
              std::span<const isa::Uop> uops, Kind kind);
  /// What the next operation depends on, as seen from the last one.
  struct State {
    Cycle now = 0;
    std::array<std::array<int64_t, 4>, kMemory> ops;
  };
  std::array<int64_t, 4> relative(const Op &entry, Cycle now, uint32_t base) {
    return {static_cast<int64_t>(entry.issued - now),
            static_cast<int64_t>(entry.step - now),
            static_cast<int64_t>(entry.taken - now),
            (int64_t(entry.kind) << 33) + int64_t(entry.dst) - base};
  }
  /// Notices when an iteration leaves behind what an earlier one did.
  struct Repetition {
    State state;
    uint32_t iteration = 0, patience = 0;
  };
  /// Called after each iteration, with the base of its destinations. The number
  /// of iterations since the one that was alike, or 0.
  uint32_t period(Repetition &seen, uint32_t iteration, uint32_t base);
  /// Leaves out \p iterations of \p size operations, which do as the \p period
  /// iterations since the cycle \p then did, an iteration \p factor entries on
  /// from the one before. Returns how many it has left out.
  uint32_t skip(uint32_t iterations, uint32_t period, uint64_t size, Cycle then,
                uint32_t factor);
  /// Operations that nothing holds back, a cycle each: all from the
  /// \p from-th one of the instruction on, which follows \p before.
  void runFreely(const isa::MicroLoop &loop, std::span<const isa::Uop> uops,
                 Kind kind, uint64_t from, Op before);

  const Pipeline &pipeline;
  const Geometry &geometry;
  const Cycle ahead;
  /// The last kHistory operations.
  std::array<Op, kHistory> ops;
  /// Operations so far, those left out, and how many of them the waiting room
  /// knows of when the next one is considered.
  uint64_t count = kHistory, skipped = 0, seen = kHistory;
  /// The micro-ops of the last two instructions, more of which do not wait, and
  /// when they have been read.
  struct Used {
    uint32_t first = 0, end = 0;
    Cycle idle = 0;
  };
  std::array<Used, 2> used;
  /// The issue of the last operation of the ALU, of the last `requantize`.
  Cycle lastAlu = 0, lastRequantize = 0;
};

} // namespace acc::vta::csim

#endif // ACC_RUNTIME_VTA_CSIM_SEQUENCE_H
