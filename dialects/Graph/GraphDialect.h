//===- GraphDialect.h - The graph dialect -----------------------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_DIALECTS_GRAPH_GRAPHDIALECT_H
#define ACC_DIALECTS_GRAPH_GRAPHDIALECT_H

#include "dialects/Graph/Shape.h"

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/CallInterfaces.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "mlir/Interfaces/DestinationStyleOpInterface.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "dialects/Graph/GraphDialect.h.inc"

namespace acc::graph {

/// Marks operators that cost nothing at run time.
template <typename ConcreteOp>
class IsFree : public mlir::OpTrait::TraitBase<ConcreteOp, IsFree> {};

} // namespace acc::graph

#include "dialects/Graph/GraphEnums.h.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/Graph/GraphAttributes.h.inc"

namespace acc::graph {

/// Where `op` is computed, or null where nothing was decided.
PlacementAttr getPlacement(mlir::Operation *op);

/// Whether `op` costs nothing at run time and belongs to no kernel: it has the
/// trait IsFree, or is a slice that is a view.
bool isFree(mlir::Operation *op);

/// What ONNX calls an operator of the dialect ("graph.mat_mul"), for messages;
/// of those that ONNX does not have, what they come from.
std::string getOnnxName(llvm::StringRef operation);

} // namespace acc::graph

#endif // ACC_DIALECTS_GRAPH_GRAPHDIALECT_H
