//===- LowerMain.h - main as acc_model_main ---------------------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_PASSES_HOST_LOWERMAIN_H
#define ACC_PASSES_HOST_LOWERMAIN_H

#include "mlir/Conversion/LLVMCommon/TypeConverter.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace acc::host {

/// A buffer at a pointer, dense and in row-major order; `sizes` are those that
/// its type does not know.
mlir::Value makeBuffer(mlir::OpBuilder &builder, mlir::Location loc,
                       const mlir::LLVMTypeConverter &converter,
                       mlir::MemRefType type, mlir::Value pointer,
                       mlir::ValueRange sizes);

/// What kernels were before they became functions on pointers.
struct KernelInfo {
  /// On buffers.
  mlir::FunctionType type;
  /// Offsets and sizes of the buffers in its scratch memory, with guards.
  llvm::SmallVector<int64_t> scratch;
  /// Whether it takes the first two arguments of acc_model_main before its own.
  bool callsRuntime = false;
};
using KernelInfos = llvm::DenseMap<mlir::StringAttr, KernelInfo>;

/// Replaces a bufferized and planned main by acc_model_main, and launches by
/// calls of functions that take a pointer and the unknown sizes of every
/// buffer. The constants that it takes become the module's `cpu.constants`.
/// With `guard`, every launch is watched by the runtime.
mlir::LogicalResult lowerMain(mlir::func::FuncOp main,
                              const mlir::LLVMTypeConverter &converter,
                              const KernelInfos &kernels, bool guard);

} // namespace acc::host

#endif // ACC_PASSES_HOST_LOWERMAIN_H
