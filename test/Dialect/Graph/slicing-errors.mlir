// RUN: acc-opt %s -split-input-file -verify-diagnostics

func.func @slice_end(%x: tensor<8xf32>) {
  // expected-error @+2 {{reads element 8 of the 8 elements along axis 0}}
  // expected-error @+1 {{failed to infer returned types}}
  %0 = graph.slice %x {starts = array<i64: 5>, sizes = array<i64: 4>, steps = array<i64: 1>} : (tensor<8xf32>) -> tensor<4xf32>
  return
}

// -----

func.func @slice_front(%x: tensor<8xf32>) {
  // expected-error @+2 {{reads element -1 along axis 0}}
  // expected-error @+1 {{failed to infer returned types}}
  %0 = graph.slice %x {starts = array<i64: 2>, sizes = array<i64: 4>, steps = array<i64: -1>} : (tensor<8xf32>) -> tensor<4xf32>
  return
}

// -----

func.func @slice_step(%x: tensor<8xf32>) {
  // expected-error @+2 {{takes 4 steps of 0 along axis 0}}
  // expected-error @+1 {{failed to infer returned types}}
  %0 = graph.slice %x {starts = array<i64: 0>, sizes = array<i64: 4>, steps = array<i64: 0>} : (tensor<8xf32>) -> tensor<4xf32>
  return
}

// -----

func.func @slice_overflow(%x: tensor<8xf32>) {
  // expected-error @+2 {{takes 1099511627776 steps of 4294967296 along axis 0}}
  // expected-error @+1 {{failed to infer returned types}}
  %0 = graph.slice %x {starts = array<i64: 0>, sizes = array<i64: 1099511627776>, steps = array<i64: 4294967296>} : (tensor<8xf32>) -> tensor<4xf32>
  return
}

// -----

func.func @slice_operands(%x: tensor<8xf32>, %n: index) {
  // expected-error @+2 {{has 1 index operands but 0 values that are not constant}}
  // expected-error @+1 {{failed to infer returned types}}
  %0 = graph.slice %x, %n {starts = array<i64: 0>, sizes = array<i64: 4>, steps = array<i64: 1>} : (tensor<8xf32>, index) -> tensor<4xf32>
  return
}

// -----

func.func @expand_size(%x: tensor<3xf32>) {
  // expected-error @+2 {{shapes do not broadcast: size 4 meets size 3 at axis -1 from the end}}
  // expected-error @+1 {{failed to infer returned types}}
  %0 = graph.expand %x {shape = array<i64: 2, 4>} : (tensor<3xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @expand_negative(%x: tensor<1xf32>) {
  // expected-error @+2 {{wants size -3}}
  // expected-error @+1 {{failed to infer returned types}}
  %0 = graph.expand %x {shape = array<i64: -3>} : (tensor<1xf32>) -> tensor<1xf32>
  return
}

// -----

func.func @tile_repeats(%x: tensor<2x3xf32>) {
  // expected-error @+2 {{repeats axis 1 -1 times}}
  // expected-error @+1 {{failed to infer returned types}}
  %0 = graph.tile %x {repeats = array<i64: 1, -1>} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @tile_rank(%x: tensor<2x3xf32>) {
  // expected-error @+2 {{has 1 repeats for rank 2}}
  // expected-error @+1 {{failed to infer returned types}}
  %0 = graph.tile %x {repeats = array<i64: 1>} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @trilu_rank(%x: tensor<3xf32>) {
  // expected-error @+1 {{input has rank 1 but needs two axes}}
  %0 = graph.trilu %x : (tensor<3xf32>) -> tensor<3xf32>
  return
}

// -----

func.func @range_scalar(%x: tensor<1xf32>) {
  // expected-error @+2 {{operand is 'tensor<1xf32>' but must be a scalar}}
  // expected-error @+1 {{failed to infer returned types}}
  %0 = graph.range %x, %x {size = 3 : i64} : (tensor<1xf32>, tensor<1xf32>) -> tensor<3xf32>
  return
}
