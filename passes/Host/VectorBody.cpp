//===- VectorBody.cpp - Emission helpers of native kernels ----------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Host/VectorBody.h"

#include "dialects/CPU/CPUDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace acc::host;

FailureOr<FlatView> acc::host::flatten(OpBuilder &builder, Location loc,
                                       Value buffer) {
  auto type = cast<MemRefType>(buffer.getType());
  FlatView view;
  int64_t offset = 0;
  if (failed(type.getStridesAndOffset(view.strides, offset)) ||
      llvm::any_of(view.strides, ShapedType::isDynamic))
    return failure();
  bool moves = ShapedType::isDynamic(offset);
  if (type.getRank() == 1 && view.strides[0] == 1) {
    view.memref = buffer;
    return view;
  }
  MemRefLayoutAttrInterface layout;
  if (!type.hasStaticShape()) {
    // Strides are static, so the outermost size alone is not.
    if (!type.getLayout().isIdentity())
      return failure();
    IndexBuilder index(builder, loc);
    Value extent = index.mul(memref::DimOp::create(builder, loc, buffer, 0),
                             view.strides[0]);
    auto flat = MemRefType::get({ShapedType::kDynamic}, type.getElementType(),
                                layout, type.getMemorySpace());
    view.memref = memref::ReinterpretCastOp::create(
        builder, loc, flat, buffer, OpFoldResult(builder.getIndexAttr(0)),
        ArrayRef<OpFoldResult>{extent},
        ArrayRef<OpFoldResult>{builder.getIndexAttr(1)});
    return view;
  }
  int64_t extent = 1;
  for (auto [size, stride] : llvm::zip(type.getShape(), view.strides))
    extent += (size - 1) * stride;
  if (offset)
    layout = StridedLayoutAttr::get(builder.getContext(), offset, {1});
  auto flat = MemRefType::get({extent}, type.getElementType(), layout,
                              type.getMemorySpace());
  // One matrix of several starts where the loop over them says.
  OpFoldResult start = builder.getIndexAttr(moves ? 0 : offset);
  if (moves)
    start = memref::ExtractStridedMetadataOp::create(builder, loc, buffer)
                .getOffset();
  view.memref = memref::ReinterpretCastOp::create(
      builder, loc, flat, buffer, start,
      ArrayRef<OpFoldResult>{builder.getIndexAttr(extent)},
      ArrayRef<OpFoldResult>{builder.getIndexAttr(1)});
  return view;
}

FailureOr<OpenView> acc::host::flattenOpen(OpBuilder &builder, Location loc,
                                           Value buffer) {
  IndexBuilder index(builder, loc);
  OpenView view;
  if (FailureOr<FlatView> flat = flatten(builder, loc, buffer);
      succeeded(flat)) {
    view.memref = flat->memref;
    for (int64_t stride : flat->strides)
      view.strides.push_back(index.constant(stride));
    return view;
  }
  auto type = cast<MemRefType>(buffer.getType());
  if (!type.getLayout().isIdentity())
    return failure();
  Value extent = index.constant(1);
  for (int64_t dim = type.getRank() - 1; dim >= 0; --dim) {
    view.strides.insert(view.strides.begin(), extent);
    extent = index.mul(extent,
                       builder.createOrFold<memref::DimOp>(loc, buffer, dim));
  }
  auto flat =
      MemRefType::get({ShapedType::kDynamic}, type.getElementType(),
                      MemRefLayoutAttrInterface(), type.getMemorySpace());
  view.memref = memref::ReinterpretCastOp::create(
      builder, loc, flat, buffer, OpFoldResult(builder.getIndexAttr(0)),
      ArrayRef<OpFoldResult>{OpFoldResult(extent)},
      ArrayRef<OpFoldResult>{builder.getIndexAttr(1)});
  return view;
}

/// A lane that does not exist reads zeros, by which nothing may divide.
static bool mayTrap(Operation &op) {
  return isa<arith::DivSIOp, arith::DivUIOp, arith::RemSIOp, arith::RemUIOp,
             arith::CeilDivSIOp, arith::CeilDivUIOp, arith::FloorDivSIOp>(op);
}

SmallVector<ByteTable> acc::host::findTables(Block &body) {
  SmallVector<ByteTable> tables;
  for (auto load : body.getOps<memref::LoadOp>()) {
    MemRefType type = load.getMemRefType();
    if (type.getRank() != 2 || !type.hasStaticShape() ||
        type.getDimSize(1) != 256 || !type.getElementType().isInteger(8))
      continue;
    auto cast = load.getIndices()[1].getDefiningOp<arith::IndexCastUIOp>();
    if (!cast || !cast.getIn().getType().isInteger(8))
      continue;
    ByteTable table{load, cast.getIn(), std::nullopt};
    if (auto loop = load.getIndices()[0].getDefiningOp<linalg::IndexOp>())
      table.axis = int64_t(loop.getDim());
    else if (getConstantIntValue(load.getIndices()[0]) != 0)
      continue;
    tables.push_back(table);
  }
  return tables;
}

bool acc::host::isVectorizable(Block &body, ArrayRef<ByteTable> tables) {
  auto isTable = [&](Operation *op) {
    return llvm::any_of(
        tables, [&](const ByteTable &table) { return table.load == op; });
  };
  return llvm::all_of(body.without_terminator(), [&](Operation &op) {
    if (isTable(&op))
      return true;
    // What only says where in a table to look is not computed.
    if (isa<linalg::IndexOp>(op))
      return llvm::all_of(op.getUsers(), isTable);
    return op.getNumRegions() == 0 && op.getNumResults() == 1 && !mayTrap(op) &&
           (op.hasTrait<OpTrait::ConstantLike>() ||
            OpTrait::hasElementwiseMappableTraits(&op)) &&
           VectorType::isValidElementType(op.getResult(0).getType());
  });
}

bool acc::host::isVectorElement(Type type) {
  return type.isIntOrFloat() && !type.isInteger(1);
}

bool ByteLookup::isKnown(StringRef instruction) {
  return instruction == "pshufb" || instruction == "vpermi2b" ||
         instruction == "tbl";
}

ByteLookup::ByteLookup(OpBuilder &builder, Location loc, StringRef instruction,
                       int64_t lanes, Value memref, Value offset)
    : loc(loc), instruction(instruction), lanes(lanes),
      width(instruction == "vpermi2b" ? 64 : std::max<int64_t>(lanes, 16)) {
  int64_t size = instruction == "vpermi2b" ? 64 : 16;
  IndexBuilder index(builder, loc);
  auto type = VectorType::get(size, builder.getI8Type());
  SmallVector<int64_t> repeated;
  for (int64_t lane = 0; lane < width; ++lane)
    repeated.push_back(lane % size);
  Value before;
  for (int64_t at = 0; at < 256; at += size) {
    Value part = vector::LoadOp::create(builder, loc, type, memref,
                                        ValueRange{index.add(offset, at)});
    Value changed = part;
    if (instruction == "pshufb" && at % 128 != 0)
      changed = arith::XOrIOp::create(builder, loc, part, before);
    if (width != size)
      changed =
          vector::ShuffleOp::create(builder, loc, changed, changed, repeated);
    parts.push_back(changed);
    before = part;
  }
}

Value ByteLookup::shuffle(OpBuilder &builder, StringRef name,
                          ValueRange operands) const {
  return LLVM::CallIntrinsicOp::create(
             builder, loc, VectorType::get(width, builder.getI8Type()),
             builder.getStringAttr(name), operands)
      .getResults();
}

/// The same number in every lane of positions.
static Value splat(OpBuilder &builder, Location loc, Value like, int8_t value) {
  return arith::ConstantOp::create(
      builder, loc,
      DenseElementsAttr::get(cast<VectorType>(like.getType()), value));
}

Value ByteLookup::permuteTwice(OpBuilder &builder, Value x) const {
  constexpr StringLiteral name = "llvm.x86.avx512.vpermi2var.qi.512";
  Value low = shuffle(builder, name, {parts[0], x, parts[1]}),
        high = shuffle(builder, name, {parts[2], x, parts[3]});
  Value isHigh = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::slt,
                                       x, splat(builder, loc, x, 0));
  return arith::SelectOp::create(builder, loc, isHigh, high, low);
}

/// A quarter of the table is looked up at once; lanes whose position is in
/// another one keep what they had, or begin with 0.
Value ByteLookup::selectParts(OpBuilder &builder, Value x) const {
  Value result;
  for (int64_t quarter = 0; quarter < 4; ++quarter) {
    SmallVector<Value> operands(ArrayRef(parts).slice(4 * quarter, 4));
    if (quarter == 0) {
      operands.push_back(x);
      result = shuffle(builder, "llvm.aarch64.neon.tbl4.v16i8", operands);
      continue;
    }
    operands.insert(operands.begin(), result);
    operands.push_back(arith::SubIOp::create(
        builder, loc, x,
        splat(builder, loc, x, static_cast<int8_t>(64 * quarter))));
    result = shuffle(builder, "llvm.aarch64.neon.tbx4.v16i8", operands);
  }
  return result;
}

/// A shuffle by a negative number is 0, and else looks at four bits. What all
/// positions from 16 k on add is what part k differs by from the one before.
Value ByteLookup::joinShuffles(OpBuilder &builder, Value x) const {
  StringRef name = width == 64   ? "llvm.x86.avx512.pshuf.b.512"
                   : width == 32 ? "llvm.x86.avx2.pshuf.b"
                                 : "llvm.x86.ssse3.pshuf.b.128";
  Value result;
  for (int64_t half : {0, 8}) {
    Value at = half ? arith::XOrIOp::create(builder, loc, x,
                                            splat(builder, loc, x, -128))
                          .getResult()
                    : x;
    for (int64_t k = 0; k < 8; ++k) {
      if (k)
        at = LLVM::SSubSat::create(builder, loc, x.getType(), at,
                                   splat(builder, loc, x, 16));
      Value part = shuffle(builder, name, {parts[half + k], at});
      result =
          result ? arith::XOrIOp::create(builder, loc, result, part).getResult()
                 : part;
    }
  }
  return result;
}

Value ByteLookup::get(OpBuilder &builder, Value positions) const {
  auto resize = [&](Value vector, int64_t from, int64_t to) -> Value {
    SmallVector<int64_t> picks;
    for (int64_t lane = 0; lane < to; ++lane)
      picks.push_back(lane % from);
    return from == to
               ? vector
               : vector::ShuffleOp::create(builder, loc, vector, vector, picks)
                     .getResult();
  };
  Value x = resize(positions, lanes, width);
  Value result = instruction == "vpermi2b" ? permuteTwice(builder, x)
                 : instruction == "tbl"    ? selectParts(builder, x)
                                           : joinShuffles(builder, x);
  return resize(result, width, lanes);
}

SmallVector<Value> acc::host::vectorizeBody(OpBuilder &builder, Block &body,
                                            ValueRange arguments, int64_t lanes,
                                            ArrayRef<ByteTable> tables,
                                            ArrayRef<ByteLookup> lookups) {
  IRMapping mapping;
  mapping.map(body.getArguments(), arguments);
  auto lookup = [&](Value value) {
    if (Value mapped = mapping.lookupOrNull(value))
      return mapped;
    // A scalar from outside of the body.
    Value splat = vector::BroadcastOp::create(
        builder, value.getLoc(), VectorType::get(lanes, value.getType()),
        value);
    mapping.map(value, splat);
    return splat;
  };
  for (Operation &op : body.without_terminator()) {
    const auto *table = llvm::find_if(
        tables, [&](const ByteTable &known) { return known.load == &op; });
    if (table != tables.end()) {
      mapping.map(op.getResult(0), lookups[table - tables.begin()].get(
                                       builder, lookup(table->position)));
      continue;
    }
    if (isa<linalg::IndexOp, arith::IndexCastUIOp>(op) &&
        llvm::all_of(op.getUsers(), llvm::IsaPred<memref::LoadOp>))
      continue;
    if (op.hasTrait<OpTrait::ConstantLike>()) {
      Operation *constant = builder.clone(op);
      mapping.map(op.getResult(0),
                  vector::BroadcastOp::create(
                      builder, op.getLoc(),
                      VectorType::get(lanes, op.getResult(0).getType()),
                      constant->getResult(0)));
      continue;
    }
    OperationState state(op.getLoc(), op.getName());
    for (Value operand : op.getOperands())
      state.operands.push_back(lookup(operand));
    state.addTypes(VectorType::get(lanes, op.getResult(0).getType()));
    state.attributes = op.getDiscardableAttrDictionary();
    state.propertiesAttr = op.getPropertiesAsAttribute();
    mapping.map(op.getResult(0), builder.create(state)->getResult(0));
  }
  return llvm::map_to_vector(body.getTerminator()->getOperands(), lookup);
}

SmallVector<Value> acc::host::transposeVectors(OpBuilder &builder, Location loc,
                                               SmallVector<Value> rows) {
  auto n = static_cast<int64_t>(rows.size());
  SmallVector<int64_t> low, high;
  for (int64_t i = 0; i < n; ++i) {
    low.push_back((i / 2) + ((i % 2) * n));
    high.push_back((n / 2) + (i / 2) + ((i % 2) * n));
  }
  for (int64_t stage = 1; stage < n; stage *= 2) {
    SmallVector<Value> next;
    for (int64_t i = 0; i < n / 2; ++i)
      for (const auto &half : {low, high})
        next.push_back(vector::ShuffleOp::create(builder, loc, rows[i],
                                                 rows[i + (n / 2)], half));
    rows = next;
  }
  return rows;
}

Value IndexBuilder::constant(int64_t value) {
  return arith::ConstantIndexOp::create(builder, loc, value);
}

Value IndexBuilder::add(Value a, Value b) {
  return builder.createOrFold<arith::AddIOp>(loc, a, b);
}

Value IndexBuilder::sub(Value a, Value b) {
  return builder.createOrFold<arith::SubIOp>(loc, a, b);
}

Value IndexBuilder::mul(Value a, Value b) {
  return builder.createOrFold<arith::MulIOp>(loc, a, b);
}

Value IndexBuilder::div(Value a, int64_t b) {
  return builder.createOrFold<arith::DivUIOp>(loc, a, constant(b));
}

Value IndexBuilder::rem(Value a, int64_t b) {
  return builder.createOrFold<arith::RemUIOp>(loc, a, constant(b));
}

Value IndexBuilder::div(Value a, Value b) {
  return builder.createOrFold<arith::DivUIOp>(loc, a, b);
}

Value IndexBuilder::rem(Value a, Value b) {
  return builder.createOrFold<arith::RemUIOp>(loc, a, b);
}

Value IndexBuilder::min(Value a, Value b) {
  return builder.createOrFold<arith::MinSIOp>(loc, a, b);
}

Value IndexBuilder::max(Value a, Value b) {
  return builder.createOrFold<arith::MaxSIOp>(loc, a, b);
}

void IndexBuilder::loop(Value count, function_ref<void(Value)> body) {
  (void)loop(count, ValueRange(), [&](Value iv, ValueRange) {
    body(iv);
    return SmallVector<Value>();
  });
}

SmallVector<Value> IndexBuilder::loop(Value count, ValueRange init,
                                      CarryingBody body) {
  std::optional<int64_t> known = getConstantIntValue(count);
  if (known == 0)
    return llvm::to_vector(init);
  if (known == 1)
    return body(constant(0), init);
  auto loop =
      scf::ForOp::create(builder, loc, constant(0), count, constant(1), init);
  OpBuilder::InsertionGuard guard(builder);
  // Without carried values there is a terminator already.
  Block *block = loop.getBody();
  if (block->empty())
    builder.setInsertionPointToEnd(block);
  else
    builder.setInsertionPoint(block->getTerminator());
  SmallVector<Value> results =
      body(loop.getInductionVar(), loop.getRegionIterArgs());
  if (!init.empty())
    scf::YieldOp::create(builder, loc, results);
  return loop.getResults();
}

SmallVector<Value> IndexBuilder::chunks(Value count, int64_t width,
                                        ValueRange init, ChunkBody body) {
  SmallVector<Value> carried =
      loop(div(count, width), init, [&](Value iv, ValueRange values) {
        return body(mul(iv, width), Value(), values);
      });
  Value rest = rem(count, width);
  std::optional<int64_t> known = getConstantIntValue(rest);
  if (known == 0)
    return carried;
  Value start = sub(count, rest);
  if (known)
    return body(start, rest, carried);
  Value some = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ne,
                                     rest, constant(0));
  auto choice = scf::IfOp::create(builder, loc, ValueRange(carried).getTypes(),
                                  some, /*withElseRegion=*/!carried.empty());
  OpBuilder::InsertionGuard guard(builder);
  if (carried.empty()) {
    builder.setInsertionPoint(choice.thenBlock()->getTerminator());
    return body(start, rest, carried);
  }
  builder.setInsertionPointToEnd(choice.elseBlock());
  scf::YieldOp::create(builder, loc, carried);
  builder.setInsertionPointToEnd(choice.thenBlock());
  scf::YieldOp::create(builder, loc, body(start, rest, carried));
  return choice.getResults();
}

void IndexBuilder::parallel(Value count, Value own,
                            function_ref<void(Value, Value)> body) {
  std::optional<int64_t> known = getConstantIntValue(count);
  if (known == 0)
    return;
  if (known == 1)
    return body(constant(0), own);
  auto loop = cpu::ParallelOp::create(builder, loc, count, own);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(&loop.getBody().front());
  body(loop.getChunk(), own ? loop.getOwnMemory() : Value());
}

void IndexBuilder::piece(Value number, Value extent, int64_t size,
                         function_ref<void(Value, Value)> body) {
  Value start = mul(number, size), whole = constant(size);
  std::optional<int64_t> known = getConstantIntValue(extent);
  if (!known)
    return body(start, min(whole, sub(extent, start)));
  if (*known % size == 0)
    return body(start, whole);
  Value rest = constant(*known % size);
  if (*known < size)
    return body(start, rest);
  Value isWhole = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ult,
                                        number, constant(*known / size));
  auto choice = scf::IfOp::create(builder, loc, isWhole, /*withElse=*/true);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPoint(choice.thenBlock()->getTerminator());
  body(start, whole);
  builder.setInsertionPoint(choice.elseBlock()->getTerminator());
  body(constant(*known - (*known % size)), rest);
}

Value IndexBuilder::takeChunk(Value number, Value extent, int64_t chunk,
                              bool isOutermost,
                              function_ref<void(Value, Value)> body) {
  Value own = number, others = constant(0);
  if (!isOutermost) {
    Value count = ceilDiv(extent, chunk);
    own = rem(number, count);
    others = div(number, count);
  }
  Value start = mul(own, chunk), size = constant(chunk);
  std::optional<int64_t> known = getConstantIntValue(extent);
  if (!known || *known % chunk)
    size = min(size, sub(extent, start));
  body(start, size);
  return others;
}

Value acc::host::createMask(OpBuilder &builder, Location loc, int64_t lanes,
                            Value count) {
  if (std::optional<int64_t> known = getConstantIntValue(count))
    return constantMask(builder, loc, lanes, *known);
  return vector::CreateMaskOp::create(
      builder, loc, VectorType::get(lanes, builder.getI1Type()), count);
}

Value acc::host::constantMask(OpBuilder &builder, Location loc, int64_t lanes,
                              int64_t count) {
  return vector::ConstantMaskOp::create(
      builder, loc, VectorType::get(lanes, builder.getI1Type()),
      ArrayRef<int64_t>{count});
}

void acc::host::storeLanes(OpBuilder &builder, Location loc, Value value,
                           Value memref, Value offset, Value mask) {
  if (!mask) {
    vector::StoreOp::create(builder, loc, value, memref, ValueRange{offset});
    return;
  }
  auto known = mask.getDefiningOp<vector::ConstantMaskOp>();
  if (known && known.getMaskDimSizes().front() == 1) {
    Value lane = vector::ExtractOp::create(builder, loc, value, int64_t{0});
    memref::StoreOp::create(builder, loc, lane, memref, ValueRange{offset});
    return;
  }
  vector::MaskedStoreOp::create(builder, loc, memref, ValueRange{offset}, mask,
                                value);
}
