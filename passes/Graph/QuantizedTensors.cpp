//===- QuantizedTensors.cpp - From quantized types to integers ------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Graph/QuantizedTensors.h"

#include "dialects/Graph/Constants.h"
#include "dialects/Graph/Graph.h"
#include "dialects/Graph/Inference.h"

using namespace mlir;
using namespace acc::graph;

/// What unsigned integers of `type` lose to become signed ones.
static int32_t getUnsignedBase(quant::QuantizedType type) {
  return type.isSigned() ? 0 : 1 << (type.getStorageTypeIntegralWidth() - 1);
}

FailureOr<Grid> acc::graph::getGrid(Type type, std::string &reason) {
  auto element = cast<RankedTensorType>(type).getElementType();
  if (isa<quant::UniformQuantizedPerAxisType>(element)) {
    reason = "an activation is quantized per axis";
    return failure();
  }
  auto quantized = dyn_cast<quant::UniformQuantizedType>(element);
  if (!quantized) {
    reason = "an activation is not quantized";
    return failure();
  }
  if (quantized.getStorageTypeIntegralWidth() > 8) {
    reason = "an activation is quantized to " +
             std::to_string(quantized.getStorageTypeIntegralWidth()) +
             " bits instead of 8";
    return failure();
  }
  int32_t base = getUnsignedBase(quantized);
  if (quantized.getZeroPoint() < quantized.getStorageTypeMin() ||
      quantized.getZeroPoint() > quantized.getStorageTypeMax()) {
    reason = "an activation's zero point is out of range";
    return failure();
  }
  return Grid{quantized.getScale(), int32_t(quantized.getZeroPoint() - base),
              int32_t(quantized.getStorageTypeMin() - base),
              int32_t(quantized.getStorageTypeMax() - base)};
}

static RankedTensorType withElement(Value value, Type element) {
  return cast<RankedTensorType>(value.getType()).clone(element);
}

Value acc::graph::toInteger(OpBuilder &builder, Location loc, Value quantized) {
  auto element = cast<quant::QuantizedType>(
      cast<RankedTensorType>(quantized.getType()).getElementType());
  Type i8 = builder.getI8Type(), integer = getStorageInteger(element);
  Value storage = builder.createOrFold<StorageCastOp>(
      loc, withElement(quantized, integer), quantized);
  if (integer == i8)
    return storage;
  return builder.createOrFold<RebaseOp>(loc, withElement(quantized, i8),
                                        storage);
}

int32_t Grid::quantize(double real) const {
  double scaled = std::nearbyint(float(real) / float(scale));
  return int32_t(std::clamp<double>(scaled + zeroPoint, lo, hi));
}

Value acc::graph::toQuantized(OpBuilder &builder, Location loc, Value integer,
                              Type type) {
  auto element =
      cast<quant::QuantizedType>(cast<RankedTensorType>(type).getElementType());
  if (Type storage = getStorageInteger(element); !storage.isSignlessInteger(8))
    integer = builder.createOrFold<RebaseOp>(loc, withElement(integer, storage),
                                             integer);
  return builder.createOrFold<StorageCastOp>(loc, type, integer);
}

FailureOr<SmallVector<int64_t>> acc::graph::readStorage(Value constant) {
  ElementsAttr value;
  if (!matchPattern(constant, m_Constant(&value)))
    return failure();
  std::optional<ArrayRef<char>> raw = getRawElements(value);
  auto element = dyn_cast<quant::QuantizedType>(
      cast<RankedTensorType>(constant.getType()).getElementType());
  if (!raw || !element)
    return failure();
  unsigned width = value.getElementType().getIntOrFloatBitWidth();
  size_t bytes = llvm::divideCeil(width, 8);
  SmallVector<int64_t> result;
  result.reserve(value.getNumElements());
  for (size_t at = 0; at + bytes <= raw->size(); at += bytes) {
    uint64_t bits = 0;
    std::memcpy(&bits, raw->data() + at, bytes);
    result.push_back(
        element.isSigned()
            ? llvm::SignExtend64(bits, width)
            : int64_t(bits & llvm::maskTrailingOnes<uint64_t>(width)));
  }
  if (result.size() == 1)
    result.resize(value.getNumElements(), result.front());
  return result;
}

template <typename T>
static Value makeTensor(OpBuilder &builder, Location loc,
                        ArrayRef<int64_t> shape, ArrayRef<T> values) {
  auto type =
      RankedTensorType::get(shape, builder.getIntegerType(8 * sizeof(T)));
  ElementsAttr elements = makeElements(type, [&](MutableArrayRef<char> data) {
    std::memcpy(data.data(), values.data(), data.size());
  });
  return ConstantOp::create(builder, loc, type, elements);
}

Value acc::graph::makeConstant(OpBuilder &builder, Location loc,
                               ArrayRef<int64_t> shape,
                               ArrayRef<int8_t> values) {
  return makeTensor(builder, loc, shape, values);
}

Value acc::graph::makeConstant(OpBuilder &builder, Location loc,
                               ArrayRef<int64_t> shape,
                               ArrayRef<int32_t> values) {
  return makeTensor(builder, loc, shape, values);
}

static Rounding getRounding(RoundingForm form) {
  switch (form) {
  case RoundingForm::HalfUp:
    return Rounding::HalfUp;
  case RoundingForm::HalfEven:
    return Rounding::HalfEven;
  case RoundingForm::Down:
    return Rounding::Down;
  }
  llvm_unreachable("all roundings are handled");
}

Value acc::graph::makeRequantize(OpBuilder &builder, Location loc,
                                 Value accumulator, const FixedPoint &point) {
  auto arrayOrNone = [&](ArrayRef<int32_t> values) {
    return values.empty() ? DenseI32ArrayAttr()
                          : builder.getDenseI32ArrayAttr(values);
  };
  auto integerOrNone = [&](std::optional<int32_t> value) {
    return value ? builder.getI32IntegerAttr(*value) : IntegerAttr();
  };
  return RequantizeOp::create(
      builder, loc, accumulator, arrayOrNone(point.clipLo),
      arrayOrNone(point.clipHi), builder.getDenseI32ArrayAttr(point.preShift),
      builder.getDenseI32ArrayAttr(point.multiplier),
      builder.getI32IntegerAttr(point.addend),
      builder.getI32IntegerAttr(point.midShift),
      builder.getDenseI32ArrayAttr(point.postShift),
      builder.getI32IntegerAttr(point.zeroPoint),
      RoundingAttr::get(builder.getContext(), getRounding(point.rounding)),
      integerOrNone(point.outLo), integerOrNone(point.outHi),
      integerOrNone(point.bits));
}
