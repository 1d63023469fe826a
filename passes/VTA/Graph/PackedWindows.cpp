//===- PackedWindows.cpp - Convolutions by products of windows ------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A product of windows meets neighbouring inputs, each lane by weights of its
// own, so that a row of the window of a depthwise convolution is a step or two.
// Where the row has fewer taps than the steps meet, the others are zeros, and
// the image is as much wider.
//
//===----------------------------------------------------------------------===//

#include "passes/VTA/Graph/LayoutRewriter.h"
#include "passes/VTA/Graph/WindowPads.h"

#include "dialects/Graph/Constants.h"

using namespace mlir;
using namespace acc;
using namespace acc::graph;
using namespace acc::vta;

WindowPads::WindowPads(ConvIntegerOp op, int64_t inputs)
    : window(shapeOf(op.getWeight())), value(op.getPadValue()) {
  pads = getUsedPads(op, window);
  if (llvm::all_of(pads, [](int64_t size) { return size <= 0; }))
    value = 0;
  window[3] = llvm::divideCeilSigned(window[3], inputs) * inputs;
  pads = getUsedPads(op, window);
}

LogicalResult LayoutRewriter::rewriteWindowed(ConvIntegerOp op) {
  ArrayRef<int64_t> result = shapeOf(op.getResult());
  int64_t channels = shapeOf(op.getInput())[1];
  if (tiles.window == 0)
    return op.emitOpError("has ")
           << VTADialect::kWindow
           << ", but the accelerator has no products of windows";
  if (int64_t(op.getGroup()) != channels || result[1] != channels ||
      op.getDilations()[1] != 1)
    return op.emitOpError("has ")
           << VTADialect::kWindow
           << ", but does not compute each channel by itself from columns that "
              "follow each other";
  WindowPads around(op, tiles.window);
  // Every lane is computed from itself.
  Lanes lanes =
      values.getLanes(op.getInput(), tiles.blockIn, around.pads, around.value);
  if (op->hasAttr(VTADialect::kLanes)) {
    FailureOr<Lanes> chosen = getResultLanes(op);
    if (failed(chosen))
      return failure();
    if (!(*chosen == lanes))
      return op.emitOpError("has ")
             << VTADialect::kWindow << ", but other lanes than its input";
  }
  Value input =
      values.getPadded(op.getInput(), tiles.blockIn, around.pads, around.value);
  SmallVector<int64_t> strides(op.getStrides());
  input = skipUnread(input, around.window, strides);
  Value weight = createWindows(op.getWeight(), lanes);
  if (!weight)
    return refuseWeights(op);
  Value acc =
      steps.windowConvolution(input, weight, packedResult(result, lanes),
                              strides, op.getDilations()[0]);
  return setBiased(op, acc, lanes, op.getBias());
}

Value LayoutRewriter::createWindows(Value weight, const Lanes &lanes) {
  std::optional<ConstantBytes> bytes = ConstantBytes::read(weight);
  if (!bytes)
    return {};
  ArrayRef<int64_t> shape = shapeOf(weight);
  int64_t rows = shape[2], columns = shape[3],
          groups = llvm::divideCeilSigned(columns, tiles.window),
          blocks = lanes.size() / tiles.blockOut;
  auto type = typeOf(weight).clone(
      {blocks, rows, groups, tiles.blockOut, tiles.blockIn});
  ElementsAttr elements = makeElements(type, [&](MutableArrayRef<char> target) {
    llvm::fill(target, 0);
    for (auto [lane, channel] : llvm::enumerate(lanes.get())) {
      if (channel == Lanes::kNone)
        continue;
      int64_t block = int64_t(lane) / tiles.blockOut,
              place = int64_t(lane) % tiles.blockOut;
      for (int64_t row = 0; row < rows; ++row)
        for (int64_t column = 0; column < columns; ++column) {
          int64_t tile = (block * rows + row) * groups + column / tiles.window;
          target[(tile * tiles.blockOut + place) * tiles.blockIn +
                 column % tiles.window] =
              (*bytes)[(channel * rows + row) * columns + column];
        }
    }
  });
  return narrowWeights(b, ConstantOp::create(b, type, elements),
                       tiles.weightBits);
}
