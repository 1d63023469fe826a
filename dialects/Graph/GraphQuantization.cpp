//===- GraphQuantization.cpp - Operators that enter and leave quantized types
//-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Graph/GraphQuantization.h"
#include "dialects/Graph/Constants.h"
#include "dialects/Graph/Inference.h"

#include "mlir/Dialect/Quant/IR/QuantTypes.h"

#include <cmath>

using namespace mlir;
using namespace acc::graph;

/// Scale and zero point along the quantized axis (one entry per tensor
/// otherwise), and how many consecutive elements share an entry.
struct QuantizationParameters {
  SmallVector<double> scales;
  SmallVector<int64_t> zeroPoints;
  int64_t inner = 1;

  explicit QuantizationParameters(RankedTensorType type) {
    if (auto perAxis = dyn_cast<quant::UniformQuantizedPerAxisType>(
            type.getElementType())) {
      llvm::append_range(scales, perAxis.getScales());
      llvm::append_range(zeroPoints, perAxis.getZeroPoints());
      for (int64_t size :
           type.getShape().drop_front(perAxis.getQuantizedDimension() + 1))
        inner *= size;
      return;
    }
    auto uniform = cast<quant::UniformQuantizedType>(type.getElementType());
    scales.push_back(uniform.getScale());
    zeroPoints.push_back(uniform.getZeroPoint());
  }
};

LogicalResult acc::graph::checkQuantizedTensor(InferenceSite site,
                                               RankedTensorType type) {
  Type element = type.getElementType();
  if (!isa<quant::UniformQuantizedType, quant::UniformQuantizedPerAxisType>(
          element))
    return site.error("supports uniform quantization per tensor or per axis, "
                      "not ",
                      element);
  auto quantized = cast<quant::QuantizedType>(element);
  unsigned width = quantized.getStorageTypeIntegralWidth();
  if (!llvm::is_contained({2, 4, 8, 16, 32}, int(width)))
    return site.error("supports storage of 2, 4, 8, 16 or 32 bits, not ",
                      width);
  auto perAxis = dyn_cast<quant::UniformQuantizedPerAxisType>(element);
  if (!perAxis)
    return success();
  int64_t axis = perAxis.getQuantizedDimension();
  if (axis < 0 || axis >= type.getRank())
    return site.error("quantized axis ", axis, " is not an axis of rank ",
                      type.getRank());
  int64_t size = type.getDimSize(axis);
  if (!ShapedType::isDynamic(size) &&
      static_cast<int64_t>(perAxis.getScales().size()) != size)
    return site.error("has ", perAxis.getScales().size(), " scales but ", size,
                      " elements along axis ", axis);
  return success();
}

/// The shape of `tensor`, whose elements `quantized` describes: where there is
/// a scale for every index of an axis, their number is the size of that axis.
static FailureOr<TensorShape> inferQuantizedShape(ShapeContext &c, Value tensor,
                                                  Type quantized) {
  TensorShape shape = c.shape(tensor);
  auto perAxis = dyn_cast<quant::UniformQuantizedPerAxisType>(quantized);
  if (!perAxis)
    return shape;
  int64_t axis = perAxis.getQuantizedDimension();
  AffineExpr count = c.constant(perAxis.getScales().size());
  AffineExpr &size = shape.sizes[axis];
  if (failed(c.requireEqual(count, size, "has ", count, " scales but ", size,
                            " elements along axis ", axis)))
    return failure();
  size = count;
  return shape;
}

//===----------------------------------------------------------------------===//
// quantize_linear, dequantize_linear
//===----------------------------------------------------------------------===//

LogicalResult
QuantizeLinearOp::inferShapes(ShapeContext &c,
                              SmallVectorImpl<TensorShape> &results) {
  RankedTensorType type = getType();
  if (failed(checkQuantizedTensor(c.getSite(), type)))
    return failure();
  auto quantized = cast<quant::QuantizedType>(type.getElementType());
  if (quantized.getExpressedType() != getInput().getType().getElementType())
    return c.error("input holds ", getInput().getType().getElementType(),
                   " but the result expresses ", quantized.getExpressedType());
  FailureOr<TensorShape> shape = inferQuantizedShape(c, getInput(), quantized);
  if (failed(shape))
    return failure();
  results.push_back({shape->sizes, quantized});
  return success();
}

/// Quantizes weights that a model stores as floats. ONNX computes in the
/// precision of the input, which this reproduces for f32.
OpFoldResult QuantizeLinearOp::fold(FoldAdaptor adaptor) {
  auto value = dyn_cast_if_present<ElementsAttr>(adaptor.getInput());
  if (!value || !value.getElementType().isF32())
    return {};
  RankedTensorType type = getType();
  auto quantized = cast<quant::QuantizedType>(type.getElementType());
  std::optional<ArrayRef<char>> raw = getRawElements(value);
  if (!raw)
    return {};
  QuantizationParameters parameters(type);
  double low = quantized.getStorageTypeMin();
  double high = quantized.getStorageTypeMax();
  size_t bytes = llvm::divideCeil(quantized.getStorageTypeIntegralWidth(), 8);
  bool splat = value.isSplat() && parameters.scales.size() == 1;
  auto storage =
      RankedTensorType::get(splat ? ArrayRef<int64_t>{} : type.getShape(),
                            getStorageInteger(quantized));

  bool finite = true;
  ElementsAttr result = makeElements(storage, [&](MutableArrayRef<char> data) {
    for (size_t index = 0; index * bytes < data.size(); ++index) {
      float number;
      size_t from = value.isSplat() ? 0 : index;
      std::memcpy(&number, raw->data() + from * sizeof(float), sizeof(float));
      size_t entry = index / parameters.inner % parameters.scales.size();
      float scaled = number / static_cast<float>(parameters.scales[entry]);
      finite &= !std::isnan(scaled);
      double rounded =
          std::nearbyint(scaled) + double(parameters.zeroPoints[entry]);
      int64_t integer = finite ? std::clamp(rounded, low, high) : 0;
      std::memcpy(&data[index * bytes], &integer, bytes);
    }
  });
  if (!finite)
    return {};
  if (splat)
    result = cast<DenseElementsAttr>(result).resizeSplat(
        storage.clone(type.getShape()));
  return result;
}

LogicalResult
DequantizeLinearOp::inferResultShapes(ShapeContext &c, Adaptor adaptor,
                                      SmallVectorImpl<TensorShape> &results) {
  auto input = cast<RankedTensorType>(adaptor.getInput().getType());
  if (failed(checkQuantizedTensor(c.getSite(), input)))
    return failure();
  auto quantized = cast<quant::QuantizedType>(input.getElementType());
  FailureOr<TensorShape> shape =
      inferQuantizedShape(c, adaptor.getInput(), quantized);
  if (failed(shape))
    return failure();
  results.push_back({shape->sizes, quantized.getExpressedType()});
  return success();
}

//===----------------------------------------------------------------------===//
// storage_cast
//===----------------------------------------------------------------------===//

LogicalResult
StorageCastOp::inferShapes(ShapeContext &c,
                           SmallVectorImpl<TensorShape> &results) {
  RankedTensorType input = getInput().getType(), result = getType();
  auto from = dyn_cast<quant::QuantizedType>(input.getElementType());
  auto to = dyn_cast<quant::QuantizedType>(result.getElementType());
  if (bool(from) == bool(to))
    return c.error("needs one quantized and one integer tensor");
  if (failed(checkQuantizedTensor(c.getSite(), from ? input : result)))
    return failure();
  Type expected = getStorageInteger(from ? from : to);
  Type integer = (from ? result : input).getElementType();
  if (integer != expected)
    return c.error("the storage is ", expected, ", not ", integer);
  FailureOr<TensorShape> shape =
      inferQuantizedShape(c, getInput(), from ? from : to);
  if (failed(shape))
    return failure();
  results.push_back({shape->sizes, result.getElementType()});
  return success();
}

OpFoldResult StorageCastOp::fold(FoldAdaptor adaptor) {
  if (auto previous = getInput().getDefiningOp<StorageCastOp>())
    if (previous.getInput().getType() == getType())
      return previous.getInput();
  return adaptor.getInput();
}

#define GET_OP_CLASSES
#include "dialects/Graph/GraphQuantization.cpp.inc"
