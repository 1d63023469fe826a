//===- ToLinalgLayout.cpp - Layout conversions to linalg ------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Packing is padding to complete tiles, splitting the tiled axes and a
// transposition; unpacking the reverse. The elements of a window are views of
// the padded input that lie beside each other.
//
//===----------------------------------------------------------------------===//

#include "dialects/Graph/GraphConstant.h"
#include "dialects/Graph/GraphLayout.h"
#include "dialects/TE/TEDialect.h"
#include "passes/Graph/ToLinalg.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace acc::graph;

namespace {

// (A, a, B, b, H, W) split, (A, B, H, W, a, b) packed.
constexpr int64_t kNoHalo[] = {0, 0, 0, 0};
constexpr int64_t splitOfPacked[] = {0, 2, 4, 5, 1, 3},
                  packedOfSplit[] = {0, 4, 1, 5, 2, 3};

Value createTranspose(ImplicitLocOpBuilder &b, Value input,
                      ArrayRef<int64_t> permutation) {
  SmallVector<int64_t> shape;
  SmallVector<AffineExpr> source(permutation.size());
  for (auto [axis, inputAxis] : llvm::enumerate(permutation)) {
    shape.push_back(typeOf(input).getDimSize(inputAxis));
    source[inputAxis] = b.getAffineDimExpr(axis);
  }
  return createElementwise(
      b, typeOf(input).clone(shape), input,
      AffineMap::get(permutation.size(), 0, source, b.getContext()),
      [](ImplicitLocOpBuilder &, ValueRange x) { return x[0]; });
}

/// The elements of the window of `op` as channels: (A, KH * KW * B, U, V).
Value createWindows(ImplicitLocOpBuilder &b, PackOp op, Value input) {
  ArrayRef<int64_t> shape = typeOf(input).getShape(), window = op.getWindow(),
                    strides = op.getStrides(), dilations = op.getDilations();
  int64_t rows = op.getType().getDimSize(2),
          columns = op.getType().getDimSize(3);
  SmallVector<AffineExpr, 6> d;
  for (unsigned axis = 0; axis < 6; ++axis)
    d.push_back(b.getAffineDimExpr(axis));
  AffineMap map =
      AffineMap::get(6, 0,
                     {d[0], d[3], d[4] * strides[0] + d[1] * dilations[0],
                      d[5] * strides[1] + d[2] * dilations[1]},
                     b.getContext());
  Value taps = createElementwise(
      b,
      typeOf(input).clone(
          {shape[0], window[0], window[1], shape[1], rows, columns}),
      input, map, [](ImplicitLocOpBuilder &, ValueRange x) { return x[0]; });
  return createReshape(
      b, taps, {shape[0], window[0] * window[1] * shape[1], rows, columns});
}

/// The elements of `input` in the order of a tensor of `shape`: at `source` in
/// terms of the loops over that, of which -1 stands for the element 0.
Value createMoved(ImplicitLocOpBuilder &b, Value input, ArrayRef<int64_t> shape,
                  ArrayRef<int64_t> source) {
  SmallVector<AffineExpr> at;
  for (int64_t loop : source)
    at.push_back(loop < 0 ? b.getAffineConstantExpr(0)
                          : b.getAffineDimExpr(loop));
  return createElementwise(
      b, typeOf(input).clone(shape), input,
      AffineMap::get(shape.size(), 0, at, b.getContext()),
      [](ImplicitLocOpBuilder &, ValueRange x) { return x[0]; });
}

class PackPattern : public OpConversionPattern<PackOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(PackOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    ArrayRef<int64_t> shape = op.getInput().getType().getShape(),
                      packed = op.getType().getShape(), halo = op.getHalo();
    auto pad = IntegerAttr::get(op.getType().getElementType(),
                                static_cast<int8_t>(op.getPadValue()));
    if (shape.size() == 3) {
      int64_t above = halo[0] * packed[4];
      Value padded = createPadded(b, adaptor.getInput(), {0, above, 0},
                                  {0, packed[2] * packed[4] - above - shape[1],
                                   packed[1] * packed[5] - shape[2]},
                                  pad);
      Value split = createReshape(
          b, padded, {packed[0], packed[2], packed[4], packed[1], packed[5]});
      rewriter.replaceOp(op, createMoved(b, split, packed, {0, 2, 4, 1, 5}));
      return success();
    }
    // Whoever reads the result may want to know where it is the same for all
    // inputs.
    if (auto kernel = dyn_cast<acc::te::KernelOp>(op->getParentOp());
        kernel && !op.hasWindow() && halo != ArrayRef<int64_t>(kNoHalo) &&
        op->hasOneUse() && kernel->getNumResults() == 0 &&
        kernel.getResultTypes().size() == 1 &&
        isa<acc::te::ReturnOp>(*op->user_begin()))
      rewriter.modifyOpInPlace(kernel, [&] {
        kernel->setAttr(
            acc::te::TEDialect::kBorder,
            rewriter.getDenseI64ArrayAttr(
                {0, 0, halo[0], halo[1], 0, 0, 0, 0, halo[2], halo[3], 0, 0}));
      });
    Value padded = adaptor.getInput();
    int64_t channels = shape[1];
    if (op.hasWindow()) {
      padded = createPadded(b, padded, {0, 0, halo[0], halo[1]},
                            {0, 0, halo[2], halo[3]}, pad);
      padded = createWindows(b, op, padded);
      channels = typeOf(padded).getDimSize(1);
      halo = kNoHalo;
    }
    padded = createPadded(b, padded, {0, 0, halo[0], halo[1]},
                          {packed[0] * packed[4] - shape[0],
                           packed[1] * packed[5] - channels, halo[2], halo[3]},
                          pad);
    Value split = createReshape(
        b, padded,
        {packed[0], packed[4], packed[1], packed[5], packed[2], packed[3]});
    rewriter.replaceOp(op, createTranspose(b, split, splitOfPacked));
    return success();
  }
};

class UnpackPattern : public OpConversionPattern<UnpackOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(UnpackOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    ArrayRef<int64_t> shape = op.getType().getShape(),
                      packed = op.getInput().getType().getShape();
    if (shape.size() == 3) {
      Value moved =
          createMoved(b, adaptor.getInput(),
                      {packed[0], packed[2], packed[4], packed[1], packed[5]},
                      {0, 3, 1, -1, 2, 4});
      Value split = createReshape(
          b, moved, {packed[0], packed[2] * packed[4], packed[1] * packed[5]});
      rewriter.replaceOp(
          op, slice(b, split, {0, op.getHalo()[0] * packed[4], 0}, shape));
      return success();
    }
    Value interior = slice(
        b, adaptor.getInput(), {0, 0, op.getHalo()[0], op.getHalo()[1], 0, 0},
        {packed[0], packed[1], shape[2], shape[3], packed[4], packed[5]});
    Value split = createTranspose(b, interior, packedOfSplit);
    Value padded = createReshape(
        b, split,
        {packed[0] * packed[4], packed[1] * packed[5], shape[2], shape[3]});
    rewriter.replaceOp(op, slice(b, padded, {0, 0, 0, 0}, shape));
    return success();
  }

  static Value slice(ImplicitLocOpBuilder &b, Value input,
                     ArrayRef<int64_t> offsets, ArrayRef<int64_t> sizes) {
    if (typeOf(input).getShape() == sizes)
      return input;
    return tensor::ExtractSliceOp::create(
        b, input, getAsIndexOpFoldResult(b.getContext(), offsets),
        getAsIndexOpFoldResult(b.getContext(), sizes),
        SmallVector<OpFoldResult>(sizes.size(), b.getIndexAttr(1)));
  }
};

} // namespace

void acc::graph::populateLayoutToLinalg(const TypeConverter &converter,
                                        RewritePatternSet &patterns) {
  patterns.add<PackPattern, UnpackPattern>(converter, patterns.getContext());
}
