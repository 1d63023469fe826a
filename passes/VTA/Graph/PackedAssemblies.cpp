//===- PackedAssemblies.cpp - Images put together from others -------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The inputs of a vta.assemble lie in one buffer. What is computed for it alone
// is stored there at once; everything else is copied by kernels that do nothing
// but load and store.
//
//===----------------------------------------------------------------------===//

#include "passes/VTA/Graph/PackedValues.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace acc::graph;
using namespace acc::vta;

SliceOp PackedValues::getView(Value value) {
  auto slice = value.getDefiningOp<SliceOp>();
  return slice && isAccelerated(slice) ? slice : SliceOp();
}

Value PackedValues::getViewed(Value value, int64_t tile, const Lanes *wanted) {
  SliceOp view = getView(value);
  if (!view)
    return {};
  Value source = getInterior(view.getInput(), tile, wanted);
  SmallVector<int64_t> sizes(shapeOf(source)), offsets(6, 0), strides(6, 1);
  for (unsigned axis = 2; axis < 4; ++axis) {
    sizes[axis] = view.getSizes()[axis];
    offsets[axis] = view.getStarts()[axis];
    strides[axis] = sizes[axis] > 1 ? view.getSteps()[axis] : 1;
  }
  return tensor::ExtractSliceOp::create(
      b, source, getAsIndexOpFoldResult(b.getContext(), offsets),
      getAsIndexOpFoldResult(b.getContext(), sizes),
      getAsIndexOpFoldResult(b.getContext(), strides));
}

PackedValues::Packed &PackedValues::getAssembly(AssembleOp op,
                                                const Lanes &lanes) {
  auto [known, isNew] = assemblies.try_emplace(op);
  if (!isNew)
    return *known->second;
  bool isCovered = op.isCovered();
  Packed packed = createDestination(
      op.getResult(), lanes, lanes.size() / tiles.blockOut,
      isCovered ? std::nullopt : std::optional(int8_t(op.getFill())));
  if (!isCovered || !isEmpty(packed.halo))
    fillBorder(packed, getKernel(op).getValue());
  known->second = std::make_unique<Packed>(std::move(packed));
  return *known->second;
}

void PackedValues::writePart(AssembleOp op, unsigned index, Packed &packed,
                             llvm::function_ref<Value(Value)> compute) {
  ArrayRef<int64_t> shape = shapeOf(op.getInputs()[index]);
  SmallVector<int64_t> sizes(shapeOf(packed.value)), offsets(6, 0),
      strides(6, 1);
  for (auto [axis, first] : {std::pair(0, op.getRows()[index]),
                             std::pair(1, op.getColumns()[index])}) {
    sizes[axis + 2] = shape[axis + 2];
    offsets[axis + 2] = packed.halo[axis] + first;
    strides[axis + 2] = shape[axis + 2] > 1 ? op.getSteps()[axis] : 1;
  }
  auto at = [&](ArrayRef<int64_t> numbers) {
    return getAsIndexOpFoldResult(b.getContext(), numbers);
  };
  Value place = tensor::ExtractSliceOp::create(b, packed.value, at(offsets),
                                               at(sizes), at(strides));
  packed.value = tensor::InsertSliceOp::create(
      b, compute(place), packed.value, at(offsets), at(sizes), at(strides));
}

/// The one input that `value` is of a vta.assemble, if nobody else reads it.
static std::optional<std::pair<AssembleOp, unsigned>> findPart(Value value) {
  if (!value.hasOneUse())
    return std::nullopt;
  auto op = dyn_cast<AssembleOp>(*value.user_begin());
  unsigned index = value.use_begin()->getOperandNumber();
  if (!op || !isAccelerated(op) || op.getChannels()[index] != 0 ||
      shapeOf(value)[1] != shapeOf(op.getResult())[1])
    return std::nullopt;
  return std::pair(op, index);
}

bool PackedValues::storePart(Value value, const Lanes &lanes,
                             ArrayRef<int64_t> channelBlocks,
                             llvm::function_ref<Value(Value)> compute) {
  auto part = findPart(value);
  if (!part || channelBlocks.size() != 1)
    return false;
  auto [op, index] = *part;
  Packed &packed = getAssembly(op, lanes);
  if (packed.lanes != lanes)
    return false;
  writePart(op, index, packed, compute);
  stored.insert(value);
  return true;
}

LogicalResult PackedValues::createAssembly(AssembleOp op) {
  PlacementAttr placement = tagger.placement;
  int64_t tile = tiles.blockOut;
  ArrayRef<int64_t> shape = shapeOf(op.getResult());
  for (auto [index, input] : llvm::enumerate(op.getInputs())) {
    if (stored.contains(input))
      continue;
    int64_t channel = op.getChannels()[index];
    if (channel % tile != 0)
      return op.emitOpError(
                 "cannot run on the accelerator: reads from channel ")
             << channel << " on, within a tile";
    tagger.placement =
        PlacementAttr::get(b.getContext(),
                           makeKernelName(placement.getKernel().getValue() +
                                          (index ? ":" + Twine(index) : "")),
                           placement.getTarget(), placement.getReason());
    // In whichever lanes an image has its channels, others are put beside it.
    bool isWhole = shapeOf(input)[1] == shape[1];
    Packed &packed = getAssembly(op, isWhole ? Lanes(getLanes(input, tile))
                                             : Lanes::inOrder(shape[1], tile));
    Lanes wanted =
        isWhole ? packed.lanes : Lanes::inOrder(shapeOf(input)[1], tile);
    Value source = getInterior(input, tile, &wanted);
    SmallVector<int64_t> sizes(shapeOf(source)), offsets(6, 0);
    sizes[1] = packed.lanes.size() / tile;
    offsets[1] = channel / tile;
    if (shapeOf(source) != ArrayRef<int64_t>(sizes))
      source = tensor::ExtractSliceOp::create(
          b, source, getAsIndexOpFoldResult(b.getContext(), offsets),
          getAsIndexOpFoldResult(b.getContext(), sizes),
          SmallVector<OpFoldResult>(6, b.getIndexAttr(1)));
    // By way of the matrix unit, a copy overlaps with its loads.
    writePart(op, index, packed, [&](Value place) {
      Value acc =
          steps.canAddScaled(1)
              ? steps.addScaled(steps.fill(shapeOf(source), 0), source, 1)
              : steps.widen(source);
      return steps.narrow(acc, place);
    });
  }
  tagger.placement = placement;
  all[{op.getResult(), tile}].push_back(std::make_unique<Packed>(
      getAssembly(op, Lanes::inOrder(shape[1], tile))));
  return success();
}
