//===- LowerABI.cpp - The C interface of a compiled model -----------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/TE/TEDialect.h"
#include "dialects/VTA/VTADialect.h"
#include "passes/Host/Passes.h"

#include "mlir/Conversion/LLVMCommon/MemRefBuilder.h"
#include "mlir/Conversion/LLVMCommon/TypeConverter.h"
#include "mlir/Interfaces/ViewLikeInterface.h"

using namespace mlir;

namespace acc::host {
#define GEN_PASS_DEF_HOSTLOWERABI
#include "passes/Host/Passes.h.inc"
} // namespace acc::host

using namespace acc;

namespace {

/// Arguments of acc_model_main.
enum Argument { Api, Context, Inputs, Outputs, Constants, Workspace };

/// Rewrites main block by block: a launch on the accelerator may fail, so each
/// of them ends a block.
class MainLowering {
public:
  MainLowering(func::FuncOp main, LowerToLLVMOptions options)
      : main(main), context(main.getContext()), builder(context),
        converter(context, options) {}

  LogicalResult run() {
    Location loc = main.getLoc();
    auto pointer = LLVM::LLVMPointerType::get(context);
    auto status = builder.getI32Type();
    builder.setInsertionPoint(main);
    function = func::FuncOp::create(
        builder, loc, "acc_model_main",
        builder.getFunctionType(SmallVector<Type>(6, pointer), {status}));
    Block *entry = function.addEntryBlock();
    builder.setInsertionPointToStart(entry);
    loadArguments(entry);
    for (Operation &op : main.getBody().front())
      if (failed(lower(op)))
        return failure();
    auto module = main->getParentOfType<ModuleOp>();
    module->setAttr("te.constants", builder.getArrayAttr(constants));
    main.erase();
    return success();
  }

private:
  using Argument = ::Argument;

  Value offsetPointer(Location loc, Value base, int64_t bytes) {
    if (bytes == 0)
      return base;
    return LLVM::GEPOp::create(builder, loc, base.getType(),
                               builder.getI8Type(), base,
                               ArrayRef<LLVM::GEPArg>{LLVM::GEPArg(bytes)});
  }

  Value loadPointer(Location loc, Value table, int64_t index) {
    auto pointer = LLVM::LLVMPointerType::get(context);
    Value slot = offsetPointer(loc, table, index * 8);
    return LLVM::LoadOp::create(builder, loc, pointer, slot);
  }

  /// Inputs come before the constants, outputs after them; without constants
  /// those arguments that are written are outputs.
  void loadArguments(Block *entry) {
    Block &old = main.getBody().front();
    unsigned last = old.getNumArguments() - 1;
    int64_t inputs = 0, outputs = 0;
    for (BlockArgument argument : old.getArguments()) {
      unsigned i = argument.getArgNumber();
      Location loc = argument.getLoc();
      if (i == last) {
        bases[argument] = entry->getArgument(Argument::Workspace);
        continue;
      }
      if (Attribute data = main.getArgAttr(i, "te.constant")) {
        bases[argument] = loadPointer(
            loc, entry->getArgument(Argument::Constants), constants.size());
        constants.push_back(data);
        continue;
      }
      bool output = main.getArgAttr(i, "te.output") != Attribute();
      bases[argument] = loadPointer(
          loc,
          entry->getArgument(output ? Argument::Outputs : Argument::Inputs),
          output ? outputs++ : inputs++);
    }
  }

  /// Where the first element of a buffer is.
  FailureOr<Value> address(Operation *user, Value buffer) {
    auto type = cast<MemRefType>(buffer.getType());
    SmallVector<int64_t> strides;
    int64_t offset = 0;
    Value base = bases.lookup(buffer);
    if (!base || failed(type.getStridesAndOffset(strides, offset)) ||
        ShapedType::isDynamic(offset))
      return user->emitError("has a buffer without a static address");
    int64_t bytes = llvm::divideCeil(type.getElementTypeBitWidth(), 8);
    return offsetPointer(user->getLoc(), base, offset * bytes);
  }

  FailureOr<SmallVector<Value>> addresses(Operation *op) {
    SmallVector<Value> pointers;
    for (Value operand : op->getOperands()) {
      FailureOr<Value> pointer = address(op, operand);
      if (failed(pointer))
        return failure();
      pointers.push_back(*pointer);
    }
    return pointers;
  }

  LogicalResult lower(Operation &op) {
    return llvm::TypeSwitch<Operation *, LogicalResult>(&op)
        .Case<memref::ViewOp>([&](memref::ViewOp view) {
          std::optional<int64_t> shift =
              getConstantIntValue(view.getByteShift());
          Value base = bases.lookup(view.getSource());
          if (!shift || !base)
            return LogicalResult(view.emitError("has no static address"));
          bases[view] = offsetPointer(op.getLoc(), base, *shift);
          return success();
        })
        .Case<ViewLikeOpInterface>([&](ViewLikeOpInterface view) {
          bases[op.getResult(0)] = bases.lookup(view.getViewSource());
          return success();
        })
        .Case<te::LaunchOp, vta::LaunchOp>([&](auto launch) {
          announceLayer(op.getLoc());
          return call(launch);
        })
        .Case<memref::CopyOp>([&](memref::CopyOp copy) {
          FailureOr<SmallVector<Value>> pointers = addresses(copy);
          if (failed(pointers))
            return failure();
          auto type = cast<MemRefType>(copy.getSource().getType());
          if (!te::isContiguous(type) ||
              !te::isContiguous(cast<MemRefType>(copy.getTarget().getType())))
            return LogicalResult(
                copy.emitError("copies scattered elements in main: it must be "
                               "in a kernel"));
          int64_t bytes = type.getNumElements() *
                          llvm::divideCeil(type.getElementTypeBitWidth(), 8);
          Value size = LLVM::ConstantOp::create(
              builder, op.getLoc(), builder.getI64IntegerAttr(bytes));
          LLVM::MemcpyOp::create(builder, op.getLoc(), (*pointers)[1],
                                 (*pointers)[0], size, /*isVolatile=*/false);
          return success();
        })
        .Case<arith::ConstantOp>([](auto) { return success(); })
        .Case<func::ReturnOp>([&](auto) {
          Value zero = LLVM::ConstantOp::create(builder, op.getLoc(),
                                                builder.getI32IntegerAttr(0));
          func::ReturnOp::create(builder, op.getLoc(), zero);
          return success();
        })
        .Default([](Operation *other) {
          return other->emitError("cannot be part of main: it must be in a "
                                  "kernel");
        });
  }

  /// Tells a profiler which kernel begins: api->layer(ctx, number).
  void announceLayer(Location loc) {
    auto pointer = LLVM::LLVMPointerType::get(context);
    auto type = LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(context),
                                            {pointer, builder.getI32Type()});
    Value hook = loadPointer(loc, function.getArgument(Argument::Api), 1);
    Value number = LLVM::ConstantOp::create(
        builder, loc, builder.getI32IntegerAttr(layers++));
    LLVM::CallOp::create(
        builder, loc, type,
        ValueRange{hook, function.getArgument(Argument::Context), number});
  }

  LogicalResult call(te::LaunchOp launch) {
    FailureOr<SmallVector<Value>> pointers = addresses(launch);
    if (failed(pointers))
      return failure();
    auto kernel = SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(
        main, launch.getKernelAttr());
    if (!kernel)
      return launch.emitError("launches @")
             << launch.getKernel() << ", which is no native kernel";
    SmallVector<Value> operands;
    for (auto [pointer, type] :
         llvm::zip(*pointers, kernel.getArgumentTypes())) {
      Value descriptor = MemRefDescriptor::fromStaticShape(
          builder, launch.getLoc(), converter, cast<MemRefType>(type), pointer);
      operands.push_back(UnrealizedConversionCastOp::create(
                             builder, launch.getLoc(), type, descriptor)
                             .getResult(0));
    }
    func::CallOp::create(builder, launch.getLoc(), kernel, operands);
    return success();
  }

  LogicalResult call(vta::LaunchOp launch) {
    FailureOr<SmallVector<Value>> pointers = addresses(launch);
    if (failed(pointers))
      return failure();
    Location loc = launch.getLoc();
    auto pointer = LLVM::LLVMPointerType::get(context);
    int64_t program = -1, next = 0;
    for (auto op : main->getParentOfType<ModuleOp>().getOps<vta::ProgramOp>()) {
      if (op.getSymName() == launch.getProgram())
        program = next;
      ++next;
    }
    if (program < 0)
      return launch.emitError("launches no known program");
    auto count = static_cast<int64_t>(pointers->size());
    Value slots;
    {
      OpBuilder::InsertionGuard guard(builder);
      builder.setInsertionPointToStart(&function.getBody().front());
      Value size = LLVM::ConstantOp::create(
          builder, loc, builder.getI64IntegerAttr(std::max<int64_t>(count, 1)));
      slots = LLVM::AllocaOp::create(builder, loc, pointer, pointer, size);
    }
    for (auto [i, value] : llvm::enumerate(*pointers))
      LLVM::StoreOp::create(
          builder, loc, value,
          offsetPointer(loc, slots, static_cast<int64_t>(i) * 8));
    auto i32 = builder.getI32Type();
    auto type = LLVM::LLVMFunctionType::get(i32, {pointer, i32, pointer, i32});
    auto integer = [&](int64_t value) {
      return LLVM::ConstantOp::create(builder, loc,
                                      builder.getI32IntegerAttr(value))
          .getResult();
    };
    // The launcher is the first member of the interface.
    Value launcher = loadPointer(loc, function.getArgument(Argument::Api), 0);
    Value status =
        LLVM::CallOp::create(
            builder, loc, type,
            ValueRange{launcher, function.getArgument(Argument::Context),
                       integer(program), slots, integer(count)})
            .getResult();
    Value failed = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ne,
                                         status, integer(0));
    Block *failure = builder.createBlock(&function.getBody());
    func::ReturnOp::create(builder, loc, status);
    Block *rest = builder.createBlock(&function.getBody());
    builder.setInsertionPointToEnd(failure->getPrevNode());
    cf::CondBranchOp::create(builder, loc, failed, failure, rest);
    builder.setInsertionPointToEnd(rest);
    return success();
  }

  func::FuncOp main, function;
  MLIRContext *context;
  OpBuilder builder;
  LLVMTypeConverter converter;
  DenseMap<Value, Value> bases;
  SmallVector<Attribute> constants;
  int32_t layers = 0;
};

/// No two buffers of a launch overlap unless both are only read.
func::FuncOp lowerKernel(te::KernelOp kernel) {
  OpBuilder builder(kernel);
  auto function = func::FuncOp::create(
      builder, kernel.getLoc(), kernel.getSymName(), kernel.getFunctionType());
  function.setPrivate();
  function.getBody().takeBody(kernel.getBody());
  for (unsigned i = 0; i < function.getNumArguments(); ++i)
    function.setArgAttr(i, LLVM::LLVMDialect::getNoAliasAttrName(),
                        builder.getUnitAttr());
  // What is in main only would grow by inlining, and lose `noalias`.
  function->setAttr("passthrough", builder.getStrArrayAttr({"noinline"}));
  function->setAttr(
      "llvm.linkage",
      LLVM::LinkageAttr::get(builder.getContext(), LLVM::Linkage::Internal));
  Operation *terminator = function.getBody().front().getTerminator();
  builder.setInsertionPoint(terminator);
  func::ReturnOp::create(builder, terminator->getLoc());
  terminator->erase();
  return function;
}

struct LowerABIPass : host::impl::HostLowerABIBase<LowerABIPass> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    auto main = module.lookupSymbol<func::FuncOp>("main");
    if (!main || main.getNumArguments() == 0 || !main.getBody().hasOneBlock()) {
      module.emitError("needs a bufferized and planned @main");
      return signalPassFailure();
    }
    auto workspace = cast<MemRefType>(main.getArgumentTypes().back());
    module->setAttr("te.workspace", Builder(module).getI64IntegerAttr(
                                        workspace.getNumElements()));
    for (auto kernel :
         llvm::make_early_inc_range(module.getOps<te::KernelOp>()))
      if (kernel.getTarget() == "cpu") {
        lowerKernel(kernel);
        kernel.erase();
      }
    LowerToLLVMOptions options(&getContext());
    options.useBarePtrCallConv = true;
    if (failed(MainLowering(main, options).run()))
      signalPassFailure();
  }
};

} // namespace
