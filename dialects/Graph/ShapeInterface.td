//===- ShapeInterface.td - Operators that know their shapes -*- tablegen -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_DIALECTS_GRAPH_SHAPEINTERFACE_TD
#define ACC_DIALECTS_GRAPH_SHAPEINTERFACE_TD

include "mlir/IR/OpBase.td"

def Graph_ShapeInterface : OpInterface<"ShapeOpInterface"> {
  let cppNamespace = "::acc::graph";
  let description = [{
    The shapes of an operator's results as expressions of the sizes of its
    operands; docs/dialects/graph.md shows how to write one.
  }];
  let methods = [
    InterfaceMethod<
      "Appends the shape of every result; reports and fails if the operands "
      "do not fit.",
      "::llvm::LogicalResult", "inferShapes",
      (ins "::acc::graph::ShapeContext &":$context,
           "::llvm::SmallVectorImpl<::acc::graph::TensorShape> &":$results),
      /*methodBody=*/"", /*defaultImplementation=*/[{
        return ConcreteOp::inferResultShapes(
            context, typename ConcreteOp::Adaptor($_op), results);
      }]>];
}

#endif // ACC_DIALECTS_GRAPH_SHAPEINTERFACE_TD
