//===- GemmPlan.h - From GEMM instructions to products ----------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

/// From a GEMM instruction to the largest products that an engine can do at
/// once.

#ifndef ACC_RUNTIME_VTA_FSIM_GEMMPLAN_H
#define ACC_RUNTIME_VTA_FSIM_GEMMPLAN_H

#include "Scratchpads.h"

namespace acc::vta::fsim {

/// Executes GEMM instructions. Micro-ops that add to the same entry become one
/// sum of terms, and entries that add up the same terms, displaced, become
/// positions of one product, so that sums stay in registers and weights are
/// fetched once for many positions.
class GemmPlan {
public:
  GemmPlan(const isa::Config &config, Scratchpads &pads,
           const GemmEngine &engine)
      : config(config), pads(pads), engine(engine) {}

  /// Executes an instruction whose ranges were checked.
  void run(const isa::GemmInsn &gemm);

private:
  struct Loop {
    uint32_t count, dst, src, wgt;
  };
  /// Micro-ops [first, first + count) of the sorted order, all adding to dst.
  struct Group {
    uint32_t dst, first, count;
  };

  void reset(const isa::GemmInsn &gemm);
  /// Whether no two steps have the same destination.
  bool meetsOnce(const isa::GemmInsn &gemm);
  /// Executes a GEMM that sets its destinations step by step.
  void runEach(const isa::GemmInsn &gemm);
  /// Executes a GEMM with a window step by step.
  void runWindow(const isa::GemmInsn &gemm);
  void makeGroups(const isa::GemmInsn &gemm);
  void sortByDestination(const isa::GemmInsn &gemm);
  bool sameTerms(const Group &a, const Group &b) const;
  void product(const Group *groups, size_t numGroups, Loop outer, Loop inner);

  const isa::Config config;
  Scratchpads &pads;
  const GemmEngine &engine;
  const Term *terms = nullptr;
  std::vector<Group> groups;
  std::vector<isa::Uop> sorted;
  /// By destination, the last instruction that met it, of those that were asked
  /// about.
  std::vector<uint64_t> met;
  uint64_t instruction = 0;
  std::vector<Term> sortedTerms, expanded;
  /// Filled and handed over in batches of this size.
  std::vector<Position> positions = std::vector<Position>(4096);
};

} // namespace acc::vta::fsim

#endif // ACC_RUNTIME_VTA_FSIM_GEMMPLAN_H
