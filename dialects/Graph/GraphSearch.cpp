//===- GraphSearch.cpp - What is found by looking at values ---------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Graph/GraphSearch.h"

#include "dialects/Graph/Shape.h"

#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace acc::graph;

#define GET_OP_CLASSES
#include "dialects/Graph/GraphSearch.cpp.inc"

static TensorShape indexShape(ShapeContext &c, ArrayRef<AffineExpr> sizes) {
  return {SmallVector<AffineExpr>(sizes), IntegerType::get(c.getContext(), 64)};
}

LogicalResult TopKOp::inferResultShapes(ShapeContext &c, Adaptor adaptor,
                                        SmallVectorImpl<TensorShape> &results) {
  TensorShape values = c.shape(adaptor.getInput());
  int64_t axis = adaptor.getAxis();
  if (failed(checkAxis(c, axis, values.rank())))
    return failure();
  FailureOr<SmallVector<AffineExpr>> k =
      c.values(static_cast<int64_t>(adaptor.getK()), adaptor.getDynamics());
  if (failed(k) ||
      failed(
          c.requireAtLeast(k->front(), c.constant(0), "'k' is ", k->front())) ||
      failed(c.requireAtLeast(values.sizes[axis], k->front(), "'k' is ",
                              k->front(), " but there are ", values.sizes[axis],
                              " elements along axis ", axis)))
    return failure();
  values.sizes[axis] = k->front();
  TensorShape indices = indexShape(c, values.sizes);
  results.push_back(std::move(values));
  results.push_back(std::move(indices));
  return success();
}

LogicalResult
NonZeroOp::inferResultShapes(ShapeContext &c, Adaptor adaptor,
                             SmallVectorImpl<TensorShape> &results) {
  TensorShape input = c.shape(adaptor.getInput());
  results.push_back(indexShape(c, c.product(input.sizes) * input.rank()));
  results.push_back(indexShape(c, {}));
  return success();
}

LogicalResult
CompressOp::inferResultShapes(ShapeContext &c, Adaptor adaptor,
                              SmallVectorImpl<TensorShape> &results) {
  TensorShape input = c.shape(adaptor.getInput());
  TensorShape condition = c.shape(adaptor.getCondition());
  if (condition.rank() != 1)
    return c.error("condition has rank ", condition.rank(),
                   " but must be a vector");
  if (failed(checkAxis(c, adaptor.getAxis(), input.rank())) ||
      failed(rejectPerAxis(c, adaptor.getInput())))
    return failure();
  results.push_back({{c.product(input.sizes)}, input.element});
  results.push_back(indexShape(c, {}));
  return success();
}

LogicalResult
UniqueOp::inferResultShapes(ShapeContext &c, Adaptor adaptor,
                            SmallVectorImpl<TensorShape> &results) {
  TensorShape input = c.shape(adaptor.getInput());
  if (failed(checkAxis(c, adaptor.getAxis(), input.rank())))
    return failure();
  AffineExpr slices = input.sizes[adaptor.getAxis()];
  results.push_back({{c.product(input.sizes)}, input.element});
  for (int vector = 0; vector < 3; ++vector)
    results.push_back(indexShape(c, slices));
  results.push_back(indexShape(c, {}));
  return success();
}

LogicalResult
NonMaxSuppressionOp::inferResultShapes(ShapeContext &c, Adaptor adaptor,
                                       SmallVectorImpl<TensorShape> &results) {
  TensorShape boxes = c.shape(adaptor.getBoxes());
  TensorShape scores = c.shape(adaptor.getScores());
  if (boxes.rank() != 3 || scores.rank() != 3)
    return c.error("boxes and scores have ranks ", boxes.rank(), " and ",
                   scores.rank(), " instead of 3");
  if (failed(c.requireSameElements({adaptor.getBoxes(), adaptor.getScores(),
                                    adaptor.getIouThreshold(),
                                    adaptor.getScoreThreshold()})) ||
      failed(c.requireEqual(boxes.sizes[2], c.constant(4), "boxes have ",
                            boxes.sizes[2], " numbers instead of 4")) ||
      failed(c.requireEqual(boxes.sizes[0], scores.sizes[0], "has boxes of ",
                            boxes.sizes[0], " batches but scores of ",
                            scores.sizes[0])) ||
      failed(c.requireEqual(boxes.sizes[1], scores.sizes[2], "has ",
                            boxes.sizes[1], " boxes but scores of ",
                            scores.sizes[2])))
    return failure();
  for (Value scalar : {adaptor.getMaxOutput(), adaptor.getIouThreshold(),
                       adaptor.getScoreThreshold()})
    if (cast<RankedTensorType>(scalar.getType()).getRank() != 0)
      return c.error("limit is ", scalar.getType(), " but must be a scalar");
  results.push_back(indexShape(c, c.product(scores.sizes) * 3));
  results.push_back(indexShape(c, {}));
  return success();
}
