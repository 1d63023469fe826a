// RUN: acc-opt --vta-pack-layout --split-input-file --verify-diagnostics %s | FileCheck %s

#vta = #vta.config<log_batch = 0, log_block = 4>

// Rows and columns have vectors of their own, which all channels and the other axis share.
// CHECK-DAG: #[[ROW:.*]] = affine_map<(d0, d1, d2, d3, d4, d5) -> (d2, 0, d4, d5)>
// CHECK-DAG: #[[COLUMN:.*]] = affine_map<(d0, d1, d2, d3, d4, d5) -> (0, d3, d4, d5)>
module attributes {vta.config = #vta} {
  // CHECK-LABEL: @average
  func.func @average(%x: tensor<1x20x4x3xi8>) -> tensor<1x20x4x3xi8> {
    %w = graph.constant dense<1> : tensor<20x1x3x3xi8> : tensor<20x1x3x3xi8>
    %b = graph.constant dense<27> : tensor<20xi32> : tensor<20xi32>
    %rows = graph.constant dense<[[[[3], [2], [2], [3]]]]> : tensor<1x1x4x1xi32> : tensor<1x1x4x1xi32>
    %columns = graph.constant dense<[[[[3, 2, 3]]]]> : tensor<1x1x1x3xi32> : tensor<1x1x1x3xi32>
    %0 = graph.conv_integer %x, %w, %b {graph.placement = #graph.placement<kernel = "k", target = #vta>, group = 20 : i64, pad_value = -3 : i8, strides = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>}
        : (tensor<1x20x4x3xi8>, tensor<20x1x3x3xi8>, tensor<20xi32>) -> tensor<1x20x4x3xi32>
    // The zero points are added to the sum before it is multiplied, the offset behind that.
    // CHECK: arith.constant 27 : i32
    // CHECK: arith.addi
    // CHECK: %[[ROWS:.*]] = graph.constant {{.*}} : tensor<4x1x1x16xi32>
    // CHECK: linalg.generic {indexing_maps = [#[[ROW]], {{.*}} ins(%[[ROWS]]
    // CHECK: arith.muli
    // CHECK: %[[COLUMNS:.*]] = graph.constant {{.*}} : tensor<1x3x1x16xi32>
    // CHECK: linalg.generic {indexing_maps = [#[[COLUMN]], {{.*}} ins(%[[COLUMNS]]
    // CHECK: arith.muli
    // CHECK: arith.constant 5 : i32
    // CHECK: arith.addi
    %1 = graph.scale_integer %0, %rows, %columns {graph.placement = #graph.placement<kernel = "k", target = #vta>, offset = 5 : i32}
        : (tensor<1x20x4x3xi32>, tensor<1x1x4x1xi32>, tensor<1x1x1x3xi32>) -> tensor<1x20x4x3xi32>
    // CHECK: arith.shrsi
    %2 = graph.requantize %1 {graph.placement = #graph.placement<kernel = "k", target = #vta>, multiplier = array<i32: 1>, pre_shift = array<i32: 0>, post_shift = array<i32: 5>, rounding = #graph.rounding<down>}
        : (tensor<1x20x4x3xi32>) -> tensor<1x20x4x3xi8>
    return %2 : tensor<1x20x4x3xi8>
  }
}

// -----

#vta = #vta.config<log_batch = 0, log_block = 4>

func.func @channels(%x: tensor<1x16x4x4xi8>) -> tensor<1x16x1x1xi8> {
  %f = graph.constant dense<3> : tensor<1x16x1x1xi32> : tensor<1x16x1x1xi32>
  %0 = graph.global_sum_integer %x {graph.placement = #graph.placement<kernel = "k", target = #vta>} : (tensor<1x16x4x4xi8>) -> tensor<1x16x1x1xi32>
  // expected-error@+1 {{cannot run on the accelerator: factors are no constants of rows and columns}}
  %1 = graph.scale_integer %0, %f {graph.placement = #graph.placement<kernel = "k", target = #vta>} : (tensor<1x16x1x1xi32>, tensor<1x16x1x1xi32>) -> tensor<1x16x1x1xi32>
  %2 = graph.requantize %1 {graph.placement = #graph.placement<kernel = "k", target = #vta>, multiplier = array<i32: 1>, pre_shift = array<i32: 0>, post_shift = array<i32: 5>} : (tensor<1x16x1x1xi32>) -> tensor<1x16x1x1xi8>
  return %2 : tensor<1x16x1x1xi8>
}
