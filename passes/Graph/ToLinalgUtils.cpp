//===- ToLinalgUtils.cpp - Shared by the lowering of graph to linalg ------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Graph/ToLinalg.h"

#include "passes/Graph/ScalarMath.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Quant/IR/QuantTypes.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

namespace acc::graph {

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

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

Value createEmpty(ImplicitLocOpBuilder &b, Type tensorType,
                  ArrayRef<OpFoldResult> sizes) {
  auto type = cast<RankedTensorType>(tensorType);
  return tensor::EmptyOp::create(b, completeSizes(b, type, Sizes(sizes)),
                                 type.getElementType());
}

Value createEmptyResult(ImplicitLocOpBuilder &b, OpResult result,
                        Type element) {
  auto type = cast<RankedTensorType>(result.getType());
  if (type.hasStaticShape())
    return tensor::EmptyOp::create(b, type.getShape(), element);
  ReifiedRankedShapedTypeDims sizes;
  auto op = cast<ReifyRankedShapedTypeOpInterface>(result.getOwner());
  if (failed(op.reifyResultShapes(b, sizes)))
    sizes.assign(op->getNumResults(), {});
  return createEmpty(b, type.clone(element), sizes[result.getResultNumber()]);
}

Value createFilled(ImplicitLocOpBuilder &b, Type tensorType, TypedAttr value,
                   ArrayRef<OpFoldResult> sizes) {
  Value scalar = arith::ConstantOp::create(b, value);
  Value empty = createEmpty(b, tensorType, sizes);
  return linalg::FillOp::create(b, scalar, empty).getResult(0);
}

Value createFilled(ImplicitLocOpBuilder &b, ArrayRef<OpFoldResult> sizes,
                   TypedAttr value) {
  Value scalar = arith::ConstantOp::create(b, value);
  Value empty = tensor::EmptyOp::create(b, sizes, value.getType());
  return linalg::FillOp::create(b, scalar, empty).getResult(0);
}

//===----------------------------------------------------------------------===//
// Structured operations
//===----------------------------------------------------------------------===//

Value createGeneric(ImplicitLocOpBuilder &b, Value init, ValueRange inputs,
                    ArrayRef<AffineMap> maps, unsigned reductions,
                    ScalarBody body) {
  SmallVector<utils::IteratorType> iterators(maps.back().getNumDims(),
                                             utils::IteratorType::parallel);
  std::fill(iterators.end() - reductions, iterators.end(),
            utils::IteratorType::reduction);
  return linalg::GenericOp::create(
             b, TypeRange(init.getType()), inputs, ValueRange(init), maps,
             iterators,
             // Bodies are built by `b` itself, which is inside of them by now:
             // what Scalars compute then always goes where the builder is.
             [&](OpBuilder &, Location, ValueRange args) {
               linalg::YieldOp::create(b, body(b, args));
             })
      .getResult(0);
}

Sizes getTypedSizes(ImplicitLocOpBuilder &b, Value tensor) {
  return completeSizes(b, cast<RankedTensorType>(tensor.getType()),
                       getSizes(b, tensor));
}

Sizes getTypedSizes(ImplicitLocOpBuilder &b, Operation *op,
                    ValueRange operands) {
  return completeSizes(b, cast<RankedTensorType>(op->getResult(0).getType()),
                       getResultSizes(b, op, operands));
}

Value convertElements(ImplicitLocOpBuilder &b, Value tensor, Type element) {
  auto type = cast<RankedTensorType>(tensor.getType());
  if (type.getElementType() == element)
    return tensor;
  AffineMap map = b.getMultiDimIdentityMap(type.getRank());
  Value init = tensor::EmptyOp::create(b, getTypedSizes(b, tensor), element);
  return createGeneric(b, init, tensor, {map, map}, 0,
                       [&](ImplicitLocOpBuilder &inner, ValueRange x) -> Value {
                         return Scalar(inner, x[0]).toReal(element);
                       });
}

/// Sizes of a result that its operands tell through their maps.
static Sizes findSizes(ImplicitLocOpBuilder &b, RankedTensorType type,
                       ValueRange operands, ArrayRef<AffineMap> maps) {
  Sizes sizes(type.getRank());
  for (auto [axis, size] : llvm::enumerate(type.getShape())) {
    if (!ShapedType::isDynamic(size)) {
      sizes[axis] = b.getIndexAttr(size);
      continue;
    }
    for (auto [operand, map] : llvm::zip(operands, maps)) {
      std::optional<unsigned> position =
          map.getResultPosition(b.getAffineDimExpr(axis));
      if (!position)
        continue;
      sizes[axis] = getSizes(b, operand)[*position];
      break;
    }
  }
  return sizes;
}

Value createElementwise(ImplicitLocOpBuilder &b, RankedTensorType resultType,
                        ValueRange operands, ArrayRef<AffineMap> maps,
                        ScalarBody body, ArrayRef<OpFoldResult> sizes) {
  SmallVector<AffineMap> allMaps(maps);
  allMaps.push_back(b.getMultiDimIdentityMap(resultType.getRank()));
  SmallVector<utils::IteratorType> iterators(resultType.getRank(),
                                             utils::IteratorType::parallel);
  Sizes found;
  if (!resultType.hasStaticShape() && sizes.empty())
    sizes = found = findSizes(b, resultType, operands, maps);
  Value empty = createEmpty(b, resultType, sizes);
  return linalg::GenericOp::create(
             b, TypeRange(resultType), operands, ValueRange(empty), allMaps,
             iterators,
             [&](OpBuilder &nested, Location loc, ValueRange args) {
               ImplicitLocOpBuilder inner(loc, nested);
               linalg::YieldOp::create(inner, body(inner, args.drop_back()));
             })
      .getResult(0);
}

/// An operand that broadcasts, aligned on the right.
struct BroadcastOperand {
  Value tensor;
  AffineMap map;
  /// Per axis 0 or 1, what to multiply the index with, where only a run tells
  /// whether the axis repeats; null elsewhere. Empty if all is known.
  SmallVector<Value> steps;

  BroadcastOperand(ImplicitLocOpBuilder &b, Value tensor,
                   ArrayRef<OpFoldResult> result)
      : tensor(tensor) {
    auto type = cast<RankedTensorType>(tensor.getType());
    Sizes sizes = getSizes(b, tensor);
    int64_t offset = result.size() - type.getRank();
    SmallVector<AffineExpr> exprs;
    SmallVector<Value> choices;
    for (auto [axis, size] : llvm::enumerate(type.getShape())) {
      OpFoldResult whole = result[offset + axis];
      bool repeats = size == 1 && getConstantIntValue(whole) != 1;
      exprs.push_back(repeats ? b.getAffineConstantExpr(0)
                              : b.getAffineDimExpr(offset + axis));
      choices.push_back({});
      if (!ShapedType::isDynamic(size) || areEqualSizes(sizes[axis], whole))
        continue;
      Value one = arith::ConstantIndexOp::create(b, 1);
      Value zero = arith::ConstantIndexOp::create(b, 0);
      Value length =
          getValueOrCreateConstantIndexOp(b, b.getLoc(), sizes[axis]);
      Value isOne =
          arith::CmpIOp::create(b, arith::CmpIPredicate::eq, length, one);
      choices.back() = arith::SelectOp::create(b, isOne, zero, one);
    }
    map = AffineMap::get(result.size(), 0, exprs, b.getContext());
    if (llvm::any_of(choices, [](Value step) { return bool(step); }))
      steps = std::move(choices);
  }

  /// The element, where the map does not give it.
  Value read(ImplicitLocOpBuilder &b) const {
    SmallVector<Value> indices;
    for (auto [expr, step] : llvm::zip(map.getResults(), steps)) {
      if (isa<AffineConstantExpr>(expr)) {
        indices.push_back(arith::ConstantIndexOp::create(b, 0));
        continue;
      }
      Value index =
          linalg::IndexOp::create(b, cast<AffineDimExpr>(expr).getPosition());
      indices.push_back(step ? arith::MulIOp::create(b, index, step).getResult()
                             : index);
    }
    return tensor::ExtractOp::create(b, tensor, indices);
  }
};

Value createElementwise(ImplicitLocOpBuilder &b, RankedTensorType resultType,
                        ValueRange operands, ScalarBody body,
                        ArrayRef<OpFoldResult> sizes) {
  Sizes result(sizes);
  if (result.empty() && !resultType.hasStaticShape()) {
    SmallVector<Sizes> shapes;
    for (Value operand : operands)
      shapes.push_back(getSizes(b, operand));
    result = broadcastSizes(b, shapes);
    result.insert(result.begin(), resultType.getRank() - result.size(),
                  b.getIndexAttr(1));
  }
  result = completeSizes(b, resultType, std::move(result));

  SmallVector<BroadcastOperand> all;
  SmallVector<Value> mapped;
  SmallVector<AffineMap> maps;
  for (Value operand : operands) {
    all.emplace_back(b, operand, result);
    if (!all.back().steps.empty())
      continue;
    mapped.push_back(operand);
    maps.push_back(all.back().map);
  }
  return createElementwise(
      b, resultType, mapped, maps,
      [&](ImplicitLocOpBuilder &inner, ValueRange arguments) {
        SmallVector<Value> elements;
        for (const BroadcastOperand &operand : all) {
          if (!operand.steps.empty()) {
            elements.push_back(operand.read(inner));
            continue;
          }
          elements.push_back(arguments.front());
          arguments = arguments.drop_front();
        }
        return body(inner, elements);
      },
      result);
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
  Sizes inputSizes = getSizes(b, input), sizes;
  for (int64_t axis = 0; axis < rank; ++axis) {
    if (llvm::is_contained(axes, axis)) {
      iterators[axis] = utils::IteratorType::reduction;
      continue;
    }
    kept.push_back(b.getAffineDimExpr(axis));
    shape.push_back(type.getDimSize(axis));
    sizes.push_back(inputSizes[axis]);
  }
  Value filled =
      createFilled(b, RankedTensorType::get(shape, elementType), init, sizes);
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
    shape.push_back(
        ShapedType::isDynamic(size) ? size : size + low[axis] + high[axis]);
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

/// Whether every group of `split` certainly has the elements of its merged
/// axis. Groups are recognised by the form of the expressions alone.
static bool areGroups(ArrayRef<ReassociationIndices> groups,
                      ArrayRef<OpFoldResult> split,
                      ArrayRef<OpFoldResult> merged) {
  for (auto [group, size] : llvm::zip(groups, merged))
    if (!areEqualSizes(split.slice(group.front(), group.size()), size))
      return false;
  return true;
}

Value createReshape(ImplicitLocOpBuilder &b, Value input,
                    ArrayRef<int64_t> shape, ArrayRef<OpFoldResult> sizes) {
  auto type = cast<RankedTensorType>(input.getType());
  RankedTensorType target = type.clone(shape);
  Sizes old = getSizes(b, input);
  Sizes output = completeSizes(b, target, Sizes(sizes));
  auto isSame = [](auto pair) {
    return areEqualSizes(std::get<0>(pair), std::get<1>(pair));
  };
  if (target == type && llvm::all_of(llvm::zip(old, output), isSame))
    return input;
  // What has no elements is made anew: of sizes that multiply to nothing, those
  // of one side may be known and those of the other not.
  if (llvm::is_contained(type.getShape(), 0) ||
      llvm::is_contained(target.getShape(), 0))
    return tensor::EmptyOp::create(b, output, target.getElementType());
  if (std::optional<SmallVector<ReassociationIndices>> groups =
          getReassociationIndicesForReshape(type, target)) {
    bool merges = type.getRank() > target.getRank();
    if (areGroups(*groups, merges ? old : output, merges ? output : old)) {
      if (merges)
        return tensor::CollapseShapeOp::create(b, target, input, *groups);
      return tensor::ExpandShapeOp::create(b, target, input, *groups, output);
    }
  }
  // Neither a pure merge nor a pure split of axes: through one flat axis.
  auto allAxes = [](int64_t rank) {
    SmallVector<ReassociationIndices> groups(rank ? 1 : 0);
    if (rank)
      groups.front().append(llvm::to_vector(llvm::seq<int64_t>(0, rank)));
    return groups;
  };
  Value flat = input;
  if (type.getRank() != 1) {
    int64_t count =
        type.hasStaticShape() ? type.getNumElements() : ShapedType::kDynamic;
    if (type.getRank() == 0)
      flat = tensor::ExpandShapeOp::create(
          b, type.clone({1}), input, allAxes(0), Sizes{b.getIndexAttr(1)});
    else
      flat = tensor::CollapseShapeOp::create(b, type.clone({count}), input,
                                             allAxes(type.getRank()));
  }
  if (target.getRank() == 1 && flat.getType() == target)
    return flat;
  // Both or neither of the two sides of an expansion are known.
  auto flatType = cast<RankedTensorType>(flat.getType());
  if (flatType.hasStaticShape() != target.hasStaticShape())
    flat = tensor::CastOp::create(
        b,
        type.clone({target.hasStaticShape() ? target.getNumElements()
                                            : ShapedType::kDynamic}),
        flat);
  if (target.getRank() == 0)
    return tensor::CollapseShapeOp::create(b, target, flat, allAxes(0));
  if (target.getRank() == 1)
    return flat;
  return tensor::ExpandShapeOp::create(b, target, flat,
                                       allAxes(target.getRank()), output);
}

Value createReshape(ImplicitLocOpBuilder &b, Value input,
                    ArrayRef<OpFoldResult> sizes) {
  SmallVector<int64_t> shape;
  for (OpFoldResult size : sizes)
    shape.push_back(getConstantIntValue(size).value_or(ShapedType::kDynamic));
  return createReshape(b, input, shape, sizes);
}

Value createReshape(ImplicitLocOpBuilder &b, Value input,
                    ArrayRef<int64_t> shape) {
  return createReshape(b, input, shape, Sizes());
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
  AffineMap identity = b.getMultiDimIdentityMap(type.getRank());
  SmallVector<AffineMap> maps{
      identity, AffineMap::get(type.getRank(), 0, b.getAffineDimExpr(axis)),
      identity};
  Value init = tensor::EmptyOp::create(b, getTypedSizes(b, value),
                                       type.getElementType());
  return createGeneric(b, init, {value, bias}, maps, 0,
                       [](ImplicitLocOpBuilder &inner, ValueRange x) -> Value {
                         if (isa<FloatType>(x[0].getType()))
                           return arith::AddFOp::create(inner, x[0], x[1]);
                         return arith::AddIOp::create(inner, x[0], x[1]);
                       });
}

} // namespace acc::graph
