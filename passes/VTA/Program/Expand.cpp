//===- Expand.cpp - Evaluate kernels and emit their instructions ----------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/VTA/Passes.h"
#include "passes/VTA/Program/Emitter.h"
#include "passes/VTA/Program/Kernels.h"

#include "dialects/TE/TEDialect.h"

#include "mlir/IR/SymbolTable.h"

namespace acc::vta {
#define GEN_PASS_DEF_VTAEXPAND
#include "passes/VTA/Passes.h.inc"
} // namespace acc::vta

using namespace mlir;
using namespace acc;
using namespace acc::vta;

namespace {

struct Expand : vta::impl::VTAExpandBase<Expand> {
  using VTAExpandBase::VTAExpandBase;

  void runOnOperation() override {
    SmallVector<FunctionOpInterface> kernels;
    getOperation().walk([&](FunctionOpInterface function) {
      if (getTarget(function))
        kernels.push_back(function);
      return WalkResult::skip();
    });
    for (FunctionOpInterface kernel : kernels)
      if (failed(setConfig(kernel)))
        return signalPassFailure();
    // Before there are instructions to walk over.
    std::optional<SymbolTable::UseRange> uses =
        SymbolTable::getSymbolUses(&getOperation().getBodyRegion());
    if (!kernels.empty() && !uses) {
      emitError(getOperation().getLoc(),
                "has operations of which it is not known whether "
                "they refer to kernels");
      return signalPassFailure();
    }
    users.clear();
    if (uses)
      for (SymbolTable::SymbolUse use : *uses)
        users[use.getSymbolRef().getRootReference()].push_back(use.getUser());
    for (FunctionOpInterface kernel : kernels)
      if (failed(expand(kernel, getTarget(kernel))))
        return signalPassFailure();
  }

  /// Programs are verified against the `vta.config` of their module, which
  /// becomes that of the first kernel where there is none.
  LogicalResult setConfig(FunctionOpInterface kernel) {
    ModuleOp module = getOperation();
    ConfigAttr target = getTarget(kernel), known = ConfigAttr::lookup(module);
    if (!known)
      module->setAttr(ConfigAttr::kName, target);
    else if (known != target)
      return kernel->emitError() << "kernel '" << kernel.getName()
                                 << "' is for another accelerator than the '"
                                 << ConfigAttr::kName << "' of its module";
    return success();
  }

  /// The operations that name each symbol.
  DenseMap<StringAttr, SmallVector<Operation *>> users;

  LogicalResult expand(FunctionOpInterface kernel, ConfigAttr config) {
    if (kernel.getNumResults() != 0 || !kernel.getFunctionBody().hasOneBlock())
      return kernel->emitError()
             << "kernel '" << kernel.getName() << "' must have "
             << "one block and no results";
    Evaluator evaluator(alternate);
    Emitter emitter(config.getConfig(), config.getIsaDialect(),
                    static_cast<int64_t>(aluStepsApart), evaluator,
                    kernel.getLoc());
    if (failed(evaluator.run(kernel,
                             [&](Operation *op) { return emitter.emit(op); })))
      return failure();
    emitter.emitFinish(kernel.getLoc());

    OpBuilder builder(kernel);
    auto program = ProgramOp::create(builder, kernel.getLoc(), kernel.getName(),
                                     kernel.getArgumentTypes());
    if (!emitter.getUops().empty())
      program.setUopsAttr(
          UopsAttr::get(builder.getContext(), emitter.getUops()));
    if (ArrayAttr tables = emitter.getTables().get())
      program.setTablesAttr(tables);
    program.setInstructions(emitter.getProgram(), emitter.getLocations());
    numInstructions += emitter.getProgram().insns.size();
    numUops += emitter.getUops().size();
    return replaceUses(kernel, program);
  }

  /// Keeps what policies call the kernel that \p user launches.
  static void setLabel(LaunchOp launch, Operation *user) {
    auto named = dyn_cast<te::LaunchOp>(user);
    if (!named || !named.getLabel())
      return;
    auto numbers =
        llvm::to_vector(llvm::seq<int64_t>(launch->getNumOperands()));
    SmallVector<int64_t> offsets(numbers.size(), 0);
    Builder builder(user->getContext());
    auto part = PartAttr::get(
        user->getContext(), launch.getProgramAttr().getAttr(),
        named.getLabelAttr(), builder.getDenseI64ArrayAttr(numbers),
        builder.getDenseI64ArrayAttr(offsets));
    launch.setPartsAttr(builder.getArrayAttr(part));
  }

  /// Makes launches of the operations that name the kernel: their operands are
  /// its arguments, whatever they are called at the level above.
  LogicalResult replaceUses(FunctionOpInterface kernel, ProgramOp program) {
    for (Operation *user : users.lookup(kernel.getNameAttr())) {
      bool isLaunch = user->getNumResults() == 0 &&
                      user->getNumOperands() == kernel.getNumArguments() &&
                      llvm::all_of(user->getOperandTypes(), [](Type type) {
                        return mlir::isa<MemRefType>(type);
                      });
      if (!isLaunch)
        return user->emitError()
               << "cannot launch kernel '" << kernel.getName() << "': expected "
               << kernel.getNumArguments() << " memrefs and no results";
      OpBuilder builder(user);
      auto launch = LaunchOp::create(builder, user->getLoc(),
                                     program.getSymName(), user->getOperands());
      setLabel(launch, user);
      user->erase();
    }
    kernel->erase();
    return success();
  }
};

} // namespace
