//===- ToLinalgConvTranspose.cpp - Relatives of convolution to linalg -----===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Graph/GraphConvolution.h"
#include "passes/Graph/Convolutions.h"
#include "passes/Graph/Sampling.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace acc::graph;

namespace {

//===----------------------------------------------------------------------===//
// conv_transpose
//===----------------------------------------------------------------------===//

/// A transposed convolution is a convolution of the input with its elements
/// `strides` apart, whose kernel is turned round.
class ConvTransposePattern : public OpConversionPattern<ConvTransposeOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(ConvTransposeOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    Value input = spread(b, op, adaptor.getInput());
    int64_t group = op.getGroup(), spatial = op.getStrides().size();
    ArrayRef<int64_t> shape = typeOf(adaptor.getWeight()).getShape();
    Type element = op.getType().getElementType();
    int64_t channels = shape[0] / group;
    auto dim = [&](int64_t index) { return b.getAffineDimExpr(index); };
    AffineExpr g = dim(1), c = dim(3 + spatial);
    SmallVector<AffineExpr> x{dim(0), group == 1 ? c : g * channels + c},
        w{g, c, dim(2)};
    for (int64_t axis = 0; axis < spatial; ++axis) {
      AffineExpr tap = dim(4 + spatial + axis);
      int64_t last = shape[axis + 2] - 1, dilation = op.getDilations()[axis];
      x.push_back(dim(3 + axis) - tap * dilation + last * dilation);
      w.push_back(tap);
    }
    Value result = createSumOfProducts(
        b, input, splitGroups(b, adaptor.getWeight(), group),
        getTypedSizes(b, op, adaptor.getOperands()),
        getAccumulatorType(element), shape[1], x, w);
    rewriter.replaceOp(op, finishSums(b, result, adaptor.getBias(), element));
    return success();
  }

  /// The input with zeros between its elements and around them; what the pads
  /// crop of that is left out.
  static Value spread(ImplicitLocOpBuilder &b, ConvTransposeOp op,
                      Value input) {
    ArrayRef<int64_t> kernel =
        op.getWeight().getType().getShape().drop_front(2);
    int64_t spatial = kernel.size();
    SmallVector<OpFoldResult> sizes = getTypedSizes(b, input);
    SmallVector<OpFoldResult> whole(sizes), kept(sizes);
    OpFoldResult zero = b.getIndexAttr(0), one = b.getIndexAttr(1);
    SmallVector<OpFoldResult> offsets(2, zero), strides(2, one), crop(2, zero),
        ones(2 + spatial, one);
    bool crops = false, grows = false;
    for (int64_t axis = 0; axis < spatial; ++axis) {
      int64_t stride = op.getStrides()[axis];
      int64_t reach = (kernel[axis] - 1) * op.getDilations()[axis];
      int64_t low = reach - op.getPads()[axis];
      int64_t high =
          reach - op.getPads()[axis + spatial] + op.getOutputPadding()[axis];
      int64_t around = std::max<int64_t>(low, 0) + std::max<int64_t>(high, 0);
      AffineExpr size = (b.getAffineSymbolExpr(0) - 1) * stride + 1;
      auto compute = [&](int64_t more) {
        return affine::makeComposedFoldedAffineApply(
            b, b.getLoc(), AffineMap::get(0, 1, size + more),
            {sizes[axis + 2]});
      };
      whole[axis + 2] = compute(around);
      kept[axis + 2] = compute(low + high);
      offsets.push_back(b.getIndexAttr(std::max<int64_t>(low, 0)));
      strides.push_back(b.getIndexAttr(stride));
      crop.push_back(b.getIndexAttr(std::max<int64_t>(-low, 0)));
      crops |= low < 0 || high < 0;
      grows |= around > 0 || stride > 1;
    }
    if (grows) {
      Type element = typeOf(input).getElementType();
      Value zeros = createFilled(b, whole, getZero(element));
      input = tensor::InsertSliceOp::create(b, input, zeros, offsets, sizes,
                                            strides);
    }
    if (crops)
      input = tensor::ExtractSliceOp::create(b, input, crop, kept, ones);
    return input;
  }
};

//===----------------------------------------------------------------------===//
// deform_conv
//===----------------------------------------------------------------------===//

/// What every tap of every window reads, (N, C, taps..., positions...), and
/// then the sum of products with the weights.
class DeformConvPattern : public OpConversionPattern<DeformConvOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(DeformConvOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    ArrayRef<int64_t> weight = typeOf(adaptor.getWeight()).getShape();
    SmallVector<OpFoldResult> sizes =
        getTypedSizes(b, op, adaptor.getOperands());
    Value columns = createColumns(b, op, adaptor, sizes);
    int64_t group = op.getGroup(), spatial = sizes.size() - 2;
    auto dim = [&](int64_t index) { return b.getAffineDimExpr(index); };
    AffineExpr g = dim(1), c = dim(3 + spatial);
    SmallVector<AffineExpr> x{dim(0), g * weight[1] + c}, w{g, dim(2), c};
    for (int64_t axis = 0; axis < spatial; ++axis) {
      x.push_back(dim(4 + spatial + axis));
      w.push_back(dim(4 + spatial + axis));
    }
    for (int64_t axis = 0; axis < spatial; ++axis)
      x.push_back(dim(3 + axis));
    Type element = op.getType().getElementType();
    Value result = createSumOfProducts(
        b, columns, splitGroups(b, adaptor.getWeight(), group), sizes,
        getAccumulatorType(element), weight[0] / group, x, w);
    rewriter.replaceOp(op, finishSums(b, result, Value(), element));
    return success();
  }

  static Value createColumns(ImplicitLocOpBuilder &b, DeformConvOp op,
                             OpAdaptor adaptor, ArrayRef<OpFoldResult> sizes) {
    Value input = adaptor.getInput();
    Type element = typeOf(input).getElementType();
    Type real = getSamplingType(element);
    ArrayRef<int64_t> weight = typeOf(adaptor.getWeight()).getShape();
    ArrayRef<int64_t> kernel = weight.drop_front(2);
    int64_t spatial = kernel.size(), channels = weight[1] * op.getGroup(),
            loops = 2 + 2 * spatial;
    SmallVector<OpFoldResult> shape{sizes[0], b.getIndexAttr(channels)};
    for (int64_t taps : kernel)
      shape.push_back(b.getIndexAttr(taps));
    llvm::append_range(shape, sizes.drop_front(2));
    // The channel changes fastest: nothing but the last read depends on it,
    // within one group of offsets.
    SmallVector<AffineExpr> exprs{b.getAffineDimExpr(0),
                                  b.getAffineDimExpr(loops - 1)};
    for (int64_t axis = 1; axis < loops - 1; ++axis)
      exprs.push_back(b.getAffineDimExpr(axis));
    Value init = tensor::EmptyOp::create(b, shape, element);
    return createGeneric(
        b, init, {}, AffineMap::get(loops, 0, exprs, b.getContext()), 0,
        [&](ImplicitLocOpBuilder &inner, ValueRange) -> Value {
          Scalar n = loopIndex(inner, 0), c = loopIndex(inner, loops - 1);
          // Taps are counted in row-major order, over all groups of offsets.
          Scalar tap = c / double(channels / op.getOffsetGroup());
          SmallVector<Value> at{n, n};
          for (int64_t axis = 0; axis < spatial; ++axis) {
            tap = tap * double(kernel[axis]) + loopIndex(inner, 1 + axis);
            at.push_back(loopIndex(inner, 1 + spatial + axis));
          }
          auto read = [&](Value tensor, Scalar row) {
            at[1] = row;
            Value value = tensor::ExtractOp::create(inner, tensor, at);
            return Scalar(inner, value).toReal(real);
          };
          SmallVector<Taps> taps;
          for (int64_t axis = 0; axis < spatial; ++axis) {
            Scalar regular =
                loopIndex(inner, 1 + spatial + axis) *
                    double(op.getStrides()[axis]) +
                loopIndex(inner, 1 + axis) * double(op.getDilations()[axis]) -
                double(op.getPads()[axis]);
            Scalar moved =
                regular.toReal(real) +
                read(adaptor.getOffset(), tap * double(spatial) + double(axis));
            taps.push_back(linearTaps(moved, sizeOf(inner, input, axis + 2)));
          }
          Scalar value = interpolate(inner, input, {n, c}, taps);
          if (adaptor.getMask())
            value = value * read(adaptor.getMask(), tap);
          return value.toReal(element);
        });
  }
};

//===----------------------------------------------------------------------===//
// col2_im
//===----------------------------------------------------------------------===//

/// Every pixel sums what the windows that cover it hold for it.
class Col2ImPattern : public OpConversionPattern<Col2ImOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(Col2ImOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    Value input = adaptor.getInput();
    Type element = typeOf(input).getElementType();
    Type sum = getAccumulatorType(element);
    int64_t spatial = op.getBlockShape().size(), rank = spatial + 2;
    AffineMap output = AffineMap::get(
        rank + spatial, 0, b.getMultiDimIdentityMap(rank).getResults(),
        b.getContext());
    SmallVector<AffineExpr> taps;
    for (int64_t axis = 0; axis < spatial; ++axis)
      taps.push_back(b.getAffineDimExpr(rank + axis));
    // Only the shape of this counts: it is the range of the taps.
    Value block = tensor::EmptyOp::create(b, op.getBlockShape(), sum);
    Value init = createFilled(b, getTypedSizes(b, op, adaptor.getOperands()),
                              getZero(sum));
    Value result = createGeneric(
        b, init, block,
        {AffineMap::get(rank + spatial, 0, taps, b.getContext()), output},
        spatial, [&](ImplicitLocOpBuilder &inner, ValueRange x) -> Value {
          return addCovering(inner, op, input, sum, x.back());
        });
    rewriter.replaceOp(op, convertElements(b, result, element));
    return success();
  }

  /// `running` plus the element of the window that the current tap puts at the
  /// current pixel, if there is such a window.
  static Value addCovering(ImplicitLocOpBuilder &b, Col2ImOp op, Value input,
                           Type sum, Value running) {
    int64_t spatial = op.getBlockShape().size();
    Scalar row = loopIndex(b, 1);
    std::optional<Scalar> column, inside;
    for (int64_t axis = 0; axis < spatial; ++axis) {
      int64_t block = op.getBlockShape()[axis], pad = op.getPads()[axis],
              stride = op.getStrides()[axis],
              dilation = op.getDilations()[axis];
      int64_t windows =
          (op.getImageShape()[axis] + pad + op.getPads()[axis + spatial] -
           (block - 1) * dilation - 1) /
              stride +
          1;
      Scalar tap = loopIndex(b, 2 + spatial + axis);
      Scalar first =
          loopIndex(b, 2 + axis) + double(pad) - tap * double(dilation);
      Scalar window = first / double(stride);
      Scalar fits = (first >= 0) & (first % first.same(stride) == 0) &
                    (window < double(windows));
      inside = inside ? *inside & fits : fits;
      window = window.max(0).min(double(windows - 1));
      column = column ? *column * double(windows) + window : window;
      row = row * double(block) + tap;
    }
    Value element = tensor::ExtractOp::create(
        b, input, ValueRange{loopIndex(b, 0), row, *column});
    Scalar value(b, element);
    if (isa<FloatType>(sum))
      value = value.toReal(sum);
    return Scalar(b, running) + inside->select(value, value.same(0));
  }
};

} // namespace

void acc::graph::populateConvTransposeToLinalg(const TypeConverter &converter,
                                               RewritePatternSet &patterns) {
  patterns.add<ConvTransposePattern, DeformConvPattern, Col2ImPattern>(
      converter, patterns.getContext());
}
