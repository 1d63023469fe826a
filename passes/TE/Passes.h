//===- Passes.h - TE passes ------------------------------------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_PASSES_TE_PASSES_H
#define ACC_PASSES_TE_PASSES_H

#include "dialects/TE/TEDialect.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Pass/Pass.h"

namespace acc::te {

#define GEN_PASS_DECL
#include "passes/TE/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "passes/TE/Passes.h.inc"

/// The kernel's schedule, or null if it has none of this dialect.
inline ScheduleAttr getSchedule(KernelOp kernel) {
  return mlir::dyn_cast_or_null<ScheduleAttr>(kernel.getScheduleAttr());
}

/// The schedule of a kernel that is still on tensors, or null. Every
/// accelerator of a model adds the passes that make buffers of all kernels: the
/// first time counts.
inline ScheduleAttr getScheduleOnTensors(KernelOp kernel) {
  bool hasBuffers =
      llvm::any_of(kernel.getArgumentTypes(), llvm::IsaPred<mlir::MemRefType>);
  return hasBuffers ? ScheduleAttr() : getSchedule(kernel);
}

/// The [level, axis] that te-tile put on a loop, or null.
inline mlir::DenseI64ArrayAttr getTiledAxis(mlir::Operation *loop) {
  return loop->getAttrOfType<mlir::DenseI64ArrayAttr>(TEDialect::kLoop);
}

} // namespace acc::te

#endif // ACC_PASSES_TE_PASSES_H
