//===- LowerMain.cpp - main as acc_model_main -----------------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Host/LowerMain.h"

#include "dialects/CPU/CPUDialect.h"
#include "dialects/TE/TEDialect.h"
#include "passes/Host/Guards.h"

#include "mlir/Conversion/LLVMCommon/MemRefBuilder.h"
#include "mlir/Interfaces/ViewLikeInterface.h"

using namespace mlir;
using namespace acc;
using namespace acc::host;

Value acc::host::makeBuffer(OpBuilder &builder, Location loc,
                            const LLVMTypeConverter &converter, MemRefType type,
                            Value pointer, ValueRange sizes) {
  Value result;
  if (type.hasStaticShape()) {
    result = MemRefDescriptor::fromStaticShape(builder, loc, converter, type,
                                               pointer);
  } else {
    auto descriptor =
        MemRefDescriptor::poison(builder, loc, converter.convertType(type));
    descriptor.setAllocatedPtr(builder, loc, pointer);
    descriptor.setAlignedPtr(builder, loc, pointer);
    descriptor.setConstantOffset(builder, loc, 0);
    auto integer = builder.getI64Type();
    SmallVector<Value> extents;
    for (int64_t size : type.getShape()) {
      if (!ShapedType::isDynamic(size)) {
        extents.push_back(LLVM::ConstantOp::create(
            builder, loc, builder.getI64IntegerAttr(size)));
        continue;
      }
      extents.push_back(
          arith::IndexCastOp::create(builder, loc, integer, sizes.front()));
      sizes = sizes.drop_front();
    }
    Value stride =
        LLVM::ConstantOp::create(builder, loc, builder.getI64IntegerAttr(1));
    for (int64_t dim = type.getRank() - 1; dim >= 0; --dim) {
      descriptor.setSize(builder, loc, dim, extents[dim]);
      descriptor.setStride(builder, loc, dim, stride);
      if (dim > 0)
        stride =
            LLVM::MulOp::create(builder, loc, integer, stride, extents[dim]);
    }
    result = descriptor;
  }
  return UnrealizedConversionCastOp::create(builder, loc, type, result)
      .getResult(0);
}

namespace {

/// Rewrites main operation by operation. What calls the runtime may fail, so it
/// ends a block.
class MainLowering {
public:
  MainLowering(func::FuncOp main, const LLVMTypeConverter &converter,
               const KernelInfos &kernels, bool guard)
      : main(main), builder(main.getContext()), converter(converter),
        kernels(kernels), guard(guard), function(createFunction()),
        host(builder, function) {}

  LogicalResult run() {
    Block *entry = function.addEntryBlock();
    builder.setInsertionPointToStart(entry);
    loadArguments();
    Block &old = main.getBody().front();
    auto terminator = cast<func::ReturnOp>(old.getTerminator());
    for (auto [index, value] : llvm::enumerate(terminator.getOperands()))
      if (auto alloc = value.getDefiningOp<memref::AllocOp>())
        outputs.try_emplace(alloc, index);
    Operation *op = &old.front();
    entry->getOperations().splice(entry->end(), old.getOperations());
    while (op) {
      // Lowering moves what follows to another block.
      Operation *next = op->getNextNode();
      builder.setInsertionPoint(op);
      if (failed(lower(op)))
        return failure();
      op = next;
    }
    for (te::BitcastOp bitcast : bitcasts) {
      builder.setInsertionPoint(bitcast);
      Location loc = bitcast.getLoc();
      bitcast.replaceAllUsesWith(makeBuffer(
          builder, loc, converter, cast<MemRefType>(bitcast.getType()),
          address(loc, bitcast.getSource()), {}));
      bitcast.erase();
    }
    main->getParentOfType<ModuleOp>()->setAttr(cpu::CPUDialect::kConstants,
                                               builder.getArrayAttr(constants));
    main.erase();
    return success();
  }

private:
  func::FuncOp createFunction() {
    builder.setInsertionPoint(main);
    auto pointer = LLVM::LLVMPointerType::get(main.getContext());
    return func::FuncOp::create(
        builder, main.getLoc(), "acc_model_main",
        builder.getFunctionType(SmallVector<Type>(6, pointer),
                                {builder.getI32Type()}));
  }

  /// Inputs come before the constants, outputs after them, and the workspace is
  /// last.
  void loadArguments() {
    Block &old = main.getBody().front();
    unsigned last = old.getNumArguments() - 1;
    int64_t inputs = 0;
    for (BlockArgument argument : old.getArguments()) {
      unsigned i = argument.getArgNumber();
      Location loc = argument.getLoc();
      auto type = cast<MemRefType>(argument.getType());
      Value pointer;
      SmallVector<Value> sizes;
      if (i == last) {
        pointer = host.argument(MainArgument::Workspace);
      } else if (Attribute data =
                     main.getArgAttr(i, cpu::CPUDialect::kConstant)) {
        pointer = host.loadPointer(loc, host.argument(MainArgument::Constants),
                                   static_cast<int64_t>(constants.size()));
        constants.push_back(data);
      } else if (auto output = main.getArgAttrOfType<IntegerAttr>(
                     i, cpu::CPUDialect::kOutput)) {
        pointer = host.loadPointer(loc, host.argument(MainArgument::Outputs),
                                   output.getInt());
      } else {
        pointer =
            host.loadPointer(loc, host.argument(MainArgument::Inputs), inputs);
        for (int64_t dim = 0; dim < type.getRank(); ++dim)
          if (type.isDynamicDim(dim))
            sizes.push_back(host.inputSize(loc, inputs, dim));
        ++inputs;
      }
      argument.replaceAllUsesWith(
          makeBuffer(builder, loc, converter, type, pointer, sizes));
    }
  }

  LogicalResult lower(Operation *op) {
    return llvm::TypeSwitch<Operation *, LogicalResult>(op)
        .Case<te::LaunchOp, te::ProgramLaunchOpInterface>([&](auto launch) {
          announceLayer(op->getLoc());
          // The runtime knows of the first kernel of a program only.
          if (auto program = dyn_cast<te::ProgramLaunchOpInterface>(op))
            layers += program.getNumKernels();
          else
            ++layers;
          LogicalResult result = call(launch);
          op->erase();
          return result;
        })
        .Case<memref::AllocOp, memref::DeallocOp, memref::CopyOp, te::CheckOp,
              cf::AssertOp>([&](auto other) {
          rewrite(other);
          op->erase();
          return success();
        })
        .Case<te::BitcastOp>([&](auto bitcast) {
          // Guards follow views to the buffers that these are parts of.
          bitcasts.push_back(bitcast);
          return success();
        })
        .Case<func::ReturnOp>([&](auto terminator) {
          returnOutputs(terminator);
          op->erase();
          return success();
        })
        .Default([](Operation *other) {
          // Index computations, views and single elements stay as they are.
          if (llvm::isa<arith::ArithDialect, affine::AffineDialect,
                        math::MathDialect>(other->getDialect()) ||
              llvm::isa<ViewLikeOpInterface, memref::DimOp, memref::LoadOp,
                        memref::StoreOp>(other))
            return LogicalResult(success());
          return LogicalResult(other->emitError(
              "cannot be part of main: it must be in a kernel"));
        });
  }

  Value address(Location loc, Value buffer) {
    return getAddress(builder, loc, converter, buffer);
  }

  /// Every size of a buffer, or those alone that `as` does not know.
  SmallVector<Value> sizes(Location loc, Value buffer, MemRefType as = {}) {
    SmallVector<Value> result;
    auto type = cast<MemRefType>(buffer.getType());
    for (int64_t dim = 0; dim < type.getRank(); ++dim)
      if (!as || as.isDynamicDim(dim))
        result.push_back(builder.createOrFold<memref::DimOp>(loc, buffer, dim));
    return result;
  }

  /// Tells a profiler which kernel begins.
  void announceLayer(Location loc) {
    host.call(loc, Hook::Layer, {}, host.constant(loc, 32, layers));
  }

  LogicalResult call(te::LaunchOp launch) {
    Location loc = launch.getLoc();
    if (SymbolTable::lookupNearestSymbolFrom<te::ProgramOpInterface>(
            function, launch.getKernelAttr()))
      return callProgram(launch, launch.getKernelAttr());
    auto kernel = SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(
        function, launch.getKernelAttr());
    if (!kernel)
      return launch.emitError("launches @")
             << launch.getKernel()
             << ", which is no native kernel and no program";
    const KernelInfo &info = kernels.at(kernel.getSymNameAttr());
    SmallVector<Value> operands;
    LaunchGuard watch(builder, host, converter, loc);
    if (info.callsRuntime)
      llvm::append_range(operands, function.getArguments().take_front(2));
    if (guard)
      watchOperands(watch, launch, info);
    for (auto [operand, type] :
         llvm::zip(launch->getOperands(), info.type.getInputs())) {
      auto buffer = dyn_cast<MemRefType>(type);
      operands.push_back(buffer ? address(loc, operand) : operand);
      if (buffer)
        llvm::append_range(operands, sizes(loc, operand, buffer));
    }
    func::CallOp::create(builder, loc, kernel, operands);
    if (guard)
      watch.check();
    return success();
  }

  static void watchOperands(LaunchGuard &watch, te::LaunchOp launch,
                            const KernelInfo &info) {
    for (Value operand : launch.getInputs())
      watch.add(operand, /*isWritten=*/false);
    OperandRange written = launch.getInits();
    if (!info.scratch.empty()) {
      watch.addScratch(written.back(), info.scratch);
      written = written.drop_back();
    }
    for (Value operand : written)
      watch.add(operand, /*isWritten=*/true);
    watch.begin();
  }

  LogicalResult call(te::ProgramLaunchOpInterface launch) {
    return callProgram(launch, launch.getProgramSymbol());
  }

  LogicalResult callProgram(Operation *launch, FlatSymbolRefAttr symbol) {
    Location loc = launch->getLoc();
    int64_t program = -1, next = 0;
    for (auto op : function->getParentOfType<ModuleOp>()
                       .getOps<te::ProgramOpInterface>()) {
      if (SymbolTable::getSymbolName(op) == symbol.getAttr())
        program = next;
      ++next;
    }
    if (program < 0)
      return launch->emitError("launches no known program");
    SmallVector<Value> pointers;
    LaunchGuard watch(builder, host, converter, loc);
    for (Value operand : launch->getOperands()) {
      pointers.push_back(address(loc, operand));
      if (guard)
        watch.add(operand, /*isWritten=*/true);
    }
    if (guard)
      watch.begin();
    Value status = host.call(
        loc, Hook::Launch, builder.getI32Type(),
        {host.constant(loc, 32, program), host.makeArray(loc, pointers),
         host.constant(loc, 32, static_cast<int64_t>(pointers.size()))});
    Value failed = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ne,
                                         status, host.constant(loc, 32, 0));
    host.returnIf(loc, failed, status);
    if (guard)
      watch.check();
    return success();
  }

  /// What the plan has left: buffers whose sizes are found out on the way.
  /// One that is returned as it is, is the output's own.
  void rewrite(memref::AllocOp alloc) {
    Location loc = alloc.getLoc();
    MemRefType type = alloc.getType();
    SmallVector<Value> all;
    auto dynamic = alloc.getDynamicSizes().begin();
    for (int64_t size : type.getShape())
      all.push_back(
          ShapedType::isDynamic(size)
              ? *dynamic++
              : arith::ConstantIndexOp::create(builder, loc, size).getResult());
    auto output = outputs.find(alloc);
    Value pointer =
        output != outputs.end()
            ? host.output(loc, outputIndex(output->second), all)
            : host.allocate(loc, all, getElementBytes(type.getElementType()));
    host.returnIfNull(loc, pointer);
    Value buffer = makeBuffer(builder, loc, converter, type, pointer,
                              alloc.getDynamicSizes());
    alloc.getResult().replaceAllUsesWith(buffer);
    if (output != outputs.end())
      written.insert(buffer);
  }

  void rewrite(memref::DeallocOp dealloc) {
    host.release(dealloc.getLoc(),
                 address(dealloc.getLoc(), dealloc.getMemref()));
  }

  void rewrite(te::CheckOp check) {
    auto texts =
        llvm::to_vector(check.getMessage().getAsValueRange<StringAttr>());
    failUnless(check.getLoc(), check.getCondition(), texts, check.getNumbers());
  }

  void rewrite(cf::AssertOp assertion) {
    failUnless(assertion.getLoc(), assertion.getArg(), assertion.getMsg(), {});
  }

  void failUnless(Location loc, Value condition, ArrayRef<StringRef> texts,
                  ValueRange numbers) {
    Value one = arith::ConstantIntOp::create(builder, loc, 1, 1);
    Value violated = arith::XOrIOp::create(builder, loc, condition, one);
    host.returnIf(loc, violated, {}, [&] { host.fail(loc, texts, numbers); });
  }

  void rewrite(memref::CopyOp copy) {
    Location loc = copy.getLoc();
    Value source = copy.getSource(), target = copy.getTarget();
    auto type = cast<MemRefType>(source.getType());
    if (te::isContiguous(type) &&
        te::isContiguous(cast<MemRefType>(target.getType())))
      return copyBytes(loc, address(loc, source), address(loc, target),
                       sizes(loc, source),
                       getElementBytes(type.getElementType()));
    OpBuilder::InsertionGuard guard(builder);
    Value zero = arith::ConstantIndexOp::create(builder, loc, 0);
    Value one = arith::ConstantIndexOp::create(builder, loc, 1);
    SmallVector<Value> position;
    for (Value size : sizes(loc, source)) {
      auto loop = scf::ForOp::create(builder, loc, zero, size, one);
      position.push_back(loop.getInductionVar());
      builder.setInsertionPointToStart(loop.getBody());
    }
    Value element = memref::LoadOp::create(builder, loc, source, position);
    memref::StoreOp::create(builder, loc, element, target, position);
  }

  void copyBytes(Location loc, Value from, Value to, ArrayRef<Value> extents,
                 int64_t bytes) {
    Value count = arith::ConstantIndexOp::create(builder, loc, bytes);
    for (Value extent : extents)
      count = builder.createOrFold<arith::MulIOp>(loc, count, extent);
    count =
        arith::IndexCastOp::create(builder, loc, builder.getI64Type(), count);
    LLVM::MemcpyOp::create(builder, loc, to, from, count,
                           /*isVolatile=*/false);
  }

  /// The position among all outputs of one that is a result of main.
  int64_t outputIndex(size_t result) {
    return main
        .getResultAttrOfType<IntegerAttr>(result, cpu::CPUDialect::kOutput)
        .getInt();
  }

  void returnOutputs(func::ReturnOp terminator) {
    Location loc = terminator.getLoc();
    for (auto [index, value] : llvm::enumerate(terminator.getOperands())) {
      if (written.erase(value))
        continue;
      auto type = cast<MemRefType>(value.getType());
      SmallVector<Value> extents = sizes(loc, value);
      Value to = host.output(loc, outputIndex(index), extents);
      host.returnIfNull(loc, to);
      copyBytes(loc, address(loc, value), to, extents,
                getElementBytes(type.getElementType()));
    }
    func::ReturnOp::create(builder, loc, host.constant(loc, 32, 0));
  }

  func::FuncOp main;
  OpBuilder builder;
  const LLVMTypeConverter &converter;
  const KernelInfos &kernels;
  bool guard;
  func::FuncOp function;
  HostInterface host;
  SmallVector<Attribute> constants;
  /// Allocations that are returned, with the number of the result.
  DenseMap<Operation *, size_t> outputs;
  SmallVector<te::BitcastOp> bitcasts;
  /// Buffers that are an output already, until they are returned once.
  DenseSet<Value> written;
  int32_t layers = 0;
};

} // namespace

LogicalResult acc::host::lowerMain(func::FuncOp main,
                                   const LLVMTypeConverter &converter,
                                   const KernelInfos &kernels, bool guard) {
  return MainLowering(main, converter, kernels, guard).run();
}
