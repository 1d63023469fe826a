// RUN: acc-opt --vta-pack-layout --split-input-file %s | FileCheck %s

// Where the vector unit has a whole requantization, bias and all are one step. Its parameters are three words for each
// channel, a block after the other.

#vta = #vta.config<log_batch = 0, log_block = 4, alu_requantize = 1>

// CHECK-DAG: #[[BIAS:.*]] = affine_map<(d0, d1, d2, d3, d4, d5) -> (d1, 0, d4, d5)>
// CHECK-DAG: #[[SCALING:.*]] = affine_map<(d0, d1, d2, d3, d4, d5) -> (d1, 1, d4, d5)>
// CHECK-DAG: #[[BOUNDS:.*]] = affine_map<(d0, d1, d2, d3, d4, d5) -> (d1, 2, d4, d5)>
// CHECK-DAG: #[[SAME:.*]] = affine_map<(d0, d1, d2, d3, d4, d5) -> (0, 0, d4, d5)>
module attributes {vta.config = #vta} {
  // CHECK-LABEL: @conv
  func.func @conv(%x: tensor<1x16x4x4xi8>) -> tensor<1x17x4x4xi8> {
    %w = graph.constant dense<1> : tensor<17x16x1x1xi8> : tensor<17x16x1x1xi8>
    %b = graph.constant dense<[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]> : tensor<17xi32> : tensor<17xi32>
    // CHECK: [[SUM:%.+]] = linalg.generic
    // CHECK: [[P:%.+]] = graph.constant {{.*}} : tensor<2x3x1x16xi32>
    // CHECK: [[Y:%.+]] = linalg.generic {indexing_maps = [#[[BIAS]], #[[SCALING]], #[[BOUNDS]], {{.*}} ins([[P]], [[P]], [[P]] : {{.*}}) outs([[SUM]]
    // CHECK: ^bb0([[B:%.+]]: i32, [[S:%.+]]: i32, [[L:%.+]]: i32, [[A:%.+]]: i32):
    // CHECK: vta.requantize_step [[A]] by [[B]], [[S]], [[L]]
    // CHECK: linalg.generic {{.*}} ins([[Y]]
    // CHECK: arith.trunci
    %0 = graph.conv_integer %x, %w, %b {graph.placement = #graph.placement<kernel = "k", target = #vta>, strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>}
        : (tensor<1x16x4x4xi8>, tensor<17x16x1x1xi8>, tensor<17xi32>) -> tensor<1x17x4x4xi32>
    %1 = graph.requantize %0 {graph.placement = #graph.placement<kernel = "k", target = #vta>, clip_lo = array<i32: -40000>, clip_hi = array<i32: 40000>, pre_shift = array<i32: 1>,
        multiplier = array<i32: 3>, post_shift = array<i32: 9>, zero_point = 3 : i32} : (tensor<1x17x4x4xi32>) -> tensor<1x17x4x4xi8>
    return %1 : tensor<1x17x4x4xi8>
  }

  // One value for all channels: one block. bias 700; (multiplier 5) + (pre_shift 2 << 15) + (post_shift 8 << 20);
  // (lowest -128 << 8) + (highest 127 << 16) + (mid_shift 2 << 24) + (adds_half, ties_even) << 28.
  // CHECK-LABEL: @sum
  func.func @sum(%x: tensor<1x16x4x4xi8>) -> tensor<1x16x4x4xi8> {
    // CHECK: graph.constant dense<{{.*}}700{{.*}}8454149{{.*}}847216640{{.*}}> : tensor<1x3x1x16xi32>
    // CHECK: linalg.generic {indexing_maps = [#[[SAME]]
    // CHECK: vta.requantize_step
    %0 = graph.weighted_sum %x {graph.placement = #graph.placement<kernel = "s", target = #vta>, bias = 700 : i32, multipliers = array<i32: 11>}
        : (tensor<1x16x4x4xi8>) -> tensor<1x16x4x4xi32>
    %1 = graph.requantize %0 {graph.placement = #graph.placement<kernel = "s", target = #vta>, pre_shift = array<i32: 2>, multiplier = array<i32: 5>, mid_shift = 2 : i32, addend = 130 : i32,
        post_shift = array<i32: 6>, rounding = #graph.rounding<half_even>} : (tensor<1x16x4x4xi32>) -> tensor<1x16x4x4xi8>
    return %1 : tensor<1x16x4x4xi8>
  }

  // What the operation cannot do is done in steps: a multiplier of 16 bits.
  // CHECK-LABEL: @steps
  // CHECK-NOT: vta.requantize_step
  // CHECK: arith.shrsi
  func.func @steps(%x: tensor<1x16x4x4xi8>) -> tensor<1x16x4x4xi8> {
    %0 = graph.weighted_sum %x {graph.placement = #graph.placement<kernel = "s", target = #vta>, multipliers = array<i32: 11>}
        : (tensor<1x16x4x4xi8>) -> tensor<1x16x4x4xi32>
    %1 = graph.requantize %0 {graph.placement = #graph.placement<kernel = "s", target = #vta>, pre_shift = array<i32: 0>, multiplier = array<i32: 32769, 32769, 32769, 32769, 32769, 32769, 32769, 32769, 32769, 32769, 32769, 32769, 32769, 32769, 32769, 32769>,
        post_shift = array<i32: 20>} : (tensor<1x16x4x4xi32>) -> tensor<1x16x4x4xi8>
    return %1 : tensor<1x16x4x4xi8>
  }
}
