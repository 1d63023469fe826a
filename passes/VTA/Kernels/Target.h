//===- Target.h - The accelerator as a target -------------------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_PASSES_VTA_KERNELS_TARGET_H
#define ACC_PASSES_VTA_KERNELS_TARGET_H

#include "mlir/IR/DialectRegistry.h"

namespace acc::vta {

/// Makes a #vta.config a target of te.kernels, and programs and their launches
/// known to the host.
void registerTarget(mlir::DialectRegistry &registry);

} // namespace acc::vta

#endif // ACC_PASSES_VTA_KERNELS_TARGET_H
