//===- ChannelMoves.h - Operators that only name channels anew --*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_DIALECTS_GRAPH_CHANNELMOVES_H
#define ACC_DIALECTS_GRAPH_CHANNELMOVES_H

#include "mlir/IR/Value.h"

namespace acc::graph {

/// A tensor of images (N, C, H, W) whose channel c is channel `channels[c]` of
/// `source`, which has the same images otherwise. No channel is there twice.
struct ChannelMove {
  mlir::Value source;
  llvm::SmallVector<int64_t> channels;
};

/// How `value` has been made of another tensor if only its channels lie
/// elsewhere: by a slice or a gather of channels, or by a transpose between two
/// reshapes (a shuffle of channels).
std::optional<ChannelMove> findChannelMove(mlir::Value value);

} // namespace acc::graph

#endif // ACC_DIALECTS_GRAPH_CHANNELMOVES_H
