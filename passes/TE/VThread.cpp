//===- VThread.cpp - Mark the loop of virtual threads ---------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/TE/Passes.h"

#include "mlir/IR/Builders.h"

namespace acc::te {
#define GEN_PASS_DEF_TEVTHREAD
#include "passes/TE/Passes.h.inc"
} // namespace acc::te

using namespace mlir;
using namespace acc::te;

namespace {
struct VThread : acc::te::impl::TeVThreadBase<VThread> {
  void runOnOperation() override {
    KernelOp kernel = getOperation();
    ScheduleAttr schedule = getScheduleOnTensors(kernel);
    TileAttr vthread =
        schedule ? schedule.getLevel(LevelKind::VThread) : TileAttr();
    if (!vthread)
      return;
    int64_t threaded = vthread.getLoopOrder().front();
    scf::ForOp found;
    kernel.walk([&](scf::ForOp loop) {
      DenseI64ArrayAttr axis = getTiledAxis(loop);
      if (axis && axis[0] == 0 && axis[1] == threaded)
        found = loop;
    });
    if (!found) {
      kernel.emitOpError("has no loop over axis ")
          << threaded << " for its virtual threads";
      return signalPassFailure();
    }
    found->setAttr(
        TEDialect::kVThread,
        Builder(&getContext()).getI64IntegerAttr(vthread.getSizeOf(threaded)));
  }
};
} // namespace
