//===- ParallelBodies.cpp - Bodies of parallel loops ----------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Host/ParallelBodies.h"

#include "dialects/CPU/CPUDialect.h"
#include "passes/Host/Guards.h"
#include "passes/Host/LowerMain.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Transforms/RegionUtils.h"

using namespace mlir;
using namespace acc;
using namespace acc::host;

namespace {

/// One loop. Three functions have to do with it: the kernel, which calls the
/// runtime; the task, which the runtime calls with a table of arguments; and
/// the body, which takes these one by one, so that its pointers are `noalias`.
class ParallelOutlining {
public:
  ParallelOutlining(cpu::ParallelOp loop, func::FuncOp kernel, unsigned number,
                    const LLVMTypeConverter &converter)
      : loop(loop), kernel(kernel), converter(converter), loc(loop.getLoc()),
        builder(loop),
        name(std::to_string(number) + "." + kernel.getSymName().str()) {}

  LogicalResult run() {
    SetVector<Value> used;
    getUsedValuesDefinedAbove(loop.getBody(), used);
    if (loop.getOwn())
      used.insert(loop.getOwn());
    arguments.insert_range(kernel.getArguments());
    for (Value value : used)
      if (failed(require(value)))
        return failure();
    func::FuncOp body = createBody();
    func::FuncOp task = createTask(body);
    callRuntime(task);
    loop.erase();
    return success();
  }

private:
  /// Finds what the body must be given to know a value: what is computed from
  /// arguments of the kernel is computed anew.
  LogicalResult require(Value value) {
    if (arguments.contains(value) || computed.contains(value.getDefiningOp()))
      return success();
    Operation *op = value.getDefiningOp();
    if (!op || op->getNumRegions() || !isMemoryEffectFree(op)) {
      if (!value.getType().isIntOrIndexOrFloat())
        return loop.emitOpError("uses a value that threads cannot share: ")
               << value;
      arguments.insert(value);
      return success();
    }
    for (Value operand : op->getOperands())
      if (failed(require(operand)))
        return failure();
    computed.insert(op);
    return success();
  }

  /// A function that only this module knows, before the kernel.
  func::FuncOp createFunction(StringRef kind, TypeRange types) {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPoint(kernel);
    auto function = func::FuncOp::create(builder, loc, (kind + name).str(),
                                         builder.getFunctionType(types, {}));
    function.setPrivate();
    function->setAttr(
        "llvm.linkage",
        LLVM::LinkageAttr::get(builder.getContext(), LLVM::Linkage::Internal));
    function.addEntryBlock();
    return function;
  }

  /// Takes what the loop needs, the first and the last number of the iterations
  /// and the memory of the thread.
  func::FuncOp createBody() {
    auto pointer = LLVM::LLVMPointerType::get(builder.getContext());
    SmallVector<Type> types(ValueRange(arguments.getArrayRef()).getTypes());
    types.append(2, builder.getIndexType());
    types.push_back(pointer);
    func::FuncOp body = createFunction("parallel.", types);
    body->setAttr("passthrough", builder.getStrArrayAttr({"noinline"}));
    for (unsigned i = 0; i < kernel.getNumArguments(); ++i)
      if (DictionaryAttr attributes = kernel.getArgAttrDict(i))
        body.setArgAttrs(i, attributes);
    unsigned last = body.getNumArguments() - 1;
    body.setArgAttr(last, LLVM::LLVMDialect::getNoAliasAttrName(),
                    builder.getUnitAttr());
    IRMapping mapping;
    for (auto [value, argument] : llvm::zip(arguments, body.getArguments()))
      mapping.map(value, argument);
    OpBuilder inner = OpBuilder::atBlockBegin(&body.getBody().front());
    for (Operation *op : computed)
      inner.clone(*op, mapping);
    if (Value own = loop.getOwn()) {
      auto type = cast<MemRefType>(own.getType());
      SmallVector<Value> sizes;
      for (int64_t dim = 0; dim < type.getRank(); ++dim)
        if (type.isDynamicDim(dim))
          sizes.push_back(
              memref::DimOp::create(inner, loc, mapping.lookup(own), dim));
      mapping.map(loop.getOwnMemory(),
                  makeBuffer(inner, loc, converter, type,
                             body.getArgument(last), sizes));
    }
    // Room on the stack is made once, and not in every iteration.
    for (auto op : loop.getBody().front().getOps<memref::AllocaOp>())
      inner.clone(*op, mapping);
    Value one = arith::ConstantIndexOp::create(inner, loc, 1);
    auto iterations = scf::ForOp::create(inner, loc, body.getArgument(last - 2),
                                         body.getArgument(last - 1), one);
    func::ReturnOp::create(inner, loc);
    mapping.map(loop.getChunk(), iterations.getInductionVar());
    inner.setInsertionPointToStart(iterations.getBody());
    for (Operation &op : loop.getBody().front())
      if (!isa<memref::AllocaOp>(op))
        inner.clone(op, mapping);
    return body;
  }

  Value offsetPointer(OpBuilder &at, Value base, size_t slot) {
    return LLVM::GEPOp::create(
        at, loc, base.getType(), at.getI64Type(), base,
        ArrayRef<LLVM::GEPArg>{LLVM::GEPArg(static_cast<int32_t>(slot))});
  }

  /// An acc_chunks_fn that calls the body.
  func::FuncOp createTask(func::FuncOp body) {
    auto pointer = LLVM::LLVMPointerType::get(builder.getContext());
    Type integer = builder.getI64Type();
    func::FuncOp task =
        createFunction("task.", {pointer, integer, integer, pointer});
    OpBuilder inner = OpBuilder::atBlockBegin(&task.getBody().front());
    SmallVector<Value> operands;
    for (auto [slot, value] : llvm::enumerate(arguments)) {
      bool isIndex = value.getType().isIndex();
      Value loaded =
          LLVM::LoadOp::create(inner, loc, isIndex ? integer : value.getType(),
                               offsetPointer(inner, task.getArgument(0), slot));
      if (isIndex)
        loaded = arith::IndexCastOp::create(inner, loc, inner.getIndexType(),
                                            loaded);
      operands.push_back(loaded);
    }
    for (unsigned i : {1, 2})
      operands.push_back(arith::IndexCastOp::create(
          inner, loc, inner.getIndexType(), task.getArgument(i)));
    operands.push_back(task.getArgument(3));
    func::CallOp::create(inner, loc, body, operands);
    func::ReturnOp::create(inner, loc);
    return task;
  }

  /// Hands the task, with the table of its arguments, to the runtime.
  void callRuntime(func::FuncOp task) {
    HostInterface host(builder, kernel);
    auto pointer = LLVM::LLVMPointerType::get(builder.getContext());
    auto toInteger = [&](Value index) -> Value {
      return arith::IndexCastOp::create(builder, loc, builder.getI64Type(),
                                        index);
    };
    SmallVector<Value> table;
    for (Value value : arguments)
      table.push_back(value.getType().isIndex() ? toInteger(value) : value);
    Value function =
        UnrealizedConversionCastOp::create(
            builder, loc, pointer,
            func::ConstantOp::create(builder, loc, task.getFunctionType(),
                                     task.getSymName())
                .getResult())
            .getResult(0);
    Value own = loop.getOwn(), memory, bytes = host.constant(loc, 64, 0);
    if (own) {
      auto type = cast<MemRefType>(own.getType());
      memory = getAddress(builder, loc, converter, own);
      Value size = arith::ConstantIndexOp::create(
          builder, loc, getElementBytes(type.getElementType()));
      for (int64_t dim = 0; dim < type.getRank(); ++dim)
        size = builder.createOrFold<arith::MulIOp>(
            loc, size, builder.createOrFold<memref::DimOp>(loc, own, dim));
      bytes = toInteger(size);
    } else {
      memory = LLVM::ZeroOp::create(builder, loc, pointer);
    }
    host.call(loc, Hook::Parallel, {},
              {function, host.makeArray(loc, table), toInteger(loop.getCount()),
               memory, bytes});
  }

  cpu::ParallelOp loop;
  func::FuncOp kernel;
  const LLVMTypeConverter &converter;
  Location loc;
  OpBuilder builder;
  std::string name;
  /// What the body is given, and what it computes from that, in order.
  SetVector<Value> arguments;
  SetVector<Operation *> computed;
};

} // namespace

LogicalResult acc::host::outlineParallel(func::FuncOp kernel,
                                         const LLVMTypeConverter &converter) {
  SmallVector<cpu::ParallelOp> loops;
  kernel.walk([&](cpu::ParallelOp loop) { loops.push_back(loop); });
  for (auto [number, loop] : llvm::enumerate(loops))
    if (failed(ParallelOutlining(loop, kernel, number, converter).run()))
      return failure();
  return success();
}
