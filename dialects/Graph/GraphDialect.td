//===- GraphDialect.td - The graph dialect -----------------*- tablegen -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_DIALECTS_GRAPH_GRAPHDIALECT_TD
#define ACC_DIALECTS_GRAPH_GRAPHDIALECT_TD

include "mlir/IR/OpBase.td"

def Graph_Dialect : Dialect {
  let name = "graph";
  let cppNamespace = "::acc::graph";
  let summary = "What to compute: ONNX-level operators on tensors";
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::quant::QuantDialect",
    "::mlir::tensor::TensorDialect"];
  let hasConstantMaterializer = 1;
  let useDefaultAttributePrinterParser = 1;
  let hasOperationAttrVerify = 1;
  let hasRegionArgAttrVerify = 1;
  let hasRegionResultAttrVerify = 1;
  let extraClassDeclaration = [{
    /// Attributes of operators: where it is computed, a #graph.placement; why it
    /// is not computed in integers, a string; and, of a look-up or of what moves
    /// channels, that it reads tensors in the layout of an accelerator, a unit.
    static constexpr ::llvm::StringLiteral kPlacement = "graph.placement";
    static constexpr ::llvm::StringLiteral kReason = "graph.reason";
    static constexpr ::llvm::StringLiteral kPacked = "graph.packed";
    /// Attributes of arguments and results of functions: the name, and names of
    /// the sizes. Equal names are equal sizes; "" is a size of its own.
    static constexpr ::llvm::StringLiteral kName = "graph.name";
    static constexpr ::llvm::StringLiteral kDims = "graph.dims";
    /// Attribute of a module: name, operator, inputs and outputs of every ONNX
    /// node.
    static constexpr ::llvm::StringLiteral kTensors = "graph.tensors";
  }];
}

class Graph_Op<string mnemonic, list<Trait> traits = []>
    : Op<Graph_Dialect, mnemonic, traits>;

#endif // ACC_DIALECTS_GRAPH_GRAPHDIALECT_TD
