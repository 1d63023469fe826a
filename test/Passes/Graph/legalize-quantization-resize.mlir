// RUN: acc-opt %s -graph-legalize-quantization -canonicalize | FileCheck %s

!q = !quant.uniform<i8:f32, 0.02:-3>

// Twice as many columns: one is 1/4 of its left and 3/4 of its right neighbour,
// the next 3/4 and 1/4. The sum of weights is 4, the zero point 12 of it.
// CHECK-LABEL: func.func @half_pixel(
// CHECK-DAG: %[[W:.*]] = graph.constant dense<{{\[\[\[\[}}1, 3, 0]]], {{\[\[\[}}0, 3, 1]]]]> : tensor<2x1x1x3xi8>
// CHECK-DAG: %[[B:.*]] = graph.constant dense<14> : tensor<2xi32>
// CHECK: %[[P:.*]] = graph.pad %{{.*}} {mode = #graph.pad_mode<edge>, pads = array<i64: 0, 0, 0, 1, 0, 0, 0, 1>} : (tensor<1x1x2x3xi8>) -> tensor<1x1x2x5xi8>
// CHECK: %[[S:.*]] = graph.conv_integer %[[P]], %[[W]], %[[B]] {{.*}} -> tensor<1x2x2x3xi32>
// CHECK: %[[R:.*]] = graph.requantize %[[S]] {{.*}}post_shift = array<i32: 2>, {{.*}}rounding = #graph.rounding<half_even>, zero_point = -3 : i32}
// CHECK: graph.reshape
// CHECK: graph.transpose
// CHECK: graph.reshape %{{.*}} -> tensor<1x1x2x6xi8>
func.func @half_pixel(%q: tensor<1x1x2x3x!q>) -> tensor<1x1x2x6x!q> {
  %x = graph.dequantize_linear %q : (tensor<1x1x2x3x!q>) -> tensor<1x1x2x3xf32>
  %f = graph.resize %x {axes = array<i64: 3>, mode = #graph.resize_mode<linear>, static_sizes = array<i64: 6>} : (tensor<1x1x2x3xf32>) -> tensor<1x1x2x6xf32>
  %y = graph.quantize_linear %f : (tensor<1x1x2x6xf32>) -> tensor<1x1x2x6x!q>
  return %y : tensor<1x1x2x6x!q>
}

// CHECK-LABEL: func.func @asymmetric(
// CHECK-DAG: graph.constant dense<{{\[\[\[\[}}4, 0], [0, 0]]], {{\[\[\[}}2, 2], [0, 0]]], {{\[\[\[}}2, 0], [2, 0]]], {{\[\[\[}}1, 1], [1, 1]]]]> : tensor<4x1x2x2xi8>
// CHECK: graph.pad %{{.*}} {mode = #graph.pad_mode<edge>, pads = array<i64: 0, 0, 0, 0, 0, 0, 1, 1>}
func.func @asymmetric(%q: tensor<1x1x2x3x!q>) -> tensor<1x1x4x6x!q> {
  %x = graph.dequantize_linear %q : (tensor<1x1x2x3x!q>) -> tensor<1x1x2x3xf32>
  %f = graph.resize %x {axes = array<i64: 2, 3>, coordinate_transformation_mode = #graph.coordinate_mode<asymmetric>, mode = #graph.resize_mode<linear>, static_sizes = array<i64: 4, 6>} : (tensor<1x1x2x3xf32>) -> tensor<1x1x4x6xf32>
  %y = graph.quantize_linear %f : (tensor<1x1x4x6xf32>) -> tensor<1x1x4x6x!q>
  return %y : tensor<1x1x4x6x!q>
}

// CHECK-LABEL: func.func @float(
// CHECK: graph.resize {{.*}}graph.reason = "weights of the interpolation differ from pixel to pixel (coordinate_transformation_mode)"
// CHECK: graph.resize {{.*}}graph.reason = "Resize has no integer form but for whole factors"
// CHECK: graph.resize {{.*}}graph.reason = "weights of the interpolation take more than 8 bits: smaller factors would do"
func.func @float(%q: tensor<1x1x2x4x!q>) -> (tensor<1x1x2x8x!q>, tensor<1x1x2x6x!q>, tensor<1x1x16x32x!q>) {
  %x = graph.dequantize_linear %q : (tensor<1x1x2x4x!q>) -> tensor<1x1x2x4xf32>
  %0 = graph.resize %x {axes = array<i64: 3>, coordinate_transformation_mode = #graph.coordinate_mode<align_corners>, mode = #graph.resize_mode<linear>, static_sizes = array<i64: 8>} : (tensor<1x1x2x4xf32>) -> tensor<1x1x2x8xf32>
  %1 = graph.quantize_linear %0 : (tensor<1x1x2x8xf32>) -> tensor<1x1x2x8x!q>
  %2 = graph.resize %x {axes = array<i64: 3>, mode = #graph.resize_mode<linear>, static_sizes = array<i64: 6>} : (tensor<1x1x2x4xf32>) -> tensor<1x1x2x6xf32>
  %3 = graph.quantize_linear %2 : (tensor<1x1x2x6xf32>) -> tensor<1x1x2x6x!q>
  %4 = graph.resize %x {axes = array<i64: 2, 3>, mode = #graph.resize_mode<linear>, static_sizes = array<i64: 16, 32>} : (tensor<1x1x2x4xf32>) -> tensor<1x1x16x32xf32>
  %5 = graph.quantize_linear %4 : (tensor<1x1x16x32xf32>) -> tensor<1x1x16x32x!q>
  return %1, %3, %5 : tensor<1x1x2x8x!q>, tensor<1x1x2x6x!q>, tensor<1x1x16x32x!q>
}
