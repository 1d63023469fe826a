//===- ShareKernels.cpp - One copy of equal kernels -----------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/TE/TEDialect.h"
#include "passes/Host/Passes.h"

using namespace mlir;

namespace acc::host {
#define GEN_PASS_DEF_HOSTSHAREKERNELS
#include "passes/Host/Passes.h.inc"
} // namespace acc::host

using namespace acc;

namespace {

/// Where a kernel comes from does not matter for what it computes.
constexpr auto kIgnored = OperationEquivalence::Flags::IgnoreLocations;

bool areEqual(te::KernelOp a, te::KernelOp b) {
  return a.getFunctionType() == b.getFunctionType() &&
         a.getTarget() == b.getTarget() && a.getSchedule() == b.getSchedule() &&
         OperationEquivalence::isRegionEquivalentTo(&a.getBody(), &b.getBody(),
                                                    kIgnored);
}

struct ShareKernelsPass : host::impl::HostShareKernelsBase<ShareKernelsPass> {
  using HostShareKernelsBase::HostShareKernelsBase;

  void runOnOperation() override {
    DenseMap<Type, SmallVector<te::KernelOp>> byType;
    DenseMap<Attribute, FlatSymbolRefAttr> replacements;
    SmallVector<te::KernelOp> copies;
    for (auto kernel : getOperation().getOps<te::KernelOp>()) {
      if (!kernel.isOnHost())
        continue;
      auto &known = byType[kernel.getFunctionType()];
      auto same = llvm::find_if(
          known, [&](te::KernelOp other) { return areEqual(kernel, other); });
      if (same == known.end()) {
        known.push_back(kernel);
        continue;
      }
      replacements[kernel.getSymNameAttr()] = FlatSymbolRefAttr::get(*same);
      copies.push_back(kernel);
    }
    getOperation().walk([&](te::LaunchOp launch) {
      if (auto other = replacements.lookup(launch.getKernelAttr().getAttr()))
        launch.setKernelAttr(other);
    });
    for (te::KernelOp copy : copies)
      copy.erase();
    numShared += copies.size();
  }
};

} // namespace
