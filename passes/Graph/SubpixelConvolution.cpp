//===- SubpixelConvolution.cpp - Transposed convolutions ------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Graph/SubpixelConvolution.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace acc::graph;

FailureOr<SubpixelConvolution> SubpixelConvolution::get(ConvTransposeOp op,
                                                        std::string &reason) {
  auto input = cast<RankedTensorType>(op.getInput().getType()),
       weight = cast<RankedTensorType>(op.getWeight().getType()),
       result = cast<RankedTensorType>(op.getResult().getType());
  if (!input.hasStaticShape() || !weight.hasStaticShape() ||
      !result.hasStaticShape()) {
    reason = "sizes of a transposed convolution are only known at run time";
    return failure();
  }
  SubpixelConvolution conv;
  conv.group = op.getGroup();
  conv.batch = input.getDimSize(0);
  conv.inputsOfGroup = input.getDimSize(1) / conv.group;
  conv.outputsOfGroup = weight.getDimSize(1);
  for (int64_t index = 0; index < input.getRank() - 2; ++index) {
    Axis axis;
    axis.stride = op.getStrides()[index];
    axis.taps = weight.getDimSize(index + 2);
    axis.size = result.getDimSize(index + 2);
    int64_t extent = input.getDimSize(index + 2), least = 0, most = 0;
    // Tap k adds input i to output i * stride + k * dilation - pad.
    auto forEachTap = [&](llvm::function_ref<void(int64_t, int64_t)> callback) {
      for (int64_t phase = 0; phase < axis.stride; ++phase)
        for (int64_t tap = 0; tap < axis.taps; ++tap) {
          int64_t distance =
              phase + op.getPads()[index] - tap * op.getDilations()[index];
          if (distance % axis.stride == 0)
            callback(phase * axis.taps + tap, distance / axis.stride);
        }
    };
    forEachTap([&](int64_t, int64_t offset) {
      least = std::min(least, offset);
      most = std::max(most, offset);
    });
    axis.window = most - least + 1;
    axis.positions.assign(axis.stride * axis.taps, -1);
    forEachTap([&](int64_t at, int64_t offset) {
      axis.positions[at] = offset - least;
    });
    axis.low = -least;
    int64_t wanted = llvm::divideCeilSigned(axis.size, axis.stride);
    axis.high = std::max<int64_t>(wanted + most - extent, 0);
    axis.count = extent + axis.low + axis.high - axis.window + 1;
    conv.axes.push_back(std::move(axis));
  }
  return conv;
}

int64_t SubpixelConvolution::getNumPhases() const {
  int64_t phases = 1;
  for (const Axis &axis : axes)
    phases *= axis.stride;
  return phases;
}

std::pair<int64_t, int64_t> SubpixelConvolution::getSource(int64_t row) const {
  // Rows are ordered by group, phase and output channel of the group.
  int64_t phases = getNumPhases();
  int64_t output = row % outputsOfGroup, rest = row / outputsOfGroup;
  return {rest / phases * outputsOfGroup + output, rest % phases};
}

Weights SubpixelConvolution::splitGroups(const Weights &weights) const {
  if (group == 1)
    return weights;
  Weights split;
  split.rows = group * outputsOfGroup;
  split.values.reserve(weights.values.size());
  for (int64_t row = 0; row < split.rows; ++row) {
    ArrayRef<int8_t> values = weights.row(row % outputsOfGroup);
    int64_t size = values.size() / group;
    llvm::append_range(split.values,
                       values.slice(row / outputsOfGroup * size, size));
    if (weights.scales.size() > 1 || row == 0)
      split.scales.push_back(weights.scale(row % outputsOfGroup));
    if (!weights.zeroPoints.empty())
      split.zeroPoints.push_back(weights.zeroPoints[row % outputsOfGroup]);
  }
  return split;
}

Weights SubpixelConvolution::expand(const Weights &weights) const {
  int64_t taps = 1, window = 1;
  for (const Axis &axis : axes) {
    taps *= axis.taps;
    window *= axis.window;
  }
  Weights expanded;
  expanded.rows = weights.rows * getNumPhases();
  expanded.values.assign(expanded.rows * inputsOfGroup * window, 0);
  // Where each tap of a phase is in the window, or -1.
  SmallVector<int64_t> places;
  for (int64_t phase = 0; phase < getNumPhases(); ++phase)
    for (int64_t tap = 0; tap < taps; ++tap) {
      int64_t place = 0, unit = 1, restTap = tap, restPhase = phase;
      for (const Axis &axis : llvm::reverse(axes)) {
        int64_t position = axis.positions[restPhase % axis.stride * axis.taps +
                                          restTap % axis.taps];
        place = position < 0 || place < 0 ? -1 : place + position * unit;
        restPhase /= axis.stride;
        restTap /= axis.taps;
        unit *= axis.window;
      }
      places.push_back(place);
    }
  for (int64_t row = 0; row < expanded.rows; ++row) {
    auto [source, phase] = getSource(row);
    ArrayRef<int8_t> values = weights.row(source);
    for (int64_t channel = 0; channel < inputsOfGroup; ++channel)
      for (int64_t tap = 0; tap < taps; ++tap)
        if (int64_t place = places[phase * taps + tap]; place >= 0)
          expanded.values[(row * inputsOfGroup + channel) * window + place] =
              values[channel * taps + tap];
  }
  if (weights.scales.size() == 1)
    expanded.scales = weights.scales;
  else
    for (int64_t row = 0; row < expanded.rows; ++row)
      expanded.scales.push_back(weights.scale(getSource(row).first));
  if (!weights.zeroPoints.empty())
    for (int64_t row = 0; row < expanded.rows; ++row)
      expanded.zeroPoints.push_back(weights.zeroPoints[getSource(row).first]);
  return expanded;
}

SmallVector<int64_t>
SubpixelConvolution::expand(ArrayRef<int64_t> values) const {
  SmallVector<int64_t> expanded;
  for (size_t row = 0; row < values.size() * getNumPhases(); ++row)
    expanded.push_back(values[getSource(row).first]);
  return expanded;
}

SmallVector<int64_t> SubpixelConvolution::getWeightShape() const {
  SmallVector<int64_t> shape{group * getNumPhases() * outputsOfGroup,
                             inputsOfGroup};
  for (const Axis &axis : axes)
    shape.push_back(axis.window);
  return shape;
}

Value SubpixelConvolution::createConvolution(OpBuilder &builder, Location loc,
                                             Value input, Value weight,
                                             Value bias,
                                             int8_t padValue) const {
  SmallVector<int64_t> ones(axes.size(), 1), pads;
  for (const Axis &axis : axes)
    pads.push_back(axis.low);
  for (const Axis &axis : axes)
    pads.push_back(axis.high);
  return ConvIntegerOp::create(
      builder, loc, input, weight, bias, builder.getDenseI64ArrayAttr(ones),
      builder.getDenseI64ArrayAttr(pads), builder.getDenseI64ArrayAttr(ones),
      builder.getI64IntegerAttr(group), builder.getI8IntegerAttr(padValue));
}

Value SubpixelConvolution::interleave(OpBuilder &builder, Location loc,
                                      Value result) const {
  auto type = cast<RankedTensorType>(result.getType());
  auto reshape = [&](ArrayRef<int64_t> shape) {
    result = ReshapeOp::create(builder, loc, type.clone(shape), result,
                               ValueRange());
  };
  int64_t spatial = axes.size();
  SmallVector<int64_t> whole{batch, group * outputsOfGroup}, final = whole;
  for (const Axis &axis : axes) {
    whole.push_back(axis.count * axis.stride);
    final.push_back(axis.size);
  }
  if (getNumPhases() > 1) {
    // (N, group, phases..., outputs, positions...) becomes
    // (N, group, outputs, position, phase, position, phase, ...).
    SmallVector<int64_t> split{batch, group};
    for (const Axis &axis : axes)
      split.push_back(axis.stride);
    split.push_back(outputsOfGroup);
    SmallVector<int64_t> order{0, 1, 2 + spatial};
    for (auto [index, axis] : llvm::enumerate(axes)) {
      split.push_back(axis.count);
      order.push_back(3 + spatial + index);
      order.push_back(2 + index);
    }
    reshape(split);
    result = TransposeOp::create(builder, loc, result, order);
    reshape(whole);
  }
  if (whole == final)
    return result;
  return SliceOp::create(builder, loc, type.clone(final), result, ValueRange(),
                         SmallVector<int64_t>(final.size(), 0), final,
                         SmallVector<int64_t>(final.size(), 1));
}
