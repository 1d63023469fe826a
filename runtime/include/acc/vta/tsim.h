//===- tsim.h - Simulator made of the circuit -------------------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

/// The cycle-true simulator: the RTL under Verilator, behind the interface of
/// all devices. A shared object per configuration, built elsewhere
/// (python/acc/hardware), holds the circuit.

#ifndef ACC_VTA_TSIM_H
#define ACC_VTA_TSIM_H

#include "acc/vta/device.h"

namespace acc::vta::tsim {

struct Options {
  /// The shared object made for the configuration.
  std::string model;
  /// Latency of memory, in cycles.
  uint32_t latency = 64;
  /// Upper bound of the cycles by which memory answers later still, at random;
  /// 0 for a memory that always takes the same time.
  uint32_t jitter = 0;
  uint64_t seed = 1;
  /// File for waveforms, or "". The model must have been built for it. What
  /// runs after a reset goes to files of its own: waves.fst, waves-1.fst, ...
  std::string trace;
};

/// Creates a simulator. Null and a message if the model cannot be loaded or the
/// configuration is illegal.
std::unique_ptr<StreamDevice> create(const isa::Config &config, Options options,
                                     std::string *error = nullptr);

const StreamDeviceKind &kind();

} // namespace acc::vta::tsim

#endif // ACC_VTA_TSIM_H
