//===- SinkReshapes.cpp - Sums of sequences on matrices -------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Matrix products are integer arithmetic on matrices, whatever leading axes
// the model has. Biases and residual connections behind them would see these
// axes again; moving the reshape behind them makes product and sum one kernel
// on one layout.
//
//===----------------------------------------------------------------------===//

#include "passes/Graph/QuantizedLayer.h"

using namespace mlir;
using namespace acc::graph;

namespace {

RankedTensorType typeOf(Value value) {
  return cast<RankedTensorType>(value.getType());
}

/// The reshape that gives the rows of a matrix of static size their leading
/// axes back, or null.
ReshapeOp getSplitRows(Value value) {
  auto reshape = value.getDefiningOp<ReshapeOp>();
  if (!reshape)
    return {};
  RankedTensorType from = typeOf(reshape.getInput()), to = typeOf(value);
  bool isSplit = from.hasStaticShape() && to.hasStaticShape() &&
                 from.getRank() == 2 && to.getRank() > 2 &&
                 from.getShape().back() == to.getShape().back();
  return isSplit ? reshape : ReshapeOp();
}

/// Whether an operand is a constant that is the same in all rows.
bool repeatsInRows(Value value) {
  ArrayRef<int64_t> shape = typeOf(value).getShape();
  return value.getDefiningOp<ConstantOp>() &&
         llvm::all_of(shape.drop_back(std::min<size_t>(shape.size(), 1)),
                      [](int64_t size) { return size == 1; });
}

/// sum(reshape(x), y) -> reshape(sum(x, reshape(y))), where x is requantized
/// rows.
struct SinkBehindSum : OpRewritePattern<WeightedSumOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(WeightedSumOp op,
                                PatternRewriter &rewriter) const override {
    RankedTensorType result = op.getType(), rows;
    for (Value input : op.getInputs())
      if (ReshapeOp reshape = getSplitRows(input))
        if (reshape.getInput().getDefiningOp<RequantizeOp>())
          rows = typeOf(reshape.getInput());
    if (!rows)
      return rewriter.notifyMatchFailure(op, "adds no rows of a matrix");
    SmallVector<Value> inputs;
    for (Value input : op.getInputs()) {
      RankedTensorType type = typeOf(input);
      SmallVector<int64_t> shape(rows.getShape());
      if (repeatsInRows(input) && type != result) {
        int64_t size = type.getNumElements();
        shape.assign(1, size);
      } else if (type.getShape() != result.getShape()) {
        return rewriter.notifyMatchFailure(op, "an operand broadcasts");
      }
      inputs.push_back(
          type.getShape() == ArrayRef<int64_t>(shape)
              ? input
              : rewriter.createOrFold<ReshapeOp>(op.getLoc(), type.clone(shape),
                                                 input, ValueRange()));
    }
    Value sum = WeightedSumOp::create(rewriter, op.getLoc(), inputs,
                                      op.getMultipliers(), op.getBias());
    rewriter.replaceOpWithNewOp<ReshapeOp>(op, result, sum, ValueRange());
    return success();
  }
};

/// requantize(reshape(x)) -> reshape(requantize(x)), of one scale.
struct SinkBehindRequantize : OpRewritePattern<RequantizeOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(RequantizeOp op,
                                PatternRewriter &rewriter) const override {
    ReshapeOp reshape = getSplitRows(op.getInput());
    auto isOne = [](std::optional<ArrayRef<int32_t>> values) {
      return !values || values->size() == 1;
    };
    if (!reshape || !isOne(op.getClipLo()) || !isOne(op.getClipHi()) ||
        !isOne(op.getPreShift()) || !isOne(op.getMultiplier()) ||
        !isOne(op.getPostShift()))
      return rewriter.notifyMatchFailure(op, "reads no rows, or has channels");
    Operation *copy = rewriter.clone(*op);
    copy->setOperand(0, reshape.getInput());
    copy->getResult(0).setType(
        typeOf(reshape.getInput()).clone(rewriter.getI8Type()));
    rewriter.replaceOpWithNewOp<ReshapeOp>(op, op.getType(), copy->getResult(0),
                                           ValueRange());
    return success();
  }
};

} // namespace

void acc::graph::populateSinkReshapesPatterns(RewritePatternSet &patterns) {
  patterns.add<SinkBehindSum, SinkBehindRequantize>(patterns.getContext());
}
