// RUN: acc-opt %s -split-input-file -verify-diagnostics

func.func @transpose_channels(%x: tensor<1x4x5x5xf32>, %w: tensor<3x2x3x3xf32>) {
  // expected-error @+2 {{input has 4 channels but weight has 3}}
  // expected-error @+1 {{failed to infer returned types}}
  %0 = graph.conv_transpose %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, output_padding = array<i64: 0, 0>}
      : (tensor<1x4x5x5xf32>, tensor<3x2x3x3xf32>) -> tensor<1x2x7x7xf32>
  return
}

// -----

func.func @transpose_pads(%x: tensor<1x4x2x2xf32>, %w: tensor<4x2x3x3xf32>) {
  // expected-error @+2 {{pads leave -1 elements along spatial axis 1}}
  // expected-error @+1 {{failed to infer returned types}}
  %0 = graph.conv_transpose %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 5, 0, 0>, dilations = array<i64: 1, 1>, output_padding = array<i64: 0, 0>}
      : (tensor<1x4x2x2xf32>, tensor<4x2x3x3xf32>) -> tensor<1x2x4x4xf32>
  return
}

// -----

func.func @deform_offset(%x: tensor<1x1x3x3xf32>, %w: tensor<1x1x2x2xf32>, %o: tensor<1x4x2x2xf32>) {
  // expected-error @+2 {{offset has size 4 instead of 8 along axis 1}}
  // expected-error @+1 {{failed to infer returned types}}
  %0 = graph.deform_conv %x, %w, %o {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>}
      : (tensor<1x1x3x3xf32>, tensor<1x1x2x2xf32>, tensor<1x4x2x2xf32>) -> tensor<1x1x2x2xf32>
  return
}

// -----

func.func @col2_im(%c: tensor<1x5x4xf32>) {
  // expected-error @+2 {{input has 4 columns but the image has 5 blocks}}
  // expected-error @+1 {{failed to infer returned types}}
  %0 = graph.col2_im %c {image_shape = array<i64: 5, 5>, block_shape = array<i64: 1, 5>, strides = array<i64: 1, 1>,
      pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>} : (tensor<1x5x4xf32>) -> tensor<1x1x5x5xf32>
  return
}

// -----

func.func @norm(%x: tensor<1x4x8xf32>) {
  // expected-error @+2 {{'p' is 0 but must be positive}}
  // expected-error @+1 {{failed to infer returned types}}
  %0 = graph.global_lp_pool %x {p = 0 : i64} : (tensor<1x4x8xf32>) -> tensor<1x4x1xf32>
  return
}

// -----

func.func @unpool(%x: tensor<1x4x4xf32>, %i: tensor<1x4x3xi64>) {
  // expected-error @+2 {{there are 4 elements but 3 indices along an axis}}
  // expected-error @+1 {{failed to infer returned types}}
  %0 = graph.max_unpool %x, %i {kernel_shape = array<i64: 2>, strides = array<i64: 2>, pads = array<i64: 0, 0>}
      : (tensor<1x4x4xf32>, tensor<1x4x3xi64>) -> tensor<1x4x8xf32>
  return
}

// -----

func.func @gemm_integers(%a: tensor<2x3xi32>, %b: tensor<3x2xi32>) {
  // expected-error @+2 {{scales integers by 'alpha' or 'beta'}}
  // expected-error @+1 {{failed to infer returned types}}
  %0 = graph.gemm %a, %b {alpha = 0.5 : f32} : (tensor<2x3xi32>, tensor<3x2xi32>) -> tensor<2x2xi32>
  return
}
