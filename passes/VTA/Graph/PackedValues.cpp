//===- PackedValues.cpp - Tensors in the accelerator's layout -------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/VTA/Graph/PackedValues.h"

#include "dialects/TE/TEDialect.h"
#include "passes/VTA/Graph/WindowFold.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace acc::graph;
using namespace acc::vta;

static bool isEmpty(const Halo &halo) { return halo == Halo{}; }

ConfigAttr acc::vta::getAccelerator(Operation *op) {
  PlacementAttr placement = getPlacement(op);
  return placement ? dyn_cast_if_present<ConfigAttr>(placement.getTarget())
                   : ConfigAttr();
}

bool acc::vta::isPackedOnHost(Operation *op) {
  return mlir::isa<ConcatOp, LookupOp>(op) && !isAccelerated(op) &&
         op->hasAttr(GraphDialect::kPacked);
}

StringAttr acc::vta::getKernel(Operation *op) {
  PlacementAttr placement = getPlacement(op);
  return placement ? placement.getKernel() : StringAttr();
}

bool acc::vta::isReshape(Operation *op) {
  return isa_and_present<FlattenOp, ReshapeOp, SqueezeOp, UnsqueezeOp>(op);
}

SmallVector<int64_t> acc::vta::to4D(ArrayRef<int64_t> shape) {
  SmallVector<int64_t> result(shape);
  while (result.size() < 4)
    result.push_back(1);
  return result;
}

void KernelTagger::notifyOperationInserted(Operation *op,
                                           OpBuilder::InsertPoint) {
  if (!placement || op->getBlock() != &block ||
      op->hasTrait<OpTrait::ConstantLike>() ||
      mlir::isa<tensor::EmptyOp, PackOp, UnpackOp, TransposeOp>(op) ||
      isReshape(op))
    return;
  op->setAttr(GraphDialect::kPlacement, placement);
}

/// The kernel that computes a value, or what else to name its conversions by.
StringRef acc::vta::getKernelName(Value value) {
  if (Operation *producer = value.getDefiningOp())
    if (StringAttr kernel = getKernel(producer))
      return kernel.getValue();
  return "input";
}

StringAttr PackedValues::makeKernelName(const Twine &name) {
  std::string unique = name.str();
  while (!kernelNames.insert(unique).second)
    unique += "_";
  return b.getStringAttr(unique);
}

void PackedValues::assignToHost(Operation *op, const Twine &name) {
  // What folds is no operation of its own.
  if (!isa_and_present<PackOp, UnpackOp, TransposeOp, linalg::FillOp>(op) ||
      getKernel(op))
    return;
  op->setAttr(
      GraphDialect::kPlacement,
      PlacementAttr::get(b.getContext(), makeKernelName(name),
                         acc::te::HostAttr::get(b.getContext()),
                         b.getStringAttr("converts the layout of a tensor")));
}

SmallVector<int64_t> PackedValues::getForm(ArrayRef<int64_t> shape) const {
  bool isSequence = shape.size() == 2 || shape.size() == 3;
  if (!isSequence)
    return to4D(shape);
  int64_t count = shape.size() == 3 ? shape[0] : 1;
  ArrayRef<int64_t> matrix = shape.take_back(2);
  if (count == 1 && matrix[0] <= tiles.batch)
    return to4D(matrix);
  return {count, matrix[0], matrix[1]};
}

SmallVector<int64_t> PackedValues::getPackedShape(ArrayRef<int64_t> shape,
                                                  int64_t tile) const {
  SmallVector<int64_t> form = getForm(shape);
  if (form.size() == 3)
    return {form[0],
            llvm::divideCeilSigned(form[2], tile),
            llvm::divideCeilSigned(form[1], tiles.batch),
            1,
            tiles.batch,
            tile};
  return {llvm::divideCeilSigned(form[0], tiles.batch),
          llvm::divideCeilSigned(form[1], tile),
          form[2],
          form[3],
          tiles.batch,
          tile};
}

Value PackedValues::lookThrough(Value value) const {
  while (Operation *op = value.getDefiningOp()) {
    if (!isReshape(op) ||
        getForm(shapeOf(op->getOperand(0))) != getForm(shapeOf(value)))
      break;
    value = op->getOperand(0);
  }
  return value;
}

//===----------------------------------------------------------------------===//
// What readers want
//===----------------------------------------------------------------------===//

void PackedValues::forEachReader(
    Value value, int64_t tile,
    llvm::function_ref<void(const Halo &, int8_t)> callback) const {
  for (Operation *user : value.getUsers()) {
    if (isReshape(user) && lookThrough(user->getResult(0)) == value)
      forEachReader(user->getResult(0), tile, callback);
    if (!isAccelerated(user))
      continue;
    auto visit = [&](ArrayRef<int64_t> pads, int8_t padValue, int64_t wanted) {
      if (wanted == tile && pads.size() == 4)
        callback({pads[0], pads[1], pads[2], pads[3]}, padValue);
    };
    if (auto conv = dyn_cast<ConvIntegerOp>(user))
      visit(conv.getPads(), conv.getPadValue(), tiles.blockIn);
    else if (auto pool = dyn_cast<MaxPoolOp>(user))
      visit(pool.getPads(), -128, tiles.blockOut);
  }
}

Halo PackedValues::getHalo(Value value, int64_t tile, int8_t padValue) const {
  Halo largest{};
  forEachReader(value, tile, [&](const Halo &halo, int8_t pad) {
    if (pad == padValue && pad != 0)
      for (auto [size, wanted] : llvm::zip(largest, halo))
        size = std::max(size, wanted);
  });
  return largest;
}

std::optional<int8_t> PackedValues::getPadValue(Value value,
                                                int64_t tile) const {
  std::optional<int8_t> first;
  forEachReader(value, tile, [&](const Halo &halo, int8_t pad) {
    if (!first && pad != 0 && !isEmpty(halo))
      first = pad;
  });
  return first;
}

//===----------------------------------------------------------------------===//
// Packed forms
//===----------------------------------------------------------------------===//

Value PackedValues::getPlain(Value value) {
  Value plain = getOnHost(value);
  SmallVector<int64_t> shape = getForm(shapeOf(plain));
  if (shapeOf(plain) != ArrayRef<int64_t>(shape))
    plain = b.createOrFold<ReshapeOp>(typeOf(plain).clone(shape), plain);
  return plain;
}

PackedValues::Packed PackedValues::get(Value value, int64_t tile,
                                       std::optional<int8_t> padValue) {
  value = lookThrough(value);
  for (const Packed &form : all[{value, tile}])
    if (!padValue || form.padValue == *padValue)
      return form;
  auto add = [&](const Packed &packed) {
    all[{value, tile}].push_back(packed);
    return packed;
  };
  SmallVector<int64_t> shape = getForm(shapeOf(value));
  if (shape.size() == 3)
    if (std::optional<Packed> known = findSequences(value, tile))
      return add(*known);
  if (!padValue)
    padValue = getPadValue(value, tile).value_or(0);
  Halo halo =
      shape.size() == 3 ? getTail(shape) : getHalo(value, tile, *padValue);
  Value packed = b.createOrFold<PackOp>(getPlain(value),
                                        ArrayRef<int64_t>{tiles.batch, tile},
                                        ArrayRef<int64_t>(halo), *padValue);
  assignToHost(packed.getDefiningOp(), getKernelName(value) + ":pack");
  return add({packed, halo, *padValue});
}

/// The part of `packed` that has `halo` around the image.
Value PackedValues::slice(const Packed &packed, const Halo &halo) {
  if (packed.halo == halo)
    return packed.value;
  SmallVector<int64_t> sizes(shapeOf(packed.value)), offsets(sizes.size(), 0);
  // Rows and columns are the last axes in front of the tiles.
  for (unsigned axis = 0, rows = sizes.size() - 4; axis < 2; ++axis) {
    offsets[rows + axis] = packed.halo[axis] - halo[axis];
    sizes[rows + axis] -=
        packed.halo[axis] - halo[axis] + packed.halo[axis + 2] - halo[axis + 2];
  }
  return tensor::ExtractSliceOp::create(
      b, packed.value, getAsIndexOpFoldResult(b.getContext(), offsets),
      getAsIndexOpFoldResult(b.getContext(), sizes),
      SmallVector<OpFoldResult>(sizes.size(), b.getIndexAttr(1)));
}

Value PackedValues::getInterior(Value value, int64_t tile) {
  return slice(get(value, tile), Halo{});
}

Value PackedValues::getPadded(Value value, int64_t tile, ArrayRef<int64_t> pads,
                              int8_t padValue,
                              std::array<int64_t, 2> channelPads) {
  Halo halo{pads[0], pads[1], pads[2], pads[3]}, border{}, rest{};
  for (auto [wanted, outside, inside] : llvm::zip(halo, border, rest)) {
    outside = std::max<int64_t>(wanted, 0);
    inside = std::min<int64_t>(wanted, 0);
  }
  if (isEmpty(border))
    return pad(slice(get(value, tile), halo), Halo{}, channelPads);
  if (padValue != 0)
    return pad(slice(get(value, tile, padValue), halo), Halo{}, channelPads);
  return pad(slice(get(value, tile), rest), border, channelPads);
}

Value PackedValues::getFolded(Value value, int64_t tile, const WindowFold &fold,
                              ArrayRef<int64_t> pads, int8_t padValue) {
  value = lookThrough(value);
  Value plain = getPlain(value);
  ArrayRef<int64_t> image = shapeOf(plain).take_back(2);
  Halo halo{pads[0], pads[1]};
  for (unsigned axis = 0; axis < 2; ++axis)
    halo[axis + 2] = std::max<int64_t>(
        fold.sourceExtents[axis] - image[axis] - halo[axis], 0);
  Value packed = b.createOrFold<PackOp>(
      plain, ArrayRef<int64_t>{tiles.batch, tile}, ArrayRef<int64_t>(halo),
      padValue, fold.taps, fold.steps, fold.tapDistances);
  assignToHost(packed.getDefiningOp(), getKernelName(value) + ":pack");
  // Behind the last window there may be more of the image.
  SmallVector<int64_t> sizes(shapeOf(packed));
  sizes[2] = fold.extents[0];
  sizes[3] = fold.extents[1];
  if (shapeOf(packed) == ArrayRef<int64_t>(sizes))
    return packed;
  return tensor::ExtractSliceOp::create(
      b, packed, SmallVector<OpFoldResult>(6, b.getIndexAttr(0)),
      getAsIndexOpFoldResult(b.getContext(), sizes),
      SmallVector<OpFoldResult>(6, b.getIndexAttr(1)));
}

/// Surrounds a packed tensor with zeros.
Value PackedValues::pad(Value packed, const Halo &border,
                        std::array<int64_t, 2> channelPads) {
  if (isEmpty(border) && channelPads == std::array<int64_t, 2>{})
    return packed;
  SmallVector<int64_t> low{0, channelPads[0], border[0], border[1], 0, 0},
      high{0, channelPads[1], border[2], border[3], 0, 0},
      shape(shapeOf(packed));
  for (auto [size, before, after] : llvm::zip(shape, low, high))
    size += before + after;
  auto type = typeOf(packed);
  Value zero =
      arith::ConstantOp::create(b, b.getZeroAttr(type.getElementType()));
  return tensor::PadOp::create(
      b, type.clone(shape), packed, getAsIndexOpFoldResult(b.getContext(), low),
      getAsIndexOpFoldResult(b.getContext(), high), zero);
}

PackedValues::Packed
PackedValues::createDestination(Value value, ArrayRef<int64_t> channelBlocks) {
  int8_t padValue = getPadValue(value, tiles.blockOut).value_or(0);
  auto type = typeOf(value);
  SmallVector<int64_t> form = getForm(type.getShape());
  Halo halo = form.size() == 3 ? getTail(form)
                               : getHalo(value, tiles.blockOut, padValue);
  SmallVector<int64_t> packed = getPackedShape(type.getShape(), tiles.blockOut),
                       packedShape{packed.front()};
  llvm::append_range(packedShape, channelBlocks);
  llvm::append_range(packedShape,
                     ArrayRef<int64_t>{packed[2] + halo[0] + halo[2],
                                       packed[3] + halo[1] + halo[3],
                                       tiles.batch, tiles.blockOut});
  return {tensor::EmptyOp::create(b, packedShape, type.getElementType()), halo,
          padValue};
}

/// The packed tensor with one axis of channel blocks.
static Value joinSections(ImplicitLocOpBuilder &b, Value packed) {
  SmallVector<int64_t> shape(shapeOf(packed));
  if (shape.size() == 6)
    return packed;
  shape[1] *= shape[2];
  shape.erase(shape.begin() + 2);
  return ReshapeOp::create(b, typeOf(packed).clone(shape), packed);
}

void PackedValues::createResult(Value value, ArrayRef<int64_t> channelBlocks,
                                llvm::function_ref<Value(Value)> compute,
                                KernelTagger &tagger) {
  Packed packed = createDestination(value, channelBlocks);
  if (isEmpty(packed.halo)) {
    packed.value = joinSections(b, compute(packed.value));
    all[{value, tiles.blockOut}] = {packed};
    return;
  }
  // The kernel writes the interior of a buffer whose border is already there.
  // Nobody cares for what is behind the last position of a sequence.
  if (getForm(shapeOf(value)).size() != 3) {
    PlacementAttr placement = std::exchange(tagger.placement, PlacementAttr());
    Value pad =
        arith::ConstantOp::create(b, b.getI8IntegerAttr(packed.padValue));
    auto fill = linalg::FillOp::create(b, pad, packed.value);
    assignToHost(fill, placement.getKernel().getValue() + ":halo");
    tagger.placement = placement;
    packed.value = fill.getResult(0);
  }
  Value interior = slice(packed, Halo{});
  auto place = interior.getDefiningOp<tensor::ExtractSliceOp>();
  packed.value = tensor::InsertSliceOp::create(
      b, compute(interior), packed.value, place.getMixedOffsets(),
      place.getMixedSizes(), place.getMixedStrides());
  packed.value = joinSections(b, packed.value);
  all[{value, tiles.blockOut}] = {packed};
}

void PackedValues::fillHalo(Packed &packed) {
  if (isEmpty(packed.halo))
    return;
  Value pad = arith::ConstantOp::create(b, b.getI8IntegerAttr(packed.padValue));
  packed.value = linalg::FillOp::create(b, pad, packed.value).getResult(0);
}

LogicalResult PackedValues::createLookup(LookupOp op) {
  Value value = op.getResult(), input = lookThrough(op.getInput());
  if (shapeOf(op.getTable())[0] != 1 || !all.contains({input, tiles.blockOut}))
    return op.emitOpError("cannot look up in a packed tensor: the input is not "
                          "packed, or the table is one of each channel");
  Value interior = getInterior(input, tiles.blockOut);
  Value result =
      LookupOp::create(b, interior.getType(), interior, op.getTable());
  Packed packed = createDestination(value, shapeOf(interior)[1]);
  if (isEmpty(packed.halo)) {
    packed.value = result;
  } else {
    fillHalo(packed);
    SmallVector<int64_t> offsets{0, 0, packed.halo[0], packed.halo[1], 0, 0};
    packed.value = tensor::InsertSliceOp::create(
        b, result, packed.value,
        getAsIndexOpFoldResult(b.getContext(), offsets),
        getAsIndexOpFoldResult(b.getContext(), shapeOf(result)),
        SmallVector<OpFoldResult>(6, b.getIndexAttr(1)));
  }
  all[{value, tiles.blockOut}] = {packed};
  return success();
}

LogicalResult PackedValues::createConcat(ConcatOp op) {
  Value value = op.getResult();
  Packed packed = createDestination(
      value, llvm::divideCeilSigned(shapeOf(value)[1], tiles.blockOut));
  fillHalo(packed);
  int64_t channels = 0;
  for (Value input : op.getInputs()) {
    if (channels % tiles.blockOut != 0 ||
        !all.contains({input, tiles.blockOut}))
      return op.emitOpError(
                 "cannot concatenate packed tensors: input starts at "
                 "channel ")
             << channels << " or is not packed";
    Value interior = getInterior(input, tiles.blockOut);
    SmallVector<int64_t> offsets{
        0, channels / tiles.blockOut, packed.halo[0], packed.halo[1], 0, 0};
    packed.value = tensor::InsertSliceOp::create(
        b, interior, packed.value,
        getAsIndexOpFoldResult(b.getContext(), offsets),
        getAsIndexOpFoldResult(b.getContext(), shapeOf(interior)),
        SmallVector<OpFoldResult>(6, b.getIndexAttr(1)));
    channels += shapeOf(input)[1];
  }
  all[{value, tiles.blockOut}] = {packed};
  return success();
}

Value PackedValues::getUnpacked(Value value) {
  if (Value plain = unpacked.lookup(value))
    return plain;
  auto it = all.find({value, tiles.blockOut});
  Operation *producer = value.getDefiningOp();
  if (it == all.end() || !producer ||
      !(isAccelerated(producer) || isPackedOnHost(producer)))
    return {};
  const Packed &packed = it->second.front();
  // Where every reader, before or after the current one, can use it.
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointAfterValue(packed.value);
  auto type = typeOf(value);
  SmallVector<int64_t> shape = getForm(type.getShape());
  Value plain = UnpackOp::create(b, type.clone(shape), packed.value,
                                 ArrayRef<int64_t>(packed.halo));
  assignToHost(plain.getDefiningOp(), getKernelName(value) + ":unpack");
  if (type.getShape() != ArrayRef<int64_t>(shape))
    plain = ReshapeOp::create(b, type, plain);
  unpacked[value] = plain;
  return plain;
}
