//===- ToLinalgControl.h - Loops and branches to scf ------------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_PASSES_GRAPH_TOLINALGCONTROL_H
#define ACC_PASSES_GRAPH_TOLINALGCONTROL_H

#include "mlir/Transforms/DialectConversion.h"

namespace acc::graph {

/// Of graph.loop and graph.if only the types change.
void populateControlToLinalg(const mlir::TypeConverter &converter,
                             mlir::RewritePatternSet &patterns);

/// Turns graph.loop and graph.if, with regions that are lowered, into scf.
void lowerControl(mlir::Operation *root);

} // namespace acc::graph

#endif // ACC_PASSES_GRAPH_TOLINALGCONTROL_H
