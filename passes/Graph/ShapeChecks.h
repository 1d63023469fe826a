//===- ShapeChecks.h - What a run checks of its sizes -----------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_PASSES_GRAPH_SHAPECHECKS_H
#define ACC_PASSES_GRAPH_SHAPECHECKS_H

#include "dialects/Graph/Shape.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/SetVector.h"

namespace acc::graph {

/// Whether a value is a tensor with sizes that are not known before run time.
bool isDynamic(mlir::Value value);

/// The ONNX nodes that a location names, outermost first.
void collectNames(mlir::Location location,
                  llvm::SetVector<mlir::StringAttr> &names);

/// Makes the run check that arguments have the sizes that their names promise,
/// and what every operator requires of sizes that are not known.
llvm::LogicalResult insertShapeChecks(mlir::func::FuncOp function,
                                      ShapeScope &scope);

} // namespace acc::graph

#endif // ACC_PASSES_GRAPH_SHAPECHECKS_H
