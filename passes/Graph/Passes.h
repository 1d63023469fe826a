//===- Passes.h - Graph passes ----------------------------------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_PASSES_GRAPH_PASSES_H
#define ACC_PASSES_GRAPH_PASSES_H

#include "mlir/Pass/Pass.h"

namespace acc::graph {

#define GEN_PASS_DECL
#include "passes/Graph/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "passes/Graph/Passes.h.inc"

} // namespace acc::graph

#endif // ACC_PASSES_GRAPH_PASSES_H
