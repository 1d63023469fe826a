//===- GraphContraction.td - Convolutions, matrix products, normalizations -*- tablegen -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_DIALECTS_GRAPH_GRAPHCONTRACTION_TD
#define ACC_DIALECTS_GRAPH_GRAPHCONTRACTION_TD

include "dialects/Graph/GraphBase.td"

def Graph_ConvOp : Graph_ShapedOp<"conv"> {
  let summary = "Convolution (cross-correlation), any number of spatial axes";
  let description = [{
    input (N, C, D1...), weight (O, C / group, K1...), bias (O). `pads` holds
    the begin paddings of all spatial axes, then the end paddings; padding is
    zero. `auto_pad` is resolved before this operator is made. Floats narrower
    than f32 are summed in f32.

    ```mlir
    %y = graph.conv %x, %w, %b {dilations = array<i64: 1, 1>, group = 1 : i64,
        pads = array<i64: 1, 1, 1, 1>, strides = array<i64: 1, 1>}
        : (tensor<1x3x8x8xf32>, tensor<4x3x3x3xf32>, tensor<4xf32>)
        -> tensor<1x4x8x8xf32>
    ```
  }];
  let arguments = (ins Graph_NumberTensor:$input, Graph_NumberTensor:$weight,
                       Optional<Graph_NumberTensor>:$bias,
                       DenseI64ArrayAttr:$strides, DenseI64ArrayAttr:$pads,
                       DenseI64ArrayAttr:$dilations,
                       DefaultValuedAttr<I64Attr, "1">:$group);
  let results = (outs Graph_NumberTensor:$result);
  let hasCanonicalizer = 1;
}

def Graph_GemmOp : Graph_ShapedOp<"gemm"> {
  let summary = "alpha * a' * b' + beta * c";
  let description = [{
    a' is a (M, K), or its transpose when `transA`; b' is b (K, N), or its
    transpose when `transB`. c broadcasts to (M, N). Integers wrap, and alpha and
    beta are 1.
  }];
  let arguments = (ins Graph_NumberTensor:$a, Graph_NumberTensor:$b,
                       Optional<Graph_NumberTensor>:$c,
                       DefaultValuedAttr<F32Attr, "1.0f">:$alpha,
                       DefaultValuedAttr<F32Attr, "1.0f">:$beta,
                       DefaultValuedAttr<BoolAttr, "false">:$transA,
                       DefaultValuedAttr<BoolAttr, "false">:$transB);
  let results = (outs Graph_NumberTensor:$result);
}

def Graph_MatMulOp : Graph_ShapedOp<"mat_mul"> {
  let summary = "Matrix product of the last two axes, as numpy.matmul";
  let description = [{
    Leading axes broadcast. A vector on the left is a row, a vector on the
    right a column; the axis that this adds is dropped from the result.
  }];
  let arguments = (ins Graph_NumberTensor:$a, Graph_NumberTensor:$b);
  let results = (outs Graph_NumberTensor:$result);
}

#endif // ACC_DIALECTS_GRAPH_GRAPHCONTRACTION_TD
