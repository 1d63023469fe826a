//===- WeightedSums.h - Integer sums with constant weights ------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_PASSES_GRAPH_WEIGHTEDSUMS_H
#define ACC_PASSES_GRAPH_WEIGHTEDSUMS_H

#include "passes/Graph/ContractionConstants.h"
#include "passes/Graph/SubpixelConvolution.h"

namespace acc::graph {

/// A convolution or matrix product of a quantized tensor with constant
/// quantized weights: what its sums are made of, and how integers compute
/// them, whatever becomes of them.
struct WeightedSums {
  mlir::Operation *op = nullptr;
  /// The quantized tensor that is multiplied, and what its integers mean.
  mlir::Value source;
  Grid input;
  Weights weights;
  /// The operand that is added, if there is one.
  mlir::Value bias;
  double alpha = 1, beta = 1;

  static mlir::FailureOr<WeightedSums>
  get(mlir::Operation *op, bool mayKeepZeroPoints, std::string &reason);

  bool isConvolution() const { return mlir::isa<ConvOp, ConvTransposeOp>(op); }
  /// The axis of output channels, counted from the end.
  int64_t getChannelsFromEnd() const;
  double getInputScale() const { return input.scale * alpha; }

  /// Adds to `biases`, one for each row of the weights, what the zero point of
  /// the input contributes, and returns the range of each sum. What has more
  /// rows in its integer form than in the model, a transposed convolution, has
  /// these rows from then on.
  llvm::SmallVector<Interval>
  moveZeroPoints(llvm::SmallVector<int64_t> &biases);

  /// Builds the sums in 32 bits, channels on axis 1.
  mlir::FailureOr<mlir::Value> create(mlir::OpBuilder &builder,
                                      mlir::Location loc,
                                      llvm::ArrayRef<int32_t> biases,
                                      std::string &reason) const;
  /// Brings what was computed of the sums, element by element, into the shape
  /// of the operator's result.
  mlir::Value restoreShape(mlir::OpBuilder &builder, mlir::Location loc,
                           mlir::Value value) const;

private:
  mlir::FailureOr<mlir::Value>
  createProducts(mlir::OpBuilder &builder, mlir::Location loc,
                 mlir::Value integers, llvm::ArrayRef<int8_t> values,
                 llvm::ArrayRef<int32_t> biases, std::string &reason) const;

  std::optional<SubpixelConvolution> transposed;
  /// The weights with which sums of the input are those of products: ones.
  Weights ones;
};

} // namespace acc::graph

#endif // ACC_PASSES_GRAPH_WEIGHTEDSUMS_H
