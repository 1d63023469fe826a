//===- Evaluator.h - Compile-time evaluation of kernels ---------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Kernels for the accelerator have constant control flow. The evaluator walks
// the loops of a kernel as an interpreter would, and calls back with each
// structured vta operation and the numbers behind its operands. Unrolling by
// rewriting the IR would be slower by orders of magnitude.
//
//===----------------------------------------------------------------------===//

#ifndef ACC_PASSES_VTA_PROGRAM_EVALUATOR_H
#define ACC_PASSES_VTA_PROGRAM_EVALUATOR_H

#include "dialects/VTA/VTADialect.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/SmallBitVector.h"

namespace acc::vta {

/// What a memref stands for at one moment. Offsets and strides count scalars.
struct View {
  MemorySpace space = MemorySpace::Dram;
  /// Which kernel argument, for DRAM.
  int32_t buffer = -1;
  /// Start of the buffer in its scratchpad (0 for DRAM).
  int64_t base = 0;
  /// Start of the view in the buffer.
  int64_t offset = 0;
  llvm::SmallVector<int64_t, 6> sizes, strides;

  int64_t start() const { return base + offset; }
};

class Evaluator {
public:
  using Visitor = llvm::function_ref<llvm::LogicalResult(mlir::Operation *)>;

  /// \p alternate: loops that tile an anchor in place, whose iterations may
  /// come in any order, run backwards every second time, so that each run
  /// begins with what the last one ended with.
  explicit Evaluator(bool alternate = false) : alternate(alternate) {}

  /// Evaluates \p kernel, whose arguments become DRAM buffers 0, 1, ..., and
  /// calls \p visit with every structured operation of the vta dialect in the
  /// order of execution. Emits an error and fails where something is not known
  /// at compile time.
  llvm::LogicalResult run(mlir::FunctionOpInterface kernel, Visitor visit);

  /// Evaluates \p kernel for the sizes of its scratchpad buffers alone: the
  /// largest number of hardware elements that each allocation ever has.
  llvm::LogicalResult
  measure(mlir::FunctionOpInterface kernel,
          llvm::DenseMap<mlir::Operation *, int64_t> &entries);

  /// The current value of an index or integer.
  int64_t getInteger(mlir::Value value) const;
  int64_t getInteger(mlir::OpFoldResult value) const;
  llvm::SmallVector<int64_t>
  getIntegers(llvm::ArrayRef<mlir::OpFoldResult> values) const;
  /// The current meaning of a memref.
  const View &getView(mlir::Value value) const;

private:
  llvm::LogicalResult runBlock(mlir::Block &block);
  llvm::LogicalResult runOp(mlir::Operation &op);
  llvm::LogicalResult runFor(mlir::Operation &op);
  llvm::LogicalResult runMemRefOp(mlir::Operation &op);
  llvm::LogicalResult runSubView(mlir::Operation &op);
  llvm::LogicalResult runAlloc(mlir::Operation &op);
  llvm::LogicalResult runFold(mlir::Operation &op);
  void assign(mlir::Value to, mlir::Value from);
  void assignAll(mlir::ValueRange to, mlir::ValueRange from);
  int64_t evaluate(mlir::AffineExpr expr, mlir::ValueRange operands,
                   unsigned numDims) const;

  llvm::DenseMap<mlir::Value, int64_t> integers;
  llvm::DenseMap<mlir::Value, View> views;
  /// Dropped dimensions of rank-reducing subviews, which are slow to find.
  llvm::DenseMap<mlir::Operation *, llvm::SmallBitVector> droppedDims;
  bool alternate;
  /// The loops whose next run is backwards.
  llvm::DenseSet<mlir::Operation *> turned;
  Visitor visit = nullptr;
  /// Where to note the sizes of allocations, if that is what is wanted.
  llvm::DenseMap<mlir::Operation *, int64_t> *measured = nullptr;
};

} // namespace acc::vta

#endif // ACC_PASSES_VTA_PROGRAM_EVALUATOR_H
