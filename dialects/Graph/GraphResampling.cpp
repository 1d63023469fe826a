//===- GraphResampling.cpp - Operators that interpolate -------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Graph/GraphResampling.h"
#include "dialects/Graph/Windows.h"

using namespace mlir;
using namespace acc::graph;

//===----------------------------------------------------------------------===//
// resize
//===----------------------------------------------------------------------===//

/// What must hold of numbers that are not sizes.
static LogicalResult checkResize(ShapeContext &c, ResizeOp::Adaptor adaptor,
                                 int64_t rank) {
  ArrayRef<int64_t> axes = adaptor.getAxes();
  int64_t last = -1;
  for (int64_t axis : axes) {
    if (axis <= last || axis >= rank)
      return c.error("'axes' are not distinct axes of rank ", rank,
                     " in order");
    last = axis;
  }
  if (axes.empty())
    return c.error("resizes no axis");
  if (adaptor.getStaticSizes().size() != axes.size())
    return c.error("has ", adaptor.getStaticSizes().size(), " sizes for ",
                   axes.size(), " axes");
  if (std::optional<ArrayRef<double>> scales = adaptor.getScales()) {
    if (scales->size() != axes.size())
      return c.error("has ", scales->size(), " scales for ", axes.size(),
                     " axes");
    for (double scale : *scales)
      if (!(scale > 0) || !std::isfinite(scale))
        return c.error("'scales' holds a number that is not positive");
  }
  bool crops = adaptor.getCoordinateTransformationMode() ==
               CoordinateMode::TfCropAndResize;
  std::optional<ArrayRef<double>> roi = adaptor.getRoi();
  if (crops && (!roi || roi->size() != 2 * axes.size()))
    return c.error("'roi' needs ", 2 * axes.size(),
                   " values to crop and resize");
  if (roi && !llvm::all_of(*roi, [](double x) { return std::isfinite(x); }))
    return c.error("'roi' holds a value that is not a number");
  if (adaptor.getAntialias() && adaptor.getMode() == ResizeMode::Nearest)
    return c.error("'antialias' does not go with nearest neighbours");
  return success();
}

LogicalResult
ResizeOp::inferResultShapes(ShapeContext &c, Adaptor adaptor,
                            SmallVectorImpl<TensorShape> &results) {
  constexpr int64_t widest = 1 << 12;
  TensorShape result = c.shape(adaptor.getInput());
  if (failed(checkResize(c, adaptor, result.rank())))
    return failure();
  FailureOr<SmallVector<AffineExpr>> sizes =
      c.values(adaptor.getStaticSizes(), adaptor.getSizes());
  if (failed(sizes))
    return failure();
  for (auto [number, axis] : llvm::enumerate(adaptor.getAxes())) {
    AffineExpr from = result.sizes[axis], to = (*sizes)[number];
    if (failed(c.requireAtLeast(from, c.constant(1), "resizes axis ", axis,
                                ", which has no elements")))
      return failure();
    if (adaptor.getAntialias()) {
      std::optional<int64_t> in = getKnownSize(from), out = getKnownSize(to);
      double scale = adaptor.getScales() ? (*adaptor.getScales())[number]
                     : in && out         ? double(*out) / double(*in)
                                         : 0;
      if (scale == 0)
        return c.error("'antialias' needs static sizes along axis ", axis);
      if (scale < 1.0 / widest)
        return c.error("antialiasing shrinks axis ", axis, " more than ",
                       widest, " times");
    }
    result.sizes[axis] = to;
  }
  results.push_back(result);
  return success();
}

//===----------------------------------------------------------------------===//
// grid_sample
//===----------------------------------------------------------------------===//

LogicalResult
GridSampleOp::inferResultShapes(ShapeContext &c, Adaptor adaptor,
                                SmallVectorImpl<TensorShape> &results) {
  TensorShape input = c.shape(adaptor.getInput());
  TensorShape grid = c.shape(adaptor.getGrid());
  if (input.rank() < 3)
    return c.error("input has rank ", input.rank(),
                   " but needs a batch, a channel and a spatial axis");
  if (input.rank() > 5)
    return c.error("samples ", input.rank() - 2,
                   " spatial axes, supported are up to 3");
  if (grid.rank() != input.rank())
    return c.error("input has rank ", input.rank(), " but grid has rank ",
                   grid.rank());
  int64_t spatial = input.rank() - 2;
  if (failed(c.requireEqual(input.sizes[0], grid.sizes[0], "input has ",
                            input.sizes[0], " batches but grid has ",
                            grid.sizes[0])) ||
      failed(c.requireEqual(grid.sizes.back(), c.constant(spatial),
                            "grid has positions of ", grid.sizes.back(),
                            " coordinates instead of ", spatial)))
    return failure();
  for (AffineExpr size : ArrayRef(input.sizes).drop_front(2))
    if (failed(c.requireAtLeast(size, c.constant(1),
                                "samples an input without elements")))
      return failure();
  TensorShape result{{input.sizes[0], input.sizes[1]}, input.element};
  llvm::append_range(result.sizes, ArrayRef(grid.sizes).slice(1, spatial));
  results.push_back(result);
  return success();
}

//===----------------------------------------------------------------------===//
// roi_align, max_roi_pool
//===----------------------------------------------------------------------===//

/// Images and a table of regions with `columns` columns, of one element type.
static LogicalResult checkRegions(ShapeContext &c, const TensorShape &input,
                                  const TensorShape &rois, int64_t columns) {
  if (input.rank() != 4)
    return c.error("input has rank ", input.rank(), " instead of 4");
  if (rois.rank() != 2)
    return c.error("rois has rank ", rois.rank(), " instead of 2");
  if (rois.element != input.element)
    return c.error("operands have different element types: ", input.element,
                   " and ", rois.element);
  for (AffineExpr size : input.sizes)
    if (failed(c.requireAtLeast(size, c.constant(1),
                                "reads an input without elements")))
      return failure();
  return c.requireEqual(rois.sizes[1], c.constant(columns), "rois has ",
                        rois.sizes[1], " columns instead of ", columns);
}

LogicalResult
RoiAlignOp::inferResultShapes(ShapeContext &c, Adaptor adaptor,
                              SmallVectorImpl<TensorShape> &results) {
  TensorShape input = c.shape(adaptor.getInput());
  TensorShape rois = c.shape(adaptor.getRois());
  TensorShape batches = c.shape(adaptor.getBatchIndices());
  if (failed(checkRegions(c, input, rois, 4)))
    return failure();
  if (batches.rank() != 1)
    return c.error("batch_indices has rank ", batches.rank(), " instead of 1");
  if (failed(c.requireEqual(batches.sizes[0], rois.sizes[0], "there are ",
                            rois.sizes[0], " rois but ", batches.sizes[0],
                            " batch_indices")))
    return failure();
  auto height = static_cast<int64_t>(adaptor.getOutputHeight()),
       width = static_cast<int64_t>(adaptor.getOutputWidth()),
       ratio = static_cast<int64_t>(adaptor.getSamplingRatio());
  if (failed(checkWindowValues(c, "output_height", height, 1, 1)) ||
      failed(checkWindowValues(c, "output_width", width, 1, 1)) ||
      failed(checkWindowValues(c, "sampling_ratio", ratio, 1, 0)))
    return failure();
  results.push_back(
      {{rois.sizes[0], input.sizes[1], c.constant(height), c.constant(width)},
       input.element});
  return success();
}

LogicalResult
MaxRoiPoolOp::inferResultShapes(ShapeContext &c, Adaptor adaptor,
                                SmallVectorImpl<TensorShape> &results) {
  TensorShape input = c.shape(adaptor.getInput());
  TensorShape rois = c.shape(adaptor.getRois());
  ArrayRef<int64_t> pooled = adaptor.getPooledShape();
  if (failed(checkRegions(c, input, rois, 5)) ||
      failed(checkWindowValues(c, "pooled_shape", pooled, 2, 1)))
    return failure();
  results.push_back({{rois.sizes[0], input.sizes[1], c.constant(pooled[0]),
                      c.constant(pooled[1])},
                     input.element});
  return success();
}

#define GET_OP_CLASSES
#include "dialects/Graph/GraphResampling.cpp.inc"
