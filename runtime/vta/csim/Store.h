//===- Store.h - STOREs, from addresses to acknowledgements -----*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

/// acc_store and the write half of memory. Nobody else writes, so a STORE's
/// times are settled when it is accepted.

#ifndef ACC_RUNTIME_VTA_CSIM_STORE_H
#define ACC_RUNTIME_VTA_CSIM_STORE_H

#include "Fill.h"
#include "ReadPort.h"

namespace acc::vta::csim {

class Store {
public:
  Store(const Pipeline &pipeline, const Geometry &geometry, uint32_t latency)
      : pipeline(pipeline), geometry(geometry), latency(latency),
        walk(pipeline, geometry), fill(pipeline, 0),
        maxOpen((uint64_t(2) << geometry.logOutstanding) - 2),
        answers(maxOpen + 2) {}

  /// The first cycle in which an instruction can be accepted.
  Cycle ready() const {
    Cycle result = std::max({walk.ready(), walked, fill.idle()});
    if (stores >= pipeline.storeQueue)
      result = std::max(result,
                        retired[stores % pipeline.storeQueue] + pipeline.fifo);
    return result;
  }
  /// Executes an instruction; returns the cycle in which it retires.
  Cycle run(Cycle cycle, uint32_t index, const isa::MemInsn &mem);

  uint64_t beats = 0;
  /// Cycles in which nothing but acknowledgements were awaited.
  Cycle waited = 0;

private:
  Cycle send(Cycle from);

  const Pipeline &pipeline;
  const Geometry &geometry;
  const uint32_t latency;
  Walk walk;
  Fill fill;
  const uint64_t maxOpen;
  /// When each of the last bursts was acknowledged.
  std::vector<Cycle> answers;
  uint64_t bursts = 0;
  Cycle lastSent = 0, lastAnswer = 0, lastRead = 0, walked = 0;
  uint64_t stores = 0;
  std::array<Cycle, 16> retired = {};
  Cycle lastRetired = 0;
};

} // namespace acc::vta::csim

#endif // ACC_RUNTIME_VTA_CSIM_STORE_H
