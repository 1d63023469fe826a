//===- VectorNest.cpp - A linalg op as loops over vectors -----------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Host/VectorNest.h"

using namespace mlir;
using namespace acc::host;

/// Lanes of strided reads come out of one wide load up to this stride.
static constexpr int64_t kWidestShuffle = 4;

/// So many sums hide the latency of adding to one, and fit all register files.
static constexpr int64_t kMostRows = 8;

/// Sizes known at run time only are taken to be this large.
static constexpr int64_t kLikelySize = 1 << 20;

/// Whether a vector of elements that far from each other can be read at once.
static bool isNear(const Product &step) {
  return step.sizes.empty() && step.factor >= 0 &&
         step.factor <= kWidestShuffle;
}

Product Product::operator*(const Product &other) const {
  Product result{factor * other.factor, sizes};
  llvm::append_range(result.sizes, other.sizes);
  llvm::sort(result.sizes);
  return result;
}

/// The size of a buffer's dimension; each that is not static has a number.
Product VectorNest::sizeOf(OpBuilder &builder, Value buffer, int64_t dim) {
  int64_t known = cast<MemRefType>(buffer.getType()).getDimSize(dim);
  if (!ShapedType::isDynamic(known))
    return {known, {}};
  sizes.push_back(memref::DimOp::create(builder, op.getLoc(), buffer, dim));
  return {1, {static_cast<unsigned>(sizes.size() - 1)}};
}

/// A loop has the size of any dimension that it alone walks along.
bool VectorNest::addLoops(OpBuilder &builder) {
  SmallVector<std::pair<Value, int64_t>> origins(op.getNumLoops());
  for (OpOperand &operand : op->getOpOperands()) {
    auto type = dyn_cast<MemRefType>(operand.get().getType());
    AffineMap map = op.getMatchingIndexingMap(&operand);
    for (auto [index, expr] : llvm::enumerate(map.getResults())) {
      auto dim = dyn_cast<AffineDimExpr>(expr);
      if (!type || !dim)
        continue;
      auto &origin = origins[dim.getPosition()];
      if (!origin.first || !type.isDynamicDim(index))
        origin = {operand.get(), index};
    }
  }
  SmallVector<utils::IteratorType> kinds = op.getIteratorTypesArray();
  for (auto [axis, origin] : llvm::enumerate(origins)) {
    if (!origin.first)
      return false;
    loops.push_back({sizeOf(builder, origin.first, origin.second),
                     kinds[axis] == utils::IteratorType::reduction,
                     {static_cast<int64_t>(axis)},
                     {}});
    if (loops.back().extent.isZero())
      return false;
  }
  return true;
}

/// A part of a larger buffer, of which neither offset nor strides need be
/// known.
bool VectorNest::flattenSlice(OpBuilder &builder, VectorOperand &entry,
                              SmallVectorImpl<Product> &strides) {
  Location loc = op.getLoc();
  Value buffer = entry.operand->get();
  auto type = cast<MemRefType>(buffer.getType());
  SmallVector<int64_t> known;
  int64_t offset = 0;
  if (failed(type.getStridesAndOffset(known, offset)))
    return false;
  auto metadata =
      memref::ExtractStridedMetadataOp::create(builder, loc, buffer);
  IndexBuilder index(builder, loc);
  Value extent = index.constant(1);
  for (auto [i, stride] : llvm::enumerate(known)) {
    Value step = index.constant(stride);
    if (ShapedType::isDynamic(stride)) {
      step = metadata.getStrides()[i];
      strides.push_back({1, {static_cast<unsigned>(sizes.size())}});
      sizes.push_back(step);
    } else {
      strides.push_back({stride, {}});
    }
    Value size =
        memref::DimOp::create(builder, loc, buffer, static_cast<int64_t>(i));
    extent = index.add(extent, index.mul(index.add(size, -1), step));
  }
  OpFoldResult start = ShapedType::isDynamic(offset)
                           ? OpFoldResult(metadata.getOffset())
                           : OpFoldResult(builder.getIndexAttr(offset));
  auto flat = MemRefType::get(
      {ShapedType::kDynamic}, type.getElementType(),
      StridedLayoutAttr::get(builder.getContext(), offset, {1}));
  entry.memref = memref::ReinterpretCastOp::create(
      builder, loc, flat, buffer, start, ArrayRef<OpFoldResult>{extent},
      ArrayRef<OpFoldResult>{builder.getIndexAttr(1)});
  return true;
}

/// Makes a buffer one dimension.
bool VectorNest::flattenBuffer(OpBuilder &builder, VectorOperand &entry,
                               SmallVectorImpl<Product> &strides) {
  Location loc = op.getLoc();
  Value buffer = entry.operand->get();
  auto type = cast<MemRefType>(buffer.getType());
  if (type.hasStaticShape())
    if (FailureOr<FlatView> view = flatten(builder, loc, buffer);
        succeeded(view)) {
      entry.memref = view->memref;
      for (int64_t stride : view->strides)
        strides.push_back({stride, {}});
      return true;
    }
  if (!type.getLayout().isIdentity())
    return flattenSlice(builder, entry, strides);
  AffineMap map = op.getMatchingIndexingMap(entry.operand);
  Product stride;
  IndexBuilder index(builder, loc);
  Value total = index.constant(1);
  for (int64_t dim = type.getRank() - 1; dim >= 0; --dim) {
    strides.insert(strides.begin(), stride);
    // What a loop walks along is as long as the loop, under one name.
    auto walked = dyn_cast<AffineDimExpr>(map.getResult(dim));
    stride = stride * (walked ? loops[walked.getPosition()].extent
                              : sizeOf(builder, buffer, dim));
    total =
        index.mul(total, builder.createOrFold<memref::DimOp>(loc, buffer, dim));
  }
  entry.memref = buffer;
  if (type.getRank() == 1)
    return true;
  auto flat = MemRefType::get({ShapedType::kDynamic}, type.getElementType());
  entry.memref = memref::ReinterpretCastOp::create(
      builder, loc, flat, buffer, OpFoldResult(builder.getIndexAttr(0)),
      ArrayRef<OpFoldResult>{total},
      ArrayRef<OpFoldResult>{builder.getIndexAttr(1)});
  return true;
}

bool VectorNest::addOperand(OpBuilder &builder, OpOperand &operand) {
  VectorOperand entry;
  entry.operand = &operand;
  entry.element = getElementTypeOrSelf(operand.get().getType());
  SmallVector<Product> steps(loops.size(), Product{0, {}});
  // The window of a pooling operator has a shape but no values.
  bool used =
      op.payloadUsesValueFromOperand(&operand) || op.isDpsInit(&operand);
  if (isa<MemRefType>(operand.get().getType()) && used) {
    SmallVector<Product> strides;
    if (!entry.element.isIntOrFloat() ||
        !flattenBuffer(builder, entry, strides))
      return false;
    AffineMap map = op.getMatchingIndexingMap(&operand);
    for (auto [expr, stride] : llvm::zip(map.getResults(), strides)) {
      SmallVector<int64_t> flat;
      if (!expr.isPureAffine() ||
          failed(getFlattenedAffineExpr(expr, map.getNumDims(), 0, &flat)) ||
          flat.size() != map.getNumDims() + 1)
        return false;
      for (unsigned dim = 0; dim < map.getNumDims(); ++dim) {
        Product step = stride * Product{flat[dim], {}};
        if (step.isZero())
          continue;
        if (steps[dim].isZero())
          steps[dim] = step;
        else if (llvm::equal(steps[dim].sizes, step.sizes))
          steps[dim].factor += step.factor;
        else
          return false;
      }
      if (flat.back() != 0 && !stride.sizes.empty())
        return false;
      entry.offset += flat.back() * stride.factor;
    }
    if (entry.element.isInteger(1)) {
      auto type = cast<MemRefType>(entry.memref.getType());
      entry.memref = UnrealizedConversionCastOp::create(
                         builder, op.getLoc(),
                         MemRefType::get(type.getShape(), builder.getI8Type(),
                                         type.getLayout()),
                         entry.memref)
                         .getResult(0);
    }
  }
  for (auto [loop, step] : llvm::zip(loops, steps))
    loop.steps.push_back(step);
  operands.push_back(entry);
  return true;
}

/// The tables stand behind the operands: a loop moves from one to the next, or
/// stays.
bool VectorNest::addTables(OpBuilder &builder) {
  for (const ByteTable &table : tables) {
    FailureOr<FlatView> view =
        flatten(builder, op.getLoc(), table.load->getOperand(0));
    if (failed(view) || view->strides[1] != 1)
      return false;
    for (auto [axis, loop] : llvm::enumerate(loops))
      loop.steps.push_back(
          {table.axis == int64_t(axis) ? view->strides[0] : 0, {}});
    tableViews.push_back(*view);
  }
  return true;
}

/// Whether all iterations of a loop read the same tables.
bool VectorNest::keepsTables(const VectorLoop &loop) const {
  return llvm::all_of(ArrayRef(loop.steps).drop_front(operands.size()),
                      [](const Product &step) { return step.isZero(); });
}

/// Drops loops of one iteration and joins those that walk on where the next
/// inner one ends.
void VectorNest::coalesce() {
  llvm::erase_if(loops,
                 [](const VectorLoop &loop) { return loop.extent.is(1); });
  for (size_t i = loops.size(); i > 1; --i) {
    VectorLoop &outer = loops[i - 2], &inner = loops[i - 1];
    // What is cut into chunks keeps the loops that its chunks are made of.
    bool joins = outer.reduction == inner.reduction && inner.chunk == 0 &&
                 (outer.chunk == 0 || inner.extent.sizes.empty());
    for (auto [far, near] : llvm::zip(outer.steps, inner.steps))
      joins &= far == near * inner.extent;
    if (!joins)
      continue;
    inner.chunk = outer.chunk * inner.extent.factor;
    inner.extent = outer.extent * inner.extent;
    inner.axes.append(outer.axes);
    loops.erase(loops.begin() + (i - 2));
  }
}

Operation *acc::host::findCombiner(linalg::LinalgOp op, OpOperand *init) {
  BlockArgument running = op.getMatchingBlockArgument(init);
  unsigned number = init->getOperandNumber() - op.getNumDpsInputs();
  Operation *combiner =
      op.getBlock()->getTerminator()->getOperand(number).getDefiningOp();
  bool combines =
      combiner && running.hasOneUse() && combiner == *running.user_begin() &&
      combiner->getResult(0).hasOneUse() && combiner->getNumOperands() == 2 &&
      arith::getNeutralElement(combiner);
  return combines ? combiner : nullptr;
}

bool VectorNest::canReduce(const VectorLoop &loop) {
  if (!loop.reduction || !keepsTables(loop))
    return false;
  for (auto [operand, step] : llvm::zip(operands, loop.steps)) {
    if (op.isDpsInit(operand.operand)) {
      if (!step.isZero() || !findCombiner(op, operand.operand))
        return false;
    } else if (!isNear(step)) {
      return false;
    }
  }
  return true;
}

/// Whether neighbouring iterations write, and read, neighbouring elements.
bool VectorNest::isContiguous(const VectorLoop &loop) {
  bool contiguous = !loop.reduction && keepsTables(loop);
  for (auto [operand, step] : llvm::zip(operands, loop.steps))
    contiguous &= op.isDpsInit(operand.operand) ? step.is(1) : isNear(step);
  return contiguous;
}

bool VectorNest::isCrossed(size_t operand) const {
  return rowLoop && !loops[vectorLoop].reduction &&
         !isNear(loops[vectorLoop].steps[operand]);
}

/// Whether the results are contiguous along the vectors, and each operand along
/// these or along the rows.
bool VectorNest::canCross(const VectorLoop &rows) {
  const VectorLoop &vector = loops[vectorLoop];
  if (&rows == &vector || rows.reduction || vector.reduction ||
      !keepsTables(rows) || !keepsTables(vector))
    return false;
  for (auto [operand, far, near] :
       llvm::zip(operands, vector.steps, rows.steps))
    if (op.isDpsInit(operand.operand) ? !far.is(1)
                                      : !isNear(far) && !near.is(1))
      return false;
  return true;
}

/// In a product of matrices, rows of the result multiply the same vectors of
/// the second factor. Without `vectors` it may be the same numbers for all
/// lanes, too: rows of a depthwise convolution have one filter.
bool VectorNest::canShareRows(size_t index, bool vectors) {
  bool reduces = llvm::any_of(
      loops, [](const VectorLoop &loop) { return loop.reduction; });
  const VectorLoop &vector = loops[vectorLoop], &rows = loops[index];
  // Whether an operand is read anew in every step of a reduction.
  auto reads = [&](size_t operand) {
    return llvm::any_of(loops, [&](const VectorLoop &loop) {
      return loop.reduction && !loop.steps[operand].isZero();
    });
  };
  if (!reduces || vector.reduction || rows.reduction || index == vectorLoop)
    return false;
  for (auto [o, operand] : llvm::enumerate(operands))
    if (operand.memref && !op.isDpsInit(operand.operand) &&
        rows.steps[o].isZero() &&
        (!vector.steps[o].isZero() || (!vectors && reads(o))))
      return true;
  return false;
}

/// Windows that overlap: what a row reads in a turn of a reduction, the next
/// row reads in an earlier one.
bool VectorNest::canOverlapRows(size_t index) const {
  const VectorLoop &rows = loops[index];
  if (rows.reduction || index == vectorLoop || loops[vectorLoop].reduction)
    return false;
  auto overlaps = [&](size_t operand, const VectorLoop &window) {
    const Product &far = rows.steps[operand], &near = window.steps[operand];
    return window.reduction && !far.isZero() && !near.isZero() &&
           far.sizes == near.sizes && far.factor % near.factor == 0 &&
           window.extent.sizes.empty() &&
           far.factor / near.factor < window.extent.factor;
  };
  for (auto [o, operand] : llvm::enumerate(operands))
    if (operand.memref &&
        llvm::any_of(loops, [&, o = o](const VectorLoop &window) {
          return overlaps(o, window);
        }))
      return true;
  return false;
}

/// How many rows are computed side by side: overlapping windows share what they
/// read only if all of it is unrolled.
int64_t VectorNest::countRows(size_t index) {
  const Product &extent = loops[index].extent;
  int64_t most =
      extent.sizes.empty() ? std::min(extent.factor, kMostRows) : kMostRows;
  if (canShareRows(index, /*vectors=*/false))
    return most;
  int64_t turns = 1;
  for (const VectorLoop &loop : loops)
    if (loop.reduction)
      turns *= loop.extent.sizes.empty() ? loop.extent.factor : kMostUnrolled;
  return std::min(most, kMostUnrolled / std::max<int64_t>(turns, 1));
}

/// The loop that a level of the schedule is about.
FailureOr<size_t> VectorNest::findLoop(te::TileAttr level) {
  SmallVector<int64_t> axes = level.getLoopOrder();
  if (axes.size() == 1)
    for (auto [index, loop] : llvm::enumerate(loops))
      if (llvm::is_contained(loop.axes, axes[0]))
        return index;
  return op.emitOpError("has no loop for the level ") << level;
}

bool acc::host::namesVectors(te::ScheduleAttr schedule) {
  return schedule && (schedule.getLevel(te::LevelKind::Vector) ||
                      schedule.getLevel(te::LevelKind::Register));
}

/// Takes the sizes of chunks from a level of kind `parallel`, before loops are
/// joined. What chunks write must be theirs alone.
bool VectorNest::cutChunks(te::TileAttr level) {
  for (int64_t axis : level.getLoopOrder()) {
    if (axis >= static_cast<int64_t>(loops.size()) || loops[axis].reduction)
      return false;
    for (auto [operand, step] : llvm::zip(operands, loops[axis].steps))
      if (op.isDpsInit(operand.operand) && step.isZero() &&
          !loops[axis].extent.is(1))
        return false;
    loops[axis].chunk = level.getSizeOf(axis);
  }
  return true;
}

/// Takes the lanes from a level of kind `vector` and the rows from one of kind
/// `register`.
LogicalResult VectorNest::obey(te::ScheduleAttr schedule, int64_t mostLanes) {
  te::TileAttr vector = schedule.getLevel(te::LevelKind::Vector),
               registers = schedule.getLevel(te::LevelKind::Register),
               parallel = schedule.getLevel(te::LevelKind::Parallel);
  unsigned known = (vector ? 1 : 0) + (registers ? 1 : 0) + (parallel ? 1 : 0);
  if ((!vector && (registers || !parallel)) ||
      schedule.getTiles().size() != known)
    return op.emitOpError("needs a schedule of a level of kind vector, at most "
                          "one of kind register and one of kind parallel, "
                          "not ")
           << schedule;
  if (!vector)
    return success(decide());
  FailureOr<size_t> loop = findLoop(vector);
  if (failed(loop))
    return failure();
  vectorLoop = *loop;
  bool crosses = false;
  if (registers) {
    if (failed(loop = findLoop(registers)))
      return failure();
    crosses = !isContiguous(loops[vectorLoop]) && canCross(loops[*loop]);
  }
  if (!crosses && !isContiguous(loops[vectorLoop]) &&
      !canReduce(loops[vectorLoop]))
    return op.emitOpError("cannot be vectorized as ")
           << vector << " says: its elements do not lie side by side";
  lanes = vector.getSizeOf(vector.getLoopOrder().front());
  if (lanes > mostLanes)
    return op.emitOpError("has a schedule with ")
           << lanes << " lanes; vectors of the processor have at most "
           << mostLanes;
  if (!registers)
    return success();
  rowLoop = *loop;
  rows = registers.getSizeOf(registers.getLoopOrder().front());
  if (crosses)
    return rows == lanes && llvm::isPowerOf2_64(lanes)
               ? success()
               : op.emitOpError("turns squares of a power of two of elements, "
                                "not ")
                     << lanes << " x " << rows;
  int64_t most = countRows(*loop);
  if ((!canShareRows(*loop, /*vectors=*/false) && !canOverlapRows(*loop)) ||
      rows > most)
    return op.emitOpError("cannot compute rows side by side as ")
           << registers << " says: "
           << (rows > most ? "there are too many"
                           : "they share no vectors that they read");
  return success();
}

//===----------------------------------------------------------------------===//
// The decision without a schedule
//===----------------------------------------------------------------------===//

/// The longest loop along which results are contiguous; without one, the
/// longest reduction.
bool VectorNest::chooseVectorLoop() {
  auto choose = [&](auto isPossible) {
    int64_t longest = 1;
    for (auto [i, loop] : llvm::enumerate(loops)) {
      int64_t extent =
          loop.extent.sizes.empty() ? loop.extent.factor : kLikelySize;
      if (extent <= longest || !isPossible(loop))
        continue;
      longest = extent;
      vectorLoop = i;
    }
    return longest > 1;
  };
  return choose([&](const VectorLoop &loop) { return isContiguous(loop); }) ||
         choose([&](const VectorLoop &loop) { return canReduce(loop); });
}

/// The innermost loop whose rows share vectors, or one of overlapping windows.
void VectorNest::chooseRowLoop() {
  for (bool vectors : {true, false}) {
    for (size_t index = 0; index < loops.size(); ++index)
      if (canShareRows(index, vectors))
        rowLoop = index;
    if (rowLoop)
      break;
  }
  for (size_t index = 0; index < loops.size() && !rowLoop; ++index)
    if (canOverlapRows(index) && countRows(index) > 1)
      rowLoop = index;
  if (rowLoop)
    rows = countRows(*rowLoop);
}

/// What is vectorized when no schedule says it.
bool VectorNest::decide() {
  if (!chooseVectorLoop())
    return false;
  chooseRowLoop();
  return true;
}

FailureOr<SmallVector<OperandSteps>>
acc::host::describeSteps(linalg::LinalgOp op) {
  if (!op.hasPureBufferSemantics() || !isVectorizable(*op.getBlock()))
    return failure();
  SmallVector<OperandSteps> result;
  for (OpOperand &operand : op->getOpOperands()) {
    Type element = getElementTypeOrSelf(operand.get().getType());
    if (!element.isIntOrFloat())
      return failure();
    OperandSteps entry{
        op.isDpsInit(&operand), std::max(8U, element.getIntOrFloatBitWidth()),
        SmallVector<std::optional<int64_t>>(op.getNumLoops(), 0)};
    auto type = dyn_cast<MemRefType>(operand.get().getType());
    bool used = entry.isInit || op.payloadUsesValueFromOperand(&operand);
    SmallVector<int64_t> strides;
    int64_t offset = 0;
    if (type && used && failed(type.getStridesAndOffset(strides, offset)))
      return failure();
    AffineMap map = op.getMatchingIndexingMap(&operand);
    for (auto [stride, expr] : llvm::zip(strides, map.getResults())) {
      SmallVector<int64_t> flat;
      if (!expr.isPureAffine() ||
          failed(getFlattenedAffineExpr(expr, map.getNumDims(), 0, &flat)) ||
          flat.size() != map.getNumDims() + 1)
        return failure();
      for (auto [step, factor] : llvm::zip(entry.steps, flat))
        if (factor != 0)
          step = step && !ShapedType::isDynamic(stride)
                     ? std::optional(*step + factor * stride)
                     : std::nullopt;
    }
    result.push_back(entry);
  }
  return result;
}

FailureOr<VectorNest> VectorNest::create(OpBuilder &builder,
                                         linalg::LinalgOp op,
                                         int64_t vectorBytes,
                                         StringRef lookupInstruction) {
  Block &body = *op.getBlock();
  auto schedule = op->getAttrOfType<te::ScheduleAttr>(te::TEDialect::kSchedule);
  auto fail = [&]() -> LogicalResult {
    return namesVectors(schedule)
               ? op.emitOpError("has a schedule, but cannot be computed "
                                "in vectors")
               : failure();
  };
  VectorNest nest(op);
  nest.lookupInstruction = lookupInstruction;
  if (!lookupInstruction.empty())
    nest.tables = findTables(body);
  if (!op.hasPureBufferSemantics() || !isVectorizable(body, nest.tables))
    return fail();
  if (!nest.addLoops(builder))
    return fail();
  unsigned widest = 8;
  for (OpOperand &operand : op->getOpOperands()) {
    if (!nest.addOperand(builder, operand))
      return fail();
    widest =
        std::max(widest, nest.operands.back().element.getIntOrFloatBitWidth());
  }
  if (!nest.addTables(builder))
    return fail();
  for (Operation &inner : body.without_terminator())
    if (inner.getResult(0).getType().isIntOrFloat())
      widest = std::max(widest,
                        inner.getResult(0).getType().getIntOrFloatBitWidth());
  if (schedule)
    if (te::TileAttr level = schedule.getLevel(te::LevelKind::Parallel);
        level && !nest.cutChunks(level))
      return op.emitOpError("cannot run chunks of ") << level << " in parallel";
  nest.coalesce();
  // Processors without vectors take one element after the other.
  nest.lanes = std::max<int64_t>(vectorBytes * 8 / widest, 1);
  if (nest.loops.empty())
    return fail();
  if (schedule ? failed(nest.obey(schedule, vectorBytes)) : !nest.decide())
    return failure();
  return nest;
}
