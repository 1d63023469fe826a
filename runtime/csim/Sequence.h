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
/// they depend on repeats itself, from one iteration of the inner or outer loop
/// to the next; the iterations left then take as long as the last one.

#ifndef ACC_RUNTIME_CSIM_SEQUENCE_H
#define ACC_RUNTIME_CSIM_SEQUENCE_H

#include "Parameters.h"

#include <array>
#include <span>

namespace acc::csim {

class Sequence {
public:
  Sequence(const Pipeline &pipeline, const Geometry &geometry)
      : pipeline(pipeline), geometry(geometry) {}

  struct Times {
    /// Another instruction, or a LOAD, may be accepted.
    Cycle ready, idle;
    Cycle retires;
  };
  /// Executes an instruction accepted at \p cycle; \p uops is the scratchpad.
  Times run(Cycle cycle, const isa::Instruction &insn,
            std::span<const isa::Uop> uops);

private:
  enum Kind : uint8_t { Gemm, Reset, Alu, Null };
  struct Op {
    /// Cycles in which the loops step to it, the waiting room lets it go, it is
    /// issued.
    Cycle step = 0, taken = 0, issued = 0;
    uint32_t dst = 0;
    Kind kind = Null;
  };
  /// More than the operations whose times the next one depends on, which are
  /// those in the waiting room and in the stages before and behind it.
  static constexpr size_t kHistory = 64, kMemory = 24;

  Op &op(uint64_t i) { return ops[(i - skipped) % kHistory]; }
  Op &latest() { return op(count - 1); }
  /// The next operation; \p first is the first cycle for its step.
  void execute(Cycle first, Kind kind, bool two, uint32_t dst, uint32_t src);
  Cycle stepFrom(Cycle first);
  Cycle issueFrom(Cycle from, Kind kind, bool two, uint32_t dst, uint32_t src);

  void runGemm(Cycle first, const isa::MicroLoop &loop,
               std::span<const isa::Uop> uops, Kind kind);
  void runAlu(Cycle first, const isa::AluInsn &alu,
              std::span<const isa::Uop> uops);
  /// What the next operation depends on, as seen from the last one.
  using State = std::array<std::array<int64_t, 4>, kMemory>;
  State state(uint32_t base);
  /// Leaves out \p number operations that take \p cycles and do as those
  /// before them, \p entries on.
  void skip(uint64_t number, Cycle cycles, uint32_t entries);
  /// Operations that nothing holds back, a cycle each: all from the
  /// \p from-th one of the instruction on, which follows \p before.
  void runFreely(const isa::MicroLoop &loop, std::span<const isa::Uop> uops,
                 Kind kind, uint64_t from, Op before);

  const Pipeline &pipeline;
  const Geometry &geometry;
  /// The last kHistory operations.
  std::array<Op, kHistory> ops;
  /// Operations so far, those left out, and how many of them the waiting room
  /// knows of when the next one is considered.
  uint64_t count = kHistory, skipped = 0, seen = kHistory;
  /// The issue of the last ALU operation.
  Cycle lastAlu = 0;
};

} // namespace acc::csim

#endif // ACC_RUNTIME_CSIM_SEQUENCE_H
