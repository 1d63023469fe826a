// RUN: acc-opt --canonicalize --split-input-file --verify-diagnostics %s | FileCheck %s

// CHECK-LABEL: @round_trip
func.func @round_trip(%x: tensor<3x20x4x4xi8>) -> tensor<2x2x6x5x2x16xi8> {
  // CHECK: graph.pack %arg0 {halo = array<i64: 1, 0, 1, 1>, pad_value = -128 : i8, tiles = array<i64: 2, 16>}
  // CHECK-SAME: (tensor<3x20x4x4xi8>) -> tensor<2x2x6x5x2x16xi8>
  %0 = graph.pack %x {halo = array<i64: 1, 0, 1, 1>, pad_value = -128 : i8, tiles = array<i64: 2, 16>} : (tensor<3x20x4x4xi8>) -> tensor<2x2x6x5x2x16xi8>
  return %0 : tensor<2x2x6x5x2x16xi8>
}

// CHECK-LABEL: @cancel
func.func @cancel(%x: tensor<1x2x4x4x1x16xi8>, %y: tensor<1x20x4x4xi8>) -> (tensor<1x2x4x4x1x16xi8>, tensor<1x20x4x4xi8>) {
  // CHECK-NEXT: return %arg0, %arg1
  %0 = graph.unpack %x : (tensor<1x2x4x4x1x16xi8>) -> tensor<1x20x4x4xi8>
  %1 = graph.pack %0 {tiles = array<i64: 1, 16>} : (tensor<1x20x4x4xi8>) -> tensor<1x2x4x4x1x16xi8>
  %2 = graph.pack %y {halo = array<i64: 1, 1, 1, 1>, tiles = array<i64: 1, 16>} : (tensor<1x20x4x4xi8>) -> tensor<1x2x6x6x1x16xi8>
  %3 = graph.unpack %2 {halo = array<i64: 1, 1, 1, 1>} : (tensor<1x2x6x6x1x16xi8>) -> tensor<1x20x4x4xi8>
  return %1, %3 : tensor<1x2x4x4x1x16xi8>, tensor<1x20x4x4xi8>
}

// CHECK-LABEL: @window
func.func @window(%x: tensor<1x3x8x9xi8>) -> tensor<1x2x4x9x1x16xi8> {
  // CHECK: graph.pack %arg0 {halo = array<i64: 1, 1, 0, 3>, strides = array<i64: 2, 1>, tiles = array<i64: 1, 16>, window = array<i64: 2, 5>}
  %0 = graph.pack %x {halo = array<i64: 1, 1, 0, 3>, strides = array<i64: 2, 1>, tiles = array<i64: 1, 16>, window = array<i64: 2, 5>} : (tensor<1x3x8x9xi8>) -> tensor<1x2x4x9x1x16xi8>
  return %0 : tensor<1x2x4x9x1x16xi8>
}

// Elements of a window are channels; one column of the input is in none, and a row of the halo is in the last two.
// CHECK-LABEL: @constant_window
func.func @constant_window() -> tensor<1x1x1x2x1x4xi8> {
  // CHECK: graph.constant dense<{{\[\[\[\[\[\[}}1, 2, 9, 9]], {{\[\[}}3, 4, 9, 9]]]]]]> : tensor<1x1x1x2x1x4xi8>
  %0 = graph.constant dense<[[[[1, 2, 3, 4, 5]]]]> : tensor<1x1x1x5xi8> : tensor<1x1x1x5xi8>
  %1 = graph.pack %0 {halo = array<i64: 0, 0, 1, 0>, pad_value = 9 : i8, strides = array<i64: 1, 2>, tiles = array<i64: 1, 4>, window = array<i64: 2, 2>} : (tensor<1x1x1x5xi8>) -> tensor<1x1x1x2x1x4xi8>
  return %1 : tensor<1x1x1x2x1x4xi8>
}

// CHECK-LABEL: @constant
func.func @constant() -> (tensor<1x2x1x2x1x2xi8>, tensor<1x1x3x1x1x2xi8>) {
  // CHECK-DAG: graph.constant dense<{{\[\[\[\[\[\[}}1, 3]], {{\[\[}}2, 4]]]], {{\[\[\[\[}}5, 9]], {{\[\[}}6, 9]]]]]]> : tensor<1x2x1x2x1x2xi8>
  %0 = graph.constant dense<[[[[1, 2]], [[3, 4]], [[5, 6]]]]> : tensor<1x3x1x2xi8> : tensor<1x3x1x2xi8>
  %1 = graph.pack %0 {pad_value = 9 : i8, tiles = array<i64: 1, 2>} : (tensor<1x3x1x2xi8>) -> tensor<1x2x1x2x1x2xi8>
  // CHECK-DAG: graph.constant dense<{{\[\[\[\[\[\[}}0, 0]]], {{\[\[\[}}7, 7]]], {{\[\[\[}}0, 0]]]]]]> : tensor<1x1x3x1x1x2xi8>
  %2 = graph.constant dense<7> : tensor<1x2x1x1xi8> : tensor<1x2x1x1xi8>
  %3 = graph.pack %2 {halo = array<i64: 1, 0, 1, 0>, tiles = array<i64: 1, 2>} : (tensor<1x2x1x1xi8>) -> tensor<1x1x3x1x1x2xi8>
  return %1, %3 : tensor<1x2x1x2x1x2xi8>, tensor<1x1x3x1x1x2xi8>
}

// Sequences: positions follow each other, channels are split.
// CHECK-LABEL: @sequences
func.func @sequences(%x: tensor<3x20x40xi8>) -> (tensor<3x3x11x1x2x16xi8>, tensor<1x2x3x1x1x2xi8>) {
  // CHECK-DAG: graph.pack %arg0 {halo = array<i64: 0, 0, 1, 0>, tiles = array<i64: 2, 16>} : (tensor<3x20x40xi8>) -> tensor<3x3x11x1x2x16xi8>
  %0 = graph.pack %x {halo = array<i64: 0, 0, 1, 0>, tiles = array<i64: 2, 16>} : (tensor<3x20x40xi8>) -> tensor<3x3x11x1x2x16xi8>
  // CHECK-DAG: graph.constant dense<{{\[\[\[\[\[\[}}1, 2]]], {{\[\[\[}}4, 5]]], {{\[\[\[}}0, 0]]]], {{\[\[\[\[}}3, 0]]], {{\[\[\[}}6, 0]]], {{\[\[\[}}0, 0]]]]]]> : tensor<1x2x3x1x1x2xi8>
  %1 = graph.constant dense<[[[1, 2, 3], [4, 5, 6]]]> : tensor<1x2x3xi8> : tensor<1x2x3xi8>
  %2 = graph.pack %1 {halo = array<i64: 0, 0, 1, 0>, tiles = array<i64: 1, 2>} : (tensor<1x2x3xi8>) -> tensor<1x2x3x1x1x2xi8>
  return %0, %2 : tensor<3x3x11x1x2x16xi8>, tensor<1x2x3x1x1x2xi8>
}

// -----

func.func @sequence_halo(%x: tensor<3x20x40xi8>) -> tensor<3x3x11x2x2x16xi8> {
  // expected-error @+2 {{sequences have no halo on the left or right}}
  // expected-error @+1 {{failed to infer returned types}}
  %0 = graph.pack %x {halo = array<i64: 0, 1, 0, 0>, tiles = array<i64: 2, 16>} : (tensor<3x20x40xi8>) -> tensor<3x3x11x2x2x16xi8>
  return %0 : tensor<3x3x11x2x2x16xi8>
}

// -----

func.func @rank(%x: tensor<3x20xi8>) -> tensor<2x2x6x5x2x16xi8> {
  // expected-error @+2 {{needs a tensor with 3 or 4 axes, has 2}}
  // expected-error @+1 {{failed to infer returned types}}
  %0 = graph.pack %x {tiles = array<i64: 2, 16>} : (tensor<3x20xi8>) -> tensor<2x2x6x5x2x16xi8>
  return %0 : tensor<2x2x6x5x2x16xi8>
}

// -----

func.func @tiles(%x: tensor<1x20x4x4xi8>) -> tensor<1x2x4x4x1x16xi8> {
  // expected-error @+2 {{needs two positive tiles}}
  // expected-error @+1 {{failed to infer returned types}}
  %0 = graph.pack %x {tiles = array<i64: 0, 16>} : (tensor<1x20x4x4xi8>) -> tensor<1x2x4x4x1x16xi8>
  return %0 : tensor<1x2x4x4x1x16xi8>
}

// -----

func.func @window(%x: tensor<1x20x4x4xi8>) -> tensor<1x2x4x4x1x16xi8> {
  // expected-error @+2 {{window, strides and dilations must be two positive sizes each}}
  // expected-error @+1 {{failed to infer returned types}}
  %0 = graph.pack %x {tiles = array<i64: 1, 16>, strides = array<i64: 0, 1>} : (tensor<1x20x4x4xi8>) -> tensor<1x2x4x4x1x16xi8>
  return %0 : tensor<1x2x4x4x1x16xi8>
}

// -----

func.func @large(%x: tensor<1x20x4x4xi8>) -> tensor<1x2x4x4x1x16xi8> {
  // expected-error @+2 {{window is larger than the input and its halo}}
  // expected-error @+1 {{failed to infer returned types}}
  %0 = graph.pack %x {dilations = array<i64: 1, 2>, tiles = array<i64: 1, 16>, window = array<i64: 1, 3>, halo = array<i64: 5, 0, 0, 0>} : (tensor<1x20x4x4xi8>) -> tensor<1x2x4x4x1x16xi8>
  return %0 : tensor<1x2x4x4x1x16xi8>
}

// -----

func.func @shape(%x: tensor<1x2x4x4x1x16xi8>) -> tensor<1x40x4x4xi8> {
  // expected-error @+1 {{result of shape [1, 40, 4, 4] is packed as [1, 3, 4, 4, 1, 16], but the input has shape [1, 2, 4, 4, 1, 16]}}
  %0 = graph.unpack %x : (tensor<1x2x4x4x1x16xi8>) -> tensor<1x40x4x4xi8>
  return %0 : tensor<1x40x4x4xi8>
}
