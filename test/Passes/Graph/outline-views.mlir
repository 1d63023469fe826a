// RUN: acc-opt %s --graph-outline-kernels --graph-to-linalg | FileCheck %s

// The first two are memory of their input as it is; the third does not start where a buffer may, the last one is in
// several pieces.
// CHECK-COUNT-2: te.kernel
// CHECK-NOT: te.kernel
// CHECK-LABEL: func.func @main
func.func @main(%x: tensor<4x16xf32>, %n: index) -> (tensor<1x16xf32>, tensor<?x16xf32>, tensor<1x8xf32>, tensor<4x8xf32>) {
  // CHECK: tensor.extract_slice %arg0[2, 0] [1, 16] [1, 1]
  %0 = graph.slice %x {graph.placement = #graph.placement<kernel = "a">, starts = array<i64: 2, 0>, sizes = array<i64: 1, 16>, steps = array<i64: 1, 1>} : (tensor<4x16xf32>) -> tensor<1x16xf32>
  // CHECK: tensor.extract_slice %arg0[0, 0] [%arg1, 16] [1, 1]
  %1 = graph.slice %x, %n {graph.placement = #graph.placement<kernel = "b">, starts = array<i64: 0, 0>, sizes = array<i64: -9223372036854775808, 16>, steps = array<i64: 1, 1>} : (tensor<4x16xf32>, index) -> tensor<?x16xf32>
  // CHECK: te.launch
  %2 = graph.slice %x {graph.placement = #graph.placement<kernel = "c">, starts = array<i64: 2, 3>, sizes = array<i64: 1, 8>, steps = array<i64: 1, 1>} : (tensor<4x16xf32>) -> tensor<1x8xf32>
  // CHECK: te.launch
  %3 = graph.slice %x {graph.placement = #graph.placement<kernel = "d">, starts = array<i64: 0, 0>, sizes = array<i64: 4, 8>, steps = array<i64: 1, 1>} : (tensor<4x16xf32>) -> tensor<4x8xf32>
  return %0, %1, %2, %3 : tensor<1x16xf32>, tensor<?x16xf32>, tensor<1x8xf32>, tensor<4x8xf32>
}
