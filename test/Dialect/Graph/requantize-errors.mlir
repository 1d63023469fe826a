// RUN: acc-opt %s -split-input-file -verify-diagnostics

func.func @rq_length(%x: tensor<2x3xi32>) {
  // expected-error@+1 {{multiplier has 2 values; needs 1 or 3, one per channel}}
  %0 = graph.requantize %x {multiplier = array<i32: 5, 6>, post_shift = array<i32: 3>, pre_shift = array<i32: 0>} : (tensor<2x3xi32>) -> tensor<2x3xi8>
  return
}

// -----

func.func @rq_clip(%x: tensor<2x3xi32>) {
  // expected-error@+1 {{clip_lo exceeds clip_hi}}
  %0 = graph.requantize %x {clip_hi = array<i32: 5, 4, 6>, clip_lo = array<i32: 5>, multiplier = array<i32: 5>, post_shift = array<i32: 3>, pre_shift = array<i32: 0>} : (tensor<2x3xi32>) -> tensor<2x3xi8>
  return
}

// -----

func.func @rq_pre(%x: tensor<2x3xi32>) {
  // expected-error@+1 {{pre_shift 32 is not in [-31, 31]}}
  %0 = graph.requantize %x {multiplier = array<i32: 5>, post_shift = array<i32: 3>, pre_shift = array<i32: 32>} : (tensor<2x3xi32>) -> tensor<2x3xi8>
  return
}

// -----

func.func @rq_multiplier(%x: tensor<2x3xi32>) {
  // expected-error@+1 {{multiplier -1 is negative}}
  %0 = graph.requantize %x {multiplier = array<i32: -1>, post_shift = array<i32: 3>, pre_shift = array<i32: 0>} : (tensor<2x3xi32>) -> tensor<2x3xi8>
  return
}

// -----

func.func @rq_post(%x: tensor<2x3xi32>) {
  // expected-error@+1 {{post_shift 31 is not in [0, 30] for rounding half_up}}
  %0 = graph.requantize %x {multiplier = array<i32: 5>, post_shift = array<i32: 31>, pre_shift = array<i32: 0>} : (tensor<2x3xi32>) -> tensor<2x3xi8>
  return
}

// -----

func.func @rq_even(%x: tensor<2x3xi32>) {
  // expected-error@+1 {{post_shift 0 is not in [1, 30] for rounding half_even}}
  %0 = graph.requantize %x {multiplier = array<i32: 5>, post_shift = array<i32: 0>, pre_shift = array<i32: 0>, rounding = #graph.rounding<half_even>} : (tensor<2x3xi32>) -> tensor<2x3xi8>
  return
}

// -----

func.func @rq_mid(%x: tensor<2x3xi32>) {
  // expected-error@+1 {{addend and mid_shift are for rounding half_even}}
  %0 = graph.requantize %x {mid_shift = 4 : i32, multiplier = array<i32: 5>, post_shift = array<i32: 3>, pre_shift = array<i32: 0>} : (tensor<2x3xi32>) -> tensor<2x3xi8>
  return
}

// -----

func.func @rq_post_channels(%x: tensor<2x3xi32>) {
  // expected-error@+1 {{post_shift per channel is for rounding half_even and down}}
  %0 = graph.requantize %x {multiplier = array<i32: 5>, post_shift = array<i32: 3, 4, 5>, pre_shift = array<i32: 0>} : (tensor<2x3xi32>) -> tensor<2x3xi8>
  return
}

// -----

func.func @rq_post_length(%x: tensor<2x3xi32>) {
  // expected-error@+1 {{post_shift has 2 values; needs 1 or 3, one per channel}}
  %0 = graph.requantize %x {multiplier = array<i32: 5>, post_shift = array<i32: 3, 4>, pre_shift = array<i32: 0>, rounding = #graph.rounding<half_even>} : (tensor<2x3xi32>) -> tensor<2x3xi8>
  return
}

// -----

func.func @rq_zero_point(%x: tensor<2x3xi32>) {
  // expected-error@+1 {{zero_point 128 is not in [-128, 127]}}
  %0 = graph.requantize %x {multiplier = array<i32: 5>, post_shift = array<i32: 3>, pre_shift = array<i32: 0>, zero_point = 128 : i32} : (tensor<2x3xi32>) -> tensor<2x3xi8>
  return
}

// -----

func.func @rq_out(%x: tensor<2x3xi32>) {
  // expected-error@+1 {{out_lo exceeds out_hi}}
  %0 = graph.requantize %x {multiplier = array<i32: 5>, out_hi = 2 : i32, out_lo = 3 : i32, post_shift = array<i32: 3>, pre_shift = array<i32: 0>} : (tensor<2x3xi32>) -> tensor<2x3xi8>
  return
}

// -----

func.func @rq_bits(%x: tensor<2x3xi32>) {
  // expected-error@+1 {{bits 9 is not in [1, 8]}}
  %0 = graph.requantize %x {bits = 9 : i32, multiplier = array<i32: 5>, post_shift = array<i32: 3>, pre_shift = array<i32: 0>} : (tensor<2x3xi32>) -> tensor<2x3xi8>
  return
}
