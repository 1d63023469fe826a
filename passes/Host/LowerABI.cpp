//===- LowerABI.cpp - The C interface of a compiled model -----------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/CPU/CPUDialect.h"
#include "dialects/TE/TEDialect.h"
#include "passes/Host/Guards.h"
#include "passes/Host/LowerMain.h"
#include "passes/Host/ParallelBodies.h"
#include "passes/Host/Passes.h"

using namespace mlir;

namespace acc::host {
#define GEN_PASS_DEF_HOSTLOWERABI
#include "passes/Host/Passes.h.inc"
} // namespace acc::host

using namespace acc;
using namespace acc::host;

/// Shapes of views with unknown sizes, by strides that are computed from the
/// sizes that are given. Upstream's lowering of memref.expand_shape takes one
/// unknown size in a group of axes and finds it by division, which has no
/// result where another size of the group is 0.
static void lowerReshape(memref::ExpandShapeOp expand) {
  MemRefType type = expand.getResultType();
  if (type.hasStaticShape() || !type.getLayout().isIdentity() ||
      !expand.getSrcType().getLayout().isIdentity())
    return;
  OpBuilder builder(expand);
  Location loc = expand.getLoc();
  SmallVector<OpFoldResult> sizes = expand.getMixedOutputShape(),
                            strides(sizes.size());
  OpFoldResult stride = builder.getIndexAttr(1);
  for (int64_t axis = type.getRank() - 1; axis >= 0; --axis) {
    strides[axis] = stride;
    std::optional<int64_t> x = getConstantIntValue(stride),
                           y = getConstantIntValue(sizes[axis]);
    if (x && y)
      stride = builder.getIndexAttr(*x * *y);
    else
      stride = arith::MulIOp::create(
                   builder, loc,
                   getValueOrCreateConstantIndexOp(builder, loc, stride),
                   getValueOrCreateConstantIndexOp(builder, loc, sizes[axis]))
                   .getResult();
  }
  auto view = memref::ReinterpretCastOp::create(
      builder, loc, type, expand.getSrc(), builder.getIndexAttr(0), sizes,
      strides);
  expand.replaceAllUsesWith(view.getResult());
  expand.erase();
}

/// A kernel as a function: a buffer is a pointer and the sizes that its type
/// does not know. No two buffers of a launch overlap unless both are only read.
/// If it `callsRuntime`, it takes what it needs for that first.
static LogicalResult lowerKernel(te::KernelOp kernel,
                                 const LLVMTypeConverter &converter,
                                 bool callsRuntime, bool guard) {
  MLIRContext *context = kernel.getContext();
  OpBuilder builder(kernel);
  Location loc = kernel.getLoc();
  auto function = func::FuncOp::create(builder, loc, kernel.getSymName(),
                                       builder.getFunctionType({}, {}));
  function.setPrivate();
  function.getBody().takeBody(kernel.getBody());
  Block &entry = function.getBody().front();
  builder.setInsertionPointToStart(&entry);
  SmallVector<BlockArgument> old(entry.getArguments());
  SmallVector<DictionaryAttr> attributes;
  auto noAlias = builder.getDictionaryAttr(builder.getNamedAttr(
      LLVM::LLVMDialect::getNoAliasAttrName(), builder.getUnitAttr()));
  auto add = [&](Type type, DictionaryAttr attribute) {
    attributes.push_back(attribute ? attribute : builder.getDictionaryAttr({}));
    return entry.addArgument(type, loc);
  };
  if (callsRuntime)
    for (int i = 0; i < 2; ++i)
      add(LLVM::LLVMPointerType::get(context), {});
  for (BlockArgument argument : old) {
    auto type = dyn_cast<MemRefType>(argument.getType());
    if (!type) {
      argument.replaceAllUsesWith(add(argument.getType(), {}));
      continue;
    }
    Value pointer = add(LLVM::LLVMPointerType::get(context), noAlias);
    SmallVector<Value> sizes;
    for (size_t i = 0; i < type.getNumDynamicDims(); ++i)
      sizes.push_back(add(builder.getIndexType(), {}));
    argument.replaceAllUsesWith(
        makeBuffer(builder, loc, converter, type, pointer, sizes));
  }
  entry.eraseArguments(0, old.size());
  function.setType(builder.getFunctionType(entry.getArgumentTypes(), {}));
  function.setAllArgAttrs(attributes);
  // What is in main only would grow by inlining, and lose `noalias`.
  function->setAttr("passthrough", builder.getStrArrayAttr({"noinline"}));
  function->setAttr("llvm.linkage",
                    LLVM::LinkageAttr::get(context, LLVM::Linkage::Internal));
  Operation *terminator = entry.getTerminator();
  builder.setInsertionPoint(terminator);
  func::ReturnOp::create(builder, terminator->getLoc());
  terminator->erase();
  if (guard)
    guardRows(function, converter);
  return outlineParallel(function, converter);
}

static bool hasParallelLoop(te::KernelOp kernel) {
  return kernel.walk([](cpu::ParallelOp) { return WalkResult::interrupt(); })
      .wasInterrupted();
}

/// Gives native kernels names that nothing has which the code may call or
/// export: a node may be called "log", as the library's function is.
static void renameKernels(ModuleOp module) {
  SymbolTableCollection tables;
  SymbolUserMap users(tables, module);
  for (auto kernel : module.getOps<te::KernelOp>()) {
    if (!kernel.isOnHost())
      continue;
    auto name =
        StringAttr::get(module.getContext(), "kernel." + kernel.getSymName());
    users.replaceAllUsesWith(kernel, name);
    kernel.setSymNameAttr(name);
  }
}

namespace {

struct LowerABIPass : host::impl::HostLowerABIBase<LowerABIPass> {
  using HostLowerABIBase::HostLowerABIBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    auto main = module.lookupSymbol<func::FuncOp>("main");
    if (!main || main.getNumArguments() == 0 || !main.getBody().hasOneBlock()) {
      emitError(module.getLoc(), "needs a bufferized and planned @main");
      return signalPassFailure();
    }
    auto workspace = cast<MemRefType>(main.getArgumentTypes().back());
    module->setAttr(
        cpu::CPUDialect::kWorkspace,
        Builder(module).getI64IntegerAttr(workspace.getNumElements()));
    module.walk(lowerReshape);
    renameKernels(module);
    LLVMTypeConverter converter(&getContext());
    KernelInfos kernels;
    for (auto kernel :
         llvm::make_early_inc_range(module.getOps<te::KernelOp>()))
      if (kernel.isOnHost()) {
        KernelInfo &info = kernels[kernel.getSymNameAttr()];
        info.type = kernel.getFunctionType();
        if (auto scratch = kernel->getAttrOfType<DenseI64ArrayAttr>(
                cpu::CPUDialect::kScratch))
          info.scratch = llvm::to_vector(scratch.asArrayRef());
        bool isParallel = hasParallelLoop(kernel);
        if (isParallel)
          module->setAttr(cpu::CPUDialect::kParallel,
                          UnitAttr::get(&getContext()));
        info.callsRuntime = guard || isParallel;
        if (failed(lowerKernel(kernel, converter, info.callsRuntime, guard)))
          return signalPassFailure();
        kernel.erase();
      }
    if (failed(lowerMain(main, converter, kernels, guard)))
      signalPassFailure();
  }
};

} // namespace
