//===- Passes.td - Passes to C ----------------------------*- tablegen -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_PASSES_C_PASSES_TD
#define ACC_PASSES_C_PASSES_TD

include "mlir/Pass/PassBase.td"

def COrderLoops : Pass<"c-order-loops", "::acc::te::KernelOp"> {
  let summary = "Put loops in the order of their schedule";
  let description = [{
    A linalg.generic on buffers whose `te.schedule` has one level with an `order`
    gets loops in that order, outermost first.

    ```mlir
    linalg.generic {indexing_maps = [(m, n, k) -> (m, k), (m, n, k) -> (k, n), (m, n, k) -> (m, n)], ...}
        {te.schedule = #te.schedule<tiles = [#te.tile<sizes = [1, 1, 1], order = [0, 2, 1]>]>}
    ```
    becomes
    ```mlir
    linalg.generic {indexing_maps = [(m, k, n) -> (m, k), (m, k, n) -> (k, n), (m, k, n) -> (m, n)], ...}
    ```
  }];
  let dependentDialects = ["::mlir::linalg::LinalgDialect"];
}

def CToEmitC : Pass<"c-to-emitc", "::mlir::ModuleOp"> {
  let summary = "Turn main and the native kernels into functions of emitc";
  let description = [{
    Takes a module whose buffers are planned and whose kernels are loops over
    scalars, and leaves what upstream's translation to C++ prints as C11. A
    kernel becomes a static function on pointers, no two of which overlap unless
    both are only read (`restrict`), under the name of its ONNX nodes; a constant
    becomes a static array; main becomes a function on the inputs, the outputs
    and the arena, which returns 0, or the number of a check that does not hold.

    Integers wrap as they do in arith: sums and products are computed on unsigned
    types. Elements of f16 and bf16 are their bits. All names begin with `prefix`;
    `types` are the C types of the elements of inputs and outputs, in order, by
    which users know what is signed.

    ```mlir
    te.kernel @relu(%x: memref<8xf32>, %y: memref<8xf32>)
        attributes {target = #te.host, layers = ["relu_0"]} {
      scf.for %i = %c0 to %c8 step %c1 {
        %0 = memref.load %x[%i] : memref<8xf32>
        ...
    func.func @main(%x: memref<8xf32>, %y: memref<8xf32>, %arena: memref<0xi8>) {
      te.launch @relu ins(%x : memref<8xf32>) outs(%y : memref<8xf32>)
    ```
    becomes
    ```mlir
    emitc.verbatim "/* relu_0 */"
    emitc.func @m_relu(%x: !emitc.opaque<"const acc_f32 *restrict">, %y: !emitc.opaque<"acc_f32 *restrict">)
        attributes {specifiers = ["static"]} {
      emitc.for %i = %0 to %8 step %1 : !emitc.size_t {
        %s = emitc.subscript %x[%i]
        ...
    emitc.func @m_run(%x: !emitc.ptr<!emitc.opaque<"const float">>, ...) -> !emitc.opaque<"int"> {
      emitc.call_opaque "m_relu"(%x, %y)
    ```
  }];
  let options = [
    Option<"prefix", "prefix", "std::string", "\"model\"", "What all names begin with, an identifier of C">,
    ListOption<"types", "types", "std::string", "C types of the elements of inputs and outputs">
  ];
  let dependentDialects = ["::mlir::emitc::EmitCDialect"];
}

#endif // ACC_PASSES_C_PASSES_TD
