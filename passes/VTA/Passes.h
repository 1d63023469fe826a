//===- Passes.h - VTA passes ------------------------------------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_PASSES_VTA_PASSES_H
#define ACC_PASSES_VTA_PASSES_H

#include "dialects/VTA/VTADialect.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

namespace acc::vta {

#define GEN_PASS_DECL
#include "passes/VTA/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "passes/VTA/Passes.h.inc"

} // namespace acc::vta

#endif // ACC_PASSES_VTA_PASSES_H
