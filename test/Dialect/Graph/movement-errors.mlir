// RUN: acc-opt %s -split-input-file -verify-diagnostics

func.func @max_pool_padding(%x: tensor<1x4x8xf32>) {
  // expected-error @+2 {{window 0 along spatial axis 0 holds nothing but padding}}
  // expected-error @+1 {{failed to infer returned types}}
  %0 = graph.max_pool %x {kernel_shape = array<i64: 2>, strides = array<i64: 1>, pads = array<i64: 2, 0>, dilations = array<i64: 1>} : (tensor<1x4x8xf32>) -> tensor<1x4x9xf32>
  return
}

// -----

func.func @average_pool_rank(%x: tensor<4x8xf32>) {
  // expected-error @+2 {{input has rank 2 but needs a batch, a channel and a spatial axis}}
  // expected-error @+1 {{failed to infer returned types}}
  %0 = graph.average_pool %x {kernel_shape = array<i64>, strides = array<i64>, pads = array<i64>, dilations = array<i64>} : (tensor<4x8xf32>) -> tensor<4x8xf32>
  return
}

// -----

func.func @constant_shape() {
  // expected-error @+1 {{value has type 'tensor<2xf32>' but the result is 'tensor<3xf32>'}}
  %0 = graph.constant dense<1.0> : tensor<2xf32> : tensor<3xf32>
  return
}

// -----

func.func @constant_storage() {
  // expected-error @+1 {{value holds 'i8' but the result stores 'ui8'}}
  %0 = graph.constant dense<1> : tensor<2xi8> : tensor<2x!quant.uniform<u8:f32, 0.5>>
  return
}

// -----

func.func @flatten(%x: tensor<2x3xf32>) {
  // expected-error @+2 {{'axis' is 3 but the input has rank 2}}
  // expected-error @+1 {{failed to infer returned types}}
  %0 = graph.flatten %x {axis = 3 : i64} : (tensor<2x3xf32>) -> tensor<6x1xf32>
  return
}

// -----

func.func @reshape(%x: tensor<2x3xf32>) {
  // expected-error @+1 {{input [2, 3] has 6 elements, but the result [8] has 8}}
  %0 = graph.reshape %x : (tensor<2x3xf32>) -> tensor<8xf32>
  return
}

// -----

func.func @reshape_per_axis(%x: tensor<2x3x!quant.uniform<i8:f32:0, {0.5, 0.25}>>) {
  // expected-error @+1 {{does not take per-axis quantized tensors}}
  %0 = graph.reshape %x : (tensor<2x3x!quant.uniform<i8:f32:0, {0.5, 0.25}>>) -> tensor<6x!quant.uniform<i8:f32:0, {0.5, 0.25}>>
  return
}

// -----

func.func @transpose(%x: tensor<2x3xf32>) {
  // expected-error @+2 {{'perm' is not a permutation of the axes}}
  // expected-error @+1 {{failed to infer returned types}}
  %0 = graph.transpose %x {perm = array<i64: 1, 1>} : (tensor<2x3xf32>) -> tensor<3x3xf32>
  return
}

// -----

func.func @concat(%x: tensor<2x3xf32>, %y: tensor<3x3xf32>) {
  // expected-error @+2 {{operands [2, 3] and [3, 3] do not fit together along axis 1}}
  // expected-error @+1 {{failed to infer returned types}}
  %0 = graph.concat %x, %y {axis = 1 : i64} : (tensor<2x3xf32>, tensor<3x3xf32>) -> tensor<2x6xf32>
  return
}

// -----

func.func @pad(%x: tensor<2x3xf32>) {
  // expected-error @+2 {{mode reflect cannot pad 3 elements by 3 along axis 1}}
  // expected-error @+1 {{failed to infer returned types}}
  %0 = graph.pad %x {pads = array<i64: 0, 3, 0, 0>, mode = #graph.pad_mode<reflect>} : (tensor<2x3xf32>) -> tensor<2x6xf32>
  return
}

// -----

func.func @squeeze(%x: tensor<2x3xf32>) {
  // expected-error @+2 {{axis 0 has size 2 and cannot be dropped}}
  // expected-error @+1 {{failed to infer returned types}}
  %0 = graph.squeeze %x {axes = array<i64: 0>} : (tensor<2x3xf32>) -> tensor<3xf32>
  return
}

// -----

func.func @unsqueeze(%x: tensor<2x3xf32>) {
  // expected-error @+2 {{'axes' holds 1 twice}}
  // expected-error @+1 {{failed to infer returned types}}
  %0 = graph.unsqueeze %x {axes = array<i64: 1, 1>} : (tensor<2x3xf32>) -> tensor<2x1x1x3xf32>
  return
}

// -----

func.func @quantize_linear(%x: tensor<2x3xf32>) {
  // expected-error @+1 {{has 2 scales but 3 elements along axis 1}}
  %0 = graph.quantize_linear %x : (tensor<2x3xf32>) -> tensor<2x3x!quant.uniform<i8:f32:1, {0.5, 0.25}>>
  return
}

// -----

func.func @dequantize_linear(%x: tensor<2x3x!quant.uniform<i8:f32:2, {0.5, 0.25}>>) {
  // expected-error @+2 {{quantized axis 2 is not an axis of rank 2}}
  // expected-error @+1 {{failed to infer returned types}}
  %0 = graph.dequantize_linear %x : (tensor<2x3x!quant.uniform<i8:f32:2, {0.5, 0.25}>>) -> tensor<2x3xf32>
  return
}

// -----

func.func @storage_cast(%x: tensor<2x3x!quant.uniform<u8:f32, 0.5>>) {
  // expected-error @+1 {{the storage is 'ui8', not 'i8'}}
  %0 = graph.storage_cast %x : (tensor<2x3x!quant.uniform<u8:f32, 0.5>>) -> tensor<2x3xi8>
  return
}
