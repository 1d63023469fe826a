// RUN: acc-opt %s --canonicalize | FileCheck %s

// CHECK-LABEL: func.func @cancels
func.func @cancels(%x: tensor<1x8x4x6xf32>, %y: tensor<1x8x4x6xf32>) -> tensor<1x8x4x6xf32> {
  // CHECK-NEXT: %[[R:.*]] = graph.relu %arg0
  // CHECK-NEXT: %[[S:.*]] = graph.add %[[R]], %arg1
  // CHECK-NEXT: return %[[S]]
  %0 = graph.transpose %x {perm = array<i64: 0, 2, 3, 1>} : (tensor<1x8x4x6xf32>) -> tensor<1x4x6x8xf32>
  %1 = graph.relu %0 : (tensor<1x4x6x8xf32>) -> tensor<1x4x6x8xf32>
  %2 = graph.transpose %y {perm = array<i64: 0, 2, 3, 1>} : (tensor<1x8x4x6xf32>) -> tensor<1x4x6x8xf32>
  %3 = graph.add %1, %2 : (tensor<1x4x6x8xf32>, tensor<1x4x6x8xf32>) -> tensor<1x4x6x8xf32>
  %4 = graph.transpose %3 {perm = array<i64: 0, 3, 1, 2>} : (tensor<1x4x6x8xf32>) -> tensor<1x8x4x6xf32>
  return %4 : tensor<1x8x4x6xf32>
}

// Constants are turned the other way.
// CHECK-LABEL: func.func @constants
func.func @constants(%x: tensor<2x3x5xf32>) -> tensor<3x5x2xi1> {
  // CHECK-DAG: %[[C:.*]] = graph.constant dense<{{\[\[\[}}1.000000e+00]], {{\[\[}}2.000000e+00]]]> : tensor<2x1x1xf32>
  // CHECK-DAG: %[[S:.*]] = graph.constant dense<3.000000e+00> : tensor<f32>
  // CHECK: %[[M:.*]] = graph.mul %arg0, %[[C]]
  // CHECK: %[[G:.*]] = graph.greater %[[M]], %[[S]] : (tensor<2x3x5xf32>, tensor<f32>) -> tensor<2x3x5xi1>
  // CHECK: graph.transpose %[[G]] {perm = array<i64: 1, 2, 0>}
  %c = graph.constant dense<[1.0, 2.0]> : tensor<2xf32> : tensor<2xf32>
  %s = graph.constant dense<3.0> : tensor<f32> : tensor<f32>
  %0 = graph.transpose %x {perm = array<i64: 1, 2, 0>} : (tensor<2x3x5xf32>) -> tensor<3x5x2xf32>
  %1 = graph.mul %0, %c : (tensor<3x5x2xf32>, tensor<2xf32>) -> tensor<3x5x2xf32>
  %2 = graph.greater %1, %s : (tensor<3x5x2xf32>, tensor<f32>) -> tensor<3x5x2xi1>
  return %2 : tensor<3x5x2xi1>
}

// CHECK-LABEL: func.func @joined
func.func @joined(%x: tensor<2x3xf32>, %y: tensor<4x3xf32>) -> tensor<3x6xf32> {
  // CHECK: %[[J:.*]] = graph.concat %arg0, %arg1 {axis = 0 : i64}
  // CHECK: graph.transpose %[[J]]
  %0 = graph.transpose %x {perm = array<i64: 1, 0>} : (tensor<2x3xf32>) -> tensor<3x2xf32>
  %1 = graph.transpose %y {perm = array<i64: 1, 0>} : (tensor<4x3xf32>) -> tensor<3x4xf32>
  %2 = graph.concat %0, %1 {axis = 1 : i64} : (tensor<3x2xf32>, tensor<3x4xf32>) -> tensor<3x6xf32>
  return %2 : tensor<3x6xf32>
}

// What would need one more transpose than before stays.
// CHECK-LABEL: func.func @stays
func.func @stays(%x: tensor<2x3xf32>, %y: tensor<3x2xf32>) -> (tensor<3x2xf32>, tensor<3x2xf32>) {
  // CHECK-NEXT: %[[T:.*]] = graph.transpose %arg0
  // CHECK-NEXT: graph.relu %[[T]]
  // CHECK-NEXT: graph.add %[[T]], %arg1
  %0 = graph.transpose %x {perm = array<i64: 1, 0>} : (tensor<2x3xf32>) -> tensor<3x2xf32>
  %1 = graph.relu %0 : (tensor<3x2xf32>) -> tensor<3x2xf32>
  %2 = graph.add %0, %y : (tensor<3x2xf32>, tensor<3x2xf32>) -> tensor<3x2xf32>
  return %1, %2 : tensor<3x2xf32>, tensor<3x2xf32>
}
