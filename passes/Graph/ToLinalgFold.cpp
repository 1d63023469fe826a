//===- ToLinalgFold.cpp - Computations that follow a tensor's shape -------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Graph/ToLinalgFold.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

namespace acc::graph {

Value convertFloat(ImplicitLocOpBuilder &b, Value value, Type type) {
  if (value.getType() == type)
    return value;
  unsigned from = value.getType().getIntOrFloatBitWidth(),
           to = type.getIntOrFloatBitWidth();
  if (from == to) // Between the two formats of 16 bits.
    value = arith::ExtFOp::create(b, b.getF32Type(), value);
  if (from < to)
    return arith::ExtFOp::create(b, type, value);
  return arith::TruncFOp::create(b, type, value);
}

Value createNumber(ImplicitLocOpBuilder &b, Type type, double value) {
  if (isa<FloatType>(type))
    return arith::ConstantOp::create(b, FloatAttr::get(type, value));
  return arith::ConstantOp::create(
      b, b.getIntegerAttr(type, static_cast<int64_t>(value)));
}

TypedAttr getHighest(Type type, bool isUnsigned) {
  if (auto floating = dyn_cast<FloatType>(type))
    return FloatAttr::get(type, APFloat::getInf(floating.getFloatSemantics()));
  unsigned width = type.getIntOrFloatBitWidth();
  return IntegerAttr::get(type, isUnsigned ? APInt::getMaxValue(width)
                                           : APInt::getSignedMaxValue(width));
}

SmallVector<int64_t> axesFrom(int64_t first, int64_t rank) {
  return llvm::to_vector(llvm::seq(first, rank));
}

AffineMap dropAxes(MLIRContext *context, int64_t rank, ArrayRef<int64_t> axes,
                   bool keep) {
  SmallVector<AffineExpr> results;
  for (int64_t axis = 0; axis < rank; ++axis) {
    if (!llvm::is_contained(axes, axis))
      results.push_back(getAffineDimExpr(axis, context));
    else if (keep)
      results.push_back(getAffineConstantExpr(0, context));
  }
  return AffineMap::get(rank, 0, results, context);
}

AffineMap broadcastTo(Value value, RankedTensorType space) {
  auto type = cast<RankedTensorType>(value.getType());
  MLIRContext *context = type.getContext();
  int64_t rank = space.getRank(), offset = rank - type.getRank();
  SmallVector<AffineExpr> results;
  for (auto [axis, size] : llvm::enumerate(type.getShape())) {
    bool repeats = size == 1 && space.getDimSize(offset + axis) != 1;
    results.push_back(repeats ? getAffineConstantExpr(0, context)
                              : getAffineDimExpr(offset + axis, context));
  }
  return AffineMap::get(rank, 0, results, context);
}

Value countElements(ImplicitLocOpBuilder &b, Value space,
                    ArrayRef<int64_t> axes) {
  Value count = arith::ConstantIndexOp::create(b, 1);
  for (int64_t axis : axes)
    count = b.createOrFold<arith::MulIOp>(
        count, b.createOrFold<tensor::DimOp>(space, axis));
  return count;
}

Value createEmptyLike(ImplicitLocOpBuilder &b, Value space, Type element,
                      ArrayRef<int64_t> axes, bool keep) {
  SmallVector<OpFoldResult> sizes;
  for (auto [axis, size] :
       llvm::enumerate(tensor::getMixedSizes(b, b.getLoc(), space))) {
    if (!llvm::is_contained(axes, axis))
      sizes.push_back(size);
    else if (keep)
      sizes.push_back(b.getIndexAttr(1));
  }
  return tensor::EmptyOp::create(b, sizes, element);
}

SmallVector<Value> createMaps(ImplicitLocOpBuilder &b, Value space,
                              ArrayRef<Type> elements,
                              ArrayRef<Indexed> operands, VectorBodyFn body) {
  int64_t rank = cast<RankedTensorType>(space.getType()).getRank();
  SmallVector<Value> values, empties;
  SmallVector<Type> types;
  SmallVector<AffineMap> maps;
  for (const Indexed &operand : operands) {
    values.push_back(operand.value);
    maps.push_back(operand.map);
  }
  for (Type element : elements) {
    empties.push_back(createEmptyLike(b, space, element));
    types.push_back(empties.back().getType());
    maps.push_back(b.getMultiDimIdentityMap(rank));
  }
  SmallVector<utils::IteratorType> iterators(rank,
                                             utils::IteratorType::parallel);
  auto generic = linalg::GenericOp::create(
      b, types, values, empties, maps, iterators,
      [&](OpBuilder &nested, Location loc, ValueRange args) {
        ImplicitLocOpBuilder inner(loc, nested);
        linalg::YieldOp::create(inner,
                                body(inner, args.drop_back(elements.size())));
      });
  return llvm::to_vector_of<Value>(generic.getResults());
}

Value createMap(ImplicitLocOpBuilder &b, Value space, Type element,
                ArrayRef<Indexed> operands, ScalarBody body) {
  return createMaps(b, space, element, operands,
                    [&](ImplicitLocOpBuilder &inner, ValueRange x) {
                      return SmallVector<Value>{body(inner, x)};
                    })
      .front();
}

Value keepInPlace(ImplicitLocOpBuilder &b, Value next, Value carried) {
  return linalg::CopyOp::create(b, next, carried).getResult(0);
}

SmallVector<Value> createFold(ImplicitLocOpBuilder &b, Value space,
                              ArrayRef<int64_t> axes, bool keep,
                              ArrayRef<Indexed> operands,
                              ArrayRef<TypedAttr> inits, VectorBodyFn body) {
  int64_t rank = cast<RankedTensorType>(space.getType()).getRank();
  SmallVector<Value> values, filled;
  SmallVector<Type> types;
  SmallVector<AffineMap> maps;
  for (const Indexed &operand : operands) {
    values.push_back(operand.value);
    maps.push_back(operand.map);
  }
  for (TypedAttr init : inits) {
    Value scalar = arith::ConstantOp::create(b, init);
    Value empty = createEmptyLike(b, space, init.getType(), axes, keep);
    filled.push_back(linalg::FillOp::create(b, scalar, empty).getResult(0));
    types.push_back(empty.getType());
    maps.push_back(dropAxes(b.getContext(), rank, axes, keep));
  }
  SmallVector<utils::IteratorType> iterators(rank,
                                             utils::IteratorType::parallel);
  for (int64_t axis : axes)
    iterators[axis] = utils::IteratorType::reduction;
  auto generic = linalg::GenericOp::create(
      b, types, values, filled, maps, iterators,
      [&](OpBuilder &nested, Location loc, ValueRange args) {
        ImplicitLocOpBuilder inner(loc, nested);
        linalg::YieldOp::create(inner, body(inner, args));
      });
  return llvm::to_vector_of<Value>(generic.getResults());
}

Value createFold(ImplicitLocOpBuilder &b, Value space, ArrayRef<int64_t> axes,
                 bool keep, ArrayRef<Indexed> operands, TypedAttr init,
                 ScalarBody body) {
  return createFold(b, space, axes, keep, operands, ArrayRef<TypedAttr>(init),
                    [&](ImplicitLocOpBuilder &inner, ValueRange x) {
                      return SmallVector<Value>{body(inner, x)};
                    })
      .front();
}

} // namespace acc::graph
