//===- ContractionTile.h - The register tile of cpu.contract ----*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_PASSES_HOST_CONTRACTIONTILE_H
#define ACC_PASSES_HOST_CONTRACTIONTILE_H

#include "dialects/CPU/CPUDialect.h"
#include "dialects/TE/TEDialect.h"
#include "passes/Host/VectorBody.h"

#include <array>

namespace acc::host {

/// Emits one register tile of a cpu.contract on buffers: `width` columns
/// (output pixels, or rows of a matrix product) times `size` outputs, in `size
/// / lanes` vector registers per column. Every step of the sum loads the
/// vectors of weights once and broadcasts one input element per column.
class ContractionTile {
public:
  static mlir::FailureOr<ContractionTile> create(mlir::OpBuilder &builder,
                                                 cpu::ContractOp op);

  /// Where input elements are read: strides of the summed dimension, of rows
  /// and of columns, counted in what a lane of integers takes at once.
  void setSource(mlir::Value memref, mlir::Value sum, mlir::Value row,
                 mlir::Value column) {
    source = memref;
    sourceStrides = {sum, row, column};
  }

  /// Makes room on the stack for a tile that is stored, at the start of the
  /// block in which tiles follow. Every thread needs its own.
  void placeStage(mlir::Block &block);

  /// A loop over [0, count) whose iterations compute tiles at the same time;
  /// see IndexBuilder.
  void parallel(mlir::Value count, mlir::Value own,
                llvm::function_ref<void(mlir::Value, mlir::Value)> body);

  void setKernel(int64_t sums, std::array<int64_t, 2> kernel,
                 llvm::ArrayRef<int64_t> strides,
                 llvm::ArrayRef<int64_t> dilations);

  /// An element as the panels of integers hold it: as many bits as the
  /// instruction takes, and 128 more where its first operand is unsigned.
  mlir::Type getPanelType();
  mlir::Value toPanel(mlir::Value element);
  mlir::TypedAttr toPanel(int64_t element);

  /// Emits, for inputs that are 128 more than they are, what sums of all
  /// `tiles` begin with: -128 times the sum of the weights. Follows setKernel.
  /// With `isFused`, where weights are read once only, every tile computes it
  /// beside its sums instead.
  void emitStarts(int64_t tiles, bool isFused);

  /// Joins the rows and columns of all operands to one dimension, if they can
  /// be.
  bool joinRows();
  mlir::Value rowStride() const { return input.strides[2]; }

  /// Emits the tile that starts at element `base` of the source, multiplies the
  /// packed filters of the tile of outputs number `filters`, and ends up at the
  /// output indices `position`; `channel` of `outputs` counts inside a group.
  void emit(mlir::Value base, mlir::Value filters, int64_t width,
            llvm::ArrayRef<mlir::Value> position, mlir::Value channel,
            int64_t outputs);

  OpenView input, output;
  FlatView weights;
  int64_t width = 0, lanes = 0, size = 0;
  std::array<mlir::Value, 3> sourceStrides;

private:
  ContractionTile(mlir::OpBuilder &builder, cpu::ContractOp op)
      : builder(&builder), op(op) {}

  llvm::SmallVector<mlir::Value> sum(mlir::Value base, mlir::Value filters,
                                     int64_t columns);
  llvm::SmallVector<mlir::Value> loadFilters(mlir::Value step);
  mlir::Value loadInput(mlir::Value offset);
  mlir::Value getUnsignedZero();
  mlir::Value multiplyAdd(mlir::Value x, mlir::Value w, mlir::Value acc);
  mlir::Value
  multiplyPack(mlir::Value x, mlir::Value w,
               llvm::function_ref<mlir::Value(llvm::StringRef, mlir::Type,
                                              mlir::ValueRange)>
                   call);
  void storeRows(llvm::ArrayRef<mlir::Value> sums, int64_t columns,
                 llvm::ArrayRef<mlir::Value> position, mlir::Value channel,
                 int64_t outputs);
  void storeColumns(llvm::ArrayRef<mlir::Value> sums, int64_t columns,
                    llvm::ArrayRef<mlir::Value> position, mlir::Value channel,
                    int64_t outputs);
  void finish(mlir::Value sum, mlir::Value mask, int64_t vectorLanes,
              llvm::ArrayRef<mlir::Value> position);
  mlir::Value loadOperand(const OpenView &view, mlir::Value mask,
                          int64_t vectorLanes,
                          llvm::ArrayRef<mlir::Value> position);

  mlir::OpBuilder *builder;
  cpu::ContractOp op;
  mlir::Value source, stage, starts;
  bool fusesStarts = false;
  /// Strides are by output dimension.
  llvm::SmallVector<OpenView> operands;
  int64_t steps = 0;
  std::array<int64_t, 2> kernel = {};
  llvm::SmallVector<int64_t> strides, dilations;
};

} // namespace acc::host

#endif // ACC_PASSES_HOST_CONTRACTIONTILE_H
