//===- PackedValues.cpp - Tensors in the accelerator's layout -------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/VTA/Graph/PackedValues.h"

#include "dialects/TE/TEDialect.h"
#include "passes/VTA/Graph/WindowFold.h"
#include "passes/VTA/Graph/WindowPads.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace acc::graph;
using namespace acc::vta;

ConfigAttr acc::vta::getAccelerator(Operation *op) {
  PlacementAttr placement = getPlacement(op);
  return placement ? dyn_cast_if_present<ConfigAttr>(placement.getTarget())
                   : ConfigAttr();
}

bool acc::vta::isPackedOnHost(Operation *op) {
  return mlir::isa<ConcatOp, LookupOp>(op) && !isAccelerated(op) &&
         op->hasAttr(GraphDialect::kPacked);
}

bool acc::vta::isPackedMove(Operation *op) {
  return isa_and_present<SliceOp, GatherOp, TransposeOp>(op) &&
         !isAccelerated(op) && op->hasAttr(GraphDialect::kPacked);
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

void PackedValues::assignToHost(Operation *op, const Twine &name,
                                const Twine &reason) {
  // What folds is no operation of its own.
  if (!isa_and_present<PackOp, UnpackOp, GatherOp, TransposeOp, linalg::FillOp>(
          op) ||
      getKernel(op))
    return;
  std::string text = reason.str();
  op->setAttr(
      GraphDialect::kPlacement,
      PlacementAttr::get(b.getContext(), makeKernelName(name),
                         acc::te::HostAttr::get(b.getContext()),
                         text.empty() ? StringAttr() : b.getStringAttr(text)));
}

std::string PackedValues::explainPack(Value value) const {
  auto isComputed = [](Value candidate) {
    Operation *producer = candidate.getDefiningOp();
    return producer && isAccelerated(producer);
  };
  Value source = value;
  while (Operation *producer = source.getDefiningOp()) {
    if (!isReshape(producer) && !mlir::isa<TransposeOp>(producer))
      break;
    source = producer->getOperand(0);
  }
  if (!isComputed(source))
    return "";
  if (tiles.blockIn != tiles.blockOut)
    return ("converts blocks of " + Twine(tiles.blockOut) +
            " channels, in which it is computed, to blocks of " +
            Twine(tiles.blockIn) +
            ", in which it is multiplied: BLOCK_IN and BLOCK_OUT alike would "
            "do")
        .str();
  if (lookThrough(value) != lookThrough(source))
    return ("moves positions and channels of sequences: heads of a multiple "
            "of " +
            Twine(tiles.blockIn) +
            " channels, of one sequence at a time, stay where they are")
        .str();
  return ("fills incomplete tiles with zeros, since another computed tensor "
          "multiplies them: a multiple of " +
          Twine(tiles.blockIn) + " channels would do")
      .str();
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

void PackedValues::forEachReader(Value value, int64_t tile,
                                 ReaderCallback callback) const {
  forEachMember(findRoot(value), [&](Value member) {
    forEachOwnReader(member, tile, callback);
  });
}

void PackedValues::forEachOwnReader(Value value, int64_t tile,
                                    ReaderCallback callback) const {
  for (Operation *user : value.getUsers()) {
    if (isReshape(user) && lookThrough(user->getResult(0)) == value)
      forEachOwnReader(user->getResult(0), tile, callback);
    // A shuffle of channels begins with a reshape.
    if (isReshape(user))
      for (Operation *transpose : user->getResult(0).getUsers())
        if (isPackedMove(transpose))
          for (Operation *end : transpose->getResult(0).getUsers())
            if (isReshape(end))
              forEachOwnReader(end->getResult(0), tile, callback);
    if (isPackedMove(user) && !mlir::isa<TransposeOp>(user))
      forEachOwnReader(user->getResult(0), tile, callback);
    if (!isAccelerated(user))
      continue;
    auto visit = [&](ArrayRef<int64_t> pads, int8_t padValue, int64_t wanted) {
      if (wanted == tile && pads.size() == 4)
        callback({pads[0], pads[1], pads[2], pads[3]}, padValue);
    };
    auto conv = dyn_cast<ConvIntegerOp>(user);
    if (conv && conv->hasAttr(VTADialect::kWindow) && tiles.window != 0) {
      WindowPads around(conv, tiles.window);
      for (int64_t &size : around.pads)
        size = std::max<int64_t>(size, 0);
      visit(around.pads, around.value, tiles.blockIn);
    } else if (conv) {
      visit(conv.getPads(), conv.getPadValue(), tiles.blockIn);
    } else if (auto pool = dyn_cast<MaxPoolOp>(user)) {
      visit(pool.getPads(), int8_t(tiles.getLeastInput()), tiles.blockOut);
    }
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

Lanes PackedValues::getOrder(Value value, int64_t tile) const {
  SmallVector<int64_t> form = getForm(shapeOf(value));
  return Lanes::inOrder(form.size() == 3 ? form[2] : form[1], tile);
}

const PackedValues::Packed &PackedValues::get(Value value, int64_t tile,
                                              std::optional<int8_t> padValue) {
  value = lookThrough(value);
  const Packed *other = nullptr;
  for (const std::unique_ptr<Packed> &form : all[{value, tile}]) {
    if (!padValue || form->padValue == *padValue)
      return *form;
    other = form.get();
  }
  auto add = [&](Packed packed) -> const Packed & {
    auto &forms = all[{value, tile}];
    forms.push_back(std::make_unique<Packed>(std::move(packed)));
    return *forms.back();
  };
  SmallVector<int64_t> shape = getForm(shapeOf(value));
  if (shape.size() == 3)
    if (std::optional<Packed> known = findSequences(value, tile))
      return add(*known);
  std::optional<ChannelMove> move = findMove(value);
  if (move && tile == tiles.blockOut)
    return add(view(get(move->source, tile, padValue), move->channels, tile));
  if (!padValue)
    padValue = getPadValue(value, tile).value_or(0);
  Halo halo =
      shape.size() == 3 ? getTail(shape) : getHalo(value, tile, *padValue);
  Operation *producer = value.getDefiningOp();
  bool isComputed =
      producer && (isAccelerated(producer) || isPackedOnHost(producer));
  if (other && isComputed && shape.size() == 4 && tile == tiles.blockOut)
    return add(copy(*other, value, other->lanes, halo, *padValue));
  Value packed = b.createOrFold<PackOp>(getPlain(value),
                                        ArrayRef<int64_t>{tiles.batch, tile},
                                        ArrayRef<int64_t>(halo), *padValue);
  assignToHost(packed.getDefiningOp(), getKernelName(value) + ":pack",
               explainPack(value));
  return add({packed, halo, *padValue, getOrder(value, tile)});
}

/// The part of `packed` that has `halo` around the image.
Value PackedValues::slice(const Packed &packed, const Halo &halo) {
  SmallVector<int64_t> sizes(shapeOf(packed.value)), offsets(sizes.size(), 0);
  int64_t blocks = packed.lanes.size() / sizes.back();
  bool isWhole = sizes.size() != 6 || blocks == sizes[1];
  if (packed.halo == halo && isWhole)
    return packed.value;
  if (!isWhole) {
    offsets[1] = packed.firstBlock;
    sizes[1] = blocks;
  }
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

/// Pads as rows and columns that are added, and those that are cut off.
static std::pair<Halo, Halo> splitPads(ArrayRef<int64_t> pads) {
  Halo border{}, rest{};
  for (auto [wanted, outside, inside] : llvm::zip(pads, border, rest)) {
    outside = std::max<int64_t>(wanted, 0);
    inside = std::min<int64_t>(wanted, 0);
  }
  return {border, rest};
}

const PackedValues::Packed &PackedValues::select(Value value, int64_t tile,
                                                 ArrayRef<int64_t> pads,
                                                 int8_t padValue) {
  if (SliceOp slice = getView(value))
    return select(slice.getInput(), tile, {}, 0);
  bool isPadded = !isEmpty(splitPads(pads).first) && padValue != 0;
  return isPadded ? get(value, tile, padValue) : get(value, tile);
}

const Lanes &PackedValues::getLanes(Value value, int64_t tile,
                                    ArrayRef<int64_t> pads, int8_t padValue) {
  return select(value, tile, pads, padValue).lanes;
}

Value PackedValues::getInterior(Value value, int64_t tile,
                                const Lanes *wanted) {
  if (Value part = getViewed(value, tile, wanted))
    return part;
  const Packed &packed = get(value, tile);
  if (!wanted || packed.lanes == *wanted)
    return slice(packed, Halo{});
  value = lookThrough(value);
  for (const std::unique_ptr<Packed> &form : all[{value, tile}])
    if (form->lanes == *wanted)
      return slice(*form, Halo{});
  Packed copied = copy(packed, value, *wanted, Halo{}, /*padValue=*/0);
  auto &forms = all[{value, tile}];
  forms.push_back(std::make_unique<Packed>(std::move(copied)));
  return slice(*forms.back(), Halo{});
}

Value PackedValues::getPadded(Value value, int64_t tile, ArrayRef<int64_t> pads,
                              int8_t padValue,
                              std::array<int64_t, 2> channelPads) {
  auto [border, rest] = splitPads(pads);
  if (Value part = getViewed(value, tile)) {
    Packed cut{part, Halo{}, 0, Lanes::inOrder(shapeOf(part)[1] * tile, tile)};
    return pad(slice(cut, rest), border, channelPads);
  }
  const Packed &packed = select(value, tile, pads, padValue);
  if (isEmpty(border) || padValue != 0) {
    Halo halo{pads[0], pads[1], pads[2], pads[3]};
    return pad(slice(packed, halo), Halo{}, channelPads);
  }
  return pad(slice(packed, rest), border, channelPads);
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

Value PackedValues::createEmpty(Value value, ArrayRef<int64_t> channelBlocks,
                                const Halo &halo) {
  auto type = typeOf(value);
  SmallVector<int64_t> packed = getPackedShape(type.getShape(), tiles.blockOut),
                       shape{packed.front()};
  llvm::append_range(shape, channelBlocks);
  llvm::append_range(shape, ArrayRef<int64_t>{packed[2] + halo[0] + halo[2],
                                              packed[3] + halo[1] + halo[3],
                                              tiles.batch, tiles.blockOut});
  return tensor::EmptyOp::create(b, shape, type.getElementType());
}

PackedValues::Packed
PackedValues::createDestination(Value value, const Lanes &lanes,
                                ArrayRef<int64_t> channelBlocks,
                                std::optional<int8_t> wanted) {
  int8_t padValue =
      wanted ? *wanted : getPadValue(value, tiles.blockOut).value_or(0);
  SmallVector<int64_t> form = getForm(shapeOf(value));
  Halo halo = form.size() == 3 ? getTail(form)
                               : getHalo(value, tiles.blockOut, padValue);
  return {createEmpty(value, channelBlocks, halo), halo, padValue, lanes};
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

void PackedValues::createResult(Value value, const Lanes &lanes,
                                ArrayRef<int64_t> channelBlocks,
                                llvm::function_ref<Value(Value)> compute) {
  if (storePart(value, lanes, channelBlocks, compute))
    return;
  Packed packed = createDestination(value, lanes, channelBlocks);
  // Nobody cares for what is behind the last position of a sequence.
  write(packed, getForm(shapeOf(value)).size() != 3, compute);
  all[{value, tiles.blockOut}].push_back(
      std::make_unique<Packed>(std::move(packed)));
}

void PackedValues::fillBorder(Packed &packed, StringRef kernel) {
  PlacementAttr placement = std::exchange(tagger.placement, PlacementAttr());
  Value pad = arith::ConstantOp::create(b, b.getI8IntegerAttr(packed.padValue));
  auto fill = linalg::FillOp::create(b, pad, packed.value);
  assignToHost(fill, kernel + ":halo");
  tagger.placement = placement;
  packed.value = fill.getResult(0);
}

void PackedValues::write(Packed &packed, bool hasBorder,
                         llvm::function_ref<Value(Value)> compute) {
  if (isEmpty(packed.halo)) {
    packed.value = joinSections(b, compute(packed.value));
    return;
  }
  // The kernel writes the interior of a buffer whose border is already there.
  if (hasBorder)
    fillBorder(packed, tagger.placement.getKernel().getValue());
  SmallVector<int64_t> sizes(shapeOf(packed.value)), offsets(sizes.size(), 0);
  for (unsigned axis = 0, rows = sizes.size() - 4; axis < 2; ++axis) {
    offsets[rows + axis] = packed.halo[axis];
    sizes[rows + axis] -= packed.halo[axis] + packed.halo[axis + 2];
  }
  SmallVector<OpFoldResult> begin =
                                getAsIndexOpFoldResult(b.getContext(), offsets),
                            extent =
                                getAsIndexOpFoldResult(b.getContext(), sizes),
                            steps(sizes.size(), b.getIndexAttr(1));
  Value interior =
      tensor::ExtractSliceOp::create(b, packed.value, begin, extent, steps);
  packed.value = tensor::InsertSliceOp::create(
      b, compute(interior), packed.value, begin, extent, steps);
  packed.value = joinSections(b, packed.value);
}

void PackedValues::fillHalo(Packed &packed) {
  if (isEmpty(packed.halo))
    return;
  Value pad = arith::ConstantOp::create(b, b.getI8IntegerAttr(packed.padValue));
  packed.value = linalg::FillOp::create(b, pad, packed.value).getResult(0);
}

LogicalResult PackedValues::createLookup(LookupOp op) {
  Value value = op.getResult(), input = lookThrough(op.getInput());
  bool isPacked = findMove(input) || all.contains({input, tiles.blockOut});
  if (shapeOf(op.getTable())[0] != 1 || !isPacked)
    return op.emitOpError("cannot look up in a packed tensor: the input is not "
                          "packed, or the table is one of each channel");
  Value interior = getInterior(input, tiles.blockOut);
  Value result =
      LookupOp::create(b, interior.getType(), interior, op.getTable(),
                       op.getInputScaleAttr(), op.getInputZeroPointAttr());
  Packed packed = createDestination(value, getLanes(input, tiles.blockOut),
                                    shapeOf(interior)[1]);
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
  all[{value, tiles.blockOut}].push_back(
      std::make_unique<Packed>(std::move(packed)));
  return success();
}
