// RUN: acc-opt %s | acc-opt | FileCheck %s
// RUN: acc-opt %s --mlir-print-op-generic | acc-opt | FileCheck %s

// CHECK-LABEL: func.func @reductions
func.func @reductions(%x: tensor<2x3x?xf32>, %i: tensor<4xui8>) -> (tensor<2x1x?xf32>, tensor<2xf32>, tensor<ui8>) {
  // CHECK: graph.reduce_sum %{{.*}} {axes = array<i64: 1>} : (tensor<2x3x?xf32>) -> tensor<2x1x?xf32>
  %0 = graph.reduce_sum %x {axes = array<i64: 1>} : (tensor<2x3x?xf32>) -> tensor<2x1x?xf32>
  // CHECK: graph.reduce_mean %{{.*}} {axes = array<i64: 1, 2>, keepdims = false} : (tensor<2x3x?xf32>) -> tensor<2xf32>
  %1 = graph.reduce_mean %x {axes = array<i64: 1, 2>, keepdims = false} : (tensor<2x3x?xf32>) -> tensor<2xf32>
  // CHECK: graph.reduce_max %{{.*}} : (tensor<4xui8>) -> tensor<ui8>
  %2 = graph.reduce_max %i {axes = array<i64: 0>, keepdims = false} : (tensor<4xui8>) -> tensor<ui8>
  // CHECK: graph.reduce_min
  %3 = graph.reduce_min %x {axes = array<i64>} : (tensor<2x3x?xf32>) -> tensor<2x3x?xf32>
  // CHECK: graph.reduce_prod
  %4 = graph.reduce_prod %3 {axes = array<i64>} : (tensor<2x3x?xf32>) -> tensor<2x3x?xf32>
  // CHECK: graph.reduce_l1
  %5 = graph.reduce_l1 %4 {axes = array<i64>} : (tensor<2x3x?xf32>) -> tensor<2x3x?xf32>
  // CHECK: graph.reduce_l2
  %6 = graph.reduce_l2 %5 {axes = array<i64>} : (tensor<2x3x?xf32>) -> tensor<2x3x?xf32>
  // CHECK: graph.reduce_log_sum
  %7 = graph.reduce_log_sum %6 {axes = array<i64>} : (tensor<2x3x?xf32>) -> tensor<2x3x?xf32>
  // CHECK: graph.reduce_log_sum_exp
  %8 = graph.reduce_log_sum_exp %7 {axes = array<i64>} : (tensor<2x3x?xf32>) -> tensor<2x3x?xf32>
  // CHECK: graph.reduce_sum_square
  %9 = graph.reduce_sum_square %8 {axes = array<i64>} : (tensor<2x3x?xf32>) -> tensor<2x3x?xf32>
  return %0, %1, %2 : tensor<2x1x?xf32>, tensor<2xf32>, tensor<ui8>
}

// CHECK-LABEL: func.func @scans
func.func @scans(%x: tensor<2x?xf32>, %m: tensor<5x3x3xf16>) -> (tensor<2x1xi64>, tensor<?x?xf32>, tensor<5xf16>) {
  // CHECK: graph.arg_max %{{.*}} {axis = 1 : i64} : (tensor<2x?xf32>) -> tensor<2x1xi64>
  %0 = graph.arg_max %x {axis = 1 : i64} : (tensor<2x?xf32>) -> tensor<2x1xi64>
  // CHECK: graph.arg_min %{{.*}} {axis = 0 : i64, keepdims = false, select_last_index = true} : (tensor<2x?xf32>) -> tensor<?xi64>
  %1 = graph.arg_min %x {axis = 0 : i64, keepdims = false, select_last_index = true} : (tensor<2x?xf32>) -> tensor<?xi64>
  // CHECK: graph.cum_sum %{{.*}} {axis = 1 : i64, exclusive = true}
  %2 = graph.cum_sum %x {axis = 1 : i64, exclusive = true} : (tensor<2x?xf32>) -> tensor<2x?xf32>
  // CHECK: graph.cum_prod %{{.*}} {axis = 0 : i64, reverse = true}
  %3 = graph.cum_prod %2 {axis = 0 : i64, reverse = true} : (tensor<2x?xf32>) -> tensor<2x?xf32>
  // CHECK: graph.einsum %{{.*}}, %{{.*}} {equation = "ki,kj->ij"}
  %4 = graph.einsum %x, %3 {equation = "ki,kj->ij"} : (tensor<2x?xf32>, tensor<2x?xf32>) -> tensor<?x?xf32>
  // CHECK: graph.det %{{.*}} : (tensor<5x3x3xf16>) -> tensor<5xf16>
  %5 = graph.det %m : (tensor<5x3x3xf16>) -> tensor<5xf16>
  return %0, %4, %5 : tensor<2x1xi64>, tensor<?x?xf32>, tensor<5xf16>
}

// CHECK-LABEL: func.func @normalizations
func.func @normalizations(%x: tensor<?x4x8xf16>, %s: tensor<8xf16>) -> tensor<?x4x1xf32> {
  // CHECK: graph.log_softmax %{{.*}} {axis = 2 : i64}
  %0 = graph.log_softmax %x {axis = 2 : i64} : (tensor<?x4x8xf16>) -> tensor<?x4x8xf16>
  // CHECK: graph.hardmax %{{.*}} {axis = 0 : i64}
  %1 = graph.hardmax %0 {axis = 0 : i64} : (tensor<?x4x8xf16>) -> tensor<?x4x8xf16>
  // CHECK: graph.lp_normalization %{{.*}} {axis = 1 : i64, p = 1 : i64}
  %2 = graph.lp_normalization %1 {axis = 1 : i64, p = 1 : i64} : (tensor<?x4x8xf16>) -> tensor<?x4x8xf16>
  // CHECK: graph.rms_normalization %{{.*}}, %{{.*}} {axes = array<i64: 2>}
  %3 = graph.rms_normalization %2, %s {axes = array<i64: 2>} : (tensor<?x4x8xf16>, tensor<8xf16>) -> tensor<?x4x8xf16>
  // CHECK: graph.mean_variance_normalization %{{.*}}, %{{.*}}, %{{.*}} {axes = array<i64: 2>}
  // CHECK-SAME: -> (tensor<?x4x8xf16>, tensor<?x4x1xf32>, tensor<?x4x1xf32>)
  %4:3 = graph.mean_variance_normalization %3, %s, %s {axes = array<i64: 2>}
      : (tensor<?x4x8xf16>, tensor<8xf16>, tensor<8xf16>) -> (tensor<?x4x8xf16>, tensor<?x4x1xf32>, tensor<?x4x1xf32>)
  return %4#1 : tensor<?x4x1xf32>
}

// CHECK-LABEL: func.func @recurrent
func.func @recurrent(%x: tensor<?x2x3xf32>, %w: tensor<1x16x3xf32>, %r: tensor<1x16x4xf32>, %n: tensor<2xi32>,
                     %v: tensor<1x12x3xf32>, %u: tensor<1x12x4xf32>, %p: tensor<1x12xf32>,
                     %a: tensor<1x4x3xf32>, %b: tensor<1x4x4xf32>) -> tensor<?x1x2x4xf32> {
  // CHECK: graph.lstm %{{.*}} {activation_alpha = array<f32: 0.000000e+00, 0.000000e+00, 0.000000e+00>
  // CHECK-SAME: operandSegmentSizes = array<i32: 1, 1, 1, 0, 1, 0, 0, 1>
  %0:3 = graph.lstm %x, %w, %r, %n, %p {direction = "forward", activations = ["sigmoid", "tanh", "tanh"],
      activation_alpha = array<f32: 0., 0., 0.>, activation_beta = array<f32: 0., 0., 0.>,
      operandSegmentSizes = array<i32: 1, 1, 1, 0, 1, 0, 0, 1>}
      : (tensor<?x2x3xf32>, tensor<1x16x3xf32>, tensor<1x16x4xf32>, tensor<2xi32>, tensor<1x12xf32>)
      -> (tensor<?x1x2x4xf32>, tensor<1x2x4xf32>, tensor<1x2x4xf32>)
  // CHECK: graph.gru %{{.*}} linear_before_reset = true
  %1:2 = graph.gru %x, %v, %u {direction = "reverse", activations = ["sigmoid", "tanh"],
      activation_alpha = array<f32: 0., 0.>, activation_beta = array<f32: 0., 0.>, linear_before_reset = true,
      operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0>}
      : (tensor<?x2x3xf32>, tensor<1x12x3xf32>, tensor<1x12x4xf32>) -> (tensor<?x1x2x4xf32>, tensor<1x2x4xf32>)
  // CHECK: graph.rnn %{{.*}} clip = 5.000000e-01 : f32
  %2:2 = graph.rnn %x, %a, %b {direction = "forward", activations = ["tanh"], clip = 0.5 : f32,
      activation_alpha = array<f32: 0.>, activation_beta = array<f32: 0.>,
      operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0>}
      : (tensor<?x2x3xf32>, tensor<1x4x3xf32>, tensor<1x4x4xf32>) -> (tensor<?x1x2x4xf32>, tensor<1x2x4xf32>)
  return %0#0 : tensor<?x1x2x4xf32>
}
