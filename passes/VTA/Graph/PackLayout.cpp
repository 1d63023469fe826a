//===- PackLayout.cpp - The pass vta-pack-layout --------------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/VTA/Graph/ChannelBlocks.h"
#include "passes/VTA/Graph/Images.h"
#include "passes/VTA/Graph/PackedValues.h"
#include "passes/VTA/Graph/WindowFold.h"
#include "passes/VTA/Passes.h"

#include "dialects/Graph/Constants.h"
#include "dialects/TE/TEDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace acc::vta {
#define GEN_PASS_DEF_VTAPACKLAYOUT
#include "passes/VTA/Passes.h.inc"
} // namespace acc::vta

using namespace mlir;
using namespace acc;
using namespace acc::graph;
using namespace acc::vta;

namespace {

/// The elements of a constant i32 vector.
std::optional<SmallVector<int32_t>> readVector(Value value) {
  auto constant = value.getDefiningOp<ConstantOp>();
  if (!constant)
    return std::nullopt;
  ElementsAttr elements = constant.getValue();
  std::optional<ArrayRef<char>> bytes = getRawElements(elements);
  if (!bytes)
    return std::nullopt;
  auto *data = reinterpret_cast<const int32_t *>(bytes->data());
  if (elements.isSplat())
    return SmallVector<int32_t>(elements.getNumElements(), *data);
  return SmallVector<int32_t>(data, data + elements.getNumElements());
}

/// The pads of a convolution or pool without what no window reaches; negative
/// where windows do not reach the end of the image.
template <typename WindowOp>
SmallVector<int64_t> getUsedPads(WindowOp op, ArrayRef<int64_t> kernel) {
  SmallVector<int64_t> pads(op.getPads());
  ArrayRef<int64_t> input = shapeOf(op.getInput()).take_back(2),
                    output = shapeOf(op.getResult()).take_back(2);
  for (unsigned axis = 0; axis < 2; ++axis) {
    int64_t used = (output[axis] - 1) * op.getStrides()[axis] +
                   (kernel.take_back(2)[axis] - 1) * op.getDilations()[axis] +
                   1;
    // At least one row stays, even if windows read padding only.
    pads[axis + 2] = std::max(used - pads[axis] - input[axis], 1 - input[axis]);
  }
  return pads;
}

/// The elements of a constant that is the same at all positions of sequences of
/// `shape`, one for every channel.
std::optional<SmallVector<int64_t>> readChannels(Value value,
                                                 ArrayRef<int64_t> shape) {
  int64_t channels = shape.back();
  ArrayRef<int64_t> own = shapeOf(value);
  std::optional<ConstantBytes> bytes = ConstantBytes::read(value);
  if (!bytes || shape.size() > 3 || own.empty() || own.back() != channels ||
      typeOf(value).getNumElements() != channels)
    return std::nullopt;
  SmallVector<int64_t> elements;
  for (int64_t channel = 0; channel < channels; ++channel)
    elements.push_back(int8_t((*bytes)[channel]));
  return elements;
}

/// Rewrites the operators of one function that are assigned to the accelerator.
class Rewriter {
public:
  Rewriter(func::FuncOp function, Tiles tiles, VectorUnit unit,
           ConfigAttr accelerator)
      : block(function.getBody().front()), tagger(block),
        b(function.getLoc(), function.getContext()), tiles(tiles),
        steps(b, tiles, unit), values(b, tiles, steps, tagger, accelerator) {
    b.setListener(&tagger);
  }

  LogicalResult run() {
    SmallVector<Operation *> accelerated;
    for (Operation &op : block)
      if (isAccelerated(&op) || isPackedOnHost(&op))
        accelerated.push_back(&op);
    for (Operation *op : accelerated) {
      tagger.placement = getPlacement(op);
      if (!tagger.placement)
        return op->emitOpError("joins packed tensors but has no ")
               << GraphDialect::kPlacement;
      b.setInsertionPoint(op);
      b.setLoc(op->getLoc());
      if (failed(rewrite(op)))
        return failure();
    }
    tagger.placement = {};
    return eraseOriginals();
  }

private:
  LogicalResult rewrite(Operation *op) {
    return TypeSwitch<Operation *, LogicalResult>(op)
        .Case<ConvIntegerOp, GemmIntegerOp, MatMulIntegerOp, WeightedSumOp,
              MulIntegerOp, ScaleIntegerOp, GlobalSumIntegerOp, RequantizeOp,
              MaxPoolOp>([&](auto typed) { return rewriteOp(typed); })
        .Case([&](ConcatOp concat) { return values.createConcat(concat); })
        .Case([&](LookupOp lookup) {
          return isAccelerated(lookup) ? rewriteOp(lookup)
                                       : values.createLookup(lookup);
        })
        .Case([&](AssembleOp op) { return values.createAssembly(op); })
        // Readers load a slice from where it lies.
        .Case([](SliceOp) { return success(); })
        .Default([](Operation *other) {
          return other->emitOpError("cannot run on the accelerator");
        });
  }

  SmallVector<int64_t> packedResult(ArrayRef<int64_t> shape) {
    return values.getPackedShape(shape, tiles.blockOut);
  }

  SmallVector<int64_t> packedResult(ArrayRef<int64_t> shape,
                                    const Lanes &lanes) {
    SmallVector<int64_t> packed = packedResult(shape);
    packed[1] = lanes.size() / tiles.blockOut;
    return packed;
  }

  SmallVector<int64_t> packedResult(ArrayRef<int64_t> shape,
                                    const ChannelBlocks &blocks) {
    SmallVector<int64_t> packed = packedResult(shape);
    packed[1] = blocks.outputs;
    if (blocks.sections > 1)
      packed.insert(packed.begin() + 1, blocks.sections);
    return packed;
  }

  Value createWeight(Value weight, ArrayRef<int64_t> shape) {
    if (shapeOf(weight) != shape)
      weight = b.createOrFold<ReshapeOp>(typeOf(weight).clone(shape), weight);
    Value packed = b.createOrFold<PackOp>(
        weight, ArrayRef<int64_t>{tiles.blockOut, tiles.blockIn});
    return tiles.weightBits == 8 ? packed : narrowWeights(packed);
  }

  LogicalResult refuseWeights(Operation *op) {
    return op->emitOpError("weights are not constants of ")
           << tiles.weightBits << " bits, which the accelerator has";
  }

  /// Constant weights in elements of the accelerator's width, which they fit;
  /// null if they are not constant or do not fit.
  Value narrowWeights(Value weight) {
    std::optional<ConstantBytes> bytes = ConstantBytes::read(weight);
    if (!bytes || !llvm::all_of(bytes->getValues(), [&](char byte) {
          return llvm::isIntN(tiles.weightBits, int8_t(byte));
        }))
      return {};
    auto type = RankedTensorType::get(shapeOf(weight),
                                      b.getIntegerType(tiles.weightBits));
    return ConstantOp::create(
        b, type, makeElements(type, [&](MutableArrayRef<char> target) {
          for (auto [index, byte] : llvm::enumerate(target))
            byte = (*bytes)[index];
        }));
  }

  /// Reads only the rows and columns that meet a window of one element, where
  /// the stride leaves others out and the image has no zeros around it. The
  /// stride becomes part of the transfer.
  Value skipUnread(Value input, ArrayRef<int64_t> weight,
                   MutableArrayRef<int64_t> strides) {
    SmallVector<int64_t> sizes(shapeOf(input)), steps(6, 1);
    for (unsigned axis = 0; axis < 2; ++axis) {
      if (weight[axis + 2] != 1 || input.getDefiningOp<tensor::PadOp>())
        continue;
      steps[axis + 2] = std::exchange(strides[axis], 1);
      sizes[axis + 2] =
          llvm::divideCeilSigned(sizes[axis + 2], steps[axis + 2]);
    }
    if (llvm::all_of(steps, [](int64_t step) { return step == 1; }))
      return input;
    return tensor::ExtractSliceOp::create(
        b, input, SmallVector<OpFoldResult>(6, b.getIndexAttr(0)),
        getAsIndexOpFoldResult(b.getContext(), sizes),
        getAsIndexOpFoldResult(b.getContext(), steps));
  }

  /// The lanes of the result of an operator with constant weights: in order,
  /// unless the policy has chosen others.
  FailureOr<Lanes> getResultLanes(Operation *op) {
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

  LogicalResult setBiased(Operation *op, Value acc, const Lanes &lanes,
                          Value bias) {
    std::optional<SmallVector<int32_t>> vector = readVector(bias);
    if (!vector)
      return op->emitOpError("bias is not a constant");
    int64_t depth = 1;
    for (int64_t size : shapeOf(op->getOperand(1)).drop_front())
      depth *= size;
    accumulators[op->getResult(0)] = {acc, *vector, depth, lanes};
    return success();
  }

  /// The constant weights of a convolution or a matrix product as images, in
  /// tiles that meet the lanes of its inputs and outputs; null if they cannot
  /// be read.
  Value createWeight(Value weight, ArrayRef<int64_t> shape,
                     const ConvolutionChannels &channels,
                     const ChannelBlocks &blocks) {
    bool isInOrder =
        channels.inputLanes == Lanes::inOrder(channels.inputs, tiles.blockIn) &&
        channels.outputLanes ==
            Lanes::inOrder(channels.outputs, tiles.blockOut);
    if (channels.group > 1 || !isInOrder) {
      if (shapeOf(weight) != shape)
        weight = b.createOrFold<ReshapeOp>(typeOf(weight).clone(shape), weight);
      weight = spreadWeights(b, weight, channels, blocks, tiles);
      return weight ? createWeight(weight, shapeOf(weight)) : Value();
    }
    return createWeight(weight, shape);
  }

  LogicalResult rewriteOp(ConvIntegerOp op) {
    if (shapeOf(op.getInput()).size() != 4)
      return op.emitOpError("cannot run on the accelerator: not two spatial "
                            "axes");
    ArrayRef<int64_t> window = shapeOf(op.getWeight()),
                      result = shapeOf(op.getResult());
    if (auto taps = op->getAttrOfType<DenseI64ArrayAttr>(VTADialect::kFold))
      return rewriteFolded(op, taps);
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

  /// A convolution that has part of its window among the channels.
  LogicalResult rewriteFolded(ConvIntegerOp op, ArrayRef<int64_t> taps) {
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

  /// A matrix product is a convolution whose window is one position of a
  /// sequence. What flattens images in front of it disappears into a window
  /// that is the whole image.
  LogicalResult rewriteOp(GemmIntegerOp op) {
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
    Value weight = createWeight(op.getWeight(),
                                {result[1], channels, window[0], window[1]},
                                lanes, blocks);
    if (!weight)
      return refuseWeights(op);
    Value acc = isImage
                    ? steps.flatten(input, weight, packedResult(result))
                    : steps.convolution(input, weight, blocks,
                                        packedResult(result), {1, 1}, {1, 1});
    return setBiased(op, acc, *outputs, op.getBias());
  }

  LogicalResult rewriteOp(MatMulIntegerOp op) {
    ArrayRef<int64_t> shape = shapeOf(op.getA());
    PackedValues::Matrix weights =
        op.getTransB()
            ? values.getWeights(op.getB())
            : values.getTransposedWeights(
                  op.getB(), [&](Value tiled) { return transpose(op, tiled); });
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
        sum.sum,
        {sum.rest},
        most,
        Lanes::inOrder(result.back(), tiles.blockOut)};
    return success();
  }

  /// Swaps positions and channels, in a kernel of its own.
  Value transpose(MatMulIntegerOp reader, Value tiled) {
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

  /// The i32 form of an i8 operand: what the kernel is just computing, or
  /// loaded, in the lanes that its channels have in the kernel.
  Value getWide(Value operand, const Lanes &lanes) {
    auto known = narrowable.find(operand);
    if (known != narrowable.end())
      return known->second.acc;
    return steps.widen(values.getInterior(operand, tiles.blockOut, &lanes));
  }

  /// The lanes in which a kernel computes with some operands: those of what it
  /// has computed already, or of the first that it loads.
  Lanes getKernelLanes(ValueRange operands) {
    for (Value operand : operands)
      if (auto known = narrowable.find(operand); known != narrowable.end())
        return known->second.lanes;
    return values.getLanes(operands.front(), tiles.blockOut);
  }

  /// Whether what an operand has one of is one of whole tiles.
  bool isBroadcastable(Value operand, Value result) {
    ArrayRef<int64_t> from = shapeOf(operand), to = shapeOf(result);
    if (from.size() != to.size() || from[1] != to[1] ||
        (from[0] != to[0] && tiles.batch != 1))
      return false;
    return llvm::all_of(llvm::zip(from, to), [](auto sizes) {
      auto [size, wanted] = sizes;
      return size == wanted || size == 1;
    });
  }

  LogicalResult rewriteOp(WeightedSumOp op) {
    // What the kernel has computed is multiplied by the vector unit; what is
    // loaded anyway, by the matrix unit if it can.
    Value total;
    SmallVector<Value> smaller;
    SmallVector<std::pair<Value, int32_t>> products;
    SmallVector<int32_t> channels{int32_t(op.getBias())};
    SmallVector<Value> tensors =
        llvm::filter_to_vector(op.getInputs(), [&](Value input) {
          return !readChannels(input, shapeOf(op.getResult()));
        });
    if (op->hasAttr(VTADialect::kLanes))
      return rearrange(op);
    Lanes lanes =
        getKernelLanes(tensors.empty() ? op.getInputs() : ValueRange(tensors));
    steps.setLanes(lanes);
    for (auto [input, multiplier] :
         llvm::zip(op.getInputs(), op.getMultipliers())) {
      if (std::optional<SmallVector<int64_t>> constant =
              readChannels(input, shapeOf(op.getResult()))) {
        if (channels.size() == 1)
          channels.assign(constant->size(), channels.front());
        for (auto [sum, value] : llvm::zip(channels, *constant))
          sum = int32_t(uint32_t(sum) + uint32_t(value * multiplier));
        continue;
      }
      if (!isBroadcastable(input, op.getResult()))
        return op.emitOpError("cannot run on the accelerator: operands "
                              "broadcast within a tile");
      if (!narrowable.contains(input) && steps.canAddScaled(multiplier)) {
        products.push_back({input, multiplier});
        continue;
      }
      int shift = multiplier ? llvm::countr_zero(uint32_t(multiplier)) : 0;
      if (llvm::isInt<16>(multiplier))
        shift = 0;
      Value term =
          steps.apply(Step::Mul, getWide(input, lanes), multiplier >> shift);
      term = steps.apply(Step::ShiftLeft, term, shift);
      if (shapeOf(input) != shapeOf(op.getResult()))
        smaller.push_back(term);
      else
        total = total ? steps.applyTensor(Step::Add, total, term) : term;
    }
    if (total && typeOf(total).getRank() != 6)
      return op.emitOpError("cannot run on the accelerator: adds to a "
                            "convolution whose channels lie in sections");
    if (!total)
      total = steps.fill(packedResult(shapeOf(op.getResult()), lanes), 0);
    for (Value term : smaller)
      total = steps.applyTensor(Step::Add, total, term);
    for (auto [input, multiplier] : products)
      total = steps.addScaled(
          total, values.getInterior(input, tiles.blockIn, &lanes), multiplier);
    accumulators[op.getResult()] = {total, channels, std::nullopt, lanes};
    return success();
  }

  /// A multiple of one tensor whose channels go into other lanes: a product
  /// with a matrix that has the factor where a channel goes.
  LogicalResult rearrange(WeightedSumOp op) {
    FailureOr<Lanes> lanes = getResultLanes(op);
    if (failed(lanes))
      return failure();
    int32_t factor = op.getMultipliers().front();
    if (op.getInputs().size() != 1 || shapeOf(op.getResult()).size() != 4 ||
        typeOf(op.getInputs()[0]) !=
            typeOf(op.getResult()).clone(b.getI8Type()) ||
        narrowable.contains(op.getInputs()[0]) || !values.canMultiply(factor))
      return op.emitOpError("has ")
             << VTADialect::kLanes
             << ", but is no multiple of one tensor that the matrix unit makes";
    // Nothing is added to channels that lie in sections.
    bool isLast = true;
    for (Operation *requantize : op.getResult().getUsers())
      for (Operation *reader : requantize->getResult(0).getUsers())
        isLast = isLast && getKernel(reader) != getKernel(op);
    Value total =
        values.getMultiplied(op.getInputs()[0], *lanes, int8_t(factor), isLast);
    accumulators[op.getResult()] = {
        total, {int32_t(op.getBias())}, std::nullopt, *lanes};
    return success();
  }

  LogicalResult rewriteOp(MulIntegerOp op) {
    SmallVector<Value> factors;
    Lanes lanes = getKernelLanes({op.getLhs(), op.getRhs()});
    steps.setLanes(lanes);
    for (auto [input, offset] :
         {std::pair(op.getLhs(), int32_t(op.getLhsOffset())),
          std::pair(op.getRhs(), int32_t(op.getRhsOffset()))}) {
      if (!isBroadcastable(input, op.getResult()))
        return op.emitOpError("cannot run on the accelerator: operands "
                              "broadcast within a tile");
      factors.push_back(steps.apply(Step::Add, getWide(input, lanes), offset));
      if (typeOf(factors.back()).getRank() != 6)
        return op.emitOpError("cannot run on the accelerator: multiplies a "
                              "convolution whose channels lie in sections");
    }
    SmallVector<int64_t> packed = packedResult(shapeOf(op.getResult()), lanes);
    if (shapeOf(factors.front()) != ArrayRef(packed))
      std::swap(factors.front(), factors.back());
    Value product = factors.front();
    if (shapeOf(product) != ArrayRef(packed))
      product = steps.applyTensor(Step::Add, steps.fill(packed, 0), product);
    product = steps.applyTensor(Step::Mul, product, factors.back());
    accumulators[op.getResult()] = {
        product, {int32_t(op.getOffset())}, std::nullopt, lanes};
    return success();
  }

  /// Positions of an image have factors of their own, all channels the same.
  LogicalResult rewriteOp(ScaleIntegerOp op) {
    auto known = accumulators.find(op.getInput());
    if (known == accumulators.end() || shapeOf(op.getResult()).size() != 4)
      return op.emitOpError("cannot run on the accelerator: scales no sum of "
                            "images that it computes");
    Accumulator acc = known->second;
    steps.setLanes(acc.lanes);
    Value product = steps.addBias(acc.sum, acc.bias);
    for (Value factors : op.getFactors()) {
      ArrayRef<int64_t> shape = shapeOf(factors);
      std::optional<SmallVector<int32_t>> values = readVector(factors);
      if (!values || shape[0] != 1 || shape[1] != 1)
        return op.emitOpError("cannot run on the accelerator: factors are no "
                              "constants of rows and columns");
      product = steps.applyPositions(Step::Mul, product, *values,
                                     {shape[2], shape[3]});
    }
    accumulators[op.getResult()] = {
        product, {int32_t(op.getOffset())}, std::nullopt, acc.lanes};
    return success();
  }

  LogicalResult rewriteOp(GlobalSumIntegerOp op) {
    if (shapeOf(op.getInput()).size() != 4)
      return op.emitOpError("cannot run on the accelerator: not two spatial "
                            "axes");
    Lanes lanes = values.getLanes(op.getInput(), tiles.blockOut);
    steps.setLanes(lanes);
    Value sum =
        steps.canAddScaled(1)
            ? steps.globalSum(values.getInterior(op.getInput(), tiles.blockIn))
            : steps.globalSumWide(getWide(op.getInput(), lanes));
    accumulators[op.getResult()] = {
        sum, {int32_t(op.getOffset())}, std::nullopt, lanes};
    return success();
  }

  LogicalResult rewriteOp(MaxPoolOp op) {
    auto type = typeOf(op);
    if (!type.getElementType().isSignlessInteger(8) || type.getRank() != 4)
      return op.emitOpError("cannot run on the accelerator: not i8 with two "
                            "spatial axes");
    // Padding never wins against the least value.
    SmallVector<int64_t> pads = getUsedPads(op, op.getKernelShape());
    Lanes lanes = values.getLanes(op.getInput(), tiles.blockOut, pads,
                                  /*padValue=*/-128);
    Value input = values.getPadded(op.getInput(), tiles.blockOut, pads,
                                   /*padValue=*/-128);
    Value acc =
        steps.maxPool(steps.widen(input), packedResult(type.getShape(), lanes),
                      op.getKernelShape(), op.getStrides(), op.getDilations());
    return finish(op, acc, lanes);
  }

  LogicalResult rewriteOp(RequantizeOp op) {
    auto known = accumulators.find(op.getInput());
    if (known == accumulators.end())
      return op.emitOpError("reads an accumulator that no operator of the "
                            "accelerator computes");
    const Accumulator &acc = known->second;
    steps.setLanes(acc.lanes);
    return finish(op, steps.requantize(op, acc.sum, acc.bias, acc.cannotWrap()),
                  acc.lanes);
  }

  /// A table that a policy knows steps for.
  LogicalResult rewriteOp(LookupOp op) {
    auto how = op->getAttrOfType<ActivationAttr>(VTADialect::kActivation);
    std::optional<ConstantBytes> bytes = ConstantBytes::read(op.getTable());
    if (!how || !bytes)
      return op.emitOpError("cannot run on the accelerator without ")
             << VTADialect::kActivation << " for a constant table";
    for (int64_t row = 0, rows = shapeOf(op.getTable())[0]; row < rows; ++row)
      for (int32_t value = -128; value < 128; ++value) {
        int8_t entry = (*bytes)[row * 256 + value + 128];
        if (how.evaluate(value, row) != entry)
          return op.emitOpError("has a ")
                 << VTADialect::kActivation << " that computes "
                 << how.evaluate(value, row) << " from " << value
                 << ", its table has " << int32_t(entry);
      }
    Lanes lanes = getKernelLanes(op.getInput());
    steps.setLanes(lanes);
    return finish(op, steps.activate(how, getWide(op.getInput(), lanes)),
                  lanes);
  }

  /// Makes the i8 result of `op` from the values in `acc`, which fit i8.
  LogicalResult finish(Operation *op, Value acc, const Lanes &lanes) {
    Value result = op->getResult(0);
    auto isInside = [&](Operation *user) {
      return isAccelerated(user) && getKernel(user) == getKernel(op);
    };
    if (llvm::all_of(result.getUsers(), isInside)) {
      narrowable[result] = {acc, lanes};
      return success();
    }
    if (llvm::any_of(result.getUsers(), isInside) ||
        !finished.insert(getKernel(op)).second)
      return op->emitOpError("kernel '")
             << getKernel(op).getValue() << "' has a second result";
    values.createResult(
        result, lanes, shapeOf(acc).drop_front().drop_back(4),
        [&](Value destination) { return steps.narrow(acc, destination); });
    return success();
  }

  /// From last to first, so that users go before what they use. What others
  /// still read is unpacked.
  LogicalResult eraseOriginals() {
    for (Operation &op : llvm::make_early_inc_range(llvm::reverse(block))) {
      // What the host reads of moved channels it moves itself.
      if ((isReshape(&op) || isPackedMove(&op) || mlir::isa<TransposeOp>(op)) &&
          op.use_empty()) {
        op.erase();
        continue;
      }
      bool isOriginal =
          isPackedOnHost(&op) ||
          (isAccelerated(&op) && (op.getDialect()->getNamespace() == "graph" ||
                                  mlir::isa<AssembleOp>(op)));
      if (!isOriginal)
        continue;
      if (!op.use_empty()) {
        b.setInsertionPoint(&op);
        b.setLoc(op.getLoc());
        Value unpacked = values.getUnpacked(op.getResult(0));
        if (!unpacked)
          return op.emitOpError("an accumulator leaves the kernel");
        op.getResult(0).replaceAllUsesWith(unpacked);
      }
      op.erase();
    }
    return success();
  }

  Block &block;
  KernelTagger tagger;
  ImplicitLocOpBuilder b;
  Tiles tiles;
  VTASteps steps;
  PackedValues values;
  /// What an accumulator consists of: a sum, and one value or one per channel
  /// that is still to be added. `depth` products of two i8 make the sum, if
  /// that is what it consists of.
  struct Accumulator {
    Value sum;
    SmallVector<int32_t> bias;
    std::optional<int64_t> depth;
    Lanes lanes;

    bool cannotWrap() const {
      int64_t largest = 0;
      for (int32_t value : bias)
        largest = std::max(largest, std::abs(int64_t(value)));
      return depth && llvm::isInt<32>(*depth * 128 * 128 + largest);
    }
  };
  /// By the operator result: i32 tensors, and those of which it is known that
  /// they fit i8.
  DenseMap<Value, Accumulator> accumulators;
  struct Narrowable {
    Value acc;
    Lanes lanes;
  };
  DenseMap<Value, Narrowable> narrowable;
  DenseSet<StringAttr> finished;
};

struct PackLayout : vta::impl::VTAPackLayoutBase<PackLayout> {
  void runOnOperation() override {
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      if (function.isExternal())
        continue;
      FailureOr<ConfigAttr> accelerator = findAccelerator(function);
      if (failed(accelerator))
        return signalPassFailure();
      if (!*accelerator)
        continue;
      makeImages(function.getBody().front());
      isa::Config config = accelerator->getConfig();
      Tiles tiles{config.batch(), config.blockIn(), config.blockOut(),
                  unsigned(config.wgtBits())};
      bool all = accelerator->getIsaDialect() == isa::Dialect::Acc;
      VectorUnit unit{all, all, all && config.aluRequantize != 0};
      if (failed(Rewriter(function, tiles, unit, *accelerator).run()))
        return signalPassFailure();
    }
  }

  /// The one accelerator of a function, or null. Tensors pass from operator to
  /// operator in its layout.
  static FailureOr<ConfigAttr> findAccelerator(func::FuncOp function) {
    ConfigAttr first;
    for (Operation &op : function.getBody().front()) {
      ConfigAttr accelerator = getAccelerator(&op);
      if (accelerator && first && accelerator != first)
        return op.emitOpError("is assigned to another accelerator than the "
                              "operators before it");
      if (accelerator)
        first = accelerator;
    }
    return first;
  }
};

} // namespace
