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

// Sizes beyond these cannot be meant; refusing them keeps all later arithmetic
// on sizes within 64 bits.
static constexpr int64_t maxWindowValue = int64_t(1) << 31;
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

FailureOr<SmallVector<int64_t>>
acc::graph::broadcastShapes(InferenceSite site,
                            ArrayRef<ArrayRef<int64_t>> shapes) {
  SmallVector<int64_t> result;
  for (ArrayRef<int64_t> shape : shapes) {
    if (shape.size() > result.size())
      result.insert(result.begin(), shape.size() - result.size(), 1);
    int64_t *aligned = result.end() - shape.size();
    for (auto [index, size] : llvm::enumerate(shape)) {
      if (size == aligned[index] || size == 1)
        continue;
      if (aligned[index] != 1)
        return site.error("shapes do not broadcast: size ", size,
                          " meets size ", aligned[index], " at axis ",
                          int64_t(index) - int64_t(shape.size()),
                          " from the end");
      aligned[index] = size;
    }
  }
  return result;
}

LogicalResult acc::graph::inferBroadcast(InferenceSite site,
                                         ValueRange operands,
                                         SmallVectorImpl<Type> &types) {
  if (operands.empty())
    return site.error("needs at least one operand");
  SmallVector<ArrayRef<int64_t>> shapes;
  Type element = cast<RankedTensorType>(operands[0].getType()).getElementType();
  for (Value operand : operands) {
    auto type = cast<RankedTensorType>(operand.getType());
    if (type.getElementType() != element)
      return site.error("operands have different element types: ", element,
                        " and ", type.getElementType());
    shapes.push_back(type.getShape());
  }
  FailureOr<SmallVector<int64_t>> shape = broadcastShapes(site, shapes);
  if (failed(shape))
    return failure();
  return inferTensor(site, *shape, element, types);
}

FailureOr<SmallVector<int64_t>>
acc::graph::inferWindows(InferenceSite site, ArrayRef<int64_t> spatial,
                         WindowAttributes windows) {
  size_t rank = spatial.size();
  auto check = [&](StringRef name, ArrayRef<int64_t> values, size_t count,
                   int64_t least) -> LogicalResult {
    if (values.size() != count)
      return site.error("'", name, "' has ", values.size(), " values but ",
                        rank, " spatial axes need ", count);
    for (int64_t value : values)
      if (value < least || value > maxWindowValue)
        return site.error("'", name, "' holds ", value,
                          ", which is not within ", least, " and ",
                          maxWindowValue);
    return success();
  };
  if (failed(check("kernel_shape", windows.kernel, rank, 1)) ||
      failed(check("strides", windows.strides, rank, 1)) ||
      failed(check("pads", windows.pads, 2 * rank, 0)) ||
      failed(check("dilations", windows.dilations, rank, 1)))
    return failure();

  SmallVector<int64_t> result;
  for (size_t axis = 0; axis < rank; ++axis) {
    int64_t span = (windows.kernel[axis] - 1) * windows.dilations[axis] + 1;
    int64_t padded =
        spatial[axis] + windows.pads[axis] + windows.pads[axis + rank];
    if (padded < span)
      return site.error("the window spans ", span,
                        " elements but the padded input has ", padded,
                        " along spatial axis ", axis);
    result.push_back((padded - span) / windows.strides[axis] + 1);
  }
  return result;
}

LogicalResult acc::graph::rejectPerAxis(InferenceSite site,
                                        RankedTensorType type) {
  if (isa<quant::UniformQuantizedPerAxisType>(type.getElementType()))
    return site.error("does not take per-axis quantized tensors; cast to the "
                      "storage type first");
  return success();
}

IntegerType acc::graph::getStorageInteger(quant::QuantizedType type) {
  return IntegerType::get(type.getContext(), type.getStorageTypeIntegralWidth(),
                          type.isSigned() ? IntegerType::Signless
                                          : IntegerType::Unsigned);
}
