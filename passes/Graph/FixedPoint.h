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

#include "dialects/Graph/Graph.h"

#include <string>

namespace acc::graph {

/// The integers from `lo` to `hi`, both included.
struct Interval {
  int64_t lo = 0, hi = 0;
};

/// What an output may be: stored integers from `lo` to `hi`, where `zeroPoint`
/// stands for the real zero. A ReLU or a clip makes it narrower than its type.
struct OutputGrid {
  int32_t zeroPoint = 0, lo = -128, hi = 127;
};

/// The attributes of a graph.requantize, and `offset`, which the accumulator
/// must contain besides: half of what a shift drops, and the zero point where
/// that costs nothing. One value, or one per channel; the clip bounds are empty
/// where no accumulator reaches them.
struct FixedPoint {
  llvm::SmallVector<int32_t> clipLo, clipHi, preShift, multiplier, postShift;
  llvm::SmallVector<int64_t> offset;
  int32_t midShift = 0, addend = 0, zeroPoint = 0;
  Rounding rounding = Rounding::HalfUp;
  std::optional<int32_t> outLo, outHi;
};

/// What a scale alone does not tell about ties.
struct Ties {
  /// They are frequent although the scale is not one that makes them so.
  bool likely = false;
  /// They are decided after an odd zero point is added.
  bool zeroPointFirst = false;
  /// Accumulators are rounded themselves, so that a tie among them means
  /// nothing.
  bool approximate = false;
};

/// The parameters with which round(acc * scale) + zero point is computed.
/// `scales` holds one positive scale, or one per channel, and `ranges` what the
/// accumulators of each can be. Fails, with the reason, where an accumulator
/// may exceed 32 bits.
mlir::FailureOr<FixedPoint>
deriveFixedPoint(llvm::ArrayRef<double> scales, llvm::ArrayRef<Interval> ranges,
                 OutputGrid output, std::string &reason, Ties ties = {});

/// A graph.weighted_sum and the graph.requantize behind it. `offsets` come on
/// top of the operands' zero points.
struct WeightedSum {
  llvm::SmallVector<int32_t> offsets, multipliers;
  FixedPoint requantize;
};

/// The parameters with which round(sum of operand * ratio) + zero point is
/// computed. Ratios are operand scale / output scale, negative to subtract;
/// `operands` holds the range of each operand minus its zero point;
/// `zeroPointFirst` is that of Ties.
mlir::FailureOr<WeightedSum>
deriveWeightedSum(llvm::ArrayRef<double> ratios,
                  llvm::ArrayRef<Interval> operands, OutputGrid output,
                  std::string &reason, bool zeroPointFirst = false);

} // namespace acc::graph

#endif // ACC_PASSES_GRAPH_FIXEDPOINT_H
