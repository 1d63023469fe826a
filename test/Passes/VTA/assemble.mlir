// RUN: acc-opt --vta-assemble --split-input-file --verify-diagnostics %s | FileCheck %s

#vta = #vta.config<log_batch = 0, log_block = 4>
#move = #graph.placement<kernel = "move", target = #vta>
#conv = #graph.placement<kernel = "conv", target = #vta>

// A border of a constant is what nothing is stored to; what is cut off is not
// loaded.
// CHECK-LABEL: @pad
// CHECK-SAME: %[[X:.*]]: tensor<1x8x4x5xi8>
func.func @pad(%x: tensor<1x8x4x5xi8>) -> tensor<1x8x5x7xi8> {
  // CHECK: %[[S:.*]] = graph.slice %[[X]] {graph.placement = {{.*}}, sizes = array<i64: 1, 8, 3, 5>, starts = array<i64: 0, 0, 1, 0>, steps = array<i64: 1, 1, 1, 1>}
  // CHECK: vta.assemble %[[S]] {channels = array<i64: 0>, columns = array<i64: 2>, fill = -7 : i8, graph.placement = {{.*}}kernel = "move"{{.*}}, rows = array<i64: 0>, steps = array<i64: 1, 1>}
  %y = graph.pad %x {graph.placement = #move, constant_value = -7.0 : f64, pads = array<i64: 0, 0, -1, 2, 0, 0, 2, 0>} : (tensor<1x8x4x5xi8>) -> tensor<1x8x5x7xi8>
  return %y : tensor<1x8x5x7xi8>
}

// Rows and columns of other borders are parts of the image.
// CHECK-LABEL: @edge
// CHECK-SAME: %[[X:.*]]: tensor<1x8x4x5xi8>
func.func @edge(%x: tensor<1x8x4x5xi8>) -> tensor<1x8x5x6xi8> {
  // CHECK: %[[TL:.*]] = graph.slice %[[X]] {{.*}}sizes = array<i64: 1, 8, 1, 5>, starts = array<i64: 0, 0, 0, 0>
  // CHECK: %[[TR:.*]] = graph.slice %[[X]] {{.*}}sizes = array<i64: 1, 8, 1, 1>, starts = array<i64: 0, 0, 0, 4>
  // CHECK: %[[BR:.*]] = graph.slice %[[X]] {{.*}}sizes = array<i64: 1, 8, 4, 1>, starts = array<i64: 0, 0, 0, 4>
  // CHECK: vta.assemble %[[TL]], %[[TR]], %[[X]], %[[BR]] {channels = array<i64: 0, 0, 0, 0>, columns = array<i64: 0, 5, 0, 5>, {{.*}}rows = array<i64: 0, 0, 1, 1>
  %y = graph.pad %x {graph.placement = #move, mode = #graph.pad_mode<edge>, pads = array<i64: 0, 0, 1, 0, 0, 0, 0, 1>} : (tensor<1x8x4x5xi8>) -> tensor<1x8x5x6xi8>
  return %y : tensor<1x8x5x6xi8>
}

// CHECK-LABEL: @repeat
// CHECK-SAME: %[[X:.*]]: tensor<1x8x4x5xi8>
func.func @repeat(%x: tensor<1x8x4x5xi8>) -> tensor<1x8x8x15xi8> {
  // First rows and then columns, where that takes fewer kernels.
  // CHECK: %[[R:.*]] = vta.assemble %[[X]], %[[X]] {{.*}}rows = array<i64: 0, 1>, steps = array<i64: 2, 1>}
  // CHECK: vta.assemble %[[R]], %[[R]], %[[R]] {{.*}}columns = array<i64: 0, 1, 2>, {{.*}}steps = array<i64: 1, 3>}
  %y = graph.resize %x {graph.placement = #move, axes = array<i64: 2, 3>, coordinate_transformation_mode = #graph.coordinate_mode<asymmetric>, mode = #graph.resize_mode<nearest>, nearest_mode = #graph.nearest_mode<floor>, static_sizes = array<i64: 8, 15>} : (tensor<1x8x4x5xi8>) -> tensor<1x8x8x15xi8>
  return %y : tensor<1x8x8x15xi8>
}

// CHECK-LABEL: @join
func.func @join(%x: tensor<1x8x4x5xi8>, %y: tensor<1x8x4x2xi8>) -> tensor<1x8x4x7xi8> {
  // CHECK: vta.assemble %arg0, %arg1 {channels = array<i64: 0, 0>, columns = array<i64: 0, 5>, {{.*}}rows = array<i64: 0, 0>, steps = array<i64: 1, 1>}
  %z = graph.concat %x, %y {graph.placement = #move, axis = 3 : i64} : (tensor<1x8x4x5xi8>, tensor<1x8x4x2xi8>) -> tensor<1x8x4x7xi8>
  return %z : tensor<1x8x4x7xi8>
}

// Each phase of a transposed convolution has its part of the outputs, and the
// taps that are not zero: one for even columns, two for odd ones.
// CHECK-LABEL: @phases
func.func @phases(%x: tensor<1x1x3x3xi8>) -> tensor<1x2x3x5xi8> {
  %w = graph.constant dense<[[[[0, 5, 0]]], [[[0, 6, 0]]], [[[0, 7, 8]]], [[[0, 9, 10]]]]> : tensor<4x1x1x3xi8> : tensor<4x1x1x3xi8>
  %b = graph.constant dense<[1, 2, 3, 4]> : tensor<4xi32> : tensor<4xi32>
  // CHECK-DAG: %[[W0:.*]] = graph.constant dense<{{\[\[\[\[}}5]]], {{\[\[\[}}6]]]]> : tensor<2x1x1x1xi8>
  // CHECK-DAG: %[[B0:.*]] = graph.constant dense<[1, 2]> : tensor<2xi32>
  // CHECK: %[[A0:.*]] = graph.conv_integer %arg0, %[[W0]], %[[B0]] {{.*}}kernel = "conv"{{.*}}pads = array<i64: 0, 0, 0, 0>
  // CHECK-SAME: -> tensor<1x2x3x3xi32>
  // CHECK: %[[Q0:.*]] = graph.requantize %[[A0]] {{.*}}multiplier = array<i32: 11, 12>
  // CHECK-DAG: %[[W1:.*]] = graph.constant dense<{{\[\[\[\[}}7, 8]]], {{\[\[\[}}9, 10]]]]> : tensor<2x1x1x2xi8>
  // CHECK-DAG: %[[B1:.*]] = graph.constant dense<[3, 4]> : tensor<2xi32>
  // CHECK: %[[A1:.*]] = graph.conv_integer %arg0, %[[W1]], %[[B1]] {{.*}}kernel = "conv:0:1"
  // CHECK-SAME: -> tensor<1x2x3x2xi32>
  // CHECK: %[[Q1:.*]] = graph.requantize %[[A1]] {{.*}}multiplier = array<i32: 13, 14>
  // CHECK: vta.assemble %[[Q0]], %[[Q1]] {channels = array<i64: 0, 0>, columns = array<i64: 0, 1>, {{.*}}rows = array<i64: 0, 0>, steps = array<i64: 1, 2>}
  %a = graph.conv_integer %x, %w, %b {graph.placement = #conv, dilations = array<i64: 1, 1>, pads = array<i64: 0, 1, 0, 1>, strides = array<i64: 1, 1>}
      : (tensor<1x1x3x3xi8>, tensor<4x1x1x3xi8>, tensor<4xi32>) -> tensor<1x4x3x3xi32>
  %q = graph.requantize %a {graph.placement = #conv, multiplier = array<i32: 11, 12, 13, 14>, post_shift = array<i32: 4>, pre_shift = array<i32: 0>} : (tensor<1x4x3x3xi32>) -> tensor<1x4x3x3xi8>
  %s = graph.reshape %q : (tensor<1x4x3x3xi8>) -> tensor<1x1x1x2x2x3x3xi8>
  %t = graph.transpose %s {graph.placement = #move, perm = array<i64: 0, 1, 4, 5, 2, 6, 3>} : (tensor<1x1x1x2x2x3x3xi8>) -> tensor<1x1x2x3x1x3x2xi8>
  %j = graph.reshape %t : (tensor<1x1x2x3x1x3x2xi8>) -> tensor<1x2x3x6xi8>
  %y = graph.slice %j {graph.placement = #move, sizes = array<i64: 1, 2, 3, 5>, starts = array<i64: 0, 0, 0, 0>, steps = array<i64: 1, 1, 1, 1>} : (tensor<1x2x3x6xi8>) -> tensor<1x2x3x5xi8>
  return %y : tensor<1x2x3x5xi8>
}

// Channels that others compute are copied, phase by phase.
// CHECK-LABEL: @depth_to_space
func.func @depth_to_space(%x: tensor<1x32x3x3xi8>) -> tensor<1x16x3x6xi8> {
  // CHECK: vta.assemble %arg0, %arg0 {channels = array<i64: 0, 16>, columns = array<i64: 0, 1>, {{.*}}rows = array<i64: 0, 0>, steps = array<i64: 1, 2>}
  %s = graph.reshape %x : (tensor<1x32x3x3xi8>) -> tensor<1x2x16x3x3xi8>
  %t = graph.transpose %s {graph.placement = #move, perm = array<i64: 0, 2, 3, 4, 1>} : (tensor<1x2x16x3x3xi8>) -> tensor<1x16x3x3x2xi8>
  %j = graph.reshape %t : (tensor<1x16x3x3x2xi8>) -> tensor<1x16x3x6xi8>
  return %j : tensor<1x16x3x6xi8>
}

// Who pads a slice with something else than zeros, or is the host, reads a copy.
// CHECK-LABEL: @slice
func.func @slice(%x: tensor<1x8x4x5xi8>) -> (tensor<1x8x3x3xi8>, tensor<1x8x3x3xi8>, tensor<1x8x3x3xi8>) {
  // CHECK: %[[S:.*]] = graph.slice
  // CHECK: %[[COPY:.*]] = vta.assemble %[[S]]
  // CHECK: graph.max_pool %[[COPY]]
  // CHECK: graph.max_pool %[[S]]
  // CHECK: return %[[COPY]]
  %s = graph.slice %x {graph.placement = #move, sizes = array<i64: 1, 8, 3, 3>, starts = array<i64: 0, 0, 1, 2>, steps = array<i64: 1, 1, 1, 1>} : (tensor<1x8x4x5xi8>) -> tensor<1x8x3x3xi8>
  %a = graph.max_pool %s {graph.placement = #conv, dilations = array<i64: 1, 1>, kernel_shape = array<i64: 3, 3>, pads = array<i64: 1, 1, 1, 1>, strides = array<i64: 1, 1>} : (tensor<1x8x3x3xi8>) -> tensor<1x8x3x3xi8>
  %b = graph.max_pool %s {graph.placement = #conv, dilations = array<i64: 1, 1>, kernel_shape = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, strides = array<i64: 1, 1>} : (tensor<1x8x3x3xi8>) -> tensor<1x8x3x3xi8>
  return %s, %a, %b : tensor<1x8x3x3xi8>, tensor<1x8x3x3xi8>, tensor<1x8x3x3xi8>
}

// -----

#vta = #vta.config<log_batch = 0, log_block = 4>
#move = #graph.placement<kernel = "move", target = #vta>

func.func @channels(%x: tensor<1x8x4x5xi8>) -> tensor<1x9x4x5xi8> {
  // expected-error@+1 {{cannot run on the accelerator: it does not pad rows and columns of images}}
  %y = graph.pad %x {graph.placement = #move, pads = array<i64: 0, 1, 0, 0, 0, 0, 0, 0>} : (tensor<1x8x4x5xi8>) -> tensor<1x9x4x5xi8>
  return %y : tensor<1x9x4x5xi8>
}
