// RUN: acc-opt --vta-pack-layout --split-input-file --verify-diagnostics %s | FileCheck %s

#vta = #vta.config<log_batch = 0, log_block = 4>
#move = #graph.placement<kernel = "move", target = #vta>
#a = #graph.placement<kernel = "a", target = #vta>
#b = #graph.placement<kernel = "b", target = #vta>

// What is computed for the assembled image alone is stored to its place; what
// others read too is copied by a product with the identity.
// CHECK-LABEL: @assemble
func.func @assemble(%x: tensor<1x16x4x4xi8>) -> (tensor<1x16x4x8xi8>, tensor<1x16x4x4xi8>) {
  // CHECK: %[[EMPTY:.*]] = tensor.empty() : tensor<1x1x4x8x1x16xi8>
  // CHECK: %[[EVEN:.*]] = tensor.extract_slice %[[EMPTY]][0, 0, 0, 0, 0, 0] [1, 1, 4, 4, 1, 16] [1, 1, 1, 2, 1, 1] {graph.placement = {{.*}}kernel = "a"
  // CHECK: %[[A:.*]] = linalg.generic {{.*}} outs(%[[EVEN]]
  // CHECK: %[[FIRST:.*]] = tensor.insert_slice %[[A]] into %[[EMPTY]][0, 0, 0, 0, 0, 0] [1, 1, 4, 4, 1, 16] [1, 1, 1, 2, 1, 1]
  %0 = graph.weighted_sum %x {graph.placement = #a, bias = 1 : i32, multipliers = array<i32: 3>} : (tensor<1x16x4x4xi8>) -> tensor<1x16x4x4xi32>
  %1 = graph.requantize %0 {graph.placement = #a, pre_shift = array<i32: 3>, multiplier = array<i32: 1>, post_shift = array<i32: 0>} : (tensor<1x16x4x4xi32>) -> tensor<1x16x4x4xi8>
  // CHECK: %[[B:.*]] = linalg.generic {{.*}} outs(%{{.*}} : tensor<1x1x4x4x1x16xi8>) {{.*}}kernel = "b"
  %2 = graph.weighted_sum %x {graph.placement = #b, bias = 1 : i32, multipliers = array<i32: 5>} : (tensor<1x16x4x4xi8>) -> tensor<1x16x4x4xi32>
  %3 = graph.requantize %2 {graph.placement = #b, pre_shift = array<i32: 3>, multiplier = array<i32: 1>, post_shift = array<i32: 0>} : (tensor<1x16x4x4xi32>) -> tensor<1x16x4x4xi8>
  // CHECK: %[[ODD:.*]] = tensor.extract_slice %[[FIRST]][0, 0, 0, 1, 0, 0] [1, 1, 4, 4, 1, 16] [1, 1, 1, 2, 1, 1] {graph.placement = {{.*}}kernel = "move:1"
  // CHECK: linalg.generic {{.*}} ins(%[[B]], %{{.*}} : tensor<1x1x4x4x1x16xi8>, tensor<1x16x16xi8>)
  // CHECK: %[[COPY:.*]] = linalg.generic {{.*}} outs(%[[ODD]]
  // CHECK: tensor.insert_slice %[[COPY]] into %[[FIRST]][0, 0, 0, 1, 0, 0] [1, 1, 4, 4, 1, 16] [1, 1, 1, 2, 1, 1]
  %y = vta.assemble %1, %3 {graph.placement = #move, channels = array<i64: 0, 0>, columns = array<i64: 0, 1>, rows = array<i64: 0, 0>, steps = array<i64: 1, 2>} : (tensor<1x16x4x4xi8>, tensor<1x16x4x4xi8>) -> tensor<1x16x4x8xi8>
  return %y, %3 : tensor<1x16x4x8xi8>, tensor<1x16x4x4xi8>
}

// A border is filled first, as wide as readers that pad alike want it.
// CHECK-LABEL: @border
func.func @border(%x: tensor<1x16x4x4xi8>) -> tensor<1x16x3x3xi8> {
  // CHECK: linalg.fill {graph.placement = {{.*}}kernel = "move:halo", target = #te.host{{.*}} ins(%c-128_i8 : i8) outs(%{{.*}} : tensor<1x1x7x7x1x16xi8>)
  // CHECK: tensor.insert_slice %{{.*}} into %{{.*}}[0, 0, 2, 2, 0, 0] [1, 1, 4, 4, 1, 16]
  %p = vta.assemble %x {graph.placement = #move, channels = array<i64: 0>, columns = array<i64: 1>, fill = -128 : i8, rows = array<i64: 1>, steps = array<i64: 1, 1>} : (tensor<1x16x4x4xi8>) -> tensor<1x16x5x5xi8>
  %y = graph.max_pool %p {graph.placement = #a, dilations = array<i64: 1, 1>, kernel_shape = array<i64: 3, 3>, pads = array<i64: 1, 1, 1, 1>, strides = array<i64: 2, 2>} : (tensor<1x16x5x5xi8>) -> tensor<1x16x3x3xi8>
  return %y : tensor<1x16x3x3xi8>
}

// A slice is part of what its reader loads.
// CHECK-LABEL: @slice
func.func @slice(%x: tensor<1x16x5x4xi8>) -> tensor<1x16x2x2xi8> {
  // CHECK: %[[X:.*]] = graph.pack %arg0
  // CHECK: %[[S:.*]] = tensor.extract_slice %[[X]][0, 0, 1, 0, 0, 0] [1, 1, 2, 3, 1, 16] [1, 1, 2, 1, 1, 1] {graph.placement = {{.*}}kernel = "a"
  // CHECK: linalg.generic {{.*}} ins(%[[S]]
  %s = graph.slice %x {graph.placement = #move, sizes = array<i64: 1, 16, 2, 3>, starts = array<i64: 0, 0, 1, 0>, steps = array<i64: 1, 1, 2, 1>} : (tensor<1x16x5x4xi8>) -> tensor<1x16x2x3xi8>
  %y = graph.max_pool %s {graph.placement = #a, dilations = array<i64: 1, 1>, kernel_shape = array<i64: 1, 2>, pads = array<i64: 0, 0, 0, 0>, strides = array<i64: 1, 1>} : (tensor<1x16x2x3xi8>) -> tensor<1x16x2x2xi8>
  return %y : tensor<1x16x2x2xi8>
}

// -----

#vta = #vta.config<log_batch = 0, log_block = 4>
#move = #graph.placement<kernel = "move", target = #vta>

func.func @lanes(%x: tensor<1x24x4x4xi8>) -> tensor<1x8x4x4xi8> {
  // expected-error@+1 {{cannot run on the accelerator: reads from channel 8 on, within a tile}}
  %y = vta.assemble %x {graph.placement = #move, channels = array<i64: 8>, columns = array<i64: 0>, rows = array<i64: 0>, steps = array<i64: 1, 1>} : (tensor<1x24x4x4xi8>) -> tensor<1x8x4x4xi8>
  return %y : tensor<1x8x4x4xi8>
}
