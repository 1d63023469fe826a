//===- EvaluateMemRefs.cpp - Compile-time meaning of memrefs --------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/VTA/Program/Evaluator.h"
#include "passes/VTA/Program/Kernels.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace acc;
using namespace acc::vta;

/// Gives \p view the sizes and the strides of a row-major buffer.
static void setRowMajor(View &view, ArrayRef<int64_t> sizes) {
  view.sizes.assign(sizes.begin(), sizes.end());
  view.strides.resize(sizes.size());
  int64_t stride = 1;
  for (int64_t dim = sizes.size() - 1; dim >= 0; --dim) {
    view.strides[dim] = stride;
    stride *= sizes[dim];
  }
}

LogicalResult Evaluator::runSubView(Operation &op) {
  auto subview = cast<memref::SubViewOp>(op);
  const View &source = getView(subview.getSource());
  auto [dropped, isNew] = droppedDims.try_emplace(&op);
  if (isNew)
    dropped->second = subview.getDroppedDims();
  View view;
  view.space = source.space;
  view.buffer = source.buffer;
  view.base = source.base;
  view.offset = source.offset;
  ArrayRef<int64_t> offsets = subview.getStaticOffsets();
  ArrayRef<int64_t> sizes = subview.getStaticSizes();
  ArrayRef<int64_t> strides = subview.getStaticStrides();
  auto dynamicOffset = subview.getOffsets().begin();
  auto dynamicSize = subview.getSizes().begin();
  auto dynamicStride = subview.getStrides().begin();
  auto next = [&](int64_t fixed, auto &dynamic) {
    return ShapedType::isDynamic(fixed) ? getInteger(*dynamic++) : fixed;
  };
  for (size_t dim = 0; dim < sizes.size(); ++dim) {
    int64_t offset = next(offsets[dim], dynamicOffset);
    int64_t size = next(sizes[dim], dynamicSize);
    int64_t stride = next(strides[dim], dynamicStride);
    int64_t last = offset + (size - 1) * stride;
    if (size > 0 && (offset < 0 || last < 0 || last >= source.sizes[dim]))
      return op.emitError() << "dimension " << dim << " of the subview spans ["
                            << offset << ", " << last << "], outside of the "
                            << source.sizes[dim] << " that there are";
    // The offset of an empty view may lie anywhere and is never used.
    view.offset += size > 0 ? offset * source.strides[dim] : 0;
    if (dropped->second.test(dim))
      continue;
    view.sizes.push_back(size);
    view.strides.push_back(stride * source.strides[dim]);
  }
  views[subview] = std::move(view);
  return success();
}

LogicalResult Evaluator::runAlloc(Operation &op) {
  auto alloc = cast<memref::AllocOp>(op);
  MemRefType type = alloc.getType();
  auto space = dyn_cast_or_null<MemorySpaceAttr>(type.getMemorySpace());
  if (!space || type.getRank() < 2)
    return op.emitError("buffer is in no memory of the accelerator");
  SmallVector<int64_t> sizes(type.getShape());
  auto dynamic = alloc.getDynamicSizes().begin();
  int64_t scalars = 1;
  for (int64_t &size : sizes) {
    if (ShapedType::isDynamic(size))
      size = std::max<int64_t>(getInteger(*dynamic++), 0);
    scalars *= size;
  }
  int64_t tile = sizes[sizes.size() - 1] * sizes[sizes.size() - 2];
  int64_t count = tile == 0 ? 0 : scalars / tile;
  View view;
  view.space = space.getValue();
  setRowMajor(view, sizes);
  if (measured) {
    int64_t &largest = (*measured)[&op];
    largest = std::max(largest, count);
  } else {
    auto offset = op.getAttrOfType<IntegerAttr>(kOffsetAttr);
    auto entries = op.getAttrOfType<IntegerAttr>(kEntriesAttr);
    if (!offset || !entries)
      return op.emitError("buffer has no place in a scratchpad; "
                          "vta-allocate-scratchpads assigns one");
    if (count > entries.getInt())
      return op.emitError()
             << "buffer has " << count << " elements here, but room for "
             << entries.getInt();
    view.base = offset.getInt() * tile;
  }
  views[alloc] = std::move(view);
  return success();
}

LogicalResult Evaluator::runMemRefOp(Operation &op) {
  return llvm::TypeSwitch<Operation *, LogicalResult>(&op)
      .Case([&](memref::SubViewOp) { return runSubView(op); })
      .Case([&](memref::AllocOp) { return runAlloc(op); })
      .Case([&](memref::CastOp cast) {
        assign(cast, cast.getSource());
        return success();
      })
      .Case([&](memref::ReinterpretCastOp cast) {
        View view = getView(cast.getSource());
        view.offset = getInteger(cast.getMixedOffsets().front());
        SmallVector<int64_t> sizes = getIntegers(cast.getMixedSizes());
        SmallVector<int64_t> strides = getIntegers(cast.getMixedStrides());
        view.sizes.assign(sizes.begin(), sizes.end());
        view.strides.assign(strides.begin(), strides.end());
        views[cast] = std::move(view);
        return success();
      })
      .Case([&](memref::CollapseShapeOp collapse) -> LogicalResult {
        View source = getView(collapse.getSrc()), view = source;
        view.sizes.clear();
        view.strides.clear();
        for (const ReassociationIndices &group :
             collapse.getReassociationIndices()) {
          int64_t size = 1, stride = 1;
          for (int64_t dim : llvm::reverse(group)) {
            if (source.sizes[dim] == 1)
              continue;
            if (size != 1 && source.strides[dim] != stride * size)
              return op.emitError(
                  "the collapsed dimensions are not contiguous");
            if (size == 1)
              stride = source.strides[dim];
            size *= source.sizes[dim];
          }
          view.sizes.push_back(size);
          view.strides.push_back(stride);
        }
        views[collapse] = std::move(view);
        return success();
      })
      .Case([&](memref::ExpandShapeOp expand) {
        View source = getView(expand.getSrc()), view = source;
        SmallVector<int64_t> sizes = getIntegers(expand.getMixedOutputShape());
        view.sizes.assign(sizes.begin(), sizes.end());
        view.strides.resize(sizes.size());
        for (auto [dim, group] :
             llvm::enumerate(expand.getReassociationIndices())) {
          int64_t stride = source.strides[dim];
          for (int64_t expanded : llvm::reverse(group)) {
            view.strides[expanded] = stride;
            stride *= sizes[expanded];
          }
        }
        views[expand] = std::move(view);
        return success();
      })
      .Case([&](memref::DimOp dim) -> LogicalResult {
        const View &view = getView(dim.getSource());
        int64_t index = getInteger(dim.getIndex());
        if (index < 0 || index >= int64_t(view.sizes.size()))
          return op.emitError() << "there is no dimension " << index;
        integers[dim] = view.sizes[index];
        return success();
      })
      .Case<memref::DeallocOp>([](auto) { return success(); })
      .Default([&](Operation *) { return runFold(op); });
}
