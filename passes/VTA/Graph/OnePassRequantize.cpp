//===- OnePassRequantize.cpp - Requantization in one instruction ----------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A configuration may declare an operation of the vector unit that is a whole
// graph.requantize (acc/vta/isa/Requantize.h). It computes products exactly,
// where graph.requantize clips in front of them so that they do not wrap, and
// saturates behind the last step instead. Everything in between is monotone, so
// bounds of the accumulator are those of the result that they have there.
//
//===----------------------------------------------------------------------===//

#include "acc/vta/isa/Requantize.h"
#include "passes/VTA/Graph/VTASteps.h"

#include "dialects/Graph/Constants.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace acc;
using namespace acc::graph;
using namespace acc::vta;

static constexpr int64_t kLowest = -128, kHighest = 127;

static int64_t getHalf(int64_t shift) { return (int64_t(1) << shift) >> 1; }

namespace {
/// The parameters of one channel.
class Conversion {
public:
  Conversion(RequantizeOp op, size_t channel) : op(op), channel(channel) {}

  /// Nothing if the operation does not compute exactly the same.
  std::optional<isa::Requantize> run(int32_t bias);

private:
  int64_t get(ArrayRef<int32_t> values) const {
    return values[values.size() == 1 ? 0 : channel];
  }
  bool takeAddend(int64_t shift);
  bool takeFactor(int64_t shift);
  bool takeBounds();
  /// The product in 32 bits, if it does not wrap.
  bool fitsWord(int32_t clipped);

  RequantizeOp op;
  size_t channel;
  isa::Requantize p;
};
} // namespace

/// Half a unit of the result may come with the accumulator instead, and a zero
/// point be added before the parity of the result is looked at.
bool Conversion::takeAddend(int64_t shift) {
  const int64_t unit = int64_t(1) << shift, middle = op.getMidShift();
  const int64_t halves = getHalf(shift) + getHalf(middle);
  int64_t rest = int32_t(op.getAddend());
  p.addsHalf = rest % unit != 0;
  if (p.addsHalf)
    rest -= halves;
  if (rest % unit != 0)
    return false;
  p.midShift = middle;
  p.tiesEven = true;
  p.tiesOdd = (rest / unit) % 2 != 0;
  const int64_t zeroPoint = int32_t(op.getZeroPoint()) + rest / unit;
  p.zeroPoint = zeroPoint;
  return llvm::isInt<8>(zeroPoint);
}

/// A shift to the left is part of the multiplier, or makes the shift behind the
/// product smaller.
bool Conversion::takeFactor(int64_t shift) {
  const int64_t before = get(op.getPreShift());
  const int64_t factor = get(op.getMultiplier());
  p.preShift = std::max<int64_t>(before, 0);
  int64_t left = factor == 0 ? 0 : std::max<int64_t>(-before, 0), taken = 0;
  while (left > 0 && !llvm::isUInt<15>(factor << left)) {
    --left;
    ++taken;
  }
  if (factor < 0 || !llvm::isUInt<15>(factor << left) || taken > shift)
    return false;
  p.multiplier = factor << left;
  p.postShift = shift - taken;
  p.midShift = std::max<int64_t>(int64_t(p.midShift) - taken, 0);
  // What is a half of nothing is no tie.
  if (p.postShift == 0 && p.addsHalf)
    p.tiesEven = p.tiesOdd = false;
  return true;
}

bool Conversion::fitsWord(int32_t clipped) {
  const int64_t before = get(op.getPreShift());
  const int64_t shifted = before >= 0
                              ? clipped >> before
                              : int64_t(clipped) * (int64_t(1) << -before);
  const int64_t product = shifted * get(op.getMultiplier());
  return llvm::isInt<32>(shifted) && llvm::isInt<32>(product) &&
         llvm::isInt<32>(product + int32_t(op.getAddend()));
}

bool Conversion::takeBounds() {
  int64_t low = kLowest, high = kHighest;
  if (std::optional<int32_t> bound = op.getOutLo())
    low = std::max<int64_t>(low, *bound);
  if (std::optional<int32_t> bound = op.getOutHi())
    high = std::min<int64_t>(high, *bound);
  const int64_t lowest = low, highest = high;
  auto take = [&](std::optional<ArrayRef<int32_t>> clip, int64_t &bound) {
    if (!clip)
      return true;
    const int32_t clipped = get(*clip);
    bound = std::min(std::max(p.scale(clipped), lowest), highest);
    return fitsWord(clipped) &&
           (op.getOutLo() || p.scale(clipped) >= kLowest) &&
           (op.getOutHi() || p.scale(clipped) <= kHighest);
  };
  if (!take(op.getClipLo(), low) || !take(op.getClipHi(), high))
    return false;
  p.lowest = low;
  p.highest = high;
  return low <= high && low >= kLowest && high <= kHighest;
}

std::optional<isa::Requantize> Conversion::run(int32_t bias) {
  const bool even = op.getRounding() == Rounding::HalfEven;
  const int64_t shift =
      get(op.getPostShift()) + (even ? int64_t(op.getMidShift()) : 0);
  p.bias = bias;
  p.zeroPoint = int32_t(op.getZeroPoint());
  p.addsHalf = op.getRounding() == Rounding::HalfUp;
  if ((even && !takeAddend(shift)) || !takeFactor(shift) || !takeBounds() ||
      int64_t(p.preShift) > 31 || !p.isEncodable())
    return std::nullopt;
  return p;
}

std::optional<Value> VTASteps::requantizeAtOnce(RequantizeOp op, Value acc,
                                                ArrayRef<int32_t> bias) {
  if (!unit.requantizes)
    return std::nullopt;
  size_t channels = bias.size();
  for (ArrayRef<int32_t> values :
       {op.getPreShift(), op.getMultiplier(), op.getPostShift(),
        op.getClipLo().value_or(ArrayRef<int32_t>()),
        op.getClipHi().value_or(ArrayRef<int32_t>())})
    channels = std::max(channels, values.size());
  // The words of all channels, one kind after the other.
  constexpr int64_t words = isa::Requantize::kSources;
  std::array<SmallVector<int32_t>, words> parameters;
  for (size_t channel = 0; channel < channels; ++channel) {
    std::optional<isa::Requantize> found =
        Conversion(op, channel).run(bias[bias.size() == 1 ? 0 : channel]);
    if (!found)
      return std::nullopt;
    for (auto [values, word] : llvm::zip(parameters, found->encode()))
      values.push_back(static_cast<int32_t>(word));
  }

  const bool uniform = llvm::all_of(parameters, [](ArrayRef<int32_t> values) {
    return llvm::all_equal(values);
  });
  for (SmallVector<int32_t> &values : parameters)
    values = uniform ? SmallVector<int32_t>(tiles.blockOut, values.front())
                     : toLanes(acc, values);
  const int64_t blocks = parameters[0].size() / tiles.blockOut;
  auto type = RankedTensorType::get(
      {blocks, words, tiles.batch, tiles.blockOut}, b.getI32Type());
  ElementsAttr elements = makeElements(type, [&](MutableArrayRef<char> bytes) {
    auto *out = reinterpret_cast<int32_t *>(bytes.data());
    for (int64_t block = 0; block < blocks; ++block)
      for (ArrayRef<int32_t> values : parameters)
        for (int64_t row = 0; row < tiles.batch; ++row)
          out = llvm::copy(values.slice(block * tiles.blockOut, tiles.blockOut),
                           out);
  });
  Value vector = ConstantOp::create(b, type, elements);
  const int64_t loops = typeOf(acc).getRank();
  AffineExpr block = uniform ? b.getAffineConstantExpr(0) : getBlockIndex(acc);
  SmallVector<AffineMap> maps;
  for (int64_t word = 0; word < words; ++word)
    maps.push_back(AffineMap::get(loops, 0,
                                  {block, b.getAffineConstantExpr(word),
                                   b.getAffineDimExpr(loops - 2),
                                   b.getAffineDimExpr(loops - 1)},
                                  b.getContext()));
  maps.push_back(b.getMultiDimIdentityMap(loops));
  return generic(acc, SmallVector<Value>(words, vector), maps,
                 getAllParallel(loops),
                 [&](ImplicitLocOpBuilder &inner, ValueRange x) -> Value {
                   return RequantizeStepOp::create(inner, inner.getI32Type(),
                                                   x[3], x[0], x[1], x[2]);
                 });
}
