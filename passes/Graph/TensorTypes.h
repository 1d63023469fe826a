//===- TensorTypes.h - Types of tensors -------------------------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_PASSES_GRAPH_TENSORTYPES_H
#define ACC_PASSES_GRAPH_TENSORTYPES_H

#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Value.h"

namespace acc::graph {

/// The type of a value that is known to be a tensor with a rank.
inline mlir::RankedTensorType typeOf(mlir::Value value) {
  return mlir::cast<mlir::RankedTensorType>(value.getType());
}

/// The shape of a value that is known to be a tensor with a rank.
inline llvm::ArrayRef<int64_t> shapeOf(mlir::Value value) {
  return typeOf(value).getShape();
}

} // namespace acc::graph

#endif // ACC_PASSES_GRAPH_TENSORTYPES_H
