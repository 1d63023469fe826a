//===- FoldBatchNorm.cpp - The pass graph-fold-batch-norm -----------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Graph/Constants.h"
#include "dialects/Graph/Graph.h"
#include "passes/Graph/Passes.h"

#include "mlir/IR/Matchers.h"

#include <cstring>

namespace acc::graph {
#define GEN_PASS_DEF_GRAPHFOLDBATCHNORM
#include "passes/Graph/Passes.h.inc"
} // namespace acc::graph

using namespace mlir;
using namespace acc::graph;

namespace {

/// x * factors[c] + shifts[c] for every channel c (axis 1).
struct ChannelAffine {
  explicit ChannelAffine(int64_t channels)
      : factors(channels, 1.0), shifts(channels, 0.0) {}

  /// Appends `other`, which is applied to the result of this.
  void compose(const ChannelAffine &other) {
    for (size_t c = 0; c < factors.size(); ++c) {
      factors[c] *= other.factors[c];
      shifts[c] = shifts[c] * other.factors[c] + other.shifts[c];
    }
  }

  SmallVector<double> factors, shifts;
};

/// The f32 constant that defines `value`, if any.
ElementsAttr getConstant(Value value) {
  ElementsAttr constant;
  if (!value || !matchPattern(value, m_Constant(&constant)) ||
      !constant.getElementType().isF32())
    return {};
  return constant;
}

/// One number per channel of `type`, from a constant that broadcasts along all
/// axes but the channels.
std::optional<SmallVector<double>> getPerChannel(Value value,
                                                 RankedTensorType type) {
  ElementsAttr constant = getConstant(value);
  if (!constant)
    return std::nullopt;
  ArrayRef<int64_t> shape = constant.getShapedType().getShape();
  int64_t channels = type.getDimSize(1);
  if (ShapedType::isDynamic(channels))
    return std::nullopt;
  if (!constant.isSplat()) {
    int64_t channelAxis = int64_t(shape.size()) - type.getRank() + 1;
    for (auto [axis, size] : llvm::enumerate(shape))
      if (size != 1 && static_cast<int64_t>(axis) != channelAxis)
        return std::nullopt;
  }
  std::optional<SmallVector<double>> numbers = getDoubles(constant);
  if (numbers && numbers->size() == 1)
    numbers->assign(channels, SmallVector<double>(*numbers)[0]);
  return numbers;
}

std::optional<ChannelAffine> getAffine(BatchNormalizationOp op) {
  ElementsAttr parameters[] = {
      getConstant(op.getScale()), getConstant(op.getBias()),
      getConstant(op.getMean()), getConstant(op.getVariance())};
  SmallVector<double> numbers[4];
  int64_t channels = op.getType().getDimSize(1);
  if (ShapedType::isDynamic(channels))
    return std::nullopt;
  for (auto [parameter, values] : llvm::zip(parameters, numbers)) {
    std::optional<SmallVector<double>> read =
        parameter ? getDoubles(parameter) : std::nullopt;
    if (!read)
      return std::nullopt;
    values = *read;
    if (parameter.isSplat())
      values.assign(channels, (*read)[0]);
  }
  auto &[scale, bias, mean, variance] = numbers;
  ChannelAffine affine(channels);
  for (int64_t c = 0; c < channels; ++c) {
    affine.factors[c] =
        scale[c] / std::sqrt(variance[c] + op.getEpsilon().convertToFloat());
    affine.shifts[c] = bias[c] - mean[c] * affine.factors[c];
  }
  return affine;
}

/// What `op` does to its operand `input`, if that is the same in all elements
/// of a channel.
std::optional<ChannelAffine> getAffine(Operation *op, Value input) {
  auto type = cast<RankedTensorType>(input.getType());
  if (auto norm = dyn_cast<BatchNormalizationOp>(op))
    return norm.getInput() == input ? getAffine(norm) : std::nullopt;
  if (!isa<AddOp, SubOp, MulOp, DivOp>(op) ||
      op->getResult(0).getType() != type)
    return std::nullopt;
  unsigned position = op->getOperand(0) == input ? 0 : 1;
  if (position == 1 && !isa<AddOp, MulOp>(op))
    return std::nullopt;
  std::optional<SmallVector<double>> numbers =
      getPerChannel(op->getOperand(1 - position), type);
  if (!numbers)
    return std::nullopt;
  ChannelAffine affine(type.getDimSize(1));
  for (auto [c, number] : llvm::enumerate(*numbers)) {
    if (isa<AddOp>(op))
      affine.shifts[c] = number;
    else if (isa<SubOp>(op))
      affine.shifts[c] = -number;
    else if (isa<MulOp>(op))
      affine.factors[c] = number;
    else
      affine.factors[c] = 1.0 / number;
  }
  return affine;
}

bool isFinite(const ChannelAffine &affine) {
  auto finite = [](double number) { return std::isfinite(number); };
  return llvm::all_of(affine.factors, finite) &&
         llvm::all_of(affine.shifts, finite);
}

/// A constant of per-channel numbers, a splat if they are equal.
Value makeVector(OpBuilder &builder, Location loc, ArrayRef<double> numbers) {
  SmallVector<float> values(numbers.begin(), numbers.end());
  auto type = RankedTensorType::get(values.size(), builder.getF32Type());
  return ConstantOp::create(builder, loc, type,
                            DenseElementsAttr::get(type, ArrayRef(values)));
}

/// The weights with every output channel multiplied by its factor.
ElementsAttr scaleWeights(ElementsAttr weights, ArrayRef<double> factors) {
  std::optional<ArrayRef<char>> raw = getRawElements(weights);
  if (!raw)
    return {};
  ShapedType type = weights.getShapedType();
  if (weights.isSplat() && llvm::all_equal(factors)) {
    auto splat = cast<DenseElementsAttr>(weights).getSplatValue<float>();
    return DenseElementsAttr::get(type, static_cast<float>(splat * factors[0]));
  }
  size_t inner = type.getNumElements() / factors.size();
  bool splat = weights.isSplat();
  return makeElements(type, [&](MutableArrayRef<char> target) {
    for (size_t index = 0, end = target.size() / sizeof(float); index < end;
         ++index) {
      float number;
      std::memcpy(&number, &(*raw)[splat ? 0 : index * sizeof(float)],
                  sizeof(float));
      number = static_cast<float>(number * factors[index / inner]);
      std::memcpy(&target[index * sizeof(float)], &number, sizeof(float));
    }
  });
}

/// The operators after `anchor` that scale and shift channels, and what they
/// do together.
struct Chain {
  explicit Chain(Operation *anchor)
      : affine(std::max<int64_t>(
            cast<RankedTensorType>(anchor->getResult(0).getType())
                .getDimSize(1),
            0)) {
    Value value = anchor->getResult(0);
    while (value.hasOneUse()) {
      Operation *user = *value.getUsers().begin();
      std::optional<ChannelAffine> next = getAffine(user, value);
      if (!next || !isFinite(*next))
        break;
      affine.compose(*next);
      ops.push_back(user);
      value = user->getResult(0);
    }
  }

  /// Replaces the chain by `anchor`, which has taken its effect over.
  void replaceBy(Operation *anchor) {
    SmallVector<Location> locs{anchor->getLoc()};
    for (Operation *op : ops)
      locs.push_back(op->getLoc());
    anchor->setLoc(FusedLoc::get(anchor->getContext(), locs));
    ops.back()->getResult(0).replaceAllUsesWith(anchor->getResult(0));
    for (Operation *op : llvm::reverse(ops))
      op->erase();
  }

  ChannelAffine affine;
  SmallVector<Operation *> ops;
};

bool foldInto(ConvOp conv) {
  ElementsAttr weights = getConstant(conv.getWeight());
  if (!weights || weights.getNumElements() == 0)
    return false;
  SmallVector<double> bias(weights.getShapedType().getDimSize(0), 0.0);
  if (conv.getBias()) {
    auto numbers = getPerChannel(
        conv.getBias(), RankedTensorType::get({1, int64_t(bias.size())},
                                              weights.getElementType()));
    if (!numbers)
      return false;
    bias = *numbers;
  }
  Chain chain(conv);
  if (chain.ops.empty() || !isFinite(chain.affine))
    return false;
  OpBuilder builder(conv);
  const auto &[factors, shifts] = chain.affine;
  if (!llvm::all_of(factors, [](double factor) { return factor == 1.0; })) {
    ElementsAttr scaled = scaleWeights(weights, factors);
    if (!scaled)
      return false;
    conv.getWeightMutable().assign(
        ConstantOp::create(builder, conv.getWeight().getLoc(),
                           conv.getWeight().getType(), scaled));
  }
  for (size_t c = 0; c < bias.size(); ++c)
    bias[c] = bias[c] * factors[c] + shifts[c];
  Location loc = conv.getBias() ? conv.getBias().getLoc() : conv.getLoc();
  conv.getBiasMutable().assign(makeVector(builder, loc, bias));
  chain.replaceBy(conv);
  return true;
}

bool foldInto(BatchNormalizationOp norm) {
  std::optional<SmallVector<double>> scale, bias;
  auto vector = RankedTensorType::get({1, norm.getType().getDimSize(1)},
                                      norm.getType().getElementType());
  scale = getPerChannel(norm.getScale(), vector);
  bias = getPerChannel(norm.getBias(), vector);
  if (!scale || !bias)
    return false;
  Chain chain(norm);
  if (chain.ops.empty() || !isFinite(chain.affine))
    return false;
  for (size_t c = 0; c < scale->size(); ++c) {
    (*scale)[c] *= chain.affine.factors[c];
    (*bias)[c] = (*bias)[c] * chain.affine.factors[c] + chain.affine.shifts[c];
  }
  OpBuilder builder(norm);
  norm.getScaleMutable().assign(
      makeVector(builder, norm.getScale().getLoc(), *scale));
  norm.getBiasMutable().assign(
      makeVector(builder, norm.getBias().getLoc(), *bias));
  chain.replaceBy(norm);
  return true;
}

struct FoldBatchNorm : acc::graph::impl::GraphFoldBatchNormBase<FoldBatchNorm> {
  void runOnOperation() override {
    // Convolutions first: they take a whole chain, normalizations included.
    SmallVector<ConvOp> convs;
    getOperation()->walk([&](ConvOp conv) { convs.push_back(conv); });
    for (ConvOp conv : convs)
      folded += foldInto(conv);
    // Backwards, since a normalization may take later ones, which are gone
    // then.
    SmallVector<BatchNormalizationOp> norms;
    getOperation()->walk(
        [&](BatchNormalizationOp norm) { norms.push_back(norm); });
    for (BatchNormalizationOp norm : llvm::reverse(norms))
      folded += foldInto(norm);
  }
};

} // namespace
