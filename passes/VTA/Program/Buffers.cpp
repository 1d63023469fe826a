//===- Buffers.cpp - Where buffers of main lie ----------------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/VTA/Program/Buffers.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
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

std::optional<int64_t> acc::vta::getFilledValue(acc::te::KernelOp kernel) {
  Block &body = kernel.getBody().front();
  if (!kernel.isOnHost() || body.getNumArguments() != 1)
    return std::nullopt;
  std::optional<int64_t> value;
  for (Operation &op : body) {
    if (mlir::isa<arith::ConstantOp, acc::te::ReturnOp>(op))
      continue;
    auto fill = dyn_cast<linalg::FillOp>(op);
    APInt constant;
    if (!fill || value || fill.getOutputs()[0] != body.getArgument(0) ||
        !matchPattern(fill.getInputs()[0], m_ConstantInt(&constant)))
      return std::nullopt;
    value = constant.getSExtValue();
  }
  return value;
}
