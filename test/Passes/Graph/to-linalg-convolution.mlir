// RUN: acc-opt --graph-to-linalg --canonicalize --cse --split-input-file %s | FileCheck %s

// A transposed convolution is a convolution of what is spread, read backwards.
// CHECK-DAG: #[[X:.*]] = affine_map<(d0, d1, d2, d3, d4, d5, d6, d7) -> (d0, d5, d3 - d6 + 2, d4 - d7 + 2)>
// CHECK-LABEL: @transpose
func.func @transpose(%x: tensor<1x4x5x5xf32>, %w: tensor<4x2x3x3xf32>) -> tensor<1x2x10x10xf32> {
  // CHECK: tensor.insert_slice %{{.*}} into %{{.*}}[0, 0, 1, 1] [1, 4, 5, 5] [1, 1, 2, 2] : tensor<1x4x5x5xf32> into tensor<1x4x12x12xf32>
  // CHECK: linalg.generic {indexing_maps = [#[[X]],
  %0 = graph.conv_transpose %x, %w {strides = array<i64: 2, 2>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>, output_padding = array<i64: 1, 1>}
      : (tensor<1x4x5x5xf32>, tensor<4x2x3x3xf32>) -> tensor<1x2x10x10xf32>
  return %0 : tensor<1x2x10x10xf32>
}

// -----

// One spatial axis is an image of one row; halves are summed in f32.
// CHECK-LABEL: @line
func.func @line(%x: tensor<2x3x8xf16>, %w: tensor<4x3x3xf16>) -> tensor<2x4x6xf16> {
  // CHECK: linalg.conv_2d_nchw_fchw {{.*}} ins(%{{.*}}, %{{.*}} : tensor<2x3x1x8xf16>, tensor<4x3x1x3xf16>) outs(%{{.*}} : tensor<2x4x1x6xf32>)
  // CHECK: arith.truncf
  %0 = graph.conv %x, %w {strides = array<i64: 1>, pads = array<i64: 0, 0>, dilations = array<i64: 1>}
      : (tensor<2x3x8xf16>, tensor<4x3x3xf16>) -> tensor<2x4x6xf16>
  return %0 : tensor<2x4x6xf16>
}

// -----

// CHECK-LABEL: @volume
func.func @volume(%x: tensor<1x4x5x5x5xf32>, %w: tensor<6x2x3x3x3xf32>) -> tensor<1x6x3x3x3xf32> {
  // CHECK: linalg.generic
  // CHECK-SAME: "parallel", "parallel", "parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction", "reduction"
  %0 = graph.conv %x, %w {strides = array<i64: 1, 1, 1>, pads = array<i64: 0, 0, 0, 0, 0, 0>, dilations = array<i64: 1, 1, 1>, group = 2 : i64}
      : (tensor<1x4x5x5x5xf32>, tensor<6x2x3x3x3xf32>) -> tensor<1x6x3x3x3xf32>
  return %0 : tensor<1x6x3x3x3xf32>
}

// -----

// CHECK-DAG: #[[A:.*]] = affine_map<(d0, d1, d2, d3, d4) -> (d0, 0, d2, d4)>
// CHECK-DAG: #[[B:.*]] = affine_map<(d0, d1, d2, d3, d4) -> (d1, d4, d3)>
// CHECK-LABEL: @batches
func.func @batches(%a: tensor<2x1x3x5xi32>, %b: tensor<4x5x6xi32>) -> tensor<2x4x3x6xi32> {
  // CHECK: linalg.generic {indexing_maps = [#[[A]], #[[B]],
  // CHECK: arith.muli
  %0 = graph.mat_mul %a, %b : (tensor<2x1x3x5xi32>, tensor<4x5x6xi32>) -> tensor<2x4x3x6xi32>
  return %0 : tensor<2x4x3x6xi32>
}

// -----

// CHECK-LABEL: @unpool
func.func @unpool(%x: tensor<1x2x3xf32>, %i: tensor<1x2x3xi64>) -> tensor<1x2x6xf32> {
  // CHECK: scf.for
  // CHECK: tensor.insert
  %0 = graph.max_unpool %x, %i {kernel_shape = array<i64: 2>, strides = array<i64: 2>, pads = array<i64: 0, 0>}
      : (tensor<1x2x3xf32>, tensor<1x2x3xi64>) -> tensor<1x2x6xf32>
  return %0 : tensor<1x2x6xf32>
}
