//===- RecurrentCell.h - One step of a recurrent network --------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_PASSES_GRAPH_RECURRENTCELL_H
#define ACC_PASSES_GRAPH_RECURRENTCELL_H

#include "passes/Graph/ToLinalgFold.h"

#include "mlir/IR/BuiltinAttributes.h"

namespace acc::graph {

/// One direction of a network, and the means to compute a step of it.
struct RecurrentCell {
  mlir::ImplicitLocOpBuilder &b;
  int64_t index, gates, hidden;
  mlir::Type element, compute;
  mlir::OpFoldResult batch;
  /// The operands for both directions; null if absent.
  mlir::Value bias, peepholes;
  /// The activations of both directions, one direction after the other.
  mlir::ArrayAttr activations;
  llvm::ArrayRef<float> alpha, beta;
  double clip;
  /// The weights of this direction, transposed: (hidden, gates * hidden).
  mlir::Value recurrence = {};

  mlir::OpFoldResult at(int64_t value) const { return b.getIndexAttr(value); }
  mlir::AffineMap whole() const { return b.getMultiDimIdentityMap(2); }

  /// The part of `value` at `offsets`, without the first `drop` axes, which
  /// have size 1.
  mlir::Value createSlice(mlir::Value value,
                          const llvm::SmallVector<mlir::OpFoldResult> &offsets,
                          const llvm::SmallVector<mlir::OpFoldResult> &sizes,
                          int64_t drop);
  /// A matrix (rows, columns) of this direction as (columns, rows), in the type
  /// that is computed in.
  mlir::Value transpose(mlir::Value matrices);
  /// `count` gates of a half of the bias, from gate `first`, for every row; or
  /// zeros.
  mlir::Value createInit(llvm::ArrayRef<mlir::OpFoldResult> rows, int64_t half,
                         int64_t first, int64_t count);
  /// init[rows..., n] + sum over k of lhs[rows..., k] * rhs[k, n].
  mlir::Value contract(mlir::Value lhs, mlir::Value rhs, mlir::Value init);
  /// What a network starts from, zeros without `states`: (batch, hidden).
  mlir::Value createInitialState(mlir::Value states);

  /// The next states from the gates' products with the input, (batch, gates *
  /// hidden), and the states before.
  mlir::Value createRnn(mlir::Value gatesX, mlir::Value h);
  mlir::Value createGru(mlir::Value gatesX, mlir::Value h, bool isLinear);
  llvm::SmallVector<mlir::Value> createLstm(mlir::Value gatesX, mlir::Value h,
                                            mlir::Value c, bool isCoupled);

private:
  mlir::Value gate(mlir::Value all, int64_t first, int64_t count = 1);
  mlir::Value activate(mlir::ImplicitLocOpBuilder &inner, int64_t which,
                       mlir::Value x, bool clips = true);
};

} // namespace acc::graph

#endif // ACC_PASSES_GRAPH_RECURRENTCELL_H
