//===- Inference.h - Shape inference shared by the operators ----*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_DIALECTS_GRAPH_INFERENCE_H
#define ACC_DIALECTS_GRAPH_INFERENCE_H

#include "mlir/Dialect/Quant/IR/QuantTypes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/ValueRange.h"

#include <optional>

namespace acc::graph {

/// Where an inference reports mistakes: an operator and its location; without
/// a location it fails silently.
struct InferenceSite {
  std::optional<mlir::Location> location;
  llvm::StringRef operation;

  template <typename... Args> llvm::LogicalResult error(Args &&...args) const {
    return mlir::emitOptionalError(location, "'", operation, "' op ",
                                   std::forward<Args>(args)...);
  }
};

/// Appends tensor<shape x element> to `types`, unless the shape has a negative
/// or absurdly large size.
llvm::LogicalResult inferTensor(InferenceSite site,
                                llvm::ArrayRef<int64_t> shape,
                                mlir::Type element,
                                llvm::SmallVectorImpl<mlir::Type> &types);

/// Checks that the quantized element type of `type` is one acc computes with
/// and fits the shape.
llvm::LogicalResult checkQuantizedTensor(InferenceSite site,
                                         mlir::RankedTensorType type);

/// The integer type that holds the values of `type`: i8, ui8, i32, ...
mlir::IntegerType getStorageInteger(mlir::quant::QuantizedType type);

} // namespace acc::graph

#endif // ACC_DIALECTS_GRAPH_INFERENCE_H
