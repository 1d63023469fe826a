//===- MoveQuantization.cpp - Brings quantization to the arithmetic -------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Quantization commutes with operators that only move data and, because it is
// monotone, with maxima. Moving quantize_linear up and dequantize_linear down
// through them brings both next to the arithmetic that they turn into integer
// arithmetic, and what is moved is four times smaller.
//
//===----------------------------------------------------------------------===//

#include "dialects/Graph/Inference.h"
#include "passes/Graph/QuantizedLayer.h"

using namespace mlir;
using namespace acc::graph;

namespace {

/// Whether an operator surrounds a tensor with a number of its own, which
/// quantizes to an integer but need not be what that integer stands for.
bool padsWithNumber(Operation *op) {
  auto pad = dyn_cast_if_present<PadOp>(op);
  return pad && pad.getMode() == PadMode::Constant &&
         !pad.getConstantValue().isZero() && !pad.getConstantValue().isNaN();
}

/// Whether quantizing before or after `op` makes no difference, if all its
/// operands are quantized alike.
bool commutesWithQuantization(Operation *op) {
  if (auto pad = dyn_cast_if_present<PadOp>(op))
    return pad.getMode() != PadMode::Constant ||
           pad.getConstantValue().isZero();
  // What is beyond the image is a number of its own there.
  if (auto resize = dyn_cast_if_present<ResizeOp>(op))
    return resize.getMode() == ResizeMode::Nearest &&
           resize.getCoordinateTransformationMode() !=
               CoordinateMode::TfCropAndResize;
  return isa_and_present<FlattenOp, ReshapeOp, SqueezeOp, UnsqueezeOp,
                         TransposeOp, SliceOp, ConcatOp, MaxPoolOp>(op);
}

/// Whether an operand is no data but a size that only a run knows.
bool isSize(Value operand) { return operand.getType().isIndex(); }

/// Whether dequantize_linear will sink to `value`, through operators that only
/// move one tensor.
bool isQuantizedBehindMoves(Value value) {
  while (!getQuantizedSource(value)) {
    Operation *move = value.getDefiningOp();
    if (!commutesWithQuantization(move) ||
        llvm::count_if(move->getOperands(),
                       [](Value operand) { return !isSize(operand); }) != 1)
      return false;
    value = move->getOperand(0);
  }
  return true;
}

/// A copy of `op` on tensors of i8 that mean what `grid` says.
Value cloneOnIntegers(RewriterBase &rewriter, Operation *op,
                      ValueRange operands, const Grid &grid) {
  IRMapping mapping;
  mapping.map(op->getOperands(), operands);
  Operation *copy = rewriter.clone(*op, mapping);
  auto type = cast<RankedTensorType>(op->getResult(0).getType());
  copy->getResult(0).setType(type.clone(rewriter.getI8Type()));
  if (auto pad = dyn_cast<PadOp>(copy))
    pad.setConstantValue(APFloat(
        double(grid.quantize(pad.getConstantValue().convertToDouble()))));
  return copy->getResult(0);
}

/// move(dequantize(q)) -> dequantize(move(q))
struct SinkDequantize : RewritePattern {
  SinkDequantize(MLIRContext *context)
      : RewritePattern(MatchAnyOpTypeTag(), 1, context) {}

  LogicalResult matchAndRewrite(Operation *op,
                                PatternRewriter &rewriter) const override {
    if (!commutesWithQuantization(op))
      return rewriter.notifyMatchFailure(op, "does not only move data");
    Type type;
    SmallVector<Value> sources;
    for (Value operand : op->getOperands()) {
      if (isSize(operand)) {
        sources.push_back(operand);
        continue;
      }
      Value source = getQuantizedSource(operand);
      if (!source || (type && getElementTypeOrSelf(source) != type))
        return rewriter.notifyMatchFailure(op,
                                           "operands are not quantized alike");
      type = getElementTypeOrSelf(source);
      sources.push_back(source);
    }
    if (auto transpose = dyn_cast<TransposeOp>(op);
        transpose && matchPattern(sources.front(), m_Constant())) {
      // Weights keep their type, per axis too, and fold.
      auto moved = TransposeOp::create(rewriter, op->getLoc(), sources.front(),
                                       transpose.getPerm());
      rewriter.replaceOpWithNewOp<DequantizeLinearOp>(op, moved);
      return success();
    }
    std::string reason;
    FailureOr<Grid> grid = getGrid(sources.front().getType(), reason);
    if (failed(grid))
      return rewriter.notifyMatchFailure(op, reason);
    for (Value &source : sources)
      if (!isSize(source))
        source = toInteger(rewriter, op->getLoc(), source);
    Value moved = cloneOnIntegers(rewriter, op, sources, *grid);
    auto shaped = cast<RankedTensorType>(moved.getType());
    rewriter.replaceOpWithNewOp<DequantizeLinearOp>(
        op, toQuantized(rewriter, op->getLoc(), moved, shaped.clone(type)));
    return success();
  }
};

/// What moves quantized tensors as they are moves their integers.
struct MoveIntegers : RewritePattern {
  MoveIntegers(MLIRContext *context)
      : RewritePattern(MatchAnyOpTypeTag(), 1, context) {}

  LogicalResult matchAndRewrite(Operation *op,
                                PatternRewriter &rewriter) const override {
    if (!commutesWithQuantization(op) || isa<PadOp>(op))
      return rewriter.notifyMatchFailure(op, "does not only move data");
    Type type = op->getResult(0).getType();
    Type element = getElementTypeOrSelf(type);
    std::string reason;
    if (!isa<quant::QuantizedType>(element))
      return rewriter.notifyMatchFailure(op, "moves numbers");
    FailureOr<Grid> grid = getGrid(type, reason);
    if (failed(grid))
      return rewriter.notifyMatchFailure(op, reason);
    for (Value operand : op->getOperands())
      if (!isSize(operand) && (getElementTypeOrSelf(operand) != element ||
                               matchPattern(operand, m_Constant())))
        return rewriter.notifyMatchFailure(op, "operands differ, or fold");
    SmallVector<Value> operands(op->getOperands());
    for (Value &operand : operands)
      if (!isSize(operand))
        operand = toInteger(rewriter, op->getLoc(), operand);
    Value moved = cloneOnIntegers(rewriter, op, operands, *grid);
    rewriter.replaceOp(op, toQuantized(rewriter, op->getLoc(), moved, type));
    return success();
  }
};

/// quantize(move(x)) -> move(quantize(x))
struct HoistQuantize : OpRewritePattern<QuantizeLinearOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(QuantizeLinearOp op,
                                PatternRewriter &rewriter) const override {
    Operation *move = op.getInput().getDefiningOp();
    bool isNumber = padsWithNumber(move);
    if (!(isNumber || commutesWithQuantization(move)) || !move->hasOneUse())
      return rewriter.notifyMatchFailure(op, "nothing to move through");
    if (isa<SliceOp>(move))
      return rewriter.notifyMatchFailure(op, "quantizes the part that is left");
    if (!isNumber && llvm::all_of(move->getOperands(), [](Value operand) {
          return isSize(operand) || isQuantizedBehindMoves(operand);
        }))
      return rewriter.notifyMatchFailure(op, "operands are quantized already");
    std::string reason;
    FailureOr<Grid> grid = getGrid(op.getType(), reason);
    if (failed(grid))
      return rewriter.notifyMatchFailure(op, reason);
    Type element = op.getType().getElementType();
    rewriter.setInsertionPoint(move);
    SmallVector<Value> integers;
    for (Value operand : move->getOperands()) {
      if (isSize(operand)) {
        integers.push_back(operand);
        continue;
      }
      auto type = cast<RankedTensorType>(operand.getType()).clone(element);
      Value quantized = QuantizeLinearOp::create(
          rewriter, op.getLoc(), type, operand, op.getRoundingOffsetAttr());
      integers.push_back(toInteger(rewriter, op.getLoc(), quantized));
    }
    Value moved = cloneOnIntegers(rewriter, move, integers, *grid);
    rewriter.replaceOp(op,
                       toQuantized(rewriter, op.getLoc(), moved, op.getType()));
    return success();
  }
};

/// The type of bytes with a sign that means the same in the integer graph, or
/// null for a type that is one already, or too wide.
Type getRebased(Type type) {
  auto tensor = cast<RankedTensorType>(type);
  auto from = dyn_cast<quant::UniformQuantizedType>(tensor.getElementType());
  std::string reason;
  if (!from || getStorageInteger(from).isSignlessInteger(8))
    return {};
  FailureOr<Grid> grid = getGrid(type, reason);
  if (failed(grid))
    return {};
  return tensor.clone(quant::UniformQuantizedType::get(
      quant::QuantizationFlags::Signed, IntegerType::get(type.getContext(), 8),
      from.getExpressedType(), grid->scale, grid->zeroPoint, grid->lo,
      grid->hi));
}

struct RebaseQuantize : OpRewritePattern<QuantizeLinearOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(QuantizeLinearOp op,
                                PatternRewriter &rewriter) const override {
    Type type = getRebased(op.getType());
    if (!type)
      return rewriter.notifyMatchFailure(
          op, "makes signed bytes, or wider integers");
    Value quantized = QuantizeLinearOp::create(
        rewriter, op.getLoc(), type, op.getInput(), op.getRoundingOffsetAttr());
    Value integers = toInteger(rewriter, op.getLoc(), quantized);
    rewriter.replaceOp(
        op, toQuantized(rewriter, op.getLoc(), integers, op.getType()));
    return success();
  }
};

struct RebaseDequantize : OpRewritePattern<DequantizeLinearOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(DequantizeLinearOp op,
                                PatternRewriter &rewriter) const override {
    Type type = getRebased(op.getInput().getType());
    if (!type || matchPattern(op.getInput(), m_Constant()))
      return rewriter.notifyMatchFailure(
          op, "reads signed bytes, or wider integers, or a constant");
    Value integers = toInteger(rewriter, op.getLoc(), op.getInput());
    rewriter.replaceOpWithNewOp<DequantizeLinearOp>(
        op, toQuantized(rewriter, op.getLoc(), integers, type));
    return success();
  }
};

} // namespace

void acc::graph::populateMoveQuantizationPatterns(RewritePatternSet &patterns) {
  patterns.add<SinkDequantize, MoveIntegers, HoistQuantize>(
      patterns.getContext());
}

void acc::graph::populateRebasePatterns(RewritePatternSet &patterns) {
  patterns.add<RebaseQuantize, RebaseDequantize>(patterns.getContext());
}
