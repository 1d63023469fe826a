//===- GraphConvolution.cpp - Relatives of convolution --------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Graph/GraphConvolution.h"
#include "dialects/Graph/Shape.h"
#include "dialects/Graph/Windows.h"

using namespace mlir;
using namespace acc::graph;

/// A batch and a channel axis and at least one more.
static LogicalResult requireSpatial(ShapeContext &c, const TensorShape &input) {
  if (input.rank() < 3)
    return c.error("input has rank ", input.rank(),
                   " but needs a batch, a channel and a spatial axis");
  return success();
}

/// The static shape of the weights, which have the rank of the input.
static FailureOr<SmallVector<int64_t>>
requireWeight(ShapeContext &c, const TensorShape &input, Value weight) {
  FailureOr<SmallVector<int64_t>> shape = c.staticShape(weight, "the weight");
  if (failed(shape))
    return failure();
  if (static_cast<int64_t>(shape->size()) != input.rank())
    return c.error("input has rank ", input.rank(), " but weight has rank ",
                   shape->size());
  return shape;
}

static LogicalResult requireGroups(ShapeContext &c, StringRef name,
                                   int64_t group, int64_t count,
                                   StringRef what) {
  if (group < 1 || count % group != 0)
    return c.error("'", name, "' is ", group, ", which does not divide ", count,
                   " ", what);
  return success();
}

//===----------------------------------------------------------------------===//
// conv_transpose
//===----------------------------------------------------------------------===//

LogicalResult
ConvTransposeOp::inferResultShapes(ShapeContext &c, Adaptor adaptor,
                                   SmallVectorImpl<TensorShape> &results) {
  TensorShape input = c.shape(adaptor.getInput());
  if (failed(c.requireSameElements(adaptor.getOperands())) ||
      failed(requireSpatial(c, input)))
    return failure();
  FailureOr<SmallVector<int64_t>> weight =
      requireWeight(c, input, adaptor.getWeight());
  if (failed(weight))
    return failure();
  int64_t group = adaptor.getGroup(), channels = weight->front(),
          outputs = (*weight)[1] * group, spatial = input.rank() - 2;
  if (failed(requireGroups(c, "group", group, channels, "input channels")) ||
      failed(c.requireEqual(input.sizes[1], c.constant(channels), "input has ",
                            input.sizes[1], " channels but weight has ",
                            channels)))
    return failure();
  if (Value bias = adaptor.getBias()) {
    TensorShape shape = c.shape(bias);
    if (shape.rank() != 1)
      return c.error("bias is ", bias.getType(),
                     " but needs one element for each output channel");
    if (failed(c.requireEqual(shape.sizes[0], c.constant(outputs), "bias is ",
                              shape, " but needs one element for each of ",
                              outputs, " output channels")))
      return failure();
  }
  ArrayRef<int64_t> kernel = ArrayRef(*weight).drop_front(2),
                    strides = adaptor.getStrides(), pads = adaptor.getPads(),
                    dilations = adaptor.getDilations(),
                    extra = adaptor.getOutputPadding();
  if (failed(checkWindows(c, kernel, strides, pads, dilations)) ||
      failed(checkWindowValues(c, "output_padding", extra, spatial, 0)))
    return failure();
  TensorShape result{{input.sizes[0], c.constant(outputs)}, input.element};
  for (int64_t axis = 0; axis < spatial; ++axis) {
    AffineExpr last = input.sizes[axis + 2] - 1;
    AffineExpr size = last * strides[axis] + extra[axis] +
                      (kernel[axis] - 1) * dilations[axis] + 1 - pads[axis] -
                      pads[axis + spatial];
    if (failed(c.requireAtLeast(size, c.constant(0), "pads leave ", size,
                                " elements along spatial axis ", axis)))
      return failure();
    result.sizes.push_back(size);
  }
  results.push_back(result);
  return success();
}

//===----------------------------------------------------------------------===//
// deform_conv
//===----------------------------------------------------------------------===//

LogicalResult
DeformConvOp::inferResultShapes(ShapeContext &c, Adaptor adaptor,
                                SmallVectorImpl<TensorShape> &results) {
  TensorShape input = c.shape(adaptor.getInput());
  if (failed(c.requireSameElements(adaptor.getOperands())) ||
      failed(requireSpatial(c, input)))
    return failure();
  FailureOr<SmallVector<int64_t>> weight =
      requireWeight(c, input, adaptor.getWeight());
  if (failed(weight))
    return failure();
  int64_t outputs = weight->front(), spatial = input.rank() - 2,
          group = adaptor.getGroup(), offsetGroup = adaptor.getOffsetGroup();
  if (failed(requireGroups(c, "group", group, outputs, "output channels")))
    return failure();
  int64_t channels = (*weight)[1] * group;
  if (failed(requireGroups(c, "offset_group", offsetGroup, channels,
                           "input channels")) ||
      failed(c.requireEqual(input.sizes[1], c.constant(channels), "input has ",
                            input.sizes[1], " channels but weight has ",
                            channels)))
    return failure();
  ArrayRef<int64_t> kernel = ArrayRef(*weight).drop_front(2);
  SmallVector<AffineExpr> kernelSizes;
  int64_t taps = 1;
  for (int64_t size : kernel) {
    kernelSizes.push_back(c.constant(size));
    taps *= size;
  }
  FailureOr<SmallVector<AffineExpr>> windows = c.windows(
      ArrayRef(input.sizes).drop_front(2), kernelSizes, adaptor.getStrides(),
      adaptor.getPads(), adaptor.getDilations());
  if (failed(windows))
    return failure();
  auto check = [&](Value value, StringRef name,
                   int64_t count) -> LogicalResult {
    if (!value)
      return success();
    TensorShape shape = c.shape(value);
    if (shape.rank() != input.rank())
      return c.error(name, " has rank ", shape.rank(), " instead of ",
                     input.rank());
    SmallVector<AffineExpr> wanted{input.sizes[0], c.constant(count)};
    llvm::append_range(wanted, *windows);
    for (auto [axis, size] : llvm::enumerate(wanted))
      if (failed(c.requireEqual(shape.sizes[axis], size, name, " has size ",
                                shape.sizes[axis], " instead of ", size,
                                " along axis ", axis)))
        return failure();
    return success();
  };
  if (failed(
          check(adaptor.getOffset(), "offset", offsetGroup * taps * spatial)) ||
      failed(check(adaptor.getMask(), "mask", offsetGroup * taps)))
    return failure();
  TensorShape result{{input.sizes[0], c.constant(outputs)}, input.element};
  llvm::append_range(result.sizes, *windows);
  results.push_back(result);
  return success();
}

//===----------------------------------------------------------------------===//
// col2_im
//===----------------------------------------------------------------------===//

LogicalResult
Col2ImOp::inferResultShapes(ShapeContext &c, Adaptor adaptor,
                            SmallVectorImpl<TensorShape> &results) {
  TensorShape input = c.shape(adaptor.getInput());
  if (input.rank() != 3)
    return c.error("input has rank ", input.rank(), " instead of 3");
  ArrayRef<int64_t> image = adaptor.getImageShape(),
                    block = adaptor.getBlockShape();
  if (failed(checkWindowValues(c, "image_shape", image, block.size(), 0)))
    return failure();
  SmallVector<AffineExpr> imageSizes, blockSizes;
  for (auto [size, taps] : llvm::zip(image, block)) {
    imageSizes.push_back(c.constant(size));
    blockSizes.push_back(c.constant(taps));
  }
  FailureOr<SmallVector<AffineExpr>> windows =
      c.windows(imageSizes, blockSizes, adaptor.getStrides(), adaptor.getPads(),
                adaptor.getDilations());
  if (failed(windows))
    return failure();
  std::optional<int64_t> rows = getKnownSize(input.sizes[1]);
  std::optional<int64_t> taps = getKnownSize(c.product(blockSizes));
  if (!rows || !taps)
    return c.error("needs to know how many elements columns have");
  if (*rows % *taps)
    return c.error("columns have ", *rows, " elements, which blocks of ", *taps,
                   " do not divide");
  AffineExpr count = c.product(*windows);
  if (failed(c.requireEqual(input.sizes[2], count, "input has ", input.sizes[2],
                            " columns but the image has ", count, " blocks")))
    return failure();
  TensorShape result{{input.sizes[0], c.constant(*rows / *taps)},
                     input.element};
  llvm::append_range(result.sizes, imageSizes);
  results.push_back(result);
  return success();
}

#define GET_OP_CLASSES
#include "dialects/Graph/GraphConvolution.cpp.inc"
