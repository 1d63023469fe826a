// RUN: acc-opt %s -split-input-file -verify-diagnostics

func.func @conv_group(%x: tensor<1x4x8x8xf32>, %w: tensor<6x2x3x3xf32>) {
  // expected-error @+2 {{weight has 2 input channels per group but the input has 4}}
  // expected-error @+1 {{failed to infer returned types}}
  %0 = graph.conv %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>} : (tensor<1x4x8x8xf32>, tensor<6x2x3x3xf32>) -> tensor<1x6x6x6xf32>
  return
}

// -----

func.func @conv_result(%x: tensor<1x2x8x8xf32>, %w: tensor<6x2x3x3xf32>) {
  // expected-error @+2 {{inferred type(s) 'tensor<1x6x6x6xf32>' are incompatible with return type(s) of operation 'tensor<1x6x8x8xf32>'}}
  // expected-error @+1 {{failed to infer returned types}}
  %0 = graph.conv %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>} : (tensor<1x2x8x8xf32>, tensor<6x2x3x3xf32>) -> tensor<1x6x8x8xf32>
  return
}

// -----

func.func @conv_span(%x: tensor<1x2x8x8xf32>, %w: tensor<6x2x3x3xf32>) {
  // expected-error @+2 {{the window spans 11 elements but the padded input has 8 along spatial axis 1}}
  // expected-error @+1 {{failed to infer returned types}}
  %0 = graph.conv %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 5>} : (tensor<1x2x8x8xf32>, tensor<6x2x3x3xf32>) -> tensor<1x6x6x6xf32>
  return
}

// -----

func.func @conv_strides(%x: tensor<1x2x8x8xf32>, %w: tensor<6x2x3x3xf32>) {
  // expected-error @+2 {{'strides' has 1 values but 2 spatial axes need 2}}
  // expected-error @+1 {{failed to infer returned types}}
  %0 = graph.conv %x, %w {strides = array<i64: 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>} : (tensor<1x2x8x8xf32>, tensor<6x2x3x3xf32>) -> tensor<1x6x6x6xf32>
  return
}

// -----

func.func @conv_bias(%x: tensor<1x2x8x8xf32>, %w: tensor<6x2x3x3xf32>, %b: tensor<5xf32>) {
  // expected-error @+2 {{bias is [5] but needs one element for each of 6 output channels}}
  // expected-error @+1 {{failed to infer returned types}}
  %0 = graph.conv %x, %w, %b {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>} : (tensor<1x2x8x8xf32>, tensor<6x2x3x3xf32>, tensor<5xf32>) -> tensor<1x6x6x6xf32>
  return
}

// -----

func.func @conv_dynamic(%x: tensor<*xf32>, %w: tensor<6x2x3x3xf32>) {
  // expected-error @+1 {{operand #0 must be ranked tensor of float of 16 to 64 bits or integer of 8 to 64 bits values, but got 'tensor<*xf32>'}}
  %0 = graph.conv %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>} : (tensor<*xf32>, tensor<6x2x3x3xf32>) -> tensor<?x6x6x6xf32>
  return
}

// -----

func.func @gemm(%a: tensor<2x3xf32>, %b: tensor<5x3xf32>) {
  // expected-error @+2 {{sums over 3 elements of a but 5 elements of b}}
  // expected-error @+1 {{failed to infer returned types}}
  %0 = graph.gemm %a, %b : (tensor<2x3xf32>, tensor<5x3xf32>) -> tensor<2x5xf32>
  return
}

// -----

func.func @gemm_bias(%a: tensor<2x3xf32>, %b: tensor<3x5xf32>, %c: tensor<4x2x5xf32>) {
  // expected-error @+2 {{c has rank 3 and does not broadcast to a matrix}}
  // expected-error @+1 {{failed to infer returned types}}
  %0 = graph.gemm %a, %b, %c : (tensor<2x3xf32>, tensor<3x5xf32>, tensor<4x2x5xf32>) -> tensor<2x5xf32>
  return
}

// -----

func.func @mat_mul(%a: tensor<2x3xf32>, %b: tensor<4x5xf32>) {
  // expected-error @+2 {{sums over 3 elements of a but 4 elements of b}}
  // expected-error @+1 {{failed to infer returned types}}
  %0 = graph.mat_mul %a, %b : (tensor<2x3xf32>, tensor<4x5xf32>) -> tensor<2x5xf32>
  return
}

// -----

func.func @batch_normalization(%x: tensor<1x4x8xf32>, %c: tensor<4xf32>, %d: tensor<3xf32>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{mean is [3] but needs one element for each of 4 channels}}
  %0 = graph.batch_normalization %x, %c, %c, %d, %c : (tensor<1x4x8xf32>, tensor<4xf32>, tensor<4xf32>, tensor<3xf32>, tensor<4xf32>) -> tensor<1x4x8xf32>
  return
}

// -----

func.func @index_tensor(%n: index) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{has 1 index operands but 0 values that are not constant}}
  %0 = graph.index_tensor %n {values = array<i64: 1>} : (index) -> tensor<1xi64>
  return
}

// -----

func.func @reshape_sizes(%x: tensor<?x4xf32>) {
  // expected-error @+1 {{has 0 index operands but 1 values that are not constant}}
  %0 = graph.reshape %x : (tensor<?x4xf32>) -> tensor<4x?xf32>
  return
}
