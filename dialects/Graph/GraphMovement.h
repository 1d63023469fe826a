//===- GraphMovement.h - Operators that only move data ----------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_DIALECTS_GRAPH_GRAPHMOVEMENT_H
#define ACC_DIALECTS_GRAPH_GRAPHMOVEMENT_H

#include "dialects/Graph/GraphDialect.h"

#define GET_OP_CLASSES
#include "dialects/Graph/GraphMovement.h.inc"

namespace acc::graph {

/// The pads of windows that read what `pad` reads, where windows with `pads`
/// (the beginnings of all spatial axes, then the ends) read its result; none if
/// it pads other axes or crops.
std::optional<llvm::SmallVector<int64_t>> addPads(PadOp pad,
                                                  llvm::ArrayRef<int64_t> pads);

} // namespace acc::graph

#endif // ACC_DIALECTS_GRAPH_GRAPHMOVEMENT_H
