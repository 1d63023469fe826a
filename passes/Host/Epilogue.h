//===- Epilogue.h - Elementwise consumers of a sum --------------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_PASSES_HOST_EPILOGUE_H
#define ACC_PASSES_HOST_EPILOGUE_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace acc::host {

/// The elementwise linalg.generic ops that follow a value, as one scalar
/// function of its elements.
struct Epilogue {
  /// The value it starts from, and the one that replaces it.
  mlir::Value source, result;
  /// What else is read, and the maps from the result's dimensions to it.
  llvm::SmallVector<mlir::Value> operands;
  llvm::SmallVector<mlir::AffineMap> maps;
  /// The initial value of the last op where it can be written to, or null.
  mlir::Value init;
  /// In program order.
  llvm::SmallVector<mlir::Operation *> absorbed;
  mlir::Operation *insertionPoint = nullptr;
};

/// Finds the longest chain of elementwise consumers of `source` from which a
/// single value escapes. Without consumers, the result is the source.
Epilogue collectEpilogue(mlir::Value source);

/// Writes the scalar function into `body`: arguments are an element of the
/// source, of type `sum`, and one of each operand.
void buildEpilogueBody(mlir::OpBuilder &builder, const Epilogue &epilogue,
                       mlir::Type sum, mlir::Region &body);

} // namespace acc::host

#endif // ACC_PASSES_HOST_EPILOGUE_H
