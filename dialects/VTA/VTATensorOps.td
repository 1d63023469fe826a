//===- VTATensorOps.td - Vta operators on plain tensors ----*- tablegen -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What operators of the graph dialect become before there is a layout: what
// the accelerator does to images whose channels it does not touch.
//
//===----------------------------------------------------------------------===//

#ifndef ACC_DIALECTS_VTA_VTATENSOROPS_TD
#define ACC_DIALECTS_VTA_VTATENSOROPS_TD

include "dialects/VTA/VTADialect.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def VTA_AssembleOp : VTA_Op<"assemble", [Pure]> {
  let summary = "An image that is put together from others";
  let description = [{
    The result, an image (N, C, H, W) of i8, holds `fill` but for

        result[n, c, rows[k] + i * steps[0], columns[k] + j * steps[1]]
            = inputs[k][n, channels[k] + c, i, j]

    for each of `inputs` and all its i and j, which must lie within the result;
    where two inputs meet, the later one wins. Images side by side, images in a
    border, images every pixel of which is repeated, and the phases of a
    transposed convolution are put together so: the STOREs of what computes an
    input go to their places in the result.

    ```mlir
    // The phases of a transposed convolution with stride 2 along the columns.
    %y = vta.assemble %even, %odd {channels = array<i64: 0, 0>,
        columns = array<i64: 0, 1>, rows = array<i64: 0, 0>,
        steps = array<i64: 1, 2>}
        : (tensor<1x16x8x4xi8>, tensor<1x16x8x4xi8>) -> tensor<1x16x8x8xi8>
    ```
  }];
  let arguments = (ins Variadic<4DTensorOf<[I8]>>:$inputs,
                       DenseI64ArrayAttr:$rows, DenseI64ArrayAttr:$columns,
                       DenseI64ArrayAttr:$channels, DenseI64ArrayAttr:$steps,
                       DefaultValuedAttr<I8Attr, "0">:$fill);
  let results = (outs 4DTensorOf<[I8]>:$result);
  let assemblyFormat = [{
    $inputs attr-dict `:` functional-type($inputs, $result)
  }];
  let extraClassDeclaration = [{
    /// Whether no element holds `fill`.
    bool isCovered();
  }];
  let hasVerifier = 1;
}

#endif // ACC_DIALECTS_VTA_VTATENSOROPS_TD
