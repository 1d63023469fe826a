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

#include "passes/Graph/ContractionConstants.h"
#include "passes/Graph/Scale.h"
#include "passes/Graph/SubpixelConvolution.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

#include <cmath>

using namespace mlir;
using namespace acc::graph;

namespace {

/// What a convolution or matrix product is made of, both in one form.
struct Contraction {
  Value input, weight, bias;
  int64_t rowAxis = 0;
  double alpha = 1, beta = 1;
};

Contraction describe(Operation *op) {
  if (auto conv = dyn_cast<ConvOp>(op))
    return {conv.getInput(), conv.getWeight(), conv.getBias()};
  if (auto conv = dyn_cast<ConvTransposeOp>(op))
    return {conv.getInput(), conv.getWeight(), conv.getBias(), 1};
  if (auto gemm = dyn_cast<GemmOp>(op))
    return {gemm.getA(),
            gemm.getB(),
            gemm.getC(),
            gemm.getTransB() ? 0 : 1,
            gemm.getAlpha().convertToDouble(),
            gemm.getBeta().convertToDouble()};
  auto matMul = cast<MatMulOp>(op);
  return {matMul.getA(), matMul.getB(), Value(), 1};
}

} // namespace

bool acc::graph::isContraction(Operation *op) {
  return isa_and_present<ConvOp, ConvTransposeOp, GemmOp, MatMulOp>(op);
}

/// Brings the input of a matrix product into the form (M, K), of which the
/// weights tell K.
static FailureOr<Value> makeRows(OpBuilder &builder, Location loc,
                                 Operation *op, Value input, int64_t depth,
                                 std::string &reason) {
  auto type = cast<RankedTensorType>(input.getType());
  if (auto gemm = dyn_cast<GemmOp>(op)) {
    if (gemm.getTransA())
      input = TransposeOp::create(builder, loc, input, ArrayRef<int64_t>{1, 0});
    return input;
  }
  if (type.getRank() < 2) {
    reason = "the input is a vector";
    return failure();
  }
  if (type.getRank() == 2)
    return input;
  int64_t known = 1;
  Value open;
  for (int64_t axis = 0; axis + 1 < type.getRank(); ++axis) {
    if (!type.isDynamicDim(axis)) {
      known *= type.getDimSize(axis);
      continue;
    }
    Value size = tensor::DimOp::create(builder, loc, input, axis);
    open = open ? arith::MulIOp::create(builder, loc, open, size) : size;
  }
  SmallVector<Value> rows;
  if (open) {
    Value factor = arith::ConstantIndexOp::create(builder, loc, known);
    rows.push_back(arith::MulIOp::create(builder, loc, open, factor));
  }
  return Value(ReshapeOp::create(
      builder, loc, type.clone({open ? ShapedType::kDynamic : known, depth}),
      input, rows));
}

FailureOr<Value> acc::graph::legalizeContraction(OpBuilder &builder,
                                                 QuantizedLayer &layer,
                                                 std::string &reason) {
  Operation *op = layer.anchor;
  Location loc = layer.getLoc();
  Contraction contraction = describe(op);
  Value source = getQuantizedSource(contraction.input);
  if (!source) {
    reason = "the input is not quantized";
    return failure();
  }
  FailureOr<Grid> input = getGrid(source.getType(), reason);
  if (failed(input))
    return failure();
  auto weightType = cast<RankedTensorType>(contraction.weight.getType());
  bool isConvolution = isa<ConvOp, ConvTransposeOp>(op);
  if (!isConvolution && weightType.getRank() != 2) {
    reason = "the weights are not a matrix";
    return failure();
  }
  if (!(contraction.alpha > 0) || std::isinf(contraction.alpha)) {
    reason = "alpha is not positive";
    return failure();
  }
  FailureOr<Weights> weights =
      readWeights(contraction.weight, contraction.rowAxis, reason);
  if (failed(weights))
    return failure();
  std::optional<SubpixelConvolution> transposed;
  if (auto conv = dyn_cast<ConvTransposeOp>(op)) {
    FailureOr<SubpixelConvolution> plain =
        SubpixelConvolution::get(conv, reason);
    if (failed(plain))
      return failure();
    transposed = *plain;
    *weights = plain->splitGroups(*weights);
  }

  // Everything that does not depend on the data is part of the bias.
  SmallVector<int64_t> biases(weights->rows, 0);
  double inputScale = input->scale * contraction.alpha;
  BiasUse use{contraction.beta, 0, inputScale, layer.output.scale};
  if (contraction.bias &&
      failed(addBias(contraction.bias, use, *weights, biases, reason)))
    return failure();
  if (layer.biasAdd) {
    Value other = layer.biasAdd.getLhs() == op->getResult(0)
                      ? layer.biasAdd.getRhs()
                      : layer.biasAdd.getLhs();
    use.beta = 1;
    use.axis = isConvolution ? weightType.getRank() - 2 : 0;
    if (failed(addBias(other, use, *weights, biases, reason)))
      return failure();
  }
  if (transposed) {
    *weights = transposed->expand(*weights);
    biases = transposed->expand(biases);
  }
  SmallVector<Interval> ranges;
  for (int64_t row = 0; row != weights->rows; ++row) {
    int64_t sum = 0;
    Interval range;
    for (int64_t weight : weights->row(row)) {
      sum += weight;
      range.lo += weight * (weight > 0 ? input->lo : input->hi);
      range.hi += weight * (weight > 0 ? input->hi : input->lo);
    }
    biases[row] -= input->zeroPoint * sum;
    ranges.push_back({range.lo + biases[row], range.hi + biases[row]});
  }

  SmallVector<double> scales;
  for (double scale : weights->scales)
    scales.push_back(
        getRatio({contraction.alpha, input->scale, scale}, layer.output.scale));
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

  Value bias = makeConstant(builder, loc, weights->rows, bias32);
  Value integers = toInteger(builder, loc, source);
  if (auto conv = dyn_cast<ConvOp>(op)) {
    Value weight =
        makeConstant(builder, loc, weightType.getShape(), weights->values);
    Value sum = ConvIntegerOp::create(
        builder, loc, integers, weight, bias, conv.getStridesAttr(),
        conv.getPadsAttr(), conv.getDilationsAttr(), conv.getGroupAttr(),
        builder.getI8IntegerAttr(int8_t(input->zeroPoint)));
    return makeRequantize(builder, loc, sum, *point);
  }
  if (transposed) {
    Value weight = makeConstant(builder, loc, transposed->getWeightShape(),
                                weights->values);
    Value sum = transposed->createConvolution(builder, loc, integers, weight,
                                              bias, int8_t(input->zeroPoint));
    return transposed->interleave(builder, loc,
                                  makeRequantize(builder, loc, sum, *point));
  }
  int64_t depth = int64_t(weights->values.size()) / weights->rows;
  FailureOr<Value> rows = makeRows(builder, loc, op, integers, depth, reason);
  if (failed(rows))
    return failure();
  Value weight =
      makeConstant(builder, loc, {weights->rows, depth}, weights->values);
  Value sum = GemmIntegerOp::create(builder, loc, *rows, weight, bias);
  Value result = makeRequantize(builder, loc, sum, *point);
  auto shape = cast<RankedTensorType>(op->getResult(0).getType());
  if (shape.getRank() != 2) {
    SmallVector<Value> sizes;
    for (int64_t axis = 0; axis < shape.getRank(); ++axis)
      if (shape.isDynamicDim(axis))
        sizes.push_back(getValueOrCreateConstantIndexOp(
            builder, loc, tensor::getMixedSize(builder, loc, integers, axis)));
    result = ReshapeOp::create(builder, loc, shape.clone(builder.getI8Type()),
                               result, sizes);
  }
  return result;
}
