//===- Passes.h - Host passes -----------------------------------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_PASSES_HOST_PASSES_H
#define ACC_PASSES_HOST_PASSES_H

#include "dialects/CPU/CPUDialect.h"
#include "dialects/Graph/Graph.h"
#include "dialects/TE/TEDialect.h"

#include "mlir/Pass/Pass.h"

namespace acc::host {

#define GEN_PASS_DECL
#include "passes/Host/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "passes/Host/Passes.h.inc"

} // namespace acc::host

#endif // ACC_PASSES_HOST_PASSES_H
