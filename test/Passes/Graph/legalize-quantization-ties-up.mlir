// RUN: acc-opt %s -graph-legalize-quantization=ties-up -canonicalize | FileCheck %s

!p = !quant.uniform<i8:f32, 0.03125>
!w = !quant.uniform<i8:f32, 0.0009765625>
!s = !quant.uniform<i8:f32, 0.75>
!one = !quant.uniform<i8:f32, 1.0>
!two = !quant.uniform<i8:f32, 2.0:3>

// One shift, which sees every tie: half a step comes with the bias.
// CHECK-LABEL: func.func @power_of_two(
// CHECK: graph.constant dense<512> : tensor<2xi32>
// CHECK: graph.requantize
// CHECK-SAME: post_shift = array<i32: 10>
// CHECK-SAME: rounding = #graph.rounding<down>
func.func @power_of_two(%q: tensor<1x2x4x4x!p>) -> tensor<1x2x4x4x!p> {
  %wi = graph.constant dense<100> : tensor<2x2x1x1xi8> : tensor<2x2x1x1x!w>
  %w = graph.dequantize_linear %wi : (tensor<2x2x1x1x!w>) -> tensor<2x2x1x1xf32>
  %x = graph.dequantize_linear %q : (tensor<1x2x4x4x!p>) -> tensor<1x2x4x4xf32>
  %c = graph.conv %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>}
      : (tensor<1x2x4x4xf32>, tensor<2x2x1x1xf32>) -> tensor<1x2x4x4xf32>
  %y = graph.quantize_linear %c : (tensor<1x2x4x4xf32>) -> tensor<1x2x4x4x!p>
  return %y : tensor<1x2x4x4x!p>
}

// (0.75 a + b) / 2 is (3 a + 4 b) / 8: an odd zero point may be added before rounding.
// CHECK-LABEL: func.func @fraction(
// CHECK: graph.weighted_sum {{.*}} {bias = 28 : i32, multipliers = array<i32: 3, 4>}
// CHECK: graph.requantize
// CHECK-SAME: post_shift = array<i32: 3>
// CHECK-SAME: rounding = #graph.rounding<down>
func.func @fraction(%a: tensor<1x2x!s>, %b: tensor<1x2x!one>) -> tensor<1x2x!two> {
  %x = graph.dequantize_linear %a : (tensor<1x2x!s>) -> tensor<1x2xf32>
  %y = graph.dequantize_linear %b : (tensor<1x2x!one>) -> tensor<1x2xf32>
  %s = graph.add %x, %y : (tensor<1x2xf32>, tensor<1x2xf32>) -> tensor<1x2xf32>
  %r = graph.quantize_linear %s : (tensor<1x2xf32>) -> tensor<1x2x!two>
  return %r : tensor<1x2x!two>
}

// The run is told, too.
// CHECK-LABEL: func.func @open_mean(
// CHECK: graph.global_mean_integer {{.*}} ties_up = true
func.func @open_mean(%q: tensor<1x2x?x4x!p>) -> tensor<1x2x1x1x!p> {
  %x = graph.dequantize_linear %q : (tensor<1x2x?x4x!p>) -> tensor<1x2x?x4xf32>
  %m = graph.global_average_pool %x : (tensor<1x2x?x4xf32>) -> tensor<1x2x1x1xf32>
  %y = graph.quantize_linear %m : (tensor<1x2x1x1xf32>) -> tensor<1x2x1x1x!p>
  return %y : tensor<1x2x1x1x!p>
}
