// RUN: acc-opt %s --pass-pipeline='builtin.module(func.func(graph-split-conv-transpose))' | FileCheck %s

// Even results read one tap, odd ones the other; the weights swap inputs and outputs.
// CHECK-LABEL: func.func @signal(
// CHECK-SAME: %[[X:.*]]: tensor<1x2x?xf32>
// CHECK: %[[W0:.*]] = graph.constant dense<{{.*}}1.000000e+00{{.*}}3.000000e+00{{.*}}> : tensor<1x2x1xf32>
// CHECK: %[[EVEN:.*]] = graph.conv %[[X]], %[[W0]] {{.*}}pads = array<i64: 0, 0>
// CHECK: %[[W1:.*]] = graph.constant dense<{{.*}}2.000000e+00{{.*}}4.000000e+00{{.*}}> : tensor<1x2x1xf32>
// CHECK: %[[ODD:.*]] = graph.conv %[[X]], %[[W1]]
// CHECK: %[[BOTH:.*]] = graph.concat %[[EVEN]], %[[ODD]] {axis = 1 : i64}
// CHECK: %[[SPLIT:.*]] = graph.reshape %[[BOTH]], %{{.*}} -> tensor<1x2x1x?xf32>
// CHECK: %[[TURNED:.*]] = graph.transpose %[[SPLIT]] {perm = array<i64: 0, 2, 3, 1>}
// CHECK: %[[Y:.*]] = graph.reshape %[[TURNED]], %{{.*}} -> tensor<1x1x?xf32>
// CHECK: return %[[Y]]
func.func @signal(%x: tensor<1x2x?xf32>) -> tensor<1x1x?xf32> {
  %w = graph.constant dense<[[[1.0, 2.0]], [[3.0, 4.0]]]> : tensor<2x1x2xf32> : tensor<2x1x2xf32>
  %y = graph.conv_transpose %x, %w {dilations = array<i64: 1>, output_padding = array<i64: 0>, pads = array<i64: 0, 0>, strides = array<i64: 2>}
      : (tensor<1x2x?xf32>, tensor<2x1x2xf32>) -> tensor<1x1x?xf32>
  return %y : tensor<1x1x?xf32>
}

// CHECK-LABEL: func.func @computed_weights(
// CHECK: graph.conv_transpose
func.func @computed_weights(%x: tensor<1x2x5xf32>, %w: tensor<2x1x2xf32>) -> tensor<1x1x10xf32> {
  %y = graph.conv_transpose %x, %w {dilations = array<i64: 1>, output_padding = array<i64: 0>, pads = array<i64: 0, 0>, strides = array<i64: 2>}
      : (tensor<1x2x5xf32>, tensor<2x1x2xf32>) -> tensor<1x1x10xf32>
  return %y : tensor<1x1x10xf32>
}
