//===- ParallelBodies.h - Bodies of parallel loops --------------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_PASSES_HOST_PARALLELBODIES_H
#define ACC_PASSES_HOST_PARALLELBODIES_H

#include "mlir/Conversion/LLVMCommon/TypeConverter.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace acc::host {

/// Moves the body of every cpu.parallel of a kernel to a function that runs a
/// range of iterations, and lets the runtime call it. The kernel is a function
/// already, on pointers and sizes, which begins with the first two arguments of
/// acc_model_main.
mlir::LogicalResult outlineParallel(mlir::func::FuncOp kernel,
                                    const mlir::LLVMTypeConverter &converter);

} // namespace acc::host

#endif // ACC_PASSES_HOST_PARALLELBODIES_H
