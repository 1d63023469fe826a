//===- GraphSlicing.td - Parts and repetitions of tensors --*- tablegen -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Where numbers decide shapes, an attribute holds those that are known, with
// ShapedType::kDynamic in place of the others, which are index operands in
// order.
//
//===----------------------------------------------------------------------===//

#ifndef ACC_DIALECTS_GRAPH_GRAPHSLICING_TD
#define ACC_DIALECTS_GRAPH_GRAPHSLICING_TD

include "dialects/Graph/GraphBase.td"

def Graph_SliceOp : Graph_ShapedOp<"slice"> {
  let summary = "Some elements of every axis, in steps";
  let description = [{
    Result index i of an axis is input index start + i * step; `sizes` of them.
    All lie within the input: what ONNX counts from the end or cuts off is
    resolved before this operator is made. Steps may be negative. Of the index
    operands those of `starts` come first.

    ```mlir
    %y = graph.slice %x {sizes = array<i64: 1, 4>, starts = array<i64: 2, 7>,
        steps = array<i64: 1, -2>} : (tensor<3x8xf32>) -> tensor<1x4xf32>
    ```
  }];
  let arguments = (ins Graph_AnyTensor:$input, Variadic<Index>:$dynamics,
                       DenseI64ArrayAttr:$starts, DenseI64ArrayAttr:$sizes,
                       DenseI64ArrayAttr:$steps);
  let results = (outs Graph_AnyTensor:$result);
  let hasFolder = 1;
  let hasCanonicalizer = 1;
  let moreDeclarations = [{
    /// Whether the result is memory of the input that kernels may be given as
    /// it is: in one piece, and starting where a buffer may start.
    bool isView();
  }];
}

def Graph_ExpandOp : Graph_ShapedOp<"expand"> {
  let summary = "Repeats axes of size 1";
  let description = [{
    The result has the shape that the input's and `shape` broadcast to: axes
    are aligned on the right, and sizes are equal unless one of them is 1.
  }];
  let arguments = (ins Graph_AnyTensor:$input, Variadic<Index>:$dynamics,
                       DenseI64ArrayAttr:$shape);
  let results = (outs Graph_AnyTensor:$result);
  let hasFolder = 1;
}

def Graph_TileOp : Graph_ShapedOp<"tile"> {
  let summary = "Repeats the tensor along every axis";
  let arguments = (ins Graph_AnyTensor:$input, Variadic<Index>:$dynamics,
                       DenseI64ArrayAttr:$repeats);
  let results = (outs Graph_AnyTensor:$result);
  let hasFolder = 1;
}

def Graph_TriluOp : Graph_ShapePreservingOp<"trilu"> {
  let summary = "Keeps a triangle of the last two axes and clears the rest";
  let description = [{
    Kept are elements on and above the diagonal that `k` moves to the right,
    or, unless `upper`, on and below it.
  }];
  let arguments = (ins Graph_ValueTensor:$input,
                       DefaultValuedAttr<I64Attr, "0">:$k,
                       DefaultValuedAttr<BoolAttr, "true">:$upper);
  let results = (outs Graph_ValueTensor:$result);
  let hasVerifier = 1;
}

def Graph_RangeOp : Graph_ShapedOp<"range"> {
  let summary = "start + i * delta";
  let description = "`size` elements; start and delta are scalars.";
  let arguments = (ins Graph_NumberTensor:$start, Graph_NumberTensor:$delta,
                       Variadic<Index>:$dynamics, I64Attr:$size);
  let results = (outs Graph_NumberTensor:$result);
}

#endif // ACC_DIALECTS_GRAPH_GRAPHSLICING_TD
