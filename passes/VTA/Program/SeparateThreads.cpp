//===- SeparateThreads.cpp - Accumulators of threads in their own parts
//-----===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/VTA/Program/SeparateThreads.h"

#include "dialects/VTA/VTADialect.h"

#include "mlir/IR/IRMapping.h"
#include "mlir/Interfaces/ViewLikeInterface.h"
#include "llvm/ADT/EquivalenceClasses.h"
#include "llvm/ADT/SmallPtrSet.h"

#include <array>

using namespace mlir;
using namespace acc;
using namespace acc::vta;

namespace {

/// A buffer of accumulators.
struct Buffer {
  memref::AllocOp op;
  /// The operations that compute with it, in program order.
  SmallVector<Operation *> users;
  /// Some operation writes results into it: it is no parameter, which is only
  /// loaded and read.
  bool isResult = false;
  /// Everything that names it is a view, a transfer or a computation.
  bool isPlain = true;
};

/// Notes what \p value, a buffer or a view of it, is used for.
void collect(Value value, Buffer &buffer) {
  for (OpOperand &use : value.getUses()) {
    Operation *user = use.getOwner();
    if (mlir::isa<ViewLikeOpInterface>(user)) {
      collect(user->getResult(0), buffer);
    } else if (mlir::isa<GemmOp, ResetOp, AluOp>(user)) {
      auto alu = dyn_cast<AluOp>(user);
      buffer.isResult |= !alu || &use == &alu.getDstMutable();
      buffer.users.push_back(user);
    } else if (!mlir::isa<LoadOp, StoreOp>(user)) {
      buffer.isPlain = false;
    }
  }
}

using Readers = llvm::SmallPtrSet<Operation *, 8>;

/// Lets \p readers of \p value, a buffer or a view of it, read what \p map
/// has instead, which views and LOADs are made for.
void moveReaders(Value value, IRMapping &map, const Readers &readers) {
  for (OpOperand &use : llvm::make_early_inc_range(value.getUses())) {
    Operation *user = use.getOwner();
    OpBuilder builder(user);
    if (mlir::isa<ViewLikeOpInterface>(user)) {
      builder.clone(*user, map);
      moveReaders(user->getResult(0), map, readers);
    } else if (mlir::isa<LoadOp>(user)) {
      builder.clone(*user, map);
    } else if (readers.contains(user)) {
      use.set(map.lookup(value));
    }
  }
}

} // namespace

llvm::DenseMap<Operation *, unsigned>
acc::vta::separateThreads(FunctionOpInterface kernel, int64_t partSize,
                          llvm::function_ref<int64_t(memref::AllocOp)> sizeOf) {
  SmallVector<Buffer, 0> buffers;
  kernel.walk([&](memref::AllocOp op) {
    auto space =
        dyn_cast_or_null<MemorySpaceAttr>(op.getType().getMemorySpace());
    if (!space || space.getValue() != MemorySpace::Acc)
      return;
    buffers.push_back({op, {}, false, true});
    collect(op, buffers.back());
  });
  // Results that some operation has together belong to one thread.
  llvm::EquivalenceClasses<unsigned> threads;
  DenseMap<Operation *, unsigned> resultOf;
  for (auto [index, buffer] : llvm::enumerate(buffers)) {
    if (!buffer.isPlain)
      return DenseMap<Operation *, unsigned>();
    if (!buffer.isResult)
      continue;
    threads.insert(index);
    for (Operation *user : buffer.users) {
      auto [known, isNew] = resultOf.try_emplace(user, index);
      if (!isNew)
        threads.unionSets(known->second, index);
    }
  }
  // In program order, threads take the parts in turn.
  DenseMap<unsigned, unsigned> partOf;
  for (auto [index, buffer] : llvm::enumerate(buffers))
    if (buffer.isResult)
      partOf.try_emplace(threads.getLeaderValue(index), partOf.size() % kParts);
  if (partOf.size() < 2)
    return DenseMap<Operation *, unsigned>();
  // Who uses each buffer, by part.
  std::array<int64_t, kParts> sizes = {};
  SmallVector<std::array<Readers, kParts>, 0> readers(buffers.size());
  for (auto [index, buffer] : llvm::enumerate(buffers)) {
    for (Operation *user : buffer.users) {
      auto found = resultOf.find(user);
      if (found != resultOf.end())
        readers[index][partOf.lookup(threads.getLeaderValue(found->second))]
            .insert(user);
    }
    for (unsigned part = 0; part < kParts; ++part)
      if (!readers[index][part].empty())
        sizes[part] += sizeOf(buffer.op);
  }
  if (llvm::any_of(sizes, [&](int64_t size) { return size > partSize; }))
    return DenseMap<Operation *, unsigned>();
  DenseMap<Operation *, unsigned> parts;
  for (auto [index, buffer] : llvm::enumerate(buffers)) {
    unsigned used = 0;
    for (unsigned part = 0; part < kParts; ++part) {
      if (readers[index][part].empty())
        continue;
      Operation *op = buffer.op;
      if (used++ != 0) {
        IRMapping map;
        op = OpBuilder(buffer.op).clone(*buffer.op, map);
        moveReaders(buffer.op, map, readers[index][part]);
      }
      parts[op] = part;
    }
    // Nobody computes with it.
    if (used == 0)
      parts[buffer.op] = 0;
  }
  return parts;
}
