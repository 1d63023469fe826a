//===- Dma.cpp - Lower cached transfers to the target's ------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/TE/Passes.h"

namespace acc::te {
#define GEN_PASS_DEF_TEDMA
#include "passes/TE/Passes.h.inc"
} // namespace acc::te

using namespace mlir;
using namespace acc::te;

namespace {
struct Dma : acc::te::impl::TeDmaBase<Dma> {
  void runOnOperation() override {
    KernelOp kernel = getOperation();
    if (!getSchedule(kernel))
      return;
    TargetAttrInterface target = kernel.getTargetInterface();
    SmallVector<Operation *> transfers;
    kernel.walk([&](Operation *op) {
      if (isa<CacheReadOp, CacheWriteOp>(op))
        transfers.push_back(op);
    });
    for (Operation *op : transfers) {
      if (op->getNumResults() != 0) {
        op->emitOpError("is still on tensors: bufferize first");
        return signalPassFailure();
      }
      OpBuilder builder(op);
      auto read = dyn_cast<CacheReadOp>(op);
      if (failed(read ? target.emitRead(builder, read)
                      : target.emitWrite(builder, cast<CacheWriteOp>(op))))
        return signalPassFailure();
      op->erase();
    }
  }
};
} // namespace
