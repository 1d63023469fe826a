//===- ChannelBlocks.h - Blocks of channels of convolutions -----*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_PASSES_VTA_GRAPH_CHANNELBLOCKS_H
#define ACC_PASSES_VTA_GRAPH_CHANNELBLOCKS_H

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

/// Finds the blocks of a convolution from `inputs` to `outputs` channels that
/// needs the fewest products of tiles. What several sections compute fills
/// their output blocks completely.
ChannelBlocks findChannelBlocks(int64_t group, int64_t inputs, int64_t outputs,
                                Tiles tiles);

/// Puts the weights (O, I / group, KH, KW) where `blocks` says they meet their
/// inputs: (output blocks * blockOut, input blocks * blockIn, KH, KW), zero
/// elsewhere. Null if `weight` is no constant that can be read.
mlir::Value spreadWeights(mlir::ImplicitLocOpBuilder &builder,
                          mlir::Value weight, int64_t group,
                          const ChannelBlocks &blocks, Tiles tiles);

} // namespace acc::vta

#endif // ACC_PASSES_VTA_GRAPH_CHANNELBLOCKS_H
