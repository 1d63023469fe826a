//===- GraphConstant.td - Constants ------------------------*- tablegen -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_DIALECTS_GRAPH_GRAPHCONSTANT_TD
#define ACC_DIALECTS_GRAPH_GRAPHCONSTANT_TD

include "dialects/Graph/GraphBase.td"

def Graph_ConstantOp : Graph_Op<"constant", [Pure, ConstantLike, Graph_IsFree]> {
  let summary = "A tensor known at compile time";
  let description = [{
    Holds weights and folded values, splats as splats. A quantized result type
    is allowed; the value then holds the integers of its storage type (i8, ui8,
    i32, ...).

    ```mlir
    %w = graph.constant dense<1.0> : tensor<2x2xf32> : tensor<2x2xf32>
    ```
  }];
  let arguments = (ins ElementsAttr:$value);
  let results = (outs Graph_AnyTensor:$result);
  let assemblyFormat = "attr-dict $value `:` type($result)";
  let hasFolder = 1;
  let hasVerifier = 1;
}

#endif // ACC_DIALECTS_GRAPH_GRAPHCONSTANT_TD
