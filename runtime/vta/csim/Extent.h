//===- Extent.h - Which banks an instruction uses ---------------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

/// acc_extent and acc_scoreboard: where GEMM and ALU run beside each other, an
/// instruction of compute is examined before it is dispatched, and starts when
/// no other unit uses one of its banks of the accumulators.

#ifndef ACC_RUNTIME_VTA_CSIM_EXTENT_H
#define ACC_RUNTIME_VTA_CSIM_EXTENT_H

#include "Parameters.h"

#include <array>
#include <deque>
#include <span>

namespace acc::vta::csim {

/// The units of compute that work beside each other.
enum class Unit : uint8_t { Gemm, Alu, Load };
inline constexpr size_t kUnits = 3;
Unit unitOf(const isa::Instruction &insn);

/// What an instruction may touch.
struct Extent {
  /// Banks of the accumulators, a bit each.
  uint32_t banks = 0;
  /// From when it is seen -> its banks are known.
  Cycle cycles = 0;
};
/// \p uops is the micro-op scratchpad as the instruction sees it.
Extent extentOf(const isa::Instruction &insn, std::span<const isa::Uop> uops,
                const Pipeline &pipeline, const Geometry &geometry);

/// Who uses which bank, and in which order instructions retire.
class Scoreboard {
public:
  Scoreboard(const Pipeline &pipeline) : pipeline(pipeline) {}

  /// The first cycle in which another instruction of \p unit, which touches
  /// \p banks, may start; kNever as long as that depends on a LOAD.
  Cycle ready(Unit unit, uint32_t banks) const;
  /// The first cycle in which no instruction of \p unit so far touches any
  /// bank; not of LOADs.
  Cycle quietFrom(Unit unit) const;
  /// It starts; \p ends is kNever if it is a LOAD, see loadEnds().
  void start(uint32_t index, Unit unit, uint32_t banks, Cycle ends);
  /// The oldest LOAD that has not ended does so at \p cycle.
  void loadEnds(Cycle cycle);
  /// The next instruction that retires, if that is settled, and when.
  bool settled() const {
    return !unretired.empty() && unretired.front().ends != kNever;
  }
  struct Retirement {
    uint32_t index;
    Cycle cycle;
  };
  Retirement pop();

private:
  struct Entry {
    uint32_t index;
    Cycle ends;
  };
  const Pipeline &pipeline;
  std::deque<Entry> unretired;
  /// When the last ones retired, by their number.
  std::array<Cycle, 64> retirements = {};
  uint64_t started = 0, retired = 0;
  /// By unit and bank: when the last instruction that touches it ends.
  std::array<std::array<Cycle, 32>, kUnits> ends = {};
  /// By bank: the number of the last LOAD that touches it.
  std::array<uint64_t, 32> lastLoad = {};
  uint64_t loads = 0, loadsEnded = 0;
};

} // namespace acc::vta::csim

#endif // ACC_RUNTIME_VTA_CSIM_EXTENT_H
