//===- Schedule.cpp - The schedule of native kernels ----------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Host/Schedule.h"

using namespace mlir;
using namespace acc;
using namespace acc::host;

/// More accumulators than this only spill.
static constexpr int64_t kMostAccumulators = 64;

FailureOr<std::optional<ContractSchedule>>
acc::host::readContractSchedule(te::KernelOp kernel) {
  if (!kernel.getSchedule())
    return std::optional<ContractSchedule>();
  auto dictionary = dyn_cast<DictionaryAttr>(*kernel.getSchedule());
  if (!dictionary)
    return kernel.emitError("needs a dictionary as the schedule of a native "
                            "kernel, not ")
           << *kernel.getSchedule();
  ContractSchedule schedule;
  auto read = [&](StringRef name, int64_t &value,
                  int64_t least) -> LogicalResult {
    auto attribute = dictionary.getAs<IntegerAttr>(name);
    if (!attribute)
      return kernel.emitError("has no integer '")
             << name << "' in its schedule";
    value = attribute.getInt();
    if (value < least)
      return kernel.emitError("has a schedule with ")
             << name << " = " << value << "; at least " << least
             << " is needed";
    return success();
  };
  if (failed(read("width", schedule.width, 1)) ||
      failed(read("lanes", schedule.lanes, 1)) ||
      failed(read("vectors", schedule.vectors, 1)) ||
      failed(read("rows", schedule.rows, 0)))
    return failure();
  if (schedule.width * schedule.vectors > kMostAccumulators)
    return kernel.emitError("has a schedule of ")
           << schedule.width * schedule.vectors << " accumulators; at most "
           << kMostAccumulators << " make sense";
  if (!llvm::isPowerOf2_64(schedule.lanes))
    return kernel.emitError("has a schedule of ")
           << schedule.lanes << " lanes, not a power of two";
  if (Attribute instruction = dictionary.get("instruction")) {
    schedule.instruction = dyn_cast<StringAttr>(instruction);
    if (!schedule.instruction || schedule.instruction.getValue() != "pmaddwd")
      return kernel.emitError("has the unknown instruction ")
             << instruction << " in its schedule";
  }
  return std::optional<ContractSchedule>(schedule);
}
