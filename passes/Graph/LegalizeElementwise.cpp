//===- LegalizeElementwise.cpp - Sums, pools, concatenations, rescaling ---===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The part of graph-legalize-quantization that handles operators without
// weights.
//
//===----------------------------------------------------------------------===//

#include "passes/Graph/QuantizedLayer.h"
#include "passes/Graph/Scale.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

#include <map>
#include <numeric>

using namespace mlir;
using namespace acc::graph;

/// Weights of an average pool that make a step of its accumulators small.
static constexpr int32_t kFineWeight = 64;
/// The most elements by which sums of windows are divided: as many of 8 bits,
/// less a zero point, leave room in 32 bits for what rounding adds.
static constexpr int64_t kMostMultiple = int64_t(1) << 22;
/// The largest window of which kMostMultiple is near enough to a multiple.
static constexpr int64_t kMostTableSize = kMostMultiple >> 11;

namespace {

/// Writes one layer that has no weights (an element-wise operator, a pool, a
/// concatenation or a change of scale) as operators of the integer graph.
class Legalizer {
public:
  Legalizer(OpBuilder &builder, QuantizedLayer &layer, std::string &reason)
      : builder(builder), layer(layer), loc(layer.getLoc()), reason(reason) {}

  FailureOr<Value> run();

private:
  FailureOr<Operand> getOperand(Value value);
  FailureOr<Value> sum(ArrayRef<Operand> operands, ArrayRef<int> factors);
  FailureOr<Value> rescale(Operand operand);
  FailureOr<Value> legalizeSum(ArrayRef<int> signs);
  FailureOr<Value> legalizeProduct(MulOp op);
  FailureOr<Value> legalizeConcat(ConcatOp op);
  FailureOr<Value> legalizeMaxPool(MaxPoolOp op);
  FailureOr<Value> legalizeGlobalAverage(GlobalAveragePoolOp op);
  /// A constant by which accumulators are multiplied, in their axes.
  struct PositionFactors {
    SmallVector<int64_t> shape;
    SmallVector<int32_t> values;
  };
  /// What the windows of an average pool become.
  struct WindowScale {
    int32_t weight = 1;
    int64_t bias = 0;
    /// None if all windows are of one size.
    SmallVector<PositionFactors> factors;
    FixedPoint requantize;
  };
  FailureOr<Value> legalizeAverage(AveragePoolOp op);
  FailureOr<WindowScale> scaleWindows(AveragePoolOp op, const Grid &input);
  Value reshapeLeading(Value tensor, ArrayRef<OpFoldResult> leading);
  FailureOr<FixedPoint> deriveMean(Grid input, int64_t count,
                                   int64_t weight = 1);

  OpBuilder &builder;
  QuantizedLayer &layer;
  Location loc;
  std::string &reason;
};

} // namespace

FailureOr<Operand> Legalizer::getOperand(Value value) {
  return readOperand(builder, loc, value, reason);
}

/// The sum of multiples of operands, in the grid of the layer's output.
FailureOr<Value> Legalizer::sum(ArrayRef<Operand> operands,
                                ArrayRef<int> factors) {
  SmallVector<double> ratios;
  SmallVector<Interval> ranges;
  SmallVector<int32_t> zeroPoints;
  SmallVector<Value> inputs;
  for (auto [operand, factor] : llvm::zip(operands, factors)) {
    ratios.push_back(factor * getRatio(operand.grid.scale, layer.output.scale));
    ranges.push_back(operand.grid.centered());
    zeroPoints.push_back(operand.grid.zeroPoint);
    inputs.push_back(operand.integers);
  }
  FailureOr<WeightedSum> parameters =
      deriveWeightedSum(ratios, ranges, zeroPoints, layer.output.output(),
                        reason, layer.getTies());
  if (failed(parameters))
    return failure();
  // Only the sum must fit 32 bits; on the way there arithmetic is modulo 2^32.
  int64_t bias = parameters->requantize.offset[0];
  for (auto [zeroPoint, multiplier] :
       llvm::zip(zeroPoints, parameters->multipliers))
    bias -= int64_t(zeroPoint) * multiplier;
  Value accumulator = WeightedSumOp::create(
      builder, loc, inputs, parameters->multipliers, int32_t(bias));
  return makeRequantize(builder, loc, accumulator, parameters->requantize);
}

FailureOr<Value> Legalizer::rescale(Operand operand) {
  const Grid &to = layer.output;
  if (operand.grid.matches(to) && operand.grid.lo >= to.lo &&
      operand.grid.hi <= to.hi)
    return operand.integers;
  return sum(operand, 1);
}

/// The sum of the anchor's operands, with signs 1 or -1. A tensor that is added
/// to itself is one operand.
FailureOr<Value> Legalizer::legalizeSum(ArrayRef<int> signs) {
  SmallVector<Operand> operands;
  SmallVector<Value> sources;
  SmallVector<int> factors;
  for (auto [value, sign] : llvm::zip(layer.anchor->getOperands(), signs)) {
    FailureOr<Operand> operand = getOperand(value);
    if (failed(operand))
      return failure();
    Value source = getQuantizedSource(value);
    size_t same = llvm::find(sources, source) - sources.begin();
    if (same < sources.size() && factors[same] + sign != 0) {
      factors[same] += sign;
      continue;
    }
    operands.push_back(*operand);
    sources.push_back(source);
    factors.push_back(sign);
  }
  return sum(operands, factors);
}

FailureOr<Value> Legalizer::legalizeProduct(MulOp op) {
  FailureOr<Operand> lhs = getOperand(op.getLhs());
  if (failed(lhs))
    return failure();
  FailureOr<Operand> rhs = getOperand(op.getRhs());
  if (failed(rhs))
    return failure();
  Interval a = lhs->grid.centered(), b = rhs->grid.centered();
  auto [lo, hi] =
      std::minmax({a.lo * b.lo, a.lo * b.hi, a.hi * b.lo, a.hi * b.hi});
  FailureOr<FixedPoint> point = deriveFixedPoint(
      getRatio({lhs->grid.scale, rhs->grid.scale}, layer.output.scale),
      Interval{lo, hi}, layer.output.output(), reason, layer.getTies());
  if (failed(point))
    return failure();
  auto i32 = [&](int64_t value) {
    return builder.getI32IntegerAttr(int32_t(value));
  };
  Value product = MulIntegerOp::create(
      builder, loc, lhs->integers, rhs->integers, i32(-lhs->grid.zeroPoint),
      i32(-rhs->grid.zeroPoint), i32(point->offset[0]));
  return makeRequantize(builder, loc, product, *point);
}

FailureOr<Value> Legalizer::legalizeConcat(ConcatOp op) {
  SmallVector<Value> parts;
  for (Value value : op.getInputs()) {
    FailureOr<Operand> operand = getOperand(value);
    if (failed(operand))
      return failure();
    FailureOr<Value> part = rescale(*operand);
    if (failed(part))
      return failure();
    parts.push_back(*part);
  }
  return Value(ConcatOp::create(builder, loc, parts, op.getAxisAttr()));
}

FailureOr<Value> Legalizer::legalizeMaxPool(MaxPoolOp op) {
  FailureOr<Operand> operand = getOperand(op.getInput());
  if (failed(operand))
    return failure();
  operand->integers = MaxPoolOp::create(
      builder, loc, operand->integers, op.getKernelShapeAttr(),
      op.getStridesAttr(), op.getPadsAttr(), op.getDilationsAttr());
  return rescale(*operand);
}

/// The parameters of a mean over `count` elements, of which a sum of products
/// with `weight` is taken. Its `offset` includes what the zero point
/// contributes to such a sum of stored integers.
FailureOr<FixedPoint> Legalizer::deriveMean(Grid input, int64_t count,
                                            int64_t weight) {
  if (count >= int64_t(1) << 23) {
    reason = "the accumulator may exceed 32 bits";
    return failure();
  }
  MeanScale mean = getMeanScale(input.scale, input.zeroPoint, input.lo,
                                input.hi, layer.output.scale, count);
  mean.scale /= double(weight);
  mean.offset *= weight;
  mean.range = {mean.range.lo * weight, mean.range.hi * weight};
  FailureOr<FixedPoint> point = deriveFixedPoint(
      mean.scale, mean.range, layer.output.output(), reason, layer.getTies());
  if (succeeded(point))
    point->offset[0] += mean.offset;
  return point;
}

FailureOr<Value> Legalizer::legalizeGlobalAverage(GlobalAveragePoolOp op) {
  FailureOr<Operand> operand = getOperand(op.getInput());
  if (failed(operand))
    return failure();
  int64_t count = 1;
  bool isOpen = false;
  for (int64_t size : op.getInput().getType().getShape().drop_front(2)) {
    isOpen |= ShapedType::isDynamic(size);
    count *= size;
  }
  FailureOr<FixedPoint> point = failure();
  if (!isOpen)
    point = deriveMean(operand->grid, count);
  if (failed(point)) {
    const Grid &from = operand->grid, &to = layer.output;
    auto i32 = [&](int32_t value) { return builder.getI32IntegerAttr(value); };
    return Value(GlobalMeanIntegerOp::create(
        builder, loc, operand->integers, builder.getF64FloatAttr(from.scale),
        i32(from.zeroPoint), i32(from.lo), i32(from.hi),
        builder.getF64FloatAttr(to.scale), i32(to.zeroPoint), i32(to.lo),
        i32(to.hi), builder.getBoolAttr(layer.tiesUp)));
  }
  Value accumulator = GlobalSumIntegerOp::create(
      builder, loc, operand->integers,
      builder.getI32IntegerAttr(int32_t(point->offset[0])));
  return makeRequantize(builder, loc, accumulator, *point);
}

/// A mean over windows is a convolution of each channel with ones. Where
/// windows differ in size, because padding does not count, sums are multiplied
/// by what makes all divisors one.
FailureOr<Value> Legalizer::legalizeAverage(AveragePoolOp op) {
  FailureOr<Operand> operand = getOperand(op.getInput());
  if (failed(operand))
    return failure();
  FailureOr<WindowScale> windows = scaleWindows(op, operand->grid);
  if (failed(windows))
    return failure();
  // Channels whose number only a run knows are images of their own.
  Value integers = operand->integers;
  RankedTensorType type = op.getInput().getType();
  bool isOpen = type.isDynamicDim(1);
  SmallVector<OpFoldResult> leading;
  if (isOpen) {
    Value images = arith::ConstantIndexOp::create(builder, loc, 1);
    for (int64_t axis : {0, 1}) {
      leading.push_back(tensor::getMixedSize(builder, loc, integers, axis));
      images = arith::MulIOp::create(
          builder, loc, images,
          getValueOrCreateConstantIndexOp(builder, loc, leading.back()));
    }
    integers = reshapeLeading(integers, {images, builder.getIndexAttr(1)});
  }
  int64_t channels = isOpen ? 1 : type.getDimSize(1);
  SmallVector<int64_t> shape{channels, 1};
  int64_t count = 1;
  for (int64_t size : op.getKernelShape()) {
    shape.push_back(size);
    count *= size;
  }
  SmallVector<int8_t> weights(channels * count, int8_t(windows->weight));
  SmallVector<int32_t> bias(channels, int32_t(windows->bias));
  Value accumulator = ConvIntegerOp::create(
      builder, loc, integers, makeConstant(builder, loc, shape, weights),
      makeConstant(builder, loc, channels, bias), op.getStridesAttr(),
      op.getPadsAttr(), op.getDilationsAttr(),
      builder.getI64IntegerAttr(channels),
      builder.getI8IntegerAttr(int8_t(operand->grid.zeroPoint)));
  if (!windows->factors.empty()) {
    SmallVector<Value> factors;
    for (const PositionFactors &each : windows->factors)
      factors.push_back(
          makeConstant(builder, loc, each.shape, ArrayRef(each.values)));
    accumulator =
        ScaleIntegerOp::create(builder, loc, accumulator, factors,
                               int32_t(windows->requantize.offset[0]));
  }
  Value result = makeRequantize(builder, loc, accumulator, windows->requantize);
  return isOpen ? reshapeLeading(result, leading) : result;
}

/// Chooses the weight of an average pool's convolution, its bias, and by what
/// the sums of windows of different sizes are multiplied.
FailureOr<Legalizer::WindowScale> Legalizer::scaleWindows(AveragePoolOp op,
                                                          const Grid &input) {
  size_t spatial = op.getKernelShape().size();
  int64_t taps = 1, common = 1;
  SmallVector<SmallVector<int64_t>> counts;
  SmallVector<int64_t> multiples;
  // How large windows are, and at what share of the positions.
  std::map<int64_t, double> sizes{{1, 1.0}};
  for (size_t axis = 0; axis < spatial; ++axis) {
    taps *= op.getKernelShape()[axis];
    counts.push_back(op.countElements(axis));
    if (counts.back().empty()) {
      reason = "its padding does not count, and only a run knows where the "
               "images end";
      return failure();
    }
    std::map<int64_t, double> products;
    int64_t multiple = 1;
    for (int64_t count : counts.back()) {
      for (auto [size, share] : sizes)
        products[size * count] += share / double(counts.back().size());
      // By how much it is beyond the limit does not matter.
      multiple = std::min(std::lcm(multiple, count), kMostMultiple + 1);
    }
    sizes = std::move(products);
    multiples.push_back(multiple);
    common = std::min(common * multiple, kMostMultiple + 1);
  }
  int64_t largest = sizes.rbegin()->first;
  auto getScale = [&](int64_t size) {
    return Scale(getRatio(input.scale, {layer.output.scale, double(size)}));
  };
  double share = 0;
  for (auto [size, part] : sizes)
    share += part * getScale(size).ties;
  bool isTied = share >= kFrequentTies && !layer.tiesUp;

  WindowScale windows;
  if (sizes.size() == 1) {
    // Weights of more than one make a step of the accumulator so small that it
    // holds what rounding needs; exact ties would be lost.
    if (!isTied && !getScale(largest).isDyadic() && largest < (1 << 16))
      windows.weight = kFineWeight;
    FailureOr<FixedPoint> point = deriveMean(input, largest, windows.weight);
    if (failed(point))
      return failure();
    // Padding that does not count is the zero point nevertheless.
    windows.bias = point->offset[0] -
                   (taps - largest) * input.zeroPoint * int64_t(windows.weight);
    windows.requantize = std::move(*point);
    return windows;
  }

  Ties ties = layer.getTies();
  // By how many elements all sums will be divided: a common multiple of the
  // sizes, which factors along single axes make, or what is near to one.
  int64_t total = common;
  if (common > kMostMultiple) {
    total = kMostMultiple;
    if (largest > kMostTableSize) {
      reason = "its windows are of many sizes, up to " +
               std::to_string(largest) +
               " elements, which no factors of 32 bits make alike";
      return failure();
    }
    ties.approximate = true;
    ties.spentError = std::min(256.0, 255 * input.scale / layer.output.scale) *
                      double(largest) / double(2 * total);
    PositionFactors table{SmallVector<int64_t>(spatial + 2, 1), {1}};
    for (auto [axis, along] : llvm::enumerate(counts)) {
      SmallVector<int32_t> products;
      for (int32_t size : table.values)
        for (int64_t count : along)
          products.push_back(int32_t(size * count));
      table.values = std::move(products);
      table.shape[axis + 2] = along.size();
    }
    for (int32_t &value : table.values)
      value = int32_t((2 * total + value) / (2 * value));
    windows.factors.push_back(std::move(table));
  } else {
    // Fine steps, as above.
    int64_t fine = 1;
    if (!isTied && !getScale(total).isDyadic())
      while (total * fine < kFineWeight * largest &&
             total * fine * 2 <= kMostMultiple)
        fine *= 2;
    total *= fine;
    for (auto [axis, along] : llvm::enumerate(counts)) {
      if (along.size() == 1)
        continue;
      PositionFactors factors{SmallVector<int64_t>(spatial + 2, 1), {}};
      factors.shape[axis + 2] = along.size();
      for (int64_t count : along)
        factors.values.push_back(int32_t(multiples[axis] / count * fine));
      windows.factors.push_back(std::move(factors));
      fine = 1;
    }
  }
  // A rounded factor makes some sums a little larger than those of `total`
  // elements.
  int64_t reach = total + largest / 2;
  ties.likely = isTied && !getScale(total).isDyadic();
  FailureOr<FixedPoint> point = deriveFixedPoint(
      getRatio(input.scale, {layer.output.scale, double(total)}),
      Interval{(input.lo - input.zeroPoint) * reach,
               (input.hi - input.zeroPoint) * reach},
      layer.output.output(), reason, ties);
  if (failed(point))
    return failure();
  windows.bias = -taps * input.zeroPoint;
  windows.requantize = std::move(*point);
  return windows;
}

/// `tensor` with other sizes in front of its spatial axes.
Value Legalizer::reshapeLeading(Value tensor, ArrayRef<OpFoldResult> leading) {
  auto type = cast<RankedTensorType>(tensor.getType());
  SmallVector<OpFoldResult> sizes(leading);
  for (int64_t axis = 2; axis < type.getRank(); ++axis)
    sizes.push_back(tensor::getMixedSize(builder, loc, tensor, axis));
  SmallVector<int64_t> shape;
  SmallVector<Value> dynamics;
  dispatchIndexOpFoldResults(sizes, dynamics, shape);
  return ReshapeOp::create(builder, loc, type.clone(shape), tensor, dynamics);
}

FailureOr<Value> Legalizer::run() {
  Operation *op = layer.anchor;
  if (auto dequantize = dyn_cast<DequantizeLinearOp>(op)) {
    FailureOr<Operand> operand = getOperand(dequantize.getResult());
    if (failed(operand))
      return failure();
    return rescale(*operand);
  }
  if (isa<AddOp, SumOp>(op))
    return legalizeSum(SmallVector<int>(op->getNumOperands(), 1));
  if (isa<SubOp>(op))
    return legalizeSum({1, -1});
  if (auto product = dyn_cast<MulOp>(op))
    return legalizeProduct(product);
  if (auto concat = dyn_cast<ConcatOp>(op))
    return legalizeConcat(concat);
  if (auto pool = dyn_cast<MaxPoolOp>(op))
    return legalizeMaxPool(pool);
  if (auto pool = dyn_cast<GlobalAveragePoolOp>(op))
    return legalizeGlobalAverage(pool);
  if (auto pool = dyn_cast<AveragePoolOp>(op))
    return legalizeAverage(pool);
  if (isa<ResizeOp>(op))
    return legalizeResize(builder, layer, reason);
  reason = getOnnxName(op->getName().getStringRef()) + " has no integer form";
  return failure();
}

bool acc::graph::hasIntegerForm(Operation *op) {
  return isContraction(op) ||
         isa<AddOp, SumOp, SubOp, MulOp, ConcatOp, MaxPoolOp,
             GlobalAveragePoolOp, AveragePoolOp, ReluOp, ClipOp>(op);
}

FailureOr<Value> acc::graph::legalizeElementwise(OpBuilder &builder,
                                                 QuantizedLayer &layer,
                                                 std::string &reason) {
  return Legalizer(builder, layer, reason).run();
}
