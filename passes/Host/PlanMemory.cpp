//===- PlanMemory.cpp - One workspace for all buffers ---------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/CPU/CPUDialect.h"
#include "dialects/TE/TEDialect.h"
#include "passes/Host/HostInterface.h"
#include "passes/Host/Passes.h"
#include "passes/Support/Placement.h"

#include "mlir/Interfaces/ViewLikeInterface.h"

using namespace mlir;

namespace acc::host {
#define GEN_PASS_DEF_HOSTPLANMEMORY
#include "passes/Host/Passes.h.inc"
} // namespace acc::host

using namespace acc;

/// Bytes of a static buffer, or nothing.
static std::optional<int64_t> sizeInBytes(MemRefType type) {
  if (!type.hasStaticShape() || !type.getLayout().isIdentity() ||
      !type.getElementType().isIntOrIndexOrFloat())
    return std::nullopt;
  // What has less than a byte is another processor's, and lies without gaps.
  if (unsigned bits =
          type.getElementType().isInteger() ? type.getElementTypeBitWidth() : 8;
      bits > 1 && bits < 8)
    return llvm::divideCeilSigned(type.getNumElements() * bits, 8);
  return type.getNumElements() * host::getElementBytes(type.getElementType());
}

namespace {

struct PlanMemoryPass : host::impl::HostPlanMemoryBase<PlanMemoryPass> {
  using HostPlanMemoryBase::HostPlanMemoryBase;

  static Value createView(OpBuilder &builder, Location loc, Value workspace,
                          int64_t offset, MemRefType type) {
    // The operation that the builder stood before may have been erased.
    builder.setInsertionPointAfterValue(workspace);
    Value start = arith::ConstantIndexOp::create(builder, loc, offset);
    return memref::ViewOp::create(builder, loc, type, workspace, start,
                                  ValueRange());
  }

  static MemRefType bytesType(OpBuilder &builder, int64_t bytes) {
    return MemRefType::get({bytes}, builder.getI8Type());
  }

  /// Gives a kernel one more argument that holds all it allocates. Returns its
  /// size.
  FailureOr<int64_t> planKernel(te::KernelOp kernel) {
    SmallVector<memref::AllocOp> allocs;
    kernel.walk([&](memref::AllocOp op) { allocs.push_back(op); });
    if (allocs.empty())
      return int64_t{0};
    auto bytes = static_cast<int64_t>(llvm::alignTo(guardBytes, alignment));
    SmallVector<int64_t> offsets, pieces;
    for (memref::AllocOp op : allocs) {
      std::optional<int64_t> size = sizeInBytes(op.getType());
      if (!size)
        return op.emitError("needs a static buffer to be planned");
      offsets.push_back(bytes);
      llvm::append_values(pieces, bytes, *size);
      bytes = llvm::alignTo(bytes + *size + guardBytes, alignment);
    }
    Block &entry = kernel.getBody().front();
    OpBuilder builder = OpBuilder::atBlockBegin(&entry);
    Value scratch =
        entry.addArgument(bytesType(builder, bytes), kernel.getLoc());
    for (auto [op, offset] : llvm::zip(allocs, offsets)) {
      op.replaceAllUsesWith(
          createView(builder, op.getLoc(), scratch, offset, op.getType()));
      op.erase();
    }
    kernel.setFunctionType(
        FunctionType::get(&getContext(), entry.getArgumentTypes(), {}));
    kernel.removeArgAttrsAttr();
    if (guardBytes)
      kernel->setAttr(cpu::CPUDialect::kScratch,
                      builder.getDenseI64ArrayAttr(pieces));
    return bytes;
  }

  /// The last operation of the block that may touch `buffer`.
  static void extendLife(Value buffer, Block *block,
                         const DenseMap<Operation *, int64_t> &positions,
                         Piece &piece) {
    SmallVector<Value> views = {buffer};
    while (!views.empty()) {
      for (Operation *user : views.pop_back_val().getUsers()) {
        int64_t at = positions.lookup(block->findAncestorOpInBlock(*user));
        if (isa<ViewLikeOpInterface>(user)) {
          views.push_back(user->getResult(0));
          continue;
        }
        piece.first = std::min(piece.first, at);
        piece.last = std::max(piece.last, at);
      }
    }
  }

  /// What is returned is left to the runtime.
  static void freeAfter(memref::AllocOp alloc, Operation *last) {
    if (last->hasTrait<OpTrait::IsTerminator>())
      return;
    OpBuilder builder(last->getContext());
    builder.setInsertionPointAfter(last);
    memref::DeallocOp::create(builder, alloc.getLoc(), alloc);
  }

  LogicalResult planMain(func::FuncOp function,
                         const DenseMap<StringAttr, int64_t> &scratchSizes) {
    if (!function.getBody().hasOneBlock())
      return function.emitError("must be one block to be planned");
    Block &entry = function.getBody().front();
    DenseMap<Operation *, int64_t> positions;
    for (Operation &op : entry)
      positions[&op] = static_cast<int64_t>(positions.size()) + 1;
    SmallVector<Operation *> operations =
        llvm::map_to_vector(entry, [](Operation &op) { return &op; });
    SmallVector<Piece> pieces;
    SmallVector<Operation *> owners;
    SmallVector<std::pair<memref::AllocOp, int64_t>> dynamic;
    for (Operation &op : entry) {
      Piece piece;
      if (auto alloc = dyn_cast<memref::AllocOp>(op)) {
        piece.first = static_cast<int64_t>(positions.size()) + 1;
        extendLife(alloc, &entry, positions, piece);
        if (!alloc.getType().hasStaticShape()) {
          dynamic.emplace_back(alloc, piece.last);
          continue;
        }
        std::optional<int64_t> size = sizeInBytes(alloc.getType());
        if (!size)
          return op.emitError("needs a static buffer to be planned");
        piece.size = *size;
      } else if (auto launch = dyn_cast<te::LaunchOp>(op)) {
        piece.size = scratchSizes.lookup(launch.getKernelAttr().getAttr());
        piece.first = piece.last = positions[&op];
      }
      if (piece.size == 0)
        continue;
      pieces.push_back(piece);
      owners.push_back(&op);
    }
    for (const Piece &piece : pieces)
      allocatedBytes += piece.size;
    for (auto [alloc, last] : dynamic)
      freeAfter(alloc, last ? operations[last - 1] : alloc.getOperation());
    int64_t total = placePieces(pieces, {alignment, guardBytes});
    workspaceBytes += total;

    OpBuilder builder = OpBuilder::atBlockBegin(&entry);
    unsigned position = function.getNumArguments();
    (void)function.insertArgument(position, bytesType(builder, total), {},
                                  function.getLoc());
    Value workspace = function.getArgument(position);
    for (auto [piece, op] : llvm::zip(pieces, owners)) {
      if (auto alloc = dyn_cast<memref::AllocOp>(op)) {
        alloc.replaceAllUsesWith(createView(builder, op->getLoc(), workspace,
                                            piece.offset, alloc.getType()));
        alloc.erase();
        continue;
      }
      cast<te::LaunchOp>(op).getInitsMutable().append(
          createView(builder, op->getLoc(), workspace, piece.offset,
                     bytesType(builder, piece.size)));
    }
    return success();
  }

  void runOnOperation() override {
    if (!llvm::isPowerOf2_64(alignment)) {
      emitError(getOperation().getLoc(), "alignment ")
          << alignment.getValue() << " is not a power of two";
      return signalPassFailure();
    }
    if (guardBytes < 0) {
      emitError(getOperation().getLoc(), "guard-bytes ")
          << guardBytes.getValue() << " is negative";
      return signalPassFailure();
    }
    DenseMap<StringAttr, int64_t> scratchSizes;
    for (auto kernel : getOperation().getOps<te::KernelOp>()) {
      if (!kernel.isOnHost())
        continue;
      FailureOr<int64_t> size = planKernel(kernel);
      if (failed(size))
        return signalPassFailure();
      scratchSizes[kernel.getSymNameAttr()] = *size;
    }
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (!function.isDeclaration() && failed(planMain(function, scratchSizes)))
        return signalPassFailure();
  }
};

} // namespace
