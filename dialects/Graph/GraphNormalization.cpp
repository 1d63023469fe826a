//===- GraphNormalization.cpp - Normalizations ----------------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Graph/GraphNormalization.h"
#include "dialects/Graph/Shape.h"

using namespace mlir;
using namespace acc::graph;

LogicalResult
BatchNormalizationOp::inferResultShapes(ShapeContext &c, Adaptor adaptor,
                                        SmallVectorImpl<TensorShape> &results) {
  TensorShape input = c.shape(adaptor.getInput());
  if (input.rank() < 2)
    return c.error("input has rank ", input.rank(),
                   " but needs a batch and a channel axis");
  for (auto [name, value] :
       {std::pair<StringRef, Value>{"scale", adaptor.getScale()},
        {"bias", adaptor.getBias()},
        {"mean", adaptor.getMean()},
        {"variance", adaptor.getVariance()}}) {
    TensorShape shape = c.shape(value);
    if (failed(c.requireEqual(
            shape.rank() == 1 ? shape.sizes[0] : c.constant(-1), input.sizes[1],
            name, " is ", shape, " but needs one element for each of ",
            input.sizes[1], " channels")))
      return failure();
  }
  results.push_back(std::move(input));
  return success();
}

LogicalResult LrnOp::verify() {
  if (getInput().getType().getRank() < 2)
    return emitOpError("input has rank ")
           << getInput().getType().getRank() << " but needs a channel axis";
  if (static_cast<int64_t>(getSize()) < 1)
    return emitOpError("'size' is ")
           << static_cast<int64_t>(getSize()) << " but must be positive";
  return success();
}

template <typename Op> static LogicalResult verifyAxis(Op op) {
  int64_t axis = op.getAxis(), rank = op.getInput().getType().getRank();
  if (axis < 0 || axis >= rank)
    return op.emitOpError("'axis' is ")
           << axis << " but the input has rank " << rank;
  return success();
}

LogicalResult SoftmaxOp::verify() { return verifyAxis(*this); }
LogicalResult LogSoftmaxOp::verify() { return verifyAxis(*this); }
LogicalResult HardmaxOp::verify() { return verifyAxis(*this); }

LogicalResult LpNormalizationOp::verify() {
  if (getP() != 1 && getP() != 2)
    return emitOpError("'p' is ")
           << static_cast<int64_t>(getP()) << " but must be 1 or 2";
  return verifyAxis(*this);
}

/// Checks axes and parameters. Appends the shape of the result, and those of
/// `statistics` tensors along the other axes.
static LogicalResult inferNormalization(ShapeContext &c, Value input,
                                        ValueRange parameters,
                                        ArrayRef<int64_t> axes, size_t most,
                                        unsigned statistics,
                                        SmallVectorImpl<TensorShape> &results) {
  TensorShape shape = c.shape(input), kept = shape;
  results.push_back(shape);
  int64_t last = -1;
  for (int64_t axis : axes) {
    if (axis <= last || axis >= shape.rank())
      return c.error("'axes' holds ", axis, ", which is not an axis of rank ",
                     shape.rank(), " in increasing order");
    last = axis;
    kept.sizes[axis] = c.constant(1);
  }
  if (parameters.size() > most)
    return c.error("has ", parameters.size(), " parameters instead of ", most,
                   " at most");
  AffineExpr one = c.constant(1);
  for (Value parameter : parameters) {
    TensorShape own = c.shape(parameter);
    if (own.rank() > shape.rank() || own.element != shape.element)
      return c.error("parameter ", parameter.getType(),
                     " does not broadcast to ", input.getType());
    for (auto [size, other] :
         llvm::zip(own.sizes, ArrayRef(shape.sizes).take_back(own.rank())))
      if (size != one &&
          failed(c.requireEqual(size, other, "parameter ", own,
                                " does not broadcast to ", shape)))
        return failure();
  }
  if (shape.element.getIntOrFloatBitWidth() < 32)
    kept.element = Float32Type::get(c.getContext());
  results.append(statistics, kept);
  return success();
}

LogicalResult MeanVarianceNormalizationOp::inferResultShapes(
    ShapeContext &c, Adaptor adaptor, SmallVectorImpl<TensorShape> &results) {
  return inferNormalization(c, adaptor.getInput(), adaptor.getParameters(),
                            adaptor.getAxes(), /*most=*/2, /*statistics=*/2,
                            results);
}

LogicalResult
RmsNormalizationOp::inferResultShapes(ShapeContext &c, Adaptor adaptor,
                                      SmallVectorImpl<TensorShape> &results) {
  return inferNormalization(c, adaptor.getInput(), adaptor.getParameters(),
                            adaptor.getAxes(), /*most=*/1, /*statistics=*/0,
                            results);
}

#define GET_OP_CLASSES
#include "dialects/Graph/GraphNormalization.cpp.inc"
