//===- Inference.cpp - Shape inference shared by the operators ------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Graph/Inference.h"

#include "mlir/Dialect/Quant/IR/QuantTypes.h"
#include "llvm/Support/CheckedArithmetic.h"

using namespace mlir;
using namespace acc::graph;

// A tensor beyond this cannot be meant; refusing it keeps all later arithmetic
// on sizes within 64 bits.
static constexpr int64_t maxElements = int64_t(1) << 40;

LogicalResult acc::graph::inferTensor(InferenceSite site,
                                      ArrayRef<int64_t> shape, Type element,
                                      SmallVectorImpl<Type> &types) {
  int64_t count = 1;
  for (int64_t size : shape) {
    if (ShapedType::isDynamic(size))
      continue;
    if (size < 0)
      return site.error("result has the negative size ", size);
    std::optional<int64_t> product = llvm::checkedMul(count, size);
    if (!product || *product > maxElements)
      return site.error("result has more than ", maxElements, " elements");
    count = *product;
  }
  types.push_back(RankedTensorType::get(shape, element));
  return success();
}

IntegerType acc::graph::getStorageInteger(quant::QuantizedType type) {
  return IntegerType::get(type.getContext(), type.getStorageTypeIntegralWidth(),
                          type.isSigned() ? IntegerType::Signless
                                          : IntegerType::Unsigned);
}
