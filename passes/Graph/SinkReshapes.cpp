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
// on one layout. So does moving it, or a transpose, behind a table.
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
    for (Value input : op.getInputs()) {
      if (typeOf(input).getShape() != result.getShape()) {
        if (!repeatsInRows(input))
          return rewriter.notifyMatchFailure(op, "an operand broadcasts");
      } else if (ReshapeOp reshape = getSplitRows(input)) {
        if (reshape.getInput().getDefiningOp<RequantizeOp>())
          rows = typeOf(reshape.getInput());
      }
    }
    if (!rows)
      return rewriter.notifyMatchFailure(op, "adds no rows of a matrix");
    SmallVector<Value> inputs;
    for (Value input : op.getInputs()) {
      RankedTensorType type = typeOf(input);
      SmallVector<int64_t> shape(rows.getShape());
      if (type.getShape() != result.getShape())
        shape.assign(1, type.getNumElements());
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

bool isMove(Operation *op) {
  return isa_and_present<ReshapeOp, TransposeOp>(op) &&
         typeOf(op->getOperand(0)).hasStaticShape() &&
         typeOf(op->getResult(0)).hasStaticShape();
}

/// lookup(move(x)) -> move(lookup(x)), where moves, which are reshapes and
/// transposes, lead to the input from requantized rows: the table continues
/// what computes the rows, and products find the heads of an attention beside
/// them.
struct SinkBehindLookup : OpRewritePattern<LookupOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(LookupOp op,
                                PatternRewriter &rewriter) const override {
    SmallVector<Operation *> moves;
    Value source = op.getInput();
    while (isMove(source.getDefiningOp())) {
      moves.push_back(source.getDefiningOp());
      source = moves.back()->getOperand(0);
    }
    if (moves.empty() || !source.getDefiningOp<RequantizeOp>() ||
        typeOf(source).getRank() != 2 ||
        typeOf(op.getTable()).getDimSize(0) != 1)
      return rewriter.notifyMatchFailure(
          op, "reads no rows that are moved, or has tables for channels");
    Value result = LookupOp::create(
        rewriter, op.getLoc(), typeOf(source).clone(rewriter.getI8Type()),
        source, op.getTable(), op.getInputScaleAttr(),
        op.getInputZeroPointAttr());
    for (Operation *move : llvm::reverse(moves)) {
      Operation *copy = rewriter.clone(*move);
      copy->setOperand(0, result);
      result = copy->getResult(0);
    }
    rewriter.replaceOp(op, result);
    return success();
  }
};

/// a * stack(transpose(x)) -> a * transpose(stack(transpose'(x))), where the
/// second transpose leaves the last axis where it is, so that channels stay
/// channels in memory: keys only need to be taken apart into heads.
struct KeepLastAxis : OpRewritePattern<MatMulIntegerOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(MatMulIntegerOp op,
                                PatternRewriter &rewriter) const override {
    auto stack = op.getB().getDefiningOp<ReshapeOp>();
    Value moved = stack ? stack.getInput() : op.getB();
    auto move = moved.getDefiningOp<TransposeOp>();
    RankedTensorType from = typeOf(moved), to = typeOf(op.getB());
    if (!isMove(move) || !to.hasStaticShape() || to.getRank() < 2 ||
        from.getShape().take_back(2) != to.getShape().take_back(2))
      return rewriter.notifyMatchFailure(op, "reads no transposed matrices");
    int64_t rank = from.getRank();
    SmallVector<int64_t> perm(move.getPerm()), shape(to.getShape());
    if (perm[rank - 2] != rank - 1)
      return rewriter.notifyMatchFailure(op, "the last axis stays the last");
    std::swap(perm[rank - 2], perm[rank - 1]);
    std::swap(shape[shape.size() - 2], shape.back());
    Value kept = rewriter.createOrFold<TransposeOp>(
        op.getLoc(), move.getInput(), ArrayRef<int64_t>(perm));
    if (stack)
      kept = rewriter.createOrFold<ReshapeOp>(op.getLoc(), to.clone(shape),
                                              kept, ValueRange());
    rewriter.modifyOpInPlace(op, [&] {
      op.getBMutable().assign(kept);
      op.setTransB(!op.getTransB());
    });
    return success();
  }
};

} // namespace

void acc::graph::populateSinkReshapesPatterns(RewritePatternSet &patterns) {
  patterns
      .add<SinkBehindSum, SinkBehindRequantize, SinkBehindLookup, KeepLastAxis>(
          patterns.getContext());
}
