// RUN: acc-opt %s -split-input-file -verify-diagnostics

func.func @conv_rank(%x: tensor<4x8xi8>, %w: tensor<6x4xi8>, %b: tensor<6xi32>) {
  // expected-error@+2 {{failed to infer returned types}}
  // expected-error@+1 {{input needs at least 3 axes, has shape [4, 8]}}
  %0 = graph.conv_integer %x, %w, %b {dilations = array<i64: 1, 1>,  pads = array<i64: 0, 0, 0, 0>, strides = array<i64: 1, 1>} : (tensor<4x8xi8>, tensor<6x4xi8>, tensor<6xi32>) -> tensor<4x6xi32>
  return
}

// -----

func.func @conv_weight_rank(%x: tensor<1x4x8x8xi8>, %w: tensor<6x4x3xi8>, %b: tensor<6xi32>) {
  // expected-error@+2 {{failed to infer returned types}}
  // expected-error@+1 {{weight has 3 axes, but the input has 4}}
  %0 = graph.conv_integer %x, %w, %b {dilations = array<i64: 1, 1>,  pads = array<i64: 0, 0, 0, 0>, strides = array<i64: 1, 1>} : (tensor<1x4x8x8xi8>, tensor<6x4x3xi8>, tensor<6xi32>) -> tensor<1x6x6x6xi32>
  return
}

// -----

func.func @conv_attributes(%x: tensor<1x4x8xi8>, %w: tensor<6x4x3xi8>, %b: tensor<6xi32>) {
  // expected-error@+2 {{failed to infer returned types}}
  // expected-error@+1 {{'strides' has 2 values but 1 spatial axes need 1}}
  %0 = graph.conv_integer %x, %w, %b {dilations = array<i64: 1, 1>,  pads = array<i64: 0, 0, 0, 0>, strides = array<i64: 1, 1>} : (tensor<1x4x8xi8>, tensor<6x4x3xi8>, tensor<6xi32>) -> tensor<1x6x6xi32>
  return
}

// -----

func.func @conv_stride(%x: tensor<1x4x8x8xi8>, %w: tensor<6x4x3x3xi8>, %b: tensor<6xi32>) {
  // expected-error@+2 {{failed to infer returned types}}
  // expected-error@+1 {{'strides' holds 0, which is not within 1 and 2147483648}}
  %0 = graph.conv_integer %x, %w, %b {dilations = array<i64: 1, 1>,  pads = array<i64: 0, 0, 0, 0>, strides = array<i64: 0, 1>} : (tensor<1x4x8x8xi8>, tensor<6x4x3x3xi8>, tensor<6xi32>) -> tensor<1x6x6x6xi32>
  return
}

// -----

func.func @conv_group(%x: tensor<1x4x8x8xi8>, %w: tensor<6x2x3x3xi8>, %b: tensor<6xi32>) {
  // expected-error@+2 {{failed to infer returned types}}
  // expected-error@+1 {{group 4 does not fit input [1, 4, 8, 8] and weight [6, 2, 3, 3]}}
  %0 = graph.conv_integer %x, %w, %b {dilations = array<i64: 1, 1>, group = 4 : i64, pads = array<i64: 0, 0, 0, 0>, strides = array<i64: 1, 1>} : (tensor<1x4x8x8xi8>, tensor<6x2x3x3xi8>, tensor<6xi32>) -> tensor<1x6x6x6xi32>
  return
}

// -----

func.func @conv_bias(%x: tensor<1x4x8x8xi8>, %w: tensor<6x4x3x3xi8>, %b: tensor<5xi32>) {
  // expected-error@+2 {{failed to infer returned types}}
  // expected-error@+1 {{bias must have shape [6], has [5]}}
  %0 = graph.conv_integer %x, %w, %b {dilations = array<i64: 1, 1>,  pads = array<i64: 0, 0, 0, 0>, strides = array<i64: 1, 1>} : (tensor<1x4x8x8xi8>, tensor<6x4x3x3xi8>, tensor<5xi32>) -> tensor<1x6x6x6xi32>
  return
}

// -----

func.func @conv_window(%x: tensor<1x4x2x8xi8>, %w: tensor<6x4x3x3xi8>, %b: tensor<6xi32>) {
  // expected-error@+2 {{failed to infer returned types}}
  // expected-error@+1 {{the window spans 3 elements but the padded input has 2 along spatial axis 0}}
  %0 = graph.conv_integer %x, %w, %b {dilations = array<i64: 1, 1>,  pads = array<i64: 0, 0, 0, 0>, strides = array<i64: 1, 1>} : (tensor<1x4x2x8xi8>, tensor<6x4x3x3xi8>, tensor<6xi32>) -> tensor<1x6x0x6xi32>
  return
}

// -----

func.func @gemm(%x: tensor<2x4xi8>, %w: tensor<4x3xi8>, %b: tensor<3xi32>) {
  // expected-error@+2 {{failed to infer returned types}}
  // expected-error@+1 {{needs input (M, K) and weight (N, K), has [2, 4] and [4, 3]}}
  %0 = graph.gemm_integer %x, %w, %b : (tensor<2x4xi8>, tensor<4x3xi8>, tensor<3xi32>) -> tensor<2x3xi32>
  return
}

// -----

func.func @mat_mul_depth(%a: tensor<4x8xi8>, %b: tensor<5x8xi8>) {
  // expected-error@+2 {{failed to infer returned types}}
  // expected-error@+1 {{sums over 8 elements of a but 5 elements of b}}
  %0 = graph.matmul_integer %a, %b : (tensor<4x8xi8>, tensor<5x8xi8>) -> tensor<4x8xi32>
  return
}

// -----

func.func @mat_mul_vector(%a: tensor<8xi8>, %b: tensor<8x5xi8>) {
  // expected-error@+2 {{failed to infer returned types}}
  // expected-error@+1 {{operands have ranks 1 and 2 but must be matrices or stacks of them}}
  %0 = graph.matmul_integer %a, %b : (tensor<8xi8>, tensor<8x5xi8>) -> tensor<5xi32>
  return
}

// -----

func.func @scale_axes(%acc: tensor<1x3x8x9xi32>, %factor: tensor<8x1xi32>) {
  // expected-error@+2 {{failed to infer returned types}}
  // expected-error@+1 {{a factor has 2 axes, but the input has 4}}
  %0 = graph.scale_integer %acc, %factor : (tensor<1x3x8x9xi32>, tensor<8x1xi32>) -> tensor<1x3x8x9xi32>
  return
}

// -----

func.func @scale_sizes(%acc: tensor<1x3x8x9xi32>, %factor: tensor<1x1x9x1xi32>) {
  // expected-error@+2 {{failed to infer returned types}}
  // expected-error@+1 {{factor [1, 1, 9, 1] does not fit input [1, 3, 8, 9]}}
  %0 = graph.scale_integer %acc, %factor : (tensor<1x3x8x9xi32>, tensor<1x1x9x1xi32>) -> tensor<1x3x8x9xi32>
  return
}

// -----

func.func @sum_multipliers(%a: tensor<2x4xi8>, %b: tensor<2x4xi8>) {
  // expected-error@+2 {{failed to infer returned types}}
  // expected-error@+1 {{needs one multiplier for each of its 2 inputs}}
  %0 = graph.weighted_sum %a, %b {multipliers = array<i32: 1>} : (tensor<2x4xi8>, tensor<2x4xi8>) -> tensor<2x4xi32>
  return
}

// -----

func.func @sum_multiplier(%a: tensor<2x4xi8>, %b: tensor<2x4xi8>) {
  // expected-error@+2 {{failed to infer returned types}}
  // expected-error@+1 {{multiplier -32769 has more than 15 significant bits}}
  %0 = graph.weighted_sum %a, %b {multipliers = array<i32: 1, -32769>} : (tensor<2x4xi8>, tensor<2x4xi8>) -> tensor<2x4xi32>
  return
}

// -----

func.func @sum_shapes(%a: tensor<2x4xi8>, %b: tensor<2x3xi8>) {
  // expected-error@+2 {{failed to infer returned types}}
  // expected-error@+1 {{shapes do not broadcast: size 3 meets size 4 at axis -1 from the end}}
  %0 = graph.weighted_sum %a, %b {multipliers = array<i32: 1, 1>} : (tensor<2x4xi8>, tensor<2x3xi8>) -> tensor<2x4xi32>
  return
}

// -----

func.func @global_sum(%x: tensor<2x4xi8>) {
  // expected-error@+2 {{failed to infer returned types}}
  // expected-error@+1 {{input needs at least 3 axes, has shape [2, 4]}}
  %0 = graph.global_sum_integer %x : (tensor<2x4xi8>) -> tensor<2x4xi32>
  return
}

// -----

func.func @rebase(%x: tensor<2xi8>) {
  // expected-error@+1 {{must convert between i8 and another type}}
  %0 = graph.rebase %x : (tensor<2xi8>) -> tensor<2xi8>
  return
}

// -----

func.func @global_mean(%x: tensor<2x4xi8>) {
  // expected-error@+2 {{failed to infer returned types}}
  // expected-error@+1 {{input needs at least 3 axes, has shape [2, 4]}}
  %0 = graph.global_mean_integer %x {input_scale = 0.5 : f64, input_zero_point = 3 : i32, input_lo = -128 : i32, input_hi = 127 : i32, scale = 0.25 : f64, zero_point = -4 : i32, lo = -128 : i32, hi = 127 : i32} : (tensor<2x4xi8>) -> tensor<2x4xi8>
  return
}

// -----

func.func @global_mean_of_nothing(%x: tensor<2x4x0xi8>) {
  // expected-error@+2 {{failed to infer returned types}}
  // expected-error@+1 {{takes the mean of no elements}}
  %0 = graph.global_mean_integer %x {input_scale = 0.5 : f64, input_zero_point = 3 : i32, input_lo = -128 : i32, input_hi = 127 : i32, scale = 0.25 : f64, zero_point = -4 : i32, lo = -128 : i32, hi = 127 : i32} : (tensor<2x4x0xi8>) -> tensor<2x4x1xi8>
  return
}

// -----

func.func @global_mean_scale(%x: tensor<2x4x?xi8>) {
  // expected-error@+1 {{scale 0.000000e+00 is not a positive finite number}}
  %0 = graph.global_mean_integer %x {input_scale = 0.5 : f64, input_zero_point = 3 : i32, input_lo = -128 : i32, input_hi = 127 : i32, scale = 0.0 : f64, zero_point = -4 : i32, lo = -128 : i32, hi = 127 : i32} : (tensor<2x4x?xi8>) -> tensor<2x4x1xi8>
  return
}

// -----

func.func @global_mean_zero_point(%x: tensor<2x4x?xi8>) {
  // expected-error@+1 {{input_zero_point, input_lo and input_hi must be in [-128, 127]}}
  %0 = graph.global_mean_integer %x {input_scale = 0.5 : f64, input_zero_point = 300 : i32, input_lo = -128 : i32, input_hi = 127 : i32, scale = 0.25 : f64, zero_point = -4 : i32, lo = -128 : i32, hi = 127 : i32} : (tensor<2x4x?xi8>) -> tensor<2x4x1xi8>
  return
}

// -----

func.func @global_mean_bounds(%x: tensor<2x4x?xi8>) {
  // expected-error@+1 {{lo exceeds hi}}
  %0 = graph.global_mean_integer %x {input_scale = 0.5 : f64, input_zero_point = 3 : i32, input_lo = -128 : i32, input_hi = 127 : i32, scale = 0.25 : f64, zero_point = -4 : i32, lo = 5 : i32, hi = 4 : i32} : (tensor<2x4x?xi8>) -> tensor<2x4x1xi8>
  return
}
