//===- Schedule.h - The schedule of native kernels ---------------*- C++
//-*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_PASSES_HOST_SCHEDULE_H
#define ACC_PASSES_HOST_SCHEDULE_H

#include "dialects/TE/TEDialect.h"

#include <optional>

namespace acc::host {

/// How a contraction is register-tiled; see cpu.contract.
struct ContractSchedule {
  int64_t width = 0, lanes = 0, vectors = 0, rows = 0;
  /// Null where there is none.
  mlir::StringAttr instruction;
};

/// Reads `schedule = {width, lanes, vectors, rows}` of a native kernel. None
/// when the kernel has no schedule; an error when the schedule is unusable.
mlir::FailureOr<std::optional<ContractSchedule>>
readContractSchedule(te::KernelOp kernel);

} // namespace acc::host

#endif // ACC_PASSES_HOST_SCHEDULE_H
