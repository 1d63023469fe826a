//===- ContractionConstants.h - Constant weights and biases -----*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_PASSES_GRAPH_CONTRACTIONCONSTANTS_H
#define ACC_PASSES_GRAPH_CONTRACTIONCONSTANTS_H

#include "passes/Graph/QuantizedLayer.h"

namespace acc::graph {

/// Weights as rows, one for each output channel, with zero point zero.
struct Weights {
  llvm::SmallVector<int8_t> values;
  int64_t rows = 0;
  /// One, or one for each row.
  llvm::SmallVector<double> scales;
  /// Where the difference does not fit 8 bits, the zero point that `values`
  /// still have, for each row; else empty.
  llvm::SmallVector<int32_t> zeroPoints;

  llvm::ArrayRef<int8_t> row(int64_t index) const {
    int64_t columns = values.size() / rows;
    return llvm::ArrayRef(values).slice(index * columns, columns);
  }
  double scale(int64_t row) const {
    return scales.size() == 1 ? scales.front() : scales[row];
  }
};

/// Reads weights whose rows are at `axis`; a row has the order of the other
/// axes. Those that differ from their zero point by more than 8 bits are
/// refused, or with `mayKeepZeroPoints` left as they are.
mlir::FailureOr<Weights> readWeights(mlir::Value weight, int64_t axis,
                                     std::string &reason,
                                     bool mayKeepZeroPoints = false);

/// How a bias relates to the accumulators it joins.
struct BiasUse {
  /// Factor of the bias, and the axis of its channels counted from the end.
  double beta = 1;
  int64_t axis = 0;
  double inputScale = 1, outputScale = 1;
};

/// Adds `bias`, constant and quantized or not, to `biases`, in units of the
/// accumulators of each row of `weights`.
mlir::LogicalResult addBias(mlir::Value bias, const BiasUse &use,
                            const Weights &weights,
                            llvm::MutableArrayRef<int64_t> biases,
                            std::string &reason);

/// The same for a bias whose steps are those of the accumulators, as quantized
/// models have it; fails for any other, which is a number of its own.
mlir::LogicalResult addMatchingBias(mlir::Value bias, const BiasUse &use,
                                    const Weights &weights,
                                    llvm::MutableArrayRef<int64_t> biases);

} // namespace acc::graph

#endif // ACC_PASSES_GRAPH_CONTRACTIONCONSTANTS_H
