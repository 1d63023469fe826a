//===- TEAttributes.cpp - Attributes of the te dialect --------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/TE/TEDialect.h"

#include "llvm/ADT/SmallSet.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace acc::te;

using EmitError = function_ref<InFlightDiagnostic()>;

//===----------------------------------------------------------------------===//
// HostAttr
//===----------------------------------------------------------------------===//

StringRef HostAttr::getTargetName() const { return "cpu"; }

bool HostAttr::isHost() const { return true; }

//===----------------------------------------------------------------------===//
// MemoryAttr, TargetAttr
//===----------------------------------------------------------------------===//

LogicalResult MemoryAttr::verify(EmitError emitError, Attribute space,
                                 DenseI64ArrayAttr shape, Type type,
                                 int64_t capacity) {
  if (llvm::any_of(shape.asArrayRef(), [](int64_t size) { return size < 1; }))
    return emitError() << "the shape of an element of " << space
                       << " must be positive";
  if (capacity < 0)
    return emitError() << "the capacity of " << space
                       << " must not be negative, got " << capacity;
  return success();
}

static constexpr StringLiteral kRoles[] = {"argument", "input", "weight",
                                           "accumulator", "output"};

LogicalResult TargetAttr::verify(EmitError emitError, StringAttr name,
                                 ArrayAttr scratchpads, DictionaryAttr roles,
                                 bool onlyZero) {
  SmallVector<Attribute> spaces;
  for (Attribute attr : scratchpads) {
    auto memory = dyn_cast<MemoryAttr>(attr);
    if (!memory)
      return emitError() << "scratchpads must hold #te.memory, got " << attr;
    if (llvm::is_contained(spaces, memory.getSpace()))
      return emitError() << "there are two scratchpads " << memory.getSpace();
    spaces.push_back(memory.getSpace());
  }
  for (NamedAttribute role :
       roles ? roles.getValue() : ArrayRef<NamedAttribute>()) {
    StringRef key = role.getName().getValue();
    if (!llvm::is_contained(kRoles, key))
      return emitError() << "'" << key << "' is no role: expected "
                         << llvm::join(ArrayRef(kRoles), ", ");
    if (key != kRoles[0] && !llvm::is_contained(spaces, role.getValue()))
      return emitError() << "the role '" << key << "' is played by "
                         << role.getValue() << ", which is no scratchpad";
  }
  return success();
}

StringRef TargetAttr::getTargetName() const { return getName().getValue(); }

SmallVector<Memory> TargetAttr::getMemories() const {
  return llvm::map_to_vector(
      getScratchpads().getAsRange<MemoryAttr>(), [](MemoryAttr memory) {
        return Memory{memory.getSpace(),
                      SmallVector<int64_t>(memory.getShape().asArrayRef()),
                      memory.getType(), memory.getCapacity()};
      });
}

Attribute TargetAttr::getMemorySpace(Role role) const {
  return getRoles() ? getRoles().get(kRoles[static_cast<size_t>(role)])
                    : Attribute();
}

bool TargetAttr::canFill(const APInt &value) const {
  return !getOnlyZero() || value.isZero();
}

LogicalResult TargetAttr::emitIntrinsic(OpBuilder &builder, Location loc,
                                        IntrinOp intrin,
                                        const IntrinsicMatch &match) const {
  linalg::LinalgOp definition = intrin.getDefinition();
  SmallVector<Value> inputs, outputs;
  SmallVector<AffineMap> maps;
  auto collect = [&](Value operand, SmallVectorImpl<Value> &operands) {
    auto argument = dyn_cast<BlockArgument>(operand);
    if (!argument || !isa<MemRefType>(argument.getType()))
      return;
    // The match lists memrefs only.
    unsigned position = llvm::count_if(
        intrin.getBody().getArguments().take_front(argument.getArgNumber()),
        [](BlockArgument other) { return isa<MemRefType>(other.getType()); });
    operands.push_back(match.operands[position]);
    maps.push_back(match.maps[position]);
  };
  for (OpOperand *input : definition.getDpsInputOperands())
    collect(input->get(), inputs);
  for (Value init : definition.getDpsInits())
    collect(init, outputs);
  IssueOp::create(builder, loc, intrin.getSymName(), inputs, outputs,
                  match.bounds, maps, match.immediate);
  return success();
}

LogicalResult TargetAttr::emitRead(OpBuilder &builder, CacheReadOp read) const {
  builder.clone(*read);
  return success();
}

LogicalResult TargetAttr::emitWrite(OpBuilder &builder,
                                    CacheWriteOp write) const {
  builder.clone(*write);
  return success();
}

//===----------------------------------------------------------------------===//
// TileAttr
//===----------------------------------------------------------------------===//

SmallVector<int64_t> TileAttr::getLoopOrder() {
  if (getOrder())
    return llvm::to_vector(getOrder().asArrayRef());
  SmallVector<int64_t> order;
  for (auto [axis, size] : llvm::enumerate(getSizes().asArrayRef()))
    if (size != 0)
      order.push_back(axis);
  return order;
}

int64_t TileAttr::getSizeOf(int64_t axis) {
  ArrayRef<int64_t> sizes = getSizes().asArrayRef();
  return axis < static_cast<int64_t>(sizes.size()) ? sizes[axis] : 0;
}

LogicalResult TileAttr::verify(EmitError emitError, DenseI64ArrayAttr sizes,
                               DenseI64ArrayAttr order, LevelKind kind) {
  for (int64_t size : sizes.asArrayRef())
    if (size < 0)
      return emitError() << "tile sizes must not be negative, got " << size;
  bool ofOneAxis = kind == LevelKind::VThread || kind == LevelKind::Vector;
  if (ofOneAxis && llvm::count_if(sizes.asArrayRef(),
                                  [](int64_t size) { return size != 0; }) != 1)
    return emitError() << "a level of kind " << stringifyLevelKind(kind)
                       << " must have a size in one axis, got " << sizes;
  if (kind == LevelKind::Vector &&
      !llvm::isPowerOf2_64(*llvm::max_element(sizes.asArrayRef())))
    return emitError() << "the lanes of a vector must be a power of two, got "
                       << *llvm::max_element(sizes.asArrayRef());
  if (!order)
    return success();
  llvm::SmallSet<int64_t, 8> seen;
  for (int64_t axis : order.asArrayRef()) {
    if (axis < 0 || axis >= sizes.size() || sizes[axis] == 0)
      return emitError() << "order names axis " << axis
                         << ", which is not tiled";
    if (!seen.insert(axis).second)
      return emitError() << "order names axis " << axis << " twice";
  }
  for (auto [axis, size] : llvm::enumerate(sizes.asArrayRef()))
    if (size != 0 && !seen.contains(axis))
      return emitError() << "order omits the tiled axis " << axis;
  return success();
}

//===----------------------------------------------------------------------===//
// CacheAttr
//===----------------------------------------------------------------------===//

LogicalResult CacheAttr::verify(EmitError emitError, int64_t arg,
                                Attribute memory, int64_t level,
                                int64_t slots) {
  if (arg < 0)
    return emitError() << "arg must not be negative, got " << arg;
  if (level < 0)
    return emitError() << "level must not be negative, got " << level;
  if (slots < 1)
    return emitError() << "slots must be at least 1, got " << slots;
  return success();
}

//===----------------------------------------------------------------------===//
// ScheduleAttr
//===----------------------------------------------------------------------===//

SmallVector<TileAttr> ScheduleAttr::getSerialLevels() {
  return llvm::filter_to_vector(
      getTiles().getAsRange<TileAttr>(),
      [](TileAttr tile) { return tile.getKind() == LevelKind::Serial; });
}

TileAttr ScheduleAttr::getLevel(LevelKind kind) {
  for (TileAttr tile : getTiles().getAsRange<TileAttr>())
    if (tile.getKind() == kind)
      return tile;
  return {};
}

CacheAttr ScheduleAttr::getCacheOf(unsigned arg) {
  if (getCaches())
    for (CacheAttr cache : getCaches().getAsRange<CacheAttr>())
      if (cache.getArg() == arg)
        return cache;
  return {};
}

/// There is one level of a kind that is not serial, and virtual threads are of
/// an axis that is tiled.
static LogicalResult verifyKinds(function_ref<InFlightDiagnostic()> emitError,
                                 ArrayAttr tiles) {
  TileAttr first;
  llvm::SmallSet<LevelKind, 4> kinds;
  for (TileAttr tile : tiles.getAsRange<TileAttr>()) {
    LevelKind kind = tile.getKind();
    if (kind == LevelKind::Serial) {
      first = first ? first : tile;
      continue;
    }
    if (!kinds.insert(kind).second)
      return emitError() << "there are two levels of kind "
                         << stringifyLevelKind(kind);
    if (kind != LevelKind::VThread)
      continue;
    if (!first)
      return emitError() << "virtual threads need a serial level before them";
    int64_t axis = tile.getLoopOrder().front();
    if (first.getSizeOf(axis) == 0)
      return emitError() << "the virtual threads' axis " << axis
                         << " is not tiled in the first level";
  }
  return success();
}

LogicalResult ScheduleAttr::verify(EmitError emitError, ArrayAttr tiles,
                                   ArrayAttr caches, Attribute accumulator,
                                   FlatSymbolRefAttr intrinsic) {
  int64_t levels = 0;
  for (Attribute attribute : tiles) {
    auto tile = dyn_cast<TileAttr>(attribute);
    if (!tile)
      return emitError() << "tiles must hold #te.tile, got " << attribute;
    levels += tile.getKind() == LevelKind::Serial;
  }
  if (failed(verifyKinds(emitError, tiles)))
    return failure();
  llvm::SmallSet<int64_t, 8> seen;
  for (Attribute attr : caches ? caches.getValue() : ArrayRef<Attribute>()) {
    auto cache = dyn_cast<CacheAttr>(attr);
    if (!cache)
      return emitError() << "caches must hold #te.cache, got " << attr;
    if (!seen.insert(cache.getArg()).second)
      return emitError() << "argument " << cache.getArg() << " is cached twice";
    if (cache.getLevel() >= std::max<int64_t>(levels, 1))
      return emitError() << "argument " << cache.getArg()
                         << " is cached at level " << cache.getLevel()
                         << ", but there are " << levels
                         << " serial tile levels";
  }
  return success();
}
