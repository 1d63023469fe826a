//===- LegalizeTables.cpp - Functions of one quantized tensor -------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The part of graph-legalize-quantization that handles element-wise operators
// on one tensor of eight bits. Whatever they compute is a function of 256
// integers: it becomes graph.lookup, whose table is the same operators applied
// to a constant that holds all 256. No operator is interpreted here.
//
//===----------------------------------------------------------------------===//

#include "dialects/Graph/Constants.h"
#include "passes/Graph/ElementRules.h"
#include "passes/Graph/QuantizedLayer.h"

#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace acc::graph;

namespace {

/// So many entries has a table.
constexpr int64_t kEntries = 256;
/// No chain of operators that anybody writes is longer.
constexpr size_t kMostOperators = 64;

/// What is quantized as a function of the bytes of one tensor, the source.
///
/// First the operators are visited, from the result to the source, to see
/// whether there is such a tensor; only then anything is built.
class TableFunction {
public:
  explicit TableFunction(QuantizeLinearOp quantize)
      : quantize(quantize), shape(quantize.getType().getShape()) {}

  LogicalResult find();
  Value build(OpBuilder &builder);

private:
  LogicalResult visit(Value value);
  LogicalResult visitOperands(Operation *op);
  LogicalResult visitBytes(Value value);
  LogicalResult visitConstant(Value value);
  LogicalResult setSource(Value value);

  Value makeAllIntegers(OpBuilder &builder);
  Value makeParameter(OpBuilder &builder, Value constant);

  QuantizeLinearOp quantize;
  ArrayRef<int64_t> shape;
  /// The tensor whose bytes decide, behind changes of nothing but its type.
  Value source;
  /// Operators and constants of the function, operands before their users.
  llvm::SetVector<Operation *> operators;
  llvm::SmallSetVector<Value, 4> constants;
  /// What a value is for each integer of the source: (1 or channels, 256), or 1
  /// entry for what does not depend on it.
  DenseMap<Value, Value> tables;
};

} // namespace

/// The tensor behind operators that change nothing but what its integers count
/// from.
static Value stripCasts(Value value) {
  while (isa_and_present<StorageCastOp, RebaseOp>(value.getDefiningOp()))
    value = value.getDefiningOp()->getOperand(0);
  return value;
}

LogicalResult TableFunction::setSource(Value value) {
  if (source && source != value)
    return failure();
  source = value;
  return success(cast<RankedTensorType>(value.getType()).getShape() == shape);
}

/// A constant must be one number for all elements, or one for each channel.
LogicalResult TableFunction::visitConstant(Value value) {
  ElementsAttr elements;
  if (!matchPattern(value, m_Constant(&elements)) || !getRawElements(elements))
    return failure();
  Type element = getElementTypeOrSelf(value);
  if (auto quantized = dyn_cast<quant::QuantizedType>(element);
      quantized && !isa<quant::UniformQuantizedType>(element))
    return failure();
  constants.insert(value);
  if (elements.isSplat())
    return success();
  ArrayRef<int64_t> sizes = elements.getShapedType().getShape();
  for (auto [axis, size] : llvm::enumerate(sizes))
    if (size != 1 && axis + shape.size() != sizes.size() + 1)
      return failure();
  return success(sizes.size() <= shape.size());
}

LogicalResult TableFunction::visitOperands(Operation *op) {
  if (op->getNumResults() != 1 || op->getNumRegions() != 0 ||
      operators.size() > kMostOperators)
    return failure();
  for (Value operand : op->getOperands())
    if (failed(visit(operand)))
      return failure();
  operators.insert(op);
  return success();
}

/// A tensor of quantized numbers or their integers.
LogicalResult TableFunction::visitBytes(Value value) {
  if (matchPattern(value, m_Constant()))
    return visitConstant(value);
  Operation *op = value.getDefiningOp();
  if (isa_and_present<StorageCastOp, RebaseOp>(op))
    return visitOperands(op);
  // Functions of functions are functions of their source. So is a rescaling,
  // unless that has a scale for each channel.
  if (auto lookup = dyn_cast_if_present<LookupOp>(op)) {
    operators.insert(op);
    return setSource(stripCasts(lookup.getInput()));
  }
  if (auto requantize = dyn_cast_if_present<RequantizeOp>(op)) {
    auto sum = requantize.getInput().getDefiningOp<WeightedSumOp>();
    TableFunction copy = *this;
    if (sum && sum.getType().getShape() == shape &&
        requantize.getMultiplier().size() == 1 &&
        succeeded(copy.visitOperands(sum)) && copy.source) {
      *this = copy;
      operators.insert(op);
      return success();
    }
  }
  if (auto inner = dyn_cast_if_present<QuantizeLinearOp>(op);
      inner && !getElementTypeOrSelf(value).isInteger(8)) {
    std::string reason;
    if (failed(getGrid(value.getType(), reason)))
      return isa<quant::UniformQuantizedType>(getElementTypeOrSelf(value))
                 ? visitOperands(op)
                 : failure();
  }
  Type element = getElementTypeOrSelf(value);
  auto quantized = dyn_cast<quant::UniformQuantizedType>(element);
  bool isByte = quantized ? quantized.getStorageTypeIntegralWidth() <= 8
                          : element.isInteger(8);
  return isByte ? setSource(value) : failure();
}

LogicalResult TableFunction::visit(Value value) {
  Operation *op = value.getDefiningOp();
  if (op && (operators.contains(op) || constants.contains(value)))
    return success();
  Type element = getElementTypeOrSelf(value);
  if (isa<quant::QuantizedType>(element) || element.isInteger(8))
    return visitBytes(value);
  if (matchPattern(value, m_Constant()))
    return visitConstant(value);
  if (isa_and_present<DequantizeLinearOp>(op))
    return visitOperands(op);
  return op && isElementwise(op) ? visitOperands(op) : failure();
}

LogicalResult TableFunction::find() {
  std::string reason;
  if (failed(getGrid(quantize.getType(), reason)) ||
      failed(visit(quantize.getInput())) || !source)
    return failure();
  // Rescaling and clipping is arithmetic of integers without a table too, and
  // so are multiples.
  bool computes = llvm::any_of(operators, [&](Operation *op) {
    return !isa<DequantizeLinearOp, StorageCastOp, RebaseOp, WeightedSumOp,
                RequantizeOp, ReluOp, ClipOp>(op) &&
           (!isa<AddOp, SumOp>(op) || !constants.empty());
  });
  return success(computes);
}

/// All that the source can be, in the order of the integers from -128 to 127
/// that it is in the integer graph.
Value TableFunction::makeAllIntegers(OpBuilder &builder) {
  Type element = getElementTypeOrSelf(source);
  auto quantized = dyn_cast<quant::QuantizedType>(element);
  Type storage = quantized ? getStorageInteger(quantized) : element;
  bool isSigned = !storage.isUnsignedInteger();
  // Of narrower integers, entries that nothing looks up are as the last one.
  int64_t half = int64_t(1) << (storage.getIntOrFloatBitWidth() - 1);
  auto type = RankedTensorType::get({1, kEntries}, storage);
  ElementsAttr elements = makeElements(type, [&](MutableArrayRef<char> data) {
    for (auto [index, byte] : llvm::enumerate(data))
      byte = char(std::clamp(int64_t(index) - kEntries / 2, -half, half - 1) +
                  (isSigned ? 0 : half));
  });
  return ConstantOp::create(builder, quantize.getLoc(), type.clone(element),
                            elements);
}

/// A constant of the model as one that broadcasts to tables.
Value TableFunction::makeParameter(OpBuilder &builder, Value constant) {
  ElementsAttr elements;
  matchPattern(constant, m_Constant(&elements));
  int64_t count = elements.isSplat() ? 1 : elements.getNumElements();
  auto type = RankedTensorType::get({count, 1}, elements.getElementType());
  if (elements.isSplat()) {
    ArrayRef<char> raw = *getRawElements(elements);
    elements = makeElements(type, [&](MutableArrayRef<char> data) {
      std::memcpy(data.data(), raw.data(), data.size());
    });
  } else {
    elements = reshapeElements(elements, type.getShape());
  }
  return ConstantOp::create(builder, constant.getLoc(),
                            type.clone(getElementTypeOrSelf(constant)),
                            elements);
}

Value TableFunction::build(OpBuilder &builder) {
  Location loc = quantize.getLoc();
  tables[source] = makeAllIntegers(builder);
  for (Value constant : constants)
    tables[constant] = makeParameter(builder, constant);
  SmallVector<Location> locations;
  auto clone = [&](Operation *op) {
    SmallVector<int64_t> sizes{1, 1};
    IRMapping mapping;
    for (Value operand : op->getOperands()) {
      Value table = tables.lookup(operand);
      mapping.map(operand, table);
      for (auto [size, other] :
           llvm::zip(sizes, cast<RankedTensorType>(table.getType()).getShape()))
        size = std::max(size, other);
    }
    Operation *copy = builder.clone(*op, mapping);
    Value result = copy->getResult(0);
    result.setType(RankedTensorType::get(
        sizes, getElementTypeOrSelf(op->getResult(0).getType())));
    return result;
  };
  for (Operation *op : operators) {
    auto lookup = dyn_cast<LookupOp>(op);
    tables[op->getResult(0)] = lookup ? lookup.getTable() : clone(op);
    if (!isa<DequantizeLinearOp, StorageCastOp, RebaseOp>(op))
      locations.push_back(op->getLoc());
  }
  if (locations.empty())
    locations.push_back(loc);
  Location fused = FusedLoc::get(builder.getContext(), locations);
  Value table = toInteger(builder, loc, clone(quantize));
  Type element = getElementTypeOrSelf(source);
  Value input = source;
  if (isa<quant::QuantizedType>(element))
    input = toInteger(builder, loc, source);
  else if (!element.isSignlessInteger(8))
    input = RebaseOp::create(builder, loc,
                             RankedTensorType::get(shape, builder.getI8Type()),
                             source);
  // What the bytes stand for, where the first operator reads them.
  FloatAttr scale;
  IntegerAttr zeroPoint;
  for (auto op : operators) {
    auto dequantize = dyn_cast<DequantizeLinearOp>(op);
    if (!dequantize || stripCasts(dequantize.getInput()) != source)
      continue;
    std::string reason;
    if (FailureOr<Grid> grid = getGrid(dequantize.getInput().getType(), reason);
        succeeded(grid)) {
      scale = builder.getF64FloatAttr(grid->scale);
      zeroPoint = builder.getI32IntegerAttr(grid->zeroPoint);
    }
    break;
  }
  return LookupOp::create(builder, fused, input, table, scale, zeroPoint);
}

FailureOr<Value> acc::graph::legalizeByTable(OpBuilder &builder,
                                             QuantizeLinearOp quantize) {
  TableFunction function(quantize);
  if (failed(function.find()))
    return failure();
  return function.build(builder);
}
