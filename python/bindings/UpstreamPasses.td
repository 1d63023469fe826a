//===- UpstreamPasses.td - Passes of acc.passes.upstream --*- tablegen -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

include "mlir/Conversion/Passes.td"
include "mlir/Dialect/Arith/Transforms/Passes.td"
include "mlir/Dialect/Linalg/Passes.td"
include "mlir/Dialect/Math/Transforms/Passes.td"
include "mlir/Dialect/MemRef/Transforms/Passes.td"
include "mlir/Transforms/Passes.td"
