// RUN: acc-opt %s -split-input-file -verify-diagnostics

func.func @axes(%x: tensor<2x3xf32>) {
  // expected-error @+2 {{'axes' holds 0, which is not an axis of rank 2 in increasing order}}
  // expected-error @+1 {{failed to infer returned types}}
  %0 = graph.reduce_sum %x {axes = array<i64: 1, 0>} : (tensor<2x3xf32>) -> tensor<1x1xf32>
  return
}

// -----

func.func @keepdims(%x: tensor<2x3xf32>) {
  // expected-error @+2 {{inferred type(s) 'tensor<2x1xf32>' are incompatible}}
  // expected-error @+1 {{failed to infer returned types}}
  %0 = graph.reduce_max %x {axes = array<i64: 1>} : (tensor<2x3xf32>) -> tensor<2xf32>
  return
}

// -----

func.func @nothing(%x: tensor<2x0xf32>) {
  // expected-error @+2 {{has no elements along axis 1}}
  // expected-error @+1 {{failed to infer returned types}}
  %0 = graph.arg_max %x {axis = 1 : i64} : (tensor<2x0xf32>) -> tensor<2x1xi64>
  return
}

// -----

func.func @scan(%x: tensor<2x3xf32>) {
  // expected-error @+1 {{'axis' is 2 but the input has rank 2}}
  %0 = graph.cum_sum %x {axis = 2 : i64} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @equation(%x: tensor<2x3xf32>) {
  // expected-error @+2 {{'equation' is not of the form "ij,jk->ik"}}
  // expected-error @+1 {{failed to infer returned types}}
  %0 = graph.einsum %x {equation = "ij->k"} : (tensor<2x3xf32>) -> tensor<2xf32>
  return
}

// -----

func.func @einsum_size(%x: tensor<2x3xf32>) {
  // expected-error @+2 {{axis 'i' has the sizes 2 and 3}}
  // expected-error @+1 {{failed to infer returned types}}
  %0 = graph.einsum %x {equation = "ii->i"} : (tensor<2x3xf32>) -> tensor<2xf32>
  return
}

// -----

func.func @einsum_rank(%x: tensor<2x3xf32>) {
  // expected-error @+2 {{'equation' names 1 axes of an operand of rank 2}}
  // expected-error @+1 {{failed to infer returned types}}
  %0 = graph.einsum %x {equation = "i->i"} : (tensor<2x3xf32>) -> tensor<2xf32>
  return
}

// -----

func.func @det(%x: tensor<2x3xf32>) {
  // expected-error @+2 {{needs square matrices, not 2 x 3}}
  // expected-error @+1 {{failed to infer returned types}}
  %0 = graph.det %x : (tensor<2x3xf32>) -> tensor<f32>
  return
}

// -----

func.func @parameter(%x: tensor<2x3xf32>, %s: tensor<2xf32>) {
  // expected-error @+2 {{parameter [2] does not broadcast to [2, 3]}}
  // expected-error @+1 {{failed to infer returned types}}
  %0 = graph.rms_normalization %x, %s {axes = array<i64: 1>} : (tensor<2x3xf32>, tensor<2xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @norm(%x: tensor<2x3xf32>) {
  // expected-error @+1 {{'p' is 3 but must be 1 or 2}}
  %0 = graph.lp_normalization %x {axis = 0 : i64, p = 3 : i64} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @activation(%x: tensor<5x2x3xf32>, %w: tensor<1x4x3xf32>, %r: tensor<1x4x4xf32>) {
  // expected-error @+2 {{there is no activation 'sine'}}
  // expected-error @+1 {{failed to infer returned types}}
  %0:2 = graph.rnn %x, %w, %r {direction = "forward", activations = ["sine"], activation_alpha = array<f32: 0.>,
      activation_beta = array<f32: 0.>, operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0>}
      : (tensor<5x2x3xf32>, tensor<1x4x3xf32>, tensor<1x4x4xf32>) -> (tensor<5x1x2x4xf32>, tensor<1x2x4xf32>)
  return
}

// -----

func.func @weight(%x: tensor<5x2x3xf32>, %w: tensor<1x8x3xf32>, %r: tensor<1x4x4xf32>) {
  // expected-error @+2 {{weight has the size 8 instead of 4 along axis 1}}
  // expected-error @+1 {{failed to infer returned types}}
  %0:2 = graph.rnn %x, %w, %r {direction = "forward", activations = ["tanh"], activation_alpha = array<f32: 0.>,
      activation_beta = array<f32: 0.>, operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0>}
      : (tensor<5x2x3xf32>, tensor<1x8x3xf32>, tensor<1x4x4xf32>) -> (tensor<5x1x2x4xf32>, tensor<1x2x4xf32>)
  return
}
