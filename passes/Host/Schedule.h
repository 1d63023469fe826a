//===- Schedule.h - How contractions are tiled ------------------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_PASSES_HOST_SCHEDULE_H
#define ACC_PASSES_HOST_SCHEDULE_H

#include "dialects/TE/TEDialect.h"

namespace acc::host {

/// The loops of a contraction that its schedule tiles. A matrix product has no
/// rows of an image; those of its result are its columns.
struct ContractLoops {
  int64_t outputs = 0, columns = 0;
  std::optional<int64_t> rows;
};

/// How a contraction is register-tiled; see cpu.contract.
struct ContractSchedule {
  int64_t width = 0, lanes = 0, vectors = 0, rows = 0;
  /// What may be computed at the same time; 0 cuts nothing.
  int64_t chunkOutputs = 0, chunkRows = 0;
  /// Null where there is none.
  mlir::StringAttr instruction;
};

/// Reads a #te.schedule: a level of kind `register` has the columns and outputs
/// of a tile, one of kind `vector` the outputs of a vector, a serial one, which
/// may be missing, the rows that share a packed copy of their input, and one of
/// kind `parallel`, which may be missing too, the outputs or the rows (columns
/// of a matrix product) of what may be computed at the same time. At most
/// `registers` vectors fit the processor. An error if it says anything else.
mlir::FailureOr<ContractSchedule>
readContractSchedule(mlir::linalg::LinalgOp op, te::ScheduleAttr schedule,
                     const ContractLoops &loops, int64_t registers);

} // namespace acc::host

#endif // ACC_PASSES_HOST_SCHEDULE_H
