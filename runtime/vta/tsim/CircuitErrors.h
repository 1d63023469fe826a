//===- CircuitErrors.h - Errors of the circuit in words ---------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

/// What the circuit's error registers say, in words.

#ifndef ACC_RUNTIME_VTA_TSIM_CIRCUITERRORS_H
#define ACC_RUNTIME_VTA_TSIM_CIRCUITERRORS_H

#include "acc/vta/device.h"

namespace acc::vta::tsim {

/// The meaning of ERROR, PLACE and WAITING (see acc_core.sv). \p retired are
/// the instructions retired by load, compute and store. Instructions that are
/// undefined are missing from \p insns.
isa::Diagnostic
circuitError(uint32_t error, uint32_t place, uint32_t waiting,
             const uint32_t *retired, const isa::Config &config,
             const std::vector<std::optional<isa::Instruction>> &insns);

/// A stream that cannot go on: nothing moves any more, with \p waiting as the
/// register WAITING; or \p pusher has pushed too many tokens.
isa::Diagnostic
standstill(bool deadlocked, uint32_t waiting, isa::Module pusher,
           const uint32_t *retired,
           const std::vector<std::optional<isa::Instruction>> &insns);

/// The one thing the circuit cannot see: whether what it addresses exists. A
/// port serves whole beats, of which a row may need only a part.
std::optional<isa::Diagnostic>
checkDram(const isa::Config &config, const Dram &memory,
          const std::vector<std::optional<isa::Instruction>> &insns);

/// One line of text with the instruction it concerns.
std::string
circuitMessage(const isa::Diagnostic &diagnostic,
               const std::vector<std::optional<isa::Instruction>> &insns);

} // namespace acc::vta::tsim

#endif // ACC_RUNTIME_VTA_TSIM_CIRCUITERRORS_H
