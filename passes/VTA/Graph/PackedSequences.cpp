//===- PackedSequences.cpp - Matrices in the accelerator's layout ---------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Sequences are packed as (n, channels / lanes, positions, 1, BATCH, lanes).
// Heads that are blocks of channels, (positions, heads * d) taken apart to
// (heads, positions, d), are the same bytes, and so are those that are joined
// again: only the shape changes.
//
//===----------------------------------------------------------------------===//

#include "passes/VTA/Graph/PackedValues.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

#include <numeric>

using namespace mlir;
using namespace acc::graph;
using namespace acc::vta;

Halo PackedValues::getTail(ArrayRef<int64_t> form) const {
  int64_t positions = llvm::divideCeilSigned(form[1], tiles.batch);
  int64_t step = std::lcm(tiles.batch, tiles.blockOut) / tiles.batch;
  return {0, 0, llvm::divideCeilSigned(positions, step) * step - positions, 0};
}

Value PackedValues::getOnHost(Value value) {
  Value plain = getUnpacked(value);
  return plain ? plain : value;
}

/// The first of the values that reshapes lead back to for which `accepts`
/// holds, or null.
static Value findBehindReshapes(Value value,
                                llvm::function_ref<bool(Value)> accepts) {
  for (;;) {
    if (accepts(value))
      return value;
    Operation *op = value.getDefiningOp();
    if (!isReshape(op))
      return {};
    value = op->getOperand(0);
  }
}

/// Three axes longer than one of which a transpose swaps the first two, in the
/// order of its input.
static std::optional<std::array<int64_t, 3>> getSwapped(TransposeOp op) {
  ArrayRef<int64_t> shape = shapeOf(op.getInput());
  SmallVector<int64_t> before, after;
  for (auto [axis, size] : llvm::enumerate(shape))
    if (size != 1)
      before.push_back(axis);
  for (int64_t axis : op.getPerm())
    if (shape[axis] != 1)
      after.push_back(axis);
  if (before.size() != 3)
    return std::nullopt;
  std::swap(before[0], before[1]);
  if (before != after)
    return std::nullopt;
  return std::array<int64_t, 3>{shape[before[1]], shape[before[0]],
                                shape[before[2]]};
}

Value PackedValues::findHeads(Value value, int64_t tile) const {
  Value moved = findBehindReshapes(
      value, [](Value v) { return bool(v.getDefiningOp<TransposeOp>()); });
  if (!moved)
    return {};
  auto transpose = moved.getDefiningOp<TransposeOp>();
  std::optional<std::array<int64_t, 3>> swapped = getSwapped(transpose);
  if (!swapped)
    return {};
  auto [outer, inner, channels] = *swapped;
  using Form = SmallVector<int64_t>;
  Form form = getForm(shapeOf(value)), taken{inner, outer, channels},
       joined{1, inner, outer * channels};
  if (channels % tile != 0 || (form != taken && form != joined))
    return {};
  // (positions, heads * d) is taken apart, (heads, positions, d) joined.
  Form source = form == taken ? Form{1, outer, inner * channels}
                              : Form{outer, inner, channels};
  return findBehindReshapes(transpose.getInput(), [&](Value v) {
    return shapeOf(v).size() <= 3 && getForm(shapeOf(v)) == source;
  });
}

static bool isComputed(Value value) {
  Operation *producer = value.getDefiningOp();
  return producer && isAccelerated(producer);
}

Value PackedValues::findComputedHeads(Value value, int64_t tile) const {
  Value source = findHeads(value, tile);
  if (!source)
    return {};
  // What the host computes it may as well lay out as it is read.
  source = lookThrough(source);
  return isComputed(source) ? source : Value();
}

std::optional<PackedValues::Packed> PackedValues::findSequences(Value value,
                                                                int64_t tile) {
  Value source = findComputedHeads(value, tile);
  if (!source)
    return std::nullopt;
  Packed packed = get(source, tile);
  SmallVector<int64_t> shape = getPackedShape(shapeOf(value), tile);
  shape[2] += packed.halo[2];
  if (ShapedType::getNumElements(shape) !=
      typeOf(packed.value).getNumElements())
    return std::nullopt;
  packed.value = b.createOrFold<ReshapeOp>(typeOf(packed.value).clone(shape),
                                           packed.value);
  packed.lanes = getOrder(value, tile);
  return packed;
}

Value PackedValues::packSequences(Value plain, Value origin, int64_t tile) {
  ArrayRef<int64_t> shape = shapeOf(plain);
  SmallVector<int64_t> form{shape.size() == 3 ? shape[0] : 1,
                            shape[shape.size() - 2], shape.back()};
  if (shape != ArrayRef<int64_t>(form))
    plain = b.createOrFold<ReshapeOp>(typeOf(plain).clone(form), plain);
  Value packed =
      b.createOrFold<PackOp>(plain, ArrayRef<int64_t>{tiles.batch, tile},
                             ArrayRef<int64_t>(getTail(form)), /*padValue=*/0);
  assignToHost(packed.getDefiningOp(),
               getKernelName(lookThrough(origin)) + ":pack",
               explainPack(origin));
  return packed;
}

/// Whether incomplete tiles of a packed tensor are known to hold zeros: those
/// that the host packs do.
static bool isPackedByHost(Value packed) {
  while (auto reshape = packed.getDefiningOp<ReshapeOp>())
    packed = reshape.getInput();
  return packed.getDefiningOp<PackOp>() || packed.getDefiningOp<ConstantOp>();
}

PackedValues::Matrix PackedValues::getInputs(Value value,
                                             bool mustBeZeroPadded) {
  Packed packed = get(value, tiles.blockIn);
  bool isComplete = shapeOf(value).back() % tiles.blockIn == 0,
       isInOrder = packed.lanes == getOrder(value, tiles.blockIn);
  if (isInOrder &&
      (isComplete || !mustBeZeroPadded || isPackedByHost(packed.value)))
    return {slice(packed, Halo{}), isComplete || isPackedByHost(packed.value)};
  packed.value =
      packSequences(getOnHost(lookThrough(value)), value, tiles.blockIn);
  packed.halo = getTail({1, shapeOf(value)[shapeOf(value).size() - 2], 1});
  return {slice(packed, Halo{}), true};
}

Value PackedValues::toWeights(Value packed, int64_t outputs) {
  SmallVector<int64_t> shape(shapeOf(packed));
  int64_t rows = shape[2] * shape[4];
  SmallVector<int64_t> split{shape[0], shape[1], rows / tiles.blockOut,
                             tiles.blockOut, shape[5]};
  packed = b.createOrFold<ReshapeOp>(typeOf(packed).clone(split), packed);
  int64_t wanted = llvm::divideCeilSigned(outputs, tiles.blockOut);
  if (split[2] == wanted)
    return packed;
  split[2] = wanted;
  return tensor::ExtractSliceOp::create(
      b, packed, SmallVector<OpFoldResult>(5, b.getIndexAttr(0)),
      getAsIndexOpFoldResult(b.getContext(), split),
      SmallVector<OpFoldResult>(5, b.getIndexAttr(1)));
}

PackedValues::Matrix PackedValues::getWeights(Value value) {
  int64_t outputs = shapeOf(value)[shapeOf(value).size() - 2];
  if (getForm(shapeOf(value)).size() != 3) {
    // One tile of rows is an image, which need not be a whole weight tile.
    Value packed =
        packSequences(getOnHost(lookThrough(value)), value, tiles.blockIn);
    return {toWeights(packed, outputs), true};
  }
  Packed packed = get(value, tiles.blockIn);
  bool isComplete = shapeOf(value).back() % tiles.blockIn == 0;
  return {toWeights(packed.value, outputs),
          isComplete || isPackedByHost(packed.value)};
}

PackedValues::Matrix
PackedValues::getTransposedWeights(Value value,
                                   llvm::function_ref<Value(Value)> transpose) {
  ArrayRef<int64_t> shape = shapeOf(value);
  int64_t depth = shape[shape.size() - 2], outputs = shape.back();
  bool isComplete = depth % tiles.blockIn == 0;
  Value source = lookThrough(value);
  if (getForm(shape).size() == 3 && tiles.blockIn == tiles.blockOut &&
      tiles.blockIn % tiles.batch == 0 &&
      (isComputed(source) || findComputedHeads(source, tiles.blockIn))) {
    Value turned = transpose(toWeights(get(value, tiles.blockIn).value, depth));
    SmallVector<int64_t> sizes(shapeOf(turned));
    SmallVector<int64_t> rows{sizes[0], sizes[1], sizes[2] * sizes[3],
                              1,        sizes[4], sizes[5]};
    turned = b.createOrFold<ReshapeOp>(typeOf(turned).clone(rows), turned);
    return {toWeights(turned, outputs), isComplete};
  }
  Value plain = getOnHost(lookThrough(value));
  if (shapeOf(plain) != shape)
    plain = b.createOrFold<ReshapeOp>(typeOf(plain).clone(shape), plain);
  SmallVector<int64_t> perm(
      llvm::to_vector(llvm::seq<int64_t>(0, shape.size())));
  std::swap(perm[perm.size() - 1], perm[perm.size() - 2]);
  Value turned = b.createOrFold<TransposeOp>(plain, ArrayRef<int64_t>(perm));
  assignToHost(turned.getDefiningOp(),
               getKernelName(lookThrough(value)) + ":transpose",
               explainPack(value));
  return {toWeights(packSequences(turned, value, tiles.blockIn), outputs),
          true};
}
