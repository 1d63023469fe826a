// RUN: acc-opt %s | acc-opt | FileCheck %s
// RUN: acc-opt %s --mlir-print-op-generic | acc-opt | FileCheck %s

// CHECK-LABEL: func.func @resize
func.func @resize(%x: tensor<1x3x8x?xf32>, %n: index) -> (tensor<1x3x16x?xf32>, tensor<1x3x4x?xf32>) {
  // CHECK: graph.resize %{{.*}}, %{{.*}} {axes = array<i64: 2, 3>
  // CHECK-SAME: mode = #graph.resize_mode<linear>
  // CHECK-SAME: static_sizes = array<i64: 16, -9223372036854775808>}
  // CHECK-SAME: -> tensor<1x3x16x?xf32>
  %0 = graph.resize %x, %n {axes = array<i64: 2, 3>, mode = #graph.resize_mode<linear>, static_sizes = array<i64: 16, -9223372036854775808>}
      : (tensor<1x3x8x?xf32>, index) -> tensor<1x3x16x?xf32>
  // CHECK: antialias = true
  // CHECK-SAME: coordinate_transformation_mode = #graph.coordinate_mode<tf_crop_and_resize>
  %1 = graph.resize %x {axes = array<i64: 2>, mode = #graph.resize_mode<cubic>, scales = array<f64: 0.5>, static_sizes = array<i64: 4>,
      coordinate_transformation_mode = #graph.coordinate_mode<tf_crop_and_resize>, roi = array<f64: 0.1, 0.9>, antialias = true}
      : (tensor<1x3x8x?xf32>) -> tensor<1x3x4x?xf32>
  return %0, %1 : tensor<1x3x16x?xf32>, tensor<1x3x4x?xf32>
}

// CHECK-LABEL: func.func @samples
func.func @samples(%x: tensor<?x3x8x8xf32>, %g: tensor<?x4x5x2xf32>, %r: tensor<?x4xf32>, %b: tensor<?xi64>, %p: tensor<7x5xf32>)
    -> (tensor<?x3x4x5xf32>, tensor<?x3x2x2xf32>, tensor<7x3x3x1xf32>) {
  // CHECK: graph.grid_sample %{{.*}}, %{{.*}} {align_corners = true, mode = #graph.resize_mode<cubic>, padding_mode = #graph.padding_mode<reflection>}
  %0 = graph.grid_sample %x, %g {align_corners = true, mode = #graph.resize_mode<cubic>, padding_mode = #graph.padding_mode<reflection>}
      : (tensor<?x3x8x8xf32>, tensor<?x4x5x2xf32>) -> tensor<?x3x4x5xf32>
  // CHECK: graph.roi_align %{{.*}}, %{{.*}}, %{{.*}} {half_pixel = false, mode = #graph.roi_mode<max>, output_height = 2 : i64, output_width = 2 : i64}
  %1 = graph.roi_align %x, %r, %b {half_pixel = false, mode = #graph.roi_mode<max>, output_height = 2 : i64, output_width = 2 : i64}
      : (tensor<?x3x8x8xf32>, tensor<?x4xf32>, tensor<?xi64>) -> tensor<?x3x2x2xf32>
  // CHECK: graph.max_roi_pool %{{.*}} {pooled_shape = array<i64: 3, 1>}
  %2 = graph.max_roi_pool %x, %p {pooled_shape = array<i64: 3, 1>} : (tensor<?x3x8x8xf32>, tensor<7x5xf32>) -> tensor<7x3x3x1xf32>
  return %0, %1, %2 : tensor<?x3x4x5xf32>, tensor<?x3x2x2xf32>, tensor<7x3x3x1xf32>
}
