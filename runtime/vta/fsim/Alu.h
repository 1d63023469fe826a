//===- Alu.h - Tensor ALU of the functional simulator -----------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

/// The tensor ALU of the functional simulator.

#ifndef ACC_RUNTIME_VTA_FSIM_ALU_H
#define ACC_RUNTIME_VTA_FSIM_ALU_H

#include "acc/vta/isa/Instruction.h"

namespace acc::vta::fsim {

/// Executes an ALU instruction whose ranges were checked, micro-op by
/// micro-op in the order of the specification, on accumulators of \p lanes
/// elements (a power of two). Shifts by 32 or more behave as such a shift of an
/// unbounded number does: right leaves the sign, left leaves zero. \p table is
/// the one that the immediate of `table` names.
void runAlu(const isa::AluInsn &alu, const isa::Uop *uops,
            const isa::Uop *table, int32_t *acc, size_t lanes);

} // namespace acc::vta::fsim

#endif // ACC_RUNTIME_VTA_FSIM_ALU_H
