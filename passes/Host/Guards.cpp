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
/// workspace (which several buffers may share), or what the runtime allocated.
static Value getWhole(Value buffer) {
  while (auto view = buffer.getDefiningOp<ViewLikeOpInterface>()) {
    if (isa<memref::ViewOp>(view) &&
        !view.getViewSource().getDefiningOp<memref::ViewOp>())
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
  int64_t element = getElementBytes(type.getElementType());
  if (type.hasStaticShape()) {
    // Native code computes on whole bytes (but for i1, which takes one too):
    // elements of less are those of other processors, without gaps.
    int64_t count = type.getNumElements();
    unsigned bits = type.getElementTypeBitWidth();
    return host.constant(loc, 64,
                         bits > 1 && bits < 8
                             ? int64_t(llvm::divideCeil(count * bits, 8))
                             : count * element);
  }
  Value bytes = arith::ConstantIndexOp::create(builder, loc, element);
  for (int64_t dim = 0; dim < type.getRank(); ++dim)
    bytes = builder.createOrFold<arith::MulIOp>(
        loc, bytes, builder.createOrFold<memref::DimOp>(loc, buffer, dim));
  return arith::IndexCastOp::create(builder, loc, builder.getI64Type(), bytes);
}

void LaunchGuard::append(const std::string &name, Value memory, Value bytes,
                         Value writable, Value writableBytes) {
  host.call(loc, Hook::Guard, {},
            {host.text(loc, name), memory, bytes, writable, writableBytes});
}

void LaunchGuard::add(Value operand, bool isWritten) {
  auto type = dyn_cast<MemRefType>(operand.getType());
  if (!type)
    return;
  Value whole = getWhole(operand);
  Value memory = getAddress(builder, loc, converter, whole);
  Value bytes = getBytes(whole);
  if (!isWritten)
    return append(describe("operand", reads++, type), memory, bytes,
                  LLVM::ZeroOp::create(builder, loc, memory.getType()), bytes);
  std::string name = describe("result", writes++, type);
  if (whole == operand)
    return append(name, memory, bytes, memory, bytes);
  append(name, memory, bytes, getAddress(builder, loc, converter, operand),
         getBytes(operand));
}

void LaunchGuard::addScratch(Value operand, ArrayRef<int64_t> pieces) {
  Value memory = getAddress(builder, loc, converter, operand);
  for (size_t i = 0; i + 1 < pieces.size(); i += 2) {
    Value piece = host.offsetPointer(loc, memory, pieces[i]);
    Value bytes = host.constant(loc, 64, pieces[i + 1]);
    append("scratch buffer " + std::to_string(i / 2), piece, bytes, piece,
           bytes);
  }
}

Value LaunchGuard::callCheck(bool after) {
  return host.call(loc, Hook::Check, builder.getI32Type(),
                   host.constant(loc, 32, after));
}

void LaunchGuard::begin() { callCheck(/*after=*/false); }

void LaunchGuard::check() {
  Value status = callCheck(/*after=*/true);
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
  if (auto created = mask.getDefiningOp<vector::CreateMaskOp>()) {
    auto bound = [&](int64_t value) {
      return arith::ConstantIndexOp::create(builder, loc, value);
    };
    Value least = arith::MaxSIOp::create(
        builder, loc, created.getOperands().front(), bound(0));
    return arith::MinSIOp::create(builder, loc, least,
                                  bound(type.getNumElements()));
  }
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

/// Whether elements are, or may be, computed in more bits than they are stored
/// in: stores of those are what may be made too wide.
static bool isNarrowed(Value stored) {
  if (getElementBytes(getElementTypeOrSelf(stored.getType())) < 4)
    return true;
  Operation *op = stored.getDefiningOp();
  return isa_and_nonnull<arith::TruncIOp, arith::TruncFOp, arith::FPToSIOp,
                         arith::FPToUIOp>(op);
}

/// A store of narrowed elements to a part of a register, the smallest of which
/// has 16 bytes.
static std::optional<RowStore> getRowStore(Operation *op) {
  constexpr int64_t smallest = 16;
  std::optional<RowStore> store;
  Value stored;
  if (auto masked = dyn_cast<vector::MaskedStoreOp>(op)) {
    stored = masked.getValueToStore();
    store = {masked.getBase(), masked.getIndices(), masked.getMask()};
  } else if (auto vector = dyn_cast<vector::StoreOp>(op)) {
    stored = vector.getValueToStore();
    VectorType type = vector.getVectorType();
    int64_t lanes = type.getNumElements();
    if (lanes * getElementBytes(type.getElementType()) < smallest)
      store = {vector.getBase(), vector.getIndices(), Value(), lanes};
  } else if (auto scalar = dyn_cast<memref::StoreOp>(op)) {
    auto lane = scalar.getValue().getDefiningOp<vector::ExtractOp>();
    if (lane) {
      stored = lane.getSource();
      store = {scalar.getMemRef(), scalar.getIndices(), Value()};
    }
  }
  if (store && !isNarrowed(stored))
    return std::nullopt;
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
