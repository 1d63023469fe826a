//===- ToLinalgLayout.cpp - Layout conversions to linalg ------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Packing is padding to complete tiles, splitting the tiled axes and a
// transposition; unpacking the reverse.
//
//===----------------------------------------------------------------------===//

#include "dialects/Graph/GraphConstant.h"
#include "dialects/Graph/GraphLayout.h"
#include "passes/Graph/ToLinalg.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace acc::graph;

namespace {

// (A, a, B, b, H, W) split, (A, B, H, W, a, b) packed.
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
    Value padded =
        createPadded(b, adaptor.getInput(), {0, 0, halo[0], halo[1]},
                     {packed[0] * packed[4] - shape[0],
                      packed[1] * packed[5] - shape[1], halo[2], halo[3]},
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
