// RUN: acc-opt %s -split-input-file -verify-diagnostics

func.func @gather_axis(%x: tensor<3xf32>, %i: tensor<2xi64>) {
  // expected-error @+2 {{'axis' is 1 but the input has rank 1}}
  // expected-error @+1 {{failed to infer returned types}}
  %0 = graph.gather %x, %i {axis = 1 : i64} : (tensor<3xf32>, tensor<2xi64>) -> tensor<2xf32>
  return
}

// -----

func.func @gather_nothing(%x: tensor<0x3xf32>, %i: tensor<2xi64>) {
  // expected-error @+2 {{reads axis 0, which has no elements}}
  // expected-error @+1 {{failed to infer returned types}}
  %0 = graph.gather %x, %i {axis = 0 : i64} : (tensor<0x3xf32>, tensor<2xi64>) -> tensor<2x3xf32>
  return
}

// -----

func.func @gather_elements_size(%x: tensor<3x3xf32>, %i: tensor<2x4xi64>) {
  // expected-error @+2 {{indices have 4 elements along axis 1 but the data only has 3}}
  // expected-error @+1 {{failed to infer returned types}}
  %0 = graph.gather_elements %x, %i {axis = 0 : i64} : (tensor<3x3xf32>, tensor<2x4xi64>) -> tensor<2x4xf32>
  return
}

// -----

func.func @gather_nd_tuple(%x: tensor<3x3xf32>, %i: tensor<2x4xi64>) {
  // expected-error @+2 {{indices are tuples of 4 for 2 axes}}
  // expected-error @+1 {{failed to infer returned types}}
  %0 = graph.gather_nd %x, %i : (tensor<3x3xf32>, tensor<2x4xi64>) -> tensor<2xf32>
  return
}

// -----

func.func @gather_nd_batch(%x: tensor<3x3xf32>, %i: tensor<2x1xi64>) {
  // expected-error @+2 {{data has 3 but indices 2 batches along axis 0}}
  // expected-error @+1 {{failed to infer returned types}}
  %0 = graph.gather_nd %x, %i {batch_dims = 1 : i64} : (tensor<3x3xf32>, tensor<2x1xi64>) -> tensor<2xf32>
  return
}

// -----

func.func @scatter_elements(%x: tensor<3xf32>, %i: tensor<2xi64>, %u: tensor<2xf16>) {
  // expected-error @+2 {{operands have different element types: 'f32' and 'f16'}}
  // expected-error @+1 {{failed to infer returned types}}
  %0 = graph.scatter_elements %x, %i, %u {axis = 0 : i64} : (tensor<3xf32>, tensor<2xi64>, tensor<2xf16>) -> tensor<3xf32>
  return
}

// -----

func.func @scatter_shape(%x: tensor<3xf32>, %i: tensor<2xi64>, %u: tensor<1xf32>) {
  // expected-error @+2 {{updates have 1 elements along axis 0 instead of 2}}
  // expected-error @+1 {{failed to infer returned types}}
  %0 = graph.scatter_elements %x, %i, %u {axis = 0 : i64} : (tensor<3xf32>, tensor<2xi64>, tensor<1xf32>) -> tensor<3xf32>
  return
}

// -----

func.func @scatter_nd_rank(%x: tensor<3x4xf32>, %i: tensor<2x1xi64>, %u: tensor<2xf32>) {
  // expected-error @+2 {{updates have rank 1 instead of 2}}
  // expected-error @+1 {{failed to infer returned types}}
  %0 = graph.scatter_nd %x, %i, %u : (tensor<3x4xf32>, tensor<2x1xi64>, tensor<2xf32>) -> tensor<3x4xf32>
  return
}

// -----

func.func @tensor_scatter_axis(%x: tensor<3x4xf32>, %u: tensor<2x4xf32>) {
  // expected-error @+2 {{'axis' is 0, which is the axis of batches}}
  // expected-error @+1 {{failed to infer returned types}}
  %0 = graph.tensor_scatter %x, %u {axis = 0 : i64} : (tensor<3x4xf32>, tensor<2x4xf32>) -> tensor<3x4xf32>
  return
}

// -----

func.func @one_hot_values(%i: tensor<3xi64>, %v: tensor<3xf32>) {
  // expected-error @+2 {{needs two values, off and on}}
  // expected-error @+1 {{failed to infer returned types}}
  %0 = graph.one_hot %i, %v {axis = 0 : i64, depth = 4 : i64} : (tensor<3xi64>, tensor<3xf32>) -> tensor<4x3xf32>
  return
}

// -----

func.func @reverse_sequence(%x: tensor<3x4xf32>, %l: tensor<3xi64>) {
  // expected-error @+2 {{has batches along axis 1 and times along axis 1 of rank 2}}
  // expected-error @+1 {{failed to infer returned types}}
  %0 = graph.reverse_sequence %x, %l {batch_axis = 1 : i64, time_axis = 1 : i64} : (tensor<3x4xf32>, tensor<3xi64>) -> tensor<3x4xf32>
  return
}

// -----

func.func @reverse_sequence_lengths(%x: tensor<3x4xf32>, %l: tensor<3xi64>) {
  // expected-error @+2 {{has 3 lengths for 4 sequences}}
  // expected-error @+1 {{failed to infer returned types}}
  %0 = graph.reverse_sequence %x, %l {batch_axis = 1 : i64, time_axis = 0 : i64} : (tensor<3x4xf32>, tensor<3xi64>) -> tensor<3x4xf32>
  return
}
