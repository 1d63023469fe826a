// RUN: acc-opt %s --vta-pack-layout --canonicalize | FileCheck %s

#vta = #vta.config<log_batch = 0, log_block = 4>

// Two heads of 16 channels are blocks of channels: queries, keys and what comes of them are reshaped only. Zero points
// enter by sums over rows and columns; the 20 positions are completed to two weight tiles.
// CHECK-LABEL: @attention
module attributes {vta.config = #vta} {
  func.func @attention(%x: tensor<20x32xi8>) -> tensor<20x32xi8> {
    %w = graph.constant dense<1> : tensor<32x32xi8> : tensor<32x32xi8>
    %b = graph.constant dense<0> : tensor<32xi32> : tensor<32xi32>
    // CHECK: %[[X:.*]] = graph.pack %{{.*}} {{.*}}halo = array<i64: 0, 0, 12, 0>, tiles = array<i64: 1, 16>} : (tensor<1x20x32xi8>) -> tensor<1x2x32x1x1x16xi8>
    // CHECK: tensor.extract_slice %[[X]]{{.*}} [1, 2, 20, 1, 1, 16]
    // CHECK: %[[Q:.*]] = tensor.insert_slice {{.*}} into %{{.*}}[0, 0, 0, 0, 0, 0] [1, 2, 20, 1, 1, 16]
    %0 = graph.gemm_integer %x, %w, %b {graph.placement = #graph.placement<kernel = "q", target = #vta>} : (tensor<20x32xi8>, tensor<32x32xi8>, tensor<32xi32>) -> tensor<20x32xi32>
    %q = graph.requantize %0 {graph.placement = #graph.placement<kernel = "q", target = #vta>, pre_shift = array<i32: 6>, multiplier = array<i32: 1>, post_shift = array<i32: 0>} : (tensor<20x32xi32>) -> tensor<20x32xi8>
    %1 = graph.reshape %q : (tensor<20x32xi8>) -> tensor<20x2x16xi8>
    %2 = graph.transpose %1 {perm = array<i64: 1, 0, 2>} : (tensor<20x2x16xi8>) -> tensor<2x20x16xi8>
    // CHECK: %[[A:.*]] = graph.reshape %[[Q]] : (tensor<1x2x32x1x1x16xi8>) -> tensor<2x1x32x1x1x16xi8>
    // CHECK: %[[W:.*]] = graph.reshape %[[Q]] : (tensor<1x2x32x1x1x16xi8>) -> tensor<2x1x2x16x16xi8>
    // CHECK: %[[I:.*]] = tensor.extract_slice %[[A]]{{.*}} [2, 1, 20, 1, 1, 16]
    // CHECK: %[[COLUMNS:.*]] = linalg.generic {{.*}} ins(%{{.*}}, %[[W]] : tensor<1x1x16xi8>, tensor<2x1x2x16x16xi8>)
    // CHECK: %[[ROWS:.*]] = linalg.generic {{.*}} ins(%[[I]], %{{.*}} : tensor<2x1x20x1x1x16xi8>, tensor<1x16x16xi8>)
    // CHECK: %[[P:.*]] = linalg.generic {{.*}} ins(%[[I]], %[[W]] :
    // CHECK: %[[S:.*]] = linalg.generic {{.*}} ins(%{{.*}} : tensor<2x2x1x1x1x16xi32>) outs(%[[P]]
    // CHECK: linalg.generic {{.*}} ins(%[[ROWS]] : tensor<2x1x20x1x1x16xi32>) outs(%[[S]]
    %3 = graph.matmul_integer %2, %2 {graph.placement = #graph.placement<kernel = "s", target = #vta>, a_zero_point = 3 : i8, b_zero_point = -5 : i8, transB = true} : (tensor<2x20x16xi8>, tensor<2x20x16xi8>) -> tensor<2x20x20xi32>
    %s = graph.requantize %3 {graph.placement = #graph.placement<kernel = "s", target = #vta>, pre_shift = array<i32: 6>, multiplier = array<i32: 1>, post_shift = array<i32: 0>} : (tensor<2x20x20xi32>) -> tensor<2x20x20xi8>
    // What is multiplied from the right is transposed by a product with the identity. Behind its 20 positions there is
    // anything, so that the shares are unpacked and packed with zeros.
    // CHECK: graph.unpack
    // CHECK: linalg.generic {{.*}} ins(%{{.*}}, %{{.*}} : tensor<16x1x16xi8>, tensor<2x1x2x16x16xi8>)
    // CHECK: arith.trunci
    // CHECK: graph.pack
    %4 = graph.matmul_integer %s, %2 {graph.placement = #graph.placement<kernel = "c", target = #vta>} : (tensor<2x20x20xi8>, tensor<2x20x16xi8>) -> tensor<2x20x16xi32>
    %c = graph.requantize %4 {graph.placement = #graph.placement<kernel = "c", target = #vta>, pre_shift = array<i32: 6>, multiplier = array<i32: 1>, post_shift = array<i32: 0>} : (tensor<2x20x16xi32>) -> tensor<2x20x16xi8>
    // CHECK: %[[C:.*]] = tensor.insert_slice {{.*}} tensor<2x1x20x1x1x16xi8> into tensor<2x1x32x1x1x16xi8>
    // CHECK: graph.reshape %[[C]] : (tensor<2x1x32x1x1x16xi8>) -> tensor<1x2x32x1x1x16xi8>
    %5 = graph.transpose %c {perm = array<i64: 1, 0, 2>} : (tensor<2x20x16xi8>) -> tensor<20x2x16xi8>
    %6 = graph.reshape %5 : (tensor<20x2x16xi8>) -> tensor<20x32xi8>
    %7 = graph.gemm_integer %6, %w, %b {graph.placement = #graph.placement<kernel = "o", target = #vta>} : (tensor<20x32xi8>, tensor<32x32xi8>, tensor<32xi32>) -> tensor<20x32xi32>
    %y = graph.requantize %7 {graph.placement = #graph.placement<kernel = "o", target = #vta>, pre_shift = array<i32: 6>, multiplier = array<i32: 1>, post_shift = array<i32: 0>} : (tensor<20x32xi32>) -> tensor<20x32xi8>
    // CHECK: graph.unpack {{.*}}halo = array<i64: 0, 0, 12, 0>}
    return %y : tensor<20x32xi8>
  }
}
