//===- Emitter.h - From evaluated operations to instructions ----*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_PASSES_VTA_PROGRAM_EMITTER_H
#define ACC_PASSES_VTA_PROGRAM_EMITTER_H

#include "passes/VTA/Program/Evaluator.h"
#include "passes/VTA/Program/Sequences.h"

namespace acc::vta {

/// A memref in units of hardware elements: outer dimensions only.
struct ElementView {
  int64_t start = 0;
  llvm::SmallVector<int64_t, 6> sizes, strides;
};

/// One dimension of a transfer, in hardware elements: `size` of them in DRAM,
/// `low` and `high` zeros around them in the scratchpad.
struct TransferDim {
  int64_t size, low, high;
  int64_t dramStride, sramStride;

  int64_t box() const { return low + size + high; }
};

/// One dimension of the iteration domain of a tensor instruction: how many
/// points, and how far each of dst, src and wgt moves from one to the next.
struct LoopDim {
  int64_t size;
  std::array<int64_t, 3> strides;
};

/// Turns structured operations, as they are evaluated, into a stream without
/// tokens whose micro-op ranges are positions in a table.
class Emitter {
public:
  /// \p aluStepsApart: after so many steps of the ALU on other entries of the
  /// accumulators it need not wait for one that it meets again.
  Emitter(const isa::Config &config, isa::Dialect dialect,
          int64_t aluStepsApart, Evaluator &evaluator, mlir::Location location);

  /// Appends the instructions of a structured operation. Emits an error and
  /// fails if the hardware cannot do what it asks for.
  llvm::LogicalResult emit(mlir::Operation *op);
  void emitFinish(mlir::Location loc);

  isa::Program &getProgram() { return program; }
  llvm::ArrayRef<mlir::Location> getLocations() const { return locations; }
  llvm::ArrayRef<isa::Uop> getUops() const { return table; }
  /// The tables that the program looks up in: immediates are their numbers.
  const Tables &getTables() const { return tables; }

private:
  // Emitter.cpp
  llvm::FailureOr<ElementView>
  getElements(mlir::Operation *op, mlir::Value value, isa::Memory memory);
  llvm::LogicalResult emitLoad(LoadOp op);
  llvm::LogicalResult emitStore(StoreOp op);
  llvm::LogicalResult emitReset(ResetOp op);
  llvm::LogicalResult emitGemm(GemmOp op);
  llvm::LogicalResult emitAlu(AluOp op);
  llvm::LogicalResult emitLoops(mlir::Operation *op, isa::Instruction insn,
                                llvm::ArrayRef<int64_t> bounds,
                                llvm::ArrayRef<ElementView> operands,
                                mlir::ArrayAttr maps,
                                llvm::ArrayRef<unsigned> roles);
  void append(const isa::Instruction &insn,
              int32_t buffer = isa::Program::kNone);

  // EmitTransfers.cpp
  void emitTransfer(isa::MemInsn insn, int32_t buffer, int64_t dram,
                    int64_t sram, llvm::SmallVector<TransferDim> dims);
  void emitBoxes(isa::MemInsn insn, int32_t buffer, int64_t dram, int64_t sram,
                 llvm::ArrayRef<TransferDim> outer, const TransferDim &rows,
                 const TransferDim &columns);
  void emitRows(isa::MemInsn insn, int32_t buffer, int64_t dram, int64_t sram,
                TransferDim rows, TransferDim columns);
  void emitZeros(const isa::MemInsn &insn, int32_t buffer, int64_t sram,
                 llvm::ArrayRef<TransferDim> dims);

  // Resets.cpp
  /// Whether the product about to be emitted may set its destinations instead
  /// of adding to zeros: it is the first to meet all of what is still to be
  /// reset there. What it meets otherwise is reset.
  bool takeReset(int64_t base, llvm::ArrayRef<LoopDim> dims);
  void emitResets();

  // EmitLoops.cpp
  void emitDomain(isa::Instruction insn, std::array<int64_t, 3> bases,
                  llvm::SmallVector<LoopDim> dims);
  void emitSeparated(const isa::Instruction &insn, std::array<int64_t, 3> bases,
                     llvm::SmallVector<LoopDim> dims, int64_t apart);
  /// Emits a product that sets what it first meets, and adds the rest.
  void emitSet(const isa::Instruction &insn, std::array<int64_t, 3> bases,
               LoopDim out, LoopDim in, llvm::ArrayRef<LoopDim> unrolled);
  void emitWindow(const isa::Instruction &insn, std::array<int64_t, 3> bases,
                  llvm::SmallVector<LoopDim> dims);
  void emitHeld(const isa::Instruction &insn, std::array<int64_t, 3> bases,
                llvm::SmallVector<LoopDim> dims);
  void emitNest(const isa::Instruction &insn, std::array<int64_t, 3> bases,
                llvm::SmallVector<LoopDim> dims,
                llvm::ArrayRef<LoopDim> innermost);
  /// Emits the loops once for every point of \p repeated.
  void emitRepeated(isa::Instruction insn, std::array<int64_t, 3> bases,
                    llvm::ArrayRef<LoopDim> repeated, const LoopDim &out,
                    const LoopDim &in, llvm::ArrayRef<LoopDim> unrolled);
  void emitSequence(const isa::Instruction &insn, std::array<int64_t, 3> bases,
                    const LoopDim &out, const LoopDim &in,
                    llvm::ArrayRef<LoopDim> unrolled);
  void emitUops(const isa::Instruction &insn, llvm::ArrayRef<isa::Uop> uops,
                const LoopDim &out, const LoopDim &in);
  void placeSequences();

  /// Accumulators that are to be zero before anything but a product meets them.
  struct PendingReset {
    mlir::Location location;
    ElementView view;
  };
  llvm::SmallVector<PendingReset, 2> resets;

  isa::Config config;
  isa::Dialect dialect;
  int64_t aluStepsApart;
  /// The most micro-ops that a sequence may have.
  int64_t longestSequence;
  Evaluator &evaluator;
  isa::Program program;
  llvm::SmallVector<mlir::Location> locations;
  mlir::Location location;
  /// Until FINISH is emitted, the micro-op ranges of instructions begin at
  /// numbers of sequences.
  Sequences sequences;
  std::vector<isa::Uop> table;
  Tables tables;
};

} // namespace acc::vta

#endif // ACC_PASSES_VTA_PROGRAM_EMITTER_H
