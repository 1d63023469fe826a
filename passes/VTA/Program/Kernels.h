//===- Kernels.h - What the vta passes agree on about kernels ---*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_PASSES_VTA_PROGRAM_KERNELS_H
#define ACC_PASSES_VTA_PROGRAM_KERNELS_H

#include "dialects/VTA/VTADialect.h"

#include "mlir/Interfaces/FunctionInterfaces.h"

namespace acc::vta {

/// Attributes of a scratchpad allocation: where it lies and how much room it
/// has, in hardware elements.
inline constexpr llvm::StringLiteral kOffsetAttr = "vta.offset";
inline constexpr llvm::StringLiteral kEntriesAttr = "vta.entries";

/// The accelerator that \p function is a kernel for, or null: it says so
/// itself, so that the passes need not know the operators of the level above.
inline ConfigAttr getTarget(mlir::FunctionOpInterface function) {
  if (function.isExternal())
    return {};
  return function->getAttrOfType<ConfigAttr>("target");
}

/// Emits an error if the micro-ops of a program have no place in their memory
/// yet, so that nobody knows what its instructions read.
inline llvm::LogicalResult checkCached(ProgramOp program) {
  if (!program.getUops() || program.getCached())
    return llvm::success();
  return program.emitError()
         << "micro-ops of program '" << program.getSymName()
         << "' have no place yet; vta-cache-uops assigns one";
}

} // namespace acc::vta

#endif // ACC_PASSES_VTA_PROGRAM_KERNELS_H
