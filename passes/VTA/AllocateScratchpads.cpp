//===- AllocateScratchpads.cpp - Place buffers in their memories ----------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/VTA/Evaluator.h"
#include "passes/VTA/Kernels.h"
#include "passes/VTA/Passes.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"

namespace acc::vta {
#define GEN_PASS_DEF_VTAALLOCATESCRATCHPADS
#include "passes/VTA/Passes.h.inc"
} // namespace acc::vta

using namespace mlir;
using namespace acc;
using namespace acc::vta;

namespace {

/// A scratchpad buffer: from the op at position `begin` to that at `end`, in
/// the order of a walk, it needs `entries` hardware elements.
struct Buffer {
  memref::AllocOp op;
  unsigned begin = 0, end = 0;
  int64_t entries = 0, offset = 0;

  bool overlapsInTime(const Buffer &other) const {
    return begin <= other.end && other.begin <= end;
  }
};

struct AllocateScratchpads
    : vta::impl::VTAAllocateScratchpadsBase<AllocateScratchpads> {
  void runOnOperation() override {
    ConfigAttr config = ConfigAttr::lookup(getOperation());
    WalkResult result = getOperation().walk([&](FunctionOpInterface function) {
      if (!isKernel(function))
        return WalkResult::skip();
      if (!config) {
        function.emitError()
            << "kernel '" << function.getName() << "' needs a module with a '"
            << ConfigAttr::kName << "' attribute";
        return WalkResult::interrupt();
      }
      if (failed(allocate(function, config.getConfig())))
        return WalkResult::interrupt();
      return WalkResult::skip();
    });
    if (result.wasInterrupted())
      signalPassFailure();
  }

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
    positions.clear();
    measured.clear();
    unsigned next = 0;
    number(kernel, next);
    for (auto [space, memory] : {std::pair{MemorySpace::Inp, isa::Memory::Inp},
                                 {MemorySpace::Wgt, isa::Memory::Wgt},
                                 {MemorySpace::Acc, isa::Memory::Acc}}) {
      SmallVector<Buffer> buffers;
      WalkResult result = kernel.walk([&](memref::AllocOp op) {
        auto attribute =
            dyn_cast_or_null<MemorySpaceAttr>(op.getType().getMemorySpace());
        if (!attribute || attribute.getValue() != space)
          return WalkResult::advance();
        Buffer buffer;
        buffer.op = op;
        if (failed(measure(kernel, buffer)))
          return WalkResult::interrupt();
        std::tie(buffer.begin, buffer.end) = findLifetime(op);
        buffers.push_back(buffer);
        return WalkResult::advance();
      });
      if (result.wasInterrupted() ||
          failed(place(kernel, buffers, space, config.depth(memory))))
        return failure();
    }
    return success();
  }

  /// The largest sizes of buffers with dynamic ones.
  DenseMap<Operation *, int64_t> measured;

  LogicalResult measure(FunctionOpInterface kernel, Buffer &buffer) {
    MemRefType type = buffer.op.getType();
    if (type.getRank() < 2 || !type.getLayout().isIdentity() ||
        ShapedType::isDynamicShape(type.getShape().take_back(2)))
      return buffer.op.emitError()
             << "scratchpad buffer must have an identity layout and end in two "
             << "static dimensions, but its type is " << type;
    if (!type.hasStaticShape()) {
      if (measured.empty() && failed(Evaluator().measure(kernel, measured)))
        return failure();
      buffer.entries = measured.lookup(buffer.op);
      return success();
    }
    buffer.entries = 1;
    for (int64_t size : type.getShape().drop_back(2))
      buffer.entries *= size;
    return success();
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

  /// Offsets in \p buffers, those with \p conflict of two apart. Returns what
  /// did not fit, or null.
  template <typename Conflict>
  static Buffer *layOut(SmallVector<Buffer> &buffers, int64_t depth,
                        Conflict conflict) {
    SmallVector<Buffer *> order;
    for (Buffer &buffer : buffers)
      order.push_back(&buffer);
    llvm::stable_sort(
        order, [](Buffer *a, Buffer *b) { return a->entries > b->entries; });
    for (size_t i = 0; i < order.size(); ++i) {
      SmallVector<Buffer *> below;
      for (Buffer *other : ArrayRef(order).take_front(i))
        if (conflict(*other, *order[i]))
          below.push_back(other);
      llvm::sort(below,
                 [](Buffer *a, Buffer *b) { return a->offset < b->offset; });
      int64_t offset = 0;
      for (Buffer *other : below) {
        if (offset + order[i]->entries <= other->offset)
          break;
        offset = std::max(offset, other->offset + other->entries);
      }
      if (offset + order[i]->entries > depth)
        return order[i];
      order[i]->offset = offset;
    }
    return nullptr;
  }

  LogicalResult place(FunctionOpInterface kernel, SmallVector<Buffer> &buffers,
                      MemorySpace space, int64_t depth) {
    int64_t sum = 0;
    for (const Buffer &buffer : buffers)
      sum += buffer.entries;
    if (sum <= depth) {
      // In program order, which is easier to read than the order by size.
      int64_t offset = 0;
      for (Buffer &buffer : buffers) {
        buffer.offset = offset;
        offset += buffer.entries;
      }
    } else if (Buffer *unplaced =
                   layOut(buffers, depth, [](const Buffer &a, const Buffer &b) {
                     return a.overlapsInTime(b);
                   })) {
      int64_t live = 0;
      for (const Buffer &other : buffers)
        if (other.overlapsInTime(*unplaced))
          live += other.entries;
      auto error = unplaced->op.emitError()
                   << "kernel '" << kernel.getName() << "': the "
                   << stringifyMemorySpace(space) << " scratchpad has " << depth
                   << " elements, too few for a buffer of " << unplaced->entries
                   << ": with those live at the same time it needs up to "
                   << live;
      if (live > depth)
        error << ", " << live - depth << " more";
      return error;
    }
    Builder builder(&getContext());
    for (Buffer &buffer : buffers) {
      buffer.op->setAttr(kOffsetAttr, builder.getI64IntegerAttr(buffer.offset));
      buffer.op->setAttr(kEntriesAttr,
                         builder.getI64IntegerAttr(buffer.entries));
    }
    return success();
  }
};

} // namespace
