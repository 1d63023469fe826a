//===- Machine.h - The circuit as a set of events ---------------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

/// The whole circuit. What happens is settled as early as possible: a burst's
/// beats when its request is granted, micro-operations when their instruction
/// is accepted. Only who is granted the read port, and what the modules accept,
/// is decided in the order of time, since it may depend on each other.

#ifndef ACC_RUNTIME_VTA_CSIM_MACHINE_H
#define ACC_RUNTIME_VTA_CSIM_MACHINE_H

#include "Extent.h"
#include "Fetch.h"
#include "Fill.h"
#include "Sequence.h"
#include "Store.h"

namespace acc::vta::csim {

/// How a module spent the cycles of a run. The four add up to all cycles.
struct ModuleTime {
  Cycle busy = 0, memory = 0, idle = 0;
  /// Waiting for a token (fetch: for room in the queue) of each module, while
  /// nothing else is under way.
  std::array<Cycle, isa::kNumModules> waits = {};
};

/// Why a stream cannot go on, in terms of the circuit's registers.
struct Standstill {
  enum Kind { None, Deadlock, Overflow } kind = None;
  uint32_t waiting = 0;
  /// The module that pushed to a token queue that is too full.
  isa::Module pusher = isa::Module::Load;
};

struct Report {
  Cycle cycles = 0;
  /// When each instruction was accepted and retired, as the circuit's events.
  std::vector<Cycle> starts, ends, dispatched;
  ModuleTime fetch;
  std::array<ModuleTime, isa::kNumModules> modules;
  /// As counted by the circuit: instructions retired, cycles busy, cycles in
  /// which a token is missing.
  std::array<uint32_t, isa::kNumModules> retired = {};
  std::array<Cycle, isa::kNumModules> busy = {}, waits = {};
  uint64_t readBeats = 0, writtenBeats = 0;
  Standstill standstill;
};

/// Executes a LOAD of micro-ops whose ranges were checked, padding included.
void readUops(const isa::MemInsn &mem, const Dram &dram,
              const isa::Codec &codec, std::span<isa::Uop> uops);

class Machine {
public:
  Machine(const isa::Config &config, const Options &options, const Dram &dram,
          const std::vector<isa::Instruction> &insns,
          const std::vector<isa::Module> &modules, std::vector<isa::Uop> &uops);

  /// Runs the stream, which must have been checked, to its end.
  Report run();

private:
  enum { LoadToCompute, ComputeToLoad, ComputeToStore, StoreToCompute };
  /// Tokens between two modules: when each was pushed and popped.
  struct Tokens {
    std::vector<Cycle> pushed, popped;
  };
  /// Earliest acceptance of a module's next instruction. kNever as long as it
  /// depends on something that is not settled.
  Cycle loadReady() const;
  Cycle computeReady() const;
  Cycle storeReady() const;
  /// Where GEMM and ALU run beside each other: earliest cycle in which the next
  /// instruction of compute has been examined and leaves its queue. An
  /// instruction starts from among those examined.
  Cycle examineReady();
  Cycle besideReady() const;
  /// When the first of those examined is seen.
  Cycle examinedVisible() const;
  void examine(Cycle cycle);
  /// The next instruction that \p module accepts; -1 if it has none.
  int64_t next(isa::Module module) const;
  Cycle token(bool wanted, int tokens) const;
  Cycle popToken(bool wanted, int queue, Cycle cycle);

  void acceptLoad(Cycle cycle);
  void acceptCompute(Cycle cycle);
  void acceptStore(Cycle cycle);
  uint32_t accept(isa::Module module, Cycle cycle);
  void leaveQueue(isa::Module module, Cycle cycle);
  void retire(uint32_t index, Cycle cycle);
  void retireInOrder();
  void drain(Fill &fill);

  /// Puts requests into the queues of the read port.
  void askFetch();
  void ask(Walk &walk, ReadPort::Client client);
  /// Grants the read port to whom it is due. Whether that may change what is
  /// accepted when.
  bool grant();
  bool grantWalk(Walk &walk, Fill &fill);

  void findStandstill();
  void account();

  const Pipeline pipeline;
  const Geometry geometry;
  const Dram &dram;
  const isa::Codec codec;
  const std::vector<isa::Instruction> &insns;
  const std::vector<isa::Module> &modules;

  ReadPort port;
  std::vector<Queue> queues;
  Fetch fetch;
  Walk loadWalk, computeWalk;
  Fill loadFill, computeFill;
  /// Of GEMM and ALU, or of GEMM and one for ALU beside it.
  Sequence sequence, aluSequence;
  Store store;
  std::array<Tokens, 4> tokens;

  /// The micro-op scratchpad, which outlives the run.
  std::vector<isa::Uop> &uops;
  /// The times of compute: when the sequencer takes another instruction and is
  /// idle, and when the last LOAD ends, as far as that is settled.
  Cycle sequenceReady = 0, sequenceIdle = 0, lastLoad = 0;
  Cycle aluReady = 0;
  /// The LOADs that compute has accepted, and those known to have retired.
  uint64_t loads = 0, loadsRetired = 0;
  std::vector<Cycle> executed;

  // --- GEMM and ALU beside each other ---
  Scoreboard scoreboard;
  struct Examined {
    uint32_t index, banks;
    Cycle pushed;
  };
  std::deque<Examined> examined;
  /// The cycle in which what is at the head of the queue is known, if it could
  /// be examined, and its banks.
  std::optional<Cycle> known;
  uint32_t knownBanks = 0;
  /// When the last instructions were accepted, by their number.
  std::array<Cycle, 8> accepts = {};
  uint64_t acceptCount = 0, examineCount = 0;
  /// LOADs of micro-ops that have been examined and have not ended, those among
  /// the LOADs accepted, and when the last one ended.
  uint64_t uopLoads = 0;
  std::deque<bool> areUops;
  Cycle uopsLoaded = 0;

  /// How each instruction waited: when it reached the head of its queue, and
  /// from when on the token it waited for longest was there, from whom.
  struct Wait {
    Cycle head = 0, token = 0;
    isa::Module whom = isa::Module::Compute;
  };
  std::vector<Wait> waits;
  Report report;
};

} // namespace acc::vta::csim

#endif // ACC_RUNTIME_VTA_CSIM_MACHINE_H
