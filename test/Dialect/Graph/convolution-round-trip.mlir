// RUN: acc-opt %s | acc-opt | FileCheck %s
// RUN: acc-opt %s --mlir-print-op-generic | acc-opt | FileCheck %s

// CHECK-LABEL: func.func @convolutions
func.func @convolutions(%x: tensor<?x4x5x?xf32>, %w: tensor<4x3x3x2xf32>, %b: tensor<6xf32>, %d: tensor<8x2x3x3xf32>,
                        %o: tensor<1x18x3x3xf32>, %y: tensor<1x4x5x5xf32>, %c: tensor<?x5x5xf32>)
    -> (tensor<?x6x10x?xf32>, tensor<1x8x3x3xf32>, tensor<?x1x5x5xf32>) {
  // CHECK: graph.conv_transpose %{{.*}}, %{{.*}}, %{{.*}} {dilations = array<i64: 1, 1>, group = 2 : i64
  // CHECK-SAME: output_padding = array<i64: 1, 0>
  // CHECK-SAME: -> tensor<?x6x10x?xf32>
  %0 = graph.conv_transpose %x, %w, %b {strides = array<i64: 2, 1>, pads = array<i64: 1, 0, 1, 0>, dilations = array<i64: 1, 1>,
      output_padding = array<i64: 1, 0>, group = 2 : i64} : (tensor<?x4x5x?xf32>, tensor<4x3x3x2xf32>, tensor<6xf32>) -> tensor<?x6x10x?xf32>
  // CHECK: graph.deform_conv %{{[^,]*}}, %{{[^,]*}}, %{{[^,]*}} {dilations
  %1 = graph.deform_conv %y, %d, %o {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, group = 2 : i64}
      : (tensor<1x4x5x5xf32>, tensor<8x2x3x3xf32>, tensor<1x18x3x3xf32>) -> tensor<1x8x3x3xf32>
  // CHECK: graph.col2_im
  %2 = graph.col2_im %c {image_shape = array<i64: 5, 5>, block_shape = array<i64: 1, 5>, strides = array<i64: 1, 1>,
      pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>} : (tensor<?x5x5xf32>) -> tensor<?x1x5x5xf32>
  return %0, %1, %2 : tensor<?x6x10x?xf32>, tensor<1x8x3x3xf32>, tensor<?x1x5x5xf32>
}

// CHECK-LABEL: func.func @pools
func.func @pools(%x: tensor<?x4x8xf32>, %u: tensor<?x4x4xf32>, %i: tensor<?x4x4xi64>)
    -> (tensor<?x4x4xi64>, tensor<?x4x8xf32>, tensor<?x4x4xf32>, tensor<?x4x1xf32>, tensor<?x4x1xf32>) {
  // CHECK: graph.max_pool_indices %{{.*}} {column_major = true, dilations = array<i64: 1>
  %0 = graph.max_pool_indices %x {column_major = true, kernel_shape = array<i64: 2>, strides = array<i64: 2>, pads = array<i64: 0, 0>, dilations = array<i64: 1>}
      : (tensor<?x4x8xf32>) -> tensor<?x4x4xi64>
  // CHECK: graph.max_unpool
  %1 = graph.max_unpool %u, %i {kernel_shape = array<i64: 2>, strides = array<i64: 2>, pads = array<i64: 0, 0>}
      : (tensor<?x4x4xf32>, tensor<?x4x4xi64>) -> tensor<?x4x8xf32>
  // CHECK: graph.lp_pool %{{.*}} {dilations = array<i64: 1>, kernel_shape = array<i64: 2>, p = 3 : i64
  %2 = graph.lp_pool %x {kernel_shape = array<i64: 2>, strides = array<i64: 2>, pads = array<i64: 0, 0>, dilations = array<i64: 1>, p = 3 : i64}
      : (tensor<?x4x8xf32>) -> tensor<?x4x4xf32>
  // CHECK: graph.global_max_pool
  %3 = graph.global_max_pool %x : (tensor<?x4x8xf32>) -> tensor<?x4x1xf32>
  // CHECK: graph.global_lp_pool %{{.*}} {p = 1 : i64}
  %4 = graph.global_lp_pool %x {p = 1 : i64} : (tensor<?x4x8xf32>) -> tensor<?x4x1xf32>
  return %0, %1, %2, %3, %4 : tensor<?x4x4xi64>, tensor<?x4x8xf32>, tensor<?x4x4xf32>, tensor<?x4x1xf32>, tensor<?x4x1xf32>
}
