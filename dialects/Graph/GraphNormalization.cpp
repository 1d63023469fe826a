//===- GraphNormalization.cpp - Normalizations ----------------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Graph/GraphNormalization.h"
#include "dialects/Graph/Inference.h"

using namespace mlir;
using namespace acc::graph;

LogicalResult BatchNormalizationOp::verify() {
  RankedTensorType input = getInput().getType();
  if (input.getRank() < 2)
    return emitOpError("input has rank ")
           << input.getRank() << " but needs a batch and a channel axis";
  int64_t channels = input.getDimSize(1);
  for (auto [name, value] : {std::pair<StringRef, Value>{"scale", getScale()},
                             {"bias", getBias()},
                             {"mean", getMean()},
                             {"variance", getVariance()}}) {
    auto type = cast<RankedTensorType>(value.getType());
    if (type.getRank() != 1 || type.getDimSize(0) != channels)
      return emitOpError() << name << " is " << type
                           << " but needs one element for each of " << channels
                           << " channels";
  }
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

LogicalResult SoftmaxOp::verify() {
  int64_t axis = getAxis(), rank = getInput().getType().getRank();
  if (axis < 0 || axis >= rank)
    return emitOpError("'axis' is ")
           << axis << " but the input has rank " << rank;
  return success();
}

#define GET_OP_CLASSES
#include "dialects/Graph/GraphNormalization.cpp.inc"
