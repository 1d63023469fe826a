//===- WindowFold.cpp - Taps of a window side by side in lanes ------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A first convolution has three channels, which leave most lanes of its inputs
// empty. Where the host packs the input anyway, it can as well put taps of the
// window there: all of them (im2col), those of a row or a column, or a square
// whose sides are the stride (space to depth).
//
//===----------------------------------------------------------------------===//

#include "passes/VTA/Graph/WindowFold.h"

#include "dialects/Graph/Constants.h"
#include "passes/Graph/TensorTypes.h"

#include <numeric>

using namespace mlir;
using namespace acc::graph;
using namespace acc::vta;

WindowFold::WindowFold(ConvIntegerOp op, std::array<int64_t, 2> taps)
    : taps(taps) {
  ArrayRef<int64_t> whole = shapeOf(op.getWeight()).take_back(2),
                    output = shapeOf(op.getResult()).take_back(2);
  for (unsigned axis = 0; axis < 2; ++axis) {
    int64_t stride = op.getStrides()[axis], dilation = op.getDilations()[axis],
            reach = taps[axis] * dilation;
    tapDistances[axis] = dilation;
    window[axis] = llvm::divideCeilSigned(whole[axis], taps[axis]);
    // Windows begin at multiples of the stride, what is left of their taps lies
    // `reach` apart.
    steps[axis] = window[axis] == 1 ? stride : std::gcd(stride, reach);
    strides[axis] = stride / steps[axis];
    dilations[axis] = window[axis] == 1 ? 1 : reach / steps[axis];
    extents[axis] = (output[axis] - 1) * strides[axis] +
                    (window[axis] - 1) * dilations[axis] + 1;
    sourceExtents[axis] =
        (extents[axis] - 1) * steps[axis] + (taps[axis] - 1) * dilation + 1;
  }
}

Value WindowFold::foldWeights(ImplicitLocOpBuilder &b, Value weight) const {
  std::optional<ConstantBytes> bytes = ConstantBytes::read(weight);
  if (!bytes)
    return {};
  auto type = typeOf(weight);
  ArrayRef<int64_t> shape = type.getShape();
  int64_t channels = shape[1], lanes = taps[0] * taps[1] * channels;
  auto folded = type.clone({shape[0], lanes, window[0], window[1]});
  ElementsAttr elements =
      makeElements(folded, [&](MutableArrayRef<char> target) {
        llvm::fill(target, 0);
        size_t source = 0;
        for (int64_t o = 0; o < shape[0]; ++o)
          for (int64_t c = 0; c < channels; ++c)
            for (int64_t h = 0; h < shape[2]; ++h)
              for (int64_t w = 0; w < shape[3]; ++w) {
                int64_t tap = h % taps[0] * taps[1] + w % taps[1],
                        row = o * lanes + tap * channels + c,
                        at = (row * window[0] + h / taps[0]) * window[1] +
                             w / taps[1];
                target[at] = (*bytes)[source];
                ++source;
              }
      });
  return ConstantOp::create(b, folded, elements);
}
