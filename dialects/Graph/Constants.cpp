//===- Constants.cpp - Arithmetic on constant tensors ---------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Graph/Constants.h"

#include "mlir/IR/AsmState.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/Matchers.h"

#include <cstring>

using namespace mlir;
using namespace acc::graph;

// Constants up to this size are uniqued dense attributes, which print inline.
static constexpr size_t maxInlineBytes = 1024;

/// Elements below a byte take one, but for i1, which dense attributes pack.
static std::optional<size_t> getElementBytes(Type element) {
  if (!element.isIntOrFloat() || element.isInteger(1))
    return std::nullopt;
  return llvm::divideCeil(element.getIntOrFloatBitWidth(), 8);
}

ElementsAttr
acc::graph::makeElements(ShapedType type,
                         llvm::function_ref<void(MutableArrayRef<char>)> fill) {
  size_t bytes =
      type.getNumElements() * *getElementBytes(type.getElementType());
  if (bytes <= maxInlineBytes) {
    SmallVector<char> data(bytes);
    fill(data);
    return DenseElementsAttr::getFromRawBuffer(type, data);
  }
  AsmResourceBlob blob = HeapAsmResourceBlob::allocate(bytes, /*align=*/64);
  fill(blob.getMutableData());
  return DenseResourceElementsAttr::get(type, "folded", std::move(blob));
}

std::optional<ArrayRef<char>> acc::graph::getRawElements(ElementsAttr value) {
  std::optional<size_t> bytes = getElementBytes(value.getElementType());
  if (!bytes)
    return std::nullopt;
  if (auto dense = dyn_cast<DenseElementsAttr>(value))
    return dense.getRawData();
  if (auto resource = dyn_cast<DenseResourceElementsAttr>(value))
    if (AsmResourceBlob *blob = resource.getRawHandle().getBlob())
      if (blob->getData().size() == value.getNumElements() * *bytes)
        return blob->getData();
  return std::nullopt;
}

std::optional<ConstantBytes> ConstantBytes::read(Value value) {
  ElementsAttr elements;
  if (!matchPattern(value, m_Constant(&elements)))
    return std::nullopt;
  std::optional<ArrayRef<char>> raw = getRawElements(elements);
  if (!raw || getElementBytes(elements.getElementType()) != 1)
    return std::nullopt;
  ConstantBytes result;
  result.bytes = *raw;
  result.isSplat = elements.isSplat();
  return result;
}

ElementsAttr acc::graph::reshapeElements(ElementsAttr value,
                                         ArrayRef<int64_t> shape) {
  ShapedType type = value.getShapedType().clone(shape);
  if (auto dense = dyn_cast<DenseElementsAttr>(value))
    return dense.reshape(type);
  if (auto resource = dyn_cast<DenseResourceElementsAttr>(value))
    return DenseResourceElementsAttr::get(type, resource.getRawHandle());
  return {};
}

SmallVector<int64_t> acc::graph::getStrides(ArrayRef<int64_t> shape) {
  SmallVector<int64_t> strides(shape.size());
  int64_t stride = 1;
  for (size_t axis = shape.size(); axis-- > 0; stride *= shape[axis])
    strides[axis] = stride;
  return strides;
}

ElementsAttr acc::graph::stridedElements(ElementsAttr value,
                                         ArrayRef<int64_t> shape, int64_t start,
                                         ArrayRef<int64_t> strides) {
  if (value.isSplat())
    return reshapeElements(value, shape);
  std::optional<ArrayRef<char>> source = getRawElements(value);
  if (!source)
    return {};
  int64_t bytes = *getElementBytes(value.getElementType());
  auto copy = [&](MutableArrayRef<char> target) {
    SmallVector<int64_t> index(shape.size(), 0);
    int64_t offset = start;
    for (size_t to = 0; to < target.size(); to += bytes) {
      std::memcpy(&target[to], &(*source)[offset * bytes], bytes);
      for (size_t axis = shape.size(); axis-- > 0;) {
        offset += strides[axis];
        if (++index[axis] < shape[axis])
          break;
        offset -= strides[axis] * shape[axis];
        index[axis] = 0;
      }
    }
  };
  return makeElements(value.getShapedType().clone(shape), copy);
}

ElementsAttr acc::graph::transposeElements(ElementsAttr value,
                                           ArrayRef<int64_t> permutation) {
  ArrayRef<int64_t> shape = value.getShapedType().getShape();
  SmallVector<int64_t> from = getStrides(shape), result, strides;
  for (int64_t axis : permutation) {
    result.push_back(shape[axis]);
    strides.push_back(from[axis]);
  }
  return stridedElements(value, result, 0, strides);
}

std::optional<SmallVector<double>> acc::graph::getDoubles(ElementsAttr value) {
  auto element = dyn_cast<FloatType>(value.getElementType());
  std::optional<ArrayRef<char>> raw = getRawElements(value);
  if (!element || !raw)
    return std::nullopt;
  SmallVector<double> result;
  if (element.isF32()) {
    for (size_t at = 0; at < raw->size(); at += sizeof(float)) {
      float number;
      std::memcpy(&number, raw->data() + at, sizeof(float));
      result.push_back(number);
    }
    return result;
  }
  unsigned width = element.getWidth();
  for (size_t at = 0; at < raw->size(); at += width / 8) {
    uint64_t bits = 0;
    std::memcpy(&bits, raw->data() + at, width / 8);
    APFloat number(element.getFloatSemantics(), APInt(width, bits));
    result.push_back(number.convertToDouble());
  }
  return result;
}

bool acc::graph::isSplatOf(Attribute value, double number) {
  auto splat = dyn_cast_if_present<SplatElementsAttr>(value);
  if (!splat)
    return false;
  if (isa<FloatType>(splat.getElementType()))
    return splat.getSplatValue<APFloat>().convertToDouble() == number;
  if (isa<IntegerType>(splat.getElementType()))
    return splat.getSplatValue<APInt>().roundToDouble(
               !splat.getElementType().isUnsignedInteger()) == number;
  return false;
}
