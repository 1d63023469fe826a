// RUN: acc-opt %s -split-input-file -verify-diagnostics

func.func @lrn(%x: tensor<1x4x8xf32>) {
  // expected-error @+1 {{'size' is 0 but must be positive}}
  %0 = graph.lrn %x {size = 0 : i64} : (tensor<1x4x8xf32>) -> tensor<1x4x8xf32>
  return
}

// -----

func.func @softmax(%x: tensor<1x4x8xf32>) {
  // expected-error @+1 {{'axis' is 3 but the input has rank 3}}
  %0 = graph.softmax %x {axis = 3 : i64} : (tensor<1x4x8xf32>) -> tensor<1x4x8xf32>
  return
}

// -----

func.func @add(%x: tensor<2x3xf32>, %y: tensor<4xf32>) {
  // expected-error @+2 {{shapes do not broadcast: size 4 meets size 3 at axis -1}}
  // expected-error @+1 {{failed to infer returned types}}
  %0 = graph.add %x, %y : (tensor<2x3xf32>, tensor<4xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @sum(%x: tensor<2x3xf32>, %y: tensor<3xi32>) {
  // expected-error @+2 {{operands have different element types: 'f32' and 'i32'}}
  // expected-error @+1 {{failed to infer returned types}}
  %0 = graph.sum %x, %y : (tensor<2x3xf32>, tensor<3xi32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @clip(%x: tensor<4xf32>) {
  // expected-error @+1 {{'min' is not a number}}
  %0 = graph.clip %x {min = 0x7FF8000000000000 : f64} : (tensor<4xf32>) -> tensor<4xf32>
  return
}

// -----

func.func @cast(%x: tensor<4xf32>) {
  // expected-error @+1 {{result has size 4 instead of 5 along axis 0}}
  %0 = graph.cast %x : (tensor<4xf32>) -> tensor<5xi8>
  return
}

// -----

func.func @narrow(%x: tensor<4xf8E5M2>) {
  // expected-error @+1 {{operand #0 must be}}
  %0 = graph.add %x, %x : (tensor<4xf8E5M2>, tensor<4xf8E5M2>) -> tensor<4xf8E5M2>
  return
}

// -----

func.func @bool(%x: tensor<4xi1>) {
  // expected-error @+1 {{operand #0 must be}}
  %0 = graph.less %x, %x : (tensor<4xi1>, tensor<4xi1>) -> tensor<4xi1>
  return
}

// -----

func.func @where(%c: tensor<4xi1>, %x: tensor<4xf32>, %y: tensor<4xf16>) {
  // expected-error @+2 {{operands have different element types: 'f32' and 'f16'}}
  // expected-error @+1 {{failed to infer returned types}}
  %0 = graph.where %c, %x, %y : (tensor<4xi1>, tensor<4xf32>, tensor<4xf16>) -> tensor<4xf32>
  return
}

// -----

func.func @empty_max() {
  // expected-error @+2 {{needs at least one operand}}
  // expected-error @+1 {{failed to infer returned types}}
  %0 = graph.max : () -> tensor<4xf32>
  return
}

// -----

func.func @round_mode(%x: tensor<4xf32>) {
  // expected-error @+1 {{'round_mode' is 'sideways', not 'up', 'down' or 'nearest'}}
  %0 = graph.cast %x {round_mode = "sideways"} : (tensor<4xf32>) -> tensor<4xf8E8M0FNU>
  return
}

// -----

func.func @bit_cast(%x: tensor<4xf32>) {
  // expected-error @+1 {{elements of 'f32' and 'i16' have different widths}}
  %0 = graph.bit_cast %x : (tensor<4xf32>) -> tensor<4xi16>
  return
}
