//===- ToLinalgSampling.cpp - Values at computed positions to linalg ------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Channels are the innermost loop: what an output reads depends on everything
// but the channel, so a compiler computes positions once for all of them.
//
//===----------------------------------------------------------------------===//

#include "dialects/Graph/GraphResampling.h"
#include "passes/Graph/Sampling.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace acc::graph;

namespace {

/// A result (N, C, D1...) computed element by element, over (N, D1..., C).
Value createChannelsLast(
    ImplicitLocOpBuilder &b, ArrayRef<OpFoldResult> sizes, Type element,
    llvm::function_ref<Value(ImplicitLocOpBuilder &, Value n, Value c,
                             ArrayRef<Value> spatial)>
        body) {
  int64_t rank = sizes.size();
  SmallVector<AffineExpr> exprs{b.getAffineDimExpr(0),
                                b.getAffineDimExpr(rank - 1)};
  for (int64_t axis = 1; axis < rank - 1; ++axis)
    exprs.push_back(b.getAffineDimExpr(axis));
  Value init = tensor::EmptyOp::create(b, sizes, element);
  return createGeneric(b, init, {},
                       AffineMap::get(rank, 0, exprs, b.getContext()), 0,
                       [&](ImplicitLocOpBuilder &inner, ValueRange) {
                         SmallVector<Value> spatial;
                         for (int64_t axis = 1; axis < rank - 1; ++axis)
                           spatial.push_back(loopIndex(inner, axis));
                         return body(inner, loopIndex(inner, 0),
                                     loopIndex(inner, rank - 1), spatial);
                       });
}

//===----------------------------------------------------------------------===//
// grid_sample
//===----------------------------------------------------------------------===//

/// One spatial axis of a sampled tensor.
class GridAxis {
public:
  GridAxis(GridSampleOp op, Scalar size, Type real)
      : op(op), size(size), length(size.toReal(real)),
        lowest(length.same(op.getAlignCorners() ? 0 : -0.5)),
        highest(length - (op.getAlignCorners() ? 1 : 0.5)) {}

  /// The elements and weights that make the value at `grid`, within -1 and 1.
  Taps taps(Scalar grid) const {
    Scalar x = op.getAlignCorners() ? (grid + 1) / 2 * (length - 1)
                                    : ((grid + 1) * length - 1) / 2;
    bool nearest = op.getMode() == ResizeMode::Nearest;
    if (nearest)
      x = x.roundEven();
    switch (op.getPaddingMode()) {
    case PaddingMode::Zeros:
      break;
    case PaddingMode::Border:
      // What is within half an element of the border stays where it is.
      x = ((x < lowest) | (x > highest)).select(x.max(0).min(length - 1), x);
      break;
    case PaddingMode::Reflection:
      x = reflect(x);
      break;
    }
    // Taps of what is far away are outside anyway; numbers stay small.
    x = x.max(-4).min(length + 4);
    Scalar base = x.floor();
    if (nearest)
      return {tap(base, base.same(1))};
    Scalar t = x - base;
    Taps result;
    if (op.getMode() == ResizeMode::Linear) {
      result.push_back(tap(base, t.same(1) - t));
      result.push_back(tap(base + 1, t));
      return result;
    }
    result.push_back(tap(base - 1, far(t + 1)));
    result.push_back(tap(base, near(t)));
    result.push_back(tap(base + 1, near(t.same(1) - t)));
    result.push_back(tap(base + 2, far(t.same(2) - t)));
    return result;
  }

private:
  /// Keys' cubic convolution with a = -3/4, for distances up to 1 and up to 2.
  static Scalar near(Scalar t) { return (t * 1.25 - 2.25) * t * t + 1; }
  static Scalar far(Scalar t) { return ((t * -0.75 + 3.75) * t - 6) * t + 3; }

  /// Mirrors a position at the borders until it is between them.
  Scalar reflect(Scalar x) const {
    Scalar range = highest - lowest;
    auto fold = [&](Scalar distance, bool fromLow) {
      Scalar times = (distance / range).floor();
      Scalar rest = distance - times * range;
      Scalar even = times == (times / 2).floor() * 2;
      Scalar up = lowest + rest, down = highest - rest;
      return fromLow ? even.select(up, down) : even.select(down, up);
    };
    return (x < lowest)
        .select(fold(lowest - x, true),
                (x > highest).select(fold(x - highest, false), x));
  }

  Tap tap(Scalar position, Scalar weight) const {
    bool zeros = op.getPaddingMode() == PaddingMode::Zeros;
    Scalar mapped = position;
    if (op.getPaddingMode() == PaddingMode::Reflection)
      mapped = reflect(position);
    // Towards zero, as positions between -1 and 0 belong to the first element.
    Scalar index = mapped.max(-4).min(length + 4).toIndex();
    Scalar safe = index.max(0).min(size - 1);
    if (!zeros)
      return {safe, weight, std::nullopt};
    return {safe, weight, (index >= 0) & (index < size)};
  }

  mutable GridSampleOp op;
  Scalar size, length, lowest, highest;
};

class GridSamplePattern : public OpConversionPattern<GridSampleOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(GridSampleOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    Value input = adaptor.getInput(), grid = adaptor.getGrid();
    Type element = typeOf(input).getElementType();
    Type real = getSamplingType(element);
    if (getElementTypeOrSelf(grid).isF64())
      real = b.getF64Type();
    bool isUnsigned = isUnsignedElement(op.getType());
    bool exact = op.getMode() == ResizeMode::Nearest;
    rewriter.replaceOp(
        op, createChannelsLast(
                b, getTypedSizes(b, op, adaptor.getOperands()), element,
                [&](ImplicitLocOpBuilder &inner, Value n, Value c,
                    ArrayRef<Value> at) -> Value {
                  SmallVector<Taps> taps;
                  for (size_t axis = 0; axis < at.size(); ++axis) {
                    SmallVector<Value> indices{n};
                    llvm::append_range(indices, at);
                    indices.push_back(arith::ConstantIndexOp::create(
                        inner, at.size() - 1 - axis));
                    Value position =
                        tensor::ExtractOp::create(inner, grid, indices);
                    taps.push_back(
                        GridAxis(op, sizeOf(inner, input, axis + 2), real)
                            .taps(Scalar(inner, position).toReal(real)));
                  }
                  if (exact)
                    return readNearest(inner, input, {n, c}, taps);
                  return fromReal(inner,
                                  interpolate(inner, input, {n, c}, taps),
                                  element, isUnsigned);
                }));
    return success();
  }

  /// The element itself: integers need not pass through floats.
  static Value readNearest(ImplicitLocOpBuilder &b, Value input,
                           ValueRange prefix, ArrayRef<Taps> taps) {
    SmallVector<Value> indices(prefix);
    std::optional<Scalar> inside;
    for (const Taps &axis : taps) {
      const Tap &tap = axis.front();
      indices.push_back(tap.index);
      inside = both(inside, tap.inside);
    }
    Value element = tensor::ExtractOp::create(b, input, indices);
    if (!inside)
      return element;
    Value zero = arith::ConstantOp::create(b, getZero(element.getType()));
    return arith::SelectOp::create(b, *inside, element, zero);
  }
};

//===----------------------------------------------------------------------===//
// roi_align, max_roi_pool
//===----------------------------------------------------------------------===//

/// Combines `init` and what `body` computes, for every index from `first` to
/// before `last`.
Scalar createLoop(ImplicitLocOpBuilder &b, Scalar first, Scalar last,
                  Scalar init,
                  llvm::function_ref<Scalar(Scalar, Scalar)> body) {
  Value one = arith::ConstantIndexOp::create(b, 1);
  auto loop = scf::ForOp::create(
      b, first, last, one, ValueRange(init),
      [&](OpBuilder &, Location, Value index, ValueRange carried) {
        Scalar next = body(Scalar(b, index), Scalar(b, carried[0]));
        scf::YieldOp::create(b, next.get());
      });
  return {b, loop.getResult(0)};
}

/// Element (row, column) of a table as a float.
Scalar readReal(ImplicitLocOpBuilder &b, Value table, Value row, int64_t column,
                Type real) {
  Value index = arith::ConstantIndexOp::create(b, column);
  Value element = tensor::ExtractOp::create(b, table, ValueRange{row, index});
  return Scalar(b, element).toReal(real);
}

/// Batches that do not exist are read as others: no index is out of bounds.
Scalar clampBatch(ImplicitLocOpBuilder &b, Scalar batch, Value input) {
  return batch.max(0).min(sizeOf(b, input, 0) - 1);
}

/// The extent of a region along one axis, and its samples.
struct RoiAxis {
  Scalar start, bin, samples;
  Scalar size;

  RoiAxis(ImplicitLocOpBuilder &b, RoiAlignOp op, Scalar from, Scalar to,
          int64_t bins, Scalar size)
      : start(from), bin(from), samples(size), size(size) {
    double scale = op.getSpatialScale().convertToDouble();
    double shift = op.getHalfPixel() ? 0.5 : 0;
    start = from * scale - shift;
    Scalar length = to * scale - shift - start;
    if (!op.getHalfPixel())
      length = length.max(1);
    bin = length / bins;
    int64_t ratio = op.getSamplingRatio();
    samples =
        ratio > 0
            ? Scalar(b, arith::ConstantIndexOp::create(b, ratio))
            : bin.ceil().max(0).min(size.toReal(bin.getType()) + 2).toIndex();
  }

  /// The two elements around sample `i` of bin `p`; a sample more than one
  /// element beyond the input has weights of zero.
  Taps taps(Scalar p, Scalar i) const {
    Type real = start.getType();
    Scalar x = start + p.toReal(real) * bin +
               (i.toReal(real) + 0.5) * bin / samples.toReal(real);
    Scalar length = size.toReal(real);
    Scalar inside = (x >= -1) & (x <= length);
    Scalar near = x.max(0).min(length - 1);
    Scalar low = near.floor();
    Scalar fraction = near - low;
    Scalar index = low.toIndex();
    Scalar zero = fraction.same(0);
    return {
        {index, inside.select(fraction.same(1) - fraction, zero), std::nullopt},
        {(index + 1).min(size - 1), inside.select(fraction, zero),
         std::nullopt}};
  }
};

class RoiAlignPattern : public OpConversionPattern<RoiAlignOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(RoiAlignOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    Value input = adaptor.getInput(), rois = adaptor.getRois();
    Type element = typeOf(input).getElementType();
    Type real = getSamplingType(element);
    rewriter.replaceOp(
        op,
        createChannelsLast(
            b, getTypedSizes(b, op, adaptor.getOperands()), element,
            [&](ImplicitLocOpBuilder &inner, Value r, Value c,
                ArrayRef<Value> at) -> Value {
              auto read = [&](int64_t column) {
                return readReal(inner, rois, r, column, real);
              };
              RoiAxis y(inner, op, read(1), read(3), op.getOutputHeight(),
                        sizeOf(inner, input, 2));
              RoiAxis x(inner, op, read(0), read(2), op.getOutputWidth(),
                        sizeOf(inner, input, 3));
              Value batch = tensor::ExtractOp::create(
                  inner, adaptor.getBatchIndices(), r);
              Scalar n(inner, arith::IndexCastOp::create(
                                  inner, inner.getIndexType(), batch));
              SmallVector<Value> prefix{clampBatch(inner, n, input), c};
              return pool(inner, op, input, prefix, y, x, at).toReal(element);
            }));
    return success();
  }

  static Scalar pool(ImplicitLocOpBuilder &b, RoiAlignOp op, Value input,
                     ArrayRef<Value> prefix, const RoiAxis &y, const RoiAxis &x,
                     ArrayRef<Value> at) {
    bool average = op.getMode() == RoiMode::Avg;
    Scalar zero = y.start.same(0);
    Scalar none = average ? zero
                          : Scalar(b, arith::ConstantOp::create(
                                          b, getLowest(zero.getType(), false)));
    Scalar first = y.size.same(0);
    auto rows = [&](Scalar i, Scalar running) {
      Taps row = y.taps({b, at[0]}, i);
      auto columns = [&](Scalar j, Scalar sum) {
        Taps column = x.taps({b, at[1]}, j);
        if (average)
          return sum + interpolate(b, input, prefix, {row, column});
        // The largest of the weighted neighbours, as the standard has it.
        for (const Tap &near : row)
          for (const Tap &beside : column)
            sum = sum.max(
                interpolate(b, input, prefix, {Taps{near}, Taps{beside}}));
        return sum;
      };
      return createLoop(b, first, x.samples, running, columns);
    };
    Scalar total = createLoop(b, first, y.samples, none, rows);
    Scalar count = y.samples * x.samples;
    if (average)
      return total / count.max(1).toReal(total.getType());
    return (count == 0).select(zero, total);
  }
};

class MaxRoiPoolPattern : public OpConversionPattern<MaxRoiPoolOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(MaxRoiPoolOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    Value input = adaptor.getInput(), rois = adaptor.getRois();
    Type element = typeOf(input).getElementType();
    Type real = getSamplingType(element);
    double scale = op.getSpatialScale().convertToDouble();
    rewriter.replaceOp(
        op,
        createChannelsLast(
            b, getTypedSizes(b, op, adaptor.getOperands()), element,
            [&](ImplicitLocOpBuilder &inner, Value r, Value c,
                ArrayRef<Value> at) -> Value {
              auto corner = [&](int64_t column) {
                return roundAway(readReal(inner, rois, r, column, real) *
                                 scale);
              };
              auto range = [&](Scalar from, Scalar to, int64_t axis) {
                int64_t bins = op.getPooledShape()[axis];
                Scalar size = sizeOf(inner, input, axis + 2);
                Scalar most = size.toReal(real);
                Scalar bin = (to - from + 1).max(1) / bins;
                Scalar p = Scalar(inner, at[axis]).toReal(real);
                auto clip = [&](Scalar x) {
                  return (x + from).max(0).min(most).toIndex();
                };
                return std::pair(clip((p * bin).floor()),
                                 clip(((p + 1) * bin).ceil()));
              };
              auto [top, bottom] = range(corner(2), corner(4), 0);
              auto [left, right] = range(corner(1), corner(3), 1);
              Scalar batch = readReal(inner, rois, r, 0, real)
                                 .max(0)
                                 .min(sizeOf(inner, input, 0).toReal(real))
                                 .toIndex();
              Value n = clampBatch(inner, batch, input);
              Scalar none(inner,
                          arith::ConstantOp::create(
                              inner, getLowest(real, /*isUnsigned=*/false)));
              Scalar best = createLoop(
                  inner, top, bottom, none, [&](Scalar y, Scalar running) {
                    return createLoop(
                        inner, left, right, running,
                        [&](Scalar x, Scalar best) {
                          Value value = tensor::ExtractOp::create(
                              inner, input, ValueRange{n, c, y, x});
                          return best.max(Scalar(inner, value).toReal(real));
                        });
                  });
              Scalar isEmpty = (bottom <= top) | (right <= left);
              return isEmpty.select(best.same(0), best).toReal(element);
            }));
    return success();
  }

  /// Half away from zero, as C's round.
  static Scalar roundAway(Scalar x) {
    return (x >= 0).select((x + 0.5).floor(), (x - 0.5).ceil());
  }
};

} // namespace

void acc::graph::populateSamplingToLinalg(const TypeConverter &converter,
                                          RewritePatternSet &patterns) {
  patterns.add<GridSamplePattern, RoiAlignPattern, MaxRoiPoolPattern>(
      converter, patterns.getContext());
}
