//===- GraphConstant.cpp - Constants --------------------------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Graph/GraphConstant.h"
#include "dialects/Graph/Inference.h"

#include "mlir/Dialect/Quant/IR/QuantTypes.h"

using namespace mlir;
using namespace acc::graph;

OpFoldResult ConstantOp::fold(FoldAdaptor) { return getValue(); }

LogicalResult ConstantOp::verify() {
  auto value = cast<ShapedType>(getValue().getType());
  RankedTensorType result = getType();
  if (!value.hasRank() || value.getShape() != result.getShape())
    return emitOpError("value has type ")
           << value << " but the result is " << result;
  Type expected = result.getElementType();
  if (auto quantized = dyn_cast<quant::QuantizedType>(expected)) {
    if (failed(checkQuantizedTensor({getLoc(), getOperationName()}, result)))
      return failure();
    expected = getStorageInteger(quantized);
  }
  if (value.getElementType() != expected)
    return emitOpError("value holds ")
           << value.getElementType() << " but the result stores " << expected;
  return success();
}

#define GET_OP_CLASSES
#include "dialects/Graph/GraphConstant.cpp.inc"
