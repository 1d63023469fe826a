//===- SinkTransposes.h - Transposes behind other operators -----*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_DIALECTS_GRAPH_SINKTRANSPOSES_H
#define ACC_DIALECTS_GRAPH_SINKTRANSPOSES_H

#include "mlir/IR/PatternMatch.h"

namespace acc::graph {

/// Patterns that move transposes behind operators which do not care for the
/// order of axes.
void populateSinkTransposes(mlir::RewritePatternSet &patterns);

} // namespace acc::graph

#endif // ACC_DIALECTS_GRAPH_SINKTRANSPOSES_H
