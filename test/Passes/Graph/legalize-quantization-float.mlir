// RUN: acc-opt %s -graph-legalize-quantization | FileCheck %s

!q = !quant.uniform<i8:f32, 0.02:-3>
!q16 = !quant.uniform<i16:f32, 0.02>
!qc = !quant.uniform<i8:f32:1, {0.02,0.03}>
!w = !quant.uniform<i8:f32, 0.05>
!wz = !quant.uniform<u8:f32, 0.05:1>

// The float sum is a result too.
// CHECK-LABEL: func.func @other_use(
// CHECK: graph.add %{{.*}} {graph.reason = "its float result has other uses"}
func.func @other_use(%q: tensor<4x!q>) -> (tensor<4xf32>, tensor<4x!q>) {
  %x = graph.dequantize_linear %q : (tensor<4x!q>) -> tensor<4xf32>
  %s = graph.add %x, %x : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %y = graph.quantize_linear %s : (tensor<4xf32>) -> tensor<4x!q>
  return %s, %y : tensor<4xf32>, tensor<4x!q>
}

// The quantized result of the first sum is used as floats and as integers.
// CHECK-LABEL: func.func @intermediate(
// CHECK: %[[I:.*]] = graph.requantize
// CHECK: %[[Q:.*]] = graph.storage_cast %[[I]]
// CHECK: %[[F:.*]] = graph.dequantize_linear %[[Q]]
// CHECK: graph.weighted_sum %[[I]] 
// CHECK: return %[[F]]
func.func @intermediate(%q: tensor<4x!q>) -> (tensor<4xf32>, tensor<4x!q>) {
  %x = graph.dequantize_linear %q : (tensor<4x!q>) -> tensor<4xf32>
  %s = graph.add %x, %x : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %y = graph.quantize_linear %s : (tensor<4xf32>) -> tensor<4x!q>
  %f = graph.dequantize_linear %y : (tensor<4x!q>) -> tensor<4xf32>
  %t = graph.add %f, %f : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %z = graph.quantize_linear %t : (tensor<4xf32>) -> tensor<4x!q>
  return %f, %z : tensor<4xf32>, tensor<4x!q>
}

// CHECK-LABEL: func.func @weights_only(
// CHECK: graph.dequantize_linear
// CHECK: graph.gemm
// CHECK-NOT: graph.reason
func.func @weights_only(%x: tensor<1x2xf32>) -> tensor<1x1xf32> {
  %wq = graph.constant dense<7> : tensor<2x1xi8> : tensor<2x1x!w>
  %w = graph.dequantize_linear %wq : (tensor<2x1x!w>) -> tensor<2x1xf32>
  %g = graph.gemm %x, %w : (tensor<1x2xf32>, tensor<2x1xf32>) -> tensor<1x1xf32>
  return %g : tensor<1x1xf32>
}

// CHECK-LABEL: func.func @vector(
// CHECK: graph.mat_mul %{{.*}} {graph.reason = "an operand is a vector"}
func.func @vector(%q: tensor<2x!q>, %p: tensor<2x2x!q>) -> tensor<2x!q> {
  %x = graph.dequantize_linear %q : (tensor<2x!q>) -> tensor<2xf32>
  %w = graph.dequantize_linear %p : (tensor<2x2x!q>) -> tensor<2x2xf32>
  %g = graph.mat_mul %x, %w : (tensor<2xf32>, tensor<2x2xf32>) -> tensor<2xf32>
  %y = graph.quantize_linear %g : (tensor<2xf32>) -> tensor<2x!q>
  return %y : tensor<2x!q>
}

// CHECK-LABEL: func.func @biased_product(
// CHECK: graph.matmul_integer %{{.*}} graph.reason = "adds a bias to a product of two activations"
// CHECK: graph.dequantize_linear
// CHECK: graph.add
// CHECK: graph.quantize_linear
func.func @biased_product(%q: tensor<2x2x!q>) -> tensor<2x2x!q> {
  %x = graph.dequantize_linear %q : (tensor<2x2x!q>) -> tensor<2x2xf32>
  %b = graph.constant dense<1.0> : tensor<2xf32> : tensor<2xf32>
  %g = graph.mat_mul %x, %x : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  %s = graph.add %g, %b : (tensor<2x2xf32>, tensor<2xf32>) -> tensor<2x2xf32>
  %y = graph.quantize_linear %s : (tensor<2x2xf32>) -> tensor<2x2x!q>
  return %y : tensor<2x2x!q>
}
func.func @two_activations(%q: tensor<2x2x!q>) -> tensor<2x2x!q> {
  %x = graph.dequantize_linear %q : (tensor<2x2x!q>) -> tensor<2x2xf32>
  %g = graph.mat_mul %x, %x : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  %y = graph.quantize_linear %g : (tensor<2x2xf32>) -> tensor<2x2x!q>
  return %y : tensor<2x2x!q>
}

// CHECK-LABEL: func.func @weight_zero_point(
// CHECK-DAG: %[[W:.*]] = graph.constant dense<72> : tensor<1x2xi8>
// CHECK-DAG: %[[ONES:.*]] = graph.constant dense<1> : tensor<1x2xi8>
// CHECK-DAG: %[[ZERO:.*]] = graph.constant dense<-127> : tensor<1x1xi32>
// CHECK: %[[P:.*]] = graph.gemm_integer %[[X:.*]], %[[W]], %{{.*}} {graph.reason = "the weights minus their zero point do not fit int8"}
// CHECK: %[[S:.*]] = graph.gemm_integer %[[X]], %[[ONES]]
// CHECK: %[[M:.*]] = graph.mul %[[S]], %[[ZERO]]
// CHECK: graph.sub %[[P]], %[[M]]
func.func @weight_zero_point(%q: tensor<1x2x!q>) -> tensor<1x1x!q> {
  %x = graph.dequantize_linear %q : (tensor<1x2x!q>) -> tensor<1x2xf32>
  %wq = graph.constant dense<200> : tensor<2x1xui8> : tensor<2x1x!wz>
  %w = graph.dequantize_linear %wq : (tensor<2x1x!wz>) -> tensor<2x1xf32>
  %g = graph.gemm %x, %w : (tensor<1x2xf32>, tensor<2x1xf32>) -> tensor<1x1xf32>
  %y = graph.quantize_linear %g : (tensor<1x1xf32>) -> tensor<1x1x!q>
  return %y : tensor<1x1x!q>
}

// CHECK-LABEL: func.func @bias(
// CHECK: graph.gemm_integer %{{.*}} {graph.reason = "the bias needs finer steps than the accumulator has"}
// CHECK: graph.add
// CHECK: graph.gemm_integer %{{.*}} {graph.reason = "the accumulator may exceed 32 bits"}
// CHECK: graph.add
func.func @bias(%q: tensor<1x2x!q>) -> (tensor<1x1x!quant.uniform<i8:f32, 1.0e-3>>, tensor<1x1x!q>) {
  %x = graph.dequantize_linear %q : (tensor<1x2x!q>) -> tensor<1x2xf32>
  %wq = graph.constant dense<7> : tensor<2x1xi8> : tensor<2x1x!w>
  %w = graph.dequantize_linear %wq : (tensor<2x1x!w>) -> tensor<2x1xf32>
  %small = graph.constant dense<1.04e-2> : tensor<1xf32> : tensor<1xf32>
  %g = graph.gemm %x, %w, %small : (tensor<1x2xf32>, tensor<2x1xf32>, tensor<1xf32>) -> tensor<1x1xf32>
  %y = graph.quantize_linear %g : (tensor<1x1xf32>) -> tensor<1x1x!quant.uniform<i8:f32, 1.0e-3>>
  %large = graph.constant dense<1.0e+7> : tensor<1xf32> : tensor<1xf32>
  %h = graph.gemm %x, %w, %large : (tensor<1x2xf32>, tensor<2x1xf32>, tensor<1xf32>) -> tensor<1x1xf32>
  %z = graph.quantize_linear %h : (tensor<1x1xf32>) -> tensor<1x1x!q>
  return %y, %z : tensor<1x1x!quant.uniform<i8:f32, 1.0e-3>>, tensor<1x1x!q>
}

// CHECK-LABEL: func.func @types(
// CHECK: graph.add %{{.*}} {graph.reason = "an activation is quantized to 16 bits instead of 8"}
// CHECK: graph.add %{{.*}} {graph.reason = "an activation is quantized per axis"}
// CHECK: graph.softmax %{{.*}} graph.reason = "Softmax has no integer form"
func.func @types(%a: tensor<1x2x!q16>, %b: tensor<1x2x!qc>) -> (tensor<1x2x!q>, tensor<1x2x!q>, tensor<1x2x!q>) {
  %x = graph.dequantize_linear %a : (tensor<1x2x!q16>) -> tensor<1x2xf32>
  %s = graph.add %x, %x : (tensor<1x2xf32>, tensor<1x2xf32>) -> tensor<1x2xf32>
  %r = graph.quantize_linear %s : (tensor<1x2xf32>) -> tensor<1x2x!q>
  %y = graph.dequantize_linear %b : (tensor<1x2x!qc>) -> tensor<1x2xf32>
  %t = graph.add %y, %y : (tensor<1x2xf32>, tensor<1x2xf32>) -> tensor<1x2xf32>
  %u = graph.quantize_linear %t : (tensor<1x2xf32>) -> tensor<1x2x!q>
  %v = graph.dequantize_linear %r : (tensor<1x2x!q>) -> tensor<1x2xf32>
  %w = graph.softmax %v {axis = 1 : i64} : (tensor<1x2xf32>) -> tensor<1x2xf32>
  %z = graph.quantize_linear %w : (tensor<1x2xf32>) -> tensor<1x2x!q>
  return %r, %u, %z : tensor<1x2x!q>, tensor<1x2x!q>, tensor<1x2x!q>
}
