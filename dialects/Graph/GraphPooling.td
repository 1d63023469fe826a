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
}

def Graph_GlobalAveragePoolOp : Graph_ShapedOp<"global_average_pool"> {
  let summary = "Mean over all spatial axes, which become 1";
  let arguments = (ins Graph_FloatTensor:$input);
  let results = (outs Graph_FloatTensor:$result);
}

#endif // ACC_DIALECTS_GRAPH_GRAPHPOOLING_TD
