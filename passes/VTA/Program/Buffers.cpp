//===- Buffers.cpp - Where buffers of main lie ----------------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/VTA/Program/Buffers.h"

#include "dialects/TE/TEDialect.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace acc::vta;

BufferPlace acc::vta::findPlace(Value buffer) {
  BufferPlace place{buffer, 0};
  while (Operation *op = place.root.getDefiningOp()) {
    if (mlir::isa<memref::AllocOp>(op))
      return place;
    APInt shift;
    if (auto view = dyn_cast<memref::ViewOp>(op)) {
      if (!matchPattern(view.getByteShift(), m_ConstantInt(&shift)))
        return {};
      place.offset += shift.getSExtValue();
    } else if (!mlir::isa<memref::CastOp, memref::CollapseShapeOp,
                          memref::ExpandShapeOp, acc::te::BitcastOp>(op)) {
      return {};
    }
    place.root = op->getOperand(0);
  }
  return place;
}

std::optional<int64_t> acc::vta::getBytes(Value buffer) {
  auto type = dyn_cast<MemRefType>(buffer.getType());
  if (!type || !type.hasStaticShape() || !type.getLayout().isIdentity() ||
      !type.getElementType().isSignlessInteger())
    return std::nullopt;
  return llvm::divideCeilSigned(
      type.getNumElements() * type.getElementTypeBitWidth(), 8);
}
