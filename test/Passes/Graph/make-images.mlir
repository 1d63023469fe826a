// RUN: acc-opt %s -graph-make-images | FileCheck %s

// CHECK-LABEL: func.func @signals(
// CHECK-SAME: %[[X:.*]]: tensor<1x3x9xi8>, %[[S:.*]]: tensor<1x4x9xi8>
// CHECK: %[[XI:.*]] = graph.reshape %[[X]] : (tensor<1x3x9xi8>) -> tensor<1x3x9x1xi8>
// CHECK: %[[SUM:.*]] = graph.conv_integer %[[XI]], %{{.*}} {dilations = array<i64: 1, 1>, pads = array<i64: 1, 0, 1, 0>, strides = array<i64: 1, 1>} : (tensor<1x3x9x1xi8>, tensor<4x3x3x1xi8>, tensor<4xi32>) -> tensor<1x4x9x1xi32>
// CHECK: %[[SCALED:.*]] = graph.scale_integer %[[SUM]], %{{.*}} : (tensor<1x4x9x1xi32>, tensor<1x1x9x1xi32>)
// CHECK: %[[Y:.*]] = graph.requantize %[[SCALED]] {{.*}} : (tensor<1x4x9x1xi32>) -> tensor<1x4x9x1xi8>
// CHECK: %[[P:.*]] = graph.pad %[[Y]] {constant_value = 3.000000e+00 : f64, pads = array<i64: 0, 0, 2, 0, 0, 0, 1, 0>} : (tensor<1x4x9x1xi8>) -> tensor<1x4x12x1xi8>
// CHECK: %[[C:.*]] = graph.slice %[[P]] {sizes = array<i64: 1, 4, 9, 1>, starts = array<i64: 0, 0, 1, 0>, steps = array<i64: 1, 1, 1, 1>} : (tensor<1x4x12x1xi8>) -> tensor<1x4x9x1xi8>
// CHECK: %[[SI:.*]] = graph.reshape %[[S]] : (tensor<1x4x9xi8>) -> tensor<1x4x9x1xi8>
// CHECK: %[[J:.*]] = graph.concat %[[C]], %[[SI]] {axis = 1 : i64} : (tensor<1x4x9x1xi8>, tensor<1x4x9x1xi8>) -> tensor<1x8x9x1xi8>
// CHECK: %[[M:.*]] = graph.max_pool %[[J]] {dilations = array<i64: 1, 1>, kernel_shape = array<i64: 3, 1>, pads = array<i64: 1, 0, 1, 0>, strides = array<i64: 2, 1>}
// CHECK: %[[R:.*]] = graph.reshape %[[M]] : (tensor<1x8x5x1xi8>) -> tensor<1x8x5xi8>
// CHECK: return %[[R]]
func.func @signals(%x: tensor<1x3x9xi8>, %s: tensor<1x4x9xi8>) -> tensor<1x8x5xi8> {
  %w = graph.constant dense<1> : tensor<4x3x3xi8> : tensor<4x3x3xi8>
  %b = graph.constant dense<2> : tensor<4xi32> : tensor<4xi32>
  %f = graph.constant dense<3> : tensor<1x1x9xi32> : tensor<1x1x9xi32>
  %0 = graph.conv_integer %x, %w, %b {strides = array<i64: 1>, pads = array<i64: 1, 1>, dilations = array<i64: 1>} : (tensor<1x3x9xi8>, tensor<4x3x3xi8>, tensor<4xi32>) -> tensor<1x4x9xi32>
  %1 = graph.scale_integer %0, %f : (tensor<1x4x9xi32>, tensor<1x1x9xi32>) -> tensor<1x4x9xi32>
  %2 = graph.requantize %1 {pre_shift = array<i32: 0>, multiplier = array<i32: 1>, post_shift = array<i32: 3>} : (tensor<1x4x9xi32>) -> tensor<1x4x9xi8>
  %3 = graph.pad %2 {pads = array<i64: 0, 0, 2, 0, 0, 1>, constant_value = 3.0 : f64} : (tensor<1x4x9xi8>) -> tensor<1x4x12xi8>
  %4 = graph.slice %3 {starts = array<i64: 0, 0, 1>, sizes = array<i64: 1, 4, 9>, steps = array<i64: 1, 1, 1>} : (tensor<1x4x12xi8>) -> tensor<1x4x9xi8>
  %5 = graph.concat %4, %s {axis = 1 : i64} : (tensor<1x4x9xi8>, tensor<1x4x9xi8>) -> tensor<1x8x9xi8>
  %6 = graph.max_pool %5 {kernel_shape = array<i64: 3>, strides = array<i64: 2>, pads = array<i64: 1, 1>, dilations = array<i64: 1>} : (tensor<1x8x9xi8>) -> tensor<1x8x5xi8>
  return %6 : tensor<1x8x5xi8>
}

// Three axes alone make no signal: these are sequences.
// CHECK-LABEL: func.func @sequences(
// CHECK: graph.concat %{{.*}} : (tensor<1x4x9xi8>, tensor<1x4x9xi8>) -> tensor<1x8x9xi8>
// CHECK: graph.weighted_sum %{{.*}} : (tensor<1x8x9xi8>) -> tensor<1x8x9xi32>
func.func @sequences(%x: tensor<1x4x9xi8>, %y: tensor<1x4x9xi8>) -> tensor<1x8x9xi32> {
  %0 = graph.concat %x, %y {axis = 1 : i64} : (tensor<1x4x9xi8>, tensor<1x4x9xi8>) -> tensor<1x8x9xi8>
  %1 = graph.weighted_sum %0 {multipliers = array<i32: 3>} : (tensor<1x8x9xi8>) -> tensor<1x8x9xi32>
  return %1 : tensor<1x8x9xi32>
}
