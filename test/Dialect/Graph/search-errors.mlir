// RUN: acc-opt %s -split-input-file -verify-diagnostics

func.func @top_k(%x: tensor<3x8xf32>) {
  // expected-error @+2 {{'k' is 4 but there are 3 elements along axis 0}}
  // expected-error @+1 {{failed to infer returned types}}
  %0:2 = graph.top_k %x {axis = 0 : i64, k = 4 : i64} : (tensor<3x8xf32>) -> (tensor<4x8xf32>, tensor<4x8xi64>)
  return
}

// -----

func.func @compress_condition(%x: tensor<3x8xf32>, %c: tensor<1x3xi1>) {
  // expected-error @+2 {{condition has rank 2 but must be a vector}}
  // expected-error @+1 {{failed to infer returned types}}
  %0:2 = graph.compress %x, %c {axis = 0 : i64} : (tensor<3x8xf32>, tensor<1x3xi1>) -> (tensor<24xf32>, tensor<i64>)
  return
}

// -----

func.func @unique_axis(%x: tensor<3xf32>) {
  // expected-error @+2 {{'axis' is 1 but the input has rank 1}}
  // expected-error @+1 {{failed to infer returned types}}
  %0:5 = graph.unique %x {axis = 1 : i64} : (tensor<3xf32>) -> (tensor<3xf32>, tensor<3xi64>, tensor<3xi64>, tensor<3xi64>, tensor<i64>)
  return
}

// -----

func.func @boxes(%b: tensor<2x6x5xf32>, %s: tensor<2x3x6xf32>, %m: tensor<i64>, %t: tensor<f32>) {
  // expected-error @+2 {{boxes have 5 numbers instead of 4}}
  // expected-error @+1 {{failed to infer returned types}}
  %0:2 = graph.non_max_suppression %b, %s, %m, %t, %t : (tensor<2x6x5xf32>, tensor<2x3x6xf32>, tensor<i64>, tensor<f32>, tensor<f32>) -> (tensor<108xi64>, tensor<i64>)
  return
}

// -----

func.func @limits(%b: tensor<2x6x4xf32>, %s: tensor<2x3x6xf32>, %m: tensor<1xi64>, %t: tensor<f32>) {
  // expected-error @+2 {{limit is 'tensor<1xi64>' but must be a scalar}}
  // expected-error @+1 {{failed to infer returned types}}
  %0:2 = graph.non_max_suppression %b, %s, %m, %t, %t : (tensor<2x6x4xf32>, tensor<2x3x6xf32>, tensor<1xi64>, tensor<f32>, tensor<f32>) -> (tensor<108xi64>, tensor<i64>)
  return
}
