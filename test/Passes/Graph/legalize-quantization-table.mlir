// RUN: acc-opt %s -graph-legalize-quantization -canonicalize -cse | FileCheck %s

!x = !quant.uniform<i8:f32, 0.05:3>
!u = !quant.uniform<u8:f32, 0.05:131>
!s = !quant.uniform<i8:f32, 3.906250e-03:-128>
!y = !quant.uniform<i8:f32, 0.04>
!wide = !quant.uniform<i16:f32, 1.0e-4>

// The chain moves to a constant of all integers, and the tensor is looked up.
// CHECK-LABEL: func.func @chain(
// CHECK-SAME: %[[X:.*]]: tensor<2x3x!quant
// CHECK: %[[ALL:.*]] = graph.constant dense<"0x808182{{.*}}7D7E7F"> : tensor<1x256xi8> : tensor<1x256x!quant.uniform<i8:f32, 5.000000e-02:3>>
// CHECK: %[[D:.*]] = graph.dequantize_linear %[[ALL]]
// CHECK: %[[T:.*]] = graph.tanh %[[D]]
// CHECK: %[[A:.*]] = graph.abs %[[T]]
// CHECK: %[[Q:.*]] = graph.quantize_linear %[[A]]
// CHECK: %[[TABLE:.*]] = graph.storage_cast %[[Q]]
// CHECK: %[[I:.*]] = graph.storage_cast %[[X]]
// CHECK: %[[Y:.*]] = graph.lookup %[[I]], %[[TABLE]] {input_scale = 5.000000e-02 : f64, input_zero_point = 3 : i32} : (tensor<2x3xi8>, tensor<1x256xi8>) -> tensor<2x3xi8>
// CHECK: graph.storage_cast %[[Y]]
func.func @chain(%q: tensor<2x3x!x>) -> tensor<2x3x!y> {
  %x = graph.dequantize_linear %q : (tensor<2x3x!x>) -> tensor<2x3xf32>
  %t = graph.tanh %x : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %a = graph.abs %t : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %y = graph.quantize_linear %a : (tensor<2x3xf32>) -> tensor<2x3x!y>
  return %y : tensor<2x3x!y>
}

// Both operands of the product are functions of one tensor, the second by way
// of a quantized one, whose own table nobody reads any longer.
// CHECK-LABEL: func.func @silu(
// CHECK: %[[D:.*]] = graph.dequantize_linear
// CHECK: %[[S:.*]] = graph.sigmoid %[[D]]
// CHECK: %[[SQ:.*]] = graph.quantize_linear %[[S]]
// CHECK: %[[SD:.*]] = graph.dequantize_linear %[[SQ]]
// CHECK: graph.mul %[[D]], %[[SD]]
// CHECK: graph.lookup
// CHECK-NOT: graph.lookup
// CHECK: return
func.func @silu(%q: tensor<4x!x>) -> tensor<4x!y> {
  %x = graph.dequantize_linear %q : (tensor<4x!x>) -> tensor<4xf32>
  %s = graph.sigmoid %x : (tensor<4xf32>) -> tensor<4xf32>
  %sq = graph.quantize_linear %s : (tensor<4xf32>) -> tensor<4x!s>
  %sd = graph.dequantize_linear %sq : (tensor<4x!s>) -> tensor<4xf32>
  %m = graph.mul %x, %sd : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %y = graph.quantize_linear %m : (tensor<4xf32>) -> tensor<4x!y>
  return %y : tensor<4x!y>
}

// A tensor of 16 bits in between is part of the chain.
// CHECK-LABEL: func.func @wide(
// CHECK: graph.quantize_linear %{{.*}} -> tensor<1x256x!quant.uniform<i16
// CHECK: graph.lookup
func.func @wide(%q: tensor<4x!x>) -> tensor<4x!y> {
  %x = graph.dequantize_linear %q : (tensor<4x!x>) -> tensor<4xf32>
  %s = graph.exp %x : (tensor<4xf32>) -> tensor<4xf32>
  %sq = graph.quantize_linear %s : (tensor<4xf32>) -> tensor<4x!wide>
  %sd = graph.dequantize_linear %sq : (tensor<4x!wide>) -> tensor<4xf32>
  %m = graph.sqrt %sd : (tensor<4xf32>) -> tensor<4xf32>
  %y = graph.quantize_linear %m : (tensor<4xf32>) -> tensor<4x!y>
  return %y : tensor<4x!y>
}

// uint8, whose entries are in the order of the integers of int8.
// CHECK-LABEL: func.func @unsigned(
// CHECK: graph.constant dense<"0x000102{{.*}}FDFEFF"> : tensor<1x256xui8>
// CHECK: %[[R:.*]] = graph.rebase
// CHECK: graph.lookup %[[R]]
func.func @unsigned(%q: tensor<4x!u>) -> tensor<4x!y> {
  %x = graph.dequantize_linear %q : (tensor<4x!u>) -> tensor<4xf32>
  %s = graph.sigmoid %x : (tensor<4xf32>) -> tensor<4xf32>
  %y = graph.quantize_linear %s : (tensor<4xf32>) -> tensor<4x!y>
  return %y : tensor<4x!y>
}

// One slope for each channel: a table for each.
// CHECK-LABEL: func.func @per_channel(
// CHECK: %[[SLOPES:.*]] = graph.constant dense<{{.*}}> : tensor<3x1xf32>
// CHECK: graph.p_relu %{{.*}}, %[[SLOPES]] : (tensor<1x256xf32>, tensor<3x1xf32>) -> tensor<3x256xf32>
// CHECK: graph.lookup %{{.*}} {input_scale = {{.*}}} : (tensor<2x3x4xi8>, tensor<3x256xi8>) -> tensor<2x3x4xi8>
func.func @per_channel(%q: tensor<2x3x4x!x>) -> tensor<2x3x4x!y> {
  %x = graph.dequantize_linear %q : (tensor<2x3x4x!x>) -> tensor<2x3x4xf32>
  %c = graph.constant dense<[[0.1], [0.2], [-0.3]]> : tensor<3x1xf32> : tensor<3x1xf32>
  %p = graph.p_relu %x, %c : (tensor<2x3x4xf32>, tensor<3x1xf32>) -> tensor<2x3x4xf32>
  %y = graph.quantize_linear %p : (tensor<2x3x4xf32>) -> tensor<2x3x4x!y>
  return %y : tensor<2x3x4x!y>
}

// A constant that differs from pixel to pixel makes no table.
// CHECK-LABEL: func.func @per_pixel(
// CHECK-NOT: graph.lookup
// CHECK: return
func.func @per_pixel(%q: tensor<2x3x2x!x>) -> tensor<2x3x2x!y> {
  %x = graph.dequantize_linear %q : (tensor<2x3x2x!x>) -> tensor<2x3x2xf32>
  %c = graph.constant dense<[0.1, 0.2]> : tensor<2xf32> : tensor<2xf32>
  %p = graph.mul %x, %c : (tensor<2x3x2xf32>, tensor<2xf32>) -> tensor<2x3x2xf32>
  %y = graph.quantize_linear %p : (tensor<2x3x2xf32>) -> tensor<2x3x2x!y>
  return %y : tensor<2x3x2x!y>
}

// A multiple is a rescaling, which needs no table.
// CHECK-LABEL: func.func @twice(
// CHECK: graph.weighted_sum %{{.*}} {{{.*}}multipliers = array<i32: {{[0-9]*}}>}
// CHECK-NOT: graph.lookup
func.func @twice(%q: tensor<4x!x>) -> tensor<4x!y> {
  %x = graph.dequantize_linear %q : (tensor<4x!x>) -> tensor<4xf32>
  %s = graph.add %x, %x : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %y = graph.quantize_linear %s : (tensor<4xf32>) -> tensor<4x!y>
  return %y : tensor<4x!y>
}
