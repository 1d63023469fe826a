// Sizes that are not known before run time: what follows from them, as types and as index arithmetic.
// RUN: acc-opt %s -split-input-file | FileCheck %s
// RUN: acc-opt %s -split-input-file -resolve-shaped-type-result-dims -canonicalize | FileCheck %s --check-prefix=REIFY

// CHECK-LABEL: @window
// REIFY-LABEL: @window
// REIFY-SAME: (%[[X:.*]]: tensor<?x3x?x8xf32>
// REIFY: %[[H:.*]] = tensor.dim %[[X]], %c2
// REIFY: arith.addi %[[H]], %c-1
// REIFY: arith.floordivsi
func.func @window(%x: tensor<?x3x?x8xf32>, %w: tensor<4x3x3x3xf32>) -> (tensor<?x4x?x4xf32>, index) {
  // CHECK: -> tensor<?x4x?x4xf32>
  %y = graph.conv %x, %w {strides = array<i64: 2, 2>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>}
      : (tensor<?x3x?x8xf32>, tensor<4x3x3x3xf32>) -> tensor<?x4x?x4xf32>
  %c2 = arith.constant 2 : index
  %d = tensor.dim %y, %c2 : tensor<?x4x?x4xf32>
  return %y, %d : tensor<?x4x?x4xf32>, index
}

// -----

// REIFY-LABEL: @broadcast
// REIFY-SAME: (%[[A:.*]]: tensor<?x4xf32>, %[[B:.*]]: tensor<?x?xf32>)
// REIFY-DAG: %[[M:.*]] = tensor.dim %[[A]], %c0
// REIFY-DAG: %[[N:.*]] = tensor.dim %[[B]], %c0
// REIFY: %[[ONE:.*]] = arith.cmpi eq, %[[M]], %c1
// REIFY: %[[S:.*]] = arith.select %[[ONE]], %[[N]], %[[M]]
// REIFY: return %[[S]], %c4
func.func @broadcast(%a: tensor<?x4xf32>, %b: tensor<?x?xf32>) -> (index, index) {
  %y = graph.add %a, %b : (tensor<?x4xf32>, tensor<?x?xf32>) -> tensor<?x4xf32>
  %t = graph.transpose %y {perm = array<i64: 1, 0>} : (tensor<?x4xf32>) -> tensor<4x?xf32>
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %m = tensor.dim %t, %c1 : tensor<4x?xf32>
  %n = tensor.dim %t, %c0 : tensor<4x?xf32>
  return %m, %n : index, index
}

// -----

// A type may say more than what follows, or less.
// CHECK-LABEL: @compatible
func.func @compatible(%a: tensor<?x4xf32>, %b: tensor<2x4xf32>) -> tensor<2x?xf32> {
  // CHECK: graph.relu %{{.*}} : (tensor<?x4xf32>) -> tensor<2x?xf32>
  %y = graph.relu %a : (tensor<?x4xf32>) -> tensor<2x?xf32>
  return %y : tensor<2x?xf32>
}

// -----

// CHECK-LABEL: @index_tensor
func.func @index_tensor(%n: index) -> tensor<2xi64> {
  // CHECK: graph.index_tensor %{{.*}} {values = array<i64: 1, -9223372036854775808>} : (index) -> tensor<2xi64>
  %t = graph.index_tensor %n {values = array<i64: 1, -9223372036854775808>} : (index) -> tensor<2xi64>
  return %t : tensor<2xi64>
}
