//===- Pools.cpp - What pools share --------------------------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Graph/Pools.h"

using namespace mlir;

namespace acc::graph {

Value createGenericPool(ImplicitLocOpBuilder &b, Value padded,
                        const Window &window, Value init, ScalarBody body) {
  int64_t rank = typeOf(init).getRank();
  int64_t spatial = window.shape.size();
  // Only the shape of this counts: it is the range of the taps.
  Value taps =
      tensor::EmptyOp::create(b, window.shape, getElementTypeOrSelf(init));
  SmallVector<AffineExpr> source, tap, result;
  for (int64_t axis = 0; axis < rank; ++axis)
    result.push_back(b.getAffineDimExpr(axis));
  source.append(result.begin(), result.begin() + 2);
  for (int64_t axis = 0; axis < spatial; ++axis) {
    tap.push_back(b.getAffineDimExpr(rank + axis));
    source.push_back(result[axis + 2] * window.strides[axis] +
                     tap.back() * window.dilations[axis]);
  }
  auto map = [&](ArrayRef<AffineExpr> exprs) {
    return AffineMap::get(rank + spatial, 0, exprs, b.getContext());
  };
  return createGeneric(b, init, {padded, taps},
                       {map(source), map(tap), map(result)}, spatial,
                       [&](ImplicitLocOpBuilder &inner, ValueRange args) {
                         return body(inner, {args[0], args[2]});
                       });
}

/// Reduces all spatial axes, which become 1, starting from `init`.
Value createGlobalPool(ImplicitLocOpBuilder &b, Value input, TypedAttr init,
                       ScalarBody body) {
  int64_t rank = typeOf(input).getRank();
  SmallVector<OpFoldResult> sizes = getTypedSizes(b, input);
  std::fill(sizes.begin() + 2, sizes.end(), b.getIndexAttr(1));
  SmallVector<AffineExpr> result(rank, b.getAffineConstantExpr(0));
  result[0] = b.getAffineDimExpr(0);
  result[1] = b.getAffineDimExpr(1);
  return createGeneric(b, createFilled(b, sizes, init), input,
                       {b.getMultiDimIdentityMap(rank),
                        AffineMap::get(rank, 0, result, b.getContext())},
                       rank - 2, body);
}

/// Computes every element of a tensor from the same one of another.
Value createMapped(
    ImplicitLocOpBuilder &b, Value tensor, Type element,
    llvm::function_ref<Value(ImplicitLocOpBuilder &, Scalar)> body) {
  AffineMap map = b.getMultiDimIdentityMap(typeOf(tensor).getRank());
  Value init = tensor::EmptyOp::create(b, getTypedSizes(b, tensor), element);
  return createGeneric(b, init, tensor, {map, map}, 0,
                       [&](ImplicitLocOpBuilder &inner, ValueRange x) {
                         return body(inner, Scalar(inner, x[0]));
                       });
}

} // namespace acc::graph
