//===- ToLinalgResize.cpp - Resize to linalg ------------------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Interpolation is separable: along each axis an output is a weighted sum of
// `taps` neighbours. Positions and weights along one axis depend on nothing
// but the position on that axis, so they are tables, computed once; then one
// gather along each axis applies them. Nearest neighbours need no weights, and
// are read from all axes at once.
//
//===----------------------------------------------------------------------===//

#include "dialects/Graph/GraphResampling.h"
#include "passes/Graph/Sampling.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace acc::graph;

namespace {

/// One resized axis: from where its outputs are read.
struct Axis {
  mutable ResizeOp op;
  /// Which of the resized axes, and which axis of the tensor.
  size_t number;
  int64_t axis;
  Value input;
  OpFoldResult outputSize;

  Scalar inputLength(ImplicitLocOpBuilder &b) const {
    return sizeOf(b, input, axis).toReal(b.getF64Type());
  }

  Scalar outputLength(ImplicitLocOpBuilder &b) const {
    Scalar size(b, getValueOrCreateConstantIndexOp(b, b.getLoc(), outputSize));
    return size.toReal(b.getF64Type());
  }

  Scalar scale(ImplicitLocOpBuilder &b) const {
    if (std::optional<ArrayRef<double>> scales = op.getScales())
      return {b, arith::ConstantOp::create(
                     b, b.getF64FloatAttr((*scales)[number]))};
    return outputLength(b) / inputLength(b);
  }

  /// Where output `x`, a float, comes from.
  Scalar source(ImplicitLocOpBuilder &b, Scalar x) const {
    Scalar factor = scale(b), in = inputLength(b), resized = factor * in;
    auto unless1 = [&](Scalar one, Scalar other) {
      return (resized == 1).select(one, other);
    };
    switch (op.getCoordinateTransformationMode()) {
    case CoordinateMode::HalfPixel:
      return (x + 0.5) / factor - 0.5;
    case CoordinateMode::PytorchHalfPixel:
      return unless1(x.same(-0.5), (x + 0.5) / factor - 0.5);
    case CoordinateMode::HalfPixelSymmetric: {
      Scalar adjustment = outputLength(b) / resized;
      return in / 2 * (adjustment.same(1) - adjustment) + (x + 0.5) / factor -
             0.5;
    }
    case CoordinateMode::AlignCorners:
      return unless1(x.same(0), x * (in - 1) / (resized - 1));
    case CoordinateMode::Asymmetric:
      return x / factor;
    case CoordinateMode::TfHalfPixelForNn:
      return (x + 0.5) / factor;
    case CoordinateMode::TfCropAndResize:
      break;
    }
    ArrayRef<double> roi = *op.getRoi();
    double start = roi[number], extent = roi[number + roi.size() / 2] - start;
    resized = outputLength(b);
    Scalar inner =
        unless1((in - 1) * extent / 2, x * extent * (in - 1) / (resized - 1));
    return inner + (in - 1) * start;
  }

  Scalar clamp(ImplicitLocOpBuilder &b, Scalar position) const {
    return position.max(0).min(inputLength(b) - 1);
  }
};

/// A table with an entry for every output along an axis, and every tap of it
/// if `taps` is not zero.
Value createTable(
    ImplicitLocOpBuilder &b, const Axis &axis, int64_t taps, Type element,
    llvm::function_ref<Value(ImplicitLocOpBuilder &, Scalar)> body) {
  SmallVector<OpFoldResult> sizes{axis.outputSize};
  if (taps)
    sizes.push_back(b.getIndexAttr(taps));
  Value init = tensor::EmptyOp::create(b, sizes, element);
  return createGeneric(b, init, {}, b.getMultiDimIdentityMap(sizes.size()), 0,
                       [&](ImplicitLocOpBuilder &inner, ValueRange) {
                         Scalar x =
                             loopIndex(inner, 0).toReal(inner.getF64Type());
                         return body(inner, x);
                       });
}

Value toI64(ImplicitLocOpBuilder &b, Scalar real) {
  return arith::FPToSIOp::create(b, b.getI64Type(), real);
}

Value createNearestTable(ImplicitLocOpBuilder &b, const Axis &axis) {
  return createTable(b, axis, 0, b.getI64Type(),
                     [&](ImplicitLocOpBuilder &inner, Scalar x) {
                       Scalar source = axis.source(inner, x);
                       auto round = [&] {
                         switch (axis.op.getNearestMode()) {
                         case NearestMode::RoundPreferFloor:
                           return (source - 0.5).ceil();
                         case NearestMode::RoundPreferCeil:
                           return (source + 0.5).floor();
                         case NearestMode::Floor:
                           return source.floor();
                         case NearestMode::Ceil:
                           return source.ceil();
                         }
                         return source;
                       };
                       return toI64(inner, axis.clamp(inner, round()));
                     });
}

/// The weights of interpolation along one axis; the kernel is stretched by
/// 1 / shrink, which is 1 unless antialiasing.
class Kernel {
public:
  Kernel(const Axis &axis)
      : axis(axis), cubic(axis.op.getMode() == ResizeMode::Cubic) {
    int64_t radius = cubic ? 2 : 1;
    if (axis.op.getAntialias())
      shrink = std::min(staticScale(), 1.0);
    start = static_cast<int64_t>(std::floor(-radius / shrink)) + 1;
    taps = 2 - 2 * start;
  }

  int64_t getTaps() const { return taps; }

  Value createPositions(ImplicitLocOpBuilder &b) const {
    return createTable(b, axis, taps, b.getI64Type(),
                       [&](ImplicitLocOpBuilder &inner, Scalar x) {
                         Scalar position = axis.source(inner, x).floor() +
                                           tap(inner) + double(start);
                         return toI64(inner, axis.clamp(inner, position));
                       });
  }

  Value createWeights(ImplicitLocOpBuilder &b, Type element) const {
    Value raw = createTable(
        b, axis, taps, b.getF64Type(),
        [&](ImplicitLocOpBuilder &inner, Scalar x) -> Value {
          Scalar source = axis.source(inner, x), base = source.floor();
          Scalar offset = tap(inner) + double(start);
          Scalar weight = at(((offset - (source - base)) * shrink).abs());
          if (!axis.op.getExcludeOutside())
            return weight;
          Scalar position = base + offset;
          Scalar inside =
              (position >= 0) & (position < axis.inputLength(inner));
          return inside.select(weight, weight.same(0));
        });
    SmallVector<Value> operands{raw};
    AffineMap both = b.getMultiDimIdentityMap(2);
    SmallVector<AffineMap> maps{both};
    if (axis.op.getAntialias() || axis.op.getExcludeOutside()) {
      AffineMap first = AffineMap::get(2, 0, b.getAffineDimExpr(0));
      Value init = createFilled(b, axis.outputSize, b.getF64FloatAttr(0));
      operands.push_back(
          createGeneric(b, init, raw, {both, first}, 1,
                        [](ImplicitLocOpBuilder &inner, ValueRange x) -> Value {
                          return arith::AddFOp::create(inner, x[1], x[0]);
                        }));
      maps.push_back(first);
    }
    maps.push_back(both);
    Value init = tensor::EmptyOp::create(
        b, {axis.outputSize, b.getIndexAttr(taps)}, element);
    return createGeneric(
        b, init, operands, maps, 0,
        [&](ImplicitLocOpBuilder &inner, ValueRange x) -> Value {
          Scalar weight(inner, x[0]);
          if (x.size() == 3) {
            Scalar sum(inner, x[1]);
            weight = weight / (sum == 0).select(sum.same(1), sum);
          }
          return weight.toReal(element);
        });
  }

private:
  /// Inference makes sure that antialiased axes have static sizes or scales.
  double staticScale() const {
    if (std::optional<ArrayRef<double>> scales = axis.op.getScales())
      return (*scales)[axis.number];
    return double(axis.op.getType().getDimSize(axis.axis)) /
           double(typeOf(axis.input).getDimSize(axis.axis));
  }

  static Scalar tap(ImplicitLocOpBuilder &b) {
    return loopIndex(b, 1).toReal(b.getF64Type());
  }

  /// The kernel at distance `t`: a triangle, or Keys' cubic convolution.
  Scalar at(Scalar t) const {
    Scalar zero = t.same(0), one = t.same(1);
    if (!cubic)
      return (one - t).max(zero);
    double a = axis.op.getCubicCoeffA().convertToDouble();
    Scalar near = (t * (a + 2) - (a + 3)) * t * t + 1;
    Scalar far = ((t * a - 5 * a) * t + 8 * a) * t - 4 * a;
    return (t <= 1).select(near, (t < 2).select(far, zero));
  }

  const Axis &axis;
  bool cubic;
  double shrink = 1;
  int64_t start, taps;
};

/// `input` resized along one axis, in the type of the weights.
Value createInterpolation(ImplicitLocOpBuilder &b, const Axis &axis,
                          Value current, bool isUnsigned, Type real) {
  Kernel kernel(axis);
  Value positions = kernel.createPositions(b);
  Value weights = kernel.createWeights(b, real);
  int64_t rank = typeOf(current).getRank();
  SmallVector<OpFoldResult> sizes = getTypedSizes(b, current);
  sizes[axis.axis] = axis.outputSize;
  Value init = createFilled(b, sizes, getZero(real));
  AffineExpr o = b.getAffineDimExpr(axis.axis), t = b.getAffineDimExpr(rank);
  AffineMap table = AffineMap::get(rank + 1, 0, {o, t}, b.getContext());
  AffineMap output = AffineMap::getMultiDimIdentityMap(rank + 1, b.getContext())
                         .dropResult(rank);
  return createGeneric(
      b, init, {positions, weights}, {table, table, output}, 1,
      [&](ImplicitLocOpBuilder &inner, ValueRange x) -> Value {
        SmallVector<Value> indices;
        for (int64_t dim = 0; dim < rank; ++dim)
          indices.push_back(dim == axis.axis
                                ? arith::IndexCastOp::create(
                                      inner, inner.getIndexType(), x[0])
                                      .getResult()
                                : loopIndex(inner, dim).get());
        Value element = tensor::ExtractOp::create(inner, current, indices);
        return Scalar(inner, x[2]) +
               toReal(inner, element, real, isUnsigned) * Scalar(inner, x[1]);
      });
}

class ResizePattern : public OpConversionPattern<ResizeOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(ResizeOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    SmallVector<OpFoldResult> sizes =
        getTypedSizes(b, op, adaptor.getOperands());
    SmallVector<Axis> axes;
    for (auto [number, axis] : llvm::enumerate(op.getAxes()))
      axes.push_back({op, number, axis, adaptor.getInput(), sizes[axis]});
    bool nearest = op.getMode() == ResizeMode::Nearest;
    Value result = nearest ? createNearest(b, axes, adaptor.getInput(), sizes)
                           : createWeighted(b, axes, adaptor.getInput());
    bool crops =
        op.getCoordinateTransformationMode() == CoordinateMode::TfCropAndResize;
    Type element = getStorageType(op.getType().getElementType());
    if (crops || element != getElementTypeOrSelf(result))
      result = finish(b, op, axes, result, element, crops);
    rewriter.replaceOp(op, result);
    return success();
  }

  static Value createNearest(ImplicitLocOpBuilder &b, ArrayRef<Axis> axes,
                             Value input, ArrayRef<OpFoldResult> sizes) {
    int64_t rank = sizes.size();
    SmallVector<Value> tables;
    SmallVector<AffineMap> maps;
    for (const Axis &axis : axes) {
      tables.push_back(createNearestTable(b, axis));
      maps.push_back(AffineMap::get(rank, 0, b.getAffineDimExpr(axis.axis)));
    }
    maps.push_back(b.getMultiDimIdentityMap(rank));
    Value init = tensor::EmptyOp::create(b, sizes, getElementTypeOrSelf(input));
    return createGeneric(
        b, init, tables, maps, 0,
        [&](ImplicitLocOpBuilder &inner, ValueRange x) -> Value {
          SmallVector<Value> indices;
          for (int64_t dim = 0; dim < rank; ++dim)
            indices.push_back(loopIndex(inner, dim));
          for (auto [axis, position] : llvm::zip(axes, x))
            indices[axis.axis] = arith::IndexCastOp::create(
                inner, inner.getIndexType(), position);
          return tensor::ExtractOp::create(inner, input, indices);
        });
  }

  static Value createWeighted(ImplicitLocOpBuilder &b, ArrayRef<Axis> axes,
                              Value input) {
    Type real = getSamplingType(getElementTypeOrSelf(input));
    bool isUnsigned = isUnsignedElement(axes.front().op.getType());
    Value current = input;
    for (const Axis &axis : axes)
      current = createInterpolation(b, axis, current, isUnsigned, real);
    return current;
  }

  /// Positions outside of the input have a value of their own where the region
  /// may reach beyond it; integers are rounded at the very end.
  static Value finish(ImplicitLocOpBuilder &b, ResizeOp op, ArrayRef<Axis> axes,
                      Value value, Type element, bool crops) {
    bool isUnsigned = isUnsignedElement(op.getType());
    AffineMap map = b.getMultiDimIdentityMap(typeOf(value).getRank());
    Value init = tensor::EmptyOp::create(b, getTypedSizes(b, value), element);
    return createGeneric(
        b, init, value, {map, map}, 0,
        [&](ImplicitLocOpBuilder &inner, ValueRange x) -> Value {
          Value converted = x[0];
          if (x[0].getType() != element)
            converted = fromReal(inner, {inner, x[0]}, element, isUnsigned);
          if (!crops)
            return converted;
          Scalar outside(inner, arith::ConstantOp::create(
                                    inner, inner.getBoolAttr(false)));
          for (const Axis &axis : axes) {
            Scalar source = axis.source(
                inner, loopIndex(inner, axis.axis).toReal(inner.getF64Type()));
            outside =
                outside | (source < 0) | (source > axis.inputLength(inner) - 1);
          }
          Scalar value(
              inner,
              arith::ConstantOp::create(
                  inner, inner.getF64FloatAttr(
                             op.getExtrapolationValue().convertToDouble())));
          return arith::SelectOp::create(
              inner, outside, fromReal(inner, value, element, isUnsigned),
              converted);
        });
  }
};

} // namespace

void acc::graph::populateResizeToLinalg(const TypeConverter &converter,
                                        RewritePatternSet &patterns) {
  patterns.add<ResizePattern>(converter, patterns.getContext());
}
