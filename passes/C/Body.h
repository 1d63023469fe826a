//===- Body.h - The body of a function in C ---------------------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_PASSES_C_BODY_H
#define ACC_PASSES_C_BODY_H

#include "passes/C/Scalars.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

namespace acc::c {

/// Builds the body of a function: loops, and buffers as pointers to their
/// first element. What operations it does not know are, says `others`.
class Body {
public:
  using Others = std::function<mlir::FailureOr<bool>(mlir::Operation *)>;

  Body(mlir::OpBuilder &builder, Helpers &helpers, Others others)
      : builder(builder), scalars(builder, helpers), others(std::move(others)) {
  }

  /// Builds what a block computes where the builder is, without its terminator.
  mlir::LogicalResult lower(mlir::Block &block);

  /// What values are in C.
  mlir::IRMapping mapping;

  /// The elements that lie so many bytes behind a pointer or an array.
  mlir::Value at(mlir::Location loc, mlir::Type element, bool isRead,
                 mlir::Value base, mlir::Value bytes);

  /// Whether nothing is stored to a buffer through any of its views.
  static bool isOnlyRead(mlir::Value buffer);

private:
  mlir::LogicalResult lower(mlir::Operation *op);
  mlir::LogicalResult lowerMemory(mlir::Operation *op);
  mlir::LogicalResult lowerFor(mlir::scf::ForOp op);
  mlir::LogicalResult lowerWhile(mlir::scf::WhileOp op);
  mlir::LogicalResult lowerIf(mlir::scf::IfOp op);
  mlir::LogicalResult lowerSwitch(mlir::scf::IndexSwitchOp op);
  mlir::LogicalResult copy(mlir::memref::CopyOp op);
  mlir::LogicalResult view(mlir::Operation *op, mlir::Value source,
                           llvm::ArrayRef<mlir::OpFoldResult> offsets,
                           llvm::ArrayRef<int64_t> strides);

  /// The number of an element, from positions along axes with these strides.
  mlir::Value index(mlir::Location loc,
                    llvm::ArrayRef<mlir::OpFoldResult> positions,
                    llvm::ArrayRef<int64_t> strides);
  mlir::Value element(mlir::Location loc, mlir::Value buffer,
                      mlir::MemRefType type, mlir::Value index);
  mlir::Value load(mlir::Location loc, mlir::Value buffer,
                   mlir::MemRefType type, mlir::Value index);
  void store(mlir::Location loc, mlir::Value value, mlir::Value buffer,
             mlir::MemRefType type, mlir::Value index);
  /// A variable, and reading and writing it.
  mlir::Value variable(mlir::Location loc, mlir::Type type);
  mlir::Value read(mlir::Value variable);
  void write(mlir::Value variable, mlir::Value value);
  /// Variables for values of types that C has; says what is wrong otherwise.
  mlir::FailureOr<llvm::SmallVector<mlir::Value>>
  variables(mlir::Operation *op, mlir::TypeRange types);
  /// Writes what a terminator yields to variables.
  void yield(mlir::ValueRange values, mlir::ValueRange variables);
  void readResults(mlir::Operation *op, mlir::ValueRange variables);
  bool isConst(mlir::Value buffer);

  mlir::OpBuilder &builder;
  Scalars scalars;
  Others others;
};

} // namespace acc::c

#endif // ACC_PASSES_C_BODY_H
