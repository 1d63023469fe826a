//===- GraphReduction.h - Reductions and scans ------------------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_DIALECTS_GRAPH_GRAPHREDUCTION_H
#define ACC_DIALECTS_GRAPH_GRAPHREDUCTION_H

#include "dialects/Graph/GraphDialect.h"

#define GET_OP_CLASSES
#include "dialects/Graph/GraphReduction.h.inc"

namespace acc::graph {

/// The letters of the operands and of the result of an einsum's equation.
struct EinsumEquation {
  llvm::SmallVector<llvm::StringRef> operands;
  llvm::StringRef result;
  /// Every letter once, those of the result first.
  std::string letters;

  /// Fails when the text is not an equation with one output.
  static llvm::FailureOr<EinsumEquation> parse(llvm::StringRef text);
};

} // namespace acc::graph

#endif // ACC_DIALECTS_GRAPH_GRAPHREDUCTION_H
