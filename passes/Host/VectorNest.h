//===- VectorNest.h - A linalg op as loops over vectors ----------*- C++
//-*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_PASSES_HOST_VECTORNEST_H
#define ACC_PASSES_HOST_VECTORNEST_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/Builders.h"

namespace acc::host {

/// One loop of a linalg op, or several that were joined.
struct VectorLoop {
  int64_t extent = 0;
  bool reduction = false;
  /// How far a step goes in each operand.
  llvm::SmallVector<int64_t> steps;
};

/// A buffer that is read or written at linear addresses.
struct VectorOperand {
  mlir::OpOperand *operand = nullptr;
  /// Null for a scalar.
  mlir::Value memref;
  int64_t offset = 0;
  mlir::Type element;
};

/// A linalg op as loops over linear addresses.
class VectorNest {
public:
  /// Fails when no loop can be vectorized; `vectorBytes` is the size of a
  /// register.
  static mlir::FailureOr<VectorNest> create(mlir::OpBuilder &builder,
                                            mlir::linalg::LinalgOp op,
                                            int64_t vectorBytes);
  /// Emits the loops; the op is left for the caller to erase.
  void emit(mlir::OpBuilder &builder);

private:
  explicit VectorNest(mlir::linalg::LinalgOp op) : op(op) {}
  bool addOperand(mlir::OpBuilder &builder, mlir::OpOperand &operand);
  void coalesce();
  bool chooseVectorLoop();

  void emitVector(mlir::OpBuilder &builder, llvm::ArrayRef<mlir::Value> offsets,
                  int64_t valid);
  mlir::Value load(mlir::OpBuilder &builder, size_t operand, mlir::Value offset,
                   int64_t valid);
  mlir::Value loadStrided(mlir::OpBuilder &builder,
                          const VectorOperand &operand, mlir::Value offset,
                          int64_t stride, int64_t valid);

  mlir::linalg::LinalgOp op;
  llvm::SmallVector<VectorLoop> loops;
  llvm::SmallVector<VectorOperand> operands;
  size_t vectorLoop = 0;
  int64_t lanes = 0;
};

} // namespace acc::host

#endif // ACC_PASSES_HOST_VECTORNEST_H
