//===- CPUOps.cpp - Operators of the cpu dialect --------------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/CPU/CPUDialect.h"

using namespace mlir;
using namespace acc::cpu;

#define GET_OP_CLASSES
#include "dialects/CPU/CPUOps.cpp.inc"

//===----------------------------------------------------------------------===//
// ContractOp
//===----------------------------------------------------------------------===//

/// Dimension of the weights that the tile of output channels is.
static int64_t tileDimension(ContractOp op) {
  return op.getWeightsType().getRank() - (op.isInteger() ? 2 : 1);
}

int64_t ContractOp::getTileSize() {
  return getWeightsType().getDimSize(tileDimension(*this));
}

int64_t ContractOp::getGroups() {
  return isConvolution() && tileDimension(*this) == 5
             ? getWeightsType().getDimSize(0)
             : 1;
}

Type ContractOp::getAccumulatorType() {
  Type element = getInputType().getElementType();
  if (element.isInteger())
    return IntegerType::get(getContext(), 32);
  return Float32Type::get(getContext());
}

static bool isSameSize(int64_t a, int64_t b) {
  return a == b || ShapedType::isDynamic(a) || ShapedType::isDynamic(b);
}

static LogicalResult verifyTypes(ContractOp op) {
  for (Value operand : {op.getInput(), op.getWeights(), op.getInit()}) {
    auto type = cast<ShapedType>(operand.getType());
    for (auto [dim, size] : llvm::enumerate(type.getShape())) {
      bool mayBeOpen = operand != op.getWeights() &&
                       (dim == 0 || (op.isConvolution() && dim > 1));
      if (ShapedType::isDynamic(size) && !mayBeOpen)
        return op.emitOpError("needs static shapes but for rows, or the number "
                              "and size of images, not ")
               << type;
    }
  }
  Type input = op.getInputType().getElementType();
  if (!input.isF32() && !input.isF16() && !input.isBF16() &&
      !input.isInteger(8))
    return op.emitOpError("multiplies f32, f16, bf16 or i8, not ") << input;
  if (input != op.getWeightsType().getElementType())
    return op.emitOpError("has an input of ")
           << input << " but weights of "
           << op.getWeightsType().getElementType();
  return success();
}

/// `window` is the number of elements of one filter's column or row.
static LogicalResult verifyConvolution(ContractOp op) {
  auto has = [](std::optional<ArrayRef<int64_t>> values, size_t count,
                int64_t least) {
    return values && values->size() == count &&
           llvm::all_of(*values, [&](int64_t v) { return v >= least; });
  };
  if (!has(op.getStrides(), 2, 1) || !has(op.getDilations(), 2, 1) ||
      !has(op.getPads(), 4, 0))
    return op.emitOpError("is a convolution and needs 2 positive strides and "
                          "dilations and 4 non-negative pads");
  ShapedType weights = op.getWeightsType(), out = op.getInitType();
  int64_t tileDim = tileDimension(op);
  if (tileDim != 4 && tileDim != 5)
    return op.emitOpError("has weights of an unexpected rank: ") << weights;
  if (out.getRank() != 4)
    return op.emitOpError("has an output of an unexpected rank: ") << out;
  int64_t groups = op.getGroups(), tile = op.getTileSize();
  ArrayRef<int64_t> x = op.getInputType().getShape(), y = out.getShape();
  ArrayRef<int64_t> w = weights.getShape().drop_front(tileDim - 4);
  if (!isSameSize(x[0], y[0]) || x[1] % groups || y[1] % groups ||
      llvm::divideCeil(x[1] / groups, op.getPack()) !=
          static_cast<uint64_t>(w[1]) ||
      llvm::divideCeil(y[1] / groups, tile) != static_cast<uint64_t>(w[0]))
    return op.emitOpError("has channels that do not fit: ")
           << op.getInputType() << " by " << weights << " to " << out;
  for (int i : {0, 1}) {
    if (ShapedType::isDynamic(x[2 + i]) || ShapedType::isDynamic(y[2 + i]))
      continue;
    int64_t padded = x[2 + i] + (*op.getPads())[i] + (*op.getPads())[2 + i];
    int64_t window = ((w[2 + i] - 1) * (*op.getDilations())[i]) + 1;
    if (padded < window ||
        y[2 + i] > (padded - window) / (*op.getStrides())[i] + 1)
      return op.emitOpError("has an output of ")
             << y[2 + i] << (i ? " columns" : " rows")
             << " that the padded input does not cover";
  }
  return success();
}

static LogicalResult verifyProduct(ContractOp op) {
  ShapedType weights = op.getWeightsType(), out = op.getInitType();
  if (op.getInputType().getRank() != 2 || tileDimension(op) != 2 ||
      out.getRank() != 2)
    return op.emitOpError("has operands of unexpected ranks: ")
           << op.getInputType() << " by " << weights << " to " << out;
  ArrayRef<int64_t> x = op.getInputType().getShape(), y = out.getShape();
  if (!isSameSize(x[0], y[0]) ||
      llvm::divideCeil(x[1], op.getPack()) !=
          static_cast<uint64_t>(weights.getDimSize(1)) ||
      llvm::divideCeil(y[1], op.getTileSize()) !=
          static_cast<uint64_t>(weights.getDimSize(0)))
    return op.emitOpError("has sizes that do not fit: ")
           << op.getInputType() << " by " << weights << " to " << out;
  return success();
}

const IntegerSum *IntegerSum::find(llvm::StringRef instruction) {
  static constexpr IntegerSum known[] = {
      {"", 2, 16},        {"vpdpbusd", 4, 8, /*isUnsigned=*/true},
      {"pmaddwd", 2, 16}, {"sdot", 4, 8},
      {"sadalp", 2, 8},   {"vwmacc", 1, 16},
  };
  const auto *found = llvm::find_if(known, [&](const IntegerSum &sum) {
    return sum.instruction == instruction;
  });
  return found == std::end(known) ? nullptr : found;
}

static LogicalResult verifyChunks(ContractOp op) {
  std::optional<ArrayRef<int64_t>> chunks = op.getChunks();
  if (!chunks)
    return success();
  if (chunks->size() != 2 || (*chunks)[0] < 0 || (*chunks)[1] < 0 ||
      ((*chunks)[0] == 0 && (*chunks)[1] == 0))
    return op.emitOpError("needs chunks of some outputs or of some rows");
  if ((*chunks)[0] > 0 && (*chunks)[1] > 0 && !op.isConvolution())
    return op.emitOpError("needs chunks of some outputs or of some rows, not "
                          "of both, as it is a matrix product");
  if (op.getChunkOutputs() % op.getTileSize())
    return op.emitOpError("has chunks of ")
           << op.getChunkOutputs() << " outputs, which are no whole tiles of "
           << op.getTileSize();
  int64_t rows = op.getChunkRows();
  if (rows && !op.getChunkOutputs() && op.isConvolution() && op.getRows() &&
      op.getRows() != rows)
    return op.emitOpError("has chunks of ")
           << rows << " rows, but copies of " << op.getRows();
  if (rows && !op.isConvolution() && rows % op.getTile()[0])
    return op.emitOpError("has chunks of ")
           << rows << " rows, which are no whole tiles of " << op.getTile()[0];
  return success();
}

LogicalResult ContractOp::verify() {
  if (!IntegerSum::find(getInstruction().value_or("")))
    return emitOpError("has the unknown instruction ") << getInstructionAttr();
  if (failed(verifyTypes(*this)))
    return failure();
  if (getTile().size() != 2 || getTile()[0] < 1 || getTile()[1] < 1 ||
      getTileSize() % getTile()[1])
    return emitOpError("needs a tile of [width, lanes], the lanes dividing the "
                       "weights' tile");
  if (isInteger() && getWeightsType().getShape().back() != getPack())
    return emitOpError("has weights whose innermost dimension is not ")
           << getPack() << ": " << getWeightsType();
  if (failed(isConvolution() ? verifyConvolution(*this)
                             : verifyProduct(*this)) ||
      failed(verifyChunks(*this)))
    return failure();
  if (getMaps().size() != getExtras().size())
    return emitOpError("needs one map per epilogue operand");
  Block &block = getBody().front();
  if (block.getNumArguments() != 1 + getExtras().size() ||
      block.getArgument(0).getType() != getAccumulatorType())
    return emitOpError("needs a region of the sum and one argument per "
                       "epilogue operand");
  for (auto [map, operand, argument] :
       llvm::zip(getMaps().getAsValueRange<AffineMapAttr>(), getExtras(),
                 block.getArguments().drop_front())) {
    auto type = cast<ShapedType>(operand.getType());
    if (map.getNumDims() != getInitType().getRank() ||
        map.getNumResults() != type.getRank() ||
        !map.isProjectedPermutation(/*allowZeroInResults=*/true))
      return emitOpError("has a map that does not address its operand of ")
             << type << ": " << AffineMapAttr::get(map);
    for (auto [result, size] : llvm::zip(map.getResults(), type.getShape()))
      if (auto dim = dyn_cast<AffineDimExpr>(result);
          dim && !isSameSize(getInitType().getDimSize(dim.getPosition()), size))
        return emitOpError("has an epilogue operand of ")
               << type << " that does not fit the output";
    if (argument.getType() != type.getElementType())
      return emitOpError("has a region argument that is not of its operand's "
                         "element type");
  }
  auto yield = dyn_cast<YieldOp>(block.getTerminator());
  if (!yield || yield.getValue().getType() != getInitType().getElementType())
    return emitOpError("must yield the output's element type");
  return success();
}

void ContractOp::getEffects(
    SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>>
        &effects) {
  for (OpOperand &operand : (*this)->getOpOperands()) {
    if (!isa<BaseMemRefType>(operand.get().getType()))
      continue;
    if (isDpsInit(&operand))
      effects.emplace_back(MemoryEffects::Write::get(), &operand);
    else
      effects.emplace_back(MemoryEffects::Read::get(), &operand);
  }
}

//===----------------------------------------------------------------------===//
// ParallelOp
//===----------------------------------------------------------------------===//

void ParallelOp::build(OpBuilder &builder, OperationState &state, Value count,
                       Value own) {
  state.addOperands(count);
  Block &body = state.addRegion()->emplaceBlock();
  body.addArgument(builder.getIndexType(), state.location);
  if (!own)
    return;
  state.addOperands(own);
  body.addArgument(own.getType(), state.location);
}

LogicalResult ParallelOp::verify() {
  SmallVector<Type> types = {IndexType::get(getContext())};
  if (getOwn())
    types.push_back(getOwn().getType());
  if (getBody().getArgumentTypes() != TypeRange(types))
    return emitOpError("needs a region of the number of the iteration and the "
                       "memory of the thread");
  return success();
}
