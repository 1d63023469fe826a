//===- ToLinalgUtils.cpp - Shared by the lowering of graph to linalg ------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Graph/ToLinalg.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Quant/IR/QuantTypes.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"

using namespace mlir;

namespace acc::graph {

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

Type getStorageType(Type type) {
  if (auto quantized = dyn_cast<quant::QuantizedType>(type))
    return IntegerType::get(type.getContext(),
                            quantized.getStorageTypeIntegralWidth());
  if (auto integer = dyn_cast<IntegerType>(type))
    return IntegerType::get(type.getContext(), integer.getWidth());
  return type;
}

bool isUnsignedElement(Type type) {
  type = getElementTypeOrSelf(type);
  if (auto quantized = dyn_cast<quant::QuantizedType>(type))
    return !quantized.isSigned();
  // ONNX's bool is i1, whose one is 1 and not -1.
  return type.isUnsignedInteger() || type.isInteger(1);
}

StorageTypeConverter::StorageTypeConverter() {
  addConversion([](Type type) { return type; });
  addConversion([](RankedTensorType type) -> Type {
    return type.clone(getStorageType(type.getElementType()));
  });
}

FailureOr<QuantizedElement> QuantizedElement::get(Type elementType) {
  auto type = dyn_cast<quant::QuantizedType>(elementType);
  if (!type)
    return failure();
  QuantizedElement element;
  element.isUnsigned = !type.isSigned();
  element.minimum = type.getStorageTypeMin();
  element.maximum = type.getStorageTypeMax();
  if (auto uniform = dyn_cast<quant::UniformQuantizedType>(type)) {
    element.scales = {uniform.getScale()};
    element.zeroPoints = {uniform.getZeroPoint()};
    return element;
  }
  if (auto perAxis = dyn_cast<quant::UniformQuantizedPerAxisType>(type)) {
    element.scales.assign(perAxis.getScales().begin(),
                          perAxis.getScales().end());
    element.zeroPoints.assign(perAxis.getZeroPoints().begin(),
                              perAxis.getZeroPoints().end());
    element.axis = perAxis.getQuantizedDimension();
    return element;
  }
  return failure();
}

//===----------------------------------------------------------------------===//
// Constants and initial values
//===----------------------------------------------------------------------===//

TypedAttr getZero(Type type) {
  return Builder(type.getContext()).getZeroAttr(type);
}

TypedAttr getLowest(Type type, bool isUnsigned) {
  if (auto floating = dyn_cast<FloatType>(type))
    return FloatAttr::get(
        type, APFloat::getInf(floating.getFloatSemantics(), /*Negative=*/true));
  unsigned width = type.getIntOrFloatBitWidth();
  return IntegerAttr::get(type, isUnsigned ? APInt::getMinValue(width)
                                           : APInt::getSignedMinValue(width));
}

Value createEmpty(ImplicitLocOpBuilder &b, Type tensorType) {
  auto type = cast<RankedTensorType>(tensorType);
  return tensor::EmptyOp::create(b, type.getShape(), type.getElementType());
}

Value createEmptyResult(ImplicitLocOpBuilder &b, OpResult result,
                        Type element) {
  auto type = cast<RankedTensorType>(result.getType());
  if (type.hasStaticShape())
    return tensor::EmptyOp::create(b, type.getShape(), element);
  ReifiedRankedShapedTypeDims sizes;
  auto op = cast<ReifyRankedShapedTypeOpInterface>(result.getOwner());
  if (failed(op.reifyResultShapes(b, sizes)))
    return {};
  return tensor::EmptyOp::create(b, sizes[result.getResultNumber()], element);
}

Value createFilled(ImplicitLocOpBuilder &b, Type tensorType, TypedAttr value) {
  Value scalar = arith::ConstantOp::create(b, value);
  Value empty = createEmpty(b, tensorType);
  return linalg::FillOp::create(b, scalar, empty).getResult(0);
}

//===----------------------------------------------------------------------===//
// Structured operations
//===----------------------------------------------------------------------===//

/// The map by which `type` broadcasts, aligned on the right, to `resultType`.
static AffineMap getBroadcastMap(RankedTensorType type,
                                 RankedTensorType resultType) {
  MLIRContext *context = type.getContext();
  int64_t rank = resultType.getRank(), offset = rank - type.getRank();
  SmallVector<AffineExpr> results;
  for (auto [axis, size] : llvm::enumerate(type.getShape())) {
    bool repeats = size == 1 && resultType.getDimSize(offset + axis) != 1;
    results.push_back(repeats ? getAffineConstantExpr(0, context)
                              : getAffineDimExpr(offset + axis, context));
  }
  return AffineMap::get(rank, 0, results, context);
}

Value createElementwise(ImplicitLocOpBuilder &b, RankedTensorType resultType,
                        ValueRange operands, ArrayRef<AffineMap> maps,
                        ScalarBody body) {
  SmallVector<AffineMap> allMaps(maps);
  allMaps.push_back(b.getMultiDimIdentityMap(resultType.getRank()));
  SmallVector<utils::IteratorType> iterators(resultType.getRank(),
                                             utils::IteratorType::parallel);
  Value empty = createEmpty(b, resultType);
  return linalg::GenericOp::create(
             b, TypeRange(resultType), operands, ValueRange(empty), allMaps,
             iterators,
             [&](OpBuilder &nested, Location loc, ValueRange args) {
               ImplicitLocOpBuilder inner(loc, nested);
               linalg::YieldOp::create(inner, body(inner, args.drop_back()));
             })
      .getResult(0);
}

Value createElementwise(ImplicitLocOpBuilder &b, RankedTensorType resultType,
                        ValueRange operands, ScalarBody body) {
  SmallVector<AffineMap> maps;
  for (Value operand : operands)
    maps.push_back(
        getBroadcastMap(cast<RankedTensorType>(operand.getType()), resultType));
  return createElementwise(b, resultType, operands, maps, body);
}

Value createReduction(ImplicitLocOpBuilder &b, Value input,
                      ArrayRef<int64_t> axes, TypedAttr init, Type elementType,
                      ScalarBody body) {
  auto type = cast<RankedTensorType>(input.getType());
  int64_t rank = type.getRank();
  SmallVector<utils::IteratorType> iterators(rank,
                                             utils::IteratorType::parallel);
  SmallVector<AffineExpr> kept;
  SmallVector<int64_t> shape;
  for (int64_t axis = 0; axis < rank; ++axis) {
    if (llvm::is_contained(axes, axis)) {
      iterators[axis] = utils::IteratorType::reduction;
      continue;
    }
    kept.push_back(b.getAffineDimExpr(axis));
    shape.push_back(type.getDimSize(axis));
  }
  Value filled =
      createFilled(b, RankedTensorType::get(shape, elementType), init);
  return linalg::GenericOp::create(
             b, TypeRange(filled.getType()), ValueRange(input),
             ValueRange(filled),
             ArrayRef<AffineMap>{b.getMultiDimIdentityMap(rank),
                                 AffineMap::get(rank, 0, kept, b.getContext())},
             iterators,
             [&](OpBuilder &nested, Location loc, ValueRange args) {
               ImplicitLocOpBuilder inner(loc, nested);
               linalg::YieldOp::create(inner, body(inner, args));
             })
      .getResult(0);
}

Value createPadded(ImplicitLocOpBuilder &b, Value input, ArrayRef<int64_t> low,
                   ArrayRef<int64_t> high, TypedAttr value) {
  auto isZero = [](int64_t size) { return size == 0; };
  if (llvm::all_of(low, isZero) && llvm::all_of(high, isZero))
    return input;
  auto type = cast<RankedTensorType>(input.getType());
  SmallVector<int64_t> shape;
  SmallVector<OpFoldResult> lows, highs;
  for (auto [axis, size] : llvm::enumerate(type.getShape())) {
    shape.push_back(size + low[axis] + high[axis]);
    lows.push_back(b.getIndexAttr(low[axis]));
    highs.push_back(b.getIndexAttr(high[axis]));
  }
  Value scalar = arith::ConstantOp::create(b, value);
  return tensor::PadOp::create(b, type.clone(shape), input, lows, highs, scalar,
                               /*nofold=*/false);
}

void splitSpatialPads(ArrayRef<int64_t> pads, int64_t rank,
                      SmallVectorImpl<int64_t> &low,
                      SmallVectorImpl<int64_t> &high) {
  size_t spatial = pads.size() / 2;
  low.assign(rank - spatial, 0);
  high.assign(rank - spatial, 0);
  llvm::append_range(low, pads.take_front(spatial));
  llvm::append_range(high, pads.drop_front(spatial));
}

Value createReshape(ImplicitLocOpBuilder &b, Value input,
                    ArrayRef<int64_t> shape) {
  auto type = cast<RankedTensorType>(input.getType());
  RankedTensorType target = type.clone(shape);
  if (target == type)
    return input;
  if (std::optional<SmallVector<ReassociationIndices>> groups =
          getReassociationIndicesForReshape(type, target)) {
    if (type.getRank() > target.getRank())
      return tensor::CollapseShapeOp::create(b, target, input, *groups);
    return tensor::ExpandShapeOp::create(b, target, input, *groups);
  }
  // Neither a pure merge nor a pure split of axes: through one flat axis.
  auto allAxes = [](int64_t rank) {
    SmallVector<ReassociationIndices> groups(1);
    groups.front().append(llvm::to_vector(llvm::seq<int64_t>(0, rank)));
    return groups;
  };
  Value flat = tensor::CollapseShapeOp::create(
      b, type.clone({type.getNumElements()}), input, allAxes(type.getRank()));
  return tensor::ExpandShapeOp::create(b, target, flat,
                                       allAxes(target.getRank()));
}

PerAxisOperand addPerAxisOperand(ImplicitLocOpBuilder &b,
                                 ArrayRef<Attribute> values, int64_t axis,
                                 int64_t rank, SmallVectorImpl<Value> &operands,
                                 SmallVectorImpl<AffineMap> &maps) {
  if (llvm::all_equal(values))
    return {arith::ConstantOp::create(b, cast<TypedAttr>(values.front()))};
  auto type = RankedTensorType::get({static_cast<int64_t>(values.size())},
                                    cast<TypedAttr>(values.front()).getType());
  operands.push_back(
      arith::ConstantOp::create(b, DenseElementsAttr::get(type, values)));
  maps.push_back(AffineMap::get(rank, 0, b.getAffineDimExpr(axis)));
  return {};
}

Value createBiased(ImplicitLocOpBuilder &b, Value value, Value bias,
                   int64_t axis) {
  auto type = cast<RankedTensorType>(value.getType());
  SmallVector<AffineMap> maps{
      b.getMultiDimIdentityMap(type.getRank()),
      AffineMap::get(type.getRank(), 0, b.getAffineDimExpr(axis))};
  return createElementwise(
      b, type, {value, bias}, maps,
      [](ImplicitLocOpBuilder &inner, ValueRange x) -> Value {
        if (isa<FloatType>(x[0].getType()))
          return arith::AddFOp::create(inner, x[0], x[1]);
        return arith::AddIOp::create(inner, x[0], x[1]);
      });
}

} // namespace acc::graph
