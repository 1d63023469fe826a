//===- VectorBody.h - Emission helpers of native kernels --------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_PASSES_HOST_VECTORBODY_H
#define ACC_PASSES_HOST_VECTORBODY_H

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/Builders.h"

#include <optional>

namespace acc::host {

/// A statically strided buffer as one dimension, to be indexed by the sum of
/// its strides times the indices. Its outermost size may be unknown.
struct FlatView {
  mlir::Value memref;
  llvm::SmallVector<int64_t> strides;
};

/// Fails when the strides or the offset are not static.
mlir::FailureOr<FlatView> flatten(mlir::OpBuilder &builder, mlir::Location loc,
                                  mlir::Value buffer);

/// The same for a buffer whose sizes, and so its strides, may be known at run
/// time only; then it has no gaps.
struct OpenView {
  mlir::Value memref;
  llvm::SmallVector<mlir::Value> strides;

  /// The number that a stride is, if it is known.
  std::optional<int64_t> getStride(size_t dim) const {
    return mlir::getConstantIntValue(strides[dim]);
  }
};
mlir::FailureOr<OpenView> flattenOpen(mlir::OpBuilder &builder,
                                      mlir::Location loc, mlir::Value buffer);

/// A table of 256 bytes that a scalar function reads at a byte: one, or one for
/// every iteration of the loop `axis` of the operation that has the function.
struct ByteTable {
  mlir::Operation *load;
  /// The position in the table, an i8 that counts from 0 to 255.
  mlir::Value position;
  std::optional<int64_t> axis;
};

/// The tables of a scalar function.
llvm::SmallVector<ByteTable> findTables(mlir::Block &body);

/// Whether every operation of the scalar function can be applied to vectors,
/// some lanes of which may hold anything.
bool isVectorizable(mlir::Block &body, llvm::ArrayRef<ByteTable> tables = {});

/// Looks up vectors of bytes in one table by shuffles of registers.
class ByteLookup {
public:
  /// The instructions that there are for it.
  static bool isKnown(llvm::StringRef instruction);

  /// Loads the table, 256 bytes from `offset` on.
  ByteLookup(mlir::OpBuilder &builder, mlir::Location loc,
             llvm::StringRef instruction, int64_t lanes, mlir::Value memref,
             mlir::Value offset);

  /// The entry at every position.
  mlir::Value get(mlir::OpBuilder &builder, mlir::Value positions) const;

private:
  mlir::Value shuffle(mlir::OpBuilder &builder, llvm::StringRef name,
                      mlir::ValueRange operands) const;
  mlir::Value permuteTwice(mlir::OpBuilder &builder, mlir::Value x) const;
  mlir::Value selectParts(mlir::OpBuilder &builder, mlir::Value x) const;
  mlir::Value joinShuffles(mlir::OpBuilder &builder, mlir::Value x) const;

  mlir::Location loc;
  llvm::StringRef instruction;
  int64_t lanes, width;
  /// Of `vpermi2b`, the quarters of the table. Of `tbl`, sixteenths. Of
  /// `pshufb` these, too, but each that is not the first of a half combined
  /// with the one before by "exclusive or".
  llvm::SmallVector<mlir::Value> parts;
};

/// Whether vectors of elements are in memory what the elements are: those of
/// single bits are not.
bool isVectorElement(mlir::Type type);

/// Clones a scalar function onto vectors of `lanes` elements. `arguments` are
/// vectors; the operands of the terminator are returned, as vectors. `lookups`
/// are those of `tables`.
llvm::SmallVector<mlir::Value>
vectorizeBody(mlir::OpBuilder &builder, mlir::Block &body,
              mlir::ValueRange arguments, int64_t lanes,
              llvm::ArrayRef<ByteTable> tables = {},
              llvm::ArrayRef<ByteLookup> lookups = {});

/// Turns a square of as many vectors as each of them has elements round: the
/// first has the first element of each then. By interleaving halves.
llvm::SmallVector<mlir::Value>
transposeVectors(mlir::OpBuilder &builder, mlir::Location loc,
                 llvm::SmallVector<mlir::Value> rows);

/// Index arithmetic that folds constants as it goes.
class IndexBuilder {
public:
  IndexBuilder(mlir::OpBuilder &builder, mlir::Location loc)
      : builder(builder), loc(loc) {}
  mlir::Value constant(int64_t value);
  mlir::Value add(mlir::Value a, mlir::Value b);
  mlir::Value add(mlir::Value a, int64_t b) { return add(a, constant(b)); }
  mlir::Value sub(mlir::Value a, mlir::Value b);
  mlir::Value mul(mlir::Value a, mlir::Value b);
  mlir::Value mul(mlir::Value a, int64_t b) { return mul(a, constant(b)); }
  /// Quotient and remainder of numbers that are not negative.
  mlir::Value div(mlir::Value a, int64_t b);
  mlir::Value rem(mlir::Value a, int64_t b);
  mlir::Value div(mlir::Value a, mlir::Value b);
  mlir::Value rem(mlir::Value a, mlir::Value b);
  /// The number of pieces of `size` that cover `a`.
  mlir::Value ceilDiv(mlir::Value a, int64_t size) {
    return div(add(a, size - 1), size);
  }
  mlir::Value min(mlir::Value a, mlir::Value b);
  mlir::Value max(mlir::Value a, mlir::Value b);

  /// A loop over [0, count) that is no loop when the count is known to be one,
  /// and nothing when it is known to be zero.
  void loop(mlir::Value count, llvm::function_ref<void(mlir::Value)> body);
  void loop(int64_t count, llvm::function_ref<void(mlir::Value)> body) {
    loop(constant(count), body);
  }
  /// The same with loop-carried values.
  using CarryingBody = llvm::function_ref<llvm::SmallVector<mlir::Value>(
      mlir::Value, mlir::ValueRange)>;
  llvm::SmallVector<mlir::Value> loop(mlir::Value count, mlir::ValueRange init,
                                      CarryingBody body);
  llvm::SmallVector<mlir::Value> loop(int64_t count, mlir::ValueRange init,
                                      CarryingBody body) {
    return loop(constant(count), init, body);
  }

  /// What `body` does with the chunk of `width` elements at its first argument,
  /// then with the rest, whose size is the second; a size is null when it is
  /// `width`.
  using ChunkBody = llvm::function_ref<llvm::SmallVector<mlir::Value>(
      mlir::Value, mlir::Value, mlir::ValueRange)>;
  llvm::SmallVector<mlir::Value> chunks(mlir::Value count, int64_t width,
                                        mlir::ValueRange init, ChunkBody body);

  /// A loop over [0, count) whose iterations may run at the same time, each on
  /// memory of its thread's own in the place of `own`, if there is one; no loop
  /// when the count is known to be one or zero.
  void parallel(
      mlir::Value count, mlir::Value own,
      llvm::function_ref<void(mlir::Value iteration, mlir::Value own)> body);

  /// What `body` does with one of the pieces of `size` that [0, extent) is cut
  /// into: it is given the start and the size of the piece, of which the last
  /// one may be smaller.
  void
  piece(mlir::Value number, mlir::Value extent, int64_t size,
        llvm::function_ref<void(mlir::Value start, mlir::Value count)> body);

  /// One chunk of a loop: its number follows from the number of a chunk of
  /// several loops, of which this one is the innermost. Returns the number of
  /// the chunk of the others, and calls `body` with the start and the size of
  /// this one, which is a constant only where all have the same.
  mlir::Value takeChunk(
      mlir::Value number, mlir::Value extent, int64_t chunk, bool isOutermost,
      llvm::function_ref<void(mlir::Value start, mlir::Value count)> body);

private:
  mlir::OpBuilder &builder;
  mlir::Location loc;
};

/// Lane mask with the first `count` lanes set.
mlir::Value createMask(mlir::OpBuilder &builder, mlir::Location loc,
                       int64_t lanes, mlir::Value count);
mlir::Value constantMask(mlir::OpBuilder &builder, mlir::Location loc,
                         int64_t lanes, int64_t count);

/// Stores the lanes of a vector that `mask` has set, all of them if it is null.
/// One lane is stored as the scalar that it is.
void storeLanes(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value value,
                mlir::Value memref, mlir::Value offset, mlir::Value mask);

} // namespace acc::host

#endif // ACC_PASSES_HOST_VECTORBODY_H
