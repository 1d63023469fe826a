//===- LegalizeContractions.cpp - Convolutions and matrix products --------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The part of graph-legalize-quantization that handles operators with constant
// weights.
//
//===----------------------------------------------------------------------===//

#include "passes/Graph/QuantizedLayer.h"

#include "dialects/Graph/Constants.h"

#include <cmath>
#include <numeric>

using namespace mlir;
using namespace acc::graph;

namespace {

/// How far, in output steps, rounding a bias to the accumulator's scale may
/// move a result.
constexpr double kLargestBiasError = 1.0 / 64;

/// Weights as rows, one for each output channel, with zero point zero.
struct Weights {
  SmallVector<int8_t> values;
  int64_t rows = 0;
  /// One, or one for each row.
  SmallVector<double> scales;

  ArrayRef<int8_t> row(int64_t index) const {
    int64_t columns = values.size() / rows;
    return ArrayRef(values).slice(index * columns, columns);
  }
  double scale(int64_t row) const {
    return scales.size() == 1 ? scales.front() : scales[row];
  }
};

/// What a convolution or matrix product is made of, both in one form.
struct Contraction {
  Value input, weight, bias;
  int64_t rowAxis = 0;
  double alpha = 1, beta = 1;
};

Contraction describe(Operation *op) {
  if (auto conv = dyn_cast<ConvOp>(op))
    return {conv.getInput(), conv.getWeight(), conv.getBias()};
  if (auto gemm = dyn_cast<GemmOp>(op))
    return {gemm.getA(),
            gemm.getB(),
            gemm.getC(),
            gemm.getTransB() ? 0 : 1,
            gemm.getAlpha().convertToDouble(),
            gemm.getBeta().convertToDouble()};
  auto matMul = cast<MatMulOp>(op);
  return {matMul.getA(), matMul.getB(), Value(), 1};
}

FailureOr<Weights> readWeights(const Contraction &contraction,
                               std::string &reason) {
  Value source = getQuantizedSource(contraction.weight);
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
  int64_t axis = contraction.rowAxis;
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

  int64_t columns = stored->size() / weights.rows;
  weights.values.reserve(stored->size());
  for (int64_t row = 0; row != weights.rows; ++row)
    for (int64_t column = 0; column != columns; ++column) {
      int64_t value = axis == 0 ? (*stored)[row * columns + column]
                                : (*stored)[column * weights.rows + row];
      value -= zeroPoints[zeroPoints.size() == 1 ? 0 : row];
      if (value < -128 || value > 127) {
        reason = "the weights minus their zero point do not fit int8";
        return failure();
      }
      weights.values.push_back(int8_t(value));
    }
  return weights;
}

/// The real numbers of a bias that is constant, quantized or not, with one
/// value, or one for each of `rows` channels at `axis` counted from the end.
FailureOr<SmallVector<double>> readBias(Value bias, int64_t rows, int64_t axis,
                                        std::string &reason) {
  auto type = cast<RankedTensorType>(bias.getType());
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
bool isInteger32(Value bias) {
  Value source = getQuantizedSource(bias);
  if (!source)
    return false;
  return cast<quant::QuantizedType>(
             cast<RankedTensorType>(source.getType()).getElementType())
             .getStorageTypeIntegralWidth() == 32;
}

/// Adds `bias` to `biases`, in units of the accumulators.
LogicalResult addBias(Value bias, double beta, int64_t axis,
                      const Weights &weights, double inputScale,
                      double outputScale, MutableArrayRef<int64_t> biases,
                      std::string &reason) {
  FailureOr<SmallVector<double>> reals =
      readBias(bias, weights.rows, axis, reason);
  if (failed(reals))
    return failure();
  for (auto [row, real] : llvm::enumerate(*reals)) {
    double unit = inputScale * weights.scale(row);
    double exact = real * beta / unit;
    if (!(std::abs(exact) <= 0x1p31)) {
      reason = "the accumulator may exceed 32 bits";
      return failure();
    }
    double rounded = std::nearbyint(exact);
    double error = std::abs(rounded - exact) * unit / outputScale;
    if (error > kLargestBiasError && !isInteger32(bias)) {
      reason = "the bias needs finer steps than the accumulator has";
      return failure();
    }
    biases[row] += int64_t(rounded);
  }
  return success();
}

} // namespace

bool acc::graph::isContraction(Operation *op) {
  return isa_and_present<ConvOp, GemmOp, MatMulOp>(op);
}

/// Brings the input of a matrix product into the form (M, K).
static FailureOr<Value> makeRows(OpBuilder &builder, Location loc,
                                 Operation *op, Value input,
                                 std::string &reason) {
  auto type = cast<RankedTensorType>(input.getType());
  if (auto gemm = dyn_cast<GemmOp>(op)) {
    if (gemm.getTransA())
      input = TransposeOp::create(builder, loc, input, ArrayRef<int64_t>{1, 0});
    return input;
  }
  if (type.getRank() < 2) {
    reason = "the input is a vector";
    return failure();
  }
  if (type.getRank() == 2)
    return input;
  int64_t depth = type.getShape().back();
  int64_t rows = 1;
  for (int64_t size : type.getShape().drop_back())
    rows *= size;
  return Value(
      ReshapeOp::create(builder, loc, type.clone({rows, depth}), input));
}

FailureOr<Value> acc::graph::legalizeContraction(OpBuilder &builder,
                                                 QuantizedLayer &layer,
                                                 std::string &reason) {
  Operation *op = layer.anchor;
  Location loc = layer.getLoc();
  Contraction contraction = describe(op);
  Value source = getQuantizedSource(contraction.input);
  if (!source) {
    reason = "the input is not quantized";
    return failure();
  }
  FailureOr<Grid> input = getGrid(source.getType(), reason);
  if (failed(input))
    return failure();
  auto weightType = cast<RankedTensorType>(contraction.weight.getType());
  if (!isa<ConvOp>(op) && weightType.getRank() != 2) {
    reason = "the weights are not a matrix";
    return failure();
  }
  if (!(contraction.alpha > 0) || std::isinf(contraction.alpha)) {
    reason = "alpha is not positive";
    return failure();
  }
  FailureOr<Weights> weights = readWeights(contraction, reason);
  if (failed(weights))
    return failure();

  // Everything that does not depend on the data is part of the bias.
  SmallVector<int64_t> biases(weights->rows, 0);
  double inputScale = input->scale * contraction.alpha;
  int64_t channelAxis = isa<ConvOp>(op) ? weightType.getRank() - 2 : 0;
  if (contraction.bias &&
      failed(addBias(contraction.bias, contraction.beta,
                     isa<ConvOp>(op) ? 0 : channelAxis, *weights, inputScale,
                     layer.output.scale, biases, reason)))
    return failure();
  if (layer.biasAdd) {
    Value other = layer.biasAdd.getLhs() == op->getResult(0)
                      ? layer.biasAdd.getRhs()
                      : layer.biasAdd.getLhs();
    if (failed(addBias(other, 1, channelAxis, *weights, inputScale,
                       layer.output.scale, biases, reason)))
      return failure();
  }
  SmallVector<Interval> ranges;
  for (int64_t row = 0; row != weights->rows; ++row) {
    int64_t sum = 0;
    Interval range;
    for (int64_t weight : weights->row(row)) {
      sum += weight;
      range.lo += weight * (weight > 0 ? input->lo : input->hi);
      range.hi += weight * (weight > 0 ? input->hi : input->lo);
    }
    biases[row] -= input->zeroPoint * sum;
    ranges.push_back({range.lo + biases[row], range.hi + biases[row]});
  }

  SmallVector<double> scales;
  for (double scale : weights->scales)
    scales.push_back(inputScale * scale / layer.output.scale);
  if (scales.size() == 1) {
    Interval all = ranges.front();
    for (Interval range : ranges)
      all = {std::min(all.lo, range.lo), std::max(all.hi, range.hi)};
    ranges.assign(1, all);
  }
  FailureOr<FixedPoint> point =
      deriveFixedPoint(scales, ranges, layer.output.output(), reason);
  if (failed(point))
    return failure();
  SmallVector<int32_t> bias32;
  for (auto [row, bias] : llvm::enumerate(biases)) {
    bias += point->offset[scales.size() == 1 ? 0 : row];
    if (bias != int32_t(bias)) {
      reason = "the bias may exceed 32 bits";
      return failure();
    }
    bias32.push_back(int32_t(bias));
  }

  Value bias = makeConstant(builder, loc, weights->rows, bias32);
  Value integers = toInteger(builder, loc, source);
  if (auto conv = dyn_cast<ConvOp>(op)) {
    Value weight =
        makeConstant(builder, loc, weightType.getShape(), weights->values);
    Value sum = ConvIntegerOp::create(
        builder, loc, integers, weight, bias, conv.getStridesAttr(),
        conv.getPadsAttr(), conv.getDilationsAttr(), conv.getGroupAttr(),
        builder.getI8IntegerAttr(int8_t(input->zeroPoint)));
    return makeRequantize(builder, loc, sum, *point);
  }
  FailureOr<Value> rows = makeRows(builder, loc, op, integers, reason);
  if (failed(rows))
    return failure();
  Value weight = makeConstant(
      builder, loc,
      {weights->rows, int64_t(weights->values.size()) / weights->rows},
      weights->values);
  Value sum = GemmIntegerOp::create(builder, loc, *rows, weight, bias);
  Value result = makeRequantize(builder, loc, sum, *point);
  auto shape = cast<RankedTensorType>(op->getResult(0).getType());
  if (shape.getRank() != 2)
    result = ReshapeOp::create(builder, loc, shape.clone(builder.getI8Type()),
                               result);
  return result;
}
