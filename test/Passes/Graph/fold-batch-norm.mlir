// RUN: acc-opt %s --graph-fold-batch-norm --canonicalize --mlir-print-local-scope --mlir-print-debuginfo | FileCheck %s

// CHECK-LABEL: func.func @conv
// CHECK-DAG: %[[W:.*]] = graph.constant dense<{{\[\[\[\[}}2.000000e+00]]], {{\[\[\[}}8.000000e+00]]]]> : tensor<2x1x1x1xf32>
// CHECK-DAG: %[[B:.*]] = graph.constant dense<[5.000000e+00, 1.000000e+01]> : tensor<2xf32>
// CHECK: graph.conv %{{.*}}, %[[W]], %[[B]] {{.*}} loc(fused["conv1", "bn1"])
// CHECK-NOT: batch_normalization
func.func @conv(%x: tensor<1x1x2x2xf32>) -> tensor<1x2x2x2xf32> {
  %w = graph.constant dense<[[[[1.0]]], [[[2.0]]]]> : tensor<2x1x1x1xf32> : tensor<2x1x1x1xf32>
  %b = graph.constant dense<1.0> : tensor<2xf32> : tensor<2xf32>
  %scale = graph.constant dense<[2.0, 4.0]> : tensor<2xf32> : tensor<2xf32>
  %bias = graph.constant dense<[5.0, 10.0]> : tensor<2xf32> : tensor<2xf32>
  %mean = graph.constant dense<1.0> : tensor<2xf32> : tensor<2xf32>
  %variance = graph.constant dense<0.75> : tensor<2xf32> : tensor<2xf32>
  %0 = graph.conv %x, %w, %b {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>}
      : (tensor<1x1x2x2xf32>, tensor<2x1x1x1xf32>, tensor<2xf32>) -> tensor<1x2x2x2xf32> loc("conv1")
  %1 = graph.batch_normalization %0, %scale, %bias, %mean, %variance {epsilon = 0.25 : f32}
      : (tensor<1x2x2x2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>) -> tensor<1x2x2x2xf32> loc("bn1")
  return %1 : tensor<1x2x2x2xf32>
}

// Splats stay splats, and a chain of steps folds at once.
// CHECK-LABEL: func.func @splat
// CHECK-DAG: %[[W:.*]] = graph.constant dense<6.000000e+00> : tensor<64x512x3x3xf32>
// CHECK-DAG: %[[B:.*]] = graph.constant dense<1.000000e+00> : tensor<64xf32>
// CHECK: %[[Y:.*]] = graph.conv %{{[^,]*}}, %[[W]], %[[B]]
// CHECK-NEXT: return %[[Y]]
func.func @splat(%x: tensor<1x512x3x3xf32>) -> tensor<1x64x1x1xf32> {
  %w = graph.constant dense<2.0> : tensor<64x512x3x3xf32> : tensor<64x512x3x3xf32>
  %m = graph.constant dense<3.0> : tensor<64x1x1xf32> : tensor<64x1x1xf32>
  %a = graph.constant dense<1.0> : tensor<1x64x1x1xf32> : tensor<1x64x1x1xf32>
  %0 = graph.conv %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>}
      : (tensor<1x512x3x3xf32>, tensor<64x512x3x3xf32>) -> tensor<1x64x1x1xf32>
  %1 = graph.mul %0, %m : (tensor<1x64x1x1xf32>, tensor<64x1x1xf32>) -> tensor<1x64x1x1xf32>
  %2 = graph.add %a, %1 : (tensor<1x64x1x1xf32>, tensor<1x64x1x1xf32>) -> tensor<1x64x1x1xf32>
  return %2 : tensor<1x64x1x1xf32>
}

// A normalization of its own takes what follows.
// CHECK-LABEL: func.func @norm
// CHECK-DAG: %[[SCALE:.*]] = graph.constant dense<4.000000e+00> : tensor<2xf32>
// CHECK-DAG: %[[BIAS:.*]] = graph.constant dense<1.000000e+00> : tensor<2xf32>
// CHECK-DAG: %[[ONE:.*]] = graph.constant dense<2.000000e+00> : tensor<2xf32>
// CHECK: %[[Y:.*]] = graph.batch_normalization %{{[^,]*}}, %[[SCALE]], %[[BIAS]], %[[ONE]], %[[ONE]]
// CHECK-NEXT: return %[[Y]]
func.func @norm(%x: tensor<1x2x4xf32>) -> tensor<1x2x4xf32> {
  %p = graph.constant dense<2.0> : tensor<2xf32> : tensor<2xf32>
  %d = graph.constant dense<0.5> : tensor<1xf32> : tensor<1xf32>
  %s = graph.constant dense<3.0> : tensor<f32> : tensor<f32>
  %0 = graph.batch_normalization %x, %p, %p, %p, %p : (tensor<1x2x4xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>) -> tensor<1x2x4xf32>
  %1 = graph.div %0, %d : (tensor<1x2x4xf32>, tensor<1xf32>) -> tensor<1x2x4xf32>
  %2 = graph.sub %1, %s : (tensor<1x2x4xf32>, tensor<f32>) -> tensor<1x2x4xf32>
  return %2 : tensor<1x2x4xf32>
}

// A second user, a factor per column, weights that are quantized: left alone.
// CHECK-LABEL: func.func @kept
// CHECK: graph.conv
// CHECK: graph.mul
// CHECK: graph.conv
// CHECK: graph.mul
// CHECK: graph.dequantize_linear
// CHECK: graph.conv
// CHECK: graph.mul
func.func @kept(%x: tensor<1x1x1x2xf32>) -> (tensor<1x1x1x2xf32>, tensor<1x1x1x2xf32>, tensor<1x1x1x2xf32>, tensor<1x1x1x2xf32>) {
  %w = graph.constant dense<2.0> : tensor<1x1x1x1xf32> : tensor<1x1x1x1xf32>
  %q = graph.constant dense<2> : tensor<1x1x1x1xi8> : tensor<1x1x1x1x!quant.uniform<i8:f32, 0.5>>
  %two = graph.constant dense<2.0> : tensor<1xf32> : tensor<1xf32>
  %columns = graph.constant dense<[1.0, 2.0]> : tensor<2xf32> : tensor<2xf32>
  %0 = graph.conv %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>}
      : (tensor<1x1x1x2xf32>, tensor<1x1x1x1xf32>) -> tensor<1x1x1x2xf32>
  %1 = graph.mul %0, %two : (tensor<1x1x1x2xf32>, tensor<1xf32>) -> tensor<1x1x1x2xf32>
  %2 = graph.conv %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>}
      : (tensor<1x1x1x2xf32>, tensor<1x1x1x1xf32>) -> tensor<1x1x1x2xf32>
  %3 = graph.mul %2, %columns : (tensor<1x1x1x2xf32>, tensor<2xf32>) -> tensor<1x1x1x2xf32>
  %4 = graph.dequantize_linear %q : (tensor<1x1x1x1x!quant.uniform<i8:f32, 0.5>>) -> tensor<1x1x1x1xf32>
  %5 = graph.conv %x, %4 {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>}
      : (tensor<1x1x1x2xf32>, tensor<1x1x1x1xf32>) -> tensor<1x1x1x2xf32>
  %6 = graph.mul %5, %two : (tensor<1x1x1x2xf32>, tensor<1xf32>) -> tensor<1x1x1x2xf32>
  return %0, %1, %3, %6 : tensor<1x1x1x2xf32>, tensor<1x1x1x2xf32>, tensor<1x1x1x2xf32>, tensor<1x1x1x2xf32>
}
