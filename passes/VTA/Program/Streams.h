//===- Streams.h - Streams one behind the other -----------------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_PASSES_VTA_PROGRAM_STREAMS_H
#define ACC_PASSES_VTA_PROGRAM_STREAMS_H

#include "dialects/VTA/VTADialect.h"
#include "passes/VTA/Program/Sequences.h"

#include <map>

namespace acc::vta {

/// Joins the streams of programs that have neither tokens nor a place for their
/// micro-ops yet.
class Streams {
public:
  /// Where an argument of a program lies: a buffer of the joined one, and from
  /// which byte on.
  struct Place {
    int32_t buffer;
    int64_t offset;
  };

  explicit Streams(const isa::Config &config) : config(config) {}

  /// Appends the instructions of \p program but for its FINISH, its arguments
  /// being at \p places. Emits an error if an address does not fit.
  llvm::LogicalResult append(ProgramOp program, llvm::ArrayRef<Place> places);

  /// Moves what does not depend on earlier programs to the beginning of each:
  /// LOADs of buffers that nobody writes, which else would wait behind those of
  /// what the program before is still storing.
  void hoistLoads();

  /// Makes the instructions, with a FINISH, and the micro-ops those of
  /// \p program.
  void write(ProgramOp program, mlir::Location end) const;

private:
  struct Insn {
    isa::Instruction insn;
    int32_t buffer;
    mlir::Location location;
  };

  std::map<uint32_t, uint32_t>
  mergeUops(ProgramOp program, llvm::ArrayRef<isa::Instruction> stream);
  void hoistLoads(llvm::MutableArrayRef<Insn> insns,
                  const llvm::DenseSet<int32_t> &stored);

  isa::Config config;
  std::vector<Insn> insns;
  /// Where the instructions of each program begin.
  std::vector<size_t> starts;
  /// The micro-ops as in #vta.uops, and where sequences of them begin.
  std::vector<int32_t> uops;
  std::map<std::vector<int32_t>, uint32_t> sequences;
  Tables tables;
};

} // namespace acc::vta

#endif // ACC_PASSES_VTA_PROGRAM_STREAMS_H
