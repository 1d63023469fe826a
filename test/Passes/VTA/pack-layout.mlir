// RUN: acc-opt --vta-pack-layout --split-input-file --verify-diagnostics %s | FileCheck %s

#vta = #vta.config<log_batch = 0, log_block = 4>

// CHECK-DAG: #[[X:.*]] = affine_map<(d0, d1, d2, d3, d4, d5, d6, d7, d8, d9) -> (d0, d4, d2 * 2 + d5, d3 * 2 + d6, d7, d9)>
// CHECK-DAG: #[[W:.*]] = affine_map<(d0, d1, d2, d3, d4, d5, d6, d7, d8, d9) -> (d1, d4, d5, d6, d8, d9)>
// CHECK-DAG: #[[Y:.*]] = affine_map<(d0, d1, d2, d3, d4, d5, d6, d7, d8, d9) -> (d0, d1, d2, d3, d7, d8)>
// CHECK-DAG: #[[ONE:.*]] = affine_map<(d0, d1, d2, d3, d4, d5, d6) -> (0, d4, d6)>
// CHECK-DAG: #[[CHANNEL:.*]] = affine_map<(d0, d1, d2, d3, d4, d5, d6) -> (d1, d5, d6)>
module attributes {vta.config = #vta} {
  // CHECK-LABEL: @conv
  func.func @conv(%x: tensor<1x3x8x8xi8>) -> tensor<1x20x4x4xi8> {
    %w = graph.constant dense<1> : tensor<20x3x3x3xi8> : tensor<20x3x3x3xi8>
    %b = graph.constant dense<[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19]> : tensor<20xi32> : tensor<20xi32>
    // CHECK: %[[P:.*]] = graph.pack %arg0 {graph.placement = #graph.placement<kernel = "input:pack", target = #te.host>, tiles = array<i64: 1, 16>} : (tensor<1x3x8x8xi8>) -> tensor<1x1x8x8x1x16xi8>
    // CHECK: %[[PAD:.*]] = tensor.pad %[[P]] low[0, 0, 1, 1, 0, 0] high[0, 0, 0, 0, 0, 0]
    // CHECK: %[[WEIGHT:.*]] = graph.constant {{.*}} : tensor<2x1x3x3x16x16xi8>
    // CHECK: linalg.generic {indexing_maps = [#[[X]], #[[W]], #[[Y]]], {{.*}} ins(%[[PAD]], %[[WEIGHT]]
    // CHECK-SAME: graph.placement = #graph.placement<kernel = "k", target = #vta_config>
    // The bias is the product of one constant input and a tile per block of channels.
    // CHECK-DAG: %[[ONES:.*]] = graph.constant dense<{{.*}}> : tensor<1x1x16xi8>
    // CHECK-DAG: %[[BIAS:.*]] = graph.constant dense<{{.*}}> : tensor<2x16x16xi8>
    // CHECK: linalg.generic {indexing_maps = [#[[ONE]], #[[CHANNEL]], {{.*}} ins(%[[ONES]], %[[BIAS]] : tensor<1x1x16xi8>, tensor<2x16x16xi8>)
    // CHECK: arith.muli
    // CHECK: arith.addi
    %0 = graph.conv_integer %x, %w, %b {graph.placement = #graph.placement<kernel = "k", target = #vta>, strides = array<i64: 2, 2>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>}
        : (tensor<1x3x8x8xi8>, tensor<20x3x3x3xi8>, tensor<20xi32>) -> tensor<1x20x4x4xi32>
    // The shift comes before the bounds, which then fit an immediate.
    // CHECK: arith.shrsi
    // CHECK: arith.constant -20000 : i32
    // CHECK: arith.maxsi
    // CHECK: arith.constant 20000 : i32
    // CHECK: arith.minsi
    // CHECK: arith.muli
    // CHECK: arith.shrsi
    // CHECK: arith.constant 7 : i32
    // CHECK: arith.addi
    // CHECK: arith.shrsi
    // CHECK: arith.trunci
    %1 = graph.requantize %0 {graph.placement = #graph.placement<kernel = "k", target = #vta>, clip_lo = array<i32: -40000>, clip_hi = array<i32: 40000>, pre_shift = array<i32: 1>,
        multiplier = array<i32: 3>, post_shift = array<i32: 9>, zero_point = 3 : i32} : (tensor<1x20x4x4xi32>) -> tensor<1x20x4x4xi8>
    // CHECK: graph.unpack {{.*}} : (tensor<1x2x4x4x1x16xi8>) -> tensor<1x20x4x4xi8>
    return %1 : tensor<1x20x4x4xi8>
  }

  // Small multipliers are weights on the diagonal of a tile. A bias of up to twice what a
  // product can add takes two of them; beyond that it is added by the vector unit.
  // CHECK-LABEL: @products
  func.func @products(%x: tensor<1x16x4x4xi8>, %y: tensor<1x16x4x4xi8>) -> (tensor<1x16x4x4xi8>, tensor<1x16xi8>, tensor<1x16xi8>, tensor<1x16xi8>) {
    // CHECK: %[[ZERO:.*]] = linalg.fill
    // CHECK: %[[A:.*]] = graph.constant {{.*}} : tensor<1x16x16xi8>
    // CHECK: %[[FIRST:.*]] = linalg.generic {{.*}} ins(%{{.*}}, %[[A]] : tensor<1x1x4x4x1x16xi8>, tensor<1x16x16xi8>) outs(%[[ZERO]]
    // CHECK: %[[B:.*]] = graph.constant {{.*}} : tensor<1x16x16xi8>
    // CHECK: %[[SECOND:.*]] = linalg.generic {{.*}} ins(%{{.*}}, %[[B]] : tensor<1x1x4x4x1x16xi8>, tensor<1x16x16xi8>) outs(%[[FIRST]]
    // CHECK: linalg.generic {{.*}} outs(%[[SECOND]]
    // CHECK: arith.constant -290 : i32
    %0 = graph.weighted_sum %x, %y {graph.placement = #graph.placement<kernel = "s", target = #vta>, bias = -290 : i32, multipliers = array<i32: 11, -100>}
        : (tensor<1x16x4x4xi8>, tensor<1x16x4x4xi8>) -> tensor<1x16x4x4xi32>
    %1 = graph.requantize %0 {graph.placement = #graph.placement<kernel = "s", target = #vta>, pre_shift = array<i32: 6>, multiplier = array<i32: 1>, post_shift = array<i32: 0>}
        : (tensor<1x16x4x4xi32>) -> tensor<1x16x4x4xi8>
    %w = graph.constant dense<1> : tensor<16x256xi8> : tensor<16x256xi8>
    %flat = graph.reshape %x : (tensor<1x16x4x4xi8>) -> tensor<1x256xi8>
    // CHECK: linalg.generic {{.*}} ins(%{{.*}}, %{{.*}} : tensor<1x1x4x4x1x16xi8>, tensor<1x1x4x4x16x16xi8>)
    // CHECK: linalg.generic {{.*}} ins(%{{.*}}, %{{.*}} : tensor<1x1x16xi8>, tensor<1x16x16xi8>)
    // CHECK: linalg.generic {{.*}} ins(%{{.*}}, %{{.*}} : tensor<1x1x16xi8>, tensor<1x16x16xi8>)
    // CHECK: arith.shrsi
    %b = graph.constant dense<[400000, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]> : tensor<16xi32> : tensor<16xi32>
    %2 = graph.gemm_integer %flat, %w, %b {graph.placement = #graph.placement<kernel = "g", target = #vta>}
        : (tensor<1x256xi8>, tensor<16x256xi8>, tensor<16xi32>) -> tensor<1x16xi32>
    %3 = graph.requantize %2 {graph.placement = #graph.placement<kernel = "g", target = #vta>, pre_shift = array<i32: 12>, multiplier = array<i32: 1>, post_shift = array<i32: 0>}
        : (tensor<1x16xi32>) -> tensor<1x16xi8>
    // CHECK: linalg.generic {{.*}} ins(%{{.*}}, %{{.*}} : tensor<1x1x4x4x1x16xi8>, tensor<1x1x4x4x16x16xi8>)
    // CHECK: linalg.generic {{.*}} ins(%{{.*}} : tensor<1x1x16xi32>)
    // CHECK: arith.shrsi
    %c = graph.constant dense<[600000, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]> : tensor<16xi32> : tensor<16xi32>
    %4 = graph.gemm_integer %flat, %w, %c {graph.placement = #graph.placement<kernel = "h", target = #vta>}
        : (tensor<1x256xi8>, tensor<16x256xi8>, tensor<16xi32>) -> tensor<1x16xi32>
    %5 = graph.requantize %4 {graph.placement = #graph.placement<kernel = "h", target = #vta>, pre_shift = array<i32: 12>, multiplier = array<i32: 1>, post_shift = array<i32: 0>}
        : (tensor<1x16xi32>) -> tensor<1x16xi8>
    // A bias of multiples of what the first shift divides by is added behind the shift, where it is small.
    // CHECK: linalg.generic {{.*}} ins(%{{.*}}, %{{.*}} : tensor<1x1x4x4x1x16xi8>, tensor<1x1x4x4x16x16xi8>)
    // CHECK: arith.shrsi
    // CHECK: linalg.generic {{.*}} ins(%{{.*}}, %{{.*}} : tensor<1x1x16xi8>, tensor<1x16x16xi8>)
    // CHECK-NOT: tensor<1x16x16xi8>
    // CHECK: arith.trunci
    %d = graph.constant dense<[409600, 0, 4096, 8192, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -4096]> : tensor<16xi32> : tensor<16xi32>
    %6 = graph.gemm_integer %flat, %w, %d {graph.placement = #graph.placement<kernel = "i", target = #vta>}
        : (tensor<1x256xi8>, tensor<16x256xi8>, tensor<16xi32>) -> tensor<1x16xi32>
    %7 = graph.requantize %6 {graph.placement = #graph.placement<kernel = "i", target = #vta>, pre_shift = array<i32: 12>, multiplier = array<i32: 1>, post_shift = array<i32: 0>}
        : (tensor<1x16xi32>) -> tensor<1x16xi8>
    return %1, %3, %5, %7 : tensor<1x16x4x4xi8>, tensor<1x16xi8>, tensor<1x16xi8>, tensor<1x16xi8>
  }

  // A window of one element reads every second row and column of what is loaded: the stride is part of the transfer.
  // CHECK-LABEL: @strided
  func.func @strided(%x: tensor<1x16x8x7xi8>) -> tensor<1x16x4x4xi8> {
    %w = graph.constant dense<1> : tensor<16x16x1x1xi8> : tensor<16x16x1x1xi8>
    %b = graph.constant dense<0> : tensor<16xi32> : tensor<16xi32>
    // CHECK: tensor.extract_slice %{{.*}}[0, 0, 0, 0, 0, 0] [1, 1, 7, 7, 1, 16] [1, 1, 1, 1, 1, 1]
    // CHECK: %[[READ:.*]] = tensor.extract_slice %{{.*}}[0, 0, 0, 0, 0, 0] [1, 1, 4, 4, 1, 16] [1, 1, 2, 2, 1, 1]
    // CHECK: linalg.generic {{.*}} ins(%[[READ]],
    %0 = graph.conv_integer %x, %w, %b {graph.placement = #graph.placement<kernel = "k", target = #vta>, strides = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>}
        : (tensor<1x16x8x7xi8>, tensor<16x16x1x1xi8>, tensor<16xi32>) -> tensor<1x16x4x4xi32>
    %1 = graph.requantize %0 {graph.placement = #graph.placement<kernel = "k", target = #vta>, pre_shift = array<i32: 6>, multiplier = array<i32: 1>, post_shift = array<i32: 0>}
        : (tensor<1x16x4x4xi32>) -> tensor<1x16x4x4xi8>
    return %1 : tensor<1x16x4x4xi8>
  }

  // The first kernel writes into a border that a max pool needs; nothing is unpacked in between, and the flatten disappears.
  // CHECK-LABEL: @halo
  func.func @halo(%x: tensor<1x16x4x4xi8>) -> tensor<1x16xi8> {
    %w = graph.constant dense<1> : tensor<16x64xi8> : tensor<16x64xi8>
    %b = graph.constant dense<0> : tensor<16xi32> : tensor<16xi32>
    %0 = graph.weighted_sum %x, %x {graph.placement = #graph.placement<kernel = "a", target = #vta>, bias = 1 : i32, multipliers = array<i32: 65536, -1>}
        : (tensor<1x16x4x4xi8>, tensor<1x16x4x4xi8>) -> tensor<1x16x4x4xi32>
    // CHECK: arith.extsi
    // CHECK: arith.shli
    // CHECK: arith.constant 1 : i32
    // CHECK-NEXT: arith.addi
    // CHECK: linalg.fill {graph.placement = #graph.placement<kernel = "a:halo", target = #te.host>} {{.*}} outs(%{{.*}} : tensor<1x1x6x6x1x16xi8>)
    // CHECK: tensor.insert_slice {{.*}} into %{{.*}}[0, 0, 1, 1, 0, 0] [1, 1, 4, 4, 1, 16]
    %1 = graph.requantize %0 {graph.placement = #graph.placement<kernel = "a", target = #vta>, pre_shift = array<i32: 16>, multiplier = array<i32: 1>, post_shift = array<i32: 0>}
        : (tensor<1x16x4x4xi32>) -> tensor<1x16x4x4xi8>
    // CHECK-NOT: graph.unpack
    // No window reaches the last row and column.
    // CHECK: tensor.extract_slice %{{.*}}[0, 0, 0, 0, 0, 0] [1, 1, 5, 5, 1, 16]
    // CHECK: arith.maxsi
    %2 = graph.max_pool %1 {graph.placement = #graph.placement<kernel = "p", target = #vta>, kernel_shape = array<i64: 3, 3>, strides = array<i64: 2, 2>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>}
        : (tensor<1x16x4x4xi8>) -> tensor<1x16x2x2xi8>
    // CHECK: ins(%{{.*}} : tensor<1x1x2x2x1x16xi8>, tensor<1x1x2x2x16x16xi8>) outs(%{{.*}} : tensor<1x1x1x1x1x16xi32>)
    %3 = graph.flatten %2 {axis = 1 : i64} : (tensor<1x16x2x2xi8>) -> tensor<1x64xi8>
    %4 = graph.gemm_integer %3, %w, %b {graph.placement = #graph.placement<kernel = "g", target = #vta>} : (tensor<1x64xi8>, tensor<16x64xi8>, tensor<16xi32>) -> tensor<1x16xi32>
    // Half to even reads the running value twice, the second time through a copy.
    // CHECK: arith.constant 2 : i32
    // CHECK: arith.addi
    // CHECK: linalg.fill
    // CHECK: arith.addi
    // CHECK: arith.shli
    // CHECK: arith.shrsi
    // CHECK: arith.addi
    // CHECK: arith.shrsi
    // CHECK: arith.trunci
    %5 = graph.requantize %4 {graph.placement = #graph.placement<kernel = "g", target = #vta>, pre_shift = array<i32: 0>, multiplier = array<i32: 1>, addend = 2 : i32, post_shift = array<i32: 2>,
        rounding = #graph.rounding<half_even>} : (tensor<1x16xi32>) -> tensor<1x16xi8>
    // CHECK: %[[U:.*]] = graph.unpack
    // CHECK: graph.reshape %[[U]] : (tensor<1x16x1x1xi8>) -> tensor<1x16xi8>
    return %5 : tensor<1x16xi8>
  }
}

// -----

#vta = #vta.config<log_batch = 1, log_block_in = 3, log_block_out = 4>

// Tiles that differ need another layout between two layers; rows are completed to weight tiles.
module attributes {vta.config = #vta} {
  // CHECK-LABEL: @tiles
  func.func @tiles(%x: tensor<3x8xi8>) -> tensor<3x8xi8> {
    %w = graph.constant dense<1> : tensor<8x8xi8> : tensor<8x8xi8>
    %b = graph.constant dense<0> : tensor<8xi32> : tensor<8xi32>
    // CHECK: graph.pack {{.*}} -> tensor<1x1x8x1x2x8xi8>
    // CHECK: outs(%{{.*}} : tensor<1x1x2x1x2x16xi32>)
    %0 = graph.gemm_integer %x, %w, %b {graph.placement = #graph.placement<kernel = "a", target = #vta>} : (tensor<3x8xi8>, tensor<8x8xi8>, tensor<8xi32>) -> tensor<3x8xi32>
    %1 = graph.requantize %0 {graph.placement = #graph.placement<kernel = "a", target = #vta>, pre_shift = array<i32: 3>, multiplier = array<i32: 1>, post_shift = array<i32: 0>} : (tensor<3x8xi32>) -> tensor<3x8xi8>
    // CHECK: graph.unpack {{.*}} (tensor<1x1x8x1x2x16xi8>)
    // CHECK: graph.pack {{.*}} -> tensor<1x1x8x1x2x8xi8>
    %2 = graph.gemm_integer %1, %w, %b {graph.placement = #graph.placement<kernel = "b", target = #vta>} : (tensor<3x8xi8>, tensor<8x8xi8>, tensor<8xi32>) -> tensor<3x8xi32>
    %3 = graph.requantize %2 {graph.placement = #graph.placement<kernel = "b", target = #vta>, pre_shift = array<i32: 3>, multiplier = array<i32: 1>, post_shift = array<i32: 0>} : (tensor<3x8xi32>) -> tensor<3x8xi8>
    return %3 : tensor<3x8xi8>
  }
}

// -----

#vta = #vta.config<log_batch = 0, log_block = 4>

// What the host computes on packed tensors.
module attributes {vta.config = #vta} {
  // The host looks up in packed tensors as they are; the pool behind it wants a border.
  // CHECK-LABEL: @lookup
  func.func @lookup(%x: tensor<1x16x4x4xi8>, %table: tensor<1x256xi8>) -> tensor<1x16x2x2xi8> {
    %w = graph.constant dense<1> : tensor<16x16x1x1xi8> : tensor<16x16x1x1xi8>
    %b = graph.constant dense<0> : tensor<16xi32> : tensor<16xi32>
    %0 = graph.conv_integer %x, %w, %b {graph.placement = #graph.placement<kernel = "a", target = #vta>, strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>}
        : (tensor<1x16x4x4xi8>, tensor<16x16x1x1xi8>, tensor<16xi32>) -> tensor<1x16x4x4xi32>
    // CHECK: %[[NARROW:.*]] = linalg.generic {{.*}} outs(%{{.*}} : tensor<1x1x4x4x1x16xi8>)
    %1 = graph.requantize %0 {graph.placement = #graph.placement<kernel = "a", target = #vta>, pre_shift = array<i32: 6>, multiplier = array<i32: 1>, post_shift = array<i32: 0>}
        : (tensor<1x16x4x4xi32>) -> tensor<1x16x4x4xi8>
    // CHECK-NOT: graph.unpack
    // CHECK: %[[FOUND:.*]] = graph.lookup %[[NARROW]], %arg1 {{.*}}kernel = "t"{{.*}} -> tensor<1x1x4x4x1x16xi8>
    // CHECK: linalg.fill {{.*}} outs(%{{.*}} : tensor<1x1x6x6x1x16xi8>)
    // CHECK: tensor.insert_slice %[[FOUND]] into %{{.*}}[0, 0, 1, 1, 0, 0] [1, 1, 4, 4, 1, 16]
    %2 = graph.lookup %1, %table {graph.packed, graph.placement = #graph.placement<kernel = "t", target = #te.host>} : (tensor<1x16x4x4xi8>, tensor<1x256xi8>) -> tensor<1x16x4x4xi8>
    %3 = graph.max_pool %2 {graph.placement = #graph.placement<kernel = "p", target = #vta>, kernel_shape = array<i64: 3, 3>, strides = array<i64: 2, 2>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>}
        : (tensor<1x16x4x4xi8>) -> tensor<1x16x2x2xi8>
    return %3 : tensor<1x16x2x2xi8>
  }
}

// -----

#vta = #vta.config<log_batch = 0, log_block = 4>

// CHECK-DAG: #[[DIAGONAL:.*]] = affine_map<(d0, d1, d2, d3, d4, d5, d6, d7, d8, d9) -> (d0, d1 + d4, d2 + d5, d3 + d6, d7, d9)>
// CHECK-DAG: #[[SECTIONS:.*]] = affine_map<(d0, d1, d2, d3, d4, d5, d6, d7, d8, d9, d10) -> (d0, d1 * 2 + d5, d3 + d6, d4 + d7, d8, d10)>
// CHECK-DAG: #[[TILES:.*]] = affine_map<(d0, d1, d2, d3, d4, d5, d6, d7, d8, d9, d10) -> (d1 * 2 + d2, d5, d6, d7, d9, d10)>
// CHECK-DAG: #[[BIAS:.*]] = affine_map<(d0, d1, d2, d3, d4, d5, d6, d7) -> (d1 * 2 + d2, d6, d7)>
module attributes {vta.config = #vta} {
  // A block of channels is computed from the one at the same place.
  // CHECK-LABEL: @depthwise
  func.func @depthwise(%x: tensor<1x20x8x8xi8>) -> tensor<1x20x6x6xi8> {
    %w = graph.constant dense<3> : tensor<20x1x3x3xi8> : tensor<20x1x3x3xi8>
    %b = graph.constant dense<0> : tensor<20xi32> : tensor<20xi32>
    // CHECK: %[[P:.*]] = graph.pack {{.*}} -> tensor<1x2x8x8x1x16xi8>
    // CHECK: linalg.generic {indexing_maps = [#[[DIAGONAL]], {{.*}} ins(%[[P]], %{{.*}} : tensor<1x2x8x8x1x16xi8>, tensor<2x1x3x3x16x16xi8>) outs(%{{.*}} : tensor<1x2x6x6x1x16xi32>)
    %0 = graph.conv_integer %x, %w, %b {graph.placement = #graph.placement<kernel = "k", target = #vta>, strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, group = 20 : i64}
        : (tensor<1x20x8x8xi8>, tensor<20x1x3x3xi8>, tensor<20xi32>) -> tensor<1x20x6x6xi32>
    %1 = graph.requantize %0 {graph.placement = #graph.placement<kernel = "k", target = #vta>, pre_shift = array<i32: 3>, multiplier = array<i32: 1>, post_shift = array<i32: 0>} : (tensor<1x20x6x6xi32>) -> tensor<1x20x6x6xi8>
    return %1 : tensor<1x20x6x6xi8>
  }

  // Groups of two blocks each read their own blocks only; where readers want a border, it surrounds both sections.
  // CHECK-LABEL: @sections
  func.func @sections(%x: tensor<1x64x6x6xi8>) -> tensor<1x64x6x6xi8> {
    %w = graph.constant dense<1> : tensor<64x32x1x1xi8> : tensor<64x32x1x1xi8>
    %b = graph.constant dense<[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31,
        0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31]> : tensor<64xi32> : tensor<64xi32>
    // CHECK: linalg.generic {indexing_maps = [#[[SECTIONS]], #[[TILES]], {{.*}} outs(%{{.*}} : tensor<1x2x2x6x6x1x16xi32>)
    // CHECK: linalg.generic {indexing_maps = [#{{.*}}, #[[BIAS]], {{.*}} ins(%{{.*}} : tensor<1x1x16xi8>, tensor<4x16x16xi8>)
    // CHECK: %[[FILL:.*]] = linalg.fill {{.*}} -> tensor<1x2x2x8x8x1x16xi8>
    // CHECK: %[[INSIDE:.*]] = tensor.extract_slice %[[FILL]][0, 0, 0, 1, 1, 0, 0] [1, 2, 2, 6, 6, 1, 16]
    // CHECK: linalg.generic {{.*}} outs(%[[INSIDE]]
    // CHECK: %[[Q:.*]] = tensor.insert_slice {{.*}} into %[[FILL]]
    // CHECK: graph.reshape %[[Q]] : (tensor<1x2x2x8x8x1x16xi8>) -> tensor<1x4x8x8x1x16xi8>
    %0 = graph.conv_integer %x, %w, %b {graph.placement = #graph.placement<kernel = "k", target = #vta>, strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, group = 2 : i64}
        : (tensor<1x64x6x6xi8>, tensor<64x32x1x1xi8>, tensor<64xi32>) -> tensor<1x64x6x6xi32>
    %1 = graph.requantize %0 {graph.placement = #graph.placement<kernel = "k", target = #vta>, pre_shift = array<i32: 3>, multiplier = array<i32: 1>, post_shift = array<i32: 0>} : (tensor<1x64x6x6xi32>) -> tensor<1x64x6x6xi8>
    %2 = graph.max_pool %1 {graph.placement = #graph.placement<kernel = "p", target = #vta>, kernel_shape = array<i64: 3, 3>, strides = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>}
        : (tensor<1x64x6x6xi8>) -> tensor<1x64x6x6xi8>
    return %2 : tensor<1x64x6x6xi8>
  }

  // Groups of 24 channels begin inside of blocks: a band of three blocks, with zeros outside.
  // CHECK-LABEL: @band
  func.func @band(%x: tensor<1x96x4x4xi8>) -> tensor<1x96x4x4xi8> {
    %w = graph.constant dense<1> : tensor<96x24x1x1xi8> : tensor<96x24x1x1xi8>
    %b = graph.constant dense<0> : tensor<96xi32> : tensor<96xi32>
    // CHECK: %[[PAD:.*]] = tensor.pad {{.*}} low[0, 1, 0, 0, 0, 0] high[0, 1, 0, 0, 0, 0]
    // CHECK: linalg.generic {indexing_maps = [#[[DIAGONAL]], {{.*}} ins(%[[PAD]], %{{.*}} : tensor<1x8x4x4x1x16xi8>, tensor<6x3x1x1x16x16xi8>)
    %0 = graph.conv_integer %x, %w, %b {graph.placement = #graph.placement<kernel = "k", target = #vta>, strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, group = 4 : i64}
        : (tensor<1x96x4x4xi8>, tensor<96x24x1x1xi8>, tensor<96xi32>) -> tensor<1x96x4x4xi32>
    %1 = graph.requantize %0 {graph.placement = #graph.placement<kernel = "k", target = #vta>, pre_shift = array<i32: 3>, multiplier = array<i32: 1>, post_shift = array<i32: 0>} : (tensor<1x96x4x4xi32>) -> tensor<1x96x4x4xi8>
    return %1 : tensor<1x96x4x4xi8>
  }
}

// -----

#vta = #vta.config<log_batch = 0, log_block = 4>

// CHECK-DAG: #[[WINDOW:.*]] = affine_map<(d0, d1, d2, d3, d4, d5, d6, d7, d8, d9) -> (d0, d4, d2 * 3 + d5 * 2, d3 + d6, d7, d9)>
module attributes {vta.config = #vta} {
  // Four taps of a window of 5 x 3, of stride 2, lie side by side; the rest is a window of 3 x 2 on the grid of the stride.
  // The host pads.
  // CHECK-LABEL: @fold
  func.func @fold(%x: tensor<1x3x9x9xi8>) -> tensor<1x16x3x5xi8> {
    %w = graph.constant dense<1> : tensor<16x3x5x3xi8> : tensor<16x3x5x3xi8>
    %b = graph.constant dense<0> : tensor<16xi32> : tensor<16xi32>
    // CHECK: %[[P:.*]] = graph.pack %arg0 {{.*}}halo = array<i64: 1, 1, 2, 2>, pad_value = 5 : i8, strides = array<i64: 1, 2>, tiles = array<i64: 1, 16>, window = array<i64: 2, 2>} : (tensor<1x3x9x9xi8>) -> tensor<1x1x11x6x1x16xi8>
    // CHECK: linalg.generic {indexing_maps = [#[[WINDOW]], {{.*}} ins(%[[P]], %{{.*}} : tensor<1x1x11x6x1x16xi8>, tensor<1x1x3x2x16x16xi8>)
    %0 = graph.conv_integer %x, %w, %b {graph.placement = #graph.placement<kernel = "k", target = #vta>, vta.fold = array<i64: 2, 2>, strides = array<i64: 3, 2>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>, pad_value = 5 : i8}
        : (tensor<1x3x9x9xi8>, tensor<16x3x5x3xi8>, tensor<16xi32>) -> tensor<1x16x3x5xi32>
    %1 = graph.requantize %0 {graph.placement = #graph.placement<kernel = "k", target = #vta>, pre_shift = array<i32: 3>, multiplier = array<i32: 1>, post_shift = array<i32: 0>} : (tensor<1x16x3x5xi32>) -> tensor<1x16x3x5xi8>
    return %1 : tensor<1x16x3x5xi8>
  }
}

// -----

#vta = #vta.config<log_batch = 0, log_block = 4>

module attributes {vta.config = #vta} {
  func.func @too_many(%x: tensor<1x3x9x9xi8>) -> tensor<1x16x9x9xi32> {
    %w = graph.constant dense<1> : tensor<16x3x1x1xi8> : tensor<16x3x1x1xi8>
    %b = graph.constant dense<0> : tensor<16xi32> : tensor<16xi32>
    // expected-error @+1 {{cannot fold 1, 2 taps of its window: it has group 1 and a window of 1, 1}}
    %0 = graph.conv_integer %x, %w, %b {graph.placement = #graph.placement<kernel = "k", target = #vta>, vta.fold = array<i64: 1, 2>, strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>}
        : (tensor<1x3x9x9xi8>, tensor<16x3x1x1xi8>, tensor<16xi32>) -> tensor<1x16x9x9xi32>
    return %0 : tensor<1x16x9x9xi32>
  }
}

// -----

// expected-error @+1 {{attribute "vta.fold" must be an array of two positive i64}}
module attributes {vta.fold = array<i64: 1, 0>} {}

// -----

#vta = #vta.config<dialect = public>

// In the dialect `public` there are neither products nor shifts to the left, only sums of a value with itself.
module attributes {vta.config = #vta} {
  // CHECK-LABEL: @public
  func.func @public(%x: tensor<1x16xi8>) -> tensor<1x16xi8> {
    %w = graph.constant dense<1> : tensor<16x16xi8> : tensor<16x16xi8>
    %b = graph.constant dense<1> : tensor<16xi32> : tensor<16xi32>
    // CHECK: outs(%{{.*}} : tensor<1x1x1x1x1x16xi32>)
    // CHECK: arith.muli
    // CHECK-NOT: arith.muli
    // CHECK-NOT: arith.shli
    // CHECK: ins(%[[ACC:.*]] : tensor<1x1x1x1x1x16xi32>) outs(%[[ACC]] : tensor<1x1x1x1x1x16xi32>)
    // The result is floor(acc / 32) + ceil((acc - 16) / 32), rounded to half even.
    // CHECK: arith.constant 7 : i32
    // CHECK-NEXT: arith.addi
    // CHECK: arith.constant 4 : i32
    // CHECK-NEXT: arith.shrsi
    // CHECK: arith.constant 5 : i32
    // CHECK-NEXT: arith.shrsi
    // CHECK-NOT: arith.muli
    // CHECK-NOT: arith.shli
    // CHECK: arith.trunci
    %0 = graph.gemm_integer %x, %w, %b {graph.placement = #graph.placement<kernel = "g", target = #vta>} : (tensor<1x16xi8>, tensor<16x16xi8>, tensor<16xi32>) -> tensor<1x16xi32>
    %1 = graph.requantize %0 {graph.placement = #graph.placement<kernel = "g", target = #vta>, pre_shift = array<i32: -2>, multiplier = array<i32: 1>, post_shift = array<i32: 4>,
        rounding = #graph.rounding<half_even>} : (tensor<1x16xi32>) -> tensor<1x16xi8>
    return %1 : tensor<1x16xi8>
  }
}

// -----

#vta = #vta.config<log_batch = 0, log_block = 4>

module attributes {vta.config = #vta} {
  func.func @leaves(%x: tensor<1x16x4x4xi8>) -> tensor<1x16x1x1xi32> {
    // expected-error @+1 {{an accumulator leaves the kernel}}
    %0 = graph.global_sum_integer %x {graph.placement = #graph.placement<kernel = "a", target = #vta>} : (tensor<1x16x4x4xi8>) -> tensor<1x16x1x1xi32>
    return %0 : tensor<1x16x1x1xi32>
  }
}

// -----

#one = #vta.config<log_block = 4>
#other = #vta.config<log_block = 4, log_acc_buff_size = 16>

func.func @two(%x: tensor<1x16x4x4xi8>) -> (tensor<1x16x1x1xi32>, tensor<1x16x1x1xi32>) {
  %0 = graph.global_sum_integer %x {graph.placement = #graph.placement<kernel = "a", target = #one>} : (tensor<1x16x4x4xi8>) -> tensor<1x16x1x1xi32>
  // expected-error @+1 {{is assigned to another accelerator than the operators before it}}
  %1 = graph.global_sum_integer %x {graph.placement = #graph.placement<kernel = "b", target = #other>} : (tensor<1x16x4x4xi8>) -> tensor<1x16x1x1xi32>
  return %0, %1 : tensor<1x16x1x1xi32>, tensor<1x16x1x1xi32>
}

// -----

#vta = #vta.config<log_batch = 0, log_block = 4>

// Of steps that round down only the product has a value per channel, beside the bias that the matrix unit adds.
module attributes {vta.config = #vta} {
  // CHECK: #[[CHANNEL:.*]] = affine_map<(d0, d1, d2, d3, d4, d5) -> (d1, d4, d5)>
  // CHECK-LABEL: @down
  func.func @down(%x: tensor<1x16xi8>) -> tensor<1x2xi8> {
    %w = graph.constant dense<1> : tensor<2x16xi8> : tensor<2x16xi8>
    %b = graph.constant dense<[1, 2]> : tensor<2xi32> : tensor<2xi32>
    %0 = graph.gemm_integer %x, %w, %b {graph.placement = #graph.placement<kernel = "g", target = #vta>} : (tensor<1x16xi8>, tensor<2x16xi8>, tensor<2xi32>) -> tensor<1x2xi32>
    // CHECK: arith.constant 2 : i32
    // CHECK-NEXT: arith.shrsi
    // CHECK: linalg.generic {indexing_maps = [#[[CHANNEL]], {{.*}} ins(%{{.*}} : tensor<1x1x16xi32>)
    // CHECK: arith.muli
    // CHECK: arith.constant 17 : i32
    // CHECK-NEXT: arith.shrsi
    // CHECK-NOT: arith.addi
    // CHECK: arith.constant -128 : i32
    // CHECK-NEXT: arith.maxsi
    // CHECK: arith.constant 127 : i32
    // CHECK-NEXT: arith.minsi
    // CHECK: arith.trunci
    %1 = graph.requantize %0 {graph.placement = #graph.placement<kernel = "g", target = #vta>, pre_shift = array<i32: 2>, multiplier = array<i32: 40000, 50000>, post_shift = array<i32: 17>,
        out_lo = -128 : i32, out_hi = 127 : i32, rounding = #graph.rounding<down>} : (tensor<1x2xi32>) -> tensor<1x2xi8>
    return %1 : tensor<1x2xi8>
  }
}

// -----

#vta = #vta.config<log_batch = 0, log_block = 4, log_wgt_width = 2, log_wgt_buff_size = 17>

// Weights, those of biases among them, have the accelerator's width; the inputs that biases are products with do not.
module attributes {vta.config = #vta} {
  // CHECK-LABEL: @narrow
  func.func @narrow(%x: tensor<1x16xi8>) -> tensor<1x2xi8> {
    %w = graph.constant dense<-8> : tensor<2x16xi8> : tensor<2x16xi8>
    %b = graph.constant dense<[1, 200]> : tensor<2xi32> : tensor<2xi32>
    // CHECK: %[[W:.*]] = graph.constant {{.*}} : tensor<1x1x1x1x16x16xi4>
    // CHECK: linalg.generic {{.*}} ins({{.*}}, %[[W]] : tensor<1x1x1x1x1x16xi8>, tensor<1x1x1x1x16x16xi4>)
    // CHECK: linalg.generic {{.*}} : tensor<1x1x16xi8>, tensor<1x16x16xi4>)
    %0 = graph.gemm_integer %x, %w, %b {graph.placement = #graph.placement<kernel = "g", target = #vta>} : (tensor<1x16xi8>, tensor<2x16xi8>, tensor<2xi32>) -> tensor<1x2xi32>
    %1 = graph.requantize %0 {graph.placement = #graph.placement<kernel = "g", target = #vta>, pre_shift = array<i32: 2>, multiplier = array<i32: 1>, post_shift = array<i32: 0>} : (tensor<1x2xi32>) -> tensor<1x2xi8>
    return %1 : tensor<1x2xi8>
  }
}

// -----

#vta = #vta.config<log_batch = 0, log_block = 4, log_wgt_width = 2, log_wgt_buff_size = 17>

module attributes {vta.config = #vta} {
  func.func @wide(%x: tensor<1x16xi8>) -> tensor<1x2xi8> {
    %w = graph.constant dense<8> : tensor<2x16xi8> : tensor<2x16xi8>
    %b = graph.constant dense<0> : tensor<2xi32> : tensor<2xi32>
    // expected-error @+1 {{weights are not constants of 4 bits}}
    %0 = graph.gemm_integer %x, %w, %b {graph.placement = #graph.placement<kernel = "g", target = #vta>} : (tensor<1x16xi8>, tensor<2x16xi8>, tensor<2xi32>) -> tensor<1x2xi32>
    %1 = graph.requantize %0 {graph.placement = #graph.placement<kernel = "g", target = #vta>, pre_shift = array<i32: 2>, multiplier = array<i32: 1>, post_shift = array<i32: 0>} : (tensor<1x2xi32>) -> tensor<1x2xi8>
    return %1 : tensor<1x2xi8>
  }
}
