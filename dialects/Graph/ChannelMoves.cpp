//===- ChannelMoves.cpp - Operators that only name channels anew ----------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Graph/ChannelMoves.h"

#include "dialects/Graph/Constants.h"
#include "dialects/Graph/Graph.h"

#include "llvm/ADT/DenseSet.h"

using namespace mlir;
using namespace acc::graph;

/// The shape of images whose sizes are all known; nothing for other tensors.
static ArrayRef<int64_t> getImageShape(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (!type || type.getRank() != 4 || !type.hasStaticShape())
    return {};
  return type.getShape();
}

static std::optional<ChannelMove> findMove(SliceOp op) {
  ArrayRef<int64_t> from = getImageShape(op.getInput()),
                    to = getImageShape(op.getResult());
  if (from.empty() || to.empty() || !op.getDynamics().empty())
    return std::nullopt;
  for (int64_t axis : {0, 2, 3})
    if (from[axis] != to[axis] || (to[axis] > 1 && op.getSteps()[axis] != 1))
      return std::nullopt;
  ChannelMove move{op.getInput(), {}};
  for (int64_t channel = 0; channel < to[1]; ++channel)
    move.channels.push_back(op.getStarts()[1] + channel * op.getSteps()[1]);
  return move;
}

static std::optional<ChannelMove> findMove(GatherOp op) {
  ArrayRef<int64_t> from = getImageShape(op.getData()),
                    to = getImageShape(op.getResult());
  auto indices = op.getIndices().getDefiningOp<ConstantOp>();
  if (from.empty() || to.empty() || op.getAxis() != 1 || !indices)
    return std::nullopt;
  auto elements = dyn_cast<DenseElementsAttr>(indices.getValue());
  if (!elements)
    return std::nullopt;
  ChannelMove move{op.getData(), {}};
  for (const APInt &index : elements.getValues<APInt>()) {
    int64_t channel = index.getSExtValue();
    move.channels.push_back(channel < 0 ? channel + from[1] : channel);
  }
  return move;
}

/// A transpose of what a reshape has made several axes of the channels.
static std::optional<ChannelMove> findMove(ReshapeOp op) {
  auto transpose = op.getInput().getDefiningOp<TransposeOp>();
  auto split =
      transpose ? transpose.getInput().getDefiningOp<ReshapeOp>() : ReshapeOp();
  if (!split)
    return std::nullopt;
  ArrayRef<int64_t> from = getImageShape(split.getInput()),
                    to = getImageShape(op.getResult());
  auto type = dyn_cast<RankedTensorType>(split.getType());
  if (from.empty() || from != to || !type || !type.hasStaticShape())
    return std::nullopt;
  // Axes of one element may be anywhere.
  SmallVector<int64_t> sizes, number(type.getRank(), -1), order;
  for (auto [axis, size] : llvm::enumerate(type.getShape()))
    if (size != 1) {
      number[axis] = sizes.size();
      sizes.push_back(size);
    }
  for (int64_t axis : transpose.getPerm())
    if (number[axis] >= 0)
      order.push_back(number[axis]);
  // The axes of images, channels and positions follow each other.
  size_t begin = 0, end = sizes.size();
  int64_t images = 1, positions = 1, channels = 1;
  while (begin < end && images < from[0])
    images *= sizes[begin++];
  while (end > begin && positions < from[2] * from[3])
    positions *= sizes[--end];
  for (size_t axis = begin; axis < end; ++axis)
    channels *= sizes[axis];
  if (images != from[0] || positions != from[2] * from[3] ||
      channels != from[1])
    return std::nullopt;
  for (size_t axis = 0; axis < order.size(); ++axis)
    if ((axis < begin || axis >= end) && order[axis] != int64_t(axis))
      return std::nullopt;
  ChannelMove move{split.getInput(), SmallVector<int64_t>{0}};
  for (size_t axis = begin; axis < end; ++axis) {
    int64_t stride = 1;
    for (size_t inner = order[axis] + 1; inner < end; ++inner)
      stride *= sizes[inner];
    SmallVector<int64_t> longer;
    for (int64_t base : move.channels)
      for (int64_t i = 0; i < sizes[order[axis]]; ++i)
        longer.push_back(base + i * stride);
    move.channels = std::move(longer);
  }
  return move;
}

std::optional<ChannelMove> acc::graph::findChannelMove(Value value) {
  std::optional<ChannelMove> move;
  if (auto slice = value.getDefiningOp<SliceOp>())
    move = findMove(slice);
  else if (auto gather = value.getDefiningOp<GatherOp>())
    move = findMove(gather);
  else if (auto reshape = value.getDefiningOp<ReshapeOp>())
    move = findMove(reshape);
  if (!move)
    return std::nullopt;
  int64_t channels = getImageShape(move->source)[1];
  llvm::DenseSet<int64_t> known;
  for (int64_t channel : move->channels)
    if (channel < 0 || channel >= channels || !known.insert(channel).second)
      return std::nullopt;
  return move;
}
