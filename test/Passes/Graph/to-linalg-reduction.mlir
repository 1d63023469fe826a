// RUN: acc-opt --graph-to-linalg --canonicalize --cse --split-input-file %s | FileCheck %s

// Narrow floats are summed in f32; a kept axis is the constant 0.
// CHECK-DAG: #[[KEPT:.*]] = affine_map<(d0, d1) -> (d0, 0)>
// CHECK-LABEL: @mean
func.func @mean(%x: tensor<?x8xf16>) -> tensor<?x1xf16> {
  // CHECK: linalg.fill {{.*}} outs(%{{.*}} : tensor<?x1xf32>)
  // CHECK: linalg.generic {{.*}}#[[KEPT]]{{.*}}iterator_types = ["parallel", "reduction"]
  // CHECK: arith.extf
  // CHECK: arith.addf
  // CHECK: linalg.generic
  // CHECK: arith.divf
  // CHECK: arith.truncf
  %0 = graph.reduce_mean %x {axes = array<i64: 1>} : (tensor<?x8xf16>) -> tensor<?x1xf16>
  return %0 : tensor<?x1xf16>
}

// -----

// CHECK-LABEL: @unsigned
func.func @unsigned(%x: tensor<4xui8>) -> tensor<ui8> {
  // CHECK: arith.maxui
  %0 = graph.reduce_max %x {axes = array<i64: 0>, keepdims = false} : (tensor<4xui8>) -> tensor<ui8>
  return %0 : tensor<ui8>
}

// -----

// CHECK-LABEL: @scan
func.func @scan(%x: tensor<2x?xf32>) -> tensor<2x?xf32> {
  // CHECK: scf.for
  // CHECK: tensor.extract_slice %{{.*}} [2, 1] [1, 1] : tensor<2x?xf32> to tensor<2x1xf32>
  // CHECK: linalg.generic
  // CHECK: tensor.insert_slice
  // CHECK: linalg.copy
  %0 = graph.cum_sum %x {axis = 1 : i64} : (tensor<2x?xf32>) -> tensor<2x?xf32>
  return %0 : tensor<2x?xf32>
}

// -----

// A letter that an operand has twice is its diagonal.
// CHECK-DAG: #[[DIAGONAL:.*]] = affine_map<(d0, d1) -> (d1, d0, d1)>
// CHECK-LABEL: @trace
func.func @trace(%x: tensor<3x2x3xf32>) -> tensor<2xf32> {
  // CHECK: linalg.generic {indexing_maps = [#[[DIAGONAL]]{{.*}}iterator_types = ["parallel", "reduction"]
  %0 = graph.einsum %x {equation = "iji->j"} : (tensor<3x2x3xf32>) -> tensor<2xf32>
  return %0 : tensor<2xf32>
}

// -----

// Softmax subtracts the maximum.
// CHECK-LABEL: @softmax
func.func @softmax(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  // CHECK: arith.maximumf
  // CHECK: arith.subf
  // CHECK-NEXT: math.exp
  // CHECK: arith.addf
  // CHECK: %[[SHARE:.*]] = arith.divf %{{.*}}, %{{.*}} : f32
  // CHECK: arith.mulf %{{.*}}, %[[SHARE]] : f32
  %0 = graph.softmax %x {axis = 1 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  return %0 : tensor<?x8xf32>
}

// -----

// Along another axis the elements of a vector have different divisors.
// CHECK-LABEL: @softmax_of_columns
func.func @softmax_of_columns(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  // CHECK: math.exp
  // CHECK: arith.divf
  // CHECK-NOT: arith.mulf
  %0 = graph.softmax %x {axis = 0 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  return %0 : tensor<?x8xf32>
}

// -----

// One product with the weights for all steps, one with the state in each.
// CHECK-LABEL: @rnn
func.func @rnn(%x: tensor<?x2x3xf32>, %w: tensor<1x4x3xf32>, %r: tensor<1x4x4xf32>, %n: tensor<2xi32>) -> tensor<?x1x2x4xf32> {
  // CHECK: linalg.generic {{.*}}iterator_types = ["parallel", "parallel", "parallel", "reduction"]
  // CHECK: scf.for
  // CHECK: linalg.generic {{.*}}iterator_types = ["parallel", "parallel", "reduction"]
  // CHECK: math.tanh
  // CHECK: arith.select
  // CHECK: tensor.insert_slice
  %0:2 = graph.rnn %x, %w, %r, %n {direction = "forward", activations = ["tanh"], activation_alpha = array<f32: 0.>,
      activation_beta = array<f32: 0.>, operandSegmentSizes = array<i32: 1, 1, 1, 0, 1, 0>}
      : (tensor<?x2x3xf32>, tensor<1x4x3xf32>, tensor<1x4x4xf32>, tensor<2xi32>) -> (tensor<?x1x2x4xf32>, tensor<1x2x4xf32>)
  return %0#0 : tensor<?x1x2x4xf32>
}
