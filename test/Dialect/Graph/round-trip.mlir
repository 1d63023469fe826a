// RUN: acc-opt %s | acc-opt | FileCheck %s
// RUN: acc-opt %s --mlir-print-op-generic | acc-opt | FileCheck %s

// CHECK-LABEL: func.func @contraction
func.func @contraction(%x: tensor<1x4x8x8xf32>, %w: tensor<6x2x3x3xf32>, %b: tensor<6xf32>,
                       %c: tensor<4xf32>, %m: tensor<2x3xf32>, %n: tensor<5x3xf32>,
                       %v: tensor<3xf32>) -> tensor<2x5xf32> {
  // CHECK: graph.conv %{{.*}}, %{{.*}}, %{{.*}} {dilations = array<i64: 1, 1>, group = 2 : i64, pads = array<i64: 1, 1, 1, 1>, strides = array<i64: 2, 2>}
  // CHECK-SAME: -> tensor<1x6x4x4xf32>
  %0 = graph.conv %x, %w, %b {strides = array<i64: 2, 2>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>, group = 2 : i64}
      : (tensor<1x4x8x8xf32>, tensor<6x2x3x3xf32>, tensor<6xf32>) -> tensor<1x6x4x4xf32>
  // CHECK: graph.conv %{{[^,]*}}, %{{[^,]*}} {dilations = array<i64: 2, 2>
  %1 = graph.conv %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 2, 2>, group = 2 : i64}
      : (tensor<1x4x8x8xf32>, tensor<6x2x3x3xf32>) -> tensor<1x6x4x4xf32>
  // CHECK: graph.batch_normalization
  %2 = graph.batch_normalization %x, %c, %c, %c, %c {epsilon = 1.0e-3 : f32}
      : (tensor<1x4x8x8xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<1x4x8x8xf32>
  // CHECK: graph.lrn %{{.*}} {beta = 5.000000e-01 : f32, size = 5 : i64}
  %3 = graph.lrn %2 {alpha = 1.0e-4 : f32, beta = 0.5 : f32, bias = 1.0 : f32, size = 5 : i64} : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  // CHECK: graph.softmax %{{.*}} {axis = 1 : i64}
  %4 = graph.softmax %3 {axis = 1 : i64} : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  // CHECK: graph.mat_mul
  %5 = graph.mat_mul %m, %v : (tensor<2x3xf32>, tensor<3xf32>) -> tensor<2xf32>
  // CHECK: graph.gemm %{{.*}}, %{{.*}} {alpha = 5.000000e-01 : f32, transB = true}
  %6 = graph.gemm %m, %n {alpha = 0.5 : f32, transB = true} : (tensor<2x3xf32>, tensor<5x3xf32>) -> tensor<2x5xf32>
  return %6 : tensor<2x5xf32>
}

// CHECK-LABEL: func.func @elementwise
func.func @elementwise(%x: tensor<2x3xf32>, %y: tensor<3xf32>, %i: tensor<2xui8>) -> tensor<2x3xf32> {
  // CHECK: graph.add %{{.*}}, %{{.*}} : (tensor<2x3xf32>, tensor<3xf32>) -> tensor<2x3xf32>
  %0 = graph.add %x, %y : (tensor<2x3xf32>, tensor<3xf32>) -> tensor<2x3xf32>
  // CHECK: graph.sub
  %1 = graph.sub %0, %y : (tensor<2x3xf32>, tensor<3xf32>) -> tensor<2x3xf32>
  // CHECK: graph.mul
  %2 = graph.mul %1, %y : (tensor<2x3xf32>, tensor<3xf32>) -> tensor<2x3xf32>
  // CHECK: graph.div
  %3 = graph.div %2, %y : (tensor<2x3xf32>, tensor<3xf32>) -> tensor<2x3xf32>
  // CHECK: graph.sum %{{.*}}, %{{.*}}, %{{.*}} :
  %4 = graph.sum %1, %2, %y : (tensor<2x3xf32>, tensor<2x3xf32>, tensor<3xf32>) -> tensor<2x3xf32>
  // CHECK: graph.relu
  %5 = graph.relu %4 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK: graph.clip %{{.*}} {max = 6.000000e+00 : f64, min = 0.000000e+00 : f64}
  %6 = graph.clip %5 {min = 0.0 : f64, max = 6.0 : f64} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK: graph.cast %{{.*}} : (tensor<2xui8>) -> tensor<2xf32>
  %7 = graph.cast %i : (tensor<2xui8>) -> tensor<2xf32>
  return %6 : tensor<2x3xf32>
}

// CHECK-LABEL: func.func @pooling
func.func @pooling(%x: tensor<1x4x8x8xf32>, %q: tensor<1x4x8xi8>) -> tensor<1x4x1x1xf32> {
  // CHECK: graph.max_pool {{.*}} -> tensor<1x4x4x4xf32>
  %0 = graph.max_pool %x {kernel_shape = array<i64: 3, 3>, strides = array<i64: 2, 2>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>}
      : (tensor<1x4x8x8xf32>) -> tensor<1x4x4x4xf32>
  // CHECK: graph.max_pool {{.*}} -> tensor<1x4x4xi8>
  %1 = graph.max_pool %q {kernel_shape = array<i64: 2>, strides = array<i64: 2>, pads = array<i64: 0, 0>, dilations = array<i64: 1>}
      : (tensor<1x4x8xi8>) -> tensor<1x4x4xi8>
  // CHECK: graph.average_pool {{.*}}count_include_pad = true
  %2 = graph.average_pool %x {kernel_shape = array<i64: 3, 3>, strides = array<i64: 2, 2>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>, count_include_pad = true}
      : (tensor<1x4x8x8xf32>) -> tensor<1x4x4x4xf32>
  // CHECK: graph.global_average_pool
  %3 = graph.global_average_pool %2 : (tensor<1x4x4x4xf32>) -> tensor<1x4x1x1xf32>
  return %3 : tensor<1x4x1x1xf32>
}

// CHECK-LABEL: func.func @movement
func.func @movement(%x: tensor<2x3x4xf32>) -> tensor<2x12xf32> {
  // CHECK: graph.constant dense<1.000000e+00> : tensor<2x2xf32> : tensor<2x2xf32>
  %0 = graph.constant dense<1.0> : tensor<2x2xf32> : tensor<2x2xf32>
  // CHECK: graph.flatten %{{.*}} {axis = 1 : i64} : (tensor<2x3x4xf32>) -> tensor<2x12xf32>
  %1 = graph.flatten %x {axis = 1 : i64} : (tensor<2x3x4xf32>) -> tensor<2x12xf32>
  // CHECK: graph.reshape
  %2 = graph.reshape %x : (tensor<2x3x4xf32>) -> tensor<4x6xf32>
  // CHECK: graph.transpose %{{.*}} {perm = array<i64: 2, 0, 1>} : (tensor<2x3x4xf32>) -> tensor<4x2x3xf32>
  %3 = graph.transpose %x {perm = array<i64: 2, 0, 1>} : (tensor<2x3x4xf32>) -> tensor<4x2x3xf32>
  // CHECK: graph.concat %{{.*}}, %{{.*}} {axis = 2 : i64}
  %4 = graph.concat %x, %x {axis = 2 : i64} : (tensor<2x3x4xf32>, tensor<2x3x4xf32>) -> tensor<2x3x8xf32>
  // CHECK: graph.pad %{{.*}} {mode = #graph.pad_mode<reflect>, pads = array<i64: 0, 0, 1, 0, 0, -1>}
  %5 = graph.pad %x {pads = array<i64: 0, 0, 1, 0, 0, -1>, mode = #graph.pad_mode<reflect>} : (tensor<2x3x4xf32>) -> tensor<2x3x4xf32>
  // CHECK: graph.unsqueeze %{{.*}} {axes = array<i64: 0, 3>} : (tensor<2x3x4xf32>) -> tensor<1x2x3x1x4xf32>
  %6 = graph.unsqueeze %x {axes = array<i64: 0, 3>} : (tensor<2x3x4xf32>) -> tensor<1x2x3x1x4xf32>
  // CHECK: graph.squeeze %{{.*}} {axes = array<i64: 3>} : (tensor<1x2x3x1x4xf32>) -> tensor<1x2x3x4xf32>
  %7 = graph.squeeze %6 {axes = array<i64: 3>} : (tensor<1x2x3x1x4xf32>) -> tensor<1x2x3x4xf32>
  return %1 : tensor<2x12xf32>
}

!q = !quant.uniform<u8:f32, 5.0e-01:128>
!p = !quant.uniform<i8:f32:0, {5.0e-01, 2.5e-01}>

// CHECK-LABEL: func.func @quantization
func.func @quantization(%x: tensor<2x3xf32>) -> tensor<2x3xui8> {
  // CHECK: graph.quantize_linear %{{.*}} : (tensor<2x3xf32>) -> tensor<2x3x!quant.uniform<u8:f32, 5.000000e-01:128>>
  %0 = graph.quantize_linear %x : (tensor<2x3xf32>) -> tensor<2x3x!q>
  // CHECK: graph.dequantize_linear
  %1 = graph.dequantize_linear %0 : (tensor<2x3x!q>) -> tensor<2x3xf32>
  // CHECK: graph.constant dense<1> : tensor<2x3xi8> : tensor<2x3x!quant.uniform<i8:f32:0, {5.000000e-01,2.500000e-01}>>
  %2 = graph.constant dense<1> : tensor<2x3xi8> : tensor<2x3x!p>
  // CHECK: graph.dequantize_linear
  %3 = graph.dequantize_linear %2 : (tensor<2x3x!p>) -> tensor<2x3xf32>
  // CHECK: graph.storage_cast %{{.*}} : (tensor<2x3x!quant.uniform<u8:f32, 5.000000e-01:128>>) -> tensor<2x3xui8>
  %4 = graph.storage_cast %0 : (tensor<2x3x!q>) -> tensor<2x3xui8>
  return %4 : tensor<2x3xui8>
}
