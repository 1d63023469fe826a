//===- Images.h - Signals as images of one column ---------------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_PASSES_VTA_GRAPH_IMAGES_H
#define ACC_PASSES_VTA_GRAPH_IMAGES_H

#include "mlir/IR/Block.h"

namespace acc::vta {

/// Rewrites the accelerator's operators on tensors (N, C, W) as ones on images
/// (N, C, W, 1), with graph.reshape in between where others read or write them.
void makeImages(mlir::Block &block);

} // namespace acc::vta

#endif // ACC_PASSES_VTA_GRAPH_IMAGES_H
