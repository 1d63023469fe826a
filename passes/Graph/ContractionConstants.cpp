//===- ContractionConstants.cpp - Constant weights and biases -------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Graph/ContractionConstants.h"

#include "dialects/Graph/Constants.h"

#include "mlir/Dialect/Utils/IndexingUtils.h"

#include <cmath>

using namespace mlir;
using namespace acc::graph;

/// How far, in output steps, rounding a bias to the accumulator's scale may
/// move a result.
constexpr double kLargestBiasError = 1.0 / 64;

FailureOr<Weights> acc::graph::readWeights(Value weight, int64_t axis,
                                           std::string &reason,
                                           bool mayKeepZeroPoints) {
  Value source = getQuantizedSource(weight);
  FailureOr<SmallVector<int64_t>> stored = failure();
  if (source)
    stored = readStorage(source);
  if (failed(stored)) {
    reason = source ? "the weights are not constant"
                    : "the weights are not quantized";
    return failure();
  }
  if (stored->empty()) {
    reason = "the weights are empty";
    return failure();
  }
  auto type = cast<RankedTensorType>(source.getType());
  ArrayRef<int64_t> shape = type.getShape();
  Weights weights;
  weights.rows = shape[axis];
  SmallVector<int64_t> zeroPoints;
  if (auto perAxis =
          dyn_cast<quant::UniformQuantizedPerAxisType>(type.getElementType())) {
    if (perAxis.getQuantizedDimension() != axis) {
      reason = "the weights are quantized per axis " +
               std::to_string(perAxis.getQuantizedDimension()) +
               ", which is not the output channel";
      return failure();
    }
    llvm::append_range(weights.scales, perAxis.getScales());
    llvm::append_range(zeroPoints, perAxis.getZeroPoints());
  } else {
    auto uniform = cast<quant::UniformQuantizedType>(type.getElementType());
    weights.scales.push_back(uniform.getScale());
    zeroPoints.push_back(uniform.getZeroPoint());
  }

  zeroPoints.resize(weights.rows, zeroPoints.front());
  int64_t columns = stored->size() / weights.rows;
  int64_t inner = computeProduct(shape.drop_front(axis + 1));
  // Appends the rows, each minus what `bases` has for it, if they fit.
  auto appendRows = [&](ArrayRef<int64_t> bases) {
    weights.values.clear();
    weights.values.reserve(stored->size());
    for (int64_t row = 0; row != weights.rows; ++row)
      for (int64_t column = 0; column != columns; ++column) {
        int64_t outer = column / inner;
        int64_t value =
            (*stored)[(outer * weights.rows + row) * inner + column % inner] -
            bases[row];
        if (value < -128 || value > 127)
          return false;
        weights.values.push_back(int8_t(value));
      }
    return true;
  };
  if (appendRows(zeroPoints))
    return weights;
  auto element = cast<quant::QuantizedType>(type.getElementType());
  SmallVector<int64_t> bases(weights.rows, element.isSigned() ? 0 : 128);
  if (!mayKeepZeroPoints || !appendRows(bases)) {
    reason = "the weights minus their zero point do not fit int8";
    return failure();
  }
  for (auto [zeroPoint, base] : llvm::zip(zeroPoints, bases))
    weights.zeroPoints.push_back(int32_t(zeroPoint - base));
  return weights;
}

/// The real numbers of a bias that is constant, quantized or not, with one
/// value, or one for each of `rows` channels at `axis` counted from the end.
static FailureOr<SmallVector<double>>
readBias(Value bias, int64_t rows, int64_t axis, std::string &reason) {
  auto type = cast<RankedTensorType>(bias.getType());
  if (!type.hasStaticShape()) {
    reason = "the bias is not constant";
    return failure();
  }
  int64_t count = type.getNumElements();
  int64_t fromEnd = type.getRank() - 1 - axis;
  if (count != 1 &&
      (count != rows || fromEnd < 0 || type.getDimSize(fromEnd) != rows)) {
    reason = "the bias is not one number for each channel";
    return failure();
  }
  SmallVector<double> result;
  if (Value source = getQuantizedSource(bias)) {
    FailureOr<SmallVector<int64_t>> stored = readStorage(source);
    auto element = cast<RankedTensorType>(source.getType()).getElementType();
    auto perAxis = dyn_cast<quant::UniformQuantizedPerAxisType>(element);
    auto uniform = dyn_cast<quant::UniformQuantizedType>(element);
    if (failed(stored) ||
        (perAxis && int64_t(perAxis.getScales().size()) != count)) {
      reason = "the bias is not constant";
      return failure();
    }
    for (auto [index, value] : llvm::enumerate(*stored))
      result.push_back(perAxis
                           ? double(value - perAxis.getZeroPoints()[index]) *
                                 perAxis.getScales()[index]
                           : double(value - uniform.getZeroPoint()) *
                                 uniform.getScale());
  } else {
    ElementsAttr value;
    std::optional<SmallVector<double>> numbers;
    if (matchPattern(bias, m_Constant(&value)))
      numbers = getDoubles(value);
    if (!numbers) {
      reason = "the bias is not constant";
      return failure();
    }
    result = std::move(*numbers);
  }
  if (result.size() == 1)
    result.resize(rows, result.front());
  return result;
}

/// Whether the bias of a layer was quantized to 32 bits: the model then counts
/// its rounding as part of itself.
static bool isInteger32(Value bias) {
  Value source = getQuantizedSource(bias);
  if (!source)
    return false;
  return cast<quant::QuantizedType>(
             cast<RankedTensorType>(source.getType()).getElementType())
             .getStorageTypeIntegralWidth() == 32;
}

LogicalResult acc::graph::addBias(Value bias, const BiasUse &use,
                                  const Weights &weights,
                                  MutableArrayRef<int64_t> biases,
                                  std::string &reason) {
  FailureOr<SmallVector<double>> reals =
      readBias(bias, weights.rows, use.axis, reason);
  if (failed(reals))
    return failure();
  for (auto [row, real] : llvm::enumerate(*reals)) {
    double unit = use.inputScale * weights.scale(row);
    double exact = real * use.beta / unit;
    if (!(std::abs(exact) <= 0x1p31)) {
      reason = "the accumulator may exceed 32 bits";
      return failure();
    }
    double rounded = std::nearbyint(exact);
    double error = std::abs(rounded - exact) * unit / use.outputScale;
    if (error > kLargestBiasError && !isInteger32(bias)) {
      reason = "the bias needs finer steps than the accumulator has";
      return failure();
    }
    biases[row] += int64_t(rounded);
  }
  return success();
}

LogicalResult acc::graph::addMatchingBias(Value bias, const BiasUse &use,
                                          const Weights &weights,
                                          MutableArrayRef<int64_t> biases) {
  // Two scales that differ by less are one number in float32 arithmetic.
  constexpr double tolerance = 0x1p-20;
  std::string reason;
  FailureOr<SmallVector<double>> reals = failure();
  if (isInteger32(bias))
    reals = readBias(bias, weights.rows, use.axis, reason);
  if (failed(reals))
    return failure();
  auto element = cast<RankedTensorType>(getQuantizedSource(bias).getType())
                     .getElementType();
  auto perAxis = dyn_cast<quant::UniformQuantizedPerAxisType>(element);
  for (int64_t row = 0; row != weights.rows; ++row) {
    double step =
        perAxis ? perAxis.getScales()[perAxis.getScales().size() == 1 ? 0 : row]
                : cast<quant::UniformQuantizedType>(element).getScale();
    double unit = use.inputScale * weights.scale(row);
    if (!(std::abs(step * use.beta / unit - 1) <= tolerance))
      return failure();
    biases[row] += int64_t(std::nearbyint((*reals)[row] / step));
  }
  return success();
}
