//===- Passes.td - Host passes ---------------------------------*- tablegen -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_PASSES_HOST_PASSES_TD
#define ACC_PASSES_HOST_PASSES_TD

include "mlir/Pass/PassBase.td"

#endif // ACC_PASSES_HOST_PASSES_TD
