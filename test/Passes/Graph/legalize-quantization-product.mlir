// RUN: acc-opt %s -graph-legalize-quantization -canonicalize | FileCheck %s

!a = !quant.uniform<i8:f32, 0.5:3>
!b = !quant.uniform<u8:f32, 0.003:7>
!y = !quant.uniform<i8:f32, 0.37:-9>

// A gate: the scale of the product is that of both, and uint8 becomes int8.
// CHECK-LABEL: func.func @gate(
// CHECK-SAME: %[[A:.*]]: tensor<1x4x3x3x!quant{{.*}}, %[[B:.*]]: tensor<1x4x1x1x!quant
// CHECK: %[[I:.*]] = graph.storage_cast %[[A]]
// CHECK: %[[U:.*]] = graph.storage_cast %[[B]]
// CHECK: %[[J:.*]] = graph.rebase %[[U]]
// CHECK: %[[P:.*]] = graph.mul_integer %[[I]], %[[J]] {lhs_offset = -3 : i32, offset = {{.*}}rhs_offset = 121 : i32} : (tensor<1x4x3x3xi8>, tensor<1x4x1x1xi8>) -> tensor<1x4x3x3xi32>
// CHECK: graph.requantize %[[P]] {{.*}}rounding = #graph.rounding<down>
func.func @gate(%qa: tensor<1x4x3x3x!a>, %qb: tensor<1x4x1x1x!b>) -> tensor<1x4x3x3x!y> {
  %a = graph.dequantize_linear %qa : (tensor<1x4x3x3x!a>) -> tensor<1x4x3x3xf32>
  %b = graph.dequantize_linear %qb : (tensor<1x4x1x1x!b>) -> tensor<1x4x1x1xf32>
  %m = graph.mul %a, %b : (tensor<1x4x3x3xf32>, tensor<1x4x1x1xf32>) -> tensor<1x4x3x3xf32>
  %y = graph.quantize_linear %m : (tensor<1x4x3x3xf32>) -> tensor<1x4x3x3x!y>
  return %y : tensor<1x4x3x3x!y>
}

// Data that moves as quantized tensors moves as integers.
// CHECK-LABEL: func.func @pool(
// CHECK: graph.rebase
// CHECK: graph.max_pool %{{.*}} : (tensor<1x4x4x4xi8>) -> tensor<1x4x2x2xi8>
// CHECK: graph.rebase
func.func @pool(%q: tensor<1x4x4x4x!b>) -> tensor<1x4x2x2x!b> {
  %p = graph.max_pool %q {kernel_shape = array<i64: 2, 2>, strides = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>} : (tensor<1x4x4x4x!b>) -> tensor<1x4x2x2x!b>
  return %p : tensor<1x4x2x2x!b>
}
