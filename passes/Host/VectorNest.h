//===- VectorNest.h - A linalg op as loops over vectors ---------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_PASSES_HOST_VECTORNEST_H
#define ACC_PASSES_HOST_VECTORNEST_H

#include "dialects/TE/TEDialect.h"
#include "passes/Host/VectorBody.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace acc::host {

/// A number times sizes that are known at run time only, which are numbered.
struct Product {
  int64_t factor = 1;
  /// Sorted.
  llvm::SmallVector<unsigned, 2> sizes;

  bool is(int64_t value) const { return sizes.empty() && factor == value; }
  bool isZero() const { return factor == 0; }
  bool operator==(const Product &other) const {
    return factor == other.factor &&
           (factor == 0 || llvm::equal(sizes, other.sizes));
  }
  Product operator*(const Product &other) const;
};

/// So many times, at most, a body is repeated for rows and reductions: with
/// more, there are more numbers at hand than registers.
constexpr int64_t kMostUnrolled = 100;

/// One loop of a linalg op, or several that were joined.
struct VectorLoop {
  Product extent;
  bool reduction = false;
  /// The loops of the op that it is, by their numbers.
  llvm::SmallVector<int64_t, 2> axes;
  /// How far a step goes in each operand.
  llvm::SmallVector<Product> steps;
  /// How many iterations one thread computes at a time; 0 for all.
  int64_t chunk = 0;
};

/// A buffer that is read or written at linear addresses.
struct VectorOperand {
  mlir::OpOperand *operand = nullptr;
  /// Null for a scalar. Bits are in memory as bytes.
  mlir::Value memref;
  int64_t offset = 0;
  mlir::Type element;
  /// What every element of a result begins with, if that is not in memory.
  mlir::Value start;
};

/// A linalg op as loops over linear addresses, one of which is vectorized: one
/// along which results are contiguous, or else a reduction.
class VectorNest {
public:
  /// Obeys the op's `te.schedule`, or decides what it does not say;
  /// `vectorBytes` is the size of a register, `lookupInstruction` what shuffles
  /// bytes, if anything does (ByteLookup). Fails when no loop can be
  /// vectorized, with an error if the op has a schedule that names one.
  static mlir::FailureOr<VectorNest> create(mlir::OpBuilder &builder,
                                            mlir::linalg::LinalgOp op,
                                            int64_t vectorBytes,
                                            llvm::StringRef lookupInstruction);

  mlir::linalg::LinalgOp op;
  llvm::SmallVector<VectorLoop> loops;
  llvm::SmallVector<VectorOperand> operands;
  /// The tables that the body reads, as one dimension each, and where in it
  /// they begin. Loops have their steps behind those of the operands.
  llvm::SmallVector<ByteTable> tables;
  llvm::SmallVector<FlatView> tableViews;
  llvm::StringRef lookupInstruction;
  /// What the numbers in products stand for.
  llvm::SmallVector<mlir::Value> sizes;
  size_t vectorLoop = 0;
  int64_t lanes = 0;
  /// The loop of which `rows` iterations are computed side by side, because
  /// they read the same vectors, or because operands are contiguous along it.
  std::optional<size_t> rowLoop;
  int64_t rows = 1;

  /// Whether an operand is contiguous along the rows and not along the vectors:
  /// squares of it are turned round in registers.
  bool isCrossed(size_t operand) const;

  /// Whether windows overlap: what a row reads in a turn of a reduction, the
  /// next row reads in an earlier one.
  bool overlaps() const { return rowLoop && canOverlapRows(*rowLoop); }

private:
  explicit VectorNest(mlir::linalg::LinalgOp op) : op(op) {}
  bool addLoops(mlir::OpBuilder &builder);
  bool addOperand(mlir::OpBuilder &builder, mlir::OpOperand &operand);
  Product sizeOf(mlir::OpBuilder &builder, mlir::Value buffer, int64_t dim);
  bool flattenBuffer(mlir::OpBuilder &builder, VectorOperand &entry,
                     llvm::SmallVectorImpl<Product> &strides);
  bool flattenSlice(mlir::OpBuilder &builder, VectorOperand &entry,
                    llvm::SmallVectorImpl<Product> &strides);
  bool addTables(mlir::OpBuilder &builder);
  bool keepsTables(const VectorLoop &loop) const;
  void coalesce();
  bool isContiguous(const VectorLoop &loop);
  bool canReduce(const VectorLoop &loop);
  bool isReadable(const VectorLoop &loop, size_t operand) const;
  bool canCross(const VectorLoop &rows);
  bool canShareRows(size_t loop, bool vectors);
  bool canOverlapRows(size_t loop) const;
  int64_t countRows(size_t loop);
  mlir::FailureOr<size_t> findLoop(te::TileAttr level);
  bool cutChunks(te::TileAttr level);
  mlir::LogicalResult obey(te::ScheduleAttr schedule, int64_t mostLanes);
  bool decide();
  bool chooseVectorLoop();
  void chooseRowLoop();
};

/// How a linalg op walks through one of its operands.
struct OperandSteps {
  bool isInit;
  /// The size of an element.
  unsigned bits;
  /// How many elements an iteration of each loop goes on; none where that is
  /// known at run time only.
  llvm::SmallVector<std::optional<int64_t>> steps;
};

/// The operands of a linalg op on buffers. Fails for what cannot be computed in
/// vectors in any case.
mlir::FailureOr<llvm::SmallVector<OperandSteps>>
describeSteps(mlir::linalg::LinalgOp op);

/// The operation that adds one more value to the running value of an init, if
/// the body of a linalg op does nothing else with it and order is of no
/// importance.
mlir::Operation *findCombiner(mlir::linalg::LinalgOp op, mlir::OpOperand *init);

/// Emits the loops; the op is left for the caller to erase.
void emitVectorNest(mlir::OpBuilder &builder, const VectorNest &nest);

/// Whether a schedule says how an op is vectorized, and not only what may be
/// computed at the same time.
bool namesVectors(te::ScheduleAttr schedule);

} // namespace acc::host

#endif // ACC_PASSES_HOST_VECTORNEST_H
