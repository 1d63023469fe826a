//===- ToLinalgMovement.cpp - Data movement to linalg and tensor ----------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Graph/GraphConstant.h"
#include "dialects/Graph/GraphMovement.h"
#include "dialects/Graph/GraphQuantization.h"
#include "passes/Graph/ToLinalg.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/DialectResourceBlobManager.h"

using namespace mlir;
using namespace acc::graph;

namespace {

/// Constants stay; only their elements lose sign and scale.
class ConstantPattern : public OpConversionPattern<ConstantOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(ConstantOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto type =
        cast<RankedTensorType>(getTypeConverter()->convertType(op.getType()));
    ElementsAttr value;
    if (auto dense = dyn_cast<DenseElementsAttr>(op.getValue()))
      value = DenseElementsAttr::getFromRawBuffer(type, dense.getRawData());
    else if (auto resource = dyn_cast<DenseResourceElementsAttr>(op.getValue()))
      value = DenseResourceElementsAttr::get(type, resource.getRawHandle());
    if (!value)
      return rewriter.notifyMatchFailure(
          op, "value is neither dense nor dense_resource");
    rewriter.replaceOpWithNewOp<ConstantOp>(op, type, value);
    return success();
  }
};

/// Every operator that keeps the elements in order, whatever decides the shape.
template <typename Op> class ReshapePattern : public OpConversionPattern<Op> {
  using OpConversionPattern<Op>::OpConversionPattern;

  LogicalResult
  matchAndRewrite(Op op, typename Op::Adaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    rewriter.replaceOp(
        op,
        createReshape(b, adaptor.getInput(), typeOf(op.getResult()).getShape(),
                      getResultSizes(b, op, adaptor.getOperands())));
    return success();
  }
};

class IndexTensorPattern : public OpConversionPattern<IndexTensorOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(IndexTensorOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    Type i64 = b.getI64Type();
    ValueRange dynamics = adaptor.getDynamics();
    // One element-wise choice among few numbers, so that the result is written
    // like any other.
    Value result = createElementwise(
        b, typeOf(op.getResult()), ValueRange{},
        [&](ImplicitLocOpBuilder &inner, ValueRange) -> Value {
          Value position = linalg::IndexOp::create(inner, 0), chosen;
          for (auto [index, number] : llvm::enumerate(op.getValues())) {
            Value value;
            if (ShapedType::isDynamic(number)) {
              value = arith::IndexCastOp::create(inner, i64, dynamics.front());
              dynamics = dynamics.drop_front();
            } else {
              value = arith::ConstantOp::create(
                  inner, inner.getI64IntegerAttr(number));
            }
            if (!chosen) {
              chosen = value;
              continue;
            }
            Value isHere = arith::CmpIOp::create(
                inner, arith::CmpIPredicate::eq, position,
                arith::ConstantIndexOp::create(inner, index));
            chosen = arith::SelectOp::create(inner, isHere, value, chosen);
          }
          return chosen;
        });
    rewriter.replaceOp(op, result);
    return success();
  }
};

class TransposePattern : public OpConversionPattern<TransposeOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(TransposeOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    auto type =
        cast<RankedTensorType>(getTypeConverter()->convertType(op.getType()));
    // Result axis i is input axis perm[i], so input axis perm[i] reads loop i.
    SmallVector<AffineExpr> source(type.getRank());
    for (auto [axis, inputAxis] : llvm::enumerate(op.getPerm()))
      source[inputAxis] = b.getAffineDimExpr(axis);
    rewriter.replaceOp(
        op, createElementwise(
                b, type, adaptor.getInput(),
                AffineMap::get(type.getRank(), 0, source, b.getContext()),
                [](ImplicitLocOpBuilder &, ValueRange x) { return x[0]; }));
    return success();
  }
};

class ConcatPattern : public OpConversionPattern<ConcatOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(ConcatOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    Value result = createEmpty(b, getTypeConverter()->convertType(op.getType()),
                               getResultSizes(b, op, adaptor.getOperands()));
    int64_t rank = typeOf(result).getRank();
    OpFoldResult position = b.getIndexAttr(0);
    // No slice starts within an axis that has no elements.
    bool isEmpty = llvm::is_contained(typeOf(result).getShape(), 0);
    for (Value input : adaptor.getInputs()) {
      if (isEmpty)
        break;
      Sizes offsets(rank, b.getIndexAttr(0)), strides(rank, b.getIndexAttr(1)),
          sizes = getSizes(b, input);
      offsets[op.getAxis()] = position;
      position = addSizes(b, position, sizes[op.getAxis()]);
      result = tensor::InsertSliceOp::create(b, input, result, offsets, sizes,
                                             strides);
    }
    rewriter.replaceOp(op, result);
    return success();
  }
};

class PadPattern : public OpConversionPattern<PadOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(PadOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    auto type =
        cast<RankedTensorType>(getTypeConverter()->convertType(op.getType()));
    if (op.getMode() == PadMode::Constant)
      rewriter.replaceOp(op,
                         createConstantPad(b, op, adaptor.getInput(), type));
    else
      rewriter.replaceOp(op, createGather(b, op, adaptor.getInput(), type));
    return success();
  }

  /// Negative pads crop first, positive ones then grow.
  static Value createConstantPad(ImplicitLocOpBuilder &b, PadOp op, Value input,
                                 RankedTensorType type) {
    int64_t rank = type.getRank();
    SmallVector<int64_t> low, high;
    Sizes sizes = getSizes(b, input), offsets;
    bool crops = false;
    for (int64_t axis = 0; axis < rank; ++axis) {
      int64_t begin = op.getPads()[axis], end = op.getPads()[rank + axis];
      int64_t cropped = std::min<int64_t>(begin, 0) + std::min<int64_t>(end, 0);
      crops |= cropped != 0;
      offsets.push_back(b.getIndexAttr(std::max<int64_t>(-begin, 0)));
      sizes[axis] = addSizes(b, sizes[axis], b.getIndexAttr(cropped));
      low.push_back(std::max<int64_t>(begin, 0));
      high.push_back(std::max<int64_t>(end, 0));
    }
    if (crops)
      input = tensor::ExtractSliceOp::create(b, input, offsets, sizes,
                                             Sizes(rank, b.getIndexAttr(1)));
    Type element = type.getElementType();
    double value = op.getConstantValue().convertToDouble();
    TypedAttr fill =
        isa<FloatType>(element)
            ? TypedAttr(FloatAttr::get(element, value))
            : IntegerAttr::get(element, APInt(element.getIntOrFloatBitWidth(),
                                              static_cast<int64_t>(value),
                                              /*isSigned=*/true,
                                              /*implicitTrunc=*/true));
    return createPadded(b, input, low, high, fill);
  }

  /// Every element read from where its mode takes it, of those that negative
  /// pads leave.
  static Value createGather(ImplicitLocOpBuilder &b, PadOp op, Value input,
                            RankedTensorType type) {
    Sizes kept = getSizes(b, input), padded;
    int64_t rank = type.getRank();
    ArrayRef<int64_t> begins = op.getPads().take_front(rank),
                      ends = op.getPads().drop_front(rank);
    for (auto [size, begin, end] : llvm::zip(kept, begins, ends)) {
      padded.push_back(addSizes(b, size, b.getIndexAttr(begin + end)));
      size = addSizes(b, size,
                      b.getIndexAttr(std::min<int64_t>(begin, 0) +
                                     std::min<int64_t>(end, 0)));
    }
    return createElementwise(
        b, type, ValueRange{},
        [&](ImplicitLocOpBuilder &inner, ValueRange) -> Value {
          SmallVector<Value> indices;
          for (int64_t axis = 0; axis < rank; ++axis) {
            Value size = getValueOrCreateConstantIndexOp(inner, inner.getLoc(),
                                                         kept[axis]);
            Value index =
                createKeptIndex(inner, op.getMode(), axis,
                                std::max<int64_t>(begins[axis], 0), size);
            Value first = arith::ConstantIndexOp::create(
                inner, std::max<int64_t>(-begins[axis], 0));
            indices.push_back(arith::AddIOp::create(inner, index, first));
          }
          return tensor::ExtractOp::create(inner, input, indices);
        },
        padded);
  }

  /// Which of the `size` elements that are left along an axis is read.
  static Value createKeptIndex(ImplicitLocOpBuilder &b, PadMode mode,
                               int64_t axis, int64_t begin, Value size) {
    auto constant = [&](int64_t value) -> Value {
      return arith::ConstantIndexOp::create(b, value);
    };
    Value index = linalg::IndexOp::create(b, axis);
    index = arith::SubIOp::create(b, index, constant(begin));
    Value last = arith::SubIOp::create(b, size, constant(1));
    switch (mode) {
    case PadMode::Edge:
      index = arith::MaxSIOp::create(b, index, constant(0));
      return arith::MinSIOp::create(b, index, last);
    case PadMode::Reflect: {
      // Mirror below zero, then beyond the last element.
      Value mirrored = arith::SubIOp::create(b, constant(0), index);
      index = arith::MaxSIOp::create(b, index, mirrored);
      Value beyond =
          arith::SubIOp::create(b, arith::AddIOp::create(b, last, last), index);
      return arith::MinSIOp::create(b, index, beyond);
    }
    default: {
      index = arith::RemSIOp::create(b, index, size);
      index = arith::AddIOp::create(b, index, size);
      return arith::RemSIOp::create(b, index, size);
    }
    }
  }
};

} // namespace

void acc::graph::populateMovementToLinalg(const TypeConverter &converter,
                                          RewritePatternSet &patterns) {
  patterns.add<ConstantPattern, ReshapePattern<FlattenOp>,
               ReshapePattern<ReshapeOp>, ReshapePattern<SqueezeOp>,
               ReshapePattern<UnsqueezeOp>, ReshapePattern<StorageCastOp>,
               IndexTensorPattern, TransposePattern, ConcatPattern, PadPattern>(
      converter, patterns.getContext());
}
