// RUN: acc-opt %s -graph-legalize-quantization -canonicalize | FileCheck %s

// Rows that are taken apart into heads, looked up and multiplied: the table goes
// in front of what moves, and the second factor keeps its channels last.
// CHECK-LABEL: func.func @heads(
// CHECK-SAME: %[[A:.*]]: tensor<2x5x8xi8>, %[[X:.*]]: tensor<5x16xi32>, %[[T:.*]]: tensor<1x256xi8>
// CHECK: %[[Q:.*]] = graph.requantize %[[X]]
// CHECK: %[[L:.*]] = graph.lookup %[[Q]], %[[T]] {input_scale = 5.000000e-01 : f64, input_zero_point = 3 : i32} : (tensor<5x16xi8>, tensor<1x256xi8>) -> tensor<5x16xi8>
// CHECK: %[[R:.*]] = graph.reshape %[[L]] : (tensor<5x16xi8>) -> tensor<1x5x2x8xi8>
// CHECK: %[[K:.*]] = graph.transpose %[[R]] {perm = array<i64: 0, 2, 1, 3>} : (tensor<1x5x2x8xi8>) -> tensor<1x2x5x8xi8>
// CHECK: %[[S:.*]] = graph.reshape %[[K]] : (tensor<1x2x5x8xi8>) -> tensor<2x5x8xi8>
// CHECK: graph.matmul_integer %[[A]], %[[S]] {b_zero_point = 4 : i8, transB = true} : (tensor<2x5x8xi8>, tensor<2x5x8xi8>) -> tensor<2x5x5xi32>
func.func @heads(%a: tensor<2x5x8xi8>, %x: tensor<5x16xi32>, %t: tensor<1x256xi8>) -> tensor<2x5x5xi32> {
  %q = graph.requantize %x {multiplier = array<i32: 100>, post_shift = array<i32: 9>, pre_shift = array<i32: 0>} : (tensor<5x16xi32>) -> tensor<5x16xi8>
  %r = graph.reshape %q : (tensor<5x16xi8>) -> tensor<1x5x2x8xi8>
  %m = graph.transpose %r {perm = array<i64: 0, 2, 3, 1>} : (tensor<1x5x2x8xi8>) -> tensor<1x2x8x5xi8>
  %l = graph.lookup %m, %t {input_scale = 5.0e-1 : f64, input_zero_point = 3 : i32} : (tensor<1x2x8x5xi8>, tensor<1x256xi8>) -> tensor<1x2x8x5xi8>
  %s = graph.reshape %l : (tensor<1x2x8x5xi8>) -> tensor<2x8x5xi8>
  %y = graph.matmul_integer %a, %s {b_zero_point = 4 : i8} : (tensor<2x5x8xi8>, tensor<2x8x5xi8>) -> tensor<2x5x5xi32>
  return %y : tensor<2x5x5xi32>
}

// A table for each channel asks which axis is the second; images stay as they
// are, and so does what nobody computes.
// CHECK-LABEL: func.func @others(
// CHECK: graph.reshape
// CHECK-NEXT: graph.lookup {{.*}} -> tensor<1x4x4xi8>
// CHECK: graph.transpose
// CHECK-NEXT: graph.lookup {{.*}} -> tensor<1x2x3x4xi8>
// CHECK: graph.transpose
// CHECK-NEXT: graph.lookup {{.*}} -> tensor<4x6xi8>
func.func @others(%x: tensor<4x4xi32>, %image: tensor<1x4x2x3xi32>, %given: tensor<6x4xi8>, %each: tensor<4x256xi8>, %t: tensor<1x256xi8>)
    -> (tensor<1x4x4xi8>, tensor<1x2x3x4xi8>, tensor<4x6xi8>) {
  %q = graph.requantize %x {multiplier = array<i32: 100>, post_shift = array<i32: 9>, pre_shift = array<i32: 0>} : (tensor<4x4xi32>) -> tensor<4x4xi8>
  %r = graph.reshape %q : (tensor<4x4xi8>) -> tensor<1x4x4xi8>
  %0 = graph.lookup %r, %each : (tensor<1x4x4xi8>, tensor<4x256xi8>) -> tensor<1x4x4xi8>
  %i = graph.requantize %image {multiplier = array<i32: 100>, post_shift = array<i32: 9>, pre_shift = array<i32: 0>} : (tensor<1x4x2x3xi32>) -> tensor<1x4x2x3xi8>
  %m = graph.transpose %i {perm = array<i64: 0, 2, 3, 1>} : (tensor<1x4x2x3xi8>) -> tensor<1x2x3x4xi8>
  %1 = graph.lookup %m, %t : (tensor<1x2x3x4xi8>, tensor<1x256xi8>) -> tensor<1x2x3x4xi8>
  %g = graph.transpose %given {perm = array<i64: 1, 0>} : (tensor<6x4xi8>) -> tensor<4x6xi8>
  %2 = graph.lookup %g, %t : (tensor<4x6xi8>, tensor<1x256xi8>) -> tensor<4x6xi8>
  return %0, %1, %2 : tensor<1x4x4xi8>, tensor<1x2x3x4xi8>, tensor<4x6xi8>
}
