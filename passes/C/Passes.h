//===- Passes.h - Passes to C -----------------------------------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_PASSES_C_PASSES_H
#define ACC_PASSES_C_PASSES_H

#include "dialects/TE/TEDialect.h"

#include "mlir/Dialect/EmitC/IR/EmitC.h"
#include "mlir/Pass/Pass.h"

namespace acc::c {

#define GEN_PASS_DECL
#include "passes/C/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "passes/C/Passes.h.inc"

} // namespace acc::c

#endif // ACC_PASSES_C_PASSES_H
