//===- csim.h - Cycle model ------------------------------------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

/// The cycle model: how long the circuit takes for a stream, without simulating
/// its cycles. Time does not depend on data, so a run needs none but the
/// micro-ops; data are right all the same unless they are declined.

#ifndef ACC_VTA_CSIM_H
#define ACC_VTA_CSIM_H

#include "acc/vta/device.h"

namespace acc::vta::csim {

/// The circuit and its memory, as acc.hardware.package.Circuit and tsim have
/// them.
struct Options {
  /// Latency of memory, in cycles.
  uint32_t latency = 64;
  /// Width of the memory port, in bits.
  uint32_t portBits = 64;
  /// Sizes of the circuit, each as log2: instructions per queue, tokens per
  /// queue, beats of a burst, beats on their way per module.
  int logQueue = 5, logTokens = 12, logBurst = 4, logOutstanding = 8;
  /// Banks of the accumulators, as log2. With two or more, GEMM and ALU run
  /// beside each other.
  int logAccBanks = 0;
  /// Registers before the multipliers, levels of the adder tree per stage, and
  /// stages of the ALU.
  int operandStages = 1, treeLevels = 2, aluStages = 3;
  /// Where GEMM and ALU run beside each other: LOADs of micro-ops do not wait
  /// for instructions that use others.
  int earlyUops = 0;
  /// Execute the stream too (with the functional simulator), so that DRAM is
  /// as it should be afterwards.
  bool functional = true;
};

/// The widths in bits that a memory port can have: smaller ones than half of an
/// instruction and larger ones than 64 bytes are not built.
inline constexpr uint32_t kPorts[] = {64, 128, 256, 512};
/// The latency of simulated memory, an option of csim and tsim.
DeviceOption latencyOption();
/// The options that choose a circuit, with the limits of each.
const std::vector<DeviceOption> &circuitOptions();
/// Why there is no circuit with these options; empty if there is one.
std::vector<std::string> circuitProblems(const Options &options);
/// Why the accumulators of \p config do not have so many banks with a port of
/// \p portBits; empty if they do.
std::string accBankProblem(const isa::Config &config, int logAccBanks,
                           uint32_t portBits);
/// Why an ALU of so many stages does not have what \p config declares; empty if
/// it does.
std::string aluStagesProblem(const isa::Config &config, int aluStages);

/// Creates a cycle model. Null and a message if the configuration or the
/// options are illegal.
std::unique_ptr<StreamDevice> create(const isa::Config &config,
                                     const Options &options = {},
                                     std::string *error = nullptr);

const StreamDeviceKind &kind();

} // namespace acc::vta::csim

#endif // ACC_VTA_CSIM_H
