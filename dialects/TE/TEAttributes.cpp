//===- TEAttributes.cpp - Attributes of the te dialect --------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/TE/TEDialect.h"

#include "llvm/ADT/SmallSet.h"

using namespace mlir;
using namespace acc::te;

using EmitError = function_ref<InFlightDiagnostic()>;

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

LogicalResult TileAttr::verify(EmitError emitError, DenseI64ArrayAttr sizes,
                               DenseI64ArrayAttr order) {
  for (int64_t size : sizes.asArrayRef())
    if (size < 0)
      return emitError() << "tile sizes must not be negative, got " << size;
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
// VThreadAttr, CacheAttr
//===----------------------------------------------------------------------===//

LogicalResult VThreadAttr::verify(EmitError emitError, int64_t axis,
                                  int64_t count) {
  if (axis < 0)
    return emitError() << "axis must not be negative, got " << axis;
  if (count < 1)
    return emitError() << "count must be at least 1, got " << count;
  return success();
}

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

SmallVector<TileAttr> ScheduleAttr::getLevels() {
  return llvm::to_vector(getTiles().getAsRange<TileAttr>());
}

CacheAttr ScheduleAttr::getCacheOf(unsigned arg) {
  if (getCaches())
    for (CacheAttr cache : getCaches().getAsRange<CacheAttr>())
      if (cache.getArg() == arg)
        return cache;
  return {};
}

LogicalResult ScheduleAttr::verify(EmitError emitError, ArrayAttr tiles,
                                   VThreadAttr vthread, ArrayAttr caches,
                                   Attribute accumulator,
                                   FlatSymbolRefAttr intrinsic) {
  for (Attribute tile : tiles)
    if (!isa<TileAttr>(tile))
      return emitError() << "tiles must hold #te.tile, got " << tile;
  if (vthread) {
    if (tiles.empty())
      return emitError() << "virtual threads need a tile level";
    auto sizes = cast<TileAttr>(tiles[0]).getSizes();
    if (vthread.getAxis() >= sizes.size() || sizes[vthread.getAxis()] == 0)
      return emitError() << "the virtual threads' axis " << vthread.getAxis()
                         << " is not tiled in the first level";
  }
  llvm::SmallSet<int64_t, 8> seen;
  for (Attribute attr : caches ? caches.getValue() : ArrayRef<Attribute>()) {
    auto cache = dyn_cast<CacheAttr>(attr);
    if (!cache)
      return emitError() << "caches must hold #te.cache, got " << attr;
    if (!seen.insert(cache.getArg()).second)
      return emitError() << "argument " << cache.getArg() << " is cached twice";
    if (cache.getLevel() >= std::max<int64_t>(tiles.size(), 1))
      return emitError() << "argument " << cache.getArg()
                         << " is cached at level " << cache.getLevel()
                         << ", but there are " << tiles.size()
                         << " tile levels";
  }
  return success();
}
