//===- Hazards.h - Exact dataflow on a stream -------------------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

/// Exact dataflow on an instruction stream: which earlier instructions of other
/// modules each instruction conflicts with, and which order tokens impose. The
/// token insertion of the compiler, the stream verifier and the sanitizer of
/// the functional simulator all use these classes.

#ifndef ACC_VTA_ISA_HAZARDS_H
#define ACC_VTA_ISA_HAZARDS_H

#include "acc/vta/isa/Program.h"

#include <functional>
#include <memory>

namespace acc::vta::isa {

/// One moment of a stream: per module, one more than the index of the latest
/// instruction known to have completed (0: none). Modules execute in order,
/// so this covers all earlier instructions of that module too.
using Clock = std::array<uint32_t, kNumModules>;

/// Component-wise maximum.
void join(Clock &clock, const Clock &other);

/// Reports what is wrong with an instruction by itself, or nothing: a copy that
/// there is not, a dependence flag that names no neighbour.
std::optional<std::string> checkForm(const Instruction &insn);
/// Reports all that is wrong with the instructions of a stream by themselves,
/// and a FINISH that is missing (index -1) or not last.
void checkForm(std::span<const Instruction> insns,
               const std::function<void(int64_t, std::string)> &report);
/// Reports why an instruction's indices or DRAM range are illegal, or nothing.
/// \p uops holds the micro-op scratchpad, \p buffer the DRAM buffer addressed
/// (null: unknown, not checked).
std::optional<std::string> checkRanges(const Config &config,
                                       const Instruction &insn,
                                       std::span<const Uop> uops,
                                       const Buffer *buffer);

/// Reads a micro-op word that a LOAD of uop fetches: the DRAM space (see
/// HazardTracker) and the element. Nothing if unknown.
using UopReader =
    std::function<std::optional<uint32_t>(int32_t space, uint64_t element)>;

/// Reads the micro-op table of \p program; other addresses are unknown.
UopReader tableReader(const Program &program);

/// Which scratchpad entries have been written since they were cleared, a flag
/// each. `out` is the accumulators.
struct Initialised {
  std::vector<uint8_t> uop, inp, wgt, acc;

  explicit Initialised(const Config &config);
  void clear();
  /// Takes note of what an instruction, whose ranges were checked, fills: what
  /// it loads or resets. What it computes from an entry is as good as that
  /// entry was.
  void fill(const Instruction &insn, std::span<const Uop> uops);
};

/// Follows who last wrote and read every scratchpad entry and DRAM byte.
///
/// Instructions are visited in an order in which they may execute (for a
/// compiler, program order). DRAM addresses live in spaces that never overlap:
/// one per buffer of the program, and Program::kNone for absolute addresses.
class HazardTracker {
public:
  /// What an instruction has to be ordered after.
  struct Conflict {
    /// Per module, one more than the index of the latest conflicting
    /// instruction (0: no conflict). The own module's component is 0.
    Clock after = {};
    /// Per module, what is in conflict there, e.g. "reads inp[12] written by".
    struct What {
      const char *verb = "";
      /// Scratchpad of the conflict; no value means DRAM.
      std::optional<Memory> memory;
      uint64_t index = 0;
    };
    std::array<What, kNumModules> what = {};
    /// First scratchpad entry read that nothing has written.
    std::optional<std::pair<Memory, uint32_t>> uninitialised;
  };

  HazardTracker(const Config &config, UopReader reader);
  ~HazardTracker();
  HazardTracker(HazardTracker &&);

  /// Continues on scratchpads that earlier streams have filled.
  void resume(const Initialised &initialised, std::span<const Uop> uops);
  /// What is filled by now.
  const Initialised &initialised() const;

  /// Restricts the tracking of DRAM to spaces that are both loaded and stored
  /// by \p program: the others have no hazards.
  void restrictTo(const Program &program);

  /// Visits one instruction whose ranges were checked, updating the state.
  Conflict visit(uint32_t index, const Instruction &insn,
                 int32_t space = Program::kNone);

  /// The micro-op scratchpad as of now, decoded.
  std::span<const Uop> uops() const;

private:
  struct State;
  std::unique_ptr<State> state;
};

/// An order in which the three modules may execute a stream: the lowest
/// instruction whose turn it is and whose tokens are there goes first, so that
/// a stream written in dependence order executes in program order. Tokens form
/// a deterministic network, so every legal order computes the same.
struct Schedule {
  std::vector<uint32_t> order;
  /// Set if execution cannot reach the end: names who waits for whom.
  std::optional<std::string> deadlock;
  /// The first instruction that waits for ever.
  uint32_t blocked = 0;
  /// Tokens pushed and never popped: load->compute, compute->load,
  /// compute->store, store->compute.
  std::array<uint64_t, 4> left = {};
  /// Per executed instruction (in program numbering), the clock before it
  /// starts: what tokens and its own module's order guarantee. Empty unless
  /// asked for.
  std::vector<Clock> before;
};

/// "load->compute" etc., as numbered in Schedule::left.
const char *queueName(int queue);

Schedule schedule(const std::vector<Instruction> &insns,
                  bool wantClocks = false);

/// What is wrong with an instruction that found \p conflict when only \p before
/// is certain to have completed: one sentence per hazard that no token orders
/// and, if \p uninitialised, for a read of what nothing wrote.
std::vector<std::string> complaints(const HazardTracker::Conflict &conflict,
                                    const Clock &before,
                                    const std::vector<Instruction> &insns,
                                    bool uninitialised);

/// The instructions that may still run when FINISH retires, one sentence each.
std::vector<std::string> finishComplaints(const std::vector<Instruction> &insns,
                                          const Clock &beforeFinish);

/// Sentences about tokens left in queues at the end.
std::vector<std::string> balanceComplaints(const Schedule &schedule);

/// The tokens that order every hazard of a program in program order.
struct TokenPlan {
  /// Flags of each instruction.
  std::vector<Deps> deps;
  /// A NOP of the compute module to insert before an instruction. Needed
  /// where load has to wait for store (or the reverse), which have no queue
  /// between them, and no compute instruction already stands between.
  struct Nop {
    uint32_t before;
    Deps deps;
  };
  /// Sorted by `before`.
  std::vector<Nop> nops;
};

/// Plans the tokens of \p program, ignoring the flags it carries: a token only
/// where no chain of earlier tokens implies the order. FINISH waits for all.
/// An instruction whose ranges are illegal is taken to touch nothing; verify()
/// reports it.
TokenPlan planTokens(const Program &program);

/// Replaces the flags of \p program by planned ones and inserts the NOPs.
void insertTokens(Program &program);

} // namespace acc::vta::isa

#endif // ACC_VTA_ISA_HAZARDS_H
