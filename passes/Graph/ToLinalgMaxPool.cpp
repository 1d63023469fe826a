//===- ToLinalgMaxPool.cpp - Maxima of windows to linalg -----------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Graph/GraphPooling.h"
#include "passes/Graph/Pools.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace acc::graph;

namespace {

Value takeLarger(ImplicitLocOpBuilder &b, ValueRange x) {
  if (isa<FloatType>(x[0].getType()))
    return arith::MaximumFOp::create(b, x[1], x[0]);
  return arith::MaxSIOp::create(b, x[1], x[0]);
}

/// Flips the sign bit: maps the order of unsigned integers to that of signed
/// ones and back.
Value flipSign(ImplicitLocOpBuilder &b, Value value) {
  return createMapped(b, value, typeOf(value).getElementType(),
                      [](ImplicitLocOpBuilder &inner, Scalar x) -> Value {
                        Value bit = arith::ConstantOp::create(
                            inner,
                            getLowest(x.getType(), /*isUnsigned=*/false));
                        return arith::XOrIOp::create(inner, x.get(), bit);
                      });
}

class MaxPoolPattern : public OpConversionPattern<MaxPoolOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(MaxPoolOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    bool isUnsigned = isUnsignedElement(op.getType());
    Value input = adaptor.getInput();
    TypedAttr lowest =
        getLowest(typeOf(input).getElementType(), /*isUnsigned=*/false);
    Value result = createPool<linalg::PoolingNchwMaxOp>(
        b, isUnsigned ? flipSign(b, input) : input, windowOf(op),
        getTypedSizes(b, op, adaptor.getOperands()), lowest, lowest,
        takeLarger);
    rewriter.replaceOp(op, isUnsigned ? flipSign(b, result) : result);
    return success();
  }
};

class GlobalMaxPoolPattern : public OpConversionPattern<GlobalMaxPoolOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(GlobalMaxPoolOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    Type element = op.getType().getElementType();
    rewriter.replaceOp(op,
                       createGlobalPool(b, adaptor.getInput(),
                                        getLowest(element, false), takeLarger));
    return success();
  }
};

/// Finds the maxima, and then for every window the first element that equals
/// its maximum.
class MaxPoolIndicesPattern : public OpConversionPattern<MaxPoolIndicesOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(MaxPoolIndicesOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    Value input = adaptor.getInput();
    if (isUnsignedElement(op.getInput().getType()))
      input = flipSign(b, input);
    TypedAttr lowest =
        getLowest(typeOf(input).getElementType(), /*isUnsigned=*/false);
    SmallVector<OpFoldResult> sizes =
        getTypedSizes(b, op, adaptor.getOperands());
    Window window = windowOf(op);
    Value maxima = createPool<linalg::PoolingNchwMaxOp>(
        b, input, window, sizes, lowest, lowest, takeLarger);
    Value init = createFilled(b, sizes, b.getI64IntegerAttr(-1));
    // The loops of the pool, of which every tap sees the same maximum.
    SmallVector<int64_t> ones(window.shape.size(), 1), zeros(ones.size(), 0);
    Value found =
        createGenericPool(b, maxima, {window.shape, ones, {}, zeros}, init,
                          [&](ImplicitLocOpBuilder &inner, ValueRange x) {
                            return keepFirst(inner, op, input, x[0], x[1]);
                          });
    rewriter.replaceOp(op, found);
    return success();
  }

private:
  /// The flat position of the current element if it is the maximum and no
  /// other was before.
  static Value keepFirst(ImplicitLocOpBuilder &b, MaxPoolIndicesOp op,
                         Value input, Value maximum, Value running) {
    int64_t spatial = op.getKernelShape().size();
    SmallVector<Scalar> at{loopIndex(b, 0), loopIndex(b, 1)};
    std::optional<Scalar> inside;
    for (int64_t axis = 0; axis < spatial; ++axis) {
      Scalar position =
          loopIndex(b, axis + 2) * double(op.getStrides()[axis]) +
          loopIndex(b, axis + 2 + spatial) * double(op.getDilations()[axis]) -
          double(op.getPads()[axis]);
      Scalar size = sizeOf(b, input, axis + 2);
      Scalar here = (position >= 0) & (position < size);
      inside = inside ? *inside & here : here;
      at.push_back(position.max(0).min(size - 1));
    }
    SmallVector<Value> indices(at.begin(), at.end());
    Value element = tensor::ExtractOp::create(b, input, indices);
    // NaN is a maximum too, and equal to itself here.
    Value equal = isa<FloatType>(element.getType())
                      ? arith::CmpFOp::create(b, arith::CmpFPredicate::UEQ,
                                              element, maximum)
                            .getResult()
                      : arith::CmpIOp::create(b, arith::CmpIPredicate::eq,
                                              element, maximum)
                            .getResult();
    Value none = arith::ConstantOp::create(b, b.getI64IntegerAttr(-1));
    Value first =
        arith::CmpIOp::create(b, arith::CmpIPredicate::eq, running, none);
    Scalar takes = *inside & Scalar(b, equal) & Scalar(b, first);
    Scalar flat = at[0] * sizeOf(b, input, 1) + at[1];
    for (int64_t axis = 0; axis < spatial; ++axis) {
      int64_t next = op.getColumnMajor() ? spatial - 1 - axis : axis;
      flat = flat * sizeOf(b, input, next + 2) + at[next + 2];
    }
    Value index = arith::IndexCastOp::create(b, b.getI64Type(), flat);
    return arith::SelectOp::create(b, takes, index, running);
  }
};

//===----------------------------------------------------------------------===//
// max_unpool
//===----------------------------------------------------------------------===//

/// Writes one element after the other; positions that do not exist are left
/// out.
class MaxUnpoolPattern : public OpConversionPattern<MaxUnpoolOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(MaxUnpoolOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    SmallVector<OpFoldResult> sizes =
        getTypedSizes(b, op, adaptor.getOperands());
    Value input = createFlat(b, adaptor.getInput());
    Value indices = createFlat(b, adaptor.getIndices());
    Scalar total(b, arith::ConstantIndexOp::create(b, 1));
    for (OpFoldResult size : sizes)
      total = total *
              Scalar(b, getValueOrCreateConstantIndexOp(b, b.getLoc(), size));
    Value zeros = createFilled(
        b, sizes, getZero(typeOf(adaptor.getInput()).getElementType()));
    Value zero = arith::ConstantIndexOp::create(b, 0);
    Value one = arith::ConstantIndexOp::create(b, 1);
    auto loop = scf::ForOp::create(
        b, zero, sizeOf(b, input, 0), one, createFlat(b, zeros),
        [&](OpBuilder &, Location, Value i, ValueRange carried) {
          Value index = tensor::ExtractOp::create(b, indices, i);
          Scalar position(
              b, arith::IndexCastOp::create(b, b.getIndexType(), index));
          Scalar inside = (position >= 0) & (position < total);
          Scalar safe = inside.select(position, position.same(0));
          Value element = tensor::ExtractOp::create(b, input, i);
          Value old = tensor::ExtractOp::create(b, carried[0], safe.get());
          Value next = arith::SelectOp::create(b, inside, element, old);
          Value written =
              tensor::InsertOp::create(b, next, carried[0], safe.get());
          scf::YieldOp::create(b, written);
        });
    rewriter.replaceOp(
        op, tensor::ExpandShapeOp::create(
                b, zeros.getType(), loop.getResult(0),
                {llvm::to_vector(llvm::seq<int64_t>(0, sizes.size()))}, sizes));
    return success();
  }

  static Value createFlat(ImplicitLocOpBuilder &b, Value tensor) {
    SmallVector<ReassociationIndices> all(1);
    all.front() =
        llvm::to_vector(llvm::seq<int64_t>(0, typeOf(tensor).getRank()));
    return tensor::CollapseShapeOp::create(b, tensor, all);
  }
};

} // namespace

void acc::graph::populateMaxPoolToLinalg(const TypeConverter &converter,
                                         RewritePatternSet &patterns) {
  patterns.add<MaxPoolPattern, GlobalMaxPoolPattern, MaxPoolIndicesPattern,
               MaxUnpoolPattern>(converter, patterns.getContext());
}
