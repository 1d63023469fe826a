//===- Emission.cpp - From te to the structured vta dialect ---------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/VTA/Kernels/Emission.h"

using namespace mlir;
using namespace acc;
using namespace acc::vta;

/// The two innermost dimensions are one element of the memory.
static constexpr size_t kElementRank = 2;

//===----------------------------------------------------------------------===//
// Intrinsics
//===----------------------------------------------------------------------===//

/// Of several elements that an operand is read in together, the first is named.
static void nameFirst(Value operand, AffineMap &map) {
  SmallVector<AffineExpr> at(map.getResults());
  at.resize(cast<MemRefType>(operand.getType()).getRank() - kElementRank,
            getAffineConstantExpr(0, map.getContext()));
  map = AffineMap::get(map.getNumDims(), 0, at, map.getContext());
}

static LogicalResult emitAlu(OpBuilder &builder, Location loc,
                             te::IntrinOp intrin,
                             const te::IntrinsicMatch &match) {
  DictionaryAttr given = intrin.getGivenAttr();
  auto kind = given ? given.getAs<AluKindAttr>("op") : nullptr;
  if (!kind)
    return failure();
  if (kind.getValue() == AluKind::Table) {
    auto table = dyn_cast_or_null<DenseI8ArrayAttr>(
        match.attributes.get(LookupStepOp::getTableAttrName(OperationName(
            LookupStepOp::getOperationName(), builder.getContext()))));
    if (!table)
      return failure();
    AluOp::create(builder, loc, match.operands[0], table, match.bounds,
                  match.maps[0]);
    return success();
  }
  if (!match.immediate) {
    SmallVector<AffineMap> maps = match.maps;
    nameFirst(match.operands[1], maps[1]);
    AluOp::create(builder, loc, kind.getValue(), match.operands[0],
                  match.operands[1], match.bounds, maps);
    return success();
  }
  int64_t immediate = *match.immediate;
  if (given.contains("negate"))
    immediate = -immediate;
  if (!llvm::isInt<16>(immediate))
    return failure();
  AluOp::create(builder, loc, kind.getValue(), match.operands[0],
                static_cast<int32_t>(immediate), match.bounds, match.maps[0]);
  return success();
}

LogicalResult acc::vta::emitIntrinsic(OpBuilder &builder, Location loc,
                                      te::IntrinOp intrin,
                                      const te::IntrinsicMatch &match) {
  StringRef name = intrin.getEmits();
  if (name == AluOp::getOperationName())
    return emitAlu(builder, loc, intrin, match);
  if (name == GemmOp::getOperationName()) {
    SmallVector<AffineMap> maps = match.maps;
    nameFirst(match.operands[0], maps[0]);
    auto gemm =
        GemmOp::create(builder, loc, match.operands[0], match.operands[1],
                       match.operands[2], match.bounds, maps);
    DictionaryAttr given = intrin.getGivenAttr();
    gemm.setWindow(given && given.contains("window"));
  } else if (name == ResetOp::getOperationName())
    ResetOp::create(builder, loc, match.operands[0]);
  else
    return failure();
  return success();
}

//===----------------------------------------------------------------------===//
// Transfers
//===----------------------------------------------------------------------===//

LogicalResult acc::vta::emitLoad(OpBuilder &builder, te::CacheReadOp read) {
  SmallVector<OpFoldResult> low = read.getMixedLow(),
                            high = read.getMixedHigh();
  if (low.size() < kElementRank)
    return read.emitOpError("transfers less than one element");
  for (size_t i = low.size() - kElementRank; i < low.size(); ++i)
    if (!isZeroInteger(low[i]) || !isZeroInteger(high[i]))
      return read.emitOpError("pads inside of an element, which a transfer "
                              "cannot do");
  low.truncate(low.size() - kElementRank);
  high.truncate(high.size() - kElementRank);
  LoadOp::create(builder, read.getLoc(), read.getSource(), read.getTarget(),
                 low, high);
  return success();
}

LogicalResult acc::vta::emitStore(OpBuilder &builder, te::CacheWriteOp write) {
  StoreOp::create(builder, write.getLoc(), write.getSource(),
                  write.getTarget());
  return success();
}
