//===- SplitConvTranspose.cpp - Transposed convolutions to plain ones -----===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Along an axis of stride s, output q * s + p of a transposed convolution is a
// sum over inputs near q with weights that depend on p alone. So every p (every
// combination of them, a phase) is a plain convolution with a part of the taps,
// and the result is their interleaved results. No zero is put between inputs,
// and how large these are makes no difference.
//
//===----------------------------------------------------------------------===//

#include "dialects/Graph/Constants.h"
#include "dialects/Graph/Graph.h"
#include "passes/Graph/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

#include <cstring>

namespace acc::graph {
#define GEN_PASS_DEF_GRAPHSPLITCONVTRANSPOSE
#include "passes/Graph/Passes.h.inc"
} // namespace acc::graph

using namespace mlir;
using namespace acc::graph;

namespace {

/// The taps of one phase along one axis, as a window over the input that
/// begins `low` elements in front of where the result is, or there.
struct Window {
  int64_t low = 0, length = 1;
  /// The tap at each element of the window, or -1.
  SmallVector<int64_t> taps;
};

/// One spatial axis of a transposed convolution.
struct Axis {
  int64_t stride;
  /// How many results every phase has more than there are inputs, and how many
  /// elements the result has if there is one input.
  int64_t more, reach;
  SmallVector<Window> phases;

  Axis(ConvTransposeOp op, int64_t index) {
    int64_t spatial = op.getStrides().size();
    int64_t count = op.getWeight().getType().getDimSize(index + 2);
    int64_t dilation = op.getDilations()[index], pad = op.getPads()[index];
    stride = op.getStrides()[index];
    reach = op.getOutputPadding()[index] + ((count - 1) * dilation) + 1 - pad -
            op.getPads()[index + spatial];
    more = std::max<int64_t>(llvm::divideCeilSigned(reach, stride) - 1, 0);
    for (int64_t phase = 0; phase < stride; ++phase) {
      // Tap k adds input i to output i * stride + k * dilation - pad.
      SmallVector<std::pair<int64_t, int64_t>> offsets;
      int64_t least = 0, most = 0;
      for (int64_t tap = 0; tap < count; ++tap) {
        int64_t distance = phase + pad - (tap * dilation);
        if (distance % stride)
          continue;
        offsets.push_back({tap, distance / stride});
        least = std::min(least, distance / stride);
        most = std::max(most, distance / stride);
      }
      Window window{-least, most - least + 1,
                    SmallVector<int64_t>(most - least + 1, -1)};
      for (auto [tap, offset] : offsets)
        window.taps[offset - least] = tap;
      phases.push_back(std::move(window));
    }
  }

  /// The padding behind the input that gives a phase all of its results.
  int64_t getHigh(const Window &window) const {
    return more + window.length - 1 - window.low;
  }
};

class Splitter {
public:
  Splitter(ConvTransposeOp op, ElementsAttr weights, ArrayRef<char> raw)
      : op(op), builder(op), loc(op.getLoc()), weights(weights), raw(raw) {
    ArrayRef<int64_t> shape = weights.getShapedType().getShape();
    group = op.getGroup();
    inputs = shape[0] / group;
    outputs = shape[1];
    for (size_t axis = 0; axis + 2 < shape.size(); ++axis)
      axes.emplace_back(op, axis);
  }

  Value split() {
    SmallVector<Value> phases;
    SmallVector<const Window *> chosen;
    addPhases(chosen, phases);
    Value all = phases.size() == 1
                    ? phases.front()
                    : ConcatOp::create(builder, loc, phases,
                                       builder.getI64IntegerAttr(1))
                          .getResult();
    return interleave(all, phases.size() > 1);
  }

private:
  void addPhases(SmallVectorImpl<const Window *> &chosen,
                 SmallVectorImpl<Value> &phases) {
    if (chosen.size() == axes.size()) {
      phases.push_back(createPhase(chosen));
      return;
    }
    for (const Window &window : axes[chosen.size()].phases) {
      chosen.push_back(&window);
      addPhases(chosen, phases);
      chosen.pop_back();
    }
  }

  Value createPhase(ArrayRef<const Window *> windows) {
    SmallVector<int64_t> ones(axes.size(), 1), pads;
    for (const Window *window : windows)
      pads.push_back(window->low);
    for (auto [axis, window] : llvm::zip(axes, windows))
      pads.push_back(axis.getHigh(*window));
    return ConvOp::create(
        builder, loc, op.getInput(), createWeights(windows), op.getBias(),
        builder.getDenseI64ArrayAttr(ones), builder.getDenseI64ArrayAttr(pads),
        builder.getDenseI64ArrayAttr(ones), builder.getI64IntegerAttr(group));
  }

  /// The weights (O, C / group, windows...) of one phase, of those (C,
  /// O / group, taps...) of all.
  Value createWeights(ArrayRef<const Window *> windows) {
    auto type = cast<RankedTensorType>(weights.getType());
    ArrayRef<int64_t> shape = type.getShape();
    SmallVector<int64_t> own{group * outputs, inputs};
    // Where each element of the window is among the taps, or -1.
    SmallVector<int64_t> places{0};
    for (auto [index, window] : llvm::enumerate(windows)) {
      SmallVector<int64_t> next;
      for (int64_t place : places)
        for (int64_t tap : window->taps)
          next.push_back(place < 0 || tap < 0 ? -1
                                              : place * shape[index + 2] + tap);
      places = std::move(next);
      own.push_back(window->length);
    }
    int64_t taps = ShapedType::getNumElements(shape.drop_front(2));
    size_t width = type.getElementTypeBitWidth() / 8;
    auto fill = [&](MutableArrayRef<char> target) {
      char *out = target.data();
      for (int64_t row = 0; row < group * outputs; ++row)
        for (int64_t channel = 0; channel < inputs; ++channel) {
          int64_t from =
              (((row / outputs * inputs) + channel) * outputs + row % outputs) *
              taps;
          for (int64_t place : places) {
            if (place < 0)
              std::memset(out, 0, width);
            else
              std::memcpy(out,
                          raw.data() +
                              (weights.isSplat() ? 0 : (from + place) * width),
                          width);
            out += width;
          }
        }
    };
    RankedTensorType made = type.clone(own);
    return ConstantOp::create(builder, loc, made, makeElements(made, fill));
  }

  /// The sizes of axis `dim` of the input, times and plus these numbers.
  OpFoldResult size(int64_t dim, int64_t times, int64_t plus) {
    OpFoldResult size = tensor::getMixedSize(builder, loc, op.getInput(), dim);
    if (std::optional<int64_t> known = getConstantIntValue(size))
      return builder.getIndexAttr((*known * times) + plus);
    Value value = getValueOrCreateConstantIndexOp(builder, loc, size);
    auto number = [&](int64_t number) {
      return arith::ConstantIndexOp::create(builder, loc, number);
    };
    if (times != 1)
      value = arith::MulIOp::create(builder, loc, value, number(times));
    if (plus != 0)
      value = arith::AddIOp::create(builder, loc, value, number(plus));
    return value;
  }

  Value reshape(Value value, ArrayRef<OpFoldResult> sizes) {
    SmallVector<int64_t> shape;
    SmallVector<Value> open;
    dispatchIndexOpFoldResults(sizes, open, shape);
    auto type = cast<RankedTensorType>(value.getType());
    return ReshapeOp::create(builder, loc, type.clone(shape), value, open);
  }

  /// Brings the results of phases, one after the other, into the order of the
  /// result, and leaves out what is beyond its end.
  Value interleave(Value value, bool hasPhases) {
    auto count = [&](int64_t number) -> OpFoldResult {
      return builder.getIndexAttr(number);
    };
    int64_t spatial = axes.size();
    SmallVector<OpFoldResult> whole{size(0, 1, 0), count(group * outputs)},
        final = whole;
    bool crops = false;
    for (auto [index, axis] : llvm::enumerate(axes)) {
      whole.push_back(size(index + 2, axis.stride, axis.more * axis.stride));
      final.push_back(size(index + 2, axis.stride, axis.reach - axis.stride));
      crops |= axis.more * axis.stride != axis.reach - axis.stride;
    }
    if (hasPhases) {
      // (N, phases..., O, positions...) becomes
      // (N, O, position, phase, position, phase, ...).
      SmallVector<OpFoldResult> split{whole[0]};
      for (const Axis &axis : axes)
        split.push_back(count(axis.stride));
      split.push_back(whole[1]);
      SmallVector<int64_t> order{0, 1 + spatial};
      for (auto [index, axis] : llvm::enumerate(axes)) {
        split.push_back(size(index + 2, 1, axis.more));
        order.push_back(2 + spatial + index);
        order.push_back(1 + index);
      }
      value = reshape(value, split);
      value = TransposeOp::create(builder, loc, value, order);
      value = reshape(value, whole);
    }
    if (!crops)
      return value;
    SmallVector<int64_t> shape;
    SmallVector<Value> open;
    dispatchIndexOpFoldResults(final, open, shape);
    auto type = cast<RankedTensorType>(value.getType());
    return SliceOp::create(builder, loc, type.clone(shape), value, open,
                           SmallVector<int64_t>(shape.size(), 0), shape,
                           SmallVector<int64_t>(shape.size(), 1));
  }

  ConvTransposeOp op;
  OpBuilder builder;
  Location loc;
  ElementsAttr weights;
  ArrayRef<char> raw;
  int64_t group = 1, inputs = 0, outputs = 0;
  SmallVector<Axis> axes;
};

struct GraphSplitConvTranspose
    : acc::graph::impl::GraphSplitConvTransposeBase<GraphSplitConvTranspose> {
  void runOnOperation() override {
    SmallVector<ConvTransposeOp> ops;
    getOperation()->walk([&](ConvTransposeOp op) { ops.push_back(op); });
    for (ConvTransposeOp op : ops) {
      ElementsAttr weights;
      if (!matchPattern(op.getWeight(), m_Constant(&weights)) ||
          !isa<FloatType>(weights.getElementType()))
        continue;
      // There is nothing to compute where something is empty.
      auto input = cast<RankedTensorType>(op.getInput().getType());
      std::optional<ArrayRef<char>> raw = getRawElements(weights);
      if (!raw || weights.getNumElements() == 0 ||
          llvm::is_contained(input.getShape(), 0))
        continue;
      op.replaceAllUsesWith(Splitter(op, weights, *raw).split());
      op.erase();
      ++numSplit;
    }
  }
};

} // namespace
