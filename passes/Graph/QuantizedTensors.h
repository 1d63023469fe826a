//===- QuantizedTensors.h - From quantized types to integers ----*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What every rewrite of graph-legalize-quantization needs: the parameters of
// quantized tensors, their integers, and constants made of them.
//
//===----------------------------------------------------------------------===//

#ifndef ACC_PASSES_GRAPH_QUANTIZEDTENSORS_H
#define ACC_PASSES_GRAPH_QUANTIZEDTENSORS_H

#include "passes/Graph/FixedPoint.h"

namespace acc::graph {

/// The reals that a tensor of at most 8 bits quantized per tensor can hold, in
/// terms of the integers of the integer graph (unsigned ones are moved by half
/// of what they can be: uint8 by -128, uint4 by -8).
struct Grid {
  double scale = 1;
  int32_t zeroPoint = 0, lo = -128, hi = 127;

  /// Whether the same integers mean the same reals.
  bool matches(const Grid &other) const {
    return scale == other.scale && zeroPoint == other.zeroPoint;
  }
  /// The range of an integer minus the zero point.
  Interval centered() const { return {lo - zeroPoint, hi - zeroPoint}; }
  OutputGrid output() const { return {zeroPoint, lo, hi}; }
  /// The integer of a real number, as graph.quantize_linear computes it.
  int32_t quantize(double real) const;
};

/// The grid of a tensor of at most 8 bits quantized per tensor; else the reason
/// why there is none.
mlir::FailureOr<Grid> getGrid(mlir::Type type, std::string &reason);

/// The tensor of i8 that a quantized tensor is in the integer graph.
mlir::Value toInteger(mlir::OpBuilder &builder, mlir::Location loc,
                      mlir::Value quantized);

/// The reverse: gives a tensor of i8 its quantized type.
mlir::Value toQuantized(mlir::OpBuilder &builder, mlir::Location loc,
                        mlir::Value integer, mlir::Type type);

/// The stored integers of a constant of quantized type, one for each element.
mlir::FailureOr<llvm::SmallVector<int64_t>> readStorage(mlir::Value constant);

mlir::Value makeConstant(mlir::OpBuilder &builder, mlir::Location loc,
                         llvm::ArrayRef<int64_t> shape,
                         llvm::ArrayRef<int8_t> values);
mlir::Value makeConstant(mlir::OpBuilder &builder, mlir::Location loc,
                         llvm::ArrayRef<int64_t> shape,
                         llvm::ArrayRef<int32_t> values);

mlir::Value makeRequantize(mlir::OpBuilder &builder, mlir::Location loc,
                           mlir::Value accumulator, const FixedPoint &point);

} // namespace acc::graph

#endif // ACC_PASSES_GRAPH_QUANTIZEDTENSORS_H
