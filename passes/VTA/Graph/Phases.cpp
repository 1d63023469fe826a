//===- Phases.cpp - Channels that become rows and columns -----------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/VTA/Graph/Phases.h"

#include "dialects/Graph/Constants.h"
#include "passes/Graph/TensorTypes.h"
#include "passes/VTA/Graph/PackedValues.h"

using namespace mlir;
using namespace acc::graph;
using namespace acc::vta;

namespace {

/// Axes of the tensor between the reshapes that come to one axis of the result.
struct Group {
  SmallVector<int64_t> sizes, distances;

  int64_t getSize() const {
    int64_t product = 1;
    for (int64_t size : sizes)
      product *= size;
    return product;
  }

  /// Where an index into the joined axes is in the source's channels.
  int64_t locate(int64_t index) const {
    int64_t at = 0;
    for (auto [size, distance] :
         llvm::reverse(llvm::zip_equal(sizes, distances))) {
      at += index % size * distance;
      index /= size;
    }
    return at;
  }
};

} // namespace

std::optional<Phases> Phases::find(TransposeOp transpose) {
  auto split = transpose.getInput().getDefiningOp<ReshapeOp>();
  if (!split || !transpose->hasOneUse())
    return std::nullopt;
  auto join = dyn_cast<ReshapeOp>(*transpose->user_begin());
  if (!join || typeOf(split.getInput()).getRank() != 4 ||
      typeOf(join).getRank() != 4)
    return std::nullopt;
  ArrayRef<int64_t> from = shapeOf(split.getInput()), apart = shapeOf(split),
                    to = shapeOf(join), perm = transpose.getPerm();
  int64_t rank = apart.size(), rows = llvm::find(perm, rank - 2) - perm.begin(),
          columns = llvm::find(perm, rank - 1) - perm.begin();
  if (rank < 5 || perm[0] != 0 || apart[0] != from[0] || rows > columns ||
      apart[rank - 2] != from[2] || apart[rank - 1] != from[3])
    return std::nullopt;
  // Channels, and the phases of rows and columns.
  SmallVector<Group, 3> groups(3);
  SmallVector<int64_t> distances(rank, 1);
  for (int64_t axis = rank - 3; axis-- > 1;)
    distances[axis] = distances[axis + 1] * apart[axis + 1];
  for (int64_t at = 1; at < rank; ++at) {
    if (at == rows || at == columns)
      continue;
    Group &group = groups[(at > rows) + (at > columns)];
    group.sizes.push_back(apart[perm[at]]);
    group.distances.push_back(distances[perm[at]]);
  }
  Phases phases;
  phases.steps = {groups[1].getSize(), groups[2].getSize()};
  if (to != ArrayRef<int64_t>{from[0], groups[0].getSize(),
                              from[2] * phases.steps[0],
                              from[3] * phases.steps[1]})
    return std::nullopt;
  for (int64_t row = 0; row < phases.steps[0]; ++row)
    for (int64_t column = 0; column < phases.steps[1]; ++column)
      for (int64_t channel = 0; channel < to[1]; ++channel)
        phases.channels.push_back(groups[0].locate(channel) +
                                  groups[1].locate(row) +
                                  groups[2].locate(column));
  phases.source = split.getInput();
  phases.operators = {split, transpose, join};
  if (!phases.findConvolution()) {
    phases.convolution = {};
    phases.requantize = {};
  }
  phases.result = join;
  // A slice that only cuts off what is last.
  auto slice =
      join->hasOneUse() ? dyn_cast<SliceOp>(*join->user_begin()) : SliceOp();
  if (slice && isAccelerated(slice) &&
      llvm::all_of(slice.getStarts(), [](int64_t at) { return at == 0; }) &&
      llvm::all_of(slice.getSteps(), [](int64_t step) { return step == 1; }) &&
      slice.getSizes().take_front(2) == to.take_front(2)) {
    phases.result = slice;
    phases.operators.push_back(slice);
  }
  return phases;
}

ArrayRef<int64_t> Phases::getChannels(int64_t row, int64_t column) const {
  int64_t count = shapeOf(result->getResult(0))[1];
  return ArrayRef(channels).slice((row * steps[1] + column) * count, count);
}

/// Phases can be convolutions if one without strides computes the channels for
/// nobody else, and every phase has as many channels of each group.
bool Phases::findConvolution() {
  requantize = source.getDefiningOp<RequantizeOp>();
  if (!requantize || !requantize->hasOneUse() || !isAccelerated(requantize))
    return false;
  convolution = requantize.getInput().getDefiningOp<ConvIntegerOp>();
  auto isOne = [](int64_t value) { return value == 1; };
  if (!convolution || !convolution->hasOneUse() ||
      getKernel(convolution) != getKernel(requantize) ||
      !llvm::all_of(convolution.getStrides(), isOne) ||
      !llvm::all_of(convolution.getDilations(), isOne) ||
      !convolution.getWeight().getDefiningOp<ConstantOp>() ||
      !convolution.getBias().getDefiningOp<ConstantOp>())
    return false;
  int64_t group = convolution.getGroup(), all = shapeOf(source)[1],
          count = all / (steps[0] * steps[1]);
  if (count % group != 0)
    return false;
  for (auto [at, channel] : llvm::enumerate(channels))
    if (channel / (all / group) != int64_t(at) % count / (count / group))
      return false;
  return true;
}

int64_t Phases::getExtent(unsigned axis, int64_t phase) const {
  int64_t size = shapeOf(result->getResult(0))[axis + 2];
  return llvm::divideCeilSigned(std::max<int64_t>(size - phase, 0),
                                steps[axis]);
}

std::optional<int64_t> Phases::getFirstChannel(int64_t row,
                                               int64_t column) const {
  ArrayRef<int64_t> all = getChannels(row, column);
  for (auto [index, channel] : llvm::enumerate(all))
    if (channel != all[0] + int64_t(index))
      return std::nullopt;
  return all[0];
}

namespace {

/// The elements of a constant, `T` each.
template <typename T> class Elements {
public:
  explicit Elements(Value value)
      : elements(value.getDefiningOp<ConstantOp>().getValue()),
        bytes(*getRawElements(elements)) {}

  T operator[](int64_t at) const {
    return reinterpret_cast<const T *>(
        bytes.data())[elements.isSplat() ? 0 : at];
  }

private:
  ElementsAttr elements;
  ArrayRef<char> bytes;
};

/// Taps [begin, end) of a window along one axis, and the padding of the image
/// for them.
struct Taps {
  int64_t begin, end, low, high;
};

} // namespace

template <typename T>
static Value createConstant(ImplicitLocOpBuilder &b, ArrayRef<int64_t> shape,
                            ArrayRef<T> values) {
  auto type = RankedTensorType::get(shape, b.getIntegerType(8 * sizeof(T)));
  return ConstantOp::create(
      b, type, makeElements(type, [&](MutableArrayRef<char> bytes) {
        std::memcpy(bytes.data(), values.data(), bytes.size());
      }));
}

Value Phases::createConvolution(int64_t row, int64_t column) const {
  ConvIntegerOp conv = convolution;
  RequantizeOp narrow = requantize;
  ImplicitLocOpBuilder b(conv.getLoc(), conv);
  ArrayRef<int64_t> all = getChannels(row, column),
                    shape = shapeOf(conv.getWeight()),
                    image = shapeOf(conv.getInput()).take_back(2);
  Elements<int8_t> weights(conv.getWeight());
  auto weightAt = [&](int64_t output, int64_t input, int64_t kh, int64_t kw) {
    if (kh >= shape[2] || kw >= shape[3])
      return int8_t(0);
    return weights[((output * shape[1] + input) * shape[2] + kh) * shape[3] +
                   kw];
  };

  // The box of taps that have weights, of which negative padding is a slice of
  // the image. Where there is other padding too, the box begins within it, and
  // what is not read behind its last position becomes taps of zero.
  std::array<Taps, 2> taps{Taps{shape[2], 0, 0, 0}, Taps{shape[3], 0, 0, 0}};
  for (int64_t output : all)
    for (int64_t channel = 0; channel < shape[1]; ++channel)
      for (int64_t kh = 0; kh < shape[2]; ++kh)
        for (int64_t kw = 0; kw < shape[3]; ++kw)
          if (weightAt(output, channel, kh, kw) != 0)
            for (auto [axis, at] : {std::pair(0, kh), std::pair(1, kw)}) {
              taps[axis].begin = std::min(taps[axis].begin, at);
              taps[axis].end = std::max(taps[axis].end, at + 1);
            }
  auto fit = [&](bool extend) {
    for (unsigned axis = 0; axis < 2; ++axis) {
      auto &[begin, end, low, high] = taps[axis];
      int64_t pad = conv.getPads()[axis],
              extent = getExtent(axis, axis == 0 ? row : column);
      if (extend)
        begin = std::min(begin, pad);
      begin = std::min(begin, shape[axis + 2] - 1);
      end = std::max(end, begin + 1);
      low = pad - begin;
      high = extent - 1 + end - begin - image[axis] - low;
      if (extend && high < 0)
        end -= std::exchange(high, 0);
    }
  };
  fit(/*extend=*/false);
  bool isPadded = llvm::any_of(
      taps, [](const Taps &axis) { return axis.low > 0 || axis.high > 0; });
  Value input = conv.getInput();
  if (isPadded)
    fit(/*extend=*/true);

  SmallVector<int8_t> bytes;
  SmallVector<int32_t> biases;
  Elements<int32_t> bias(conv.getBias());
  for (int64_t output : all) {
    biases.push_back(bias[output]);
    for (int64_t channel = 0; channel < shape[1]; ++channel)
      for (int64_t kh = taps[0].begin; kh < taps[0].end; ++kh)
        for (int64_t kw = taps[1].begin; kw < taps[1].end; ++kw)
          bytes.push_back(weightAt(output, channel, kh, kw));
  }
  // The first phase is the kernel that all of them were.
  PlacementAttr placement = getPlacement(conv);
  if (row != 0 || column != 0) {
    std::string name = (placement.getKernel().getValue() + ":" + Twine(row) +
                        ":" + Twine(column))
                           .str();
    placement =
        PlacementAttr::get(b.getContext(), b.getStringAttr(name),
                           placement.getTarget(), placement.getReason());
  }
  if (!isPadded &&
      (taps[0].low || taps[0].high || taps[1].low || taps[1].high)) {
    SmallVector<int64_t> sizes(shapeOf(input)), starts(4, 0);
    for (unsigned axis = 0; axis < 2; ++axis) {
      sizes[axis + 2] += taps[axis].low + taps[axis].high;
      starts[axis + 2] = -taps[axis].low;
      taps[axis].low = taps[axis].high = 0;
    }
    auto slice =
        SliceOp::create(b, typeOf(input).clone(sizes), input, ValueRange(),
                        starts, sizes, ArrayRef<int64_t>{1, 1, 1, 1});
    slice->setAttr(GraphDialect::kPlacement, placement);
    input = slice;
  }
  auto sum = ConvIntegerOp::create(
      b, input,
      createConstant<int8_t>(b,
                             {int64_t(all.size()), shape[1],
                              taps[0].end - taps[0].begin,
                              taps[1].end - taps[1].begin},
                             bytes),
      createConstant<int32_t>(b, {int64_t(all.size())}, biases),
      conv.getStridesAttr(),
      b.getDenseI64ArrayAttr(
          {taps[0].low, taps[1].low, taps[0].high, taps[1].high}),
      conv.getDilationsAttr(), conv.getGroupAttr(), conv.getPadValueAttr());
  sum->setAttr(GraphDialect::kPlacement, placement);
  b.setLoc(narrow.getLoc());
  auto result = mlir::cast<RequantizeOp>(b.clone(*narrow));
  auto select = [&](std::optional<ArrayRef<int32_t>> values, auto set) {
    if (!values || values->size() == 1)
      return;
    SmallVector<int32_t> chosen;
    for (int64_t output : all)
      chosen.push_back((*values)[output]);
    (result.*set)(chosen);
  };
  using Set = void (RequantizeOp::*)(ArrayRef<int32_t>);
  select(narrow.getPreShift(), Set(&RequantizeOp::setPreShift));
  select(narrow.getMultiplier(), Set(&RequantizeOp::setMultiplier));
  select(narrow.getPostShift(), Set(&RequantizeOp::setPostShift));
  using SetOptional = void (RequantizeOp::*)(std::optional<ArrayRef<int32_t>>);
  select(narrow.getClipLo(), SetOptional(&RequantizeOp::setClipLo));
  select(narrow.getClipHi(), SetOptional(&RequantizeOp::setClipHi));
  result.getInputMutable().assign(sum);
  result.getResult().setType(typeOf(sum).clone(b.getI8Type()));
  result->setAttr(GraphDialect::kPlacement, placement);
  return result;
}

void Phases::erase() {
  if (convolution)
    operators.insert(operators.begin(), {convolution, requantize});
  for (Operation *op : llvm::reverse(operators))
    if (op->use_empty())
      op->erase();
}
