//===- GraphElementwise.cpp - Element-wise operators ----------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Graph/GraphElementwise.h"
#include "dialects/Graph/Constants.h"
#include "dialects/Graph/GraphQuantization.h"
#include "dialects/Graph/Shape.h"

#include "mlir/Dialect/Quant/IR/QuantTypes.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/PatternMatch.h"

using namespace mlir;
using namespace acc::graph;

/// `value` where it may stand for a result of type `type`, else null.
static OpFoldResult ifOfType(Value value, Type type) {
  return value.getType() == type ? value : Value();
}

/// Whether every element of a constant is a zero, of this sign if a float.
static bool isZero(Attribute value, bool negative) {
  if (!isSplatOf(value, 0))
    return false;
  auto splat = cast<SplatElementsAttr>(value);
  return !isa<FloatType>(splat.getElementType()) ||
         splat.getSplatValue<APFloat>().isNegative() == negative;
}

// 0 + -0 is 0, so that x + 0 is not x.
OpFoldResult AddOp::fold(FoldAdaptor adaptor) {
  if (isZero(adaptor.getRhs(), /*negative=*/true))
    return ifOfType(getLhs(), getType());
  return {};
}

OpFoldResult SubOp::fold(FoldAdaptor adaptor) {
  if (isZero(adaptor.getRhs(), /*negative=*/false))
    return ifOfType(getLhs(), getType());
  return {};
}

OpFoldResult MulOp::fold(FoldAdaptor adaptor) {
  if (isSplatOf(adaptor.getRhs(), 1))
    return ifOfType(getLhs(), getType());
  return {};
}

OpFoldResult DivOp::fold(FoldAdaptor adaptor) {
  if (isSplatOf(adaptor.getRhs(), 1))
    return ifOfType(getLhs(), getType());
  return {};
}

/// Of one operand, all of these are that operand.
template <typename Op> static OpFoldResult foldVariadic(Op op) {
  return op.getInputs().size() == 1 ? op.getInputs().front() : Value();
}

OpFoldResult SumOp::fold(FoldAdaptor) { return foldVariadic(*this); }
OpFoldResult MeanOp::fold(FoldAdaptor) { return foldVariadic(*this); }
OpFoldResult MaxOp::fold(FoldAdaptor) { return foldVariadic(*this); }
OpFoldResult MinOp::fold(FoldAdaptor) { return foldVariadic(*this); }

/// Operators that are their own inverse.
template <typename Op> static OpFoldResult foldInvolution(Op op) {
  auto inner = op.getInput().template getDefiningOp<Op>();
  return inner ? inner.getInput() : Value();
}

OpFoldResult NegOp::fold(FoldAdaptor) { return foldInvolution(*this); }
OpFoldResult NotOp::fold(FoldAdaptor) { return foldInvolution(*this); }
OpFoldResult BitwiseNotOp::fold(FoldAdaptor) { return foldInvolution(*this); }

LogicalResult SumOp::canonicalize(SumOp op, PatternRewriter &rewriter) {
  if (op.getInputs().size() != 2)
    return rewriter.notifyMatchFailure(op, "does not have two operands");
  rewriter.replaceOpWithNewOp<AddOp>(op, op.getInputs()[0], op.getInputs()[1]);
  return success();
}

/// Whether no element of `value` is below zero. (A NaN passes through both
/// operators, so that it does not matter here.)
static bool isNonNegative(Value value) {
  if (value.getDefiningOp<ReluOp>())
    return true;
  auto clip = value.getDefiningOp<ClipOp>();
  return clip && clip.getMin() && !clip.getMin()->isNegative() &&
         (!clip.getMax() || !clip.getMax()->isNegative());
}

OpFoldResult ReluOp::fold(FoldAdaptor) {
  return isNonNegative(getInput()) ? getInput() : Value();
}

/// The least and the largest of the numbers that a quantized type stands for.
static std::pair<double, double> getRange(quant::QuantizedType type) {
  std::pair<double, double> range{0, 0};
  auto include = [&](double scale, int64_t zeroPoint) {
    range.first = std::min(range.first,
                           scale * double(type.getStorageTypeMin() - zeroPoint));
    range.second = std::max(
        range.second, scale * double(type.getStorageTypeMax() - zeroPoint));
  };
  if (auto uniform = dyn_cast<quant::UniformQuantizedType>(type))
    include(uniform.getScale(), uniform.getZeroPoint());
  if (auto perAxis = dyn_cast<quant::UniformQuantizedPerAxisType>(type))
    for (auto [scale, zeroPoint] :
         llvm::zip(perAxis.getScales(), perAxis.getZeroPoints()))
      include(scale, zeroPoint);
  return range;
}

OpFoldResult ClipOp::fold(FoldAdaptor) {
  if (!getMin() && !getMax())
    return getInput();
  if (!getMax() && (getMin()->isZero() || getMin()->isNegative()) &&
      isNonNegative(getInput()))
    return getInput();
  // Quantized numbers are finite: bounds that guard against infinities limit
  // none of them, not even where float32 rounds their products.
  if (auto dequantize = getInput().getDefiningOp<DequantizeLinearOp>()) {
    auto [least, most] = getRange(cast<quant::QuantizedType>(
        getElementTypeOrSelf(dequantize.getInput())));
    constexpr double margin = 1.001;
    if ((!getMin() || getMin()->convertToDouble() <= least * margin) &&
        (!getMax() || getMax()->convertToDouble() >= most * margin))
      return getInput();
  }
  return {};
}

LogicalResult ClipOp::verify() {
  if (getMin() && getMin()->isNaN())
    return emitOpError("'min' is not a number");
  if (getMax() && getMax()->isNaN())
    return emitOpError("'max' is not a number");
  return success();
}

LogicalResult PowOp::canonicalize(PowOp op, PatternRewriter &rewriter) {
  Attribute exponent;
  matchPattern(op.getExponent(), m_Constant(&exponent));
  if (op.getBase().getType() != op.getType())
    return rewriter.notifyMatchFailure(op, "the base is broadcast");
  if (isSplatOf(exponent, 1)) {
    rewriter.replaceOp(op, op.getBase());
    return success();
  }
  if (!isSplatOf(exponent, 2))
    return rewriter.notifyMatchFailure(op, "the exponent is not 1 or 2");
  rewriter.replaceOpWithNewOp<MulOp>(op, op.getBase(), op.getBase());
  return success();
}

OpFoldResult CastOp::fold(FoldAdaptor) {
  return ifOfType(getInput(), getType());
}

/// Digits of a number of this type, without the sign.
static unsigned getPrecision(Type type) {
  if (auto floating = dyn_cast<FloatType>(type))
    return floating.getFPMantissaWidth();
  bool isSigned = !type.isUnsignedInteger() && !type.isInteger(1);
  return type.getIntOrFloatBitWidth() - isSigned;
}

/// Whether `to` holds every value of `from`.
static bool isExactCast(Type from, Type to) {
  if (isa<FloatType>(from))
    return (to.isF32() || to.isF64()) &&
           from.getIntOrFloatBitWidth() < to.getIntOrFloatBitWidth();
  if (getPrecision(from) > getPrecision(to))
    return false;
  if (isa<FloatType>(to))
    return to.isF16() || to.isBF16() || to.isF32() || to.isF64();
  bool isSigned = !from.isUnsignedInteger() && !from.isInteger(1);
  return !to.isInteger(1) && !(isSigned && to.isUnsignedInteger());
}

LogicalResult CastOp::canonicalize(CastOp op, PatternRewriter &rewriter) {
  auto inner = op.getInput().getDefiningOp<CastOp>();
  if (!inner || !isExactCast(inner.getInput().getType().getElementType(),
                             inner.getType().getElementType()))
    return rewriter.notifyMatchFailure(op, "is not a cast of an exact cast");
  // A cast to its own type would not saturate.
  if (inner.getInput().getType() == op.getType() &&
      op.getType().getElementTypeBitWidth() <= 8 &&
      isa<FloatType>(op.getType().getElementType()))
    return rewriter.notifyMatchFailure(op, "saturates infinity");
  rewriter.modifyOpInPlace(
      op, [&] { op.getInputMutable().assign(inner.getInput()); });
  return success();
}

/// The input's sizes under the element type of the result.
static TensorShape shapeOfCast(ShapeContext &c, Value input, Type result) {
  TensorShape shape = c.shape(input);
  shape.element = getElementTypeOrSelf(result);
  return shape;
}

LogicalResult CastOp::inferShapes(ShapeContext &c,
                                  SmallVectorImpl<TensorShape> &results) {
  if (!llvm::is_contained({"up", "down", "nearest"}, getRoundMode()))
    return c.error("'round_mode' is '", getRoundMode(),
                   "', not 'up', 'down' or 'nearest'");
  results.push_back(shapeOfCast(c, getInput(), getType()));
  return success();
}

OpFoldResult BitCastOp::fold(FoldAdaptor) {
  if (auto inner = getInput().getDefiningOp<BitCastOp>())
    if (inner.getInput().getType() == getType())
      return inner.getInput();
  return ifOfType(getInput(), getType());
}

LogicalResult BitCastOp::inferShapes(ShapeContext &c,
                                     SmallVectorImpl<TensorShape> &results) {
  // bool takes a byte in ONNX.
  auto width = [](Type type) {
    return type.isInteger(1) ? 8 : type.getIntOrFloatBitWidth();
  };
  Type from = getElementTypeOrSelf(getInput()),
       to = getElementTypeOrSelf(getType());
  if (width(from) != width(to))
    return c.error("elements of ", from, " and ", to, " have different widths");
  results.push_back(shapeOfCast(c, getInput(), getType()));
  return success();
}

#define GET_OP_CLASSES
#include "dialects/Graph/GraphElementwise.cpp.inc"
