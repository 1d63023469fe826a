// RUN: acc-opt %s --canonicalize | FileCheck %s

// CHECK-LABEL: func.func @reshape
// CHECK-DAG: graph.constant dense<{{\[\[}}1.000000e+00, 2.000000e+00], [3.000000e+00, 4.000000e+00]]> : tensor<2x2xf32>
// CHECK-DAG: graph.constant dense<5.000000e-01> : tensor<4096x25088xf32>
func.func @reshape() -> (tensor<2x2xf32>, tensor<4096x25088xf32>) {
  %0 = graph.constant dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32> : tensor<4xf32>
  %1 = graph.reshape %0 : (tensor<4xf32>) -> tensor<2x2xf32>
  %2 = graph.constant dense<0.5> : tensor<25088x4096xf32> : tensor<25088x4096xf32>
  %3 = graph.transpose %2 {perm = array<i64: 1, 0>} : (tensor<25088x4096xf32>) -> tensor<4096x25088xf32>
  return %1, %3 : tensor<2x2xf32>, tensor<4096x25088xf32>
}

// A resource keeps its bytes under the new shape.
// CHECK-LABEL: func.func @resource
// CHECK: graph.constant dense_resource<blob> : tensor<2x2xf32>
func.func @resource() -> tensor<2x2xf32> {
  %0 = graph.constant dense_resource<blob> : tensor<4xf32> : tensor<4xf32>
  %1 = graph.unsqueeze %0 {axes = array<i64: 0>} : (tensor<4xf32>) -> tensor<1x4xf32>
  %2 = graph.reshape %1 : (tensor<1x4xf32>) -> tensor<2x2xf32>
  return %2 : tensor<2x2xf32>
}

// CHECK-LABEL: func.func @transpose
// CHECK-DAG: graph.constant dense<{{\[\[}}[1, 4], [2, 5], [3, 6]]]> : tensor<1x3x2xi8>
// CHECK-DAG: graph.constant dense<{{\[\[}}1, 4], [2, 5], [3, 6]]> : tensor<3x2xi8> : tensor<3x2x!quant.uniform<i8:f32:1, {5.000000e-01,2.500000e-01}>>
func.func @transpose() -> (tensor<1x3x2xi8>, tensor<3x2x!quant.uniform<i8:f32:1, {0.5, 0.25}>>) {
  %0 = graph.constant dense<[[[1], [2], [3]], [[4], [5], [6]]]> : tensor<2x3x1xi8> : tensor<2x3x1xi8>
  %1 = graph.transpose %0 {perm = array<i64: 2, 1, 0>} : (tensor<2x3x1xi8>) -> tensor<1x3x2xi8>
  %2 = graph.constant dense<[[1, 2, 3], [4, 5, 6]]> : tensor<2x3xi8> : tensor<2x3x!quant.uniform<i8:f32:0, {0.5, 0.25}>>
  %3 = graph.transpose %2 {perm = array<i64: 1, 0>} : (tensor<2x3x!quant.uniform<i8:f32:0, {0.5, 0.25}>>) -> tensor<3x2x!quant.uniform<i8:f32:1, {0.5, 0.25}>>
  return %1, %3 : tensor<1x3x2xi8>, tensor<3x2x!quant.uniform<i8:f32:1, {0.5, 0.25}>>
}

// Half to even, saturating, per axis; a NaN has no integer.
// CHECK-LABEL: func.func @quantize
// CHECK-DAG: graph.constant dense<[2, 2, 255, 0]> : tensor<4xui8> : tensor<4x!quant.uniform<u8:f32, 5.000000e-01:2>>
// CHECK-DAG: graph.constant dense<{{\[\[}}2, 4], [4, 8]]> : tensor<2x2xi8>
// CHECK-DAG: graph.constant dense<-3> : tensor<1000x1000xi8>
// CHECK-DAG: graph.quantize_linear
func.func @quantize() -> (tensor<4x!quant.uniform<u8:f32, 0.5:2>>, tensor<2x2x!quant.uniform<i8:f32:0, {0.5, 0.25}>>,
    tensor<1000x1000x!quant.uniform<i8:f32, 1.0>>, tensor<1x!quant.uniform<i8:f32, 1.0>>) {
  %0 = graph.constant dense<[0.25, -0.25, 1000.0, -1000.0]> : tensor<4xf32> : tensor<4xf32>
  %1 = graph.quantize_linear %0 : (tensor<4xf32>) -> tensor<4x!quant.uniform<u8:f32, 0.5:2>>
  %2 = graph.constant dense<[[1.0, 2.0], [1.0, 2.0]]> : tensor<2x2xf32> : tensor<2x2xf32>
  %3 = graph.quantize_linear %2 : (tensor<2x2xf32>) -> tensor<2x2x!quant.uniform<i8:f32:0, {0.5, 0.25}>>
  %4 = graph.constant dense<-3.0> : tensor<1000x1000xf32> : tensor<1000x1000xf32>
  %5 = graph.quantize_linear %4 : (tensor<1000x1000xf32>) -> tensor<1000x1000x!quant.uniform<i8:f32, 1.0>>
  %6 = graph.constant dense<0x7FC00000> : tensor<1xf32> : tensor<1xf32>
  %7 = graph.quantize_linear %6 : (tensor<1xf32>) -> tensor<1x!quant.uniform<i8:f32, 1.0>>
  return %1, %3, %5, %7 : tensor<4x!quant.uniform<u8:f32, 0.5:2>>, tensor<2x2x!quant.uniform<i8:f32:0, {0.5, 0.25}>>,
    tensor<1000x1000x!quant.uniform<i8:f32, 1.0>>, tensor<1x!quant.uniform<i8:f32, 1.0>>
}

// Quantization is not an identity, whatever surrounds it.
// CHECK-LABEL: func.func @qdq_kept
// CHECK: graph.quantize_linear
// CHECK-NEXT: graph.dequantize_linear
// CHECK-NEXT: graph.quantize_linear
// CHECK: graph.dequantize_linear
// CHECK-NOT: graph.storage_cast
func.func @qdq_kept(%x: tensor<4xf32>) -> (tensor<4x!quant.uniform<i8:f32, 0.5>>, tensor<4xf32>) {
  %0 = graph.quantize_linear %x : (tensor<4xf32>) -> tensor<4x!quant.uniform<i8:f32, 0.5>>
  %1 = graph.dequantize_linear %0 : (tensor<4x!quant.uniform<i8:f32, 0.5>>) -> tensor<4xf32>
  %2 = graph.quantize_linear %1 : (tensor<4xf32>) -> tensor<4x!quant.uniform<i8:f32, 0.5>>
  %3 = graph.storage_cast %2 : (tensor<4x!quant.uniform<i8:f32, 0.5>>) -> tensor<4xi8>
  %4 = graph.storage_cast %3 : (tensor<4xi8>) -> tensor<4x!quant.uniform<i8:f32, 0.5>>
  %5 = graph.constant dense<[1, 2, 3, 4]> : tensor<4xi8> : tensor<4xi8>
  %6 = graph.storage_cast %5 : (tensor<4xi8>) -> tensor<4x!quant.uniform<i8:f32, 0.5>>
  %7 = graph.dequantize_linear %6 : (tensor<4x!quant.uniform<i8:f32, 0.5>>) -> tensor<4xf32>
  return %4, %7 : tensor<4x!quant.uniform<i8:f32, 0.5>>, tensor<4xf32>
}

{-#
  dialect_resources: {
    builtin: {
      blob: "0x400000000000803F000000400000404000008040"
    }
  }
#-}
