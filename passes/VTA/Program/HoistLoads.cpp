//===- HoistLoads.cpp - LOADs as early as they may be ---------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/VTA/Passes.h"
#include "passes/VTA/Program/Kernels.h"

#include "acc/vta/isa/Verify.h"

#include <numeric>

namespace acc::vta {
#define GEN_PASS_DEF_VTAHOISTLOADS
#include "passes/VTA/Passes.h.inc"
} // namespace acc::vta

using namespace mlir;
using namespace acc;
using namespace acc::vta;

namespace {

struct HoistLoads : vta::impl::VTAHoistLoadsBase<HoistLoads> {
  using VTAHoistLoadsBase::VTAHoistLoadsBase;

  void runOnOperation() override {
    ProgramOp op = getOperation();
    if (failed(checkCached(op)))
      return signalPassFailure();
    isa::Program program = op.getProgram();
    std::vector<uint32_t> slots = findSlots(program);
    std::vector<uint32_t> order(slots.size());
    std::iota(order.begin(), order.end(), 0);
    // A LOAD goes before the instruction that has its slot.
    llvm::stable_sort(order, [&](uint32_t a, uint32_t b) {
      return slots[a] != slots[b]
          ? slots[a]<slots[b] : (slots[a] < a)>(slots[b] < b);
    });

    SmallVector<Operation *> ops;
    for (Operation &insn : op.getBody().front())
      ops.push_back(&insn);
    Operation *before = nullptr;
    for (uint32_t index : order) {
      if (before)
        ops[index]->moveAfter(before);
      else
        ops[index]->moveBefore(&op.getBody().front().front());
      before = ops[index];
    }
  }

private:
  /// Finds for every instruction in front of which one it goes: itself, unless
  /// it is a LOAD that may be earlier.
  std::vector<uint32_t> findSlots(const isa::Program &program) {
    isa::HazardTracker tracker(program.config, isa::tableReader(program));
    tracker.restrictTo(program);
    std::vector<uint32_t> slots(program.insns.size()), loads;
    constexpr auto compute = size_t(isa::Module::Compute),
                   store = size_t(isa::Module::Store);
    for (uint32_t i = 0; i < program.insns.size(); ++i) {
      slots[i] = i;
      const isa::Instruction &insn = program.insns[i];
      if (isa::checkRanges(program.config, insn, tracker.uops(), nullptr))
        continue;
      isa::Clock after = tracker.visit(i, insn, program.bufferOfInsn(i)).after;
      if (insn.module() != isa::Module::Load)
        continue;
      // Where a LOAD waits for a STORE, compute passes the word on: it would
      // wait too, and earlier than it must.
      uint32_t earliest = after[store] > after[compute] ? i : after[compute];
      // LOADs stay in order.
      if (!loads.empty())
        earliest = std::max(earliest, slots[loads.back()] == loads.back()
                                          ? loads.back() + 1
                                          : slots[loads.back()]);
      // No more of them ahead of other instructions than queues have room for.
      if (loads.size() >= distance)
        earliest = std::max(earliest, loads[loads.size() - distance] + 1);
      slots[i] = std::min(earliest, i);
      numHoisted += slots[i] < i;
      loads.push_back(i);
    }
    return slots;
  }
};

} // namespace
