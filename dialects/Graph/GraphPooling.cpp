//===- GraphPooling.cpp - Pooling operators -------------------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Graph/GraphPooling.h"
#include "dialects/Graph/Inference.h"

using namespace mlir;
using namespace acc::graph;

/// The first output along an axis whose window meets nothing but padding.
static std::optional<int64_t> findEmptyWindow(int64_t size, int64_t outputs,
                                              int64_t kernel, int64_t stride,
                                              int64_t padBegin,
                                              int64_t dilation) {
  for (int64_t output = 0; output < outputs; ++output) {
    int64_t start = output * stride - padBegin;
    int64_t skipped = start < 0 ? (-start + dilation - 1) / dilation : 0;
    if (skipped >= kernel || start + skipped * dilation >= size)
      return output;
  }
  return std::nullopt;
}

static LogicalResult inferPool(InferenceSite site, Type type,
                               WindowAttributes windows,
                               SmallVectorImpl<Type> &types) {
  auto input = cast<RankedTensorType>(type);
  if (failed(rejectPerAxis(site, input)))
    return failure();
  if (input.getRank() < 3)
    return site.error("input has rank ", input.getRank(),
                      " but needs a batch, a channel and a spatial axis");
  ArrayRef<int64_t> spatial = input.getShape().drop_front(2);
  FailureOr<SmallVector<int64_t>> sizes = inferWindows(site, spatial, windows);
  if (failed(sizes))
    return failure();
  for (auto [axis, size] : llvm::enumerate(*sizes))
    if (std::optional<int64_t> empty = findEmptyWindow(
            spatial[axis], size, windows.kernel[axis], windows.strides[axis],
            windows.pads[axis], windows.dilations[axis]))
      return site.error("window ", *empty, " along spatial axis ", axis,
                        " holds nothing but padding");
  SmallVector<int64_t> shape(input.getShape().take_front(2));
  llvm::append_range(shape, *sizes);
  return inferTensor(site, shape, input.getElementType(), types);
}

LogicalResult MaxPoolOp::inferReturnTypes(MLIRContext *,
                                          std::optional<Location> location,
                                          Adaptor adaptor,
                                          SmallVectorImpl<Type> &types) {
  return inferPool({location, getOperationName()}, adaptor.getInput().getType(),
                   {adaptor.getKernelShape(), adaptor.getStrides(),
                    adaptor.getPads(), adaptor.getDilations()},
                   types);
}

LogicalResult AveragePoolOp::inferReturnTypes(MLIRContext *,
                                              std::optional<Location> location,
                                              Adaptor adaptor,
                                              SmallVectorImpl<Type> &types) {
  return inferPool({location, getOperationName()}, adaptor.getInput().getType(),
                   {adaptor.getKernelShape(), adaptor.getStrides(),
                    adaptor.getPads(), adaptor.getDilations()},
                   types);
}

LogicalResult GlobalAveragePoolOp::inferReturnTypes(
    MLIRContext *, std::optional<Location> location, Adaptor adaptor,
    SmallVectorImpl<Type> &types) {
  InferenceSite site{location, getOperationName()};
  auto input = cast<RankedTensorType>(adaptor.getInput().getType());
  if (input.getRank() < 3)
    return site.error("input has rank ", input.getRank(),
                      " but needs a batch, a channel and a spatial axis");
  SmallVector<int64_t> shape(input.getRank(), 1);
  shape[0] = input.getDimSize(0);
  shape[1] = input.getDimSize(1);
  if (llvm::is_contained(input.getShape().drop_front(2), 0))
    return site.error("takes the mean of no elements");
  return inferTensor(site, shape, input.getElementType(), types);
}

#define GET_OP_CLASSES
#include "dialects/Graph/GraphPooling.cpp.inc"
