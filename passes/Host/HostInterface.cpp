//===- HostInterface.cpp - Calls of the runtime ---------------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Host/HostInterface.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace acc::host;

static constexpr int64_t kPointerBytes = 8;

int64_t acc::host::getElementBytes(Type element) {
  if (element.isIndex())
    return 8;
  return static_cast<int64_t>(
      llvm::divideCeil(element.getIntOrFloatBitWidth(), 8));
}

Value HostInterface::offsetPointer(Location loc, Value base, int64_t bytes) {
  if (bytes == 0)
    return base;
  return LLVM::GEPOp::create(builder, loc, base.getType(), builder.getI8Type(),
                             base, ArrayRef<LLVM::GEPArg>{LLVM::GEPArg(bytes)});
}

Value HostInterface::loadPointer(Location loc, Value table, int64_t index) {
  Value slot = offsetPointer(loc, table, index * kPointerBytes);
  return LLVM::LoadOp::create(
      builder, loc, LLVM::LLVMPointerType::get(builder.getContext()), slot);
}

Value HostInterface::constant(Location loc, unsigned bits, int64_t value) {
  return LLVM::ConstantOp::create(
      builder, loc,
      builder.getIntegerAttr(builder.getIntegerType(bits), value));
}

Value HostInterface::call(Location loc, Hook hook, Type result,
                          ValueRange operands) {
  SmallVector<Value> all = {
      loadPointer(loc, argument(MainArgument::Api), static_cast<int64_t>(hook)),
      argument(MainArgument::Context)};
  llvm::append_range(all, operands);
  Type type = result ? result : LLVM::LLVMVoidType::get(builder.getContext());
  auto function = LLVM::LLVMFunctionType::get(
      type, llvm::to_vector(ValueRange(all).drop_front().getTypes()));
  auto created = LLVM::CallOp::create(builder, loc, function, all);
  return result ? created.getResult() : Value();
}

Value HostInterface::makeArray(Location loc, ValueRange values) {
  auto pointer = LLVM::LLVMPointerType::get(builder.getContext());
  Value slots;
  {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(&main.getBody().front());
    Value size = constant(
        loc, 64, std::max<int64_t>(1, static_cast<int64_t>(values.size())));
    slots = LLVM::AllocaOp::create(builder, loc, pointer, builder.getI64Type(),
                                   size);
  }
  for (auto [i, value] : llvm::enumerate(values))
    LLVM::StoreOp::create(
        builder, loc, value,
        offsetPointer(loc, slots, static_cast<int64_t>(i) * kPointerBytes));
  return slots;
}

/// An array of 64-bit integers of values of type index.
Value HostInterface::toIntegers(Location loc, ValueRange sizes) {
  SmallVector<Value> integers;
  for (Value size : sizes)
    integers.push_back(
        arith::IndexCastOp::create(builder, loc, builder.getI64Type(), size));
  return makeArray(loc, integers);
}

Value HostInterface::inputSize(Location loc, int64_t input, int64_t dim) {
  Value size = call(loc, Hook::Size, builder.getI64Type(),
                    {constant(loc, 32, input), constant(loc, 32, dim)});
  return arith::IndexCastOp::create(builder, loc, builder.getIndexType(), size);
}

Value HostInterface::allocate(Location loc, ValueRange sizes,
                              int64_t elementBytes) {
  Value dims = toIntegers(loc, sizes);
  return call(loc, Hook::Allocate, dims.getType(),
              {constant(loc, 32, elementBytes),
               constant(loc, 32, static_cast<int64_t>(sizes.size())), dims});
}

Value HostInterface::output(Location loc, int64_t index, ValueRange sizes) {
  Value dims = toIntegers(loc, sizes);
  return call(loc, Hook::Output, dims.getType(),
              {constant(loc, 32, index),
               constant(loc, 32, static_cast<int64_t>(sizes.size())), dims});
}

void HostInterface::release(Location loc, Value pointer) {
  call(loc, Hook::Release, {}, pointer);
}

Value HostInterface::text(Location loc, StringRef text) {
  LLVM::GlobalOp &global = texts[text];
  if (!global) {
    std::string bytes = text.str() + '\0';
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPoint(main);
    global = LLVM::GlobalOp::create(
        builder, loc,
        LLVM::LLVMArrayType::get(builder.getI8Type(), bytes.size()),
        /*isConstant=*/true, LLVM::Linkage::Internal,
        "acc_message_" + std::to_string(messages++),
        builder.getStringAttr(bytes));
  }
  return LLVM::AddressOfOp::create(builder, loc, global);
}

void HostInterface::fail(Location loc, ArrayRef<StringRef> parts,
                         ValueRange numbers) {
  // What `text` adds ends the last of them.
  std::string all = llvm::join(parts, StringRef("\0", 1));
  call(loc, Hook::Fail, {},
       {text(loc, all), constant(loc, 32, static_cast<int64_t>(numbers.size())),
        toIntegers(loc, numbers)});
}

void HostInterface::returnIf(Location loc, Value condition, Value status,
                             function_ref<void()> before) {
  Block *block = builder.getInsertionBlock();
  Block *rest = block->splitBlock(builder.getInsertionPoint());
  Block *failure = builder.createBlock(rest);
  before();
  if (!status)
    status = constant(loc, 32, 1);
  func::ReturnOp::create(builder, loc, status);
  builder.setInsertionPointToEnd(block);
  cf::CondBranchOp::create(builder, loc, condition, failure, rest);
  builder.setInsertionPointToStart(rest);
}

void HostInterface::returnIfNull(Location loc, Value pointer) {
  Value null = LLVM::ZeroOp::create(builder, loc, pointer.getType());
  Value missing = LLVM::ICmpOp::create(builder, loc, LLVM::ICmpPredicate::eq,
                                       pointer, null);
  returnIf(loc, missing, {});
}
