//===- WindowPads.h - Borders of what windows read --------------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_PASSES_VTA_GRAPH_WINDOWPADS_H
#define ACC_PASSES_VTA_GRAPH_WINDOWPADS_H

#include "dialects/Graph/Graph.h"

namespace acc::vta {

/// What products of windows read around the image of a depthwise convolution:
/// pads in the order of ONNX, negative where the image does not end with the
/// last window, and the value of what they add. It matters only where the
/// convolution itself has a border: the taps of further columns are zero.
struct WindowPads {
  /// \p inputs: how many a window has.
  WindowPads(graph::ConvIntegerOp op, int64_t inputs);

  /// The shape of the weights, with so many columns as are read.
  llvm::SmallVector<int64_t> window;
  llvm::SmallVector<int64_t> pads;
  int8_t value;
};

} // namespace acc::vta

#endif // ACC_PASSES_VTA_GRAPH_WINDOWPADS_H
