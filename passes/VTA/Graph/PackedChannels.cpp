//===- PackedChannels.cpp - Channels that are joined, chosen or permuted --===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What chooses or permutes channels is another name for the lanes of a tensor,
// and readers follow with their constants. A concatenation is a kernel that
// puts its operands side by side, each in whole blocks of lanes.
// vta-join-buffers takes it away where its operands can be computed there at
// once, which needs operands that have the halo of the result and lie in no
// other concatenation. Others are copied: a product with weights that are zero
// and one, in any order of channels.
//
//===----------------------------------------------------------------------===//

#include "passes/VTA/Graph/ChannelBlocks.h"
#include "passes/VTA/Graph/PackedValues.h"

#include "dialects/Graph/Constants.h"
#include "dialects/TE/TEDialect.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace acc::graph;
using namespace acc::vta;

std::optional<ChannelMove> PackedValues::findMove(Value value) const {
  Operation *op = value.getDefiningOp();
  if (auto reshape = dyn_cast_if_present<ReshapeOp>(op))
    op = reshape.getInput().getDefiningOp();
  if (!isPackedMove(op))
    return std::nullopt;
  return findChannelMove(value);
}

Value PackedValues::findBase(Value value) const {
  value = lookThrough(value);
  while (std::optional<ChannelMove> move = findMove(value))
    value = lookThrough(move->source);
  return value;
}

ConcatOp PackedValues::findJoin(Value base) const {
  auto [known, isNew] = joins.try_emplace(base, nullptr);
  if (!isNew)
    return cast_or_null<ConcatOp>(known->second);
  ConcatOp first;
  // All names of all channels of the tensor.
  SmallVector<Value> names{base};
  auto addName = [&](Value value) {
    if (lookThrough(value) == value && shapeOf(value).size() == 4 &&
        shapeOf(value)[1] == shapeOf(base)[1])
      names.push_back(value);
  };
  while (!names.empty())
    for (Operation *user : names.pop_back_val().getUsers()) {
      if (auto concat = dyn_cast<ConcatOp>(user);
          concat && isPackedOnHost(user)) {
        if (!first || user->isBeforeInBlock(first))
          first = concat;
      } else if (isPackedMove(user) && !mlir::isa<TransposeOp>(user)) {
        addName(user->getResult(0));
      } else if (isReshape(user)) {
        for (Operation *transpose : user->getResult(0).getUsers())
          if (isPackedMove(transpose))
            for (Operation *end : transpose->getResult(0).getUsers())
              if (isReshape(end) && findMove(end->getResult(0)))
                addName(end->getResult(0));
      }
    }
  joins[base] = first;
  return first;
}

Value PackedValues::findRoot(Value value) const {
  Value base = findBase(value);
  while (ConcatOp join = findJoin(base))
    base = join.getResult();
  return base;
}

void PackedValues::forEachMember(
    Value root, llvm::function_ref<void(Value)> callback) const {
  callback(root);
  auto concat = root.getDefiningOp<ConcatOp>();
  if (!concat || !isPackedOnHost(concat))
    return;
  for (Value input : concat.getInputs())
    if (Value base = findBase(input); findJoin(base) == concat)
      forEachMember(base, callback);
}

PackedValues::Packed PackedValues::view(Packed packed,
                                        ArrayRef<int64_t> channels,
                                        int64_t tile) const {
  Lanes lanes = packed.lanes.rename(channels);
  auto [first, count] = lanes.getUsedBlocks(tile);
  packed.firstBlock += first;
  packed.lanes = lanes.slice(first, count, tile);
  return packed;
}

PackedValues::Packed PackedValues::copy(const Packed &from, Value value,
                                        const Lanes &lanes, const Halo &halo,
                                        int8_t padValue) {
  if (!canMultiply(1))
    return copyOnHost(value, lanes, halo, padValue);
  PlacementAttr placement = tagger.placement;
  StringAttr name = makeKernelName(getKernelName(value) + ":channels");
  tagger.placement =
      PlacementAttr::get(b.getContext(), name, accelerator, StringAttr());
  Value acc = multiply(from, value, lanes, /*factor=*/1, /*anySections=*/true);
  Packed result{
      createEmpty(value, shapeOf(acc).drop_front().drop_back(4), halo), halo,
      padValue, lanes};
  write(result, /*hasBorder=*/true,
        [&](Value target) { return steps.narrow(acc, target); });
  tagger.placement = placement;
  return result;
}

Value PackedValues::multiply(const Packed &from, Value value,
                             const Lanes &lanes, int8_t factor,
                             bool anySections) {
  // A convolution of each channel by itself.
  int64_t count = shapeOf(value)[1];
  auto type = RankedTensorType::get({count, 1, 1, 1}, b.getI8Type());
  Value factors = ConstantOp::create(
      b, type, makeElements(type, [&](MutableArrayRef<char> bytes) {
        llvm::fill(bytes, char(factor));
      }));
  ConvolutionChannels channels{count, count, count, from.lanes, lanes};
  ChannelBlocks blocks = findChannelBlocks(channels, tiles, anySections);
  Value weight =
      b.createOrFold<PackOp>(spreadWeights(b, factors, channels, blocks, tiles),
                             ArrayRef<int64_t>{tiles.blockOut, tiles.blockIn});
  weight = narrowWeights(b, weight, tiles.weightBits);
  Value input = pad(slice(from, Halo{}), Halo{}, {blocks.low, blocks.high});
  SmallVector<int64_t> shape = getPackedShape(shapeOf(value), tiles.blockOut);
  shape[1] = blocks.outputs;
  if (blocks.sections > 1)
    shape.insert(shape.begin() + 1, blocks.sections);
  return steps.convolution(input, weight, blocks, shape, {1, 1}, {1, 1});
}

bool PackedValues::canMultiply(int32_t factor) const {
  return tiles.blockIn == tiles.blockOut &&
         llvm::isIntN(tiles.weightBits, factor);
}

Value PackedValues::getMultiplied(Value value, const Lanes &lanes,
                                  int8_t factor, bool anySections) {
  value = lookThrough(value);
  return multiply(get(value, tiles.blockOut), value, lanes, factor,
                  anySections);
}

PackedValues::Packed PackedValues::copyOnHost(Value value, const Lanes &lanes,
                                              const Halo &halo,
                                              int8_t padValue) {
  PlacementAttr placement = std::exchange(tagger.placement, PlacementAttr());
  Value plain = getPlain(value);
  // Lanes that nobody reads hold any channel.
  SmallVector<int64_t> order;
  for (int64_t channel : lanes.get())
    order.push_back(std::max<int64_t>(channel, 0));
  auto indices = RankedTensorType::get(int64_t(order.size()), b.getI64Type());
  Value gathered = GatherOp::create(
      b, plain,
      ConstantOp::create(b, indices,
                         DenseElementsAttr::get(indices, ArrayRef(order))),
      /*axis=*/1);
  Value packed = PackOp::create(b, gathered,
                                ArrayRef<int64_t>{tiles.batch, tiles.blockOut},
                                ArrayRef<int64_t>(halo), padValue);
  assignToHost(packed.getDefiningOp(), getKernelName(value) + ":pack",
               "puts channels into another order, which the matrix unit does "
               "where BLOCK_IN and BLOCK_OUT are alike");
  gathered.getDefiningOp()->setAttr(GraphDialect::kPlacement,
                                    getPlacement(packed.getDefiningOp()));
  tagger.placement = placement;
  return {packed, halo, padValue, lanes};
}

FailureOr<Lanes> PackedValues::getWantedLanes(ConcatOp op, int64_t first,
                                              int64_t channels) const {
  auto chosen = op->getAttrOfType<DenseI64ArrayAttr>(VTADialect::kLanes);
  if (!chosen)
    return Lanes();
  Lanes all(llvm::to_vector(chosen.asArrayRef())),
      wanted = all.take(first, channels, tiles.blockOut);
  if (!wanted.hold(channels))
    return op.emitOpError("has ")
           << VTADialect::kLanes << ", which must hold the " << channels
           << " channels from " << first << " on once, in whole blocks of "
           << tiles.blockOut;
  return wanted;
}

LogicalResult PackedValues::createConcat(ConcatOp op) {
  Value value = op.getResult();
  int64_t tile = tiles.blockOut;
  if (shapeOf(value).size() != 4 || op.getAxis() != 1)
    return op.emitOpError("cannot concatenate packed tensors: not images along "
                          "their channels");
  int8_t padValue = getPadValue(value, tile).value_or(0);
  Halo halo = getHalo(value, tile, padValue);
  // Operands lie in one piece if there is one tile of images; else the
  // accelerator copies them all.
  bool isInPieces =
      getPackedShape(shapeOf(value), tile)[0] > 1 && canMultiply(1);
  Lanes lanes;
  SmallVector<Packed> parts;
  int64_t channels = 0;
  for (Value input : op.getInputs()) {
    FailureOr<Lanes> wanted = getWantedLanes(op, channels, shapeOf(input)[1]);
    if (failed(wanted))
      return failure();
    Packed part = get(input, tile);
    bool isBorder =
        part.halo == halo && (halo == Halo{} || part.padValue == padValue);
    bool isAlone = findJoin(findBase(input)) == op &&
                   part.lanes.size() == shapeOf(part.value)[1] * tile &&
                   llvm::none_of(parts, [&](const Packed &other) {
                     return other.value == part.value;
                   });
    Lanes order = part.lanes;
    if (!isAlone)
      order = wanted->size() > 0 ? *wanted : part.lanes.compact(tile);
    if (!isInPieces && !(isAlone && isBorder))
      part = copy(part, lookThrough(input), order, halo, padValue);
    parts.push_back(std::move(part));
    lanes.append(order, channels);
    channels += shapeOf(input)[1];
  }
  Packed joined{createEmpty(value, lanes.size() / tile, halo), halo, padValue,
                std::move(lanes)};
  if (isInPieces)
    joinCopies(joined, op, parts);
  else
    joinParts(joined, parts);
  all[{value, tile}].push_back(std::make_unique<Packed>(std::move(joined)));
  return success();
}

/// Puts packed tensors, borders included, into the blocks of another.
void PackedValues::joinParts(Packed &joined, ArrayRef<Packed> parts) {
  int64_t block = 0;
  for (const Packed &part : parts) {
    SmallVector<OpFoldResult> offsets(6, b.getIndexAttr(0)),
        steps(6, b.getIndexAttr(1));
    offsets[1] = b.getIndexAttr(block);
    joined.value = tensor::InsertSliceOp::create(
        b, part.value, joined.value, offsets,
        getAsIndexOpFoldResult(b.getContext(), shapeOf(part.value)), steps);
    block += shapeOf(part.value)[1];
  }
}

/// The same by kernels of the accelerator, each of which writes the interior of
/// the blocks of one operand.
void PackedValues::joinCopies(Packed &joined, ConcatOp op,
                              ArrayRef<Packed> parts) {
  PlacementAttr placement = tagger.placement;
  if (joined.halo != Halo{})
    fillBorder(joined, getKernelName(op.getResult()));
  int64_t channels = 0, block = 0;
  for (auto [input, part] : llvm::zip(op.getInputs(), parts)) {
    int64_t count = shapeOf(input)[1];
    Lanes order = joined.lanes.take(channels, count, tiles.blockOut);
    StringAttr name =
        makeKernelName(getKernelName(op.getResult()) + ":channels");
    tagger.placement =
        PlacementAttr::get(b.getContext(), name, accelerator, StringAttr());
    Value acc = multiply(part, lookThrough(input), order, /*factor=*/1,
                         /*anySections=*/false);
    SmallVector<int64_t> sizes(shapeOf(acc));
    SmallVector<OpFoldResult> offsets = getAsIndexOpFoldResult(
        b.getContext(), {0, block, joined.halo[0], joined.halo[1], 0, 0});
    SmallVector<OpFoldResult> extent =
                                  getAsIndexOpFoldResult(b.getContext(), sizes),
                              steps(6, b.getIndexAttr(1));
    Value place =
        tensor::ExtractSliceOp::create(b, joined.value, offsets, extent, steps);
    joined.value =
        tensor::InsertSliceOp::create(b, this->steps.narrow(acc, place),
                                      joined.value, offsets, extent, steps);
    channels += count;
    block += order.size() / tiles.blockOut;
  }
  tagger.placement = placement;
}

Value PackedValues::unpack(const Packed &packed, Value value) {
  auto type = typeOf(value);
  SmallVector<int64_t> shape = getForm(type.getShape());
  if (packed.lanes.areInOrder() &&
      packed.lanes.size() == shapeOf(packed.value)[1] * tiles.blockOut) {
    Value plain = UnpackOp::create(b, type.clone(shape), packed.value,
                                   ArrayRef<int64_t>(packed.halo));
    assignToHost(plain.getDefiningOp(), getKernelName(value) + ":unpack");
    return plain;
  }
  SmallVector<int64_t> all(shape);
  all[1] = shapeOf(packed.value)[1] * tiles.blockOut;
  Value plain = UnpackOp::create(b, type.clone(all), packed.value,
                                 ArrayRef<int64_t>(packed.halo));
  assignToHost(plain.getDefiningOp(), getKernelName(value) + ":unpack");
  SmallVector<int64_t> places = packed.lanes.getPlaces(shape[1]);
  for (int64_t &place : places)
    place += packed.firstBlock * tiles.blockOut;
  auto indices = RankedTensorType::get(shape[1], b.getI64Type());
  Value chosen = GatherOp::create(
      b, plain,
      ConstantOp::create(b, indices,
                         DenseElementsAttr::get(indices, ArrayRef(places))),
      /*axis=*/1);
  chosen.getDefiningOp()->setAttr(GraphDialect::kPlacement,
                                  getPlacement(plain.getDefiningOp()));
  return chosen;
}

Value PackedValues::getUnpacked(Value value) {
  if (Value plain = unpacked.lookup(value))
    return plain;
  auto it = all.find({value, tiles.blockOut});
  Operation *producer = value.getDefiningOp();
  if (it == all.end() || it->second.empty() || !producer ||
      !(isAccelerated(producer) || isPackedOnHost(producer)))
    return {};
  const Packed &packed = *it->second.front();
  // Where every reader, before or after the current one, can use it.
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointAfterValue(packed.value);
  Value plain = unpack(packed, value);
  if (shapeOf(plain) != shapeOf(value))
    plain = ReshapeOp::create(b, typeOf(value), plain);
  unpacked[value] = plain;
  return plain;
}
