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

/// Folds a variadic operator of a single operand to that operand.
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

/// Numbers from `least` to `most`, both included.
struct Interval {
  double least = -std::numeric_limits<double>::infinity(),
         most = std::numeric_limits<double>::infinity();
};

/// What the numbers that a quantized type stands for lie within, also where
/// float32 rounds the products.
static Interval getRange(quant::QuantizedType type) {
  constexpr double margin = 1.001;
  Interval range{0, 0};
  auto include = [&](double scale, int64_t zeroPoint) {
    auto real = [&](int64_t stored) {
      return scale * margin * double(stored - zeroPoint);
    };
    range.least = std::min(range.least, real(type.getStorageTypeMin()));
    range.most = std::max(range.most, real(type.getStorageTypeMax()));
  };
  if (auto uniform = dyn_cast<quant::UniformQuantizedType>(type))
    include(uniform.getScale(), uniform.getZeroPoint());
  if (auto perAxis = dyn_cast<quant::UniformQuantizedPerAxisType>(type))
    for (auto [scale, zeroPoint] :
         llvm::zip(perAxis.getScales(), perAxis.getZeroPoints()))
      include(scale, zeroPoint);
  return range;
}

/// What the elements of `value` that are no NaN certainly lie within.
static Interval getRange(Value value) {
  Operation *op = value.getDefiningOp();
  Interval range;
  if (isa_and_present<ReluOp>(op)) {
    range.least = 0;
  } else if (auto clip = dyn_cast_if_present<ClipOp>(op)) {
    range = getRange(clip.getInput());
    if (clip.getMin())
      range.least = std::max(clip.getMin()->convertToDouble(), range.least);
    if (clip.getMax())
      range.most = std::min(clip.getMax()->convertToDouble(), range.most);
    range.least = std::min(range.least, range.most);
  } else if (auto dequantize = dyn_cast_if_present<DequantizeLinearOp>(op)) {
    if (auto type = dyn_cast<quant::QuantizedType>(
            getElementTypeOrSelf(dequantize.getInput())))
      return getRange(type);
  }
  return range;
}

/// Drops bounds that no element is beyond.
OpFoldResult ClipOp::fold(FoldAdaptor) {
  Interval range = getRange(getInput());
  bool changes = false;
  if (getMin() && getMin()->convertToDouble() <= range.least) {
    removeMinAttr();
    changes = true;
  }
  if (getMax() && getMax()->convertToDouble() >= range.most) {
    removeMaxAttr();
    changes = true;
  }
  if (!getMin() && !getMax())
    return getInput();
  return changes ? getResult() : OpFoldResult();
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
  // Products of products round twice, which only wide floats may: the power of
  // a narrow one is rounded once.
  auto floating = dyn_cast<FloatType>(getElementTypeOrSelf(op.getType()));
  bool roundsTwice = !floating || floating.getWidth() >= 32;
  bool isCube = isSplatOf(exponent, 3);
  if (!isSplatOf(exponent, 2) &&
      !(roundsTwice && (isCube || isSplatOf(exponent, 4))))
    return rewriter.notifyMatchFailure(op, "the exponent is not 1 to 4");
  Value square =
      MulOp::create(rewriter, op.getLoc(), op.getBase(), op.getBase());
  if (isSplatOf(exponent, 2))
    rewriter.replaceOp(op, square);
  else
    rewriter.replaceOpWithNewOp<MulOp>(op, square,
                                       isCube ? op.getBase() : square);
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
