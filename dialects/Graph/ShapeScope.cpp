//===- ShapeScope.cpp - What the symbols of sizes stand for ---------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Graph/GraphDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/TypeUtilities.h"
#include "mlir/Interfaces/DestinationStyleOpInterface.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "llvm/Support/CheckedArithmetic.h"
#include "llvm/Support/MathExtras.h"

#include <limits>

using namespace mlir;
using namespace acc::graph;

//===----------------------------------------------------------------------===//
// Symbols
//===----------------------------------------------------------------------===//

AffineExpr ShapeScope::getSymbol(Key key, Symbol symbol) {
  auto [entry, isNew] = positions.try_emplace(key, symbols.size());
  if (isNew)
    symbols.push_back(symbol);
  return getAffineSymbolExpr(entry->second, context);
}

/// The name that a function gives to the size of an argument, or null.
static StringAttr getDimName(BlockArgument argument, int64_t axis) {
  auto function =
      dyn_cast_or_null<FunctionOpInterface>(argument.getOwner()->getParentOp());
  if (!function || !argument.getOwner()->isEntryBlock())
    return {};
  auto names = function.getArgAttrOfType<ArrayAttr>(argument.getArgNumber(),
                                                    GraphDialect::kDims);
  if (!names || axis >= static_cast<int64_t>(names.size()))
    return {};
  auto name = dyn_cast<StringAttr>(names[axis]);
  return name && !name.empty() ? name : StringAttr();
}

AffineExpr ShapeScope::getDim(Value tensor, int64_t axis) {
  Symbol symbol{SymbolKind::Dim, tensor, axis};
  unsigned kind = static_cast<unsigned>(SymbolKind::Dim);
  auto argument = dyn_cast<BlockArgument>(tensor);
  if (argument && sees == Sees::Definitions)
    if (StringAttr name = getDimName(argument, axis))
      return getSymbol({kind, name.getAsOpaquePointer(), nullptr}, symbol);
  // Axes start at 1 here, to keep names and axes apart.
  return getSymbol({kind, tensor.getAsOpaquePointer(),
                    reinterpret_cast<const void *>(axis + 1)},
                   symbol);
}

AffineExpr ShapeScope::choose(SymbolKind kind, AffineExpr a, AffineExpr b) {
  return getSymbol({static_cast<unsigned>(kind), a.getAsOpaquePointer(),
                    b.getAsOpaquePointer()},
                   {kind, {}, 0, a, b});
}

AffineExpr ShapeScope::min(AffineExpr a, AffineExpr b) {
  a = normalizeSize(a);
  b = normalizeSize(b);
  if (std::optional<int64_t> over = getKnownSize(normalizeSize(a - b)))
    return *over > 0 ? b : a;
  if (isNeverNegative(normalizeSize(b - a)))
    return a;
  if (isNeverNegative(normalizeSize(a - b)))
    return b;
  return choose(SymbolKind::Min, a, b);
}

AffineExpr ShapeScope::max(AffineExpr a, AffineExpr b) {
  a = normalizeSize(a);
  b = normalizeSize(b);
  if (std::optional<int64_t> over = getKnownSize(normalizeSize(a - b)))
    return *over > 0 ? a : b;
  if (isNeverNegative(normalizeSize(a - b)))
    return a;
  if (isNeverNegative(normalizeSize(b - a)))
    return b;
  return choose(SymbolKind::Max, a, b);
}

AffineExpr ShapeScope::broadcast(AffineExpr a, AffineExpr b) {
  a = normalizeSize(a);
  b = normalizeSize(b);
  std::optional<int64_t> x = getKnownSize(a), y = getKnownSize(b);
  if (a == b || y == 1 || (x && x != 1))
    return a;
  if (x == 1 || y)
    return b;
  return choose(SymbolKind::Broadcast, a, b);
}

bool ShapeScope::isNeverNegative(AffineExpr size) const {
  if (std::optional<int64_t> number = getKnownSize(size))
    return *number >= 0;
  if (auto binary = dyn_cast<AffineBinaryOpExpr>(size))
    return isNeverNegative(binary.getLHS()) && isNeverNegative(binary.getRHS());
  const Symbol &symbol = symbols[cast<AffineSymbolExpr>(size).getPosition()];
  switch (symbol.kind) {
  case SymbolKind::Dim:
    return true;
  case SymbolKind::Index:
    return false;
  case SymbolKind::Max:
    return isNeverNegative(symbol.lhs) || isNeverNegative(symbol.rhs);
  default:
    return isNeverNegative(symbol.lhs) && isNeverNegative(symbol.rhs);
  }
}

int64_t ShapeScope::sample(AffineExpr size, int64_t number) const {
  if (std::optional<int64_t> known = getKnownSize(size))
    return *known;
  if (auto symbol = dyn_cast<AffineSymbolExpr>(size)) {
    const Symbol &chosen = symbols[symbol.getPosition()];
    if (chosen.kind == SymbolKind::Dim || chosen.kind == SymbolKind::Index)
      return number;
    int64_t lhs = sample(chosen.lhs, number), rhs = sample(chosen.rhs, number);
    if (chosen.kind == SymbolKind::Min)
      return std::min(lhs, rhs);
    if (chosen.kind == SymbolKind::Max)
      return std::max(lhs, rhs);
    return lhs == 1 ? rhs : lhs;
  }
  constexpr int64_t tooLarge = std::numeric_limits<int64_t>::max();
  auto binary = cast<AffineBinaryOpExpr>(size);
  int64_t lhs = sample(binary.getLHS(), number);
  int64_t rhs = sample(binary.getRHS(), number);
  switch (size.getKind()) {
  case AffineExprKind::Add:
    return llvm::checkedAdd(lhs, rhs).value_or(tooLarge);
  case AffineExprKind::Mul:
    return llvm::checkedMul(lhs, rhs).value_or(tooLarge);
  case AffineExprKind::CeilDiv:
    return llvm::divideCeilSigned(lhs, std::max<int64_t>(rhs, 1));
  case AffineExprKind::FloorDiv:
    return llvm::divideFloorSigned(lhs, std::max<int64_t>(rhs, 1));
  default:
    return llvm::mod(lhs, std::max<int64_t>(rhs, 1));
  }
}

//===----------------------------------------------------------------------===//
// Definitions
//===----------------------------------------------------------------------===//

TensorShape ShapeScope::shapeOf(Value tensor) {
  auto known = shapes.find(tensor);
  if (known != shapes.end())
    return known->second;
  auto type = cast<RankedTensorType>(tensor.getType());
  TensorShape shape{{}, type.getElementType()};
  if (auto result = dyn_cast<OpResult>(tensor);
      result && sees == Sees::Definitions && !type.hasStaticShape())
    if (std::optional<TensorShape> followed = follow(result))
      shape = std::move(*followed);
  if (shape.sizes.empty())
    for (auto [axis, size] : llvm::enumerate(type.getShape()))
      shape.sizes.push_back(ShapedType::isDynamic(size)
                                ? getDim(tensor, axis)
                                : getAffineConstantExpr(size, context));
  shapes.try_emplace(tensor, shape);
  return shape;
}

/// The shape of a result as it follows from its operation, if that is known.
std::optional<TensorShape> ShapeScope::follow(OpResult result) {
  Operation *op = result.getOwner();
  if (isa<ShapeOpInterface>(op)) {
    FailureOr<SmallVector<TensorShape>> all = inferShapes(op, *this);
    if (failed(all))
      return std::nullopt;
    return (*all)[result.getResultNumber()];
  }
  if (auto styled = dyn_cast<DestinationStyleOpInterface>(op))
    if (styled.getNumDpsInits() == op->getNumResults())
      return shapeOf(styled.getTiedOpOperand(result)->get());
  auto type = cast<RankedTensorType>(result.getType());
  auto mixed = [&](ArrayRef<OpFoldResult> sizes) {
    TensorShape shape{{}, type.getElementType()};
    for (OpFoldResult size : sizes)
      shape.sizes.push_back(
          isa<Value>(size)
              ? valueOf(cast<Value>(size))
              : getAffineConstantExpr(*getConstantIntValue(size), context));
    return shape;
  };
  if (auto empty = dyn_cast<tensor::EmptyOp>(op))
    return mixed(empty.getMixedSizes());
  if (auto expand = dyn_cast<tensor::ExpandShapeOp>(op))
    return mixed(expand.getMixedOutputShape());
  if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op)) {
    if (slice.getSourceType().getRank() == type.getRank())
      return mixed(slice.getMixedSizes());
  } else if (auto collapse = dyn_cast<tensor::CollapseShapeOp>(op)) {
    TensorShape source = shapeOf(collapse.getSrc());
    TensorShape shape{{}, source.element};
    for (const ReassociationIndices &group :
         collapse.getReassociationIndices()) {
      AffineExpr size = getAffineConstantExpr(1, context);
      for (int64_t axis : group)
        size = size * source.sizes[axis];
      shape.sizes.push_back(normalizeSize(size));
    }
    return shape;
  }
  return std::nullopt;
}

void ShapeScope::bind(Value tensor, ArrayRef<OpFoldResult> sizes) {
  TensorShape shape{{}, getElementTypeOrSelf(tensor)};
  for (OpFoldResult size : sizes) {
    std::optional<int64_t> number = getConstantIntValue(size);
    shape.sizes.push_back(number ? getAffineConstantExpr(*number, context)
                                 : valueOf(cast<Value>(size)));
  }
  shapes[tensor] = std::move(shape);
}

void ShapeScope::bindIndex(Value index, Value value) {
  if (index != value)
    indices[index] = valueOf(value);
}

AffineExpr ShapeScope::valueOf(Value index) {
  if (AffineExpr bound = indices.lookup(index))
    return bound;
  if (sees == Sees::Definitions)
    if (AffineExpr followed = followIndex(index))
      return normalizeSize(followed);
  return getSymbol({static_cast<unsigned>(SymbolKind::Index),
                    index.getAsOpaquePointer(), nullptr},
                   {SymbolKind::Index, index});
}

/// The value of an index as it follows from its operation, or null.
AffineExpr ShapeScope::followIndex(Value index) {
  if (std::optional<int64_t> number = getConstantIntValue(index))
    return getAffineConstantExpr(*number, context);
  Operation *op = index.getDefiningOp();
  if (!op)
    return {};
  if (auto dim = dyn_cast<tensor::DimOp>(op)) {
    auto type = dyn_cast<RankedTensorType>(dim.getSource().getType());
    std::optional<int64_t> axis = dim.getConstantIndex();
    if (!type || !axis || *axis < 0 || *axis >= type.getRank())
      return {};
    return shapeOf(dim.getSource()).sizes[*axis];
  }
  if (op->getNumOperands() != 2)
    return {};
  auto lhs = [&] { return valueOf(op->getOperand(0)); };
  auto rhs = [&] { return valueOf(op->getOperand(1)); };
  if (isa<arith::AddIOp>(op))
    return lhs() + rhs();
  if (isa<arith::SubIOp>(op))
    return lhs() - rhs();
  if (isa<arith::MulIOp>(op))
    return lhs() * rhs();
  if (isa<arith::MinSIOp>(op))
    return min(lhs(), rhs());
  if (isa<arith::MaxSIOp>(op))
    return max(lhs(), rhs());
  if (!isa<arith::FloorDivSIOp, arith::CeilDivSIOp>(op))
    return {};
  // Only by positive numbers is it division as sizes have it.
  Value divisor = op->getOperand(1);
  std::optional<int64_t> number = getConstantIntValue(divisor);
  auto atLeastOne = divisor.getDefiningOp<arith::MaxSIOp>();
  AffineExpr by;
  if (number && *number > 0)
    by = getAffineConstantExpr(*number, context);
  else if (atLeastOne && getConstantIntValue(atLeastOne.getRhs()) == 1)
    by = valueOf(atLeastOne.getLhs());
  else
    return {};
  return isa<arith::FloorDivSIOp>(op) ? lhs().floorDiv(by) : lhs().ceilDiv(by);
}

//===----------------------------------------------------------------------===//
// Formulas
//===----------------------------------------------------------------------===//

std::optional<std::string> ShapeScope::describe(AffineExpr size) const {
  std::string text;
  llvm::raw_string_ostream os(text);
  if (!write(os, normalizeSize(size), /*isFactor=*/true))
    return std::nullopt;
  return text;
}

/// Writes a formula; false if there is none. One that is a factor of another is
/// put in parentheses where it needs them.
bool ShapeScope::write(raw_ostream &os, AffineExpr size, bool isFactor) const {
  if (auto constant = dyn_cast<AffineConstantExpr>(size)) {
    os << constant.getValue();
    return true;
  }
  if (auto symbol = dyn_cast<AffineSymbolExpr>(size))
    return write(os, symbols[symbol.getPosition()]);
  auto binary = cast<AffineBinaryOpExpr>(size);
  AffineExpr lhs = binary.getLHS(), rhs = binary.getRHS();
  if (size.getKind() == AffineExprKind::Mul) {
    // Numbers are on the right in the normal form.
    if (isa<AffineConstantExpr>(rhs))
      std::swap(lhs, rhs);
    if (!write(os, lhs, /*isFactor=*/true))
      return false;
    os << "*";
    return write(os, rhs, /*isFactor=*/true);
  }
  if (isFactor)
    os << "(";
  bool isSum = size.getKind() == AffineExprKind::Add;
  if (size.getKind() == AffineExprKind::CeilDiv) {
    // Python has no such operator: -(-a // b).
    os << "-(";
    lhs = normalizeSize(-lhs);
  }
  if (!write(os, lhs, !isSum))
    return false;
  if (isSum) {
    auto product = dyn_cast<AffineBinaryOpExpr>(rhs);
    auto factor = dyn_cast<AffineConstantExpr>(
        product && product.getKind() == AffineExprKind::Mul ? product.getRHS()
                                                            : rhs);
    bool isNegative = factor && factor.getValue() < 0;
    os << (isNegative ? " - " : " + ");
    if (isNegative)
      rhs = normalizeSize(-rhs);
  } else {
    os << (size.getKind() == AffineExprKind::Mod ? " % " : " // ");
  }
  if (!write(os, rhs, !isSum))
    return false;
  if (size.getKind() == AffineExprKind::CeilDiv)
    os << ")";
  if (isFactor)
    os << ")";
  return true;
}

bool ShapeScope::write(raw_ostream &os, const Symbol &symbol) const {
  if (symbol.kind == SymbolKind::Index)
    return false;
  if (symbol.kind == SymbolKind::Dim) {
    auto argument = dyn_cast<BlockArgument>(symbol.value);
    if (!argument)
      return false;
    if (StringAttr name = getDimName(argument, symbol.axis)) {
      os << name.getValue();
      return true;
    }
    auto function = dyn_cast_or_null<FunctionOpInterface>(
        argument.getOwner()->getParentOp());
    auto name = function && argument.getOwner()->isEntryBlock()
                    ? function.getArgAttrOfType<StringAttr>(
                          argument.getArgNumber(), GraphDialect::kName)
                    : StringAttr();
    if (name)
      os << name.getValue() << "[" << symbol.axis << "]";
    return bool(name);
  }
  // The size that two broadcast to is the larger one.
  os << (symbol.kind == SymbolKind::Min ? "min(" : "max(");
  if (!write(os, symbol.lhs))
    return false;
  os << ", ";
  if (!write(os, symbol.rhs))
    return false;
  os << ")";
  return true;
}

//===----------------------------------------------------------------------===//
// Materialization
//===----------------------------------------------------------------------===//

/// Whether `value` is defined before the insertion point, in the same block or
/// as an argument of it.
static bool isVisible(Value value, OpBuilder &builder) {
  Operation *op = value.getDefiningOp();
  Block *block = builder.getInsertionBlock();
  if (value.getParentBlock() != block)
    return false;
  return !op || builder.getInsertionPoint() == block->end() ||
         op->isBeforeInBlock(&*builder.getInsertionPoint());
}

Value ShapeScope::buildSymbol(OpBuilder &builder, Location loc,
                              const Symbol &symbol) {
  if (symbol.kind == SymbolKind::Dim)
    return builder.createOrFold<tensor::DimOp>(loc, symbol.value, symbol.axis);
  if (symbol.kind == SymbolKind::Index)
    return symbol.value;
  Value lhs = build(builder, loc, symbol.lhs);
  Value rhs = build(builder, loc, symbol.rhs);
  if (symbol.kind == SymbolKind::Min)
    return builder.createOrFold<arith::MinSIOp>(loc, lhs, rhs);
  if (symbol.kind == SymbolKind::Max)
    return builder.createOrFold<arith::MaxSIOp>(loc, lhs, rhs);
  Value one = arith::ConstantIndexOp::create(builder, loc, 1);
  Value isOne = builder.createOrFold<arith::CmpIOp>(
      loc, arith::CmpIPredicate::eq, lhs, one);
  return builder.createOrFold<arith::SelectOp>(loc, isOne, rhs, lhs);
}

Value ShapeScope::build(OpBuilder &builder, Location loc, AffineExpr size) {
  Value old = built.lookup(size);
  if (old && isVisible(old, builder))
    return old;
  Value value;
  if (auto constant = dyn_cast<AffineConstantExpr>(size)) {
    value = arith::ConstantIndexOp::create(builder, loc, constant.getValue());
  } else if (auto symbol = dyn_cast<AffineSymbolExpr>(size)) {
    value = buildSymbol(builder, loc, symbols[symbol.getPosition()]);
  } else {
    auto binary = cast<AffineBinaryOpExpr>(size);
    Value lhs = build(builder, loc, binary.getLHS());
    Value rhs = build(builder, loc, binary.getRHS());
    if (size.getKind() == AffineExprKind::Add) {
      value = builder.createOrFold<arith::AddIOp>(loc, lhs, rhs);
    } else if (size.getKind() == AffineExprKind::Mul) {
      value = builder.createOrFold<arith::MulIOp>(loc, lhs, rhs);
    } else {
      // A divisor is a size and may be 0, where nothing is left to divide.
      Value one = arith::ConstantIndexOp::create(builder, loc, 1);
      rhs = builder.createOrFold<arith::MaxSIOp>(loc, rhs, one);
      if (size.getKind() == AffineExprKind::CeilDiv) {
        value = builder.createOrFold<arith::CeilDivSIOp>(loc, lhs, rhs);
      } else {
        value = builder.createOrFold<arith::FloorDivSIOp>(loc, lhs, rhs);
        if (size.getKind() == AffineExprKind::Mod) {
          value = builder.createOrFold<arith::MulIOp>(loc, value, rhs);
          value = builder.createOrFold<arith::SubIOp>(loc, lhs, value);
        }
      }
    }
  }
  built[size] = value;
  return value;
}

OpFoldResult ShapeScope::materialize(OpBuilder &builder, Location loc,
                                     AffineExpr size) {
  size = normalizeSize(size);
  if (std::optional<int64_t> number = getKnownSize(size))
    return builder.getIndexAttr(*number);
  return build(builder, loc, size);
}

SmallVector<OpFoldResult> ShapeScope::materialize(OpBuilder &builder,
                                                  Location loc, Value tensor) {
  auto type = cast<RankedTensorType>(tensor.getType());
  TensorShape shape = shapeOf(tensor);
  SmallVector<OpFoldResult> sizes;
  for (auto [axis, size] : llvm::enumerate(type.getShape())) {
    if (!ShapedType::isDynamic(size))
      sizes.push_back(builder.getIndexAttr(size));
    else
      // Even a size that turned out to be known is a value where the type does
      // not say it.
      sizes.push_back(build(builder, loc, normalizeSize(shape.sizes[axis])));
  }
  return sizes;
}

Value ShapeScope::materialize(OpBuilder &builder, Location loc,
                              const ShapeRequirement &requirement) {
  Value lhs = build(builder, loc, requirement.lhs);
  Value rhs = build(builder, loc, requirement.rhs);
  auto compare = [&](arith::CmpIPredicate predicate, Value a, Value b) {
    return builder.createOrFold<arith::CmpIOp>(loc, predicate, a, b);
  };
  if (requirement.kind == ShapeRequirement::Kind::AtLeast)
    return compare(arith::CmpIPredicate::sge, lhs, rhs);
  Value holds = compare(arith::CmpIPredicate::eq, lhs, rhs);
  if (requirement.kind == ShapeRequirement::Kind::Equal)
    return holds;
  Value one = arith::ConstantIndexOp::create(builder, loc, 1);
  for (Value side : {lhs, rhs})
    holds = builder.createOrFold<arith::OrIOp>(
        loc, holds, compare(arith::CmpIPredicate::eq, side, one));
  return holds;
}
