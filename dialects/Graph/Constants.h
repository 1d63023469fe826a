//===- Constants.h - Arithmetic on constant tensors -------------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_DIALECTS_GRAPH_CONSTANTS_H
#define ACC_DIALECTS_GRAPH_CONSTANTS_H

#include "mlir/IR/BuiltinAttributeInterfaces.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/DialectResourceBlobManager.h"

#include <optional>

namespace acc::graph {

/// A new constant of `type` whose bytes `fill` writes; large ones become
/// 64-byte aligned resource blobs, which are not uniqued and not hashed.
mlir::ElementsAttr
makeElements(mlir::ShapedType type,
             llvm::function_ref<void(llvm::MutableArrayRef<char>)> fill);

/// The bytes of a constant in row-major order, one element each for a splat.
/// None for values that are not stored in whole bytes (i1) or not available.
std::optional<llvm::ArrayRef<char>> getRawElements(mlir::ElementsAttr value);

/// The elements of a constant tensor of elements of one byte each, by their
/// position.
class ConstantBytes {
public:
  /// Nothing if `value` is no constant, or if its bytes are not known.
  static std::optional<ConstantBytes> read(mlir::Value value);

  char operator[](size_t position) const {
    return bytes[isSplat ? 0 : position];
  }
  /// What occurs among the elements.
  llvm::ArrayRef<char> getValues() const { return bytes; }

private:
  llvm::ArrayRef<char> bytes;
  bool isSplat = false;
};

/// The same elements under another shape; no copy.
mlir::ElementsAttr reshapeElements(mlir::ElementsAttr value,
                                   llvm::ArrayRef<int64_t> shape);

/// How many elements lie between neighbors of each axis, in row-major order.
llvm::SmallVector<int64_t> getStrides(llvm::ArrayRef<int64_t> shape);

/// A tensor of `shape` whose elements are those of `value` from `start` on, in
/// steps of `strides` elements per axis; null if they cannot be read.
mlir::ElementsAttr stridedElements(mlir::ElementsAttr value,
                                   llvm::ArrayRef<int64_t> shape, int64_t start,
                                   llvm::ArrayRef<int64_t> strides);

/// The elements with permuted axes, or null if they cannot be read.
mlir::ElementsAttr transposeElements(mlir::ElementsAttr value,
                                     llvm::ArrayRef<int64_t> permutation);

/// Reads a floating-point constant as doubles, one for a splat.
std::optional<llvm::SmallVector<double>> getDoubles(mlir::ElementsAttr value);

/// True if every element of `value` (null: false) is the number `number`.
bool isSplatOf(mlir::Attribute value, double number);

} // namespace acc::graph

#endif // ACC_DIALECTS_GRAPH_CONSTANTS_H
