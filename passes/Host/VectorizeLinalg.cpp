//===- VectorizeLinalg.cpp - linalg on buffers to vector loops ------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/TE/TEDialect.h"
#include "passes/Host/Passes.h"
#include "passes/Host/VectorNest.h"

using namespace mlir;

namespace acc::host {
#define GEN_PASS_DEF_HOSTVECTORIZELINALG
#include "passes/Host/Passes.h.inc"
} // namespace acc::host

using namespace acc;
using namespace acc::host;

namespace {

struct VectorizeLinalgPass
    : host::impl::HostVectorizeLinalgBase<VectorizeLinalgPass> {
  using HostVectorizeLinalgBase::HostVectorizeLinalgBase;

  void runOnOperation() override {
    if (!lookup.empty() && !ByteLookup::isKnown(lookup)) {
      emitError(getOperation().getLoc(), "no instruction '")
          << lookup << "' looks up bytes: there are pshufb, vpermi2b and tbl";
      return signalPassFailure();
    }
    SmallVector<memref::CopyOp> copies;
    getOperation().walk([&](memref::CopyOp op) { copies.push_back(op); });
    for (memref::CopyOp op : copies) {
      OpBuilder builder(op);
      linalg::CopyOp::create(builder, op.getLoc(), op.getSource(),
                             op.getTarget());
      op.erase();
    }
    SmallVector<linalg::LinalgOp> ops;
    getOperation().walk([&](linalg::LinalgOp op) { ops.push_back(op); });
    for (linalg::LinalgOp op : ops) {
      OpBuilder builder(op);
      FailureOr<VectorNest> nest =
          VectorNest::create(builder, op, vectorBytes, lookup);
      if (failed(nest)) {
        if (op->hasAttr(te::TEDialect::kSchedule))
          return signalPassFailure();
        continue;
      }
      emitVectorNest(builder, *nest);
      op->erase();
    }
  }
};

} // namespace
