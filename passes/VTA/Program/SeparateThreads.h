//===- SeparateThreads.h - Parts of a memory for threads --------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

/// Where GEMM and ALU run beside each other as long as they use other banks of
/// the accumulators, one virtual thread rescales while the other multiplies, if
/// each has banks of its own.

#ifndef ACC_PASSES_VTA_PROGRAM_SEPARATETHREADS_H
#define ACC_PASSES_VTA_PROGRAM_SEPARATETHREADS_H

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Interfaces/FunctionInterfaces.h"

namespace acc::vta {

/// The parts, of the same size, in which the accumulators are divided.
inline constexpr unsigned kParts = 2;

/// Finds the part in which each buffer of accumulators of \p kernel is to lie.
/// Buffers with results that an operation uses together are those of one
/// thread; threads take the parts in turn. What is only loaded and read lies in
/// the part of those results that it is for; if threads of several parts read
/// it, a buffer is made for each, which is loaded too.
///
/// Does nothing and returns nothing if there is one thread, or if a part would
/// have more than \p partSize elements. \p sizeOf is that of a buffer.
llvm::DenseMap<mlir::Operation *, unsigned>
separateThreads(mlir::FunctionOpInterface kernel, int64_t partSize,
                llvm::function_ref<int64_t(mlir::memref::AllocOp)> sizeOf);

} // namespace acc::vta

#endif // ACC_PASSES_VTA_PROGRAM_SEPARATETHREADS_H
