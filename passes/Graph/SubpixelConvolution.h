//===- SubpixelConvolution.h - Transposed convolutions ----------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_PASSES_GRAPH_SUBPIXELCONVOLUTION_H
#define ACC_PASSES_GRAPH_SUBPIXELCONVOLUTION_H

#include "passes/Graph/ContractionConstants.h"

namespace acc::graph {

/// A transposed convolution as a plain one with stride 1.
///
/// Along an axis of stride s, output q * s + p is a sum over inputs near q with
/// weights that depend on p alone. So every p (every combination of them, a
/// *phase*) is a convolution of its own, and all phases together are one with
/// as many times the output channels, whose results are interleaved. Phases
/// reach for different inputs: their common window has zeros where one does
/// not.
class SubpixelConvolution {
public:
  /// Fails, with the reason, if sizes are only known at run time.
  static mlir::FailureOr<SubpixelConvolution> get(ConvTransposeOp op,
                                                  std::string &reason);

  /// From weights with a row for each output channel of a group, as they are
  /// read, to rows for all output channels.
  Weights splitGroups(const Weights &weights) const;
  /// From rows, or something for each row, of the output channels to those of
  /// the plain convolution.
  Weights expand(const Weights &weights) const;
  llvm::SmallVector<int64_t> expand(llvm::ArrayRef<int64_t> values) const;

  /// The shape of the plain convolution's weights.
  llvm::SmallVector<int64_t> getWeightShape() const;
  mlir::Value createConvolution(mlir::OpBuilder &builder, mlir::Location loc,
                                mlir::Value input, mlir::Value weight,
                                mlir::Value bias, int8_t padValue) const;
  /// Brings what the plain convolution computes into the order of the result.
  mlir::Value interleave(mlir::OpBuilder &builder, mlir::Location loc,
                         mlir::Value result) const;

private:
  struct Axis {
    int64_t stride = 1, taps = 1;
    /// The common window, and the padding of the plain convolution.
    int64_t window = 1, low = 0, high = 0;
    /// Positions that are computed for each phase, and those of the result.
    int64_t count = 0, size = 0;
    /// By phase and tap the position in the window, or -1.
    llvm::SmallVector<int64_t> positions;
  };

  int64_t getNumPhases() const;
  /// The output channel of each row of the plain convolution, and its phase.
  std::pair<int64_t, int64_t> getSource(int64_t row) const;

  int64_t group = 1, batch = 1, inputsOfGroup = 0, outputsOfGroup = 0;
  llvm::SmallVector<Axis> axes;
};

} // namespace acc::graph

#endif // ACC_PASSES_GRAPH_SUBPIXELCONVOLUTION_H
