//===- HoistAllocations.cpp - Scratch memory of unknown size --------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/TE/TEDialect.h"
#include "passes/Host/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace acc::host {
#define GEN_PASS_DEF_HOSTHOISTALLOCATIONS
#include "passes/Host/Passes.h.inc"
} // namespace acc::host

using namespace acc;

/// The size of an allocation that a memref.dim of it asks for, or null.
static Value getAllocatedSize(memref::DimOp dim) {
  auto alloc = dim.getSource().getDefiningOp<memref::AllocOp>();
  std::optional<int64_t> index = dim.getConstantIndex();
  return alloc && index && alloc.getType().isDynamicDim(*index)
             ? alloc.getDynamicSizes()[alloc.getType().getDynamicDimIndex(
                   *index)]
             : Value();
}

/// Computes a value of a kernel where `builder` is, from the operands of a
/// launch that `mapping` maps arguments to. Null when it depends on anything
/// else.
static Value cloneValue(OpBuilder &builder, Value value, IRMapping &mapping) {
  if (Value known = mapping.lookupOrNull(value))
    return known;
  Operation *op = value.getDefiningOp();
  if (!op || op->getNumRegions() || !isMemoryEffectFree(op))
    return {};
  if (auto dim = dyn_cast<memref::DimOp>(op))
    if (Value size = getAllocatedSize(dim)) {
      Value result = cloneValue(builder, size, mapping);
      if (result)
        mapping.map(value, result);
      return result;
    }
  for (Value operand : op->getOperands())
    if (!cloneValue(builder, operand, mapping))
      return {};
  builder.clone(*op, mapping);
  return mapping.lookup(value);
}

namespace {

struct HoistAllocationsPass
    : host::impl::HostHoistAllocationsBase<HoistAllocationsPass> {
  using HostHoistAllocationsBase::HostHoistAllocationsBase;

  LogicalResult hoist(memref::AllocOp alloc, te::KernelOp kernel,
                      ArrayRef<te::LaunchOp> launches) {
    bool isConditional = alloc->getParentOp() != kernel;
    for (te::LaunchOp launch : launches) {
      OpBuilder builder(launch);
      IRMapping mapping;
      for (auto [argument, operand] :
           llvm::zip(kernel.getBody().getArguments(), launch->getOperands())) {
        // A view of the argument expects its type, its sizes do not.
        Value buffer = operand;
        if (argument.getType() != operand.getType() &&
            memref::CastOp::areCastCompatible(operand.getType(),
                                              argument.getType()))
          buffer = memref::CastOp::create(builder, launch.getLoc(),
                                          argument.getType(), operand);
        mapping.map(argument, buffer);
      }
      SmallVector<Value> sizes;
      for (Value size : alloc.getDynamicSizes()) {
        Value outside = cloneValue(builder, size, mapping);
        if (!outside)
          return alloc.emitError("has a size that only the kernel knows");
        // Where a branch is not taken, its sizes may be no sizes at all.
        if (isConditional)
          outside = builder.createOrFold<arith::MaxSIOp>(
              alloc.getLoc(), outside,
              arith::ConstantIndexOp::create(builder, alloc.getLoc(), 0));
        sizes.push_back(outside);
      }
      Value buffer =
          memref::AllocOp::create(builder, alloc.getLoc(), alloc.getType(),
                                  sizes, alloc.getAlignmentAttr());
      launch.getInitsMutable().append(buffer);
    }
    Block &entry = kernel.getBody().front();
    alloc.replaceAllUsesWith(
        entry.addArgument(alloc.getType(), alloc.getLoc()));
    kernel.setFunctionType(
        FunctionType::get(&getContext(), entry.getArgumentTypes(), {}));
    kernel.removeArgAttrsAttr();
    return success();
  }

  void runOnOperation() override {
    DenseMap<StringAttr, SmallVector<te::LaunchOp>> launches;
    getOperation().walk([&](te::LaunchOp launch) {
      launches[launch.getKernelAttr().getAttr()].push_back(launch);
    });
    for (auto kernel : getOperation().getOps<te::KernelOp>()) {
      if (!kernel.isOnHost())
        continue;
      SmallVector<memref::AllocOp> allocs;
      kernel.walk([&](memref::AllocOp op) {
        if (all || !op.getType().hasStaticShape())
          allocs.push_back(op);
      });
      // The sizes of one may be asked of another: all go at the end.
      for (memref::AllocOp alloc : allocs)
        if (failed(hoist(alloc, kernel, launches[kernel.getSymNameAttr()])))
          return signalPassFailure();
      for (memref::AllocOp alloc : allocs)
        alloc.erase();
    }
  }
};

} // namespace
