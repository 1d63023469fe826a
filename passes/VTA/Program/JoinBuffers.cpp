//===- JoinBuffers.cpp - Buffers that are joined lie side by side ---------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A concatenation of packed tensors is a kernel of the host that copies each
// operand to a place of its own in the result. An operand that nobody changes
// any more may as well be computed at that place: then there is nothing to
// copy. Operands of operands too: a tensor may lie in several others.
//
//===----------------------------------------------------------------------===//

#include "passes/VTA/Passes.h"
#include "passes/VTA/Program/Buffers.h"

#include "dialects/TE/TEDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/ViewLikeInterface.h"
#include "llvm/ADT/MapVector.h"

namespace acc::vta {
#define GEN_PASS_DEF_VTAJOINBUFFERS
#include "passes/VTA/Passes.h.inc"
} // namespace acc::vta

using namespace mlir;
using namespace acc;
using namespace acc::vta;

/// Where each input of a kernel begins in its result, in bytes, if all that the
/// kernel does is to copy them there.
static std::optional<SmallVector<int64_t>> getOffsets(te::KernelOp kernel) {
  Block &body = kernel.getBody().front();
  if (!kernel.isOnHost() || body.getNumArguments() < 2)
    return std::nullopt;
  BlockArgument result = body.getArguments().back();
  SmallVector<int64_t> offsets(body.getNumArguments() - 1, -1);
  for (Operation &op : body) {
    if (mlir::isa<memref::SubViewOp, te::ReturnOp>(op))
      continue;
    auto copy = dyn_cast<memref::CopyOp>(op);
    auto source =
        copy ? dyn_cast<BlockArgument>(copy.getSource()) : BlockArgument();
    if (!source || source == result || offsets[source.getArgNumber()] >= 0)
      return std::nullopt;
    Value target = copy.getTarget();
    if (auto part = target.getDefiningOp<memref::SubViewOp>())
      target = part.getSource();
    auto type = mlir::cast<MemRefType>(copy.getTarget().getType());
    SmallVector<int64_t> strides;
    int64_t offset;
    if (target != result || !te::isContiguous(type) || !type.hasStaticShape() ||
        failed(type.getStridesAndOffset(strides, offset)) ||
        ShapedType::isDynamic(offset) || type.getElementTypeBitWidth() % 8 != 0)
      return std::nullopt;
    offsets[source.getArgNumber()] = offset * type.getElementTypeBitWidth() / 8;
  }
  if (llvm::is_contained(offsets, -1))
    return std::nullopt;
  return offsets;
}

namespace {

struct JoinBuffers : vta::impl::VTAJoinBuffersBase<JoinBuffers> {
  using VTAJoinBuffersBase::VTAJoinBuffersBase;

  void runOnOperation() override {
    SymbolTableCollection collection;
    symbols = &collection.getSymbolTable(getOperation());
    places.clear();
    SmallVector<te::LaunchOp> joins;
    getOperation().walk([&](te::LaunchOp launch) { joins.push_back(launch); });
    llvm::SetVector<Operation *> kernels;
    for (te::LaunchOp launch : joins) {
      auto kernel = symbols->lookup<te::KernelOp>(launch.getKernel());
      std::optional<SmallVector<int64_t>> offsets =
          kernel ? getOffsets(kernel) : std::nullopt;
      if (!offsets || !join(launch, *offsets))
        continue;
      kernels.insert(kernel);
      ++numJoined;
    }
    placeMembers();
    for (Operation *kernel : kernels)
      if (SymbolTable::symbolKnownUseEmpty(kernel, getOperation()))
        kernel->erase();
  }

private:
  /// Operations that use a buffer or views of it; false if that cannot be told.
  static bool findUsers(Value buffer, Block *block,
                        SmallVectorImpl<OpOperand *> &users) {
    for (OpOperand &use : buffer.getUses()) {
      Operation *user = use.getOwner();
      if (user->getBlock() != block)
        return false;
      if (mlir::isa<memref::CastOp, memref::CollapseShapeOp,
                    memref::ExpandShapeOp, te::BitcastOp>(user)) {
        if (!findUsers(user->getResult(0), block, users))
          return false;
        continue;
      }
      if (!mlir::isa<te::LaunchOp, LaunchOp>(user))
        return false;
      users.push_back(&use);
    }
    return true;
  }

  bool writes(OpOperand &use) {
    if (auto launch = dyn_cast<te::LaunchOp>(use.getOwner()))
      return use.getOperandNumber() >= launch.getInputs().size();
    auto launch = mlir::cast<LaunchOp>(use.getOwner());
    auto program = symbols->lookup<ProgramOp>(launch.getProgram());
    if (!program)
      return true;
    for (Operation &op : program.getBody().front()) {
      int32_t buffer;
      isa::Instruction insn = getInstruction(&op, &buffer);
      if (const isa::MemInsn *mem = insn.mem();
          mem && mem->store && buffer == int32_t(use.getOperandNumber()))
        return true;
    }
    return false;
  }

  /// Whether an allocation may lie anywhere, be written by nobody after `join`
  /// and, if it is the result, be used by nobody before.
  bool mayBePlaced(Value buffer, te::LaunchOp join, bool isResult) {
    auto alloc = buffer.getDefiningOp<memref::AllocOp>();
    SmallVector<OpOperand *> users;
    if (!alloc || !getBytes(buffer) || alloc->getBlock() != join->getBlock() ||
        !findUsers(buffer, alloc->getBlock(), users))
      return false;
    for (OpOperand *use : users) {
      Operation *user = use->getOwner();
      if (user == join)
        continue;
      if (user->isBeforeInBlock(join) ? isResult : writes(*use))
        return false;
      // Only vta-chain-programs can give a program an address within a buffer.
      auto launch = dyn_cast<LaunchOp>(user);
      if (launch && !llvm::all_of(launch.getOperands(), [](Value operand) {
            Value root = findPlace(operand).root;
            return root && getBytes(root);
          }))
        return false;
    }
    return true;
  }

  bool join(te::LaunchOp launch, ArrayRef<int64_t> offsets) {
    if (launch.getInits().size() != 1 ||
        launch.getInputs().size() != offsets.size())
      return false;
    // Reshapes stand for the allocations that they are whole.
    auto findAllocation = [](Value buffer) {
      auto [root, offset] = findPlace(buffer);
      return root && getBytes(root) == getBytes(buffer) ? root : Value();
    };
    Value result = findAllocation(launch.getInits().front());
    llvm::SmallSetVector<Value, 4> inputs;
    if (!result || !mayBePlaced(result, launch, /*isResult=*/true))
      return false;
    for (Value operand : launch.getInputs()) {
      Value input = findAllocation(operand);
      if (!input || !inputs.insert(input) || places.contains(input) ||
          !mayBePlaced(input, launch, /*isResult=*/false))
        return false;
    }
    for (auto [input, offset] : llvm::zip(inputs, offsets))
      places[input] = {result, offset};
    launch.erase();
    return true;
  }

  /// Makes one allocation of each tree of buffers.
  void placeMembers() {
    llvm::MapVector<Value, SmallVector<std::pair<memref::AllocOp, int64_t>>>
        trees;
    for (auto &[buffer, place] : places) {
      BufferPlace all{place};
      for (auto parent = places.find(all.root); parent != places.end();
           parent = places.find(all.root))
        all = {parent->second.root, all.offset + parent->second.offset};
      trees[all.root].push_back(
          {buffer.getDefiningOp<memref::AllocOp>(), all.offset});
    }
    for (auto &[root, members] : trees) {
      members.push_back({root.getDefiningOp<memref::AllocOp>(), 0});
      memref::AllocOp first = members.front().first;
      uint64_t alignment = 1;
      for (auto [alloc, offset] : members) {
        alignment =
            std::max<uint64_t>(alignment, alloc.getAlignment().value_or(1));
        if (alloc->isBeforeInBlock(first))
          first = alloc;
      }
      OpBuilder builder(first);
      Value bytes = memref::AllocOp::create(
          builder, first.getLoc(),
          MemRefType::get({*getBytes(root)}, builder.getI8Type()),
          builder.getI64IntegerAttr(alignment));
      for (auto [alloc, offset] : members) {
        builder.setInsertionPoint(alloc);
        Value shift =
            arith::ConstantIndexOp::create(builder, alloc.getLoc(), offset);
        alloc.replaceAllUsesWith(memref::ViewOp::create(builder, alloc.getLoc(),
                                                        alloc.getType(), bytes,
                                                        shift, ValueRange())
                                     .getResult());
        alloc.erase();
      }
    }
  }

  SymbolTable *symbols = nullptr;
  /// The result that a buffer is a part of, and where in it it begins.
  llvm::MapVector<Value, BufferPlace> places;
};

} // namespace
