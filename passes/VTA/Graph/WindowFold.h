//===- WindowFold.h - Taps of a window side by side in lanes ----*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_PASSES_VTA_GRAPH_WINDOWFOLD_H
#define ACC_PASSES_VTA_GRAPH_WINDOWFOLD_H

#include "dialects/Graph/Graph.h"

#include "mlir/IR/ImplicitLocOpBuilder.h"

#include <array>

namespace acc::vta {

/// A convolution that has part of its window among the channels: graph.pack
/// puts `taps` x channels side by side, `steps` rows and columns of the image
/// apart, and the rest of the window moves over what it makes.
///
/// Tap t of an axis becomes channel t % taps and tap t / taps of the rest. All
/// arrays have an entry for rows and one for columns.
struct WindowFold {
  std::array<int64_t, 2> taps, tapDistances, steps;
  std::array<int64_t, 2> window, strides, dilations;
  /// Rows and columns that all windows together read, and those of the image,
  /// padding included, that they are made of.
  std::array<int64_t, 2> extents, sourceExtents;

  WindowFold(graph::ConvIntegerOp op, std::array<int64_t, 2> taps);

  /// The weights (O, I, KH, KW) as (O, taps * I, rows and columns of `window`);
  /// null if they are no constant that can be read.
  mlir::Value foldWeights(mlir::ImplicitLocOpBuilder &builder,
                          mlir::Value weight) const;
};

} // namespace acc::vta

#endif // ACC_PASSES_VTA_GRAPH_WINDOWFOLD_H
