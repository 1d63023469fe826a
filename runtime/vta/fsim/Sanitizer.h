//===- Sanitizer.h - Checks of the sanitizer mode ---------------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

/// The checks of the simulator's sanitizer mode.

#ifndef ACC_RUNTIME_VTA_FSIM_SANITIZER_H
#define ACC_RUNTIME_VTA_FSIM_SANITIZER_H

#include "acc/vta/device.h"

namespace acc::vta::fsim {

class Sanitizer {
public:
  /// \p initialised and \p uops are what earlier runs left in the scratchpads.
  Sanitizer(const isa::Config &config, const Dram &dram,
            const std::vector<isa::Instruction> &insns,
            const isa::Schedule &schedule, const StreamOptions &options,
            const isa::Initialised &initialised,
            std::span<const isa::Uop> uops);
  ~Sanitizer();

  /// What is wrong with executing instruction \p index now; its ranges were
  /// checked. Called in the order of execution, before the instruction.
  std::vector<std::string> visit(uint32_t index);
  /// What is wrong with the stream as a whole.
  std::vector<std::string> finish();

  /// What the scratchpads hold by now.
  const isa::Initialised &initialised() const;
  /// The DRAM bytes with known contents, if that is checked.
  std::vector<std::pair<uint64_t, uint64_t>> dram() const;

private:
  struct State;
  std::unique_ptr<State> state;
};

} // namespace acc::vta::fsim

#endif // ACC_RUNTIME_VTA_FSIM_SANITIZER_H
