// RUN: acc-opt %s -split-input-file -verify-diagnostics

func.func @resize_axes(%x: tensor<1x8xf32>) {
  // expected-error @+2 {{'axes' are not distinct axes of rank 2 in order}}
  // expected-error @+1 {{failed to infer returned types}}
  %0 = graph.resize %x {axes = array<i64: 1, 0>, mode = #graph.resize_mode<linear>, static_sizes = array<i64: 1, 2>} : (tensor<1x8xf32>) -> tensor<1x2xf32>
  return
}

// -----

func.func @resize_roi(%x: tensor<1x8xf32>) {
  // expected-error @+2 {{'roi' needs 2 values to crop and resize}}
  // expected-error @+1 {{failed to infer returned types}}
  %0 = graph.resize %x {axes = array<i64: 1>, mode = #graph.resize_mode<linear>, static_sizes = array<i64: 2>,
      coordinate_transformation_mode = #graph.coordinate_mode<tf_crop_and_resize>} : (tensor<1x8xf32>) -> tensor<1x2xf32>
  return
}

// -----

func.func @resize_antialias(%x: tensor<1x?xf32>) {
  // expected-error @+2 {{'antialias' needs static sizes along axis 1}}
  // expected-error @+1 {{failed to infer returned types}}
  %0 = graph.resize %x {axes = array<i64: 1>, mode = #graph.resize_mode<linear>, static_sizes = array<i64: 2>, antialias = true} : (tensor<1x?xf32>) -> tensor<1x2xf32>
  return
}

// -----

func.func @grid(%x: tensor<1x3x8x8xf32>, %g: tensor<1x4x4x3xf32>) {
  // expected-error @+2 {{grid has positions of 3 coordinates instead of 2}}
  // expected-error @+1 {{failed to infer returned types}}
  %0 = graph.grid_sample %x, %g {mode = #graph.resize_mode<linear>} : (tensor<1x3x8x8xf32>, tensor<1x4x4x3xf32>) -> tensor<1x3x4x4xf32>
  return
}

// -----

func.func @rois(%x: tensor<1x3x8x8xf32>, %r: tensor<2x4xf32>, %b: tensor<3xi64>) {
  // expected-error @+2 {{there are 2 rois but 3 batch_indices}}
  // expected-error @+1 {{failed to infer returned types}}
  %0 = graph.roi_align %x, %r, %b : (tensor<1x3x8x8xf32>, tensor<2x4xf32>, tensor<3xi64>) -> tensor<2x3x1x1xf32>
  return
}
