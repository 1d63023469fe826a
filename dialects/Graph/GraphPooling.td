//===- GraphPooling.td - Pooling operators -----------------*- tablegen -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_DIALECTS_GRAPH_GRAPHPOOLING_TD
#define ACC_DIALECTS_GRAPH_GRAPHPOOLING_TD

include "dialects/Graph/GraphBase.td"

def Graph_MaxPoolOp : Graph_ShapedOp<"max_pool"> {
  let summary = "Maximum over windows of the spatial axes";
  let description = [{
    Padded elements never win. `ceil_mode` is resolved into larger end paddings,
    `auto_pad` into `pads`. Every window holds at least one element.
  }];
  let arguments = (ins Graph_AnyTensor:$input, DenseI64ArrayAttr:$kernel_shape,
                       DenseI64ArrayAttr:$strides, DenseI64ArrayAttr:$pads,
                       DenseI64ArrayAttr:$dilations);
  let results = (outs Graph_AnyTensor:$result);
  let hasCanonicalizer = 1;
}

def Graph_AveragePoolOp : Graph_ShapedOp<"average_pool"> {
  let summary = "Mean over windows of the spatial axes";
  let description = [{
    Divides by the size of the window when `count_include_pad`, else by the
    number of its elements that are not padding. `ceil_mode` is resolved into
    larger end paddings (behind a graph.pad where those must not count).
  }];
  let arguments = (ins Graph_FloatTensor:$input, DenseI64ArrayAttr:$kernel_shape,
                       DenseI64ArrayAttr:$strides, DenseI64ArrayAttr:$pads,
                       DenseI64ArrayAttr:$dilations,
                       DefaultValuedAttr<BoolAttr, "false">:$count_include_pad);
  let results = (outs Graph_FloatTensor:$result);
  let moreDeclarations = [{
    /// By how many elements along a spatial axis windows divide: a number for
    /// each position, or one where all are alike; none where only a run knows
    /// where the input ends. The divisor is the product over the axes.
    llvm::SmallVector<int64_t> countElements(unsigned axis);
  }];
}

def Graph_GlobalAveragePoolOp : Graph_ShapedOp<"global_average_pool"> {
  let summary = "Mean over all spatial axes, which become 1";
  let arguments = (ins Graph_FloatTensor:$input);
  let results = (outs Graph_FloatTensor:$result);
}

def Graph_MaxPoolIndicesOp : Graph_ShapedOp<"max_pool_indices"> {
  let summary = "Where graph.max_pool finds its maxima";
  let description = [{
    The second result of ONNX's MaxPool: positions in the flat input, in
    row-major order, or with the spatial axes in reverse order if
    `column_major`. The first of equal elements counts.

    ```mlir
    %i = graph.max_pool_indices %x {dilations = array<i64: 1, 1>,
        kernel_shape = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>,
        strides = array<i64: 2, 2>} : (tensor<1x3x8x8xf32>)
        -> tensor<1x3x4x4xi64>
    ```
  }];
  let arguments = (ins Graph_NumberTensor:$input,
                       DenseI64ArrayAttr:$kernel_shape,
                       DenseI64ArrayAttr:$strides, DenseI64ArrayAttr:$pads,
                       DenseI64ArrayAttr:$dilations,
                       DefaultValuedAttr<BoolAttr, "false">:$column_major);
  let results = (outs Graph_IntegerTensor:$result);
}

def Graph_MaxUnpoolOp : Graph_ShapedOp<"max_unpool"> {
  let summary = "Elements put where indices say, zeros elsewhere";
  let description = [{
    The indices, of the shape of the input, are positions in the flat result. A
    spatial axis of size D becomes (D - 1) * stride + kernel - pads.

    ```mlir
    %y = graph.max_unpool %x, %i {kernel_shape = array<i64: 2, 2>,
        pads = array<i64: 0, 0, 0, 0>, strides = array<i64: 2, 2>}
        : (tensor<1x1x2x2xf32>, tensor<1x1x2x2xi64>) -> tensor<1x1x4x4xf32>
    ```
  }];
  let arguments = (ins Graph_FloatTensor:$input, Graph_IntegerTensor:$indices,
                       DenseI64ArrayAttr:$kernel_shape,
                       DenseI64ArrayAttr:$strides, DenseI64ArrayAttr:$pads);
  let results = (outs Graph_FloatTensor:$result);
}

def Graph_LpPoolOp : Graph_ShapedOp<"lp_pool"> {
  let summary = "The p-norm of windows of the spatial axes";
  let description = [{
    Padding is zero. `p` is positive; `auto_pad` and `ceil_mode` are resolved
    into `pads`.
  }];
  let arguments = (ins Graph_FloatTensor:$input,
                       DenseI64ArrayAttr:$kernel_shape,
                       DenseI64ArrayAttr:$strides, DenseI64ArrayAttr:$pads,
                       DenseI64ArrayAttr:$dilations,
                       DefaultValuedAttr<I64Attr, "2">:$p);
  let results = (outs Graph_FloatTensor:$result);
}

def Graph_GlobalLpPoolOp : Graph_ShapedOp<"global_lp_pool"> {
  let summary = "The p-norm of all spatial axes, which become 1";
  let arguments = (ins Graph_FloatTensor:$input,
                       DefaultValuedAttr<I64Attr, "2">:$p);
  let results = (outs Graph_FloatTensor:$result);
}

def Graph_GlobalMaxPoolOp : Graph_ShapedOp<"global_max_pool"> {
  let summary = "Maximum over all spatial axes, which become 1";
  let arguments = (ins Graph_FloatTensor:$input);
  let results = (outs Graph_FloatTensor:$result);
}

#endif // ACC_DIALECTS_GRAPH_GRAPHPOOLING_TD
