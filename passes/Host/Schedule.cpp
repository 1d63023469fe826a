//===- Schedule.cpp - How contractions are tiled --------------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Host/Schedule.h"
#include "dialects/CPU/CPUDialect.h"

using namespace mlir;
using namespace acc;
using namespace acc::host;

/// Refuses a level that tiles other loops than those of `axes`.
static LogicalResult checkAxes(linalg::LinalgOp op, te::TileAttr level,
                               ArrayRef<int64_t> axes) {
  for (int64_t axis : level.getLoopOrder())
    if (!llvm::is_contained(axes, axis))
      return op.emitOpError("has a level of kind ")
             << te::stringifyLevelKind(level.getKind()) << " that tiles loop "
             << axis << ", which it cannot";
  return success();
}

FailureOr<ContractSchedule>
acc::host::readContractSchedule(linalg::LinalgOp op, te::ScheduleAttr schedule,
                                const ContractLoops &loops, int64_t registers) {
  te::TileAttr tile = schedule.getLevel(te::LevelKind::Register),
               vector = schedule.getLevel(te::LevelKind::Vector),
               chunk = schedule.getLevel(te::LevelKind::Parallel);
  SmallVector<te::TileAttr> serial = schedule.getSerialLevels();
  if (!tile || !vector || serial.size() > 1 ||
      schedule.getTiles().size() != 2 + serial.size() + (chunk ? 1 : 0) ||
      schedule.getCaches() || schedule.getAccumulator())
    return op.emitOpError("needs a schedule of a level of kind register, one "
                          "of kind vector and at most one serial level and one "
                          "of kind parallel, not ")
           << schedule;
  SmallVector<int64_t> rows;
  if (loops.rows)
    rows.push_back(*loops.rows);
  if (failed(checkAxes(op, tile, {loops.outputs, loops.columns})) ||
      failed(checkAxes(op, vector, {loops.outputs})) ||
      (!serial.empty() && failed(checkAxes(op, serial[0], rows))))
    return failure();
  ContractSchedule read;
  read.width = tile.getSizeOf(loops.columns);
  read.lanes = vector.getSizeOf(loops.outputs);
  read.vectors = tile.getSizeOf(loops.outputs) / read.lanes;
  if (read.width < 1 || read.vectors < 1 ||
      tile.getSizeOf(loops.outputs) % read.lanes != 0)
    return op.emitOpError("needs columns and whole vectors of ")
           << read.lanes << " outputs in registers, not " << tile;
  if (read.width > registers / read.vectors)
    return op.emitOpError("has a schedule with ")
           << read.width << " times " << read.vectors
           << " vectors in registers; the processor has " << registers;
  if (!serial.empty() && loops.rows)
    read.rows = serial[0].getSizeOf(*loops.rows);
  if (chunk) {
    int64_t lines = loops.rows.value_or(loops.columns);
    if (chunk.getLoopOrder().empty() ||
        failed(checkAxes(op, chunk, {loops.outputs, lines})))
      return op.emitOpError("cannot run chunks of ") << chunk << " in parallel";
    read.chunkOutputs = chunk.getSizeOf(loops.outputs);
    read.chunkRows = chunk.getSizeOf(lines);
  }
  if (FlatSymbolRefAttr instruction = schedule.getIntrinsic()) {
    if (!cpu::IntegerSum::find(instruction.getValue()))
      return op.emitOpError("has the unknown instruction ")
             << instruction << " in its schedule";
    read.instruction = instruction.getAttr();
  }
  return read;
}
