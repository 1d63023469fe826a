//===- LoopNests.h - Loops over elements of tensors -------------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_PASSES_GRAPH_LOOPNESTS_H
#define ACC_PASSES_GRAPH_LOOPNESTS_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace acc::graph {

/// Arithmetic on indices, folded where it can be.
class Indices {
public:
  explicit Indices(mlir::ImplicitLocOpBuilder &b) : b(b) {}
  mlir::ImplicitLocOpBuilder &b;

  mlir::Value constant(int64_t value);
  mlir::Value constants(mlir::OpFoldResult value);
  mlir::Value add(mlir::Value x, mlir::Value y);
  mlir::Value sub(mlir::Value x, mlir::Value y);
  mlir::Value mul(mlir::Value x, mlir::Value y);
  mlir::Value div(mlir::Value x, mlir::Value y);
  mlir::Value rem(mlir::Value x, mlir::Value y);
  mlir::Value min(mlir::Value x, mlir::Value y);
  mlir::Value max(mlir::Value x, mlir::Value y);
  /// Signed comparison, an i1.
  mlir::Value less(mlir::Value x, mlir::Value y);
  mlir::Value equal(mlir::Value x, mlir::Value y);
  mlir::Value both(mlir::Value x, mlir::Value y);
  mlir::Value select(mlir::Value condition, mlir::Value x, mlir::Value y);

  /// How many elements an axis of a tensor has, or all of them.
  mlir::Value size(mlir::Value tensor, int64_t axis);
  llvm::SmallVector<mlir::Value> sizes(mlir::Value tensor);

  mlir::Value read(mlir::Value tensor, mlir::ValueRange index);
  /// An element of a tensor of integers, as an index.
  mlir::Value readIndex(mlir::Value tensor, mlir::ValueRange index);
  mlir::Value write(mlir::Value tensor, mlir::Value element,
                    mlir::ValueRange index);
  /// An index as an i64.
  mlir::Value toInteger(mlir::Value index);

  /// `index` counted from the front of `size` elements.
  mlir::Value wrap(mlir::Value index, mlir::Value size);
  /// The element nearest to `index`.
  mlir::Value clamp(mlir::Value index, mlir::Value size);
  /// Whether there is an element `index`.
  mlir::Value isInside(mlir::Value index, mlir::Value size);
};

/// What a loop does at an index with the tensors (and numbers) it carries.
using LoopBody = llvm::function_ref<llvm::SmallVector<mlir::Value>(
    Indices &, mlir::ValueRange index, mlir::ValueRange carried)>;

/// Loops over all indices below `sizes`, the last one innermost.
llvm::SmallVector<mlir::Value> createLoops(Indices &i,
                                           llvm::ArrayRef<mlir::Value> sizes,
                                           mlir::ValueRange carried,
                                           LoopBody body);

/// The values of `body` where `condition` holds, else `otherwise`.
llvm::SmallVector<mlir::Value>
createIf(Indices &i, mlir::Value condition, mlir::ValueRange otherwise,
         llvm::function_ref<llvm::SmallVector<mlir::Value>(Indices &)> body);

/// Whether x < y for elements of `type`, which says whether they are signed. A
/// NaN is above all numbers and equals any other, so that this is an order.
mlir::Value createLess(Indices &i, mlir::Type type, mlir::Value x,
                       mlir::Value y);

/// Creates a tensor of indices, of at least one element: those `best` of the
/// numbers below `count` that come first in the order `comesBefore`, sorted.
/// The order must be total; it is asked O(count log best) times.
mlir::Value createPartialSort(
    Indices &i, mlir::Value count, mlir::OpFoldResult best,
    llvm::function_ref<mlir::Value(Indices &, mlir::Value, mlir::Value)>
        comesBefore);

} // namespace acc::graph

#endif // ACC_PASSES_GRAPH_LOOPNESTS_H
