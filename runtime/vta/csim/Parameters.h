//===- Parameters.h - What the cycle model knows of the circuit -*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

/// The one table of latencies and sizes that the cycle model takes from the
/// RTL. Whoever changes a pipeline in hardware/rtl changes its line here;
/// test/python/test_csim.py fails as long as the two differ.

#ifndef ACC_RUNTIME_VTA_CSIM_PARAMETERS_H
#define ACC_RUNTIME_VTA_CSIM_PARAMETERS_H

#include "acc/vta/csim.h"

#include <algorithm>

namespace acc::vta::csim {

using Cycle = uint64_t;
/// The time of what nobody knows yet when, or whether, it happens.
inline constexpr Cycle kNever = ~Cycle(0);

/// Latencies in cycles. "a -> b" is the least number of cycles from a to b.
struct Pipeline {
  // --- acc_core ---
  /// First counted cycle -> first request of fetch.
  Cycle start = 1;
  /// FINISH or the last other instruction retires -> the last counted cycle.
  Cycle quiet = 2;

  // --- acc_fifo, acc_queue, acc_tokens ---
  /// Pushed -> visible at the head; popped -> room for another.
  Cycle fifo = 1;
  /// Instruction leaves the FIFO of its queue -> visible to its module.
  Cycle queueHead = 1;
  /// Pushed -> may be popped.
  Cycle token = 1;

  // --- acc_read_port ---
  /// Requests of a client that wait for being granted.
  unsigned requests = 2;
  /// Request granted -> seen by memory.
  Cycle request = 1;
  /// Beat handed over by memory -> seen by its client.
  Cycle beat = 1;

  // --- acc_fetch ---
  /// Instruction gathered from its beats -> checked; checked -> put into a
  /// queue.
  Cycle check = 1, dispatch = 1;
  /// log2 of the bursts that its FIFO holds.
  int logFetchBursts = 2;

  // --- acc_walk ---
  /// Instruction accepted -> its first row is taken.
  Cycle walkRow = 1;
  /// Row taken -> its first burst formed; burst formed -> request.
  Cycle walkBurst = 1, walkRequest = 1;
  /// Largest bursts for which there has to be room, and how many cycles late
  /// it is known.
  unsigned creditBursts = 2;
  Cycle creditSeen = 1;

  // --- acc_fill ---
  /// Started -> first segment formed.
  Cycle fillStart = 1;
  /// Segment formed -> becomes the current one; segments in between.
  Cycle fillSegment = 1;
  unsigned fillSegments = 2;
  /// Current -> its first beat or group of zeros.
  Cycle fillStep = 1;
  /// Last write -> retired.
  Cycle fillRetire = 1;
  /// Last operation retires -> LOADs of acc_compute may write.
  Cycle hold = 2;
  /// Instructions that wait for it in acc_load and acc_compute.
  unsigned fillQueue = 4;

  // --- acc_sequence ---
  /// Accepted -> taken by the loops; taken -> first step.
  Cycle nextInsn = 1, loopStart = 1;
  /// Taken -> room for another; last step -> LOADs are accepted.
  Cycle nextRoom = 1, loopIdle = 1;
  /// Step -> pushed into the waiting room.
  Cycle indices = 3;
  /// Taken from the waiting room -> issued.
  Cycle issue = 1;
  /// An operation's entry may be read again so many cycles after its issue
  /// (WINDOW + 1 of acc_sequence), the stages of the ALU aside.
  Cycle hazard = 4;
  /// The results of `requantize` take so much longer than those of other ALU
  /// operations, their registers behind the middle aside; what follows is
  /// issued so much later.
  Cycle requantizeBehind = 8;
  /// Operations in the waiting room up to which the loops go on, as seen so
  /// many cycles before.
  unsigned waitingRoom = 8;
  Cycle waitingSeen = 1;
  /// Instructions with micro-operations that have not retired (acc_compute).
  unsigned executing = 31;

  // --- acc_extent, acc_scoreboard: where GEMM and ALU run beside each other
  // ---
  /// At the head of its queue -> banks known, what adds up its loops or rows
  /// aside; for micro-ops it takes so much more, beside their number.
  Cycle examine = 2, examineUops = 2;
  /// Instructions that have been examined.
  unsigned examined = 4;
  /// Ended -> its banks may be used; ended -> retired.
  Cycle release = 1, retire = 1;
  /// Instructions of compute that have not retired, LOADs included.
  unsigned unretired = 32;

  // --- acc_execute ---
  /// Issued -> retired, without what precedes the read of the accumulators
  /// (Geometry::ahead) and the stages of the ALU.
  Cycle gemm = 6, alu = 5;

  // --- acc_store ---
  /// Address sent -> memory has it, and its data may be read.
  Cycle addressTaken = 2;
  /// Entry read -> its beat is taken by memory.
  Cycle storeData = 4;
  /// Memory acknowledges -> retired.
  Cycle acknowledged = 1;
  /// Unretired STOREs up to which another is accepted.
  unsigned storeQueue = 6;
};

/// A configuration as the circuit sees it.
struct Geometry {
  Geometry(const isa::Config &config, const Options &options,
           const Pipeline &pipeline)
      : logPort(log2(options.portBits / 8)), logQueue(options.logQueue),
        logTokens(options.logTokens), logBurst(std::max(options.logBurst, 1)),
        logOutstanding(options.logOutstanding),
        logAccBanks(options.logAccBanks),
        logAccDepth(log2(config.depth(isa::Memory::Acc))),
        hasTables(config.aluTable != 0), earlyUops(options.earlyUops != 0),
        window(config.gemmWindow), aluStages(options.aluStages),
        requantizeMore(pipeline.requantizeBehind - options.aluStages / 2) {
    const int tree =
        (config.logBlockIn + options.treeLevels - 1) / options.treeLevels;
    ahead = std::max(tree + options.operandStages, 1) - 1;
    for (size_t m = 0; m < std::size(logBytes); ++m)
      logBytes[m] = config.logElementBits(static_cast<isa::Memory>(m)) - 3;
  }

  /// log2 of the elements of \p memory per beat, and of the beats per element;
  /// one of them is 0.
  int perBeat(isa::Memory memory) const {
    return std::max(logPort - logBytes[static_cast<int>(memory)], 0);
  }
  int beatsEach(isa::Memory memory) const {
    return std::max(logBytes[static_cast<int>(memory)] - logPort, 0);
  }
  /// GEMM and ALU have a sequencer and a pipeline each.
  bool beside() const { return logAccBanks != 0; }
  unsigned maxBurst() const { return 1u << logBurst; }

  static int log2(unsigned value) {
    int result = 0;
    while (value >>= 1)
      ++result;
    return result;
  }

  int logPort, logQueue, logTokens, logBurst, logOutstanding;
  int logAccBanks, logAccDepth;
  /// A LOAD of micro-ops may write what the ALU looks up.
  bool hasTables;
  /// LOADs of micro-ops run beside instructions that use others.
  bool earlyUops;
  /// How many inputs a GEMM with a window reads.
  uint32_t window;
  /// Stages of the ALU, and by how much a `requantize` takes longer.
  Cycle aluStages, requantizeMore;
  /// Stages of operands and of the adder tree of GEMM, but for one, in which
  /// the old sum is not yet asked for.
  Cycle ahead;
  /// By memory type, those included that name no memory: instructions that move
  /// nothing may have them.
  int logBytes[8];
};

} // namespace acc::vta::csim

#endif // ACC_RUNTIME_VTA_CSIM_PARAMETERS_H
