//===- JoinLoops.cpp - One loop over chunks of several operations ---------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Host/JoinLoops.h"

#include "dialects/CPU/CPUDialect.h"
#include "dialects/TE/TEDialect.h"
#include "passes/Host/Passes.h"
#include "passes/Host/VectorBody.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Interfaces/ViewLikeInterface.h"

using namespace mlir;

namespace acc::host {
#define GEN_PASS_DEF_HOSTJOINLOOPS
#include "passes/Host/Passes.h.inc"
} // namespace acc::host

using namespace acc;
using namespace acc::host;

/// Groups have at most so many operations: copies that make a tensor of
/// hundreds of others take turns with nothing.
static constexpr size_t kMostParts = 16;

namespace {

/// How iterations of a loop use an operand: all of them the whole of it, or
/// each a slice of its own.
struct Access {
  OpOperand *operand;
  bool writes;
  /// The dimension that the loop walks along.
  std::optional<int64_t> dim;
};

} // namespace

static bool isLoopNest(Operation *op) {
  if (auto linalg = dyn_cast<linalg::LinalgOp>(op))
    return linalg.hasPureBufferSemantics();
  auto copy = dyn_cast<memref::CopyOp>(op);
  return copy && isa<MemRefType>(copy.getSource().getType()) &&
         isa<MemRefType>(copy.getTarget().getType());
}

/// The extent of a loop whose iterations do not depend on each other; none if
/// it is open or there is no such loop.
static std::optional<int64_t> getOwnExtent(Operation *op, int64_t axis) {
  if (auto copy = dyn_cast<memref::CopyOp>(op)) {
    auto type = cast<MemRefType>(copy.getTarget().getType());
    if (axis >= type.getRank() || type.isDynamicDim(axis))
      return std::nullopt;
    return type.getDimSize(axis);
  }
  auto linalg = cast<linalg::LinalgOp>(op);
  if (axis >= linalg.getNumLoops() ||
      linalg.getIteratorTypesArray()[axis] != utils::IteratorType::parallel)
    return std::nullopt;
  int64_t extent = linalg.getStaticLoopRanges()[axis];
  return ShapedType::isDynamic(extent) ? std::nullopt : std::optional(extent);
}

/// The buffers that an operation uses; fails if iterations of the loop share
/// parts of one, or if what an iteration does depends on its number.
static FailureOr<SmallVector<Access>> getAccesses(Operation *op, int64_t axis) {
  SmallVector<Access> accesses;
  if (auto copy = dyn_cast<memref::CopyOp>(op)) {
    accesses.push_back({&copy.getSourceMutable(), false, axis});
    accesses.push_back({&copy.getTargetMutable(), true, axis});
    return accesses;
  }
  auto linalg = cast<linalg::LinalgOp>(op);
  // Chunks begin to count anew, and loads of the body are not cut.
  if (linalg.hasIndexSemantics() ||
      !llvm::all_of(
          linalg.getBlock()->without_terminator(),
          [](Operation &inner) { return isMemoryEffectFree(&inner); }))
    return failure();
  for (OpOperand &operand : op->getOpOperands()) {
    if (!isa<MemRefType>(operand.get().getType()))
      continue;
    Access access{&operand, linalg.isDpsInit(&operand), std::nullopt};
    AffineMap map = linalg.getMatchingIndexingMap(&operand);
    for (auto [dim, expr] : llvm::enumerate(map.getResults())) {
      if (!expr.isFunctionOfDim(axis))
        continue;
      if (!isa<AffineDimExpr>(expr) || access.dim)
        return failure();
      access.dim = dim;
    }
    accesses.push_back(access);
  }
  return accesses;
}

/// The buffer that a value is a view of, and where in it the dimension is; none
/// if a slice of the view is no slice of the buffer.
static std::pair<Value, std::optional<int64_t>>
findBase(Value value, std::optional<int64_t> dim) {
  while (auto view = value.getDefiningOp<ViewLikeOpInterface>()) {
    auto part = dyn_cast<memref::SubViewOp>(view.getOperation());
    if (dim) {
      bool whole =
          part && part.getSourceType().getRank() == part.getType().getRank();
      if (whole)
        whole = getConstantIntValue(part.getMixedOffsets()[*dim]) == 0 &&
                getConstantIntValue(part.getMixedStrides()[*dim]) == 1 &&
                part.getType().getDimSize(*dim) ==
                    part.getSourceType().getDimSize(*dim);
      if (!whole)
        dim = std::nullopt;
    }
    value = view.getViewSource();
  }
  return {value, dim};
}

/// Everything that uses a buffer or a view of it.
static void collectUsers(Value buffer, SmallVectorImpl<Operation *> &users) {
  for (Operation *user : buffer.getUsers()) {
    if (isa<ViewLikeOpInterface>(user) && user->getNumResults() == 1)
      collectUsers(user->getResult(0), users);
    else
      users.push_back(user);
  }
}

/// The largest buffer that only the group uses.
static void findOwnMemory(JoinableLoops &group,
                          ArrayRef<std::pair<Value, int64_t>> written) {
  for (auto [base, dim] : written) {
    auto alloc = base.getDefiningOp<memref::AllocOp>();
    if (!alloc || alloc->getBlock() != group.parts.front().op->getBlock())
      continue;
    SmallVector<Operation *> users;
    collectUsers(base, users);
    bool ours = llvm::all_of(users, [&](Operation *user) {
      return isa<memref::DimOp>(user) ||
             llvm::any_of(group.parts, [&](const JoinedLoop &part) {
               return part.op == user;
             });
    });
    int64_t bytes = (alloc.getType().getElementTypeBitWidth() + 7) / 8;
    for (int64_t size : alloc.getType().getShape())
      bytes *= ShapedType::isDynamic(size) ? 1 : size;
    if (!ours || bytes <= group.ownBytes)
      continue;
    group.own = alloc;
    group.dim = dim;
    group.ownBytes = bytes;
  }
}

JoinableLoops acc::host::findJoinableLoops(Operation *first, int64_t axis) {
  JoinableLoops group;
  if (!isLoopNest(first))
    return group;
  std::optional<int64_t> extent = getOwnExtent(first, axis);
  if (!extent || *extent < 2)
    return group;
  group.extent = *extent;
  // What is written has the same dimension everywhere.
  SmallVector<std::pair<Value, int64_t>> written;
  SmallVector<std::pair<Value, std::optional<int64_t>>> used;
  auto join = [&](Operation *op, int64_t axis) {
    FailureOr<SmallVector<Access>> accesses = getAccesses(op, axis);
    if (getOwnExtent(op, axis) != extent || failed(accesses))
      return false;
    auto newWritten = written;
    auto newUsed = used;
    for (const Access &access : *accesses) {
      auto [base, dim] = findBase(access.operand->get(), access.dim);
      newUsed.emplace_back(base, dim);
      if (access.writes && !dim)
        return false;
      if (access.writes)
        newWritten.emplace_back(base, *dim);
    }
    for (auto [base, dim] : newWritten)
      for (auto [other, otherDim] : newUsed)
        if (base == other && otherDim != dim)
          return false;
    written = newWritten;
    used = newUsed;
    group.parts.push_back({op, axis});
    return true;
  };
  // A loop along a buffer that the group has written, or else the same loop.
  auto guessAxis = [&](Operation *op) -> int64_t {
    for (int64_t loop = 0;; ++loop) {
      bool isLoop =
          isa<memref::CopyOp>(op)
              ? loop < cast<MemRefType>(
                           cast<memref::CopyOp>(op).getTarget().getType())
                           .getRank()
              : loop < cast<linalg::LinalgOp>(op).getNumLoops();
      if (!isLoop)
        return axis;
      FailureOr<SmallVector<Access>> accesses = getAccesses(op, loop);
      if (failed(accesses))
        continue;
      for (const Access &access : *accesses) {
        auto [base, dim] = findBase(access.operand->get(), access.dim);
        if (dim && llvm::is_contained(written, std::pair(base, *dim)))
          return loop;
      }
    }
  };
  if (!join(first, axis))
    return group;
  for (Operation *op = first->getNextNode();
       op && group.parts.size() < kMostParts; op = op->getNextNode()) {
    if (isLoopNest(op) ? !join(op, guessAxis(op))
                       : !isMemoryEffectFree(op) && !isa<memref::AllocOp>(op))
      break;
    if (op->hasTrait<OpTrait::IsTerminator>())
      break;
  }
  findOwnMemory(group, written);
  return group;
}

/// The size of the chunks of an operation that shares its loop, with the axis:
/// what a serial level before a parallel one says.
static std::optional<std::pair<int64_t, int64_t>> getSharedLoop(Operation *op) {
  auto schedule = op->getAttrOfType<te::ScheduleAttr>(te::TEDialect::kSchedule);
  if (!schedule || !isLoopNest(op))
    return std::nullopt;
  te::TileAttr serial = schedule.getLevel(te::LevelKind::Serial);
  if (!serial || serial.getLoopOrder().size() != 1)
    return std::nullopt;
  int64_t axis = serial.getLoopOrder().front();
  return std::pair(axis, serial.getSizeOf(axis));
}

/// What is left of a schedule inside of the shared loop.
static void forgetSharedLoop(Operation *op) {
  auto schedule = op->getAttrOfType<te::ScheduleAttr>(te::TEDialect::kSchedule);
  SmallVector<Attribute> rest;
  for (te::TileAttr level : schedule.getTiles().getAsRange<te::TileAttr>())
    if (level.getKind() != te::LevelKind::Serial &&
        level.getKind() != te::LevelKind::Parallel)
      rest.push_back(level);
  if (rest.empty()) {
    op->removeAttr(te::TEDialect::kSchedule);
    return;
  }
  MLIRContext *context = op->getContext();
  op->setAttr(te::TEDialect::kSchedule,
              te::ScheduleAttr::get(
                  context, ArrayAttr::get(context, rest), schedule.getCaches(),
                  schedule.getAccumulator(), schedule.getIntrinsic()));
}

/// `count` elements from `first` on along a dimension.
static Value slice(OpBuilder &builder, Location loc, Value buffer, int64_t dim,
                   Value first, int64_t count) {
  auto type = cast<MemRefType>(buffer.getType());
  SmallVector<OpFoldResult> offsets(type.getRank(), builder.getIndexAttr(0)),
      strides(type.getRank(), builder.getIndexAttr(1)),
      sizes = memref::getMixedSizes(builder, loc, buffer);
  offsets[dim] = first;
  sizes[dim] = builder.getIndexAttr(count);
  return memref::SubViewOp::create(builder, loc, buffer, offsets, sizes,
                                   strides);
}

/// A view of the group's memory as a view of a thread's slice of it.
static Value viewOwnMemory(OpBuilder &builder, Value value,
                           memref::AllocOp alloc, Value own, int64_t dim,
                           int64_t count) {
  if (value == alloc.getResult())
    return own;
  auto part = value.getDefiningOp<memref::SubViewOp>();
  Value source =
      viewOwnMemory(builder, part.getSource(), alloc, own, dim, count);
  SmallVector<OpFoldResult> sizes = part.getMixedSizes();
  sizes[dim] = builder.getIndexAttr(count);
  return memref::SubViewOp::create(builder, part.getLoc(), source,
                                   part.getMixedOffsets(), sizes,
                                   part.getMixedStrides());
}

namespace {

struct JoinLoopsPass : host::impl::HostJoinLoopsBase<JoinLoopsPass> {
  using HostJoinLoopsBase::HostJoinLoopsBase;

  void runOnOperation() override {
    SmallVector<Operation *> ops;
    getOperation().walk([&](Operation *op) {
      if (getSharedLoop(op))
        ops.push_back(op);
    });
    DenseSet<Operation *> done;
    for (Operation *op : ops) {
      if (done.contains(op))
        continue;
      auto [axis, size] = *getSharedLoop(op);
      JoinableLoops group = findJoinableLoops(op, axis);
      size_t count = 0;
      while (count < group.parts.size() &&
             getSharedLoop(group.parts[count].op) ==
                 std::pair(group.parts[count].axis, size))
        ++count;
      // All that use the memory of the group have to be in it.
      if (count < 2 || count < group.parts.size() || group.extent % size != 0) {
        op->emitOpError("shares no loop with those behind it over chunks of ")
            << size;
        return signalPassFailure();
      }
      for (const JoinedLoop &part : group.parts)
        done.insert(part.op);
      emit(group, size);
    }
  }

private:
  static void emit(JoinableLoops &group, int64_t size) {
    Operation *last = group.parts.back().op;
    OpBuilder builder(last);
    Location loc = last->getLoc();
    IndexBuilder index(builder, loc);
    Value own;
    if (group.own) {
      builder.setInsertionPoint(group.own);
      MemRefType type = group.own.getType();
      SmallVector<int64_t> shape(type.getShape());
      shape[group.dim] = size;
      own = memref::AllocOp::create(
          builder, group.own.getLoc(),
          MemRefType::get(shape, type.getElementType()),
          group.own.getDynamicSizes(), group.own.getAlignmentAttr());
      builder.setInsertionPoint(last);
    }
    auto loop = cpu::ParallelOp::create(
        builder, loc, index.constant(group.extent / size), own);
    builder.setInsertionPointToStart(&loop.getBody().front());
    Value first = index.mul(loop.getChunk(), size);
    for (const JoinedLoop &part : group.parts) {
      SmallVector<Access> accesses = *getAccesses(part.op, part.axis);
      SmallVector<Value> operands(part.op->getOperands());
      for (const Access &access : accesses) {
        Value buffer = access.operand->get();
        auto [base, dim] = findBase(buffer, access.dim);
        Value &operand = operands[access.operand->getOperandNumber()];
        if (group.own && base == group.own.getResult())
          operand = viewOwnMemory(builder, buffer, group.own,
                                  loop.getOwnMemory(), group.dim, size);
        else if (access.dim)
          operand = slice(builder, loc, buffer, *access.dim, first, size);
      }
      Operation *inner = builder.clone(*part.op);
      inner->setOperands(operands);
      forgetSharedLoop(inner);
    }
    for (const JoinedLoop &part : group.parts)
      part.op->erase();
  }
};

} // namespace
