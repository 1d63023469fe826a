//===- VTAStructuredOps.cpp - Tensor-level vta operators ------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/VTA/VTADialect.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/AffineMap.h"
#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace acc::vta;

/// Outer dimensions are all but the two that form a hardware element.
static constexpr int64_t kTileRank = 2;

static int64_t outerRank(MemRefType type) { return type.getRank() - kTileRank; }

static ArrayRef<int64_t> tileShape(MemRefType type) {
  return type.getShape().take_back(kTileRank);
}

/// Checks memory space, element type and the shape of one operand.
static LogicalResult verifyOperand(Operation *op, StringRef name, Type type,
                                   ArrayRef<MemorySpace> spaces,
                                   ArrayRef<unsigned> widths) {
  auto memref = dyn_cast<MemRefType>(type);
  if (!memref)
    return op->emitOpError() << name << " must be a ranked memref";
  auto space = dyn_cast_or_null<MemorySpaceAttr>(memref.getMemorySpace());
  if (!space || !llvm::is_contained(spaces, space.getValue())) {
    InFlightDiagnostic diag = op->emitOpError()
                              << name << " must be in memory space ";
    llvm::interleave(
        spaces, [&](MemorySpace s) { diag << stringifyMemorySpace(s); },
        [&] { diag << " or "; });
    return diag << ", but its type is " << type;
  }
  Type element = memref.getElementType();
  if (!element.isSignlessInteger() ||
      !llvm::is_contained(widths, element.getIntOrFloatBitWidth())) {
    InFlightDiagnostic diag = op->emitOpError()
                              << name << " must have elements of ";
    llvm::interleave(
        widths, [&](unsigned w) { diag << "i" << w; }, [&] { diag << " or "; });
    return diag << ", but its type is " << type;
  }
  if (memref.getRank() < kTileRank ||
      ShapedType::isDynamicShape(tileShape(memref)))
    return op->emitOpError()
           << name << " must end in two static dimensions that form one "
           << "hardware element, but its type is " << type;
  return success();
}

/// The widths of the integers of a scratchpad: those of the host's bytes, or
/// less.
static SmallVector<unsigned> elementWidths(MemorySpace space) {
  if (space == MemorySpace::Acc)
    return {32};
  return {8, 4, 2};
}

static LogicalResult verifyScratchpad(Operation *op, StringRef name, Type type,
                                      MemorySpace space) {
  return verifyOperand(op, name, type, space, elementWidths(space));
}

/// What source and target of a transfer must have in common.
static LogicalResult verifyTransfer(Operation *op, MemRefType source,
                                    MemRefType target) {
  if (source.getRank() != target.getRank())
    return op->emitOpError()
           << "source and target must have the same rank, but "
           << "have " << source.getRank() << " and " << target.getRank();
  if (tileShape(source) != tileShape(target))
    return op->emitOpError() << "source and target must have equal innermost "
                             << "two dimensions (the hardware element)";
  return success();
}

static LogicalResult verifyPadding(Operation *op, StringRef name,
                                   ArrayRef<int64_t> values, size_t numDynamic,
                                   int64_t rank) {
  if (int64_t(values.size()) != rank)
    return op->emitOpError()
           << name << " must have one entry for each of the " << rank
           << " outer dimensions, but has " << values.size();
  if (size_t(llvm::count(values, ShapedType::kDynamic)) != numDynamic)
    return op->emitOpError() << name << " must have as many dynamic entries as "
                             << "operands";
  if (llvm::any_of(
          values, [](int64_t v) { return v < 0 && !ShapedType::isDynamic(v); }))
    return op->emitOpError() << name << " must not be negative";
  return success();
}

FailureOr<SmallVector<int64_t>>
acc::vta::getLinearCoefficients(AffineExpr expr, unsigned numDims) {
  SmallVector<int64_t> result(numDims + 1, 0);
  // Sums are nested to the left or to the right; the factor is that of the
  // enclosing products.
  auto add = [&](auto &self, AffineExpr e, int64_t factor) -> bool {
    if (auto constant = dyn_cast<AffineConstantExpr>(e))
      return result.back() += factor * constant.getValue(), true;
    if (auto dim = dyn_cast<AffineDimExpr>(e))
      return result[dim.getPosition()] += factor, true;
    auto binary = dyn_cast<AffineBinaryOpExpr>(e);
    if (!binary)
      return false;
    if (e.getKind() == AffineExprKind::Add)
      return self(self, binary.getLHS(), factor) &&
             self(self, binary.getRHS(), factor);
    auto constant = dyn_cast<AffineConstantExpr>(binary.getRHS());
    return e.getKind() == AffineExprKind::Mul && constant &&
           self(self, binary.getLHS(), factor * constant.getValue());
  };
  if (!add(add, expr, 1))
    return failure();
  return result;
}

static LogicalResult verifyMap(Operation *op, StringRef name, AffineMap map,
                               ArrayRef<int64_t> bounds, MemRefType type) {
  if (map.getNumSymbols() != 0 || map.getNumDims() != bounds.size())
    return op->emitOpError()
           << "map of " << name << " must have one dimension "
           << "for each of the " << bounds.size() << " bounds, and no symbols";
  if (int64_t(map.getNumResults()) != outerRank(type))
    return op->emitOpError()
           << "map of " << name << " must have " << outerRank(type)
           << " results, one for each "
           << "outer dimension, but has " << map.getNumResults();
  for (auto [index, result] : llvm::enumerate(map.getResults())) {
    FailureOr<SmallVector<int64_t>> flat =
        getLinearCoefficients(result, bounds.size());
    if (failed(flat))
      return op->emitOpError()
             << "map of " << name << ": result #" << index << " is not linear";
    int64_t size = type.getDimSize(index);
    if (ShapedType::isDynamic(size) || ShapedType::isDynamicShape(bounds))
      continue;
    // The extremes of a linear expression lie at corners of the domain.
    int64_t low = flat->back(), high = flat->back();
    bool empty = false;
    for (auto [coefficient, bound] : llvm::zip(*flat, bounds)) {
      empty |= bound <= 0;
      int64_t extent = coefficient * (bound - 1);
      (extent < 0 ? low : high) += extent;
    }
    if (!empty && (low < 0 || high >= size))
      return op->emitOpError()
             << "map of " << name << ": result #" << index << " ranges over ["
             << low << ", " << high << "], outside of the dimension of size "
             << size;
  }
  return success();
}

static LogicalResult verifyBounds(Operation *op, ArrayRef<int64_t> bounds,
                                  size_t numDynamic) {
  if (size_t(llvm::count(bounds, ShapedType::kDynamic)) != numDynamic)
    return op->emitOpError(
        "bounds must have as many dynamic entries as operands");
  return success();
}

//===----------------------------------------------------------------------===//
// LoadOp, StoreOp
//===----------------------------------------------------------------------===//

void LoadOp::build(OpBuilder &builder, OperationState &state, Value source,
                   Value target, ArrayRef<OpFoldResult> low,
                   ArrayRef<OpFoldResult> high) {
  SmallVector<int64_t> staticLow, staticHigh;
  SmallVector<Value> dynamicLow, dynamicHigh;
  dispatchIndexOpFoldResults(low, dynamicLow, staticLow);
  dispatchIndexOpFoldResults(high, dynamicHigh, staticHigh);
  build(builder, state, source, target, dynamicLow, dynamicHigh, staticLow,
        staticHigh);
}

void LoadOp::build(OpBuilder &builder, OperationState &state, Value source,
                   Value target) {
  auto type = cast<MemRefType>(source.getType());
  SmallVector<int64_t> zeros(std::max<int64_t>(outerRank(type), 0), 0);
  build(builder, state, source, target, ValueRange(), ValueRange(), zeros,
        zeros);
}

SmallVector<OpFoldResult> LoadOp::getMixedLow() {
  return getMixedValues(getStaticLow(), getLow(), getContext());
}

SmallVector<OpFoldResult> LoadOp::getMixedHigh() {
  return getMixedValues(getStaticHigh(), getHigh(), getContext());
}

LogicalResult LoadOp::verify() {
  if (failed(verifyOperand(*this, "source", getSource().getType(),
                           MemorySpace::Dram, {8, 32, 4, 2})) ||
      failed(
          verifyOperand(*this, "target", getTarget().getType(),
                        {MemorySpace::Inp, MemorySpace::Wgt, MemorySpace::Acc},
                        {8, 32, 4, 2})))
    return failure();
  auto source = cast<MemRefType>(getSource().getType());
  auto target = cast<MemRefType>(getTarget().getType());
  MemorySpace space = cast<MemorySpaceAttr>(target.getMemorySpace()).getValue();
  if (failed(verifyScratchpad(*this, "target", target, space)))
    return failure();
  bool extends =
      space == MemorySpace::Acc && source.getElementTypeBitWidth() <= 8;
  if (!extends && source.getElementType() != target.getElementType())
    return emitOpError() << "cannot convert from " << source.getElementType()
                         << " to " << target.getElementType()
                         << "; only i8 or less to accumulators is extended";
  if (failed(verifyTransfer(*this, source, target)) ||
      failed(verifyPadding(*this, "low", getStaticLow(), getLow().size(),
                           outerRank(source))) ||
      failed(verifyPadding(*this, "high", getStaticHigh(), getHigh().size(),
                           outerRank(source))))
    return failure();
  for (int64_t dim = 0; dim < outerRank(source); ++dim) {
    int64_t low = getStaticLow()[dim], high = getStaticHigh()[dim];
    int64_t from = source.getDimSize(dim), to = target.getDimSize(dim);
    if (llvm::any_of(ArrayRef<int64_t>{low, high, from, to},
                     ShapedType::isDynamic))
      continue;
    if (low + from + high > to)
      return emitOpError() << "writes " << low << " + " << from << " + " << high
                           << " elements in dimension " << dim
                           << " of the target, which has " << to;
  }
  return success();
}

LogicalResult StoreOp::verify() {
  if (failed(verifyScratchpad(*this, "source", getSource().getType(),
                              MemorySpace::Acc)) ||
      failed(verifyOperand(*this, "target", getTarget().getType(),
                           MemorySpace::Dram, {8, 4, 2})))
    return failure();
  auto source = cast<MemRefType>(getSource().getType());
  auto target = cast<MemRefType>(getTarget().getType());
  if (failed(verifyTransfer(*this, source, target)))
    return failure();
  for (int64_t dim = 0; dim < outerRank(source); ++dim) {
    int64_t from = source.getDimSize(dim), to = target.getDimSize(dim);
    if (!ShapedType::isDynamic(from) && !ShapedType::isDynamic(to) && from < to)
      return emitOpError() << "reads " << to << " elements in dimension " << dim
                           << " of the source, which has " << from;
  }
  return success();
}

//===----------------------------------------------------------------------===//
// GemmOp, ResetOp, AluOp
//===----------------------------------------------------------------------===//

void GemmOp::build(OpBuilder &builder, OperationState &state, Value inp,
                   Value wgt, Value acc, ArrayRef<OpFoldResult> bounds,
                   ArrayRef<AffineMap> maps) {
  SmallVector<int64_t> staticBounds;
  SmallVector<Value> dynamicBounds;
  dispatchIndexOpFoldResults(bounds, dynamicBounds, staticBounds);
  build(builder, state, inp, wgt, acc, dynamicBounds, staticBounds,
        builder.getAffineMapArrayAttr(maps), /*window=*/false);
}

SmallVector<OpFoldResult> GemmOp::getMixedBounds() {
  return getMixedValues(getStaticBounds(), getBounds(), getContext());
}

AffineMap GemmOp::getMap(unsigned index) {
  return cast<AffineMapAttr>(getMaps()[index]).getValue();
}

LogicalResult GemmOp::verify() {
  if (failed(verifyScratchpad(*this, "inp", getInp().getType(),
                              MemorySpace::Inp)) ||
      failed(verifyScratchpad(*this, "wgt", getWgt().getType(),
                              MemorySpace::Wgt)) ||
      failed(verifyScratchpad(*this, "acc", getAcc().getType(),
                              MemorySpace::Acc)) ||
      failed(verifyBounds(*this, getStaticBounds(), getBounds().size())))
    return failure();
  auto inp = cast<MemRefType>(getInp().getType());
  auto wgt = cast<MemRefType>(getWgt().getType());
  auto acc = cast<MemRefType>(getAcc().getType());
  ArrayRef<int64_t> inpTile = tileShape(inp), wgtTile = tileShape(wgt),
                    accTile = tileShape(acc);
  if (inpTile[0] != accTile[0] || inpTile[1] != wgtTile[1] ||
      wgtTile[0] != accTile[1])
    return emitOpError() << "hardware elements do not match: inp is "
                         << inpTile[0] << "x" << inpTile[1] << ", wgt is "
                         << wgtTile[0] << "x" << wgtTile[1] << ", acc is "
                         << accTile[0] << "x" << accTile[1];
  if (getMaps().size() != 3)
    return emitOpError("must have three maps: inp, wgt, acc");
  if (failed(verifyMap(*this, "inp", getMap(0), getStaticBounds(), inp)) ||
      failed(verifyMap(*this, "wgt", getMap(1), getStaticBounds(), wgt)) ||
      failed(verifyMap(*this, "acc", getMap(2), getStaticBounds(), acc)))
    return failure();
  return success();
}

LogicalResult ResetOp::verify() {
  return verifyScratchpad(*this, "acc", getAcc().getType(), MemorySpace::Acc);
}

void AluOp::build(OpBuilder &builder, OperationState &state, AluKind op,
                  Value dst, Value src, ArrayRef<OpFoldResult> bounds,
                  ArrayRef<AffineMap> maps) {
  SmallVector<int64_t> staticBounds;
  SmallVector<Value> dynamicBounds;
  dispatchIndexOpFoldResults(bounds, dynamicBounds, staticBounds);
  build(builder, state, op, dst, src, IntegerAttr(), DenseI8ArrayAttr(),
        dynamicBounds, staticBounds, builder.getAffineMapArrayAttr(maps));
}

void AluOp::build(OpBuilder &builder, OperationState &state, AluKind op,
                  Value dst, int32_t imm, ArrayRef<OpFoldResult> bounds,
                  AffineMap map) {
  SmallVector<int64_t> staticBounds;
  SmallVector<Value> dynamicBounds;
  dispatchIndexOpFoldResults(bounds, dynamicBounds, staticBounds);
  build(builder, state, op, dst, Value(), builder.getI32IntegerAttr(imm),
        DenseI8ArrayAttr(), dynamicBounds, staticBounds,
        builder.getAffineMapArrayAttr(map));
}

void AluOp::build(OpBuilder &builder, OperationState &state, Value dst,
                  DenseI8ArrayAttr table, ArrayRef<OpFoldResult> bounds,
                  AffineMap map) {
  SmallVector<int64_t> staticBounds;
  SmallVector<Value> dynamicBounds;
  dispatchIndexOpFoldResults(bounds, dynamicBounds, staticBounds);
  build(builder, state, AluKind::Table, dst, Value(), IntegerAttr(), table,
        dynamicBounds, staticBounds, builder.getAffineMapArrayAttr(map));
}

SmallVector<OpFoldResult> AluOp::getMixedBounds() {
  return getMixedValues(getStaticBounds(), getBounds(), getContext());
}

AffineMap AluOp::getMap(unsigned index) {
  return cast<AffineMapAttr>(getMaps()[index]).getValue();
}

/// A table, where there is one, must have all entries.
static LogicalResult verifyTable(Operation *op, DenseI8ArrayAttr table) {
  if (!table || table.size() == isa::Config::kTableEntries)
    return success();
  return op->emitOpError() << "must have a table of "
                           << isa::Config::kTableEntries << " entries, not "
                           << table.size();
}

LogicalResult LookupStepOp::verify() {
  return verifyTable(*this, getTableAttr());
}

LogicalResult AluOp::verify() {
  if (failed(verifyScratchpad(*this, "dst", getDst().getType(),
                              MemorySpace::Acc)) ||
      failed(verifyBounds(*this, getStaticBounds(), getBounds().size())))
    return failure();
  if ((getOp() == AluKind::Table) != bool(getTableAttr()))
    return emitOpError(getTableAttr() ? "must be a look-up to have a table"
                                      : "must have a table to look up in");
  if (getTableAttr() && (getSrc() || getImm()))
    return emitOpError("must have no operand beside a table");
  if (!getTableAttr() && bool(getSrc()) == bool(getImm()))
    return emitOpError("must have either a src operand or an immediate");
  if (failed(verifyTable(*this, getTableAttr())))
    return failure();
  if (getImm() && !llvm::isInt<16>(int32_t(*getImm())))
    return emitOpError() << "immediate " << int32_t(*getImm())
                         << " does not fit in 16 signed bits";
  if (getMaps().size() != (getSrc() ? 2 : 1))
    return emitOpError() << "must have one map per operand, but has "
                         << getMaps().size();
  auto dst = cast<MemRefType>(getDst().getType());
  if (failed(verifyMap(*this, "dst", getMap(0), getStaticBounds(), dst)))
    return failure();
  if (getSrc()) {
    if (failed(verifyScratchpad(*this, "src", getSrc().getType(),
                                MemorySpace::Acc)))
      return failure();
    auto src = cast<MemRefType>(getSrc().getType());
    if (tileShape(src) != tileShape(dst))
      return emitOpError("dst and src must have equal innermost two dimensions "
                         "(the hardware element)");
    if (failed(verifyMap(*this, "src", getMap(1), getStaticBounds(), src)))
      return failure();
  }
  if (int64_t sources = isa::kAluOpFacts[static_cast<int>(getOp())].sources;
      sources > 1) {
    if (getImm())
      return emitOpError() << stringifyAluKind(getOp()) << " has no immediate";
    auto type = cast<MemRefType>(getSrc().getType());
    ArrayRef<int64_t> outer = type.getShape().drop_back(2);
    AffineMap map = getMap(1);
    if (outer.empty() || outer.back() != sources ||
        map.getResults().back() != getAffineConstantExpr(0, getContext()))
      return emitOpError() << stringifyAluKind(getOp()) << " reads " << sources
                           << " elements, one after the other: the dimension of"
                              " src in front of the element must have as many,"
                              " and its map end with 0";
  }
  bool commutes = getOp() == AluKind::Min || getOp() == AluKind::Max ||
                  getOp() == AluKind::Add;
  for (auto [dim, bound] : llvm::enumerate(getStaticBounds()))
    if (!commutes && bound != 1 && bound > 0 && !getMap(0).isFunctionOfDim(dim))
      return emitOpError() << stringifyAluKind(getOp())
                           << " cannot be a reduction,"
                           << " but the map of dst does not use dimension "
                           << dim;
  return success();
}
