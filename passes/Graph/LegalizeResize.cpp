//===- LegalizeResize.cpp - Interpolation in integers ---------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The part of graph-legalize-quantization that handles linear interpolation by
// whole factors. Output i * f + a lies between the same neighbours of input i
// for every i, and its weights are multiples of 1 / 2f along each axis. So each
// of the f phases a is a small convolution of every channel by itself, of an
// image that repeats its border. Its sums are exact; they are rounded once.
//
//===----------------------------------------------------------------------===//

#include "passes/Graph/QuantizedLayer.h"
#include "passes/Graph/Scale.h"

#include <numeric>

using namespace mlir;
using namespace acc::graph;

namespace {

/// One axis of the image.
struct Axis {
  int64_t size = 0, factor = 1;
  /// What the weights of each phase add up to.
  int64_t denominator = 1;
  /// Neighbours that are read, from -low to high.
  int64_t low = 0, high = 0;
  /// By phase and neighbour.
  SmallVector<int64_t> weights{1};

  int64_t getTaps() const { return low + high + 1; }
};

} // namespace

/// Where output a, the first of the outputs a + factor * i, lies beside input
/// 0, in units of 1 / (2 * factor); nothing if that differs from i to i.
static std::optional<int64_t> getPosition(CoordinateMode mode, int64_t factor,
                                          int64_t a) {
  switch (mode) {
  case CoordinateMode::HalfPixel:
  case CoordinateMode::HalfPixelSymmetric:
  case CoordinateMode::PytorchHalfPixel:
    return 2 * a + 1 - factor;
  case CoordinateMode::Asymmetric:
    return 2 * a;
  case CoordinateMode::TfHalfPixelForNn:
    return 2 * a + 1;
  case CoordinateMode::AlignCorners:
  case CoordinateMode::TfCropAndResize:
    return std::nullopt;
  }
  llvm_unreachable("all modes are handled");
}

/// Sets the weights of an axis that grows by `factor`.
static LogicalResult setWeights(Axis &axis, int64_t factor,
                                CoordinateMode mode) {
  axis.factor = factor;
  axis.denominator = 2 * factor;
  SmallVector<int64_t> positions;
  for (int64_t a = 0; a < factor; ++a) {
    std::optional<int64_t> position = getPosition(mode, factor, a);
    if (!position)
      return failure();
    positions.push_back(*position);
    int64_t left = llvm::divideFloorSigned(*position, axis.denominator);
    axis.low = std::max(axis.low, -left);
    if (left * axis.denominator != *position)
      axis.high = std::max(axis.high, left + 1);
  }
  axis.weights.assign(factor * axis.getTaps(), 0);
  int64_t divisor = axis.denominator;
  for (auto [a, position] : llvm::enumerate(positions)) {
    int64_t left = llvm::divideFloorSigned(position, axis.denominator),
            right = position - left * axis.denominator;
    int64_t *weights = &axis.weights[a * axis.getTaps() + axis.low + left];
    weights[0] = axis.denominator - right;
    if (right)
      weights[1] = right;
    divisor = std::gcd(divisor, right);
  }
  axis.denominator /= divisor;
  for (int64_t &weight : axis.weights)
    weight /= divisor;
  return success();
}

/// The spatial axes of a resize, or the reason why its weights are no small
/// integers.
static FailureOr<SmallVector<Axis>> getAxes(ResizeOp op, std::string &reason) {
  auto from = cast<RankedTensorType>(op.getInput().getType()),
       to = cast<RankedTensorType>(op.getResult().getType());
  if (!from.hasStaticShape() || !to.hasStaticShape()) {
    reason = "sizes of a resize are only known at run time";
    return failure();
  }
  if (op.getMode() != ResizeMode::Linear || op.getExcludeOutside() ||
      op.getAntialias()) {
    reason = "Resize has no integer form but for linear interpolation without "
             "'exclude_outside' and 'antialias'";
    return failure();
  }
  if (from.getRank() < 3 || op.getAxes().front() < 2) {
    reason = "Resize has no integer form across images or channels";
    return failure();
  }
  SmallVector<Axis> axes(from.getRank() - 2);
  for (auto [index, axis] : llvm::enumerate(axes))
    axis.size = from.getDimSize(index + 2);
  for (auto [number, index] : llvm::enumerate(op.getAxes())) {
    int64_t in = from.getDimSize(index), out = to.getDimSize(index);
    std::optional<ArrayRef<double>> scales = op.getScales();
    double scale = scales ? (*scales)[number] : double(out) / double(in);
    if (out % in != 0 || scale != double(out / in)) {
      reason = "Resize has no integer form but for whole factors";
      return failure();
    }
    if (failed(setWeights(axes[index - 2], out / in,
                          op.getCoordinateTransformationMode()))) {
      reason = "weights of the interpolation differ from pixel to pixel "
               "(coordinate_transformation_mode)";
      return failure();
    }
  }
  return axes;
}

FailureOr<Value> acc::graph::legalizeResize(OpBuilder &builder,
                                            QuantizedLayer &layer,
                                            std::string &reason) {
  auto op = cast<ResizeOp>(layer.anchor);
  Location loc = layer.getLoc();
  FailureOr<SmallVector<Axis>> axes = getAxes(op, reason);
  if (failed(axes))
    return failure();
  // Of all axes together: weights by phase and neighbour, row-major.
  SmallVector<int64_t> weights{1};
  int64_t phases = 1, taps = 1, denominator = 1;
  for (const Axis &axis : *axes) {
    SmallVector<int64_t> product;
    for (int64_t phase = 0; phase < phases; ++phase)
      for (int64_t a = 0; a < axis.factor; ++a)
        for (int64_t tap = 0; tap < taps; ++tap)
          for (int64_t k = 0; k < axis.getTaps(); ++k)
            product.push_back(weights[phase * taps + tap] *
                              axis.weights[a * axis.getTaps() + k]);
    weights = std::move(product);
    phases *= axis.factor;
    taps *= axis.getTaps();
    denominator *= axis.denominator;
  }
  if (*llvm::max_element(weights) > 127) {
    reason = "weights of the interpolation take more than 8 bits: smaller "
             "factors would do";
    return failure();
  }
  FailureOr<Operand> operand = readOperand(builder, loc, op.getInput(), reason);
  if (failed(operand))
    return failure();
  Grid input = operand->grid;
  Interval range = input.centered();
  range = {range.lo * denominator, range.hi * denominator};
  FailureOr<FixedPoint> point = deriveFixedPoint(
      getRatio(input.scale, {layer.output.scale, double(denominator)}), range,
      layer.output.output(), reason);
  if (failed(point))
    return failure();

  // Around the image its border is repeated.
  Value integers = operand->integers;
  auto type = cast<RankedTensorType>(integers.getType());
  int64_t rank = type.getRank(), channels = type.getDimSize(1);
  SmallVector<int64_t> pads(2 * rank, 0), padded(type.getShape());
  SmallVector<int64_t> window{channels * phases, 1};
  for (auto [index, axis] : llvm::enumerate(*axes)) {
    pads[index + 2] = axis.low;
    pads[rank + index + 2] = axis.high;
    padded[index + 2] += axis.low + axis.high;
    window.push_back(axis.getTaps());
  }
  if (type.getShape() != ArrayRef(padded))
    integers = PadOp::create(builder, loc, type.clone(padded), integers, pads,
                             PadMode::Edge, APFloat(0.0));
  SmallVector<int8_t> all;
  for (int64_t channel = 0; channel < channels; ++channel)
    all.append(weights.begin(), weights.end());
  SmallVector<int32_t> bias(
      channels * phases,
      int32_t(point->offset[0] - input.zeroPoint * denominator));
  SmallVector<int64_t> ones(rank - 2, 1), none(2 * (rank - 2), 0);
  Value sum = ConvIntegerOp::create(
      builder, loc, integers, makeConstant(builder, loc, window, all),
      makeConstant(builder, loc, channels * phases, bias),
      builder.getDenseI64ArrayAttr(ones), builder.getDenseI64ArrayAttr(none),
      builder.getDenseI64ArrayAttr(ones), builder.getI64IntegerAttr(channels),
      builder.getI8IntegerAttr(int8_t(input.zeroPoint)));
  Value result = makeRequantize(builder, loc, sum, *point);
  if (phases == 1)
    return result;

  // (N, C * phases, positions...) becomes (N, C, position, phase, ...).
  SmallVector<int64_t> apart{type.getDimSize(0), channels},
      whole{type.getDimSize(0), channels}, order{0, 1};
  for (auto [index, axis] : llvm::enumerate(*axes)) {
    apart.push_back(axis.factor);
    whole.push_back(axis.size * axis.factor);
    order.push_back(rank + index);
    order.push_back(2 + index);
  }
  for (const Axis &axis : *axes)
    apart.push_back(axis.size);
  result =
      ReshapeOp::create(builder, loc, type.clone(apart), result, ValueRange());
  result = TransposeOp::create(builder, loc, result, order);
  return Value(
      ReshapeOp::create(builder, loc, type.clone(whole), result, ValueRange()));
}
