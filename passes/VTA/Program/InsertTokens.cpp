//===- InsertTokens.cpp - Order all hazards with the fewest tokens --------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/VTA/Passes.h"
#include "passes/VTA/Program/Kernels.h"

#include "acc/vta/isa/Verify.h"

namespace acc::vta {
#define GEN_PASS_DEF_VTAINSERTTOKENS
#include "passes/VTA/Passes.h.inc"
} // namespace acc::vta

using namespace mlir;
using namespace acc;
using namespace acc::vta;

namespace {

struct InsertTokens : vta::impl::VTAInsertTokensBase<InsertTokens> {
  void runOnOperation() override {
    ProgramOp op = getOperation();
    if (failed(checkCached(op)))
      return signalPassFailure();
    isa::Program program = op.getProgram();
    if (failed(checkRanges(op, program)))
      return signalPassFailure();
    isa::TokenPlan plan = isa::planTokens(program);

    SmallVector<Location> locations;
    isa::Program result;
    auto nop = plan.nops.begin();
    auto append = [&](isa::Instruction insn, isa::Deps deps, int32_t buffer,
                      Location location) {
      insn.deps = deps;
      result.append(insn, buffer);
      locations.push_back(location);
      numTokens += deps.pushPrev + deps.pushNext;
    };
    for (auto [index, insn] : llvm::enumerate(op.getBody().front())) {
      for (; nop != plan.nops.end() && nop->before == index; ++nop) {
        append(isa::Instruction::computeNop(), nop->deps, isa::Program::kNone,
               insn.getLoc());
        ++numNops;
      }
      append(program.insns[index], plan.deps[index],
             program.bufferOfInsn(index), insn.getLoc());
    }
    op.setInstructions(result, locations);
  }

  /// Dataflow is defined on streams whose indices are in range only.
  LogicalResult checkRanges(ProgramOp op, const isa::Program &program) {
    isa::HazardTracker tracker(program.config, isa::tableReader(program));
    for (auto [index, insn] : llvm::enumerate(op.getBody().front())) {
      int32_t buffer = program.bufferOfInsn(index);
      auto problem = isa::checkRanges(
          program.config, program.insns[index], tracker.uops(),
          buffer == isa::Program::kNone ? nullptr : &program.buffers[buffer]);
      if (problem)
        return insn.emitError() << "instruction " << index << ": " << *problem;
      if (const isa::MemInsn *mem = program.insns[index].mem();
          mem && mem->memory == isa::Memory::Uop)
        tracker.visit(index, program.insns[index], buffer);
    }
    return success();
  }
};

} // namespace
