//===- Sampling.cpp - Reading tensors at computed positions ---------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Graph/Sampling.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"

using namespace mlir;

namespace acc::graph {

FloatType getSamplingType(Type type) {
  if (type.isF64() || type.isInteger())
    return Float64Type::get(type.getContext());
  return Float32Type::get(type.getContext());
}

Scalar toReal(ImplicitLocOpBuilder &b, Value element, Type real,
              bool isUnsigned) {
  if (isa<FloatType>(element.getType()))
    return Scalar(b, element).toReal(real);
  if (isUnsigned)
    return {b, arith::UIToFPOp::create(b, real, element)};
  return {b, arith::SIToFPOp::create(b, real, element)};
}

Value fromReal(ImplicitLocOpBuilder &b, Scalar value, Type type,
               bool isUnsigned) {
  if (isa<FloatType>(type))
    return value.toReal(type);
  unsigned width = type.getIntOrFloatBitWidth();
  // The largest float that the integer holds; 64-bit limits are no doubles.
  double lowest = isUnsigned ? 0 : -std::ldexp(1.0, width - 1);
  double limit = std::ldexp(1.0, isUnsigned ? width : width - 1);
  double highest = width > 53 ? std::nextafter(limit, 0) : limit - 1;
  Scalar clamped = value.roundEven().max(lowest).min(highest);
  if (isUnsigned)
    return arith::FPToUIOp::create(b, type, clamped);
  return arith::FPToSIOp::create(b, type, clamped);
}

Scalar loopIndex(ImplicitLocOpBuilder &b, int64_t axis) {
  return {b, linalg::IndexOp::create(b, axis)};
}

Scalar sizeOf(ImplicitLocOpBuilder &b, Value tensor, int64_t axis) {
  auto type = cast<RankedTensorType>(tensor.getType());
  if (!type.isDynamicDim(axis))
    return {b, arith::ConstantIndexOp::create(b, type.getDimSize(axis))};
  return {b, tensor::DimOp::create(b, tensor, axis)};
}

std::optional<Scalar> both(const std::optional<Scalar> &x,
                           const std::optional<Scalar> &y) {
  if (!x || !y)
    return x ? x : y;
  return *x & *y;
}

/// The product of weights and truths is only as long as it has to be: `weight`
/// and `inside` are those of the axes before.
static Scalar interpolateFrom(ImplicitLocOpBuilder &b, Value tensor,
                              SmallVectorImpl<Value> &indices,
                              ArrayRef<Taps> taps, std::optional<Scalar> inside,
                              Type real) {
  if (taps.empty()) {
    Value element = tensor::ExtractOp::create(b, tensor, indices);
    Scalar value =
        toReal(b, element, real, isUnsignedElement(tensor.getType()));
    return inside ? inside->select(value, value.same(0)) : value;
  }
  std::optional<Scalar> sum;
  for (const Tap &tap : taps.front()) {
    std::optional<Scalar> all = both(inside, tap.inside);
    indices.push_back(tap.index);
    Scalar value =
        interpolateFrom(b, tensor, indices, taps.drop_front(), all, real) *
        tap.weight;
    indices.pop_back();
    sum = sum ? *sum + value : value;
  }
  return *sum;
}

Scalar interpolate(ImplicitLocOpBuilder &b, Value tensor, ValueRange prefix,
                   ArrayRef<Taps> taps) {
  SmallVector<Value> indices(prefix);
  return interpolateFrom(b, tensor, indices, taps, std::nullopt,
                         taps.front().front().weight.getType());
}

Taps linearTaps(Scalar position, Scalar size) {
  // Far beyond the tensor every element counts as zero; near it, positions fit
  // an index.
  Scalar last = size.toReal(position.getType());
  Scalar near = position.max(-2).min(last + 1);
  Scalar floor = near.floor();
  Scalar fraction = near - floor;
  Scalar first = floor.toIndex();
  Taps taps;
  for (int64_t step : {0, 1}) {
    Scalar index = first + step;
    Scalar inside = (index >= 0) & (index < size);
    Scalar weight = step ? fraction : fraction.same(1) - fraction;
    taps.push_back({inside.select(index, index.same(0)), weight, inside});
  }
  return taps;
}

} // namespace acc::graph
