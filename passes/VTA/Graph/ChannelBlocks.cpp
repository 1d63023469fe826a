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

/// Channels of a convolution and how they lie in groups and blocks.
struct Channels {
  int64_t group, inputs, outputs;
  Tiles tiles;

  int64_t inputsOfGroup() const { return inputs / group; }
  int64_t outputsOfGroup() const { return outputs / group; }

  /// The first and the last input block that an output block needs.
  std::pair<int64_t, int64_t> getInputs(int64_t outputBlock) const {
    int64_t first = outputBlock * tiles.blockOut,
            last = std::min(first + tiles.blockOut, outputs) - 1;
    int64_t begin = first / outputsOfGroup() * inputsOfGroup(),
            end = (last / outputsOfGroup() + 1) * inputsOfGroup();
    return {begin / tiles.blockIn, (end - 1) / tiles.blockIn};
  }
};

/// The blocks with given strides: as many inputs as every output block needs.
ChannelBlocks makeBlocks(const Channels &channels, int64_t sections,
                         int64_t sectionStride, int64_t slope) {
  ChannelBlocks blocks;
  int64_t all =
      llvm::divideCeilSigned(channels.outputs, channels.tiles.blockOut);
  blocks.sections = sections;
  blocks.outputs = all / sections;
  blocks.sectionStride = sectionStride;
  blocks.slope = slope;
  int64_t low = 0, high = 0;
  for (int64_t block = 0; block < all; ++block) {
    int64_t place =
        block / blocks.outputs * sectionStride + block % blocks.outputs * slope;
    auto [first, last] = channels.getInputs(block);
    low = std::min(low, first - place);
    high = std::max(high, last - place);
  }
  blocks.inputs = high - low + 1;
  blocks.low = -low;
  int64_t end =
      (sections - 1) * sectionStride + (blocks.outputs - 1) * slope + high + 1;
  blocks.high = std::max<int64_t>(
      end - llvm::divideCeilSigned(channels.inputs, channels.tiles.blockIn), 0);
  return blocks;
}

} // namespace

ChannelBlocks acc::vta::findChannelBlocks(int64_t group, int64_t inputs,
                                          int64_t outputs, Tiles tiles) {
  Channels channels{group, inputs, outputs, tiles};
  int64_t perIn = channels.inputsOfGroup(), perOut = channels.outputsOfGroup();
  SmallVector<int64_t, 2> slopes{0};
  if (group > 1 && perIn * tiles.blockOut % (perOut * tiles.blockIn) == 0)
    slopes.push_back(perIn * tiles.blockOut / (perOut * tiles.blockIn));
  ChannelBlocks best = makeBlocks(channels, 1, 0, 0);
  auto consider = [&](const ChannelBlocks &blocks) {
    if (blocks.inputs < best.inputs)
      best = blocks;
  };
  for (int64_t slope : slopes)
    consider(makeBlocks(channels, 1, 0, slope));
  // The fewest groups that begin and end with blocks.
  int64_t merged = std::lcm(tiles.blockIn / std::gcd(tiles.blockIn, perIn),
                            tiles.blockOut / std::gcd(tiles.blockOut, perOut));
  if (group % merged == 0)
    for (int64_t slope : slopes)
      consider(makeBlocks(channels, group / merged,
                          merged * perIn / tiles.blockIn, slope));
  return best;
}

Value acc::vta::spreadWeights(ImplicitLocOpBuilder &b, Value weight,
                              int64_t group, const ChannelBlocks &blocks,
                              Tiles tiles) {
  std::optional<ConstantBytes> bytes = ConstantBytes::read(weight);
  if (!bytes)
    return {};
  auto type = typeOf(weight);
  ArrayRef<int64_t> shape = type.getShape();
  int64_t outputs = shape[0], perIn = shape[1], taps = shape[2] * shape[3],
          rowSize = blocks.inputs * tiles.blockIn;
  auto spread = type.clone(
      {blocks.getNumOutputs() * tiles.blockOut, rowSize, shape[2], shape[3]});
  ElementsAttr elements =
      makeElements(spread, [&](MutableArrayRef<char> target) {
        llvm::fill(target, 0);
        for (int64_t o = 0; o < outputs; ++o) {
          int64_t block = o / tiles.blockOut;
          int64_t firstBlock = block / blocks.outputs * blocks.sectionStride +
                               block % blocks.outputs * blocks.slope -
                               blocks.low;
          int64_t lane =
              o / (outputs / group) * perIn - firstBlock * tiles.blockIn;
          char *row = target.data() + (o * rowSize + lane) * taps;
          for (int64_t i = 0; i < perIn * taps; ++i)
            row[i] = (*bytes)[o * perIn * taps + i];
        }
      });
  return ConstantOp::create(b, spread, elements);
}
