//===- WeightedSums.cpp - Integer sums with constant weights --------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Graph/WeightedSums.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

#include <cmath>

using namespace mlir;
using namespace acc::graph;

static RankedTensorType typeOf(Value value) {
  return cast<RankedTensorType>(value.getType());
}

/// Brings the input of a matrix product into the form (M, K), of which the
/// weights tell K.
static FailureOr<Value> makeRows(OpBuilder &builder, Location loc,
                                 Operation *op, Value input, int64_t depth,
                                 std::string &reason) {
  RankedTensorType type = typeOf(input);
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

bool acc::graph::isContraction(Operation *op) {
  return isa_and_present<ConvOp, ConvTransposeOp, GemmOp, MatMulOp>(op);
}

FailureOr<WeightedSums> WeightedSums::get(Operation *op, bool mayKeepZeroPoints,
                                          std::string &reason) {
  WeightedSums sums;
  sums.op = op;
  // The axis of the weights that holds output channels.
  int64_t rowAxis = isa<ConvOp>(op) ? 0 : 1;
  Value weight = op->getOperand(1);
  if (auto conv = dyn_cast<ConvOp>(op)) {
    sums.bias = conv.getBias();
  } else if (auto conv = dyn_cast<ConvTransposeOp>(op)) {
    sums.bias = conv.getBias();
  } else if (auto gemm = dyn_cast<GemmOp>(op)) {
    sums.bias = gemm.getC();
    rowAxis = gemm.getTransB() ? 0 : 1;
    sums.alpha = gemm.getAlpha().convertToDouble();
    sums.beta = gemm.getBeta().convertToDouble();
  }
  sums.source = getQuantizedSource(op->getOperand(0));
  if (!sums.source) {
    reason = "the input is not quantized";
    return failure();
  }
  FailureOr<Grid> input = getGrid(sums.source.getType(), reason);
  if (failed(input))
    return failure();
  sums.input = *input;
  if (!sums.isConvolution() && typeOf(weight).getRank() != 2) {
    reason = "the weights are not a matrix";
    return failure();
  }
  if (!(sums.alpha > 0) || std::isinf(sums.alpha)) {
    reason = "alpha is not positive";
    return failure();
  }
  FailureOr<Weights> weights =
      readWeights(weight, rowAxis, reason, mayKeepZeroPoints);
  if (failed(weights))
    return failure();
  sums.weights = std::move(*weights);
  if (auto conv = dyn_cast<ConvTransposeOp>(op)) {
    FailureOr<SubpixelConvolution> plain =
        SubpixelConvolution::get(conv, reason);
    if (failed(plain))
      return failure();
    sums.transposed = *plain;
    sums.weights = plain->splitGroups(sums.weights);
  }
  return sums;
}

int64_t WeightedSums::getChannelsFromEnd() const {
  return isConvolution() ? typeOf(op->getOperand(1)).getRank() - 2 : 0;
}

SmallVector<Interval>
WeightedSums::moveZeroPoints(SmallVector<int64_t> &biases) {
  bool hasZeroPoints = !weights.zeroPoints.empty();
  if (hasZeroPoints) {
    ones = weights;
    ones.values.assign(weights.values.size(), 1);
  }
  if (transposed) {
    // Taps that a phase does not have are zeros among weights and ones.
    weights = transposed->expand(weights);
    biases = transposed->expand(biases);
    if (hasZeroPoints)
      ones = transposed->expand(ones);
  }
  SmallVector<Interval> ranges;
  for (int64_t row = 0; row != weights.rows; ++row) {
    int64_t sum = 0;
    Interval range;
    for (auto [index, value] : llvm::enumerate(weights.row(row))) {
      int64_t weight = value;
      if (hasZeroPoints)
        weight -= int64_t(weights.zeroPoints[row]) * ones.row(row)[index];
      sum += weight;
      range.lo += weight * (weight > 0 ? input.lo : input.hi);
      range.hi += weight * (weight > 0 ? input.hi : input.lo);
    }
    biases[row] -= input.zeroPoint * sum;
    ranges.push_back({range.lo + biases[row], range.hi + biases[row]});
  }
  return ranges;
}

FailureOr<Value> WeightedSums::createProducts(OpBuilder &builder, Location loc,
                                              Value integers,
                                              ArrayRef<int8_t> values,
                                              ArrayRef<int32_t> biases,
                                              std::string &reason) const {
  auto rows = int64_t(biases.size());
  Value bias = makeConstant(builder, loc, rows, biases);
  if (transposed) {
    Value weight =
        makeConstant(builder, loc, transposed->getWeightShape(), values);
    return transposed->createConvolution(builder, loc, integers, weight, bias,
                                         int8_t(input.zeroPoint));
  }
  if (auto conv = dyn_cast<ConvOp>(op)) {
    SmallVector<int64_t> shape(typeOf(conv.getWeight()).getShape());
    shape.front() = rows;
    Value weight = makeConstant(builder, loc, shape, values);
    return Value(ConvIntegerOp::create(
        builder, loc, integers, weight, bias, conv.getStridesAttr(),
        conv.getPadsAttr(), conv.getDilationsAttr(), conv.getGroupAttr(),
        builder.getI8IntegerAttr(int8_t(input.zeroPoint))));
  }
  int64_t depth = int64_t(values.size()) / rows;
  FailureOr<Value> matrix = makeRows(builder, loc, op, integers, depth, reason);
  if (failed(matrix))
    return failure();
  Value weight = makeConstant(builder, loc, {rows, depth}, values);
  return Value(GemmIntegerOp::create(builder, loc, *matrix, weight, bias));
}

FailureOr<Value> WeightedSums::create(OpBuilder &builder, Location loc,
                                      ArrayRef<int32_t> biases,
                                      std::string &reason) const {
  Value integers = toInteger(builder, loc, source);
  FailureOr<Value> products =
      createProducts(builder, loc, integers, weights.values, biases, reason);
  if (failed(products) || weights.zeroPoints.empty())
    return products;
  // The sum of x * (w - z) is that of x * w minus z times that of x, which has
  // one row for all outputs unless groups or phases differ in what they read.
  auto conv = dyn_cast<ConvOp>(op);
  bool isSame = !transposed && !(conv && conv.getGroup() != 1);
  int64_t rows = isSame ? 1 : weights.rows;
  FailureOr<Value> inputs = createProducts(
      builder, loc, integers,
      ArrayRef(ones.values).take_front(rows * (ones.values.size() / ones.rows)),
      SmallVector<int32_t>(rows, 0), reason);
  if (failed(inputs))
    return failure();
  SmallVector<int64_t> shape(typeOf(*products).getRank(), 1);
  shape[1] = weights.rows;
  Value zeroPoints = makeConstant(builder, loc, shape, weights.zeroPoints);
  Value moved = MulOp::create(builder, loc, *inputs, zeroPoints);
  return Value(SubOp::create(builder, loc, *products, moved));
}

Value WeightedSums::restoreShape(OpBuilder &builder, Location loc,
                                 Value value) const {
  if (transposed)
    return transposed->interleave(builder, loc, value);
  auto shape = cast<RankedTensorType>(op->getResult(0).getType());
  if (isConvolution() || shape.getRank() == 2)
    return value;
  SmallVector<Value> sizes;
  if (!shape.hasStaticShape()) {
    Value integers = toInteger(builder, loc, source);
    for (int64_t axis = 0; axis < shape.getRank(); ++axis)
      if (shape.isDynamicDim(axis))
        sizes.push_back(getValueOrCreateConstantIndexOp(
            builder, loc, tensor::getMixedSize(builder, loc, integers, axis)));
  }
  return ReshapeOp::create(
      builder, loc, shape.clone(typeOf(value).getElementType()), value, sizes);
}
