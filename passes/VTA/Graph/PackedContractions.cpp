//===- PackedContractions.cpp - Convolutions and products -----------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/VTA/Graph/LayoutRewriter.h"
#include "passes/VTA/Graph/WindowFold.h"

#include "dialects/Graph/Constants.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace acc;
using namespace acc::graph;
using namespace acc::vta;

Value LayoutRewriter::createWeight(Value weight, ArrayRef<int64_t> shape) {
  if (shapeOf(weight) != shape)
    weight = b.createOrFold<ReshapeOp>(typeOf(weight).clone(shape), weight);
  Value packed = b.createOrFold<PackOp>(
      weight, ArrayRef<int64_t>{tiles.blockOut, tiles.blockIn});
  return narrowWeights(b, packed, tiles.weightBits);
}

LogicalResult LayoutRewriter::refuseWeights(Operation *op) {
  return op->emitOpError("weights are not constants of ")
         << tiles.weightBits << " bits, which the accelerator has";
}

Value LayoutRewriter::skipUnread(Value input, ArrayRef<int64_t> weight,
                                 MutableArrayRef<int64_t> strides) {
  SmallVector<int64_t> sizes(shapeOf(input)), steps(6, 1);
  for (unsigned axis = 0; axis < 2; ++axis) {
    if (weight[axis + 2] != 1 || input.getDefiningOp<tensor::PadOp>())
      continue;
    steps[axis + 2] = std::exchange(strides[axis], 1);
    sizes[axis + 2] = llvm::divideCeilSigned(sizes[axis + 2], steps[axis + 2]);
  }
  if (llvm::all_of(steps, [](int64_t step) { return step == 1; }))
    return input;
  return tensor::ExtractSliceOp::create(
      b, input, SmallVector<OpFoldResult>(6, b.getIndexAttr(0)),
      getAsIndexOpFoldResult(b.getContext(), sizes),
      getAsIndexOpFoldResult(b.getContext(), steps));
}

FailureOr<Lanes> LayoutRewriter::getResultLanes(Operation *op) {
  int64_t channels = shapeOf(op->getResult(0))[1];
  auto chosen = op->getAttrOfType<DenseI64ArrayAttr>(VTADialect::kLanes);
  if (!chosen)
    return Lanes::inOrder(channels, tiles.blockOut);
  Lanes lanes(llvm::to_vector(chosen.asArrayRef()));
  if (lanes.size() == 0 || lanes.size() % tiles.blockOut != 0 ||
      !lanes.hold(channels))
    return op->emitOpError("has ")
           << VTADialect::kLanes << ", which must hold each of " << channels
           << " channels once in whole blocks of " << tiles.blockOut;
  return lanes;
}

LogicalResult LayoutRewriter::setBiased(Operation *op, Value acc,
                                        const Lanes &lanes, Value bias) {
  std::optional<SmallVector<int32_t>> vector = readVector(bias);
  if (!vector)
    return op->emitOpError("bias is not a constant");
  int64_t depth = 1;
  for (int64_t size : shapeOf(op->getOperand(1)).drop_front())
    depth *= size;
  accumulators[op->getResult(0)] = {acc, *vector, depth, lanes};
  return success();
}

Value LayoutRewriter::createWeight(Value weight, ArrayRef<int64_t> shape,
                                   const ConvolutionChannels &channels,
                                   const ChannelBlocks &blocks) {
  bool isInOrder =
      channels.inputLanes == Lanes::inOrder(channels.inputs, tiles.blockIn) &&
      channels.outputLanes == Lanes::inOrder(channels.outputs, tiles.blockOut);
  if (channels.group > 1 || !isInOrder) {
    if (shapeOf(weight) != shape)
      weight = b.createOrFold<ReshapeOp>(typeOf(weight).clone(shape), weight);
    weight = spreadWeights(b, weight, channels, blocks, tiles);
    return weight ? createWeight(weight, shapeOf(weight)) : Value();
  }
  return createWeight(weight, shape);
}

LogicalResult LayoutRewriter::rewriteOp(ConvIntegerOp op) {
  if (shapeOf(op.getInput()).size() != 4)
    return op.emitOpError("cannot run on the accelerator: not two spatial "
                          "axes");
  ArrayRef<int64_t> window = shapeOf(op.getWeight()),
                    result = shapeOf(op.getResult());
  if (auto taps = op->getAttrOfType<DenseI64ArrayAttr>(VTADialect::kFold))
    return rewriteFolded(op, taps);
  if (op->hasAttr(VTADialect::kWindow))
    return rewriteWindowed(op);
  FailureOr<Lanes> outputs = getResultLanes(op);
  if (failed(outputs))
    return failure();
  SmallVector<int64_t> pads = getUsedPads(op, window);
  const Lanes &inputs =
      values.getLanes(op.getInput(), tiles.blockIn, pads, op.getPadValue());
  ConvolutionChannels channels{int64_t(op.getGroup()),
                               shapeOf(op.getInput())[1], result[1], inputs,
                               *outputs};
  ChannelBlocks blocks = findChannelBlocks(channels, tiles);
  Value input = values.getPadded(op.getInput(), tiles.blockIn, pads,
                                 op.getPadValue(), {blocks.low, blocks.high});
  SmallVector<int64_t> strides(op.getStrides());
  input = skipUnread(input, window, strides);
  Value weight = createWeight(op.getWeight(), window, channels, blocks);
  if (!weight)
    return refuseWeights(op);
  Value acc =
      steps.convolution(input, weight, blocks, packedResult(result, blocks),
                        strides, op.getDilations());
  return setBiased(op, acc, *outputs, op.getBias());
}

LogicalResult LayoutRewriter::rewriteFolded(ConvIntegerOp op,
                                            ArrayRef<int64_t> taps) {
  ArrayRef<int64_t> window = shapeOf(op.getWeight());
  if (op.getGroup() != 1 || taps[0] > window[2] || taps[1] > window[3])
    return op.emitOpError("cannot fold ")
           << taps << " taps of its window: it has group " << op.getGroup()
           << " and a window of " << window.take_back(2);
  WindowFold fold(op, {taps[0], taps[1]});
  Value weight = fold.foldWeights(b, op.getWeight());
  if (!weight)
    return op.emitOpError("weights are not constant");
  Value input = values.getFolded(op.getInput(), tiles.blockIn, fold,
                                 op.getPads(), op.getPadValue());
  SmallVector<int64_t> strides{fold.strides[0], fold.strides[1]};
  input = skipUnread(input, shapeOf(weight), strides);
  ArrayRef<int64_t> result = shapeOf(op.getResult());
  FailureOr<Lanes> outputs = getResultLanes(op);
  if (failed(outputs))
    return failure();
  Lanes inputs = Lanes::inOrder(shapeOf(weight)[1], tiles.blockIn);
  ConvolutionChannels channels{/*group=*/1, shapeOf(weight)[1], result[1],
                               inputs, *outputs};
  ChannelBlocks blocks = findChannelBlocks(channels, tiles);
  weight = createWeight(weight, shapeOf(weight), channels, blocks);
  if (!weight)
    return refuseWeights(op);
  Value acc =
      steps.convolution(input, weight, blocks, packedResult(result, blocks),
                        strides, fold.dilations);
  return setBiased(op, acc, *outputs, op.getBias());
}

LogicalResult LayoutRewriter::rewriteOp(GemmIntegerOp op) {
  Value source = op.getInput();
  ArrayRef<int64_t> result = shapeOf(op.getResult());
  if (Operation *producer = source.getDefiningOp();
      isa_and_present<FlattenOp, ReshapeOp>(producer)) {
    // A signal is an image of one column that has been reshaped.
    Value flattened = producer->getOperand(0);
    if (auto reshape = flattened.getDefiningOp<ReshapeOp>();
        reshape && typeOf(flattened).getRank() == 3)
      flattened = reshape.getInput();
    if (ArrayRef<int64_t> shape = shapeOf(flattened);
        shape.size() == 4 && shape[0] == shapeOf(source)[0])
      source = flattened;
  }
  SmallVector<int64_t> window{1, 1};
  int64_t channels = shapeOf(source)[1];
  bool isImage = shapeOf(source).size() == 4;
  if (isImage)
    window = llvm::to_vector(shapeOf(source).take_back(2));
  FailureOr<Lanes> outputs = getResultLanes(op);
  if (failed(outputs))
    return failure();
  ConvolutionChannels lanes{/*group=*/1, channels, result[1],
                            values.getLanes(source, tiles.blockIn), *outputs};
  ChannelBlocks blocks = findChannelBlocks(lanes, tiles);
  Value input = values.getInterior(source, tiles.blockIn);
  Value weight =
      createWeight(op.getWeight(), {result[1], channels, window[0], window[1]},
                   lanes, blocks);
  if (!weight)
    return refuseWeights(op);
  Value acc = isImage ? steps.flatten(input, weight, packedResult(result))
                      : steps.convolution(input, weight, blocks,
                                          packedResult(result), {1, 1}, {1, 1});
  return setBiased(op, acc, *outputs, op.getBias());
}

LogicalResult LayoutRewriter::rewriteOp(MatMulIntegerOp op) {
  ArrayRef<int64_t> shape = shapeOf(op.getA());
  PackedValues::Matrix weights =
      op.getTransB() ? values.getWeights(op.getB())
                     : values.getTransposedWeights(op.getB(), [&](Value tiled) {
                         return transpose(op, tiled);
                       });
  PackedValues::Matrix inputs =
      values.getInputs(op.getA(), /*mustBeZeroPadded=*/!weights.isZeroPadded);
  int64_t depth = shape.back();
  VTASteps::MatrixSum sum = steps.matrixProduct(
      inputs.value, weights.value, packedResult(shapeOf(op.getResult())),
      {int8_t(op.getAZeroPoint()), int8_t(op.getBZeroPoint()), depth,
       int32_t(op.getOffset())});
  // Differences have one bit more than what is stored.
  int64_t most =
      4 * depth + llvm::divideCeil(std::abs(int64_t(int32_t(op.getOffset()))),
                                   int64_t(128 * 128));
  ArrayRef<int64_t> result = shapeOf(op.getResult());
  accumulators[op.getResult()] = {
      sum.sum, {sum.rest}, most, Lanes::inOrder(result.back(), tiles.blockOut)};
  return success();
}

Value LayoutRewriter::transpose(MatMulIntegerOp reader, Value tiled) {
  PlacementAttr placement = tagger.placement;
  StringAttr name =
      values.makeKernelName(getKernel(reader).getValue() + ":transpose");
  tagger.placement = PlacementAttr::get(b.getContext(), name,
                                        placement.getTarget(), StringAttr());
  Value acc = steps.transpose(tiled);
  Value result = steps.narrow(
      acc, tensor::EmptyOp::create(b, shapeOf(acc), b.getI8Type()));
  tagger.placement = placement;
  return result;
}
