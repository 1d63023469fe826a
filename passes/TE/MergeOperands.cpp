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

namespace {
/// How the one reader of an argument reads it: its place in a product, which
/// decides the memory, or -1 in any other operation; and which elements.
struct Read {
  int64_t place;
  AffineMap map;
  bool operator==(const Read &) const = default;
};
} // namespace

/// None if an argument is read in another way or more than once.
static std::optional<Read> getRead(KernelOp kernel, BlockArgument argument) {
  if (!argument.hasOneUse())
    return std::nullopt;
  OpOperand &use = *argument.use_begin();
  auto op = dyn_cast<linalg::LinalgOp>(use.getOwner());
  if (!op || !op.isDpsInput(&use))
    return std::nullopt;
  bool multiplies = isProduct(op, kernel.getTargetInterface());
  return Read{multiplies ? int64_t(use.getOperandNumber()) : -1,
              op.getMatchingIndexingMap(&use)};
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
      std::optional<Read> read = getRead(kernel, body.getArgument(first));
      SmallVector<unsigned> same;
      for (unsigned other = first + 1; read && other < kernel.getNumInputs();
           ++other)
        if (getRead(kernel, body.getArgument(other)) == read &&
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
