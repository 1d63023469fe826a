//===- FixedPoint.h - Parameters of integer requantization ------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Turns real scales into the shifts, multipliers and clip bounds of
// graph.weighted_sum and graph.requantize. docs/dialects/graph.md bounds the
// error of every choice made here.
//
//===----------------------------------------------------------------------===//

#ifndef ACC_PASSES_GRAPH_FIXEDPOINT_H
#define ACC_PASSES_GRAPH_FIXEDPOINT_H

#include "passes/Graph/Requantization.h"

#include "mlir/Support/LLVM.h"

#include <string>

namespace acc::graph {

/// What a scale per channel becomes.
template <typename T> using PerChannel = llvm::SmallVector<T>;
using FixedPoint = Requantization<PerChannel>;

/// The parameters with which round(acc * scale) + zero point is computed.
/// `scales` holds one positive scale, or one per channel, and `ranges` what the
/// accumulators of each can be. Fails, with the reason, where an accumulator
/// may exceed 32 bits.
mlir::FailureOr<FixedPoint>
deriveFixedPoint(llvm::ArrayRef<double> scales, llvm::ArrayRef<Interval> ranges,
                 OutputGrid output, std::string &reason, Ties ties = {});

/// The multipliers of a graph.weighted_sum, and the graph.requantize behind it,
/// whose one `offset` is to be part of the sum.
struct WeightedSum {
  llvm::SmallVector<int32_t> multipliers;
  FixedPoint requantize;
};

/// The parameters with which round(sum of operand * ratio) + zero point is
/// computed. Ratios are operand scale / output scale, negative to subtract;
/// `operands` holds the range of each operand minus its zero point, which is
/// one of `zeroPoints`; of `ties`, only what the layer asks for counts.
mlir::FailureOr<WeightedSum>
deriveWeightedSum(llvm::ArrayRef<double> ratios,
                  llvm::ArrayRef<Interval> operands,
                  llvm::ArrayRef<int32_t> zeroPoints, OutputGrid output,
                  std::string &reason, Ties ties = {});

} // namespace acc::graph

#endif // ACC_PASSES_GRAPH_FIXEDPOINT_H
