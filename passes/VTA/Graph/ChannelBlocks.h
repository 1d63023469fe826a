//===- ChannelBlocks.h - Blocks of channels of convolutions -----*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_PASSES_VTA_GRAPH_CHANNELBLOCKS_H
#define ACC_PASSES_VTA_GRAPH_CHANNELBLOCKS_H

#include "passes/VTA/Graph/Lanes.h"
#include "passes/VTA/Graph/VTASteps.h"

namespace acc::vta {

/// Which blocks of input channels a block of output channels of a convolution
/// with groups is computed from.
///
/// The output blocks are `sections` times `outputs` blocks. Block c of section
/// s reads `inputs` input blocks, from s * sectionStride + c * slope on,
/// counted in an input that has `low` blocks of zeros in front and `high`
/// behind. Tiles of weights at a place that no group has are zero.
struct ChannelBlocks {
  int64_t sections = 1, outputs = 1, inputs = 1;
  int64_t sectionStride = 0, slope = 0;
  int64_t low = 0, high = 0;

  int64_t getNumOutputs() const { return sections * outputs; }
};

/// The channels of a convolution: `group` groups of equal numbers of `inputs`
/// and `outputs`, in the lanes that they have.
struct ConvolutionChannels {
  int64_t group, inputs, outputs;
  const Lanes &inputLanes, &outputLanes;

  int64_t inputsOfGroup() const { return inputs / group; }
  int64_t outputsOfGroup() const { return outputs / group; }
};

/// Finds the blocks of a convolution that needs the fewest products of tiles.
/// What several sections compute fills their output blocks completely; there is
/// one section where channels do not lie in order, unless `anySections`.
ChannelBlocks findChannelBlocks(const ConvolutionChannels &channels,
                                Tiles tiles, bool anySections = false);

/// Puts the weights (O, I / group, KH, KW) where `blocks` says they meet their
/// inputs: (output blocks * blockOut, input blocks * blockIn, KH, KW), zero
/// elsewhere. Null if `weight` is no constant that can be read.
mlir::Value spreadWeights(mlir::ImplicitLocOpBuilder &builder,
                          mlir::Value weight,
                          const ConvolutionChannels &channels,
                          const ChannelBlocks &blocks, Tiles tiles);

/// Constant i8 weights in elements of so many bits, which they fit; null if
/// they are not constant or do not fit.
mlir::Value narrowWeights(mlir::ImplicitLocOpBuilder &builder,
                          mlir::Value weight, unsigned bits);

} // namespace acc::vta

#endif // ACC_PASSES_VTA_GRAPH_CHANNELBLOCKS_H
