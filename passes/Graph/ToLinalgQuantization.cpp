//===- ToLinalgQuantization.cpp - Quantization to linalg ------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Graph/GraphInteger.h"
#include "dialects/Graph/GraphQuantization.h"
#include "dialects/Graph/Inference.h"
#include "passes/Graph/ToLinalg.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Quant/IR/QuantTypes.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace acc::graph;

namespace {

/// Operands of one element-wise computation whose parameters are scalars or
/// vectors along one axis.
class Parameters {
public:
  Parameters(ImplicitLocOpBuilder &b, Value input, int64_t axis)
      : b(b), rank(cast<RankedTensorType>(input.getType()).getRank()),
        axis(axis), operands{input}, maps{b.getMultiDimIdentityMap(rank)} {}

  /// The returned function gives the parameter inside of the body.
  using Getter = std::function<Value(ValueRange)>;
  Getter add(ArrayRef<Attribute> values) {
    unsigned position = operands.size();
    Value scalar =
        addPerAxisOperand(b, values, axis, rank, operands, maps).scalar;
    return [=](ValueRange elements) {
      return scalar ? scalar : elements[position];
    };
  }
  Getter add(ArrayRef<int32_t> values) {
    SmallVector<Attribute> attributes;
    for (int32_t value : values)
      attributes.push_back(b.getI32IntegerAttr(value));
    return add(attributes);
  }

  Value create(RankedTensorType type, ScalarBody body) {
    return createElementwise(b, type, operands, maps, body);
  }

private:
  ImplicitLocOpBuilder &b;
  int64_t rank, axis;
  SmallVector<Value> operands;
  SmallVector<AffineMap> maps;
};

SmallVector<Attribute> getFloats(Builder &b, ArrayRef<double> values) {
  SmallVector<Attribute> attributes;
  for (double value : values)
    attributes.push_back(b.getF32FloatAttr(value));
  return attributes;
}

Value convertFloat(ImplicitLocOpBuilder &b, Value value, Type type) {
  unsigned from = value.getType().getIntOrFloatBitWidth(),
           to = type.getIntOrFloatBitWidth();
  if (from < to)
    return arith::ExtFOp::create(b, type, value);
  if (from > to)
    return arith::TruncFOp::create(b, type, value);
  return value;
}

/// The order of ONNX Runtime: divide, round half to even, add the zero point,
/// saturate. NaN becomes the least value.
class QuantizeLinearPattern : public OpConversionPattern<QuantizeLinearOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(QuantizeLinearOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    FailureOr<QuantizedElement> element =
        QuantizedElement::get(op.getType().getElementType());
    if (failed(element))
      return rewriter.notifyMatchFailure(op, "unknown kind of quantized type");
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    auto type =
        cast<RankedTensorType>(getTypeConverter()->convertType(op.getType()));
    Type f32 = b.getF32Type(), storage = type.getElementType();
    Type integer = getStorageInteger(
        cast<quant::QuantizedType>(op.getType().getElementType()));
    Parameters parameters(b, adaptor.getInput(), element->axis);
    auto scale = parameters.add(getFloats(b, element->scales));
    SmallVector<double> points(element->zeroPoints.begin(),
                               element->zeroPoints.end());
    int32_t offset = int32_t(op.getRoundingOffset().value_or(0));
    for (double &point : points)
      point -= offset;
    auto zeroPoint = parameters.add(getFloats(b, points));
    auto constant = [&](ImplicitLocOpBuilder &inner, double value) -> Value {
      return arith::ConstantOp::create(inner, inner.getF32FloatAttr(value));
    };
    rewriter.replaceOp(
        op,
        parameters.create(
            type, [&](ImplicitLocOpBuilder &inner, ValueRange x) -> Value {
              Value value = convertFloat(inner, x[0], f32);
              value = arith::DivFOp::create(inner, value, scale(x));
              if (offset != 0)
                value = arith::AddFOp::create(inner, value,
                                              constant(inner, offset));
              value = math::RoundEvenOp::create(inner, value);
              value = arith::AddFOp::create(inner, value, zeroPoint(x));
              // A comparison with NaN is false, so that it becomes the
              // bound; processors have one instruction for each of these.
              auto bound = [&](arith::CmpFPredicate isInside, double end) {
                Value limit = constant(inner, end);
                return arith::SelectOp::create(
                    inner, arith::CmpFOp::create(inner, isInside, value, limit),
                    value, limit);
              };
              value = bound(arith::CmpFPredicate::OGT, element->minimum);
              value = bound(arith::CmpFPredicate::OLT, element->maximum);
              // i32 holds every storage type up to 16 bits, and its
              // conversion is one instruction.
              Value wide =
                  arith::FPToSIOp::create(inner, inner.getI32Type(), value);
              if (storage.isInteger(32))
                return wide;
              return storeElement(inner,
                                  arith::TruncIOp::create(inner, storage, wide),
                                  integer);
            }));
    return success();
  }
};

class DequantizeLinearPattern : public OpConversionPattern<DequantizeLinearOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(DequantizeLinearOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    FailureOr<QuantizedElement> element =
        QuantizedElement::get(op.getInput().getType().getElementType());
    if (failed(element))
      return rewriter.notifyMatchFailure(op, "unknown kind of quantized type");
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    auto type = cast<RankedTensorType>(op.getType());
    Type i32 = b.getI32Type(), f32 = b.getF32Type();
    Type integer = getStorageInteger(
        cast<quant::QuantizedType>(op.getInput().getType().getElementType()));
    Parameters parameters(b, adaptor.getInput(), element->axis);
    auto scale = parameters.add(getFloats(b, element->scales));
    SmallVector<int32_t> points(element->zeroPoints.begin(),
                                element->zeroPoints.end());
    auto zeroPoint = parameters.add(points);
    bool isCentred = llvm::all_of(points, [](int32_t z) { return z == 0; });
    rewriter.replaceOp(
        op,
        parameters.create(
            type, [&](ImplicitLocOpBuilder &inner, ValueRange x) -> Value {
              Value value = loadElement(inner, x[0], integer);
              if (value.getType() != i32)
                value =
                    element->isUnsigned
                        ? arith::ExtUIOp::create(inner, i32, value).getResult()
                        : arith::ExtSIOp::create(inner, i32, value).getResult();
              if (!isCentred)
                value = arith::SubIOp::create(inner, value, zeroPoint(x));
              value = arith::SIToFPOp::create(inner, f32, value);
              value = arith::MulFOp::create(inner, value, scale(x));
              return convertFloat(inner, value, type.getElementType());
            }));
    return success();
  }
};

class RequantizePattern : public OpConversionPattern<RequantizeOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(RequantizeOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    Parameters parameters(b, adaptor.getInput(), /*axis=*/1);
    Parameters::Getter clipLo, clipHi, shiftLeft, shiftRight, multiplier,
        postShift = parameters.add(op.getPostShift());
    if (std::optional<ArrayRef<int32_t>> values = op.getClipLo())
      clipLo = parameters.add(*values);
    if (std::optional<ArrayRef<int32_t>> values = op.getClipHi())
      clipHi = parameters.add(*values);
    // arith's shifts are undefined for negative amounts.
    SmallVector<int32_t> left, right;
    for (int32_t shift : op.getPreShift()) {
      left.push_back(std::max(-shift, 0));
      right.push_back(std::max(shift, 0));
    }
    auto isUsed = [](int32_t value) { return value != 0; };
    if (llvm::any_of(left, isUsed))
      shiftLeft = parameters.add(left);
    if (llvm::any_of(right, isUsed))
      shiftRight = parameters.add(right);
    if (llvm::any_of(op.getMultiplier(), [](int32_t m) { return m != 1; }))
      multiplier = parameters.add(op.getMultiplier());
    rewriter.replaceOp(
        op, parameters.create(
                cast<RankedTensorType>(op.getType()),
                [&](ImplicitLocOpBuilder &inner, ValueRange x) -> Value {
                  Value y = x[0];
                  if (clipLo)
                    y = arith::MaxSIOp::create(inner, y, clipLo(x));
                  if (clipHi)
                    y = arith::MinSIOp::create(inner, y, clipHi(x));
                  if (shiftLeft)
                    y = arith::ShLIOp::create(inner, y, shiftLeft(x));
                  if (shiftRight)
                    y = arith::ShRSIOp::create(inner, y, shiftRight(x));
                  if (multiplier)
                    y = arith::MulIOp::create(inner, y, multiplier(x));
                  return finish(inner, op, y, postShift(x));
                }));
    return success();
  }

  /// Rounds, adds the zero point, saturates and narrows.
  static Value finish(ImplicitLocOpBuilder &b, RequantizeOp op, Value p,
                      Value postShift) {
    auto constant = [&](int32_t value) -> Value {
      return arith::ConstantOp::create(b, b.getI32IntegerAttr(value));
    };
    auto add = [&](Value value, int32_t amount) -> Value {
      return amount
                 ? arith::AddIOp::create(b, value, constant(amount)).getResult()
                 : value;
    };
    auto shift = [&](Value value, int32_t amount) -> Value {
      return amount ? arith::ShRSIOp::create(b, value, constant(amount))
                          .getResult()
                    : value;
    };
    int32_t s = op.getPostShift().front(), zeroPoint = op.getZeroPoint();
    Value y;
    if (op.getRounding() == Rounding::HalfEven) {
      Value t = shift(add(p, op.getAddend()), op.getMidShift());
      Value isOdd = arith::AndIOp::create(
          b, arith::ShRSIOp::create(b, t, postShift), constant(1));
      y = arith::SubIOp::create(b, t, isOdd);
      y = add(arith::ShRSIOp::create(b, y, postShift), zeroPoint);
    } else if (op.getRounding() == Rounding::Down) {
      y = add(arith::ShRSIOp::create(b, p, postShift), zeroPoint);
    } else if (s == 0) {
      y = add(p, zeroPoint);
    } else {
      y = shift(add(shift(p, s - 1), 2 * zeroPoint + 1), 1);
    }
    if (std::optional<int32_t> low = op.getOutLo())
      y = arith::MaxSIOp::create(b, y, constant(*low));
    if (std::optional<int32_t> high = op.getOutHi())
      y = arith::MinSIOp::create(b, y, constant(*high));
    return arith::TruncIOp::create(b, b.getI8Type(), y);
  }
};

class LookupPattern : public OpConversionPattern<LookupOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(LookupOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    bool perChannel = op.getTable().getType().getDimSize(0) != 1;
    rewriter.replaceOp(
        op, createElementwise(
                b, op.getType(), adaptor.getInput(),
                [&](ImplicitLocOpBuilder &inner, ValueRange x) -> Value {
                  // Entries are in the order of i8; flipping the sign counts
                  // them from 0.
                  Value flip = arith::ConstantOp::create(
                      inner, inner.getI8IntegerAttr(-128));
                  Value entry = arith::IndexCastUIOp::create(
                      inner, inner.getIndexType(),
                      arith::XOrIOp::create(inner, x[0], flip));
                  Value channel =
                      perChannel
                          ? Value(linalg::IndexOp::create(inner, 1))
                          : Value(arith::ConstantIndexOp::create(inner, 0));
                  return tensor::ExtractOp::create(inner, adaptor.getTable(),
                                                   ValueRange{channel, entry});
                }));
    return success();
  }
};

} // namespace

void acc::graph::populateQuantizationToLinalg(const TypeConverter &converter,
                                              RewritePatternSet &patterns) {
  patterns.add<QuantizeLinearPattern, DequantizeLinearPattern,
               RequantizePattern, LookupPattern>(converter,
                                                 patterns.getContext());
}
