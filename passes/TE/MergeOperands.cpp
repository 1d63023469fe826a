//===- MergeOperands.cpp - Pass what is read twice once -------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/TE/Footprint.h"
#include "passes/TE/Passes.h"

#include "llvm/ADT/STLExtras.h"

namespace acc::te {
#define GEN_PASS_DEF_TEMERGEOPERANDS
#include "passes/TE/Passes.h.inc"
} // namespace acc::te

using namespace mlir;
using namespace acc::te;

/// What decides the memory in which the one reader of an argument wants it:
/// its place in a product, or -1 in any other operation. None if it is read in
/// another way.
static std::optional<int64_t> getPlace(KernelOp kernel,
                                       BlockArgument argument) {
  if (!argument.hasOneUse())
    return std::nullopt;
  OpOperand &use = *argument.use_begin();
  auto op = dyn_cast<linalg::LinalgOp>(use.getOwner());
  if (!op || !op.isDpsInput(&use))
    return std::nullopt;
  if (!isProduct(op, kernel.getTargetInterface()))
    return -1;
  return use.getOperandNumber();
}

namespace {
class TeMergeOperands
    : public acc::te::impl::TeMergeOperandsBase<TeMergeOperands> {
  void runOnOperation() override {
    DenseMap<StringAttr, SmallVector<LaunchOp>> launches;
    getOperation().walk([&](LaunchOp launch) {
      launches[launch.getKernelAttr().getAttr()].push_back(launch);
    });
    for (auto kernel : getOperation().getOps<KernelOp>())
      if (!kernel.getBody().empty() &&
          !kernel.getTargetInterface().getMemories().empty())
        merge(kernel, launches[kernel.getSymNameAttr()]);
  }

  static void merge(KernelOp kernel, ArrayRef<LaunchOp> calls) {
    Block &body = kernel.getBody().front();
    auto function = cast<FunctionOpInterface>(kernel.getOperation());
    for (unsigned first = 0; first < kernel.getNumInputs(); ++first) {
      std::optional<int64_t> place = getPlace(kernel, body.getArgument(first));
      SmallVector<unsigned> same;
      for (unsigned other = first + 1; place && other < kernel.getNumInputs();
           ++other)
        if (getPlace(kernel, body.getArgument(other)) == place &&
            llvm::all_of(calls, [&](LaunchOp call) {
              return call.getInputs()[first] == call.getInputs()[other];
            }))
          same.push_back(other);
      for (unsigned other : llvm::reverse(same)) {
        body.getArgument(other).replaceAllUsesWith(body.getArgument(first));
        (void)function.eraseArgument(other);
        for (LaunchOp call : calls)
          call.getInputsMutable().erase(other);
      }
    }
  }
};
} // namespace
