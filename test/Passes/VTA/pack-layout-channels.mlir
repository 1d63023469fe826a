// RUN: acc-opt %s --split-input-file --vta-pack-layout --canonicalize | FileCheck %s

#vta = #vta.config<log_batch = 0, log_block = 4>

// Operands have the halo that the reader of the result wants, and lie in whole blocks: the convolution has weights of zero between them.
module attributes {vta.config = #vta} {
  // CHECK-LABEL: @concat
  func.func @concat(%x: tensor<1x20x4x4xi8>, %y: tensor<1x7x4x4xi8>) -> tensor<1x16x4x4xi8> {
    // CHECK: linalg.fill {{.*}}kernel = "a:halo"{{.*}} tensor<1x2x6x6x1x16xi8>
    // CHECK: %[[A:.*]] = tensor.insert_slice {{.*}} : tensor<1x2x4x4x1x16xi8> into tensor<1x2x6x6x1x16xi8>
    // CHECK: %[[B:.*]] = tensor.insert_slice {{.*}} : tensor<1x1x4x4x1x16xi8> into tensor<1x1x6x6x1x16xi8>
    // CHECK-NOT: graph.unpack
    // CHECK: %[[FIRST:.*]] = tensor.insert_slice %[[A]] into %{{.*}}[0, 0, 0, 0, 0, 0] {{.*}}kernel = "c", target = #te.host
    // CHECK: %[[BOTH:.*]] = tensor.insert_slice %[[B]] into %[[FIRST]][0, 2, 0, 0, 0, 0] {{.*}}kernel = "c", target = #te.host
    // CHECK: linalg.generic {{.*}} ins(%[[BOTH]], %{{.*}} : tensor<1x3x6x6x1x16xi8>, tensor<1x3x3x3x16x16xi8>)
    %0 = graph.max_pool %x {graph.placement = #graph.placement<kernel = "a", target = #vta>, kernel_shape = array<i64: 1, 1>, strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>}
        : (tensor<1x20x4x4xi8>) -> tensor<1x20x4x4xi8>
    %1 = graph.max_pool %y {graph.placement = #graph.placement<kernel = "b", target = #vta>, kernel_shape = array<i64: 1, 1>, strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>}
        : (tensor<1x7x4x4xi8>) -> tensor<1x7x4x4xi8>
    %2 = graph.concat %0, %1 {graph.placement = #graph.placement<kernel = "c", target = #te.host>, graph.packed, axis = 1 : i64} : (tensor<1x20x4x4xi8>, tensor<1x7x4x4xi8>) -> tensor<1x27x4x4xi8>
    %w = graph.constant dense<1> : tensor<16x27x3x3xi8> : tensor<16x27x3x3xi8>
    %b = graph.constant dense<0> : tensor<16xi32> : tensor<16xi32>
    %3 = graph.conv_integer %2, %w, %b {graph.placement = #graph.placement<kernel = "d", target = #vta>, strides = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>, pad_value = -5 : i8}
        : (tensor<1x27x4x4xi8>, tensor<16x27x3x3xi8>, tensor<16xi32>) -> tensor<1x16x4x4xi32>
    %4 = graph.requantize %3 {graph.placement = #graph.placement<kernel = "d", target = #vta>, pre_shift = array<i32: 6>, multiplier = array<i32: 1>, post_shift = array<i32: 0>}
        : (tensor<1x16x4x4xi32>) -> tensor<1x16x4x4xi8>
    return %4 : tensor<1x16x4x4xi8>
  }
}

// -----

#vta = #vta.config<log_batch = 0, log_block = 4>

module attributes {vta.config = #vta} {
  // A shuffle moves nothing, a slice is a slice of blocks: the second half of 24 shuffled channels is in both blocks.
  // CHECK-LABEL: @shuffle
  func.func @shuffle(%x: tensor<1x40x4x4xi8>) -> tensor<1x12x4x4xi8> {
    // CHECK: linalg.generic {{.*}} outs(%{{.*}} : tensor<1x3x4x4x1x16xi32>)
    // CHECK: %[[NARROW:.*]] = linalg.generic {{.*}} outs(%{{.*}} : tensor<1x3x4x4x1x16xi8>)
    // CHECK-NOT: {{graph.transpose|graph.slice}}
    // CHECK: %[[BLOCKS:.*]] = tensor.extract_slice %[[NARROW]][0, 1, 0, 0, 0, 0] [1, 2, 4, 4, 1, 16]
    // CHECK: linalg.generic {{.*}} ins(%[[BLOCKS]], %{{.*}} : tensor<1x2x4x4x1x16xi8>, tensor<1x2x1x1x16x16xi8>)
    %0 = graph.max_pool %x {graph.placement = #graph.placement<kernel = "a", target = #vta>, kernel_shape = array<i64: 1, 1>, strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>}
        : (tensor<1x40x4x4xi8>) -> tensor<1x40x4x4xi8>
    %1 = graph.reshape %0 : (tensor<1x40x4x4xi8>) -> tensor<1x20x2x4x4xi8>
    %2 = graph.transpose %1 {graph.packed, graph.placement = #graph.placement<kernel = "s", target = #te.host>, perm = array<i64: 0, 2, 1, 3, 4>} : (tensor<1x20x2x4x4xi8>) -> tensor<1x2x20x4x4xi8>
    %3 = graph.reshape %2 : (tensor<1x2x20x4x4xi8>) -> tensor<1x40x4x4xi8>
    %4 = graph.slice %3 {graph.packed, graph.placement = #graph.placement<kernel = "t", target = #te.host>, starts = array<i64: 0, 8, 0, 0>, sizes = array<i64: 1, 12, 4, 4>, steps = array<i64: 1, 1, 1, 1>} : (tensor<1x40x4x4xi8>) -> tensor<1x12x4x4xi8>
    %w = graph.constant dense<1> : tensor<12x12x1x1xi8> : tensor<12x12x1x1xi8>
    %b = graph.constant dense<0> : tensor<12xi32> : tensor<12xi32>
    %5 = graph.conv_integer %4, %w, %b {graph.placement = #graph.placement<kernel = "d", target = #vta>, strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>}
        : (tensor<1x12x4x4xi8>, tensor<12x12x1x1xi8>, tensor<12xi32>) -> tensor<1x12x4x4xi32>
    %6 = graph.requantize %5 {graph.placement = #graph.placement<kernel = "d", target = #vta>, pre_shift = array<i32: 6>, multiplier = array<i32: 1>, post_shift = array<i32: 0>}
        : (tensor<1x12x4x4xi32>) -> tensor<1x12x4x4xi8>
    return %6 : tensor<1x12x4x4xi8>
  }

  // A tensor can lie in one place only: the second operand is a copy, which the accelerator makes.
  // CHECK-LABEL: @twice
  func.func @twice(%x: tensor<1x16x4x4xi8>) -> tensor<1x32x2x2xi8> {
    // CHECK: %[[A:.*]] = tensor.insert_slice {{.*}} into tensor<1x1x6x6x1x16xi8>
    // CHECK: linalg.generic {{.*}}kernel = "a:channels", target = #vta_config
    // CHECK: %[[COPY:.*]] = tensor.insert_slice {{.*}} into tensor<1x1x6x6x1x16xi8>
    // CHECK: %[[FIRST:.*]] = tensor.insert_slice %[[A]] into %{{.*}}[0, 0, 0, 0, 0, 0]
    // CHECK: tensor.insert_slice %[[COPY]] into %[[FIRST]][0, 1, 0, 0, 0, 0]
    %0 = graph.max_pool %x {graph.placement = #graph.placement<kernel = "a", target = #vta>, kernel_shape = array<i64: 1, 1>, strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>}
        : (tensor<1x16x4x4xi8>) -> tensor<1x16x4x4xi8>
    %1 = graph.concat %0, %0 {graph.placement = #graph.placement<kernel = "c", target = #te.host>, graph.packed, axis = 1 : i64} : (tensor<1x16x4x4xi8>, tensor<1x16x4x4xi8>) -> tensor<1x32x4x4xi8>
    %2 = graph.max_pool %1 {graph.placement = #graph.placement<kernel = "b", target = #vta>, kernel_shape = array<i64: 3, 3>, strides = array<i64: 2, 2>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>}
        : (tensor<1x32x4x4xi8>) -> tensor<1x32x2x2xi8>
    return %2 : tensor<1x32x2x2xi8>
  }
}
