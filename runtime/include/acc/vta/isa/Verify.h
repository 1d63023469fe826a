//===- Verify.h - Stream verifier -------------------------------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

/// The stream verifier.

#ifndef ACC_VTA_ISA_VERIFY_H
#define ACC_VTA_ISA_VERIFY_H

#include "acc/vta/isa/Dialect.h"
#include "acc/vta/isa/Hazards.h"

namespace acc::vta::isa {

struct Diagnostic {
  /// Index of the instruction, or -1 for the program as a whole.
  int64_t instruction = -1;
  std::string message;
  /// Name of the instruction's layer, or "".
  std::string layer;
};

struct VerifyOptions {
  /// Report reads of scratchpad entries that nothing wrote.
  bool uninitialised = false;
  /// Report what is not part of it.
  Dialect dialect = Dialect::Acc;
  /// Report absolute DRAM addresses of LOADs of uop (whose contents cannot be
  /// known) and stop there.
  size_t maxDiagnostics = 20;
};

/// Everything that makes \p program ill-formed: fields that do not fit, indices
/// or DRAM ranges out of bounds, flags naming no neighbour, unbalanced tokens,
/// deadlock, hazards that no token orders, a missing or misplaced FINISH.
/// Empty if well formed. \p reader overrides the source of micro-ops.
std::vector<Diagnostic> verify(const Program &program,
                               const VerifyOptions &options = {},
                               UopReader reader = {});

/// "instruction 3 (GEMM, layer 'conv1'): message".
std::string format(const Diagnostic &diagnostic, const Program &program);

} // namespace acc::vta::isa

#endif // ACC_VTA_ISA_VERIFY_H
