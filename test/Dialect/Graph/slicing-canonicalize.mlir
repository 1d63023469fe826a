// RUN: acc-opt %s --canonicalize | FileCheck %s

// CHECK-LABEL: func.func @whole
func.func @whole(%x: tensor<3x8xf32>) -> (tensor<3x8xf32>, tensor<3x8xf32>, tensor<3x8xf32>) {
  // CHECK-NEXT: return %arg0, %arg0, %arg0
  %0 = graph.slice %x {starts = array<i64: 0, 0>, sizes = array<i64: 3, 8>, steps = array<i64: 1, 1>} : (tensor<3x8xf32>) -> tensor<3x8xf32>
  %1 = graph.expand %x {shape = array<i64: 3, 8>} : (tensor<3x8xf32>) -> tensor<3x8xf32>
  %2 = graph.tile %x {repeats = array<i64: 1, 1>} : (tensor<3x8xf32>) -> tensor<3x8xf32>
  return %0, %1, %2 : tensor<3x8xf32>, tensor<3x8xf32>, tensor<3x8xf32>
}

// CHECK-LABEL: func.func @constants
func.func @constants() -> (tensor<2x2xf32>, tensor<4xf32>) {
  // CHECK-DAG: dense<{{\[}}[6.000000e+00, 4.000000e+00], [3.000000e+00, 1.000000e+00]]>
  %0 = graph.constant dense<[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]> : tensor<2x3xf32> : tensor<2x3xf32>
  %1 = graph.slice %0 {starts = array<i64: 1, 2>, sizes = array<i64: 2, 2>, steps = array<i64: -1, -2>} : (tensor<2x3xf32>) -> tensor<2x2xf32>
  // CHECK-DAG: dense<7.000000e+00> : tensor<4xf32>
  %2 = graph.constant dense<7.0> : tensor<1xf32> : tensor<1xf32>
  %3 = graph.expand %2 {shape = array<i64: 4>} : (tensor<1xf32>) -> tensor<4xf32>
  return %1, %3 : tensor<2x2xf32>, tensor<4xf32>
}

// CHECK-LABEL: func.func @twice
func.func @twice(%x: tensor<16xf32>) -> tensor<2xf32> {
  // CHECK-NEXT: %[[Y:.*]] = graph.slice %arg0 {sizes = array<i64: 2>, starts = array<i64: 10>, steps = array<i64: -6>}
  // CHECK-NEXT: return %[[Y]]
  %0 = graph.slice %x {starts = array<i64: 14>, sizes = array<i64: 7>, steps = array<i64: -2>} : (tensor<16xf32>) -> tensor<7xf32>
  %1 = graph.slice %0 {starts = array<i64: 2>, sizes = array<i64: 2>, steps = array<i64: 3>} : (tensor<7xf32>) -> tensor<2xf32>
  return %1 : tensor<2xf32>
}

// CHECK-LABEL: func.func @one_index
func.func @one_index(%x: tensor<3x8xf32>) -> tensor<8xf32> {
  // CHECK-NEXT: graph.slice %arg0 {sizes = array<i64: 1, 8>, starts = array<i64: 2, 0>, steps = array<i64: 1, 1>}
  // CHECK-NEXT: graph.reshape
  %0 = graph.constant dense<-1> : tensor<i64> : tensor<i64>
  %1 = graph.gather %x, %0 {axis = 0 : i64} : (tensor<3x8xf32>, tensor<i64>) -> tensor<8xf32>
  return %1 : tensor<8xf32>
}

// CHECK-LABEL: func.func @no_updates
func.func @no_updates(%x: tensor<3xf32>, %i: tensor<0xi64>, %u: tensor<0xf32>) -> tensor<3xf32> {
  // CHECK-NEXT: return %arg0
  %0 = graph.scatter_elements %x, %i, %u {axis = 0 : i64} : (tensor<3xf32>, tensor<0xi64>, tensor<0xf32>) -> tensor<3xf32>
  return %0 : tensor<3xf32>
}
