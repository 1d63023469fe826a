//===- ToLinalgActivation.h - Activations of recurrent networks -*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_PASSES_GRAPH_TOLINALGACTIVATION_H
#define ACC_PASSES_GRAPH_TOLINALGACTIVATION_H

#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace acc::graph {

/// The activation that ONNX calls `name`, in lowercase, on a float.
mlir::Value createActivation(mlir::ImplicitLocOpBuilder &b,
                             llvm::StringRef name, double alpha, double beta,
                             mlir::Value x);

} // namespace acc::graph

#endif // ACC_PASSES_GRAPH_TOLINALGACTIVATION_H
