//===- VerifyProgram.cpp - Check that a program is well formed ------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/VTA/Passes.h"

#include "acc/vta/isa/Verify.h"

namespace acc::vta {
#define GEN_PASS_DEF_VTAVERIFYPROGRAM
#include "passes/VTA/Passes.h.inc"
} // namespace acc::vta

using namespace mlir;
using namespace acc;
using namespace acc::vta;

namespace {

struct VerifyProgram : vta::impl::VTAVerifyProgramBase<VerifyProgram> {
  void runOnOperation() override {
    markAllAnalysesPreserved();
    ProgramOp op = getOperation();
    isa::Program program = op.getProgram();
    isa::VerifyOptions options;
    options.uninitialised = true;
    options.dialect = ConfigAttr::lookup(op).getIsaDialect();
    std::vector<isa::Diagnostic> diagnostics = isa::verify(program, options);
    if (diagnostics.empty())
      return;
    for (const isa::Diagnostic &diagnostic : diagnostics) {
      Location location = op.getLoc();
      if (diagnostic.instruction >= 0)
        location =
            std::next(op.getBody().front().begin(), diagnostic.instruction)
                ->getLoc();
      emitError(location) << "program '" << op.getSymName()
                          << "': " << isa::format(diagnostic, program);
    }
    signalPassFailure();
  }
};

} // namespace
