// RUN: acc-opt %s -graph-legalize-quantization -canonicalize | FileCheck %s

!q = !quant.uniform<i8:f32, 0.02:-3>
!u = !quant.uniform<u8:f32, 0.02:125>
!narrow = !quant.uniform<i8:f32, 0.02:5>
!wide = !quant.uniform<i8:f32, 1.0e+4>
!fine = !quant.uniform<i8:f32, 1.0e-4:-3>
!three = !quant.uniform<i8:f32, 6.6666667e-3>

// int8 and uint8 that mean the same are the same integers.
// CHECK-LABEL: func.func @same(
// CHECK: %[[I:.*]] = graph.storage_cast %arg0
// CHECK: %[[U:.*]] = graph.rebase %[[I]]
// CHECK: graph.storage_cast %[[U]]
// CHECK-NOT: graph.requantize
func.func @same(%q: tensor<4x!q>) -> tensor<4x!u> {
  %x = graph.dequantize_linear %q : (tensor<4x!q>) -> tensor<4xf32>
  %y = graph.quantize_linear %x : (tensor<4xf32>) -> tensor<4x!u>
  return %y : tensor<4x!u>
}

// CHECK-LABEL: func.func @relu(
// CHECK: %[[S:.*]] = graph.weighted_sum %{{.*}} {bias = 3 : i32, multipliers = array<i32: 1>}
// CHECK: graph.requantize %[[S]] {clip_hi = array<i32: 122>, clip_lo = array<i32: 0>, multiplier = array<i32: 1>, post_shift = array<i32: 0>, pre_shift = array<i32: 0>, zero_point = 5 : i32}
func.func @relu(%q: tensor<4x!q>) -> tensor<4x!narrow> {
  %x = graph.dequantize_linear %q : (tensor<4x!q>) -> tensor<4xf32>
  %r = graph.relu %x : (tensor<4xf32>) -> tensor<4xf32>
  %y = graph.quantize_linear %r : (tensor<4xf32>) -> tensor<4x!narrow>
  return %y : tensor<4x!narrow>
}

// Every result of so coarse a scale is zero.
// CHECK-LABEL: func.func @vanishing(
// CHECK: graph.requantize %{{.*}} {multiplier = array<i32: 0>, post_shift = array<i32: 0>, pre_shift = array<i32: 0>}
func.func @vanishing(%q: tensor<4x!q>) -> tensor<4x!wide> {
  %x = graph.dequantize_linear %q : (tensor<4x!q>) -> tensor<4xf32>
  %y = graph.quantize_linear %x : (tensor<4xf32>) -> tensor<4x!wide>
  return %y : tensor<4x!wide>
}

// One step of the input is 200 of the output.
// CHECK-LABEL: func.func @saturating(
// CHECK: graph.weighted_sum %{{.*}} {bias = 600 : i32, multipliers = array<i32: 200>}
// CHECK: graph.requantize %{{.*}} {clip_hi = array<i32: 130>, clip_lo = array<i32: -125>, multiplier = array<i32: 1>, post_shift = array<i32: 0>, pre_shift = array<i32: 0>, zero_point = -3 : i32}
func.func @saturating(%q: tensor<4x!q>) -> tensor<4x!fine> {
  %x = graph.dequantize_linear %q : (tensor<4x!q>) -> tensor<4xf32>
  %y = graph.quantize_linear %x : (tensor<4xf32>) -> tensor<4x!fine>
  return %y : tensor<4x!fine>
}

// Steps of three: no accumulator is exactly 127, so that the result is clamped.
// CHECK-LABEL: func.func @steps(
// CHECK: graph.gemm_integer
// CHECK: graph.requantize %{{.*}} {clip_hi = array<i32: 43>, clip_lo = array<i32: -43>, multiplier = array<i32: 3>, out_hi = 127 : i32, out_lo = -128 : i32, post_shift = array<i32: 0>, pre_shift = array<i32: 0>}
func.func @steps(%q: tensor<1x1x!q>) -> tensor<1x1x!three> {
  %x = graph.dequantize_linear %q : (tensor<1x1x!q>) -> tensor<1x1xf32>
  %wq = graph.constant dense<7> : tensor<1x1xi8> : tensor<1x1x!quant.uniform<i8:f32, 1.0>>
  %w = graph.dequantize_linear %wq : (tensor<1x1x!quant.uniform<i8:f32, 1.0>>) -> tensor<1x1xf32>
  %g = graph.gemm %x, %w : (tensor<1x1xf32>, tensor<1x1xf32>) -> tensor<1x1xf32>
  %y = graph.quantize_linear %g : (tensor<1x1xf32>) -> tensor<1x1x!three>
  return %y : tensor<1x1x!three>
}

!u4 = !quant.uniform<u4:f32, 0.25:9>
!i4 = !quant.uniform<i4:f32, 0.5:-2>

// Integers of 4 bits are bytes inside of the integer graph.
// CHECK-LABEL: func.func @narrow(
// CHECK: %[[I:.*]] = graph.storage_cast %arg0 : (tensor<4x!quant.uniform<u4:f32, 2.500000e-01:9>>) -> tensor<4xui4>
// CHECK: %[[B:.*]] = graph.rebase %[[I]] : (tensor<4xui4>) -> tensor<4xi8>
// CHECK: %[[S:.*]] = graph.weighted_sum %[[B]]
// CHECK: %[[Q:.*]] = graph.requantize %[[S]] {bits = 4 : i32
// CHECK: %[[N:.*]] = graph.rebase %[[Q]] : (tensor<4xi8>) -> tensor<4xi4>
// CHECK: graph.storage_cast %[[N]] : (tensor<4xi4>) -> tensor<4x!quant.uniform<i4:f32, 5.000000e-01:-2>>
func.func @narrow(%q: tensor<4x!u4>) -> tensor<4x!i4> {
  %x = graph.dequantize_linear %q : (tensor<4x!u4>) -> tensor<4xf32>
  %y = graph.quantize_linear %x : (tensor<4xf32>) -> tensor<4x!i4>
  return %y : tensor<4x!i4>
}
