//===- AllocateScratchpads.cpp - Place buffers in their memories ----------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Support/Placement.h"
#include "passes/VTA/Passes.h"
#include "passes/VTA/Program/Evaluator.h"
#include "passes/VTA/Program/Kernels.h"
#include "passes/VTA/Program/SeparateThreads.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"

#include <array>

namespace acc::vta {
#define GEN_PASS_DEF_VTAALLOCATESCRATCHPADS
#include "passes/VTA/Passes.h.inc"
} // namespace acc::vta

using namespace mlir;
using namespace acc;
using namespace acc::vta;

namespace {

/// The scratchpad buffers of one memory: the positions of `pieces` are those of
/// operations in the order of a walk, sizes are in hardware elements.
struct Buffers {
  SmallVector<memref::AllocOp> ops;
  SmallVector<Piece> pieces;
};

struct AllocateScratchpads
    : vta::impl::VTAAllocateScratchpadsBase<AllocateScratchpads> {
  using VTAAllocateScratchpadsBase::VTAAllocateScratchpadsBase;

  void runOnOperation() override {
    fromEnd = false;
    WalkResult result = getOperation().walk([&](FunctionOpInterface function) {
      ConfigAttr target = getTarget(function);
      if (!target)
        return WalkResult::skip();
      if (failed(allocate(function, target.getConfig())))
        return WalkResult::interrupt();
      fromEnd ^= alternate;
      return WalkResult::skip();
    });
    if (result.wasInterrupted())
      signalPassFailure();
  }

  /// Whether buffers of the current kernel are placed from the end of a memory
  /// on, not from its beginning.
  bool fromEnd = false;

  /// Position of every op, and of the last one nested in it.
  DenseMap<Operation *, std::pair<unsigned, unsigned>> positions;

  void number(Operation *op, unsigned &next) {
    unsigned first = next++;
    for (Region &region : op->getRegions())
      for (Operation &nested : region.getOps())
        number(&nested, next);
    positions[op] = {first, next - 1};
  }

  LogicalResult allocate(FunctionOpInterface kernel,
                         const isa::Config &config) {
    measured.clear();
    parts.clear();
    if (threadsApart && failed(separate(kernel, config)))
      return failure();
    positions.clear();
    unsigned next = 0;
    number(kernel, next);
    for (auto [space, memory] : {std::pair{MemorySpace::Inp, isa::Memory::Inp},
                                 {MemorySpace::Wgt, isa::Memory::Wgt},
                                 {MemorySpace::Acc, isa::Memory::Acc}}) {
      Buffers buffers;
      WalkResult result = kernel.walk([&](memref::AllocOp op) {
        auto attribute =
            dyn_cast_or_null<MemorySpaceAttr>(op.getType().getMemorySpace());
        if (!attribute || attribute.getValue() != space)
          return WalkResult::advance();
        FailureOr<int64_t> entries = measure(kernel, op);
        if (failed(entries))
          return WalkResult::interrupt();
        auto [first, last] = findLifetime(op);
        buffers.ops.push_back(op);
        buffers.pieces.push_back({*entries, first, last});
        return WalkResult::advance();
      });
      if (result.wasInterrupted() ||
          failed(place(kernel, buffers, space, config.depth(memory))))
        return failure();
    }
    return success();
  }

  /// Gives virtual threads parts of the accumulators, if those fit.
  LogicalResult separate(FunctionOpInterface kernel,
                         const isa::Config &config) {
    bool known = true;
    parts = separateThreads(kernel, config.depth(isa::Memory::Acc) / kParts,
                            [&](memref::AllocOp op) -> int64_t {
                              FailureOr<int64_t> size = measure(kernel, op);
                              known &= succeeded(size);
                              return size.value_or(0);
                            });
    // There may be new buffers.
    measured.clear();
    return success(known);
  }

  /// The parts in which buffers of accumulators are to lie; empty if anywhere.
  DenseMap<Operation *, unsigned> parts;
  /// The largest sizes of buffers with dynamic ones.
  DenseMap<Operation *, int64_t> measured;

  /// The hardware elements that a buffer needs.
  FailureOr<int64_t> measure(FunctionOpInterface kernel, memref::AllocOp op) {
    MemRefType type = op.getType();
    if (type.getRank() < 2 || !type.getLayout().isIdentity() ||
        ShapedType::isDynamicShape(type.getShape().take_back(2)))
      return op.emitError()
             << "scratchpad buffer must have an identity layout and end in two "
             << "static dimensions, but its type is " << type;
    if (!type.hasStaticShape()) {
      if (measured.empty() && failed(Evaluator().measure(kernel, measured)))
        return failure();
      return measured.lookup(op);
    }
    int64_t entries = 1;
    for (int64_t size : type.getShape().drop_back(2))
      entries *= size;
    return entries;
  }

  /// From the allocation to the end of the last op beside it that uses it, in
  /// whatever nested loop.
  std::pair<unsigned, unsigned> findLifetime(memref::AllocOp op) {
    auto [begin, end] = positions[op];
    SmallVector<Value> aliases = {op.getResult()};
    llvm::SmallDenseSet<Value> seen;
    while (!aliases.empty()) {
      Value alias = aliases.pop_back_val();
      if (!seen.insert(alias).second)
        continue;
      for (OpOperand &use : alias.getUses()) {
        Operation *user = use.getOwner();
        Operation *scope = op, *beside = nullptr;
        while (!(beside = scope->getBlock()->findAncestorOpInBlock(*user)))
          scope = scope->getParentOp();
        begin = std::min(begin, positions[scope].first);
        end = std::max(end, positions[beside].second);
        // Yielded and carried buffers live on under the names of results and of
        // region arguments; to follow all of them is never too little.
        for (Value result : user->getResults())
          if (mlir::isa<BaseMemRefType>(result.getType()))
            aliases.push_back(result);
        Operation *holder = user->hasTrait<OpTrait::IsTerminator>()
                                ? user->getParentOp()
                                : user;
        if (!mlir::isa<FunctionOpInterface>(holder)) {
          for (Value result : holder->getResults())
            if (mlir::isa<BaseMemRefType>(result.getType()))
              aliases.push_back(result);
          for (Region &region : holder->getRegions())
            for (BlockArgument argument : region.getArguments())
              if (mlir::isa<BaseMemRefType>(argument.getType()))
                aliases.push_back(argument);
        }
      }
    }
    return {begin, end};
  }

  LogicalResult place(FunctionOpInterface kernel, Buffers &buffers,
                      MemorySpace space, int64_t depth) {
    MutableArrayRef<Piece> pieces = buffers.pieces;
    if (space == MemorySpace::Acc && !parts.empty()) {
      placeParts(buffers, depth / kParts);
      return success();
    }
    int64_t sum = 0;
    // In program order, which is easier to read than the order by size.
    for (Piece &piece : pieces) {
      piece.offset = sum;
      sum += piece.size;
    }
    if (sum > depth && placePieces(pieces) > depth)
      return refuse(kernel, buffers, space, depth);
    for (auto [op, piece] : llvm::zip(buffers.ops, pieces))
      setPlace(op, piece, 0, depth);
    return success();
  }

  /// Places buffers one behind the other in their parts of \p size elements,
  /// which fit.
  void placeParts(Buffers &buffers, int64_t size) {
    std::array<int64_t, kParts> used = {};
    for (auto [op, piece] : llvm::zip(buffers.ops, buffers.pieces)) {
      const unsigned part = parts.lookup(op);
      piece.offset = used[part];
      used[part] = piece.end();
      setPlace(op, piece, part * size, size);
    }
  }

  /// Writes the place of \p piece in the \p depth elements from \p base on.
  void setPlace(memref::AllocOp op, const Piece &piece, int64_t base,
                int64_t depth) {
    Builder builder(&getContext());
    int64_t offset = base + (fromEnd ? depth - piece.end() : piece.offset);
    op->setAttr(kOffsetAttr, builder.getI64IntegerAttr(offset));
    op->setAttr(kEntriesAttr, builder.getI64IntegerAttr(piece.size));
  }

  /// Reports the largest of the buffers that do not fit.
  LogicalResult refuse(FunctionOpInterface kernel, const Buffers &buffers,
                       MemorySpace space, int64_t depth) {
    ArrayRef<Piece> pieces = buffers.pieces;
    const Piece *largest = nullptr;
    for (const Piece &piece : pieces)
      if (piece.end() > depth && (!largest || piece.size > largest->size))
        largest = &piece;
    int64_t live = 0;
    for (const Piece &piece : pieces)
      if (piece.overlapsInTime(*largest))
        live += piece.size;
    memref::AllocOp op = buffers.ops[largest - pieces.begin()];
    auto error = op.emitError()
                 << "kernel '" << kernel.getName() << "': the "
                 << stringifyMemorySpace(space) << " scratchpad has " << depth
                 << " elements, too few for a buffer of " << largest->size
                 << ": with those live at the same time it needs up to "
                 << live;
    if (live > depth)
      error << ", " << live - depth << " more";
    return error;
  }
};

} // namespace
