// RUN: acc-opt %s -graph-legalize-quantization -canonicalize | FileCheck %s

!q = !quant.uniform<i8:f32, 0.02:-3>
!w = !quant.uniform<i8:f32, 0.05>
!wc = !quant.uniform<i8:f32:1, {0.05,0.025}>
!y = !quant.uniform<i8:f32, 0.3:7>

// Weights become (N, K), whichever way they were; alpha joins the scale.
// CHECK-LABEL: func.func @gemm(
// CHECK-DAG: %[[W:.*]] = graph.constant dense<{{\[\[}}1, 3, 5], [2, 4, 6]]> : tensor<2x3xi8>
// CHECK-DAG: %[[B:.*]] = graph.constant dense<[2152, -839]> : tensor<2xi32>
// CHECK: %[[X:.*]] = graph.storage_cast
// CHECK: %[[A:.*]] = graph.gemm_integer %[[X]], %[[W]], %[[B]] : (tensor<4x3xi8>, tensor<2x3xi8>, tensor<2xi32>) -> tensor<4x2xi32>
// CHECK: graph.requantize %[[A]] {multiplier = array<i32: 27962>, post_shift = array<i32: 22>, pre_shift = array<i32: 0>, rounding = #graph.rounding<down>}
func.func @gemm(%q: tensor<4x3x!q>) -> tensor<4x2x!y> {
  %x = graph.dequantize_linear %q : (tensor<4x3x!q>) -> tensor<4x3xf32>
  %wq = graph.constant dense<[[1, 2], [3, 4], [5, 6]]> : tensor<3x2xi8> : tensor<3x2x!w>
  %w = graph.dequantize_linear %wq : (tensor<3x2x!w>) -> tensor<3x2xf32>
  %b = graph.constant dense<[[1.0, -2.0]]> : tensor<1x2xf32> : tensor<1x2xf32>
  %g = graph.gemm %x, %w, %b {alpha = 2.0 : f32, beta = 2.0 : f32} : (tensor<4x3xf32>, tensor<3x2xf32>, tensor<1x2xf32>) -> tensor<4x2xf32>
  %y = graph.quantize_linear %g : (tensor<4x2xf32>) -> tensor<4x2x!y>
  return %y : tensor<4x2x!y>
}

// CHECK-LABEL: func.func @transposed(
// CHECK: graph.constant dense<{{\[\[}}1, 3, 5], [2, 4, 6]]> : tensor<2x3xi8>
// CHECK: %[[X:.*]] = graph.transpose %{{.*}} {perm = array<i64: 1, 0>} : (tensor<3x4xi8>) -> tensor<4x3xi8>
// CHECK: graph.gemm_integer %[[X]]
func.func @transposed(%q: tensor<3x4x!q>) -> tensor<4x2x!y> {
  %x = graph.dequantize_linear %q : (tensor<3x4x!q>) -> tensor<3x4xf32>
  %wq = graph.constant dense<[[1, 3, 5], [2, 4, 6]]> : tensor<2x3xi8> : tensor<2x3x!w>
  %w = graph.dequantize_linear %wq : (tensor<2x3x!w>) -> tensor<2x3xf32>
  %g = graph.gemm %x, %w {transA = true, transB = true} : (tensor<3x4xf32>, tensor<2x3xf32>) -> tensor<4x2xf32>
  %y = graph.quantize_linear %g : (tensor<4x2xf32>) -> tensor<4x2x!y>
  return %y : tensor<4x2x!y>
}

// A matrix product with more axes is one with more rows; an addition of a
// constant behind it is a bias. Weights are quantized per column.
// CHECK-LABEL: func.func @mat_mul(
// CHECK-DAG: graph.constant dense<{{\[\[}}1, 3, 5], [2, 4, 6]]> : tensor<2x3xi8>
// CHECK-DAG: graph.constant dense<[3277, 536]> : tensor<2xi32>
// CHECK: %[[X:.*]] = graph.reshape %{{.*}} : (tensor<2x4x3xi8>) -> tensor<8x3xi8>
// CHECK: %[[A:.*]] = graph.gemm_integer %[[X]]
// CHECK: %[[R:.*]] = graph.requantize %[[A]] {multiplier = array<i32: 223696, 111848>, {{.*}}pre_shift = array<i32: 0>
// CHECK: graph.reshape %[[R]] : (tensor<8x2xi8>) -> tensor<2x4x2xi8>
// CHECK-NOT: graph.add
func.func @mat_mul(%q: tensor<2x4x3x!q>) -> tensor<2x4x2x!y> {
  %x = graph.dequantize_linear %q : (tensor<2x4x3x!q>) -> tensor<2x4x3xf32>
  %wq = graph.constant dense<[[1, 2], [3, 4], [5, 6]]> : tensor<3x2xi8> : tensor<3x2x!wc>
  %w = graph.dequantize_linear %wq : (tensor<3x2x!wc>) -> tensor<3x2xf32>
  %b = graph.constant dense<[1.0, -2.0]> : tensor<2xf32> : tensor<2xf32>
  %p = graph.mat_mul %x, %w : (tensor<2x4x3xf32>, tensor<3x2xf32>) -> tensor<2x4x2xf32>
  %g = graph.add %b, %p : (tensor<2xf32>, tensor<2x4x2xf32>) -> tensor<2x4x2xf32>
  %y = graph.quantize_linear %g : (tensor<2x4x2xf32>) -> tensor<2x4x2x!y>
  return %y : tensor<2x4x2x!y>
}

// Transposed weights keep their quantized axis.
// CHECK-LABEL: func.func @transposed_weights(
// CHECK: graph.constant dense<{{\[\[}}1, 3, 5], [2, 4, 6]]> : tensor<2x3xi8>
// CHECK: graph.gemm_integer
// CHECK: graph.requantize %{{.*}} {multiplier = array<i32: 447392, 223696>,
func.func @transposed_weights(%q: tensor<4x3x!q>) -> tensor<4x2x!y> {
  %x = graph.dequantize_linear %q : (tensor<4x3x!q>) -> tensor<4x3xf32>
  %wq = graph.constant dense<[[1, 3, 5], [2, 4, 6]]> : tensor<2x3xi8> : tensor<2x3x!quant.uniform<i8:f32:0, {0.05,0.025}>>
  %w = graph.dequantize_linear %wq : (tensor<2x3x!quant.uniform<i8:f32:0, {0.05,0.025}>>) -> tensor<2x3xf32>
  %t = graph.transpose %w {perm = array<i64: 1, 0>} : (tensor<2x3xf32>) -> tensor<3x2xf32>
  %g = graph.mat_mul %x, %t : (tensor<4x3xf32>, tensor<3x2xf32>) -> tensor<4x2xf32>
  %y = graph.quantize_linear %g : (tensor<4x2xf32>) -> tensor<4x2x!y>
  return %y : tensor<4x2x!y>
}

// The weights tell the depth where the type of the input does not.
// CHECK-LABEL: func.func @open_sizes(
// CHECK: %[[ROWS:.*]] = arith.muli
// CHECK: %[[X:.*]] = graph.reshape %{{.*}}, %[[ROWS]] : (tensor<?x4x?xi8>, index) -> tensor<?x3xi8>
// CHECK: %[[A:.*]] = graph.gemm_integer %[[X]]
// CHECK: %[[R:.*]] = graph.requantize %[[A]]
// CHECK: graph.reshape %[[R]], %{{.*}} : (tensor<?x2xi8>, index) -> tensor<?x4x2xi8>
func.func @open_sizes(%q: tensor<?x4x?x!q>) -> tensor<?x4x2x!y> {
  %x = graph.dequantize_linear %q : (tensor<?x4x?x!q>) -> tensor<?x4x?xf32>
  %wq = graph.constant dense<[[1, 2], [3, 4], [5, 6]]> : tensor<3x2xi8> : tensor<3x2x!wc>
  %w = graph.dequantize_linear %wq : (tensor<3x2x!wc>) -> tensor<3x2xf32>
  %p = graph.mat_mul %x, %w : (tensor<?x4x?xf32>, tensor<3x2xf32>) -> tensor<?x4x2xf32>
  %y = graph.quantize_linear %p : (tensor<?x4x2xf32>) -> tensor<?x4x2x!y>
  return %y : tensor<?x4x2x!y>
}
