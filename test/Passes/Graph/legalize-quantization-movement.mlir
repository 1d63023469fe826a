// RUN: acc-opt %s -graph-legalize-quantization -canonicalize | FileCheck %s

!q = !quant.uniform<i8:f32, 0.02:-3>
!h = !quant.uniform<i8:f32, 0.01:-3>
!u = !quant.uniform<u8:f32, 0.02:125>

// CHECK-LABEL: func.func @flatten(
// CHECK-NOT: graph.dequantize_linear
// CHECK: graph.flatten %{{.*}} {axis = 1 : i64} : (tensor<1x2x3x4xi8>) -> tensor<1x24xi8>
// CHECK-NOT: graph.requantize
func.func @flatten(%q: tensor<1x2x3x4x!q>) -> tensor<1x24x!q> {
  %x = graph.dequantize_linear %q : (tensor<1x2x3x4x!q>) -> tensor<1x2x3x4xf32>
  %f = graph.flatten %x {axis = 1 : i64} : (tensor<1x2x3x4xf32>) -> tensor<1x24xf32>
  %y = graph.quantize_linear %f : (tensor<1x24xf32>) -> tensor<1x24x!q>
  return %y : tensor<1x24x!q>
}

// Padding with zero pads integers with the zero point.
// CHECK-LABEL: func.func @pad(
// CHECK: graph.pad %{{.*}} {constant_value = -3.000000e+00 : f64, pads = array<i64: 0, 1, 0, 1>} : (tensor<1x4xi8>) -> tensor<1x6xi8>
func.func @pad(%q: tensor<1x4x!q>) -> tensor<1x6x!q> {
  %x = graph.dequantize_linear %q : (tensor<1x4x!q>) -> tensor<1x4xf32>
  %f = graph.pad %x {pads = array<i64: 0, 1, 0, 1>} : (tensor<1x4xf32>) -> tensor<1x6xf32>
  %y = graph.quantize_linear %f : (tensor<1x6xf32>) -> tensor<1x6x!q>
  return %y : tensor<1x6x!q>
}

// Operands of another scale are rescaled, uint8 and int8 of the same are not.
// CHECK-LABEL: func.func @concat(
// CHECK: %[[A:.*]] = graph.storage_cast %arg0
// CHECK: %[[S:.*]] = graph.weighted_sum %{{.*}} {bias = 4 : i32, multipliers = array<i32: 1>}
// CHECK: %[[B:.*]] = graph.requantize %[[S]] {multiplier = array<i32: 1>, post_shift = array<i32: 1>, pre_shift = array<i32: 0>, rounding = #graph.rounding<half_even>, zero_point = -3 : i32}
// CHECK: %[[C:.*]] = graph.rebase
// CHECK: graph.concat %[[A]], %[[B]], %[[C]] {axis = 1 : i64}
func.func @concat(%qa: tensor<1x4x!q>, %qb: tensor<1x4x!h>, %qc: tensor<1x4x!u>) -> tensor<1x12x!q> {
  %a = graph.dequantize_linear %qa : (tensor<1x4x!q>) -> tensor<1x4xf32>
  %b = graph.dequantize_linear %qb : (tensor<1x4x!h>) -> tensor<1x4xf32>
  %c = graph.dequantize_linear %qc : (tensor<1x4x!u>) -> tensor<1x4xf32>
  %f = graph.concat %a, %b, %c {axis = 1 : i64} : (tensor<1x4xf32>, tensor<1x4xf32>, tensor<1x4xf32>) -> tensor<1x12xf32>
  %y = graph.quantize_linear %f : (tensor<1x12xf32>) -> tensor<1x12x!q>
  return %y : tensor<1x12x!q>
}

// Without a quantize_linear behind it, dequantize_linear moves down: the float
// addition reads reshaped integers.
// CHECK-LABEL: func.func @sink(
// CHECK: %[[R:.*]] = graph.reshape %{{.*}} : (tensor<1x4xi8>) -> tensor<4xi8>
// CHECK: %[[Q:.*]] = graph.storage_cast %[[R]]
// CHECK: graph.dequantize_linear %[[Q]] : (tensor<4x!quant.uniform<i8:f32, {{.*}}:-3>>) -> tensor<4xf32>
func.func @sink(%q: tensor<1x4x!u>, %f: tensor<4xf32>) -> tensor<4xf32> {
  %x = graph.dequantize_linear %q : (tensor<1x4x!u>) -> tensor<1x4xf32>
  %r = graph.reshape %x : (tensor<1x4xf32>) -> tensor<4xf32>
  %s = graph.add %r, %f : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %s : tensor<4xf32>
}

// And quantize_linear moves up through a transpose and a maximum to the sum.
// CHECK-LABEL: func.func @hoist(
// CHECK: %[[S:.*]] = graph.weighted_sum
// CHECK: %[[R:.*]] = graph.requantize %[[S]]
// CHECK: %[[P:.*]] = graph.max_pool %[[R]] {{.*}} : (tensor<1x2x4x4xi8>) -> tensor<1x2x2x2xi8>
// CHECK: graph.transpose %[[P]] {perm = array<i64: 0, 2, 3, 1>} : (tensor<1x2x2x2xi8>) -> tensor<1x2x2x2xi8>
func.func @hoist(%q: tensor<1x2x4x4x!q>) -> tensor<1x2x2x2x!h> {
  %x = graph.dequantize_linear %q : (tensor<1x2x4x4x!q>) -> tensor<1x2x4x4xf32>
  %s = graph.add %x, %x : (tensor<1x2x4x4xf32>, tensor<1x2x4x4xf32>) -> tensor<1x2x4x4xf32>
  %p = graph.max_pool %s {kernel_shape = array<i64: 2, 2>, strides = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>} : (tensor<1x2x4x4xf32>) -> tensor<1x2x2x2xf32>
  %t = graph.transpose %p {perm = array<i64: 0, 2, 3, 1>} : (tensor<1x2x2x2xf32>) -> tensor<1x2x2x2xf32>
  %y = graph.quantize_linear %t : (tensor<1x2x2x2xf32>) -> tensor<1x2x2x2x!h>
  return %y : tensor<1x2x2x2x!h>
}

// Sizes that only a run knows are no data to quantize.
// CHECK-LABEL: func.func @unknown_size(
// CHECK-SAME: %[[N:[a-z0-9]*]]: index
// CHECK: %[[Q:.*]] = graph.quantize_linear %{{.*}} : (tensor<?xf32>)
// CHECK: graph.reshape %{{.*}}, %[[N]] : (tensor<?xi8>, index) -> tensor<2x?xi8>
func.func @unknown_size(%x: tensor<?xf32>, %n: index) -> tensor<2x?x!h> {
  %r = graph.reshape %x, %n : (tensor<?xf32>, index) -> tensor<2x?xf32>
  %y = graph.quantize_linear %r : (tensor<2x?xf32>) -> tensor<2x?x!h>
  return %y : tensor<2x?x!h>
}

// Another number quantizes to an integer, here 0.5 / 0.02 - 3; so may less than
// none.
// CHECK-LABEL: func.func @pad_with_numbers(
// CHECK: graph.pad %{{.*}} {constant_value = 2.200000e+01 : f64, pads = array<i64: 0, 1, 0, 1>} : (tensor<1x4xi8>) -> tensor<1x6xi8>
// CHECK: graph.pad %{{.*}} {constant_value = -1.280000e+02 : f64
func.func @pad_with_numbers(%q: tensor<1x4x!q>) -> (tensor<1x6x!q>, tensor<1x6x!q>) {
  %x = graph.dequantize_linear %q : (tensor<1x4x!q>) -> tensor<1x4xf32>
  %f = graph.pad %x {constant_value = 0.5 : f64, pads = array<i64: 0, 1, 0, 1>} : (tensor<1x4xf32>) -> tensor<1x6xf32>
  %y = graph.quantize_linear %f : (tensor<1x6xf32>) -> tensor<1x6x!q>
  %g = graph.pad %x {constant_value = 0xFFF0000000000000 : f64, pads = array<i64: 0, 1, 0, 1>} : (tensor<1x4xf32>) -> tensor<1x6xf32>
  %z = graph.quantize_linear %g : (tensor<1x6xf32>) -> tensor<1x6x!q>
  return %y, %z : tensor<1x6x!q>, tensor<1x6x!q>
}

// CHECK-LABEL: func.func @nearest(
// CHECK: graph.resize %{{.*}} : (tensor<1x1x2x2xi8>) -> tensor<1x1x4x4xi8>
// CHECK: graph.slice %{{.*}} : (tensor<1x1x4x4xi8>) -> tensor<1x1x2x4xi8>
func.func @nearest(%q: tensor<1x1x2x2x!q>) -> tensor<1x1x2x4x!q> {
  %x = graph.dequantize_linear %q : (tensor<1x1x2x2x!q>) -> tensor<1x1x2x2xf32>
  %f = graph.resize %x {axes = array<i64: 2, 3>, mode = #graph.resize_mode<nearest>, static_sizes = array<i64: 4, 4>} : (tensor<1x1x2x2xf32>) -> tensor<1x1x4x4xf32>
  %s = graph.slice %f {sizes = array<i64: 1, 1, 2, 4>, starts = array<i64: 0, 0, 0, 0>, steps = array<i64: 1, 1, 2, 1>} : (tensor<1x1x4x4xf32>) -> tensor<1x1x2x4xf32>
  %y = graph.quantize_linear %s : (tensor<1x1x2x4xf32>) -> tensor<1x1x2x4x!q>
  return %y : tensor<1x1x2x4x!q>
}
