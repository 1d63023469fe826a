//===- GraphQuantization.td - Operators that enter and leave quantized types -*- tablegen -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_DIALECTS_GRAPH_GRAPHQUANTIZATION_TD
#define ACC_DIALECTS_GRAPH_GRAPHQUANTIZATION_TD

include "dialects/Graph/GraphBase.td"

def Graph_QuantizeLinearOp : Graph_TypedOp<"quantize_linear"> {
  let summary = "saturate(round_half_even(x / scale) + zero_point)";
  let description = [{
    Scale, zero point and axis are those of the result's quantized type.
    `rounding_offset` is added before rounding and subtracted afterwards: an
    odd one decides ties the other way, and it takes the last bits off nearly
    exact ties. ONNX Runtime's fused operators add their zero point so.

    ```mlir
    %q = graph.quantize_linear %x : (tensor<1x8xf32>)
        -> tensor<1x8x!quant.uniform<i8:f32, 5.0e-01:3>>
    ```
  }];
  let arguments = (ins Graph_FloatTensor:$input,
                       OptionalAttr<I32Attr>:$rounding_offset);
  let results = (outs Graph_QuantizedTensor:$result);
  let hasFolder = 1;
}

def Graph_DequantizeLinearOp : Graph_ShapedOp<"dequantize_linear"> {
  let summary = "(q - zero_point) * scale";
  let arguments = (ins Graph_QuantizedTensor:$input);
  let results = (outs Graph_FloatTensor:$result);
}

def Graph_StorageCastOp : Graph_TypedOp<"storage_cast", [Graph_IsFree]> {
  let summary = "Reads the bits of a quantized tensor as integers, or the reverse";
  let description = [{
    No bit changes: a quantized type is the integer type of its storage plus
    the meaning of the integers.
  }];
  let arguments = (ins Graph_AnyTensor:$input);
  let results = (outs Graph_AnyTensor:$result);
  let hasFolder = 1;
}

#endif // ACC_DIALECTS_GRAPH_GRAPHQUANTIZATION_TD
