//===- SinkTransposes.cpp - Transposes behind other operators -------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Exporters of networks whose channels come last put a transpose before and
// after every operator that wants them first. Operators element by element, on
// tensors that are transposed alike and on constants, come before the
// transpose, as do concatenations, until it meets one that undoes it.
//
//===----------------------------------------------------------------------===//

#include "dialects/Graph/SinkTransposes.h"

#include "dialects/Graph/GraphConstant.h"
#include "dialects/Graph/GraphElementwise.h"
#include "dialects/Graph/GraphMovement.h"

#include "mlir/Dialect/Quant/IR/QuantTypes.h"
#include "mlir/Dialect/Utils/IndexingUtils.h"

using namespace mlir;
using namespace acc::graph;

namespace {

/// The family of operators that compute element by element.
bool computesElements(Operation *op) {
  return isa<
#define GET_OP_LIST
#include "dialects/Graph/GraphElementwise.cpp.inc"
      >(op);
}

/// `type` before its axes were permuted.
RankedTensorType unpermute(RankedTensorType type, ArrayRef<int64_t> perm) {
  SmallVector<int64_t> shape(type.getRank());
  for (auto [axis, source] : llvm::enumerate(perm))
    shape[source] = type.getDimSize(axis);
  return type.clone(shape);
}

/// The permutation of the transposes that `operands` are, constants aside, if
/// it is the same and they have no other reader.
FailureOr<ArrayRef<int64_t>> getCommonPerm(ValueRange operands) {
  std::optional<ArrayRef<int64_t>> perm;
  for (Value operand : operands) {
    if (operand.getDefiningOp<ConstantOp>())
      continue;
    auto transpose = operand.getDefiningOp<TransposeOp>();
    if (!transpose || (perm && *perm != transpose.getPerm()) ||
        llvm::any_of(operand.getUsers(), [&](Operation *user) {
          return user != *operand.user_begin();
        }))
      return failure();
    perm = transpose.getPerm();
  }
  if (!perm)
    return failure();
  return *perm;
}

/// An operand as it is without the permutation of what it is combined with.
Value unpermuteOperand(PatternRewriter &rewriter, Value operand,
                       ArrayRef<int64_t> perm) {
  if (auto transpose = operand.getDefiningOp<TransposeOp>())
    return transpose.getInput();
  auto type = cast<RankedTensorType>(operand.getType());
  if (type.getNumElements() == 1)
    return operand;
  // Constants broadcast from the right; what they lack in front has size 1.
  SmallVector<int64_t> shape(perm.size() - type.getRank(), 1);
  llvm::append_range(shape, type.getShape());
  Location loc = operand.getLoc();
  RankedTensorType full = type.clone(shape);
  if (full != type)
    operand = ReshapeOp::create(rewriter, loc, full, operand);
  return TransposeOp::create(rewriter, loc, unpermute(full, perm), operand,
                             invertPermutationVector(perm));
}

/// Operators that compute every element for itself come before a transpose of
/// all their operands.
struct SinkThroughElementwise : RewritePattern {
  explicit SinkThroughElementwise(MLIRContext *context)
      : RewritePattern(MatchAnyOpTypeTag(), /*benefit=*/1, context) {}

  LogicalResult matchAndRewrite(Operation *op,
                                PatternRewriter &rewriter) const override {
    if (!computesElements(op))
      return rewriter.notifyMatchFailure(op, "is no elementwise operator");
    FailureOr<ArrayRef<int64_t>> found = getCommonPerm(op->getOperands());
    if (failed(found))
      return rewriter.notifyMatchFailure(op, "operands are not transposed");
    SmallVector<int64_t> perm(*found);
    auto type = cast<RankedTensorType>(op->getResult(0).getType());
    auto fits = [&](Type other) {
      auto tensor = cast<RankedTensorType>(other);
      return tensor.hasStaticShape() &&
             tensor.getRank() <= static_cast<int64_t>(perm.size()) &&
             !isa<quant::QuantizedType>(tensor.getElementType());
    };
    if (op->getNumResults() != 1 ||
        !llvm::all_of(op->getOperandTypes(), fits) ||
        type.getRank() != static_cast<int64_t>(perm.size()))
      return rewriter.notifyMatchFailure(op, "combines other ranks or types");
    SmallVector<Location> locations{op->getLoc()};
    SmallVector<Value> operands;
    for (Value operand : op->getOperands()) {
      if (auto transpose = operand.getDefiningOp<TransposeOp>())
        locations.push_back(transpose.getLoc());
      operands.push_back(unpermuteOperand(rewriter, operand, perm));
    }
    Operation *computed =
        rewriter.create(op->getLoc(), op->getName().getIdentifier(), operands,
                        TypeRange(unpermute(type, perm)), op->getAttrs());
    rewriter.replaceOpWithNewOp<TransposeOp>(op, type, computed->getResult(0),
                                             perm);
    return success();
  }
};

/// Tensors that are all transposed are joined before.
struct SinkThroughConcat : OpRewritePattern<ConcatOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(ConcatOp op,
                                PatternRewriter &rewriter) const override {
    FailureOr<ArrayRef<int64_t>> found = getCommonPerm(op.getInputs());
    if (failed(found) || llvm::any_of(op.getInputs(), [](Value input) {
          return !input.getDefiningOp<TransposeOp>();
        }))
      return rewriter.notifyMatchFailure(op, "operands are not transposed");
    SmallVector<int64_t> perm(*found);
    SmallVector<Value> inputs;
    for (Value input : op.getInputs())
      inputs.push_back(input.getDefiningOp<TransposeOp>().getInput());
    auto joined =
        ConcatOp::create(rewriter, op.getLoc(), unpermute(op.getType(), perm),
                         inputs, perm[op.getAxis()]);
    rewriter.replaceOpWithNewOp<TransposeOp>(op, op.getType(), joined, perm);
    return success();
  }
};

} // namespace

void acc::graph::populateSinkTransposes(RewritePatternSet &patterns) {
  patterns.add<SinkThroughElementwise, SinkThroughConcat>(
      patterns.getContext());
}
