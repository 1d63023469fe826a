//===- GraphConvolution.td - Relatives of convolution ------*- tablegen -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_DIALECTS_GRAPH_GRAPHCONVOLUTION_TD
#define ACC_DIALECTS_GRAPH_GRAPHCONVOLUTION_TD

include "dialects/Graph/GraphBase.td"

def Graph_ConvTransposeOp : Graph_ShapedOp<"conv_transpose"> {
  let summary = "The transpose of a convolution";
  let description = [{
    input (N, C, D1...), weight (C, O / group, K1...), bias (O). `auto_pad` and
    `output_shape` are resolved into `pads` and `output_padding`. Along each
    axis the result has stride * (D - 1) + output_padding +
    (K - 1) * dilation + 1 - pads elements.

    ```mlir
    %y = graph.conv_transpose %x, %w {dilations = array<i64: 1, 1>,
        group = 1 : i64, output_padding = array<i64: 1, 1>,
        pads = array<i64: 1, 1, 1, 1>, strides = array<i64: 2, 2>}
        : (tensor<1x8x4x4xf32>, tensor<8x4x3x3xf32>) -> tensor<1x4x8x8xf32>
    ```
  }];
  let arguments = (ins Graph_FloatTensor:$input, Graph_FloatTensor:$weight,
                       Optional<Graph_FloatTensor>:$bias,
                       DenseI64ArrayAttr:$strides, DenseI64ArrayAttr:$pads,
                       DenseI64ArrayAttr:$dilations,
                       DenseI64ArrayAttr:$output_padding,
                       DefaultValuedAttr<I64Attr, "1">:$group);
  let results = (outs Graph_FloatTensor:$result);
}

def Graph_DeformConvOp : Graph_ShapedOp<"deform_conv"> {
  let summary = "Convolution that reads its input at displaced positions";
  let description = [{
    input (N, C, D1...), weight (O, C / group, K1...), offset
    (N, offset_group * K1 * ... * r, O1...) for r spatial axes, mask
    (N, offset_group * K1 * ..., O1...), the factors of what is read. Beyond the
    input everything is zero. A bias is added after this operator.

    ```mlir
    %y = graph.deform_conv %x, %w, %offset {dilations = array<i64: 1, 1>,
        pads = array<i64: 0, 0, 0, 0>, strides = array<i64: 1, 1>}
        : (tensor<1x1x3x3xf32>, tensor<1x1x2x2xf32>, tensor<1x8x2x2xf32>)
        -> tensor<1x1x2x2xf32>
    ```
  }];
  let arguments = (ins Graph_FloatTensor:$input, Graph_FloatTensor:$weight,
                       Graph_FloatTensor:$offset,
                       Optional<Graph_FloatTensor>:$mask,
                       DenseI64ArrayAttr:$strides, DenseI64ArrayAttr:$pads,
                       DenseI64ArrayAttr:$dilations,
                       DefaultValuedAttr<I64Attr, "1">:$group,
                       DefaultValuedAttr<I64Attr, "1">:$offset_group);
  let results = (outs Graph_FloatTensor:$result);
}

def Graph_Col2ImOp : Graph_ShapedOp<"col2_im"> {
  let summary = "Sums blocks of columns back into an image";
  let description = [{
    input (N, C * B1 * B2..., L), result (N, C, image_shape...): column l holds the
    block of the padded image that window l covers; what several windows cover is
    summed.

    ```mlir
    %y = graph.col2_im %x {block_shape = array<i64: 1, 5>,
        dilations = array<i64: 1, 1>, image_shape = array<i64: 5, 5>,
        pads = array<i64: 0, 0, 0, 0>, strides = array<i64: 1, 1>}
        : (tensor<1x5x5xf32>) -> tensor<1x1x5x5xf32>
    ```
  }];
  let arguments = (ins Graph_NumberTensor:$input, DenseI64ArrayAttr:$image_shape,
                       DenseI64ArrayAttr:$block_shape,
                       DenseI64ArrayAttr:$strides, DenseI64ArrayAttr:$pads,
                       DenseI64ArrayAttr:$dilations);
  let results = (outs Graph_NumberTensor:$result);
}

#endif // ACC_DIALECTS_GRAPH_GRAPHCONVOLUTION_TD
