//===- GraphElementwise.td - Element-wise operators --------*- tablegen -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_DIALECTS_GRAPH_GRAPHELEMENTWISE_TD
#define ACC_DIALECTS_GRAPH_GRAPHELEMENTWISE_TD

include "dialects/Graph/GraphBase.td"

class Graph_BinaryOp<string mnemonic, string what, list<Trait> traits = []>
    : Graph_ShapedOp<mnemonic, traits> {
  let summary = what # ", element by element, with broadcasting";
  let description = "Shapes broadcast as in numpy; element types are equal.";
  let arguments = (ins Graph_NumberTensor:$lhs, Graph_NumberTensor:$rhs);
  let results = (outs Graph_NumberTensor:$result);
  let hasFolder = 1;
  let shapeInference = [{
    ::llvm::LogicalResult $cppClass::inferResultShapes(
        ShapeContext &c, Adaptor adaptor,
        ::llvm::SmallVectorImpl<TensorShape> &results) {
      return inferBroadcast(c, adaptor.getOperands(), results);
    }
  }];
}

def Graph_AddOp : Graph_BinaryOp<"add", "Sum of two tensors", [Commutative]>;
def Graph_SubOp : Graph_BinaryOp<"sub", "Difference of two tensors">;
def Graph_MulOp : Graph_BinaryOp<"mul", "Product of two tensors", [Commutative]>;
def Graph_DivOp : Graph_BinaryOp<"div", "Quotient of two tensors">;

def Graph_SumOp : Graph_ShapedOp<"sum"> {
  let summary = "Sum of any number of tensors, with broadcasting";
  let arguments = (ins Variadic<Graph_NumberTensor>:$inputs);
  let results = (outs Graph_NumberTensor:$result);
  let hasFolder = 1;
  let hasCanonicalizeMethod = 1;
}

def Graph_ReluOp : Graph_ShapePreservingOp<"relu"> {
  let summary = "max(x, 0)";
  let arguments = (ins Graph_NumberTensor:$input);
  let results = (outs Graph_NumberTensor:$result);
  let hasFolder = 1;
}

def Graph_ClipOp : Graph_ShapePreservingOp<"clip"> {
  let summary = "min(max(x, min), max)";
  let description = [{
    A missing bound does not limit. Bounds are doubles so that they hold every
    bound of every element type up to 32 bits exactly.

    ```mlir
    %y = graph.clip %x {max = 6.0 : f64, min = 0.0 : f64}
        : (tensor<1x8xf32>) -> tensor<1x8xf32>
    ```
  }];
  let arguments = (ins Graph_NumberTensor:$input,
                       OptionalAttr<F64Attr>:$min, OptionalAttr<F64Attr>:$max);
  let results = (outs Graph_NumberTensor:$result);
  let hasFolder = 1;
  let hasVerifier = 1;
}

def Graph_CastOp : Graph_TypedOp<"cast"> {
  let summary = "Converts every element to the result's element type";
  let description = [{
    Float to integer truncates toward zero; a value that does not fit is
    undefined, as in ONNX. To i1: whether the value differs from zero.
  }];
  let arguments = (ins Graph_NumberTensor:$input);
  let results = (outs Graph_NumberTensor:$result);
  let hasFolder = 1;
}

#endif // ACC_DIALECTS_GRAPH_GRAPHELEMENTWISE_TD
