//===- ToLinalgFold.h - Maps and folds of tensors ---------------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Maps over, and folds along axes of, a tensor of static or run-time sizes, as
// linalg.generic.
//
//===----------------------------------------------------------------------===//

#ifndef ACC_PASSES_GRAPH_TOLINALGFOLD_H
#define ACC_PASSES_GRAPH_TOLINALGFOLD_H

#include "passes/Graph/ToLinalg.h"

namespace acc::graph {

/// An operand and the map by which its elements meet the iterations.
struct Indexed {
  mlir::Value value;
  mlir::AffineMap map;
};

/// Computes one element of every result.
using VectorBodyFn = llvm::function_ref<llvm::SmallVector<mlir::Value>(
    mlir::ImplicitLocOpBuilder &, mlir::ValueRange)>;

/// A float converted to another float type.
mlir::Value convertFloat(mlir::ImplicitLocOpBuilder &b, mlir::Value value,
                         mlir::Type type);

/// A float or integer constant.
mlir::Value createNumber(mlir::ImplicitLocOpBuilder &b, mlir::Type type,
                         double value);

/// The greatest or least value of a type, infinite for floats.
mlir::TypedAttr getHighest(mlir::Type type, bool isUnsigned);

/// The axes from `first` on.
llvm::SmallVector<int64_t> axesFrom(int64_t first, int64_t rank);

/// Drops `axes`, or keeps them as the constant 0.
mlir::AffineMap dropAxes(mlir::MLIRContext *context, int64_t rank,
                         llvm::ArrayRef<int64_t> axes, bool keep = false);

/// The identity, and broadcasting from the right to `rank` axes: sizes of 1
/// repeat unless those of `space` are 1 as well.
mlir::AffineMap broadcastTo(mlir::Value value, mlir::RankedTensorType space);

/// The number of elements along `axes`, as an index.
mlir::Value countElements(mlir::ImplicitLocOpBuilder &b, mlir::Value space,
                          llvm::ArrayRef<int64_t> axes);

/// tensor.empty with the sizes of `space` without `axes`, or with 1 there.
mlir::Value createEmptyLike(mlir::ImplicitLocOpBuilder &b, mlir::Value space,
                            mlir::Type element,
                            llvm::ArrayRef<int64_t> axes = {},
                            bool keep = false);

/// A tensor of the shape of `space` and elements `element`, computed element by
/// element.
mlir::Value createMap(mlir::ImplicitLocOpBuilder &b, mlir::Value space,
                      mlir::Type element, llvm::ArrayRef<Indexed> operands,
                      ScalarBody body);

/// As above with several results.
llvm::SmallVector<mlir::Value> createMaps(mlir::ImplicitLocOpBuilder &b,
                                          mlir::Value space,
                                          llvm::ArrayRef<mlir::Type> elements,
                                          llvm::ArrayRef<Indexed> operands,
                                          VectorBodyFn body);

/// What a loop carries on after `carried`: `next`, in the buffer of `carried`,
/// since no buffer of an iteration outlives it.
mlir::Value keepInPlace(mlir::ImplicitLocOpBuilder &b, mlir::Value next,
                        mlir::Value carried);

/// Folds over `axes` of the shape of `space`, from `inits`; `body` gets one
/// element of every operand, then what was folded so far. One result per init.
llvm::SmallVector<mlir::Value>
createFold(mlir::ImplicitLocOpBuilder &b, mlir::Value space,
           llvm::ArrayRef<int64_t> axes, bool keep,
           llvm::ArrayRef<Indexed> operands,
           llvm::ArrayRef<mlir::TypedAttr> inits, VectorBodyFn body);

/// As above with one result.
mlir::Value createFold(mlir::ImplicitLocOpBuilder &b, mlir::Value space,
                       llvm::ArrayRef<int64_t> axes, bool keep,
                       llvm::ArrayRef<Indexed> operands, mlir::TypedAttr init,
                       ScalarBody body);

} // namespace acc::graph

#endif // ACC_PASSES_GRAPH_TOLINALGFOLD_H
