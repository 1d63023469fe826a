//===- SeparatedPools.cpp - Max pools along one axis, then the other ------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The maximum over a window is that of the maxima of its columns, and windows
// beside each other have columns in common. So maxima are taken along one axis
// first, once for every position of the other, and then along the other.
//
// A window that moves by a stride meets an element at another tap each time:
// along one axis the taps fall into phases, each of which has elements of its
// own. Each phase is a part of the image that is loaded by itself. One whose
// elements meet a single tap is loaded to where the maxima are to be, and
// spares filling that with the least value, and a step for each result.
//
//===----------------------------------------------------------------------===//

#include "passes/VTA/Graph/VTASteps.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

#include <numeric>

using namespace mlir;
using namespace acc::graph;
using namespace acc::vta;

namespace {
/// The taps of windows that fall on elements `start + i * stride` of the image:
/// `taps` of them, the same number of elements apart.
struct Phase {
  int64_t start, taps;
};

/// The phases of windows along one axis.
struct WindowAxis {
  WindowAxis(int64_t window, int64_t stride, int64_t dilation)
      : stride(stride), step(dilation / std::gcd(stride, dilation)) {
    const int64_t period = stride / std::gcd(stride, dilation);
    for (int64_t tap = 0; tap < std::min(window, period); ++tap)
      phases.push_back(
          {tap * dilation, llvm::divideCeilSigned(window - tap, period)});
  }

  /// How many elements of a phase so many windows meet.
  int64_t getExtent(const Phase &phase, int64_t windows) const {
    return windows + (phase.taps - 1) * step;
  }

  int64_t stride;
  /// The distance of taps, in elements of their phase.
  int64_t step;
  SmallVector<Phase> phases;
};
} // namespace

/// The axis of rows in a packed tensor, in front of that of columns.
static constexpr unsigned kRows = 2;

Value VTASteps::maxAlong(unsigned axis, Value acc, Value wide, int64_t taps,
                         int64_t step) {
  if (taps == 1)
    return applyTensor(Step::Max, acc, wide);
  AffineExpr n, block, row, column, tap, batch, lane;
  bindDims(b.getContext(), n, block, row, column, tap, batch, lane);
  auto map = [&](ArrayRef<AffineExpr> exprs) {
    return AffineMap::get(7, 0, exprs, b.getContext());
  };
  SmallVector<AffineExpr, 6> result{n, block, row, column, batch, lane},
      read(result);
  read[axis] = read[axis] + tap * step;
  constexpr auto parallel = utils::IteratorType::parallel;
  return generic(acc, {wide, emptyLike(taps, b.getI32Type())},
                 {map(read), map(tap), map(result)},
                 {parallel, parallel, parallel, parallel,
                  utils::IteratorType::reduction, parallel, parallel},
                 [](ImplicitLocOpBuilder &inner, ValueRange x) -> Value {
                   return arith::MaxSIOp::create(inner, x[2], x[0]);
                 });
}

Value VTASteps::separatedMaxPool(Value input, ArrayRef<int64_t> resultShape,
                                 ArrayRef<int64_t> window,
                                 ArrayRef<int64_t> strides,
                                 ArrayRef<int64_t> dilations,
                                 unsigned firstAxis) {
  const std::array<WindowAxis, 2> axes{
      WindowAxis(window[0], strides[0], dilations[0]),
      WindowAxis(window[1], strides[1], dilations[1])};
  const unsigned first = firstAxis, second = 1 - firstAxis;

  // Goes along an axis, phase by phase: the first one of a single tap is what
  // the others are compared with.
  auto reduce = [&](unsigned axis, ArrayRef<int64_t> shape,
                    llvm::function_ref<Value(const Phase &)> getWide) {
    ArrayRef<Phase> phases = axes[axis].phases;
    const Phase *begin =
        llvm::find_if(phases, [](const Phase &p) { return p.taps == 1; });
    Value acc = begin == phases.end() ? fill(shape, -128) : getWide(*begin);
    for (const Phase &phase : phases)
      if (&phase != begin)
        acc = maxAlong(kRows + axis, acc, getWide(phase), phase.taps,
                       axes[axis].step);
    return acc;
  };

  SmallVector<OpFoldResult> steps(shapeOf(input).size(), b.getIndexAttr(1));
  for (unsigned axis = 0; axis < 2; ++axis)
    steps[kRows + axis] = b.getIndexAttr(strides[axis]);
  return reduce(second, resultShape, [&](const Phase &beside) {
    SmallVector<int64_t> shape(resultShape);
    shape[kRows + second] =
        axes[second].getExtent(beside, resultShape[kRows + second]);
    return reduce(first, shape, [&](const Phase &along) {
      SmallVector<int64_t> starts(shape.size(), 0), sizes(shape);
      starts[kRows + first] = along.start;
      starts[kRows + second] = beside.start;
      sizes[kRows + first] =
          axes[first].getExtent(along, resultShape[kRows + first]);
      return widen(b.createOrFold<tensor::ExtractSliceOp>(
          input, getAsIndexOpFoldResult(b.getContext(), starts),
          getAsIndexOpFoldResult(b.getContext(), sizes), steps));
    });
  });
}
