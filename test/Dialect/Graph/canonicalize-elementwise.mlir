// RUN: acc-opt %s -canonicalize -cse | FileCheck %s

// 0 + -0 is 0: of the sums with zeros, those that change no sign disappear.
// CHECK-LABEL: func.func @zeros(
// CHECK-SAME: %[[X:.*]]: tensor<4xf32>, %[[I:.*]]: tensor<4xi32>
// CHECK: %[[A:.*]] = graph.add
// CHECK: %[[S:.*]] = graph.sub
// CHECK: return %[[A]], %[[S]], %[[X]], %[[I]]
func.func @zeros(%x: tensor<4xf32>, %i: tensor<4xi32>)
    -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xi32>) {
  %p = graph.constant dense<0.0> : tensor<f32> : tensor<f32>
  %n = graph.constant dense<-0.0> : tensor<f32> : tensor<f32>
  %z = graph.constant dense<0> : tensor<4xi32> : tensor<4xi32>
  %0 = graph.add %x, %p : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  %1 = graph.sub %x, %n : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  %2 = graph.add %x, %n : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  %3 = graph.sub %2, %p : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  %4 = graph.add %i, %z : (tensor<4xi32>, tensor<4xi32>) -> tensor<4xi32>
  return %0, %1, %3, %4 : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xi32>
}

// CHECK-LABEL: func.func @involutions(
// CHECK-SAME: %[[X:.*]]: tensor<4xf32>, %[[B:.*]]: tensor<4xi1>
// CHECK-NEXT: return %[[X]], %[[B]]
func.func @involutions(%x: tensor<4xf32>, %b: tensor<4xi1>) -> (tensor<4xf32>, tensor<4xi1>) {
  %0 = graph.neg %x : (tensor<4xf32>) -> tensor<4xf32>
  %1 = graph.neg %0 : (tensor<4xf32>) -> tensor<4xf32>
  %2 = graph.not %b : (tensor<4xi1>) -> tensor<4xi1>
  %3 = graph.not %2 : (tensor<4xi1>) -> tensor<4xi1>
  %4 = graph.max %1 : (tensor<4xf32>) -> tensor<4xf32>
  return %4, %3 : tensor<4xf32>, tensor<4xi1>
}

// Through a type that holds everything; not through one that rounds or wraps.
// CHECK-LABEL: func.func @casts(
// CHECK-SAME: %[[X:.*]]: tensor<4xf16>, %[[I:.*]]: tensor<4xi32>
// CHECK: graph.cast %[[X]] : (tensor<4xf16>) -> tensor<4xi8>
// CHECK: %[[F:.*]] = graph.cast %[[I]] : (tensor<4xi32>) -> tensor<4xf32>
// CHECK: graph.cast %[[F]] : (tensor<4xf32>) -> tensor<4xi32>
// CHECK: %[[U:.*]] = graph.cast %[[I]] : (tensor<4xi32>) -> tensor<4xui64>
// CHECK: graph.cast %[[U]] : (tensor<4xui64>) -> tensor<4xf32>
func.func @casts(%x: tensor<4xf16>, %i: tensor<4xi32>)
    -> (tensor<4xf16>, tensor<4xi8>, tensor<4xi32>, tensor<4xf32>) {
  %0 = graph.cast %x : (tensor<4xf16>) -> tensor<4xf32>
  %1 = graph.cast %0 : (tensor<4xf32>) -> tensor<4xf16>
  %2 = graph.cast %0 : (tensor<4xf32>) -> tensor<4xi8>
  %3 = graph.cast %i : (tensor<4xi32>) -> tensor<4xf32>
  %4 = graph.cast %3 : (tensor<4xf32>) -> tensor<4xi32>
  %5 = graph.cast %i : (tensor<4xi32>) -> tensor<4xui64>
  %6 = graph.cast %5 : (tensor<4xui64>) -> tensor<4xf32>
  return %1, %2, %4, %6 : tensor<4xf16>, tensor<4xi8>, tensor<4xi32>, tensor<4xf32>
}

// CHECK-LABEL: func.func @powers(
// CHECK-SAME: %[[X:.*]]: tensor<4xf32>
// CHECK: %[[S:.*]] = graph.mul %[[X]], %[[X]]
// CHECK: %[[C:.*]] = graph.pow %[[X]]
// CHECK: return %[[X]], %[[S]], %[[C]]
func.func @powers(%x: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) {
  %one = graph.constant dense<1> : tensor<i64> : tensor<i64>
  %two = graph.constant dense<2.0> : tensor<1xf32> : tensor<1xf32>
  %twos = graph.constant dense<2.0> : tensor<4xf32> : tensor<4xf32>
  %half = graph.constant dense<0.5> : tensor<f32> : tensor<f32>
  %0 = graph.pow %x, %one : (tensor<4xf32>, tensor<i64>) -> tensor<4xf32>
  %1 = graph.pow %x, %two : (tensor<4xf32>, tensor<1xf32>) -> tensor<4xf32>
  %2 = graph.pow %x, %half : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  return %0, %1, %2 : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
}

// Only wide floats may be rounded more than once.
// CHECK-LABEL: func.func @cubes(
// CHECK-SAME: %[[X:[^:]*]]: tensor<4xf32>, %[[H:[^:]*]]: tensor<4xf16>
// CHECK: %[[S:.*]] = graph.mul %[[X]], %[[X]]
// CHECK: %[[C:.*]] = graph.mul %[[S]], %[[X]]
// CHECK: %[[F:.*]] = graph.mul %[[S]], %[[S]]
// CHECK: %[[P:.*]] = graph.pow %[[H]]
// CHECK: return %[[C]], %[[F]], %[[P]]
func.func @cubes(%x: tensor<4xf32>, %h: tensor<4xf16>) -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf16>) {
  %three = graph.constant dense<3.0> : tensor<f32> : tensor<f32>
  %four = graph.constant dense<4.0> : tensor<f32> : tensor<f32>
  %0 = graph.pow %x, %three : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  %1 = graph.pow %x, %four : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  %2 = graph.pow %h, %three : (tensor<4xf16>, tensor<f32>) -> tensor<4xf16>
  return %0, %1, %2 : tensor<4xf32>, tensor<4xf32>, tensor<4xf16>
}
