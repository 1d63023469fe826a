//===- GraphReduction.cpp - Reductions and scans --------------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Graph/GraphReduction.h"
#include "dialects/Graph/GraphMovement.h"
#include "dialects/Graph/GraphPooling.h"
#include "dialects/Graph/Shape.h"
#include "mlir/IR/PatternMatch.h"

using namespace mlir;
using namespace acc::graph;

static LogicalResult inferReduction(ShapeContext &c, Value input,
                                    ArrayRef<int64_t> axes, bool keepdims,
                                    SmallVectorImpl<TensorShape> &results) {
  TensorShape shape = c.shape(input), reduced{{}, shape.element};
  int64_t last = -1;
  for (int64_t axis : axes) {
    if (axis <= last || axis >= shape.rank())
      return c.error("'axes' holds ", axis, ", which is not an axis of rank ",
                     shape.rank(), " in increasing order");
    last = axis;
  }
  for (auto [axis, size] : llvm::enumerate(shape.sizes)) {
    if (!llvm::is_contained(axes, axis))
      reduced.sizes.push_back(size);
    else if (keepdims)
      reduced.sizes.push_back(c.constant(1));
  }
  results.push_back(std::move(reduced));
  return success();
}

static LogicalResult inferArg(ShapeContext &c, Value input, int64_t axis,
                              bool keepdims,
                              SmallVectorImpl<TensorShape> &results) {
  if (failed(inferReduction(c, input, axis, keepdims, results)))
    return failure();
  results.front().element = IntegerType::get(c.getContext(), 64);
  return c.requireAtLeast(c.shape(input).sizes[axis], c.constant(1),
                          "has no elements along axis ", axis);
}

template <typename Op> static LogicalResult verifyScan(Op op) {
  int64_t axis = op.getAxis(), rank = op.getInput().getType().getRank();
  if (axis < 0 || axis >= rank)
    return op.emitOpError("'axis' is ")
           << axis << " but the input has rank " << rank;
  return success();
}

LogicalResult CumSumOp::verify() { return verifyScan(*this); }
LogicalResult CumProdOp::verify() { return verifyScan(*this); }

FailureOr<EinsumEquation> EinsumEquation::parse(StringRef text) {
  EinsumEquation equation;
  auto [left, right] = text.split("->");
  if (left.size() == text.size() || !llvm::all_of(right, llvm::isAlpha))
    return failure();
  equation.result = right;
  left.split(equation.operands, ',');
  for (char letter : right) {
    if (llvm::count(right, letter) > 1)
      return failure();
    equation.letters += letter;
  }
  for (char letter : left) {
    if (letter == ',')
      continue;
    if (!llvm::isAlpha(letter))
      return failure();
    if (!llvm::is_contained(equation.letters, letter))
      equation.letters += letter;
  }
  auto isMissing = [&](char letter) { return !left.contains(letter); };
  if (llvm::any_of(right, isMissing))
    return failure();
  return equation;
}

LogicalResult
EinsumOp::inferResultShapes(ShapeContext &c, Adaptor adaptor,
                            SmallVectorImpl<TensorShape> &results) {
  auto equation = EinsumEquation::parse(adaptor.getEquation());
  if (failed(equation) || adaptor.getInputs().empty())
    return c.error("'equation' is not of the form \"ij,jk->ik\"");
  if (equation->operands.size() != adaptor.getInputs().size())
    return c.error("'equation' has ", equation->operands.size(),
                   " operands instead of ", adaptor.getInputs().size());
  if (failed(c.requireSameElements(adaptor.getInputs())))
    return failure();
  AffineExpr one = c.constant(1);
  llvm::SmallDenseMap<char, AffineExpr> sizes;
  for (auto [letters, input] :
       llvm::zip(equation->operands, adaptor.getInputs())) {
    TensorShape shape = c.shape(input);
    if (static_cast<int64_t>(letters.size()) != shape.rank())
      return c.error("'equation' names ", letters.size(),
                     " axes of an operand of rank ", shape.rank());
    for (auto [letter, size] : llvm::zip(letters, shape.sizes)) {
      AffineExpr &known = sizes.try_emplace(letter, size).first->second;
      // Only a size that is known to be 1 repeats.
      if (known == one)
        known = size;
      if (size != one &&
          failed(c.requireEqual(size, known, "axis '", StringRef(&letter, 1),
                                "' has the sizes ", known, " and ", size)))
        return failure();
    }
  }
  TensorShape result{{}, c.shape(adaptor.getInputs().front()).element};
  for (char letter : equation->result)
    result.sizes.push_back(sizes[letter]);
  results.push_back(std::move(result));
  return success();
}

LogicalResult DetOp::inferResultShapes(ShapeContext &c, Adaptor adaptor,
                                       SmallVectorImpl<TensorShape> &results) {
  TensorShape shape = c.shape(adaptor.getInput());
  if (shape.rank() < 2)
    return c.error("needs matrices, not rank ", shape.rank());
  AffineExpr columns = shape.sizes.pop_back_val(),
             rows = shape.sizes.pop_back_val();
  results.push_back(shape);
  return c.requireEqual(rows, columns, "needs square matrices, not ", rows,
                        " x ", columns);
}

/// The mean over all spatial axes is a pool, whatever the exporter calls it.
static LogicalResult makePool(ReduceMeanOp op, PatternRewriter &rewriter) {
  RankedTensorType type = op.getInput().getType();
  if (type.getRank() < 3 || !isa<FloatType>(type.getElementType()))
    return rewriter.notifyMatchFailure(op, "is no image of floats");
  if (!llvm::equal(op.getAxes(), llvm::seq<int64_t>(2, type.getRank())))
    return rewriter.notifyMatchFailure(op, "axes are not the spatial ones");
  Value pool =
      GlobalAveragePoolOp::create(rewriter, op.getLoc(), op.getInput());
  if (!op.getKeepdims())
    pool = SqueezeOp::create(rewriter, op.getLoc(), pool, op.getAxes());
  rewriter.replaceOp(op, pool);
  return success();
}

void ReduceMeanOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                               MLIRContext *) {
  patterns.add(makePool);
}

#define GET_OP_CLASSES
#include "dialects/Graph/GraphReduction.cpp.inc"
