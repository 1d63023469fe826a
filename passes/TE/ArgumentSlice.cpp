//===- ArgumentSlice.cpp - Slices of kernel arguments ---------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/TE/ArgumentSlice.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace acc::te;

using OFRs = SmallVector<OpFoldResult>;

namespace {
/// A box of a kernel argument, possibly reaching over its border into padding.
/// Per dimension: `size` elements of the padded argument from `offset` on,
/// every `stride`-th of them; where the stride is not 1, there is no padding.
struct Box {
  BlockArgument argument;
  /// What the box is cut from: slices of the argument before the padding.
  OFRs baseOffsets, baseSizes;
  OFRs low;
  SmallVector<bool> padded;
  OFRs offsets, sizes;
  SmallVector<int64_t> strides;
};
} // namespace

BlockArgument acc::te::findArgument(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op))
      value = slice.getSource();
    else if (auto pad = dyn_cast<tensor::PadOp>(op))
      value = pad.getSource();
    else
      return {};
  }
  auto argument = cast<BlockArgument>(value);
  return isa<KernelOp>(argument.getOwner()->getParentOp()) ? argument
                                                           : BlockArgument();
}

static OpFoldResult compute(OpBuilder &builder, Location loc, AffineExpr expr,
                            ArrayRef<OpFoldResult> operands) {
  return affine::makeComposedFoldedAffineApply(builder, loc, expr, operands);
}

/// min(max(value, 0), upper)
static OpFoldResult clamp(OpBuilder &builder, Location loc, OpFoldResult value,
                          OpFoldResult upper) {
  MLIRContext *context = builder.getContext();
  AffineExpr d0 = getAffineDimExpr(0, context),
             d1 = getAffineDimExpr(1, context);
  AffineExpr zero = getAffineConstantExpr(0, context);
  OpFoldResult positive = affine::makeComposedFoldedAffineMax(
      builder, loc, AffineMap::get(1, 0, {d0, zero}, context), {value});
  return affine::makeComposedFoldedAffineMin(
      builder, loc, AffineMap::get(2, 0, {d0, d1}, context), {positive, upper});
}

/// Composes the slices and the padding between a kernel argument and `value`.
static FailureOr<Box> trace(OpBuilder &builder, Value value, Operation *user) {
  Location loc = user->getLoc();
  Operation *op = value.getDefiningOp();
  if (!op) {
    Box box;
    box.argument = cast<BlockArgument>(value);
    OFRs sizes = tensor::getMixedSizes(builder, loc, value);
    OFRs zeros(sizes.size(), builder.getIndexAttr(0));
    box.baseOffsets = box.low = box.offsets = zeros;
    box.baseSizes = box.sizes = sizes;
    box.padded.assign(sizes.size(), false);
    box.strides.assign(sizes.size(), 1);
    return box;
  }
  if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op)) {
    FailureOr<Box> box = trace(builder, slice.getSource(), user);
    if (failed(box))
      return failure();
    if (slice.getSourceType().getRank() != slice.getType().getRank())
      return user->emitOpError("reads a slice of lower rank, which cannot be "
                               "cached");
    AffineExpr d0 = builder.getAffineDimExpr(0),
               d1 = builder.getAffineDimExpr(1);
    for (auto [offset, added, stride, step, padded] :
         llvm::zip(box->offsets, slice.getMixedOffsets(), box->strides,
                   slice.getStaticStrides(), box->padded)) {
      if (ShapedType::isDynamic(step) || (step != 1 && padded))
        return user->emitOpError("reads a padded argument with a stride, or "
                                 "one with an unknown stride, which cannot be "
                                 "cached");
      offset = compute(builder, loc, d0 + d1 * stride, {offset, added});
      stride *= step;
    }
    box->sizes = slice.getMixedSizes();
    return box;
  }
  auto pad = cast<tensor::PadOp>(op);
  FailureOr<Box> box = trace(builder, pad.getSource(), user);
  if (failed(box))
    return failure();
  if (llvm::is_contained(box->padded, true))
    return user->emitOpError("reads through two paddings; only one can be part "
                             "of a cached slice");
  if (llvm::any_of(box->strides, [](int64_t stride) { return stride != 1; }))
    return user->emitOpError("pads what it reads with a stride, which cannot "
                             "be cached");
  Value padding = pad.getConstantPaddingValue();
  if (!padding || !matchPattern(padding, m_Zero()))
    return pad.emitOpError("pads with something else than zero, which a "
                           "transfer cannot do");
  box->baseOffsets = box->offsets;
  box->baseSizes = box->sizes;
  box->low = pad.getMixedLowPad();
  box->offsets.assign(box->low.size(), builder.getIndexAttr(0));
  AffineExpr sum = builder.getAffineDimExpr(0) + builder.getAffineDimExpr(1) +
                   builder.getAffineDimExpr(2);
  OFRs high = pad.getMixedHighPad();
  for (size_t i = 0; i < high.size(); ++i) {
    box->padded[i] = !isZeroInteger(box->low[i]) || !isZeroInteger(high[i]);
    box->sizes[i] =
        compute(builder, loc, sum, {box->sizes[i], box->low[i], high[i]});
  }
  return box;
}

FailureOr<ArgumentSlice> acc::te::resolveSlice(OpBuilder &builder, Value value,
                                               Operation *user) {
  FailureOr<Box> box = trace(builder, value, user);
  if (failed(box))
    return failure();
  Location loc = user->getLoc();
  AffineExpr d0 = builder.getAffineDimExpr(0), d1 = builder.getAffineDimExpr(1),
             d2 = builder.getAffineDimExpr(2);
  ArgumentSlice slice;
  slice.argument = box->argument;
  slice.paddedSizes = box->sizes;
  for (size_t i = 0; i < box->sizes.size(); ++i) {
    OpFoldResult start = box->offsets[i], size = box->sizes[i];
    OpFoldResult low = builder.getIndexAttr(0), high = low, inside = size;
    if (box->padded[i]) {
      start = compute(builder, loc, d0 - d1, {start, box->low[i]});
      OpFoldResult end = compute(builder, loc, d0 + d1, {start, size});
      low = clamp(builder, loc, compute(builder, loc, -d0, {start}), size);
      start = clamp(builder, loc, start, box->baseSizes[i]);
      end = clamp(builder, loc, end, box->baseSizes[i]);
      inside = compute(builder, loc, d0 - d1, {end, start});
      high = compute(builder, loc, d0 - d1 - d2, {size, low, inside});
    }
    slice.offsets.push_back(
        compute(builder, loc, d0 + d1, {start, box->baseOffsets[i]}));
    slice.sizes.push_back(inside);
    slice.strides.push_back(builder.getIndexAttr(box->strides[i]));
    slice.low.push_back(low);
    slice.high.push_back(high);
  }
  return slice;
}
