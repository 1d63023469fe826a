//===- Guards.cpp - Code that looks after its own memory ------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Host/Guards.h"

#include "mlir/Conversion/LLVMCommon/MemRefBuilder.h"
#include "mlir/Conversion/LLVMCommon/Pattern.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Interfaces/ViewLikeInterface.h"

using namespace mlir;
using namespace acc::host;

static Value getDescriptor(OpBuilder &builder, Location loc,
                           const LLVMTypeConverter &converter, Value buffer) {
  return UnrealizedConversionCastOp::create(
             builder, loc, converter.convertType(buffer.getType()), buffer)
      .getResult(0);
}

Value acc::host::getAddress(OpBuilder &builder, Location loc,
                            const LLVMTypeConverter &converter, Value buffer) {
  return MemRefDescriptor(getDescriptor(builder, loc, converter, buffer))
      .bufferPtr(builder, loc, converter, cast<MemRefType>(buffer.getType()));
}

//===----------------------------------------------------------------------===//
// Buffers
//===----------------------------------------------------------------------===//

/// The buffer that a view is a part of: an argument of main, a piece of the
/// workspace, or what the runtime allocated.
static Value getWhole(Value buffer) {
  while (auto view = buffer.getDefiningOp<ViewLikeOpInterface>()) {
    if (isa<memref::ViewOp>(view))
      break;
    buffer = view.getViewSource();
  }
  return buffer;
}

/// What messages call a buffer.
static std::string describe(StringRef role, unsigned number, MemRefType type) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  stream << role << ' ' << number << " (" << type.getElementType() << " [";
  llvm::interleaveComma(type.getShape(), stream, [&](int64_t size) {
    if (ShapedType::isDynamic(size))
      stream << '?';
    else
      stream << size;
  });
  stream << "])";
  return text;
}

Value LaunchGuard::getBytes(Value buffer) {
  auto type = cast<MemRefType>(buffer.getType());
  Value bytes = arith::ConstantIndexOp::create(
      builder, loc, getElementBytes(type.getElementType()));
  for (int64_t dim = 0; dim < type.getRank(); ++dim)
    bytes = builder.createOrFold<arith::MulIOp>(
        loc, bytes, builder.createOrFold<memref::DimOp>(loc, buffer, dim));
  return arith::IndexCastOp::create(builder, loc, builder.getI64Type(), bytes);
}

void LaunchGuard::add(Value operand, bool isWritten) {
  auto type = dyn_cast<MemRefType>(operand.getType());
  if (!type)
    return;
  Value whole = getWhole(operand);
  Value memory = getAddress(builder, loc, converter, whole);
  Value writable = LLVM::ZeroOp::create(builder, loc, memory.getType());
  Value bytes = integer(0);
  if (isWritten) {
    writable = getAddress(builder, loc, converter, operand);
    bytes = getBytes(operand);
  }
  llvm::append_range(
      fields,
      ValueRange{host.text(loc, isWritten ? describe("result", writes++, type)
                                          : describe("operand", reads++, type)),
                 memory, getBytes(whole), writable, bytes});
}

void LaunchGuard::addScratch(Value operand, ArrayRef<int64_t> pieces) {
  Value memory = getAddress(builder, loc, converter, operand);
  for (size_t i = 0; i + 1 < pieces.size(); i += 2) {
    Value piece = host.offsetPointer(loc, memory, pieces[i]);
    Value bytes = integer(pieces[i + 1]);
    llvm::append_range(
        fields,
        ValueRange{host.text(loc, "scratch buffer " + std::to_string(i / 2)),
                   piece, bytes, piece, bytes});
  }
}

void LaunchGuard::begin() {
  constexpr int64_t count = 5;
  host.call(
      loc, Hook::Guard, {},
      {host.constant(loc, 32, static_cast<int64_t>(fields.size()) / count),
       host.makeArray(loc, fields)});
}

void LaunchGuard::check() {
  Value status = host.call(loc, Hook::Check, builder.getI32Type(), {});
  Value failed = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ne,
                                       status, host.constant(loc, 32, 0));
  host.returnIf(loc, failed, status);
}

//===----------------------------------------------------------------------===//
// Rows
//===----------------------------------------------------------------------===//

/// How many lanes a mask has set, as a value of type index.
static Value countLanes(OpBuilder &builder, Location loc, Value mask) {
  if (auto known = mask.getDefiningOp<vector::ConstantMaskOp>())
    return arith::ConstantIndexOp::create(builder, loc,
                                          known.getMaskDimSizes().front());
  auto type = cast<VectorType>(mask.getType());
  auto integer = builder.getI64Type();
  Value lanes = arith::ExtUIOp::create(
      builder, loc, VectorType::get(type.getShape(), integer), mask);
  Value count = vector::ReductionOp::create(builder, loc,
                                            vector::CombiningKind::ADD, lanes);
  return arith::IndexCastOp::create(builder, loc, builder.getIndexType(),
                                    count);
}

namespace {

/// A store to one dimension of memory: where it is and how many elements it
/// has.
struct RowStore {
  Value memref;
  ValueRange indices;
  /// Null for `count` elements, which are all of a vector.
  Value mask;
  int64_t count = 1;
};

} // namespace

/// A store that writes a part of a register, which is what may be made too
/// wide: the smallest has 16 bytes.
static std::optional<RowStore> getRowStore(Operation *op) {
  constexpr int64_t smallest = 16;
  std::optional<RowStore> store;
  if (auto masked = dyn_cast<vector::MaskedStoreOp>(op)) {
    store = {masked.getBase(), masked.getIndices(), masked.getMask()};
  } else if (auto vector = dyn_cast<vector::StoreOp>(op)) {
    VectorType type = vector.getVectorType();
    int64_t lanes = type.getNumElements();
    if (lanes * getElementBytes(type.getElementType()) < smallest)
      store = {vector.getBase(), vector.getIndices(), Value(), lanes};
  } else if (auto scalar = dyn_cast<memref::StoreOp>(op)) {
    if (scalar.getValue().getDefiningOp<vector::ExtractOp>())
      store = {scalar.getMemRef(), scalar.getIndices(), Value()};
  }
  // What lies behind a buffer on the stack is the compiler's.
  if (store && store->memref.getDefiningOp<memref::AllocaOp>())
    return std::nullopt;
  return store;
}

void acc::host::guardRows(func::FuncOp kernel,
                          const LLVMTypeConverter &converter) {
  SmallVector<Operation *> stores;
  kernel.walk([&](Operation *op) {
    if (getRowStore(op))
      stores.push_back(op);
  });
  for (Operation *op : stores) {
    RowStore store = *getRowStore(op);
    Location loc = op->getLoc();
    OpBuilder builder(op);
    HostInterface host(builder, kernel);
    auto type = cast<MemRefType>(store.memref.getType());
    Value count =
        store.mask ? countLanes(builder, loc, store.mask)
                   : arith::ConstantIndexOp::create(builder, loc, store.count)
                         .getResult();
    SmallVector<Value> end;
    for (Value index : store.indices) {
      if (end.size() + 1 == store.indices.size())
        index = arith::AddIOp::create(builder, loc, index, count);
      end.push_back(arith::IndexCastOp::create(builder, loc,
                                               builder.getI64Type(), index));
    }
    Value pointer = LLVM::getStridedElementPtr(
        builder, loc, converter, type,
        getDescriptor(builder, loc, converter, store.memref), end);
    host.call(loc, Hook::Row, {}, {pointer, host.constant(loc, 32, 0)});
    builder.setInsertionPointAfter(op);
    host.call(loc, Hook::Row, {}, {pointer, host.constant(loc, 32, 1)});
  }
}
