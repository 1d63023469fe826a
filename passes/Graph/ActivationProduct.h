//===- ActivationProduct.h - Integer products of activations ----*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_PASSES_GRAPH_ACTIVATIONPRODUCT_H
#define ACC_PASSES_GRAPH_ACTIVATIONPRODUCT_H

#include "passes/Graph/QuantizedLayer.h"

namespace acc::graph {

/// A matrix product whose operands are both quantized as activations are, as
/// integers compute it, whatever becomes of its sums.
struct ActivationProduct {
  /// One operand: a quantized tensor, what it means, and whether its last two
  /// axes are swapped in the product.
  struct Factor {
    mlir::Value integers;
    Grid grid;
    bool isTransposed = false;
  };

  mlir::Operation *op = nullptr;
  Factor a, b;
  double alpha = 1;
  /// What a sum can be.
  Interval range;

  static mlir::FailureOr<ActivationProduct> get(mlir::OpBuilder &builder,
                                                mlir::Location loc,
                                                mlir::Operation *op,
                                                std::string &reason);

  /// Builds the sums in 32 bits, each with `offset` added.
  mlir::Value create(mlir::OpBuilder &builder, mlir::Location loc,
                     int32_t offset) const;
  /// Brings what was computed of the sums, element by element, into the shape
  /// of the operator's result.
  mlir::Value restoreShape(mlir::OpBuilder &builder, mlir::Location loc,
                           mlir::Value value) const;
};

} // namespace acc::graph

#endif // ACC_PASSES_GRAPH_ACTIVATIONPRODUCT_H
