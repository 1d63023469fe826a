//===- Passes.td - Graph passes ---------------------------------*- tablegen -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_PASSES_GRAPH_PASSES_TD
#define ACC_PASSES_GRAPH_PASSES_TD

include "mlir/Pass/PassBase.td"

def GraphFoldBatchNorm : Pass<"graph-fold-batch-norm"> {
  let summary = "Fold normalizations into the weights of convolutions";
  let description = [{
    graph.batch_normalization, and graph.add, sub, mul and div by constants per
    channel, that follow a convolution with constant weights become part of its
    weights and bias; behind another graph.batch_normalization, part of its
    scale and bias. Weights that are splats stay splats if all channels are
    scaled alike. Nothing crosses a quantization: weights behind
    graph.dequantize_linear are not constants.

    ```mlir
    %0 = graph.conv %x, %w ...
    %1 = graph.batch_normalization %0, %scale, %bias, %mean, %variance ...
    ```
    becomes, with f = scale / sqrt(variance + epsilon),
    ```mlir
    %w2 = graph.constant dense<...>  // w * f
    %b2 = graph.constant dense<...>  // bias - mean * f
    %1 = graph.conv %x, %w2, %b2 ...
    ```
  }];
  let statistics = [
    Statistic<"folded", "folded", "Number of operators that took others over">];
}

def GraphSplitConvTranspose
    : Pass<"graph-split-conv-transpose", "::mlir::func::FuncOp"> {
  let summary = "Transposed convolutions to plain ones whose results interleave";
  let description = [{
    A graph.conv_transpose with constant weights becomes a graph.conv for each
    combination of outputs modulo the strides, with the taps that reach such
    outputs. Nothing is multiplied by zeros between inputs, and images may have any
    size.

    ```mlir
    %y = graph.conv_transpose %x, %w {strides = array<i64: 2>, ...}
        : (tensor<1x3x?xf32>, tensor<3x4x2xf32>) -> tensor<1x4x?xf32>
    ```
    becomes
    ```mlir
    %even = graph.conv %x, %w0 ... -> tensor<1x4x?xf32>
    %odd = graph.conv %x, %w1 ... -> tensor<1x4x?xf32>
    %both = graph.concat %even, %odd {axis = 1 : i64} : ... -> tensor<1x8x?xf32>
    %split = graph.reshape %both, %n : ... -> tensor<1x2x4x?xf32>
    %turned = graph.transpose %split {perm = array<i64: 0, 2, 3, 1>} : ... -> tensor<1x4x?x2xf32>
    %y = graph.reshape %turned, %m : ... -> tensor<1x4x?xf32>
    ```
  }];
  let dependentDialects = ["::acc::graph::GraphDialect",
                           "::mlir::arith::ArithDialect",
                           "::mlir::tensor::TensorDialect"];
  let statistics = [
    Statistic<"numSplit", "split", "Number of operators that were split">];
}

def GraphToLinalg : Pass<"graph-to-linalg", "::mlir::ModuleOp"> {
  let summary = "Lower graph operators to linalg on tensors";
  let description = [{
    Every operator becomes named linalg operations where they exist and
    linalg.generic otherwise. Element types become signless: quantized types
    their storage, ui8 i8. Constants stay graph.constant. In a te.kernel the
    results are written into its initial values. graph.loop becomes scf.for, or
    scf.while if it has a condition, graph.if scf.if. States are overwritten at
    the end of a turn, so that no buffer of a turn outlives it; what does not
    change from turn to turn moves in front of the loop.

    ```mlir
    %y = graph.relu %x : (tensor<8xf32>) -> tensor<8xf32>
    ```
    becomes
    ```mlir
    %e = tensor.empty() : tensor<8xf32>
    %y = linalg.generic {...} ins(%x : tensor<8xf32>) outs(%e : tensor<8xf32>) {
    ^bb0(%in: f32, %out: f32):
      %zero = arith.constant 0.0 : f32
      %m = arith.maximumf %in, %zero : f32
      linalg.yield %m : f32
    } -> tensor<8xf32>
    ```
  }];
  let dependentDialects = [
    "::mlir::affine::AffineDialect", "::mlir::arith::ArithDialect",
    "::mlir::bufferization::BufferizationDialect",
    "::mlir::func::FuncDialect", "::mlir::linalg::LinalgDialect",
    "::mlir::math::MathDialect", "::mlir::scf::SCFDialect",
    "::mlir::tensor::TensorDialect"];
}

def GraphMakeImages : Pass<"graph-make-images", "::mlir::func::FuncOp"> {
  let summary = "Signals of integers become images of one column";
  let description = [{
    Integer convolutions, pools and sums over (N, C, W), and what sums, rescales,
    looks up, joins, pads, resizes or takes apart their results, become the same
    on (N, C, W, 1). Reshapes, which cost nothing, are left where others read
    or make a signal. Tensors of three axes that no window has made are taken for
    sequences and stay.

    ```mlir
    %s = graph.conv_integer %x, %w, %b {strides = array<i64: 1>, pads = array<i64: 1, 1>, dilations = array<i64: 1>}
        : (tensor<1x3x9xi8>, tensor<4x3x3xi8>, tensor<4xi32>) -> tensor<1x4x9xi32>
    %y = graph.requantize %s {...} : (tensor<1x4x9xi32>) -> tensor<1x4x9xi8>
    ```
    becomes
    ```mlir
    %xi = graph.reshape %x : (tensor<1x3x9xi8>) -> tensor<1x3x9x1xi8>
    %si = graph.conv_integer %xi, %wi, %b {strides = array<i64: 1, 1>, pads = array<i64: 1, 0, 1, 0>, dilations = array<i64: 1, 1>}
        : (tensor<1x3x9x1xi8>, tensor<4x3x3x1xi8>, tensor<4xi32>) -> tensor<1x4x9x1xi32>
    %yi = graph.requantize %si {...} : (tensor<1x4x9x1xi32>) -> tensor<1x4x9x1xi8>
    %y = graph.reshape %yi : (tensor<1x4x9x1xi8>) -> tensor<1x4x9xi8>
    ```
  }];
}

def GraphOutlineKernels : Pass<"graph-outline-kernels", "::mlir::ModuleOp"> {
  let summary = "Move everything that computes into te.kernels";
  let description = [{
    Operations whose `graph.placement` names the same kernel become one te.kernel for
    its target (default `#te.host`); an operation without becomes a kernel of its own
    on the host. What remains in the function is constants, reshapes, which cost
    nothing, and te.launch. `layers` are the names in the locations; the reason of the
    placement moves to the kernel as `graph.reason`, its name to the launch as `label`.

    A result whose destination is made outside of the group keeps it; the
    others are given a tensor.empty.

    ```mlir
    %0 = graph.conv %x, %w {graph.placement = #graph.placement<kernel = "conv1">, ...} : ...
    %1 = graph.relu %0 {graph.placement = #graph.placement<kernel = "conv1">} : ...
    ```
    becomes
    ```mlir
    te.kernel @conv1(%x: ..., %w: ..., %out: ...) -> ...
        attributes {layers = ["conv1", "relu1"], target = #te.host} {
      %0 = graph.conv %x, %w ...
      %1 = graph.relu %0 ...
      te.return %1 : ...
    }
    ...
    %e = tensor.empty() : ...
    %1 = te.launch @conv1 ins(%x, %w : ...) outs(%e : ...) {label = "conv1"} -> ...
    ```
  }];
  let dependentDialects = [
    "::acc::te::TEDialect", "::mlir::arith::ArithDialect",
    "::mlir::cf::ControlFlowDialect", "::mlir::tensor::TensorDialect"];
}

def GraphLegalizeQuantization
    : Pass<"graph-legalize-quantization", "::mlir::func::FuncOp"> {
  let summary = "Turn dequantize, float operator, quantize into integer arithmetic";
  let description = [{
    A convolution, matrix product, sum, pool, concatenation, ReLU or clip whose
    operands are dequantized and whose result is quantized becomes exact integer
    arithmetic, with all parameters derived from the scales. Quantization is
    moved through operators that only move data first. Activations are 8 bits,
    quantized per tensor; weights are constant, quantized per tensor or per
    output channel. Any other chain of element-wise operators on one quantized
    tensor becomes `graph.lookup`, whose table is the chain itself on a constant
    of all 256 integers. A convolution or matrix product of quantized operands
    whose result floats read is integers up to its sums, which are multiplied by
    the product of the scales. What does not fit stays float; it, and what ends
    in floats, says why in `graph.reason`. What lies halfway between two integers goes to the even one,
    as ONNX Runtime has it, or up with `ties-up`, which takes fewer steps.

    Before:

    ```mlir
    %x = graph.dequantize_linear %q : (tensor<1x4x!quant.uniform<i8:f32, 0.5>>) -> tensor<1x4xf32>
    %y = graph.relu %x : (tensor<1x4xf32>) -> tensor<1x4xf32>
    %r = graph.quantize_linear %y : (tensor<1x4xf32>) -> tensor<1x4x!quant.uniform<i8:f32, 1.0>>
    ```

    After:

    ```mlir
    %i = graph.storage_cast %q : (tensor<1x4x!quant.uniform<i8:f32, 0.5>>) -> tensor<1x4xi8>
    %s = graph.weighted_sum %i {bias = 1 : i32, multipliers = array<i32: 1>} : (tensor<1x4xi8>) -> tensor<1x4xi32>
    %j = graph.requantize %s {clip_lo = array<i32: 0>, multiplier = array<i32: 1>, post_shift = array<i32: 1>,
        pre_shift = array<i32: 0>, rounding = #graph.rounding<half_even>} : (tensor<1x4xi32>) -> tensor<1x4xi8>
    %r = graph.storage_cast %j : (tensor<1x4xi8>) -> tensor<1x4x!quant.uniform<i8:f32, 1.0>>
    ```
  }];
  let dependentDialects = ["::acc::graph::GraphDialect"];
  let options = [
    Option<"tiesUp", "ties-up", "bool", "false",
           "Round what lies halfway between two integers up">];
  let statistics = [
    Statistic<"numInteger", "integer-layers", "Layers turned into integer arithmetic">,
    Statistic<"numFloat", "float-layers", "Quantized layers left to float arithmetic">
  ];
}

#endif // ACC_PASSES_GRAPH_PASSES_TD
