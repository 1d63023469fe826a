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

/// Element-wise operators: equal element types, shapes broadcast as in numpy.
llvm::LogicalResult inferBroadcast(InferenceSite site,
                                   mlir::ValueRange operands,
                                   llvm::SmallVectorImpl<mlir::Type> &types);

/// The shape that all `shapes` broadcast to, or failure with a message.
llvm::FailureOr<llvm::SmallVector<int64_t>>
broadcastShapes(InferenceSite site,
                llvm::ArrayRef<llvm::ArrayRef<int64_t>> shapes);

/// The sliding windows of convolutions and pools along all spatial axes.
struct WindowAttributes {
  llvm::ArrayRef<int64_t> kernel, strides, pads, dilations;
};

/// The spatial sizes that windows over `spatial` produce.
llvm::FailureOr<llvm::SmallVector<int64_t>>
inferWindows(InferenceSite site, llvm::ArrayRef<int64_t> spatial,
             WindowAttributes windows);

/// Refuses per-axis quantized tensors where the axis would lose its meaning.
llvm::LogicalResult rejectPerAxis(InferenceSite site,
                                  mlir::RankedTensorType type);

/// Checks that the quantized element type of `type` is one acc computes with
/// and fits the shape.
llvm::LogicalResult checkQuantizedTensor(InferenceSite site,
                                         mlir::RankedTensorType type);

/// The integer type that holds the values of `type`: i8, ui8, i32, ...
mlir::IntegerType getStorageInteger(mlir::quant::QuantizedType type);

} // namespace acc::graph

#endif // ACC_DIALECTS_GRAPH_INFERENCE_H
