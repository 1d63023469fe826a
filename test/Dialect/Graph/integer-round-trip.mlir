// RUN: acc-opt %s | acc-opt | FileCheck %s
// RUN: acc-opt -emit-bytecode %s | acc-opt | FileCheck %s

// CHECK-LABEL: func.func @conv
// CHECK: graph.conv_integer %{{.*}}, %{{.*}}, %{{.*}} {dilations = array<i64: 1, 2>, group = 2 : i64, pad_value = -3 : i8, pads = array<i64: 1, 0, 1, 0>, strides = array<i64: 2, 1>} : (tensor<1x4x8x9xi8>, tensor<6x2x3x3xi8>, tensor<6xi32>) -> tensor<1x6x4x5xi32>
// CHECK: graph.conv_integer %{{.*}}, %{{.*}}, %{{.*}} {dilations = array<i64: 1>, pads = array<i64: 0, 0>, strides = array<i64: 1>}
func.func @conv(%x: tensor<1x4x8x9xi8>, %w: tensor<6x2x3x3xi8>, %b: tensor<6xi32>,
                %x1: tensor<2x3x7xi8>, %w1: tensor<6x3x3xi8>) -> (tensor<1x6x4x5xi32>, tensor<2x6x5xi32>) {
  %0 = graph.conv_integer %x, %w, %b {dilations = array<i64: 1, 2>, group = 2 : i64, pad_value = -3 : i8, pads = array<i64: 1, 0, 1, 0>, strides = array<i64: 2, 1>} : (tensor<1x4x8x9xi8>, tensor<6x2x3x3xi8>, tensor<6xi32>) -> tensor<1x6x4x5xi32>
  %1 = graph.conv_integer %x1, %w1, %b {dilations = array<i64: 1>, pads = array<i64: 0, 0>, strides = array<i64: 1>} : (tensor<2x3x7xi8>, tensor<6x3x3xi8>, tensor<6xi32>) -> tensor<2x6x5xi32>
  return %0, %1 : tensor<1x6x4x5xi32>, tensor<2x6x5xi32>
}

// CHECK-LABEL: func.func @gemm
// CHECK: graph.gemm_integer %{{.*}}, %{{.*}}, %{{.*}} : (tensor<2x64xi8>, tensor<10x64xi8>, tensor<10xi32>) -> tensor<2x10xi32>
func.func @gemm(%x: tensor<2x64xi8>, %w: tensor<10x64xi8>, %b: tensor<10xi32>) -> tensor<2x10xi32> {
  %0 = graph.gemm_integer %x, %w, %b : (tensor<2x64xi8>, tensor<10x64xi8>, tensor<10xi32>) -> tensor<2x10xi32>
  return %0 : tensor<2x10xi32>
}

// CHECK-LABEL: func.func @mat_mul
// CHECK: graph.matmul_integer %{{.*}}, %{{.*}} {a_zero_point = 3 : i8, b_zero_point = -5 : i8, offset = 7 : i32, transB = true} : (tensor<2x1x4x8xi8>, tensor<3x5x8xi8>) -> tensor<2x3x4x5xi32>
// CHECK: graph.matmul_integer %{{.*}}, %{{.*}} : (tensor<4x8xi8>, tensor<8x5xi8>) -> tensor<4x5xi32>
func.func @mat_mul(%a: tensor<2x1x4x8xi8>, %b: tensor<3x5x8xi8>, %c: tensor<4x8xi8>, %d: tensor<8x5xi8>) -> (tensor<2x3x4x5xi32>, tensor<4x5xi32>) {
  %0 = graph.matmul_integer %a, %b {a_zero_point = 3 : i8, b_zero_point = -5 : i8, offset = 7 : i32, transB = true} : (tensor<2x1x4x8xi8>, tensor<3x5x8xi8>) -> tensor<2x3x4x5xi32>
  %1 = graph.matmul_integer %c, %d : (tensor<4x8xi8>, tensor<8x5xi8>) -> tensor<4x5xi32>
  return %0, %1 : tensor<2x3x4x5xi32>, tensor<4x5xi32>
}

// CHECK-LABEL: func.func @sum
// CHECK: graph.weighted_sum %{{.*}}, %{{.*}} {bias = -7 : i32, multipliers = array<i32: 4194176, -12000>} : (tensor<1x16x8x8xi8>, tensor<16x1x1xi8>) -> tensor<1x16x8x8xi32>
// CHECK: graph.global_sum_integer %{{.*}} {offset = 384 : i32} : (tensor<1x16x8x8xi8>) -> tensor<1x16x1x1xi32>
// CHECK: graph.global_sum_integer %{{.*}} : (tensor<1x16x8x8xi8>)
func.func @sum(%a: tensor<1x16x8x8xi8>, %b: tensor<16x1x1xi8>) -> (tensor<1x16x8x8xi32>, tensor<1x16x1x1xi32>, tensor<1x16x1x1xi32>) {
  %0 = graph.weighted_sum %a, %b {bias = -7 : i32, multipliers = array<i32: 4194176, -12000>} : (tensor<1x16x8x8xi8>, tensor<16x1x1xi8>) -> tensor<1x16x8x8xi32>
  %1 = graph.global_sum_integer %a {offset = 384 : i32} : (tensor<1x16x8x8xi8>) -> tensor<1x16x1x1xi32>
  %2 = graph.global_sum_integer %a : (tensor<1x16x8x8xi8>) -> tensor<1x16x1x1xi32>
  return %0, %1, %2 : tensor<1x16x8x8xi32>, tensor<1x16x1x1xi32>, tensor<1x16x1x1xi32>
}

// CHECK-LABEL: func.func @scale
// CHECK: graph.scale_integer %{{.*}}, %{{.*}}, %{{.*}} {offset = 7 : i32} : (tensor<1x3x8x9xi32>, tensor<1x1x8x1xi32>, tensor<1x1x1x9xi32>) -> tensor<1x3x8x9xi32>
// CHECK: graph.scale_integer %{{.*}}, %{{.*}} : (tensor<1x3x8x9xi32>, tensor<1x1x8x1xi32>) -> tensor<1x3x8x9xi32>
func.func @scale(%acc: tensor<1x3x8x9xi32>, %a: tensor<1x1x8x1xi32>, %b: tensor<1x1x1x9xi32>) -> (tensor<1x3x8x9xi32>, tensor<1x3x8x9xi32>) {
  %0 = graph.scale_integer %acc, %a, %b {offset = 7 : i32} : (tensor<1x3x8x9xi32>, tensor<1x1x8x1xi32>, tensor<1x1x1x9xi32>) -> tensor<1x3x8x9xi32>
  %1 = graph.scale_integer %acc, %a : (tensor<1x3x8x9xi32>, tensor<1x1x8x1xi32>) -> tensor<1x3x8x9xi32>
  return %0, %1 : tensor<1x3x8x9xi32>, tensor<1x3x8x9xi32>
}

// CHECK-LABEL: func.func @requantize
// CHECK: graph.requantize %{{.*}} {clip_hi = array<i32: 91220>, clip_lo = array<i32: -91577>, multiplier = array<i32: 23437>, post_shift = array<i32: 21>, pre_shift = array<i32: 2>, zero_point = 3 : i32}
// CHECK: graph.requantize %{{.*}} {addend = 68 : i32, mid_shift = 3 : i32, multiplier = array<i32: 1, 2, 3>, out_hi = 127 : i32, out_lo = -128 : i32, post_shift = array<i32: 4, 5, 6>, pre_shift = array<i32: 0, -1, 4>, rounding = #graph.rounding<half_even>}
// CHECK: graph.requantize %{{.*}} {multiplier = array<i32: 40000, 2, 3>, out_hi = 127 : i32, out_lo = -128 : i32, post_shift = array<i32: 17>, pre_shift = array<i32: 1>, rounding = #graph.rounding<down>}
func.func @requantize(%acc: tensor<1x3x8x8xi32>) -> (tensor<1x3x8x8xi8>, tensor<1x3x8x8xi8>, tensor<1x3x8x8xi8>) {
  %0 = graph.requantize %acc {clip_hi = array<i32: 91220>, clip_lo = array<i32: -91577>, multiplier = array<i32: 23437>, post_shift = array<i32: 21>, pre_shift = array<i32: 2>, zero_point = 3 : i32} : (tensor<1x3x8x8xi32>) -> tensor<1x3x8x8xi8>
  %1 = graph.requantize %acc {addend = 68 : i32, mid_shift = 3 : i32, multiplier = array<i32: 1, 2, 3>, out_lo = -128 : i32, out_hi = 127 : i32, post_shift = array<i32: 4, 5, 6>, pre_shift = array<i32: 0, -1, 4>, rounding = #graph.rounding<half_even>} : (tensor<1x3x8x8xi32>) -> tensor<1x3x8x8xi8>
  %2 = graph.requantize %acc {multiplier = array<i32: 40000, 2, 3>, out_hi = 127 : i32, out_lo = -128 : i32, post_shift = array<i32: 17>, pre_shift = array<i32: 1>, rounding = #graph.rounding<down>} : (tensor<1x3x8x8xi32>) -> tensor<1x3x8x8xi8>
  return %0, %1, %2 : tensor<1x3x8x8xi8>, tensor<1x3x8x8xi8>, tensor<1x3x8x8xi8>
}

// CHECK-LABEL: func.func @rebase
// CHECK: graph.rebase %{{.*}} : (tensor<1x8xui8>) -> tensor<1x8xi8>
// CHECK: graph.rebase %{{.*}} : (tensor<1x8xi8>) -> tensor<1x8xui8>
func.func @rebase(%x: tensor<1x8xui8>, %y: tensor<1x8xi8>) -> (tensor<1x8xi8>, tensor<1x8xui8>) {
  %0 = graph.rebase %x : (tensor<1x8xui8>) -> tensor<1x8xi8>
  %1 = graph.rebase %y : (tensor<1x8xi8>) -> tensor<1x8xui8>
  return %0, %1 : tensor<1x8xi8>, tensor<1x8xui8>
}

// CHECK-LABEL: func.func @global_mean
// CHECK: graph.global_mean_integer %{{.*}} {hi = 127 : i32, input_hi = 127 : i32, input_lo = -128 : i32, input_scale = 5.000000e-01 : f64, input_zero_point = 3 : i32, lo = -128 : i32, scale = 2.500000e-01 : f64, zero_point = -4 : i32} : (tensor<?x4x?xi8>) -> tensor<?x4x1xi8>
func.func @global_mean(%x: tensor<?x4x?xi8>) -> tensor<?x4x1xi8> {
  %0 = graph.global_mean_integer %x {input_scale = 0.5 : f64, input_zero_point = 3 : i32, input_lo = -128 : i32, input_hi = 127 : i32, scale = 0.25 : f64, zero_point = -4 : i32, lo = -128 : i32, hi = 127 : i32} : (tensor<?x4x?xi8>) -> tensor<?x4x1xi8>
  return %0 : tensor<?x4x1xi8>
}

// CHECK-LABEL: func.func @rebase_narrow
// CHECK: graph.rebase %{{.*}} : (tensor<8xui4>) -> tensor<8xi8>
// CHECK: graph.rebase %{{.*}} : (tensor<8xi8>) -> tensor<8xi2>
func.func @rebase_narrow(%x: tensor<8xui4>, %y: tensor<8xi8>) -> (tensor<8xi8>, tensor<8xi2>) {
  %0 = graph.rebase %x : (tensor<8xui4>) -> tensor<8xi8>
  %1 = graph.rebase %y : (tensor<8xi8>) -> tensor<8xi2>
  return %0, %1 : tensor<8xi8>, tensor<8xi2>
}
