//===- Passes.td - Host passes ---------------------------------*- tablegen -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_PASSES_HOST_PASSES_TD
#define ACC_PASSES_HOST_PASSES_TD

include "mlir/Pass/PassBase.td"

def HostFormContractions : Pass<"host-form-contractions", "::acc::te::KernelOp"> {
  let summary = "Turn convolutions and matrix products into te.contract";
  let description = [{
    A linalg convolution (NCHW, grouped too) or matrix product that starts from
    zero becomes one `te.contract`, with the tensor.pad before it and the
    elementwise ops after it folded in and its weights packed by the tile that
    the kernel's schedule names. Kernels without a schedule are left alone.

    ```mlir
    te.kernel @k(...) attributes {target = "cpu",
        schedule = {width = 14, lanes = 16, vectors = 2, rows = 8}} {
      %pad = tensor.pad %x low[0, 0, 1, 1] high[0, 0, 1, 1] ...
      %c = linalg.conv_2d_nchw_fchw ins(%pad, %w) outs(%zero)
      %y = linalg.generic ins(%c, %bias) outs(%out) { addf, maximumf }
    ```
    becomes
    ```mlir
      %packed = linalg.pack %w inner_dims_pos = [0] inner_tiles = [32] ...
      %y = te.contract ins(%x, %packed) epilogue(%bias) outs(%out)
          attributes {pads = array<i64: 1, 1, 1, 1>, ...} { addf, maximumf }
    ```
  }];
  let dependentDialects = ["::acc::te::TEDialect", "::mlir::linalg::LinalgDialect",
                           "::mlir::tensor::TensorDialect", "::mlir::arith::ArithDialect"];
}

#endif // ACC_PASSES_HOST_PASSES_TD
