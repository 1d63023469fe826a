//===- ForgetPrograms.cpp - Programs without their contents ---------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/TE/TEDialect.h"
#include "passes/Host/Passes.h"

using namespace mlir;

namespace acc::host {
#define GEN_PASS_DEF_HOSTFORGETPROGRAMS
#include "passes/Host/Passes.h.inc"
} // namespace acc::host

using namespace acc;

namespace {

struct ForgetProgramsPass
    : host::impl::HostForgetProgramsBase<ForgetProgramsPass> {
  using HostForgetProgramsBase::HostForgetProgramsBase;

  void runOnOperation() override {
    for (auto program : getOperation().getOps<te::ProgramOpInterface>())
      for (Region &region : program->getRegions())
        for (Block &block : region)
          block.clear();
  }
};

} // namespace
