//===- GraphElementwise.cpp - Element-wise operators ----------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Graph/GraphElementwise.h"
#include "dialects/Graph/Constants.h"
#include "dialects/Graph/Inference.h"

#include "mlir/IR/PatternMatch.h"

using namespace mlir;
using namespace acc::graph;

/// `value` where it may stand for a result of type `type`, else null.
static OpFoldResult ifOfType(Value value, Type type) {
  return value.getType() == type ? value : Value();
}

OpFoldResult AddOp::fold(FoldAdaptor adaptor) {
  if (isSplatOf(adaptor.getRhs(), 0))
    return ifOfType(getLhs(), getType());
  return {};
}

OpFoldResult SubOp::fold(FoldAdaptor adaptor) {
  if (isSplatOf(adaptor.getRhs(), 0))
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

LogicalResult SumOp::inferResultShapes(ShapeContext &c, Adaptor adaptor,
                                       SmallVectorImpl<TensorShape> &results) {
  return inferBroadcast(c, adaptor.getOperands(), results);
}

OpFoldResult SumOp::fold(FoldAdaptor) {
  return getInputs().size() == 1 ? getInputs().front() : Value();
}

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

OpFoldResult ClipOp::fold(FoldAdaptor) {
  if (!getMin() && !getMax())
    return getInput();
  if (!getMax() && (getMin()->isZero() || getMin()->isNegative()) &&
      isNonNegative(getInput()))
    return getInput();
  return {};
}

LogicalResult ClipOp::verify() {
  if (getMin() && getMin()->isNaN())
    return emitOpError("'min' is not a number");
  if (getMax() && getMax()->isNaN())
    return emitOpError("'max' is not a number");
  return success();
}

OpFoldResult CastOp::fold(FoldAdaptor) {
  return ifOfType(getInput(), getType());
}

LogicalResult CastOp::inferShapes(ShapeContext &c,
                                  SmallVectorImpl<TensorShape> &results) {
  results.push_back(c.shape(getInput()));
  results.back().element = getType().getElementType();
  return success();
}

#define GET_OP_CLASSES
#include "dialects/Graph/GraphElementwise.cpp.inc"
