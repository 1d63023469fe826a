// RUN: acc-opt %s -graph-legalize-quantization -canonicalize | FileCheck %s

!a = !quant.uniform<i8:f32, 0.02:-3>
!b = !quant.uniform<u8:f32, 0.05:131>
!y = !quant.uniform<i8:f32, 0.3:7>

// Two computed matrices keep their zero points; those of uint8 are moved.
// CHECK-LABEL: func.func @matrices(
// CHECK: %[[A:.*]] = graph.storage_cast %arg0
// CHECK: %[[B:.*]] = graph.rebase
// CHECK: %[[ACC:.*]] = graph.matmul_integer %[[A]], %[[B]] {a_zero_point = -3 : i8, b_zero_point = 3 : i8, offset = {{[0-9]+}} : i32} : (tensor<4x6xi8>, tensor<6x5xi8>) -> tensor<4x5xi32>
// CHECK: graph.requantize %[[ACC]]
func.func @matrices(%p: tensor<4x6x!a>, %q: tensor<6x5x!b>) -> tensor<4x5x!y> {
  %x = graph.dequantize_linear %p : (tensor<4x6x!a>) -> tensor<4x6xf32>
  %w = graph.dequantize_linear %q : (tensor<6x5x!b>) -> tensor<6x5xf32>
  %g = graph.mat_mul %x, %w : (tensor<4x6xf32>, tensor<6x5xf32>) -> tensor<4x5xf32>
  %y = graph.quantize_linear %g : (tensor<4x5xf32>) -> tensor<4x5x!y>
  return %y : tensor<4x5x!y>
}

// Keys that are transposed behind their heads are taken apart only: the product reads them row by row.
// CHECK-LABEL: func.func @heads(
// CHECK: %[[K:.*]] = graph.transpose %{{.*}} {perm = array<i64: 0, 2, 1, 3>} : (tensor<1x8x2x4xi8>) -> tensor<1x2x8x4xi8>
// CHECK-DAG: %[[KS:.*]] = graph.reshape %[[K]] : (tensor<1x2x8x4xi8>) -> tensor<2x8x4xi8>
// CHECK-DAG: %[[QS:.*]] = graph.reshape %{{.*}} : (tensor<1x2x6x4xi8>) -> tensor<2x6x4xi8>
// CHECK: %[[ACC:.*]] = graph.matmul_integer %[[QS]], %[[KS]] {a_zero_point = -3 : i8, b_zero_point = -3 : i8, offset = {{[0-9]+}} : i32, transB = true} : (tensor<2x6x4xi8>, tensor<2x8x4xi8>) -> tensor<2x6x8xi32>
// CHECK: %[[Y:.*]] = graph.requantize %[[ACC]]
// CHECK: graph.reshape %[[Y]] : (tensor<2x6x8xi8>) -> tensor<1x2x6x8xi8>
func.func @heads(%p: tensor<1x2x6x4x!a>, %q: tensor<1x8x2x4x!a>) -> tensor<1x2x6x8x!y> {
  %x = graph.dequantize_linear %p : (tensor<1x2x6x4x!a>) -> tensor<1x2x6x4xf32>
  %w = graph.dequantize_linear %q : (tensor<1x8x2x4x!a>) -> tensor<1x8x2x4xf32>
  %k = graph.transpose %w {perm = array<i64: 0, 2, 3, 1>} : (tensor<1x8x2x4xf32>) -> tensor<1x2x4x8xf32>
  %g = graph.mat_mul %x, %k : (tensor<1x2x6x4xf32>, tensor<1x2x4x8xf32>) -> tensor<1x2x6x8xf32>
  %y = graph.quantize_linear %g : (tensor<1x2x6x8xf32>) -> tensor<1x2x6x8x!y>
  return %y : tensor<1x2x6x8x!y>
}

// Matrices that broadcast stay as they are; a gemm says itself what is transposed.
// CHECK-LABEL: func.func @broadcast(
// CHECK: graph.matmul_integer %{{.*}}, %{{.*}} {{.*}} : (tensor<2x1x4x6xi8>, tensor<3x6x5xi8>) -> tensor<2x3x4x5xi32>
// CHECK: %[[T:.*]] = graph.transpose %{{.*}} {perm = array<i64: 1, 0>} : (tensor<6x4xi8>) -> tensor<4x6xi8>
// CHECK: graph.matmul_integer %[[T]], %{{.*}} {{.*}}transB = true} : (tensor<4x6xi8>, tensor<5x6xi8>) -> tensor<4x5xi32>
func.func @broadcast(%p: tensor<2x1x4x6x!a>, %q: tensor<3x6x5x!b>, %r: tensor<6x4x!a>, %s: tensor<5x6x!b>) -> (tensor<2x3x4x5x!y>, tensor<4x5x!y>) {
  %x = graph.dequantize_linear %p : (tensor<2x1x4x6x!a>) -> tensor<2x1x4x6xf32>
  %w = graph.dequantize_linear %q : (tensor<3x6x5x!b>) -> tensor<3x6x5xf32>
  %g = graph.mat_mul %x, %w : (tensor<2x1x4x6xf32>, tensor<3x6x5xf32>) -> tensor<2x3x4x5xf32>
  %y = graph.quantize_linear %g : (tensor<2x3x4x5xf32>) -> tensor<2x3x4x5x!y>
  %c = graph.dequantize_linear %r : (tensor<6x4x!a>) -> tensor<6x4xf32>
  %d = graph.dequantize_linear %s : (tensor<5x6x!b>) -> tensor<5x6xf32>
  %h = graph.gemm %c, %d {alpha = 0.5 : f32, transA = true, transB = true} : (tensor<6x4xf32>, tensor<5x6xf32>) -> tensor<4x5xf32>
  %z = graph.quantize_linear %h : (tensor<4x5xf32>) -> tensor<4x5x!y>
  return %y, %z : tensor<2x3x4x5x!y>, tensor<4x5x!y>
}

// What is added to one row may have more than that: the reshape stays where it is.
// CHECK-LABEL: func.func @broadcast_sum(
// CHECK: graph.weighted_sum {{.*}} -> tensor<1x1x3xi32>
func.func @broadcast_sum(%p: tensor<1x1x2x!a>, %o: tensor<1x1x3x!a>) -> tensor<1x1x3x!y> {
  %x = graph.dequantize_linear %p : (tensor<1x1x2x!a>) -> tensor<1x1x2xf32>
  %r = graph.dequantize_linear %o : (tensor<1x1x3x!a>) -> tensor<1x1x3xf32>
  %wq = graph.constant dense<[[1], [3]]> : tensor<2x1xi8> : tensor<2x1x!quant.uniform<i8:f32, 0.05>>
  %w = graph.dequantize_linear %wq : (tensor<2x1x!quant.uniform<i8:f32, 0.05>>) -> tensor<2x1xf32>
  %g = graph.mat_mul %x, %w : (tensor<1x1x2xf32>, tensor<2x1xf32>) -> tensor<1x1x1xf32>
  %gq = graph.quantize_linear %g : (tensor<1x1x1xf32>) -> tensor<1x1x1x!y>
  %gd = graph.dequantize_linear %gq : (tensor<1x1x1x!y>) -> tensor<1x1x1xf32>
  %s = graph.add %gd, %r : (tensor<1x1x1xf32>, tensor<1x1x3xf32>) -> tensor<1x1x3xf32>
  %y = graph.quantize_linear %s : (tensor<1x1x3xf32>) -> tensor<1x1x3x!y>
  return %y : tensor<1x1x3x!y>
}

// A bias and a residual connection behind the product of a sequence are sums of matrices: the reshape comes last.
// CHECK-LABEL: func.func @sums_of_sequences(
// CHECK: %[[P:.*]] = graph.gemm_integer
// CHECK: %[[R:.*]] = graph.requantize %[[P]]
// CHECK: %[[S:.*]] = graph.weighted_sum %[[R]], %{{.*}} {{.*}} : (tensor<8x2xi8>, tensor<2xi8>) -> tensor<8x2xi32>
// CHECK: %[[Q:.*]] = graph.requantize %[[S]]
// CHECK: %[[X:.*]] = graph.reshape %{{.*}} : (tensor<2x4x2xi8>) -> tensor<8x2xi8>
// CHECK: %[[T:.*]] = graph.weighted_sum %[[Q]], %[[X]]
// CHECK: %[[Y:.*]] = graph.requantize %[[T]]
// CHECK: graph.reshape %[[Y]] : (tensor<8x2xi8>) -> tensor<2x4x2xi8>
func.func @sums_of_sequences(%p: tensor<2x4x2x!a>) -> tensor<2x4x2x!y> {
  %x = graph.dequantize_linear %p : (tensor<2x4x2x!a>) -> tensor<2x4x2xf32>
  %wq = graph.constant dense<[[1, 2], [3, 4]]> : tensor<2x2xi8> : tensor<2x2x!quant.uniform<i8:f32, 0.05>>
  %w = graph.dequantize_linear %wq : (tensor<2x2x!quant.uniform<i8:f32, 0.05>>) -> tensor<2x2xf32>
  %g = graph.mat_mul %x, %w : (tensor<2x4x2xf32>, tensor<2x2xf32>) -> tensor<2x4x2xf32>
  %gq = graph.quantize_linear %g : (tensor<2x4x2xf32>) -> tensor<2x4x2x!y>
  %gd = graph.dequantize_linear %gq : (tensor<2x4x2x!y>) -> tensor<2x4x2xf32>
  %bq = graph.constant dense<[5, -6]> : tensor<2xi8> : tensor<2x!a>
  %b = graph.dequantize_linear %bq : (tensor<2x!a>) -> tensor<2xf32>
  %s = graph.add %gd, %b : (tensor<2x4x2xf32>, tensor<2xf32>) -> tensor<2x4x2xf32>
  %sq = graph.quantize_linear %s : (tensor<2x4x2xf32>) -> tensor<2x4x2x!y>
  %sd = graph.dequantize_linear %sq : (tensor<2x4x2x!y>) -> tensor<2x4x2xf32>
  %t = graph.add %sd, %x : (tensor<2x4x2xf32>, tensor<2x4x2xf32>) -> tensor<2x4x2xf32>
  %y = graph.quantize_linear %t : (tensor<2x4x2xf32>) -> tensor<2x4x2x!y>
  return %y : tensor<2x4x2x!y>
}
