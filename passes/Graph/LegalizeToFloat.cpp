//===- LegalizeToFloat.cpp - Integer sums that floats read ----------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The part of graph-legalize-quantization that handles convolutions and matrix
// products of quantized operands whose result no quantize_linear ends. The sums
// are exact integers; they become floats by one rounding, and another when they
// are multiplied by the scale. A bias in the steps of the sums is one of their
// terms; any other is added behind the scale.
//
//===----------------------------------------------------------------------===//

#include "passes/Graph/ActivationProduct.h"
#include "passes/Graph/WeightedSums.h"

#include <cmath>

using namespace mlir;
using namespace acc::graph;

namespace {

/// The scale of sums, as float32 arithmetic computes it from left to right.
FailureOr<double> multiplyScales(ArrayRef<double> factors,
                                 std::string &reason) {
  float scale = 1;
  for (double factor : factors)
    scale *= float(factor);
  if (std::isnormal(scale))
    return scale;
  reason = "the scale of its sums is beyond float32";
  return failure();
}

/// Multiplies 32-bit sums with one scale, or one for each channel (axis 1).
Value dequantize(OpBuilder &builder, Location loc, Value sums,
                 ArrayRef<double> scales) {
  auto type = cast<RankedTensorType>(sums.getType());
  Type i32 = builder.getI32Type(), f32 = builder.getF32Type();
  constexpr unsigned isSigned = quant::QuantizationFlags::Signed;
  constexpr int64_t lo = std::numeric_limits<int32_t>::min(),
                    hi = std::numeric_limits<int32_t>::max();
  Type element;
  if (scales.size() == 1)
    element = quant::UniformQuantizedType::get(isSigned, i32, f32,
                                               scales.front(), 0, lo, hi);
  else
    element = quant::UniformQuantizedPerAxisType::get(
        isSigned, i32, f32, scales, SmallVector<int64_t>(scales.size(), 0),
        /*quantizedDimension=*/1, lo, hi);
  Value quantized =
      StorageCastOp::create(builder, loc, type.clone(element), sums);
  return DequantizeLinearOp::create(builder, loc, type.clone(f32), quantized);
}

/// value + beta * bias, where a bias of one axis belongs to channels.
Value addFloats(OpBuilder &builder, Location loc, Value value, Value bias,
                double beta, int64_t channelsFromEnd) {
  auto type = cast<RankedTensorType>(bias.getType());
  if (channelsFromEnd > 0) {
    SmallVector<int64_t> shape{type.getDimSize(0)};
    shape.append(channelsFromEnd, 1);
    type = type.clone(shape);
    bias = builder.createOrFold<ReshapeOp>(loc, type, bias, ValueRange());
  }
  if (beta != 1) {
    auto scalar = RankedTensorType::get({}, type.getElementType());
    Value factor = ConstantOp::create(
        builder, loc, scalar,
        DenseElementsAttr::get(
            scalar, ArrayRef<Attribute>(builder.getF32FloatAttr(beta))));
    bias = MulOp::create(builder, loc, bias, factor);
  }
  return AddOp::create(builder, loc, value, bias);
}

FailureOr<Value> legalizeActivations(OpBuilder &builder, Operation *op,
                                     std::string &reason) {
  Location loc = op->getLoc();
  FailureOr<ActivationProduct> product =
      ActivationProduct::get(builder, loc, op, reason);
  if (failed(product))
    return failure();
  FailureOr<double> scale = multiplyScales(
      {product->alpha, product->a.grid.scale, product->b.grid.scale}, reason);
  if (failed(scale))
    return failure();
  if (!product->range.fitsInt32()) {
    reason = "the accumulator may exceed 32 bits";
    return failure();
  }
  Value sums = product->create(builder, loc, 0);
  Value result = product->restoreShape(builder, loc,
                                       dequantize(builder, loc, sums, *scale));
  auto gemm = dyn_cast<GemmOp>(op);
  if (!gemm || !gemm.getC())
    return result;
  return addFloats(builder, loc, result, gemm.getC(),
                   gemm.getBeta().convertToDouble(), 0);
}

FailureOr<Value> legalizeWeighted(OpBuilder &builder, Operation *op,
                                  std::string &reason) {
  Location loc = op->getLoc();
  FailureOr<WeightedSums> sums =
      WeightedSums::get(op, /*mayKeepZeroPoints=*/true, reason);
  if (failed(sums))
    return failure();
  SmallVector<int64_t> biases(sums->weights.rows, 0);
  bool isBiasInside =
      sums->bias && succeeded(addMatchingBias(
                        sums->bias, {sums->beta, 0, sums->getInputScale(), 1},
                        sums->weights, biases));
  for (Interval range : sums->moveZeroPoints(biases))
    if (!range.fitsInt32()) {
      reason = "the accumulator may exceed 32 bits";
      return failure();
    }
  SmallVector<double> scales;
  for (double weightScale : sums->weights.scales) {
    FailureOr<double> scale =
        multiplyScales({sums->alpha, sums->input.scale, weightScale}, reason);
    if (failed(scale))
      return failure();
    scales.push_back(*scale);
  }
  // Terms that cancel may each be larger than the sum; 32 bits wrap.
  SmallVector<int32_t> wrapped;
  for (int64_t bias : biases)
    wrapped.push_back(int32_t(uint32_t(bias)));
  FailureOr<Value> integers = sums->create(builder, loc, wrapped, reason);
  if (failed(integers))
    return failure();
  Value result = sums->restoreShape(
      builder, loc, dequantize(builder, loc, *integers, scales));
  if (!sums->bias || isBiasInside)
    return result;
  return addFloats(builder, loc, result, sums->bias, sums->beta,
                   sums->isConvolution() ? sums->getChannelsFromEnd() : 0);
}

} // namespace

FailureOr<Value> acc::graph::legalizeToFloat(OpBuilder &builder, Operation *op,
                                             std::string &reason) {
  if (!getElementTypeOrSelf(op->getResult(0).getType()).isF32()) {
    reason = "its result is not float32";
    return failure();
  }
  return isProductOfActivations(op) ? legalizeActivations(builder, op, reason)
                                    : legalizeWeighted(builder, op, reason);
}
