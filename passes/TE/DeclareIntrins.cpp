//===- DeclareIntrins.cpp - Declare the intrinsics of the targets ---------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/TE/Passes.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Parser/Parser.h"
#include "llvm/ADT/SetVector.h"

namespace acc::te {
#define GEN_PASS_DEF_TEDECLAREINTRINS
#include "passes/TE/Passes.h.inc"
} // namespace acc::te

using namespace mlir;
using namespace acc::te;

namespace {
struct DeclareIntrins : acc::te::impl::TeDeclareIntrinsBase<DeclareIntrins> {
  void runOnOperation() override {
    llvm::SetVector<Attribute> targets;
    for (KernelOp kernel : getOperation().getOps<KernelOp>())
      targets.insert(kernel.getTarget());
    for (Attribute target : targets)
      if (failed(declare(cast<TargetAttrInterface>(target))))
        return signalPassFailure();
  }

  LogicalResult declare(TargetAttrInterface target) {
    std::string text = target.getIntrinsics();
    if (text.empty())
      return success();
    ModuleOp module = getOperation();
    Block parsed;
    if (failed(parseSourceString(text, &parsed, ParserConfig(&getContext()),
                                 target.getTargetName())))
      return failure();
    SymbolTable symbols(module);
    for (Operation &op : llvm::make_early_inc_range(llvm::reverse(parsed))) {
      op.remove();
      if (symbols.lookup(SymbolTable::getSymbolName(&op)))
        op.destroy();
      else
        module.getBody()->push_front(&op);
    }
    return success();
  }
};
} // namespace
