//===- ElementBits.h - How many bits integers need --------------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_DIALECTS_GRAPH_ELEMENTBITS_H
#define ACC_DIALECTS_GRAPH_ELEMENTBITS_H

#include "mlir/IR/Value.h"

namespace acc::graph {

/// How many bits hold, with a sign, every element that a tensor of the integer
/// graph can have: at most 8, and 8 where nothing tells that fewer do.
unsigned countBits(mlir::Value integers);

} // namespace acc::graph

#endif // ACC_DIALECTS_GRAPH_ELEMENTBITS_H
