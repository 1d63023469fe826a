//===- PackedElements.cpp - Sums, pools and functions of elements ---------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/VTA/Graph/LayoutRewriter.h"

#include "dialects/Graph/Constants.h"

using namespace mlir;
using namespace acc;
using namespace acc::graph;
using namespace acc::vta;

/// The elements of a constant that is the same at all positions of sequences of
/// `shape`, one for every channel.
static std::optional<SmallVector<int64_t>>
readChannels(Value value, ArrayRef<int64_t> shape) {
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

Value LayoutRewriter::getWide(Value operand, const Lanes &lanes) {
  auto known = narrowable.find(operand);
  if (known != narrowable.end())
    return known->second.acc;
  return steps.widen(values.getInterior(operand, tiles.blockOut, &lanes));
}

Lanes LayoutRewriter::getKernelLanes(ValueRange operands) {
  for (Value operand : operands)
    if (auto known = narrowable.find(operand); known != narrowable.end())
      return known->second.lanes;
  return values.getLanes(operands.front(), tiles.blockOut);
}

bool LayoutRewriter::isBroadcastable(Value operand, Value result) {
  ArrayRef<int64_t> from = shapeOf(operand), to = shapeOf(result);
  if (from.size() != to.size() || from[1] != to[1] ||
      (from[0] != to[0] && tiles.batch != 1))
    return false;
  return llvm::all_of(llvm::zip(from, to), [](auto sizes) {
    auto [size, wanted] = sizes;
    return size == wanted || size == 1;
  });
}

LogicalResult LayoutRewriter::rewriteOp(WeightedSumOp op) {
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

LogicalResult LayoutRewriter::rearrange(WeightedSumOp op) {
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

LogicalResult LayoutRewriter::rewriteOp(MulIntegerOp op) {
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

LogicalResult LayoutRewriter::rewriteOp(ScaleIntegerOp op) {
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
    product =
        steps.applyPositions(Step::Mul, product, *values, {shape[2], shape[3]});
  }
  accumulators[op.getResult()] = {
      product, {int32_t(op.getOffset())}, std::nullopt, acc.lanes};
  return success();
}

LogicalResult LayoutRewriter::rewriteOp(GlobalSumIntegerOp op) {
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

LogicalResult LayoutRewriter::rewriteOp(MaxPoolOp op) {
  auto type = typeOf(op);
  if (!type.getElementType().isSignlessInteger(8) || type.getRank() != 4)
    return op.emitOpError("cannot run on the accelerator: not i8 with two "
                          "spatial axes");
  // Padding never wins against the least value.
  SmallVector<int64_t> pads = getUsedPads(op, op.getKernelShape());
  Lanes lanes = values.getLanes(op.getInput(), tiles.blockOut, pads,
                                int8_t(tiles.getLeastInput()));
  Value input = values.getPadded(op.getInput(), tiles.blockOut, pads,
                                 int8_t(tiles.getLeastInput()));
  SmallVector<int64_t> result = packedResult(type.getShape(), lanes);
  auto separate = op->getAttrOfType<IntegerAttr>(VTADialect::kSeparate);
  if (!separate)
    return finish(op,
                  steps.maxPool(steps.widen(input), result, op.getKernelShape(),
                                op.getStrides(), op.getDilations()),
                  lanes);
  if (computeProduct(op.getKernelShape()) == 1)
    return op.emitOpError("has ")
           << VTADialect::kSeparate << ", but windows of one element";
  return finish(op,
                steps.separatedMaxPool(input, result, op.getKernelShape(),
                                       op.getStrides(), op.getDilations(),
                                       separate.getInt()),
                lanes);
}

LogicalResult LayoutRewriter::rewriteOp(LookupOp op) {
  auto how = op->getAttrOfType<ActivationAttr>(VTADialect::kActivation);
  const bool hasTable = op->hasAttr(VTADialect::kTable);
  std::optional<ConstantBytes> bytes = ConstantBytes::read(op.getTable());
  if (!(how || hasTable) || !bytes)
    return op.emitOpError("cannot run on the accelerator without ")
           << VTADialect::kTable << " or " << VTADialect::kActivation
           << " for a constant table";
  auto getEntry = [&](int64_t row, int32_t value) {
    return int8_t((*bytes)[row * isa::Config::kTableEntries + value + 128]);
  };
  const int64_t rows = shapeOf(op.getTable())[0];
  Lanes lanes = getKernelLanes(op.getInput());
  steps.setLanes(lanes);
  if (hasTable) {
    SmallVector<int8_t> table;
    for (int32_t value = -128; value < 128; ++value)
      table.push_back(getEntry(0, value));
    for (int64_t row = 1; row < rows; ++row)
      for (int32_t value = -128; value < 128; ++value)
        if (getEntry(row, value) != table[value + 128])
          return op.emitOpError("has ")
                 << VTADialect::kTable
                 << ", but a table for each channel, and the vector unit looks "
                    "up in one for all";
    if (!steps.canLookUp())
      return op.emitOpError("has ")
             << VTADialect::kTable
             << ", but the vector unit of this configuration has no tables";
    return finish(op,
                  steps.lookUp(b.getDenseI8ArrayAttr(table),
                               getWide(op.getInput(), lanes)),
                  lanes);
  }
  for (int64_t row = 0; row < rows; ++row)
    for (int32_t value = -128; value < 128; ++value)
      if (int8_t entry = getEntry(row, value);
          how.evaluate(value, row) != entry)
        return op.emitOpError("has a ")
               << VTADialect::kActivation << " that computes "
               << how.evaluate(value, row) << " from " << value
               << ", its table has " << int32_t(entry);
  return finish(op, steps.activate(how, getWide(op.getInput(), lanes)), lanes);
}
