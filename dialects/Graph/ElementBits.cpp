//===- ElementBits.cpp - How many bits integers need ----------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Graph/ElementBits.h"

#include "dialects/Graph/Constants.h"
#include "dialects/Graph/Graph.h"

#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace acc::graph;

static unsigned countBits(int64_t lo, int64_t hi) {
  unsigned bits = 1;
  while (!llvm::isIntN(bits, lo) || !llvm::isIntN(bits, hi))
    ++bits;
  return bits;
}

/// Those of the entries of a table that inputs of `inputBits` look up.
static unsigned countTableBits(Value table, unsigned inputBits) {
  std::optional<ConstantBytes> bytes = ConstantBytes::read(table);
  if (!bytes)
    return 8;
  int64_t entries = 256, half = int64_t(1) << (inputBits - 1), lo = 0, hi = 0;
  int64_t rows = cast<RankedTensorType>(table.getType()).getDimSize(0);
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t input = -half; input < half; ++input) {
      int64_t entry = int8_t((*bytes)[row * entries + input + entries / 2]);
      lo = std::min(lo, entry);
      hi = std::max(hi, entry);
    }
  return countBits(lo, hi);
}

/// Whether every element of the result is one of an operand, or a constant of
/// the operator that is among the operands' values.
static bool onlyMoves(Operation *op) {
  return isa<FlattenOp, ReshapeOp, SqueezeOp, UnsqueezeOp, TransposeOp, SliceOp,
             ConcatOp, MaxPoolOp>(op) ||
         (isa<ResizeOp>(op) &&
          cast<ResizeOp>(op).getMode() == ResizeMode::Nearest &&
          cast<ResizeOp>(op).getCoordinateTransformationMode() !=
              CoordinateMode::TfCropAndResize);
}

unsigned acc::graph::countBits(Value integers) {
  unsigned most = 1;
  llvm::SetVector<Value> values;
  values.insert(integers);
  for (size_t next = 0; next < values.size() && most < 8; ++next) {
    Value value = values[next];
    if (!getElementTypeOrSelf(value).isSignlessInteger(8))
      return 8;
    Operation *op = value.getDefiningOp();
    unsigned bits = 8;
    if (auto requantize = dyn_cast_if_present<RequantizeOp>(op)) {
      bits = requantize.getBits().value_or(8);
    } else if (auto rebase = dyn_cast_if_present<RebaseOp>(op)) {
      bits = getElementTypeOrSelf(rebase.getInput()).getIntOrFloatBitWidth();
    } else if (auto stored = dyn_cast_if_present<StorageCastOp>(op)) {
      auto type = dyn_cast<quant::QuantizedType>(
          getElementTypeOrSelf(stored.getInput()));
      if (type)
        bits = ::countBits(type.getStorageTypeMin(), type.getStorageTypeMax());
    } else if (auto lookup = dyn_cast_if_present<LookupOp>(op)) {
      bits = countTableBits(lookup.getTable(), countBits(lookup.getInput()));
    } else if (auto pad = dyn_cast_if_present<PadOp>(op)) {
      auto fill = int64_t(pad.getConstantValue().convertToDouble());
      bits = pad.getMode() == PadMode::Constant ? ::countBits(fill, fill) : 1;
      values.insert(pad.getInput());
    } else if (auto gather = dyn_cast_if_present<GatherOp>(op)) {
      bits = 1;
      values.insert(gather.getData());
    } else if (op && onlyMoves(op)) {
      bits = 1;
      for (Value operand : op->getOperands())
        if (!operand.getType().isIndex())
          values.insert(operand);
    } else if (std::optional<ConstantBytes> bytes =
                   op ? ConstantBytes::read(value) : std::nullopt) {
      bits = 1;
      for (char byte : bytes->getValues())
        bits = std::max(bits, ::countBits(int8_t(byte), int8_t(byte)));
    }
    most = std::max(most, bits);
  }
  return most;
}
