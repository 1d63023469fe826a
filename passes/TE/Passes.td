//===- Passes.td - TE passes ---------------------------------*- tablegen -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_PASSES_TE_PASSES_TD
#define ACC_PASSES_TE_PASSES_TD

include "mlir/Pass/PassBase.td"

def TEHoistOperands : Pass<"te-hoist-operands", "::mlir::ModuleOp"> {
  let summary = "Move constants and reshapes of arguments out of kernels";
  let description = [{
    Tensor constants become arguments and live where the kernel is launched, so
    that kernels that differ only in them are equal. A reshape of an input is
    done by the caller, for which it is free, or even folded into a constant.

    ```mlir
    te.kernel @k(%x: tensor<4xf32>, %out: tensor<4xf32>) -> tensor<4xf32> ... {
      %c = arith.constant dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>
    ```
    becomes
    ```mlir
    te.kernel @k(%x: tensor<4xf32>, %c: tensor<4xf32>, %out: tensor<4xf32>) ...
    ...
    %c = graph.constant dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32> : tensor<4xf32>
    %y = te.launch @k ins(%x, %c : ...) outs(%e : ...) -> tensor<4xf32>
    ```
  }];
  let dependentDialects = ["::acc::graph::GraphDialect"];
}

#endif // ACC_PASSES_TE_PASSES_TD
