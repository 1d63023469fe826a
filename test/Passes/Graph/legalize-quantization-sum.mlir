// RUN: acc-opt %s -graph-legalize-quantization -canonicalize | FileCheck %s

!a = !quant.uniform<i8:f32, 0.5:3>
!b = !quant.uniform<i8:f32, 0.25:-5>
!c = !quant.uniform<i8:f32, 0.3>
!y = !quant.uniform<i8:f32, 1.0:2>
!z = !quant.uniform<u8:f32, 0.37:1>
!d = !quant.uniform<i8:f32, 0.001953125:-5>
!u = !quant.uniform<u8:f32, 0.5:3>
!u0 = !quant.uniform<u8:f32, 0.5>
!y7 = !quant.uniform<i8:f32, 1.0:7>
!u7 = !quant.uniform<u8:f32, 1.0:7>

// Scales that are powers of two: exact, ties to even. The bias holds the zero
// points and half an output step.
// CHECK-LABEL: func.func @exact(
// CHECK: %[[S:.*]] = graph.weighted_sum %{{.*}}, %{{.*}} {bias = 9 : i32, multipliers = array<i32: 2, 1>}
// CHECK: graph.requantize %[[S]] {multiplier = array<i32: 1>, out_lo = 2 : i32, post_shift = array<i32: 2>, pre_shift = array<i32: 0>, rounding = #graph.rounding<half_even>}
func.func @exact(%qa: tensor<1x8x!a>, %qb: tensor<1x8x!b>) -> tensor<1x8x!y> {
  %a = graph.dequantize_linear %qa : (tensor<1x8x!a>) -> tensor<1x8xf32>
  %b = graph.dequantize_linear %qb : (tensor<1x8x!b>) -> tensor<1x8xf32>
  %s = graph.add %a, %b : (tensor<1x8xf32>, tensor<1x8xf32>) -> tensor<1x8xf32>
  %r = graph.relu %s : (tensor<1x8xf32>) -> tensor<1x8xf32>
  %y = graph.quantize_linear %r : (tensor<1x8xf32>) -> tensor<1x8x!y>
  return %y : tensor<1x8x!y>
}

// Any scales: 125 / 75 is near to 0.5 / 0.3, so that the factors are weights of
// a matrix unit.
// CHECK-LABEL: func.func @sub(
// CHECK: %[[S:.*]] = graph.weighted_sum %{{.*}}, %{{.*}} {bias = -12076 : i32, multipliers = array<i32: 125, -75>}
// CHECK: %[[R:.*]] = graph.requantize %[[S]] {multiplier = array<i32: 22672>, out_hi = 127 : i32, out_lo = -127 : i32, post_shift = array<i32: 21>, pre_shift = array<i32: 0>, rounding = #graph.rounding<down>}
// CHECK: graph.rebase %[[R]]
func.func @sub(%qa: tensor<1x8x!a>, %qc: tensor<1x8x!c>) -> tensor<1x8x!z> {
  %a = graph.dequantize_linear %qa : (tensor<1x8x!a>) -> tensor<1x8xf32>
  %c = graph.dequantize_linear %qc : (tensor<1x8x!c>) -> tensor<1x8xf32>
  %s = graph.sub %a, %c : (tensor<1x8xf32>, tensor<1x8xf32>) -> tensor<1x8xf32>
  %r = graph.relu %s : (tensor<1x8xf32>) -> tensor<1x8xf32>
  %y = graph.quantize_linear %r : (tensor<1x8xf32>) -> tensor<1x8x!z>
  return %y : tensor<1x8x!z>
}

// All scales are multiples of 1/20: ties are frequent, but approximate before
// they are rounded to 7 bits.
// CHECK-LABEL: func.func @sum(
// CHECK: graph.weighted_sum %{{.*}}, %{{.*}}, %{{.*}} {bias = -8192 : i32, multipliers = array<i32: 16384, 8192, 9830>} : (tensor<1x8xi8>, tensor<8xi8>, tensor<1x1xi8>) -> tensor<1x8xi32>
// CHECK: graph.requantize %{{.*}} {addend = 16512 : i32, mid_shift = 8 : i32, multiplier = array<i32: 1>, out_hi = 127 : i32, out_lo = -128 : i32, post_shift = array<i32: 7>, pre_shift = array<i32: 0>, rounding = #graph.rounding<half_even>, zero_point = 2 : i32}
func.func @sum(%qa: tensor<1x8x!a>, %qb: tensor<8x!b>, %qc: tensor<1x1x!c>) -> tensor<1x8x!y> {
  %a = graph.dequantize_linear %qa : (tensor<1x8x!a>) -> tensor<1x8xf32>
  %b = graph.dequantize_linear %qb : (tensor<8x!b>) -> tensor<8xf32>
  %c = graph.dequantize_linear %qc : (tensor<1x1x!c>) -> tensor<1x1xf32>
  %s = graph.sum %a, %b, %c : (tensor<1x8xf32>, tensor<8xf32>, tensor<1x1xf32>) -> tensor<1x8xf32>
  %y = graph.quantize_linear %s : (tensor<1x8xf32>) -> tensor<1x8x!y>
  return %y : tensor<1x8x!y>
}

// An odd zero point joins the sum, because it is added before ties are
// decided: -121 * 2 + 1, and 125 + 128 for the operands.
// CHECK-LABEL: func.func @odd_zero_point(
// CHECK: graph.weighted_sum %{{.*}}, %{{.*}} {bias = 12 : i32, multipliers = array<i32: 1, 1>}
// CHECK: graph.requantize %{{.*}} {multiplier = array<i32: 1>, out_hi = 127 : i32, post_shift = array<i32: 1>, pre_shift = array<i32: 0>, rounding = #graph.rounding<half_even>}
func.func @odd_zero_point(%qa: tensor<1x8x!u>, %qc: tensor<1x8x!u0>) -> tensor<1x8x!u7> {
  %a = graph.dequantize_linear %qa : (tensor<1x8x!u>) -> tensor<1x8xf32>
  %c = graph.dequantize_linear %qc : (tensor<1x8x!u0>) -> tensor<1x8xf32>
  %s = graph.add %a, %c : (tensor<1x8xf32>, tensor<1x8xf32>) -> tensor<1x8xf32>
  %y = graph.quantize_linear %s : (tensor<1x8xf32>) -> tensor<1x8x!u7>
  return %y : tensor<1x8x!u7>
}

// So does one of int8, unless ONNX Runtime turns some of the tensors into uint8.
// CHECK-LABEL: func.func @odd_zero_point_of_int8(
// CHECK: graph.weighted_sum %{{.*}}, %{{.*}} {bias = 29 : i32, multipliers = array<i32: 2, 1>}
// CHECK: graph.requantize %{{.*}} {multiplier = array<i32: 1>, {{.*}}rounding = #graph.rounding<half_even>}
// CHECK-LABEL: func.func @odd_zero_point_of_another_type(
// CHECK: graph.weighted_sum %{{.*}}, %{{.*}} {bias = 1 : i32, multipliers = array<i32: 2, 1>}
// CHECK: graph.requantize %{{.*}} {{{.*}}zero_point = 7 : i32}
func.func @odd_zero_point_of_int8(%qa: tensor<1x8x!a>, %qb: tensor<1x8x!b>) -> tensor<1x8x!y7> {
  %a = graph.dequantize_linear %qa : (tensor<1x8x!a>) -> tensor<1x8xf32>
  %b = graph.dequantize_linear %qb : (tensor<1x8x!b>) -> tensor<1x8xf32>
  %s = graph.add %a, %b : (tensor<1x8xf32>, tensor<1x8xf32>) -> tensor<1x8xf32>
  %y = graph.quantize_linear %s : (tensor<1x8xf32>) -> tensor<1x8x!y7>
  return %y : tensor<1x8x!y7>
}
func.func @odd_zero_point_of_another_type(%qa: tensor<1x8x!a>, %qb: tensor<1x8x!b>) -> tensor<1x8xf32> {
  %a = graph.dequantize_linear %qa : (tensor<1x8x!a>) -> tensor<1x8xf32>
  %b = graph.dequantize_linear %qb : (tensor<1x8x!b>) -> tensor<1x8xf32>
  %s = graph.add %a, %b : (tensor<1x8xf32>, tensor<1x8xf32>) -> tensor<1x8xf32>
  %y = graph.quantize_linear %s : (tensor<1x8xf32>) -> tensor<1x8x!y7>
  %r = graph.dequantize_linear %y : (tensor<1x8x!y7>) -> tensor<1x8xf32>
  return %r : tensor<1x8xf32>
}

// Any number of bits: 2^-9 of one operand beside the whole of the other. Ties go
// to even however few they are.
// CHECK-LABEL: func.func @far_apart(
// CHECK: graph.weighted_sum %{{.*}}, %{{.*}} {bias = -507 : i32, multipliers = array<i32: 256, 1>}
// CHECK: graph.requantize %{{.*}} {{{.*}}post_shift = array<i32: 9>, {{.*}}rounding = #graph.rounding<half_even>
func.func @far_apart(%qa: tensor<1x8x!a>, %qd: tensor<1x8x!d>) -> tensor<1x8x!quant.uniform<i8:f32, 1.0>> {
  %a = graph.dequantize_linear %qa : (tensor<1x8x!a>) -> tensor<1x8xf32>
  %d = graph.dequantize_linear %qd : (tensor<1x8x!d>) -> tensor<1x8xf32>
  %s = graph.add %a, %d : (tensor<1x8xf32>, tensor<1x8xf32>) -> tensor<1x8xf32>
  %y = graph.quantize_linear %s : (tensor<1x8xf32>) -> tensor<1x8x!quant.uniform<i8:f32, 1.0>>
  return %y : tensor<1x8x!quant.uniform<i8:f32, 1.0>>
}
