// RUN: acc-opt %s -graph-legalize-quantization -canonicalize -cse | FileCheck %s

// Products of quantized tensors that floats read.

!q = !quant.uniform<i8:f32, 0.5:-3>
!w = !quant.uniform<i8:f32, 0.25>
!wc = !quant.uniform<i8:f32:0, {0.25,0.5}>
!b = !quant.uniform<i32:f32:0, {0.125,0.25}>

// The zero point of the input is a term of the sums.
// CHECK-LABEL: func.func @gemm(
// CHECK-DAG: %[[W:.*]] = graph.constant dense<7> : tensor<1x2xi8>
// CHECK-DAG: %[[B:.*]] = graph.constant dense<42> : tensor<1xi32>
// CHECK: %[[X:.*]] = graph.storage_cast
// CHECK: %[[S:.*]] = graph.gemm_integer %[[X]], %[[W]], %[[B]] {graph.reason = "its result is not quantized"}
// CHECK: %[[Q:.*]] = graph.storage_cast %[[S]] : (tensor<1x1xi32>) -> tensor<1x1x!quant.uniform<i32:f32, 1.250000e-01>>
// CHECK: %[[F:.*]] = graph.dequantize_linear %[[Q]]
// CHECK: return %[[F]]
func.func @gemm(%q: tensor<1x2x!q>) -> tensor<1x1xf32> {
  %x = graph.dequantize_linear %q : (tensor<1x2x!q>) -> tensor<1x2xf32>
  %wq = graph.constant dense<7> : tensor<2x1xi8> : tensor<2x1x!w>
  %w = graph.dequantize_linear %wq : (tensor<2x1x!w>) -> tensor<2x1xf32>
  %g = graph.gemm %x, %w : (tensor<1x2xf32>, tensor<2x1xf32>) -> tensor<1x1xf32>
  return %g : tensor<1x1xf32>
}

// A bias in the steps of the sums is a term of them, too.
// CHECK-LABEL: func.func @conv(
// CHECK-DAG: %[[B:.*]] = graph.constant dense<[31, 52]> : tensor<2xi32>
// CHECK: %[[S:.*]] = graph.conv_integer %{{.*}}, %{{.*}}, %[[B]] {{.*}}pad_value = -3 : i8
// CHECK: graph.storage_cast %[[S]] : {{.*}} -> tensor<1x2x4x4x!quant.uniform<i32:f32:1, {1.250000e-01,2.500000e-01}>>
// CHECK: %[[F:.*]] = graph.dequantize_linear
// CHECK: return %[[F]]
func.func @conv(%q: tensor<1x1x4x4x!q>) -> tensor<1x2x4x4xf32> {
  %x = graph.dequantize_linear %q : (tensor<1x1x4x4x!q>) -> tensor<1x1x4x4xf32>
  %wq = graph.constant dense<[[[[7]]], [[[14]]]]> : tensor<2x1x1x1xi8> : tensor<2x1x1x1x!wc>
  %w = graph.dequantize_linear %wq : (tensor<2x1x1x1x!wc>) -> tensor<2x1x1x1xf32>
  %bq = graph.constant dense<10> : tensor<2xi32> : tensor<2x!b>
  %b = graph.dequantize_linear %bq : (tensor<2x!b>) -> tensor<2xf32>
  %g = graph.conv %x, %w, %b {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>}
      : (tensor<1x1x4x4xf32>, tensor<2x1x1x1xf32>, tensor<2xf32>) -> tensor<1x2x4x4xf32>
  return %g : tensor<1x2x4x4xf32>
}

// Any other bias is a float behind the scale.
// CHECK-LABEL: func.func @float_bias(
// CHECK: %[[F:.*]] = graph.dequantize_linear
// CHECK: graph.add %[[F]], %{{.*}} : (tensor<1x1x4x4xf32>, tensor<1x1x1xf32>)
func.func @float_bias(%q: tensor<1x1x4x4x!q>, %b: tensor<1xf32>) -> tensor<1x1x4x4xf32> {
  %x = graph.dequantize_linear %q : (tensor<1x1x4x4x!q>) -> tensor<1x1x4x4xf32>
  %wq = graph.constant dense<7> : tensor<1x1x1x1xi8> : tensor<1x1x1x1x!w>
  %w = graph.dequantize_linear %wq : (tensor<1x1x1x1x!w>) -> tensor<1x1x1x1xf32>
  %g = graph.conv %x, %w, %b {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>}
      : (tensor<1x1x4x4xf32>, tensor<1x1x1x1xf32>, tensor<1xf32>) -> tensor<1x1x4x4xf32>
  return %g : tensor<1x1x4x4xf32>
}

// CHECK-LABEL: func.func @two_activations(
// CHECK: %[[S:.*]] = graph.matmul_integer %{{.*}}, %{{.*}} {a_zero_point = -3 : i8, b_zero_point = -3 : i8
// CHECK: graph.storage_cast %[[S]] : {{.*}}!quant.uniform<i32:f32, 2.500000e-01>
// CHECK: graph.dequantize_linear
func.func @two_activations(%q: tensor<2x2x!q>) -> tensor<2x2xf32> {
  %x = graph.dequantize_linear %q : (tensor<2x2x!q>) -> tensor<2x2xf32>
  %g = graph.mat_mul %x, %x : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  return %g : tensor<2x2xf32>
}
