//===- csim.h - Cycle model ------------------------------------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

/// The cycle model: how long the circuit takes for a stream, without simulating
/// its cycles. Time does not depend on data, so a run needs none but the
/// micro-ops; data are right all the same unless they are declined.

#ifndef ACC_CSIM_H
#define ACC_CSIM_H

#include "acc/device.h"

namespace acc::csim {

/// The circuit and its memory, as acc.hardware.package.Circuit and tsim have
/// them.
struct Options {
  /// Of memory, in cycles.
  uint32_t latency = 64;
  /// Of the memory port.
  uint32_t portBits = 64;
  /// log2 of: instructions per queue, tokens per queue, beats of a burst, beats
  /// on their way per module.
  int logQueue = 5, logTokens = 12, logBurst = 4, logOutstanding = 8;
  /// Execute the stream too (with the functional simulator), so that DRAM is
  /// as it should be afterwards.
  bool functional = true;
};

/// Creates a cycle model. Null and a message if the configuration or the
/// options are illegal.
std::unique_ptr<Device> create(const isa::Config &config,
                               const Options &options = {},
                               std::string *error = nullptr);

/// What createDevice("csim", config) uses from now on instead of the defaults.
void provide(const isa::Config &config, const Options &options);
/// What was provided for \p config, or the defaults.
Options provided(const isa::Config &config);

} // namespace acc::csim

#endif // ACC_CSIM_H
