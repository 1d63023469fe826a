//===- ChannelBlocks.cpp - Blocks of channels of convolutions -------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The matrix unit multiplies whole tiles, and loops reach tiles by linear
// functions of their indices. With one channel per group a block of outputs
// reads the block of inputs at the same place, and its tile of weights is
// diagonal; with few channels per group it is block-diagonal. Groups of many
// blocks are sections, each of which reads its own inputs only. Where groups
// and blocks do not begin together, an output block reads a band of input
// blocks around its place.
//
//===----------------------------------------------------------------------===//

#include "passes/VTA/Graph/ChannelBlocks.h"

#include "dialects/Graph/Constants.h"

#include <numeric>

using namespace mlir;
using namespace acc::graph;
using namespace acc::vta;

namespace {

/// The input blocks that output blocks of a convolution need.
class NeededBlocks {
public:
  NeededBlocks(const ConvolutionChannels &channels, Tiles tiles)
      : numInputs(channels.inputLanes.size() / tiles.blockIn) {
    SmallVector<int64_t> places =
        channels.inputLanes.getPlaces(channels.inputs);
    int64_t perIn = channels.inputsOfGroup();
    SmallVector<Range> ofGroup(channels.group);
    for (auto [input, lane] : llvm::enumerate(places))
      ofGroup[input / perIn].add(lane / tiles.blockIn);
    ofOutput.resize(channels.outputLanes.size() / tiles.blockOut);
    for (auto [lane, output] : llvm::enumerate(channels.outputLanes.get())) {
      if (output == Lanes::kNone)
        continue;
      const Range &needed = ofGroup[output / channels.outputsOfGroup()];
      ofOutput[lane / tiles.blockOut].add(needed.first);
      ofOutput[lane / tiles.blockOut].add(needed.last);
    }
  }

  int64_t getNumOutputs() const { return ofOutput.size(); }

  /// The first block that an output block needs.
  int64_t getFirst(int64_t block) const {
    return ofOutput[block].isEmpty() ? 0 : ofOutput[block].first;
  }

  /// The blocks with given strides: as many inputs as every output block needs.
  ChannelBlocks makeBlocks(int64_t sections, int64_t sectionStride,
                           int64_t slope) const {
    ChannelBlocks blocks;
    blocks.sections = sections;
    blocks.outputs = getNumOutputs() / sections;
    blocks.sectionStride = sectionStride;
    blocks.slope = slope;
    Range around;
    for (auto [block, needed] : llvm::enumerate(ofOutput)) {
      if (needed.isEmpty())
        continue;
      int64_t place = int64_t(block) / blocks.outputs * sectionStride +
                      int64_t(block) % blocks.outputs * slope;
      around.add(needed.first - place);
      around.add(needed.last - place);
    }
    int64_t low = std::min<int64_t>(around.isEmpty() ? 0 : around.first, 0),
            high = around.isEmpty() ? 0 : around.last;
    // Products begin where the first block is that one of them needs.
    high = std::max(high, low);
    blocks.inputs = high - low + 1;
    blocks.low = -low;
    int64_t end = (sections - 1) * sectionStride +
                  (blocks.outputs - 1) * slope + high + 1;
    blocks.high = std::max<int64_t>(end - numInputs, 0);
    return blocks;
  }

private:
  struct Range {
    int64_t first = 0, last = -1;

    bool isEmpty() const { return last < first; }
    void add(int64_t block) {
      first = isEmpty() ? block : std::min(first, block);
      last = std::max(last, block);
    }
  };

  int64_t numInputs;
  SmallVector<Range> ofOutput;
};

} // namespace

ChannelBlocks acc::vta::findChannelBlocks(const ConvolutionChannels &channels,
                                          Tiles tiles, bool anySections) {
  NeededBlocks needed(channels, tiles);
  int64_t group = channels.group, perIn = channels.inputsOfGroup(),
          perOut = channels.outputsOfGroup();
  SmallVector<int64_t, 2> slopes{0};
  if (group > 1 && perIn * tiles.blockOut % (perOut * tiles.blockIn) == 0)
    slopes.push_back(perIn * tiles.blockOut / (perOut * tiles.blockIn));
  ChannelBlocks best = needed.makeBlocks(1, 0, 0);
  auto consider = [&](const ChannelBlocks &blocks) {
    if (blocks.inputs < best.inputs)
      best = blocks;
  };
  for (int64_t slope : slopes)
    consider(needed.makeBlocks(1, 0, slope));
  if (anySections) {
    int64_t all = needed.getNumOutputs();
    for (int64_t sections = 2; sections <= all; ++sections) {
      int64_t stride = all % sections == 0 ? needed.getFirst(all / sections) -
                                                 needed.getFirst(0)
                                           : -1;
      for (int64_t slope : slopes)
        if (stride >= 0)
          consider(needed.makeBlocks(sections, stride, slope));
    }
    return best;
  }
  // The fewest groups that begin and end with blocks.
  int64_t merged = std::lcm(tiles.blockIn / std::gcd(tiles.blockIn, perIn),
                            tiles.blockOut / std::gcd(tiles.blockOut, perOut));
  if (group % merged == 0 && channels.inputLanes.areInOrder() &&
      channels.outputLanes.areInOrder())
    for (int64_t slope : slopes)
      consider(needed.makeBlocks(group / merged, merged * perIn / tiles.blockIn,
                                 slope));
  return best;
}

Value acc::vta::spreadWeights(ImplicitLocOpBuilder &b, Value weight,
                              const ConvolutionChannels &channels,
                              const ChannelBlocks &blocks, Tiles tiles) {
  std::optional<ConstantBytes> bytes = ConstantBytes::read(weight);
  if (!bytes)
    return {};
  auto type = typeOf(weight);
  ArrayRef<int64_t> shape = type.getShape();
  int64_t perIn = shape[1], taps = shape[2] * shape[3],
          rowSize = blocks.inputs * tiles.blockIn;
  auto spread = type.clone(
      {blocks.getNumOutputs() * tiles.blockOut, rowSize, shape[2], shape[3]});
  SmallVector<int64_t> places = channels.inputLanes.getPlaces(channels.inputs);
  ElementsAttr elements =
      makeElements(spread, [&](MutableArrayRef<char> target) {
        llvm::fill(target, 0);
        for (auto [lane, o] : llvm::enumerate(channels.outputLanes.get())) {
          if (o == Lanes::kNone)
            continue;
          int64_t block = int64_t(lane) / tiles.blockOut;
          int64_t firstBlock = block / blocks.outputs * blocks.sectionStride +
                               block % blocks.outputs * blocks.slope -
                               blocks.low;
          char *row = target.data() + int64_t(lane) * rowSize * taps;
          for (int64_t i = 0; i < perIn; ++i) {
            int64_t input = o / channels.outputsOfGroup() * perIn + i,
                    at = places[input] - firstBlock * tiles.blockIn;
            for (int64_t tap = 0; tap < taps; ++tap)
              row[at * taps + tap] = (*bytes)[(o * perIn + i) * taps + tap];
          }
        }
      });
  return ConstantOp::create(b, spread, elements);
}

Value acc::vta::narrowWeights(ImplicitLocOpBuilder &b, Value weight,
                              unsigned bits) {
  if (bits == 8)
    return weight;
  std::optional<ConstantBytes> bytes = ConstantBytes::read(weight);
  if (!bytes || !llvm::all_of(bytes->getValues(), [&](char byte) {
        return llvm::isIntN(bits, int8_t(byte));
      }))
    return {};
  auto type = RankedTensorType::get(shapeOf(weight), b.getIntegerType(bits));
  return ConstantOp::create(
      b, type, makeElements(type, [&](MutableArrayRef<char> target) {
        for (auto [index, byte] : llvm::enumerate(target))
          byte = (*bytes)[index];
      }));
}
