//===- Pools.h - What pools share ------------------------------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_PASSES_GRAPH_POOLS_H
#define ACC_PASSES_GRAPH_POOLS_H

#include "passes/Graph/Convolutions.h"
#include "passes/Graph/Sampling.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace acc::graph {

/// The sliding windows of a pool along all spatial axes.
struct Window {
  llvm::ArrayRef<int64_t> shape, strides, pads, dilations;
};

template <typename Op> Window windowOf(Op op) {
  return {op.getKernelShape(), op.getStrides(), op.getPads(),
          op.getDilations()};
}

/// A linalg.generic that reduces every window of `padded`, whose pads are
/// elements by now. The body sees an element and the running value.
mlir::Value createGenericPool(mlir::ImplicitLocOpBuilder &b, mlir::Value padded,
                              const Window &window, mlir::Value init,
                              ScalarBody body);

/// Reduces every window of `input`, padded with `padding`, starting from
/// `init`, whose type may be wider. With two spatial axes this is the named
/// operation `Named`.
template <typename Named>
mlir::Value
createPool(mlir::ImplicitLocOpBuilder &b, mlir::Value input,
           const Window &window, llvm::ArrayRef<mlir::OpFoldResult> sizes,
           mlir::TypedAttr padding, mlir::TypedAttr init, ScalarBody body) {
  llvm::SmallVector<int64_t> low, high;
  splitSpatialPads(window.pads, sizes.size(), low, high);
  mlir::Value padded = createPadded(b, input, low, high, padding);
  mlir::Value filled = createFilled(b, sizes, init);
  if (window.shape.size() != 2)
    return createGenericPool(b, padded, window, filled, body);
  mlir::Value taps =
      mlir::tensor::EmptyOp::create(b, window.shape, init.getType());
  return Named::create(b, mlir::TypeRange(filled.getType()),
                       mlir::ValueRange{padded, taps}, mlir::ValueRange(filled),
                       b.getI64VectorAttr(window.strides),
                       b.getI64VectorAttr(window.dilations))
      ->getResult(0);
}

/// Reduces all spatial axes, which become 1, starting from `init`.
mlir::Value createGlobalPool(mlir::ImplicitLocOpBuilder &b, mlir::Value input,
                             mlir::TypedAttr init, ScalarBody body);

/// Computes every element of a tensor from the same one of another.
mlir::Value createMapped(
    mlir::ImplicitLocOpBuilder &b, mlir::Value tensor, mlir::Type element,
    llvm::function_ref<mlir::Value(mlir::ImplicitLocOpBuilder &, Scalar)> body);

} // namespace acc::graph

#endif // ACC_PASSES_GRAPH_POOLS_H
