//===- Emission.h - From te to the structured vta dialect -------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the accelerator answers to the passes of te.
//
//===----------------------------------------------------------------------===//

#ifndef ACC_PASSES_VTA_KERNELS_EMISSION_H
#define ACC_PASSES_VTA_KERNELS_EMISSION_H

#include "dialects/TE/TEDialect.h"
#include "dialects/VTA/VTADialect.h"

namespace acc::vta {

/// The declarations of what the matrix and the vector unit compute, for the
/// sizes of an accelerator.
std::string getIntrinsics(const isa::Config &config);

/// Creates the operation of an intrinsic; fails if it cannot encode the match.
mlir::LogicalResult emitIntrinsic(mlir::OpBuilder &builder, mlir::Location loc,
                                  te::IntrinOp intrin,
                                  const te::IntrinsicMatch &match);

/// Creates the load or store of a transfer; fails, with an error, for what the
/// DMA cannot do.
mlir::LogicalResult emitLoad(mlir::OpBuilder &builder, te::CacheReadOp read);
mlir::LogicalResult emitStore(mlir::OpBuilder &builder, te::CacheWriteOp write);

} // namespace acc::vta

#endif // ACC_PASSES_VTA_KERNELS_EMISSION_H
