//===- Phases.h - Channels that become rows and columns ---------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_PASSES_VTA_GRAPH_PHASES_H
#define ACC_PASSES_VTA_GRAPH_PHASES_H

#include "dialects/Graph/Graph.h"

#include "mlir/IR/ImplicitLocOpBuilder.h"

#include <array>

namespace acc::vta {

/// Operators that put channels of an image (N, phases * C, H, W) into rows and
/// columns, (N, C, H * steps[0], W * steps[1]): a reshape that takes channels
/// apart, a transpose, a reshape that joins them with rows and columns, and
/// possibly a slice that cuts off the last of these.
///
/// A phase is what comes to every steps[0]-th row and steps[1]-th column. Where
/// a convolution alone computes the channels, each phase can be one of its own.
class Phases {
public:
  /// What a transpose is the middle of, if it is that.
  static std::optional<Phases> find(graph::TransposeOp transpose);

  /// The number of rows (axis 0) or columns (axis 1) of a phase.
  int64_t getExtent(unsigned axis, int64_t phase) const;
  /// The channel of the source that comes to channel 0 of a phase, if the
  /// others follow it.
  std::optional<int64_t> getFirstChannel(int64_t row, int64_t column) const;
  /// The convolution that computes one phase, with no more of the window than
  /// has weights other than zero; its requantized result.
  mlir::Value createConvolution(int64_t row, int64_t column) const;
  /// Erases the operators, whose result nobody uses any more.
  void erase();

  mlir::Value source;
  /// The last of the operators.
  mlir::Operation *result = nullptr;
  std::array<int64_t, 2> steps{1, 1};
  /// What alone computes the source, if each phase can be a convolution.
  graph::ConvIntegerOp convolution;
  graph::RequantizeOp requantize;

private:
  bool findConvolution();
  llvm::ArrayRef<int64_t> getChannels(int64_t row, int64_t column) const;

  llvm::SmallVector<mlir::Operation *> operators;
  /// The channel of the source, by row and column of the phase and channel of
  /// the result.
  llvm::SmallVector<int64_t> channels;
};

} // namespace acc::vta

#endif // ACC_PASSES_VTA_GRAPH_PHASES_H
