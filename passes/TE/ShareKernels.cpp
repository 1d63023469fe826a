//===- ShareKernels.cpp - The pass te-share-kernels -----------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/TE/TEDialect.h"
#include "passes/TE/Passes.h"

#include "mlir/IR/OperationSupport.h"
#include "llvm/ADT/DenseMap.h"

namespace acc::te {
#define GEN_PASS_DEF_TESHAREKERNELS
#include "passes/TE/Passes.h.inc"
} // namespace acc::te

using namespace mlir;
using namespace acc;
using namespace acc::te;

namespace {

bool areEqual(KernelOp lhs, KernelOp rhs) {
  return lhs.getScheduleAttr() == rhs.getScheduleAttr() &&
         OperationEquivalence::isRegionEquivalentTo(
             &lhs.getBody(), &rhs.getBody(),
             OperationEquivalence::IgnoreLocations);
}

class TeShareKernels : public te::impl::TeShareKernelsBase<TeShareKernels> {
public:
  using TeShareKernelsBase::TeShareKernelsBase;

private:
  void runOnOperation() override {
    DenseMap<Type, SmallVector<KernelOp>> distinct;
    DenseMap<StringAttr, FlatSymbolRefAttr> replacements;
    for (auto kernel :
         llvm::make_early_inc_range(getOperation().getOps<KernelOp>())) {
      if (kernel.getTarget() != target)
        continue;
      SmallVector<KernelOp> &sameType = distinct[kernel.getFunctionType()];
      auto equal = llvm::find_if(
          sameType, [&](KernelOp other) { return areEqual(other, kernel); });
      if (equal == sameType.end()) {
        sameType.push_back(kernel);
        continue;
      }
      replacements[kernel.getSymNameAttr()] =
          FlatSymbolRefAttr::get(equal->getSymNameAttr());
      kernel.erase();
      ++numShared;
    }
    getOperation().walk([&](LaunchOp launch) {
      if (FlatSymbolRefAttr kernel =
              replacements.lookup(launch.getKernelAttr().getAttr()))
        launch.setKernelAttr(kernel);
    });
  }
};

} // namespace
