//===- LegalizeContractions.cpp - Convolutions and matrix products --------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The part of graph-legalize-quantization that handles operators with constant
// weights.
//
//===----------------------------------------------------------------------===//

#include "passes/Graph/Scale.h"
#include "passes/Graph/WeightedSums.h"

using namespace mlir;
using namespace acc::graph;

FailureOr<Value> acc::graph::legalizeContraction(OpBuilder &builder,
                                                 QuantizedLayer &layer,
                                                 std::string &reason) {
  Operation *op = layer.anchor;
  Location loc = layer.getLoc();
  FailureOr<WeightedSums> sums =
      WeightedSums::get(op, /*mayKeepZeroPoints=*/false, reason);
  if (failed(sums))
    return failure();
  const Weights &weights = sums->weights;

  // Everything that does not depend on the data is part of the bias.
  SmallVector<int64_t> biases(weights.rows, 0);
  BiasUse use{sums->beta, 0, sums->getInputScale(), layer.output.scale};
  if (sums->bias && failed(addBias(sums->bias, use, weights, biases, reason)))
    return failure();
  if (layer.biasAdd) {
    Value other = layer.biasAdd.getLhs() == op->getResult(0)
                      ? layer.biasAdd.getRhs()
                      : layer.biasAdd.getLhs();
    use.beta = 1;
    use.axis = sums->getChannelsFromEnd();
    if (failed(addBias(other, use, weights, biases, reason)))
      return failure();
  }
  SmallVector<Interval> ranges = sums->moveZeroPoints(biases);

  SmallVector<double> scales;
  for (double scale : weights.scales)
    scales.push_back(
        getRatio({sums->alpha, sums->input.scale, scale}, layer.output.scale));
  if (scales.size() == 1) {
    Interval all = ranges.front();
    for (Interval range : ranges)
      all = {std::min(all.lo, range.lo), std::max(all.hi, range.hi)};
    ranges.assign(1, all);
  }
  Ties ties = layer.getTies();
  ties.largestBias = 0;
  for (int64_t bias : biases)
    ties.largestBias = std::max(*ties.largestBias, std::abs(bias));
  FailureOr<FixedPoint> point =
      deriveFixedPoint(scales, ranges, layer.output.output(), reason, ties);
  if (failed(point))
    return failure();
  SmallVector<int32_t> bias32;
  for (auto [row, bias] : llvm::enumerate(biases)) {
    bias += point->offset[scales.size() == 1 ? 0 : row];
    // What rounds to nearest is a floor, of half a unit more.
    if (int64_t half = point->getBiasError(row))
      bias = llvm::divideFloorSigned(bias + half, 2 * half) * 2 * half;
    if (bias != int32_t(bias)) {
      reason = "the bias may exceed 32 bits";
      return failure();
    }
    bias32.push_back(int32_t(bias));
  }

  FailureOr<Value> sum = sums->create(builder, loc, bias32, reason);
  if (failed(sum))
    return failure();
  return sums->restoreShape(builder, loc,
                            makeRequantize(builder, loc, *sum, *point));
}
