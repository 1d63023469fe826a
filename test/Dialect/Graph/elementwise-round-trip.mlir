// RUN: acc-opt %s | acc-opt | FileCheck %s
// RUN: acc-opt %s --mlir-print-op-generic | acc-opt | FileCheck %s

// CHECK-LABEL: func.func @functions
func.func @functions(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  // CHECK: graph.floor %{{.*}} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %0 = graph.floor %x : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK: graph.ceil %{{.*}} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %1 = graph.ceil %0 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK: graph.round %{{.*}} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %2 = graph.round %1 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK: graph.sqrt %{{.*}} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %3 = graph.sqrt %2 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK: graph.reciprocal %{{.*}} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %4 = graph.reciprocal %3 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK: graph.exp %{{.*}} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %5 = graph.exp %4 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK: graph.log %{{.*}} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %6 = graph.log %5 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK: graph.sin %{{.*}} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %7 = graph.sin %6 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK: graph.cos %{{.*}} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %8 = graph.cos %7 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK: graph.tan %{{.*}} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %9 = graph.tan %8 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK: graph.asin %{{.*}} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %10 = graph.asin %9 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK: graph.acos %{{.*}} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %11 = graph.acos %10 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK: graph.atan %{{.*}} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %12 = graph.atan %11 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK: graph.sinh %{{.*}} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %13 = graph.sinh %12 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK: graph.cosh %{{.*}} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %14 = graph.cosh %13 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK: graph.tanh %{{.*}} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %15 = graph.tanh %14 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK: graph.asinh %{{.*}} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %16 = graph.asinh %15 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK: graph.acosh %{{.*}} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %17 = graph.acosh %16 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK: graph.atanh %{{.*}} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %18 = graph.atanh %17 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK: graph.erf %{{.*}} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %19 = graph.erf %18 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK: graph.sigmoid %{{.*}} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %20 = graph.sigmoid %19 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK: graph.hard_swish %{{.*}} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %21 = graph.hard_swish %20 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK: graph.softplus %{{.*}} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %22 = graph.softplus %21 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK: graph.softsign %{{.*}} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %23 = graph.softsign %22 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK: graph.mish %{{.*}} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %24 = graph.mish %23 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK: graph.abs %{{.*}} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %25 = graph.abs %24 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK: graph.neg %{{.*}} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %26 = graph.neg %25 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK: graph.sign %{{.*}} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %27 = graph.sign %26 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return %27 : tensor<2x3xf32>
}

// CHECK-LABEL: func.func @activations
func.func @activations(%x: tensor<?xf16>) -> tensor<?xf16> {
  // CHECK: graph.hard_sigmoid %{{.*}} {alpha = 2.500000e-01 : f32}
  %0 = graph.hard_sigmoid %x {alpha = 2.500000e-01 : f32, beta = 5.000000e-01 : f32} : (tensor<?xf16>) -> tensor<?xf16>
  // CHECK: graph.elu %{{.*}} {alpha = 2.000000e+00 : f32}
  %1 = graph.elu %0 {alpha = 2.000000e+00 : f32} : (tensor<?xf16>) -> tensor<?xf16>
  // CHECK: graph.celu %{{.*}} {alpha = 2.000000e+00 : f32}
  %2 = graph.celu %1 {alpha = 2.000000e+00 : f32} : (tensor<?xf16>) -> tensor<?xf16>
  // CHECK: graph.selu %{{.*}} {gamma = 2.000000e+00 : f32}
  %3 = graph.selu %2 {gamma = 2.000000e+00 : f32} : (tensor<?xf16>) -> tensor<?xf16>
  // CHECK: graph.leaky_relu %{{.*}} {alpha = 5.000000e-01 : f32}
  %4 = graph.leaky_relu %3 {alpha = 5.000000e-01 : f32} : (tensor<?xf16>) -> tensor<?xf16>
  // CHECK: graph.thresholded_relu %{{.*}} {alpha = 5.000000e-01 : f32}
  %5 = graph.thresholded_relu %4 {alpha = 5.000000e-01 : f32} : (tensor<?xf16>) -> tensor<?xf16>
  // CHECK: graph.gelu %{{.*}} {tanh = true}
  %6 = graph.gelu %5 {tanh = true} : (tensor<?xf16>) -> tensor<?xf16>
  // CHECK: graph.swish %{{.*}} {alpha = 5.000000e-01 : f32}
  %7 = graph.swish %6 {alpha = 5.000000e-01 : f32} : (tensor<?xf16>) -> tensor<?xf16>
  // CHECK: graph.shrink %{{.*}} {bias = 1.000000e+00 : f32}
  %8 = graph.shrink %7 {bias = 1.000000e+00 : f32} : (tensor<?xf16>) -> tensor<?xf16>
  return %8 : tensor<?xf16>
}

// CHECK-LABEL: func.func @arithmetic
func.func @arithmetic(%x: tensor<2x1xi32>, %y: tensor<3xi32>, %e: tensor<3xf32>) -> tensor<2x3xi32> {
  // CHECK: graph.mod %{{.*}}, %{{.*}} {fmod = true} : (tensor<2x1xi32>, tensor<3xi32>) -> tensor<2x3xi32>
  %0 = graph.mod %x, %y {fmod = true} : (tensor<2x1xi32>, tensor<3xi32>) -> tensor<2x3xi32>
  // CHECK: graph.pow %{{.*}}, %{{.*}} : (tensor<2x3xi32>, tensor<3xf32>) -> tensor<2x3xi32>
  %1 = graph.pow %0, %e : (tensor<2x3xi32>, tensor<3xf32>) -> tensor<2x3xi32>
  // CHECK: graph.max
  %2 = graph.max %0, %1, %y : (tensor<2x3xi32>, tensor<2x3xi32>, tensor<3xi32>) -> tensor<2x3xi32>
  // CHECK: graph.min
  %3 = graph.min %2, %y : (tensor<2x3xi32>, tensor<3xi32>) -> tensor<2x3xi32>
  // CHECK: graph.p_relu
  %4 = graph.p_relu %3, %y : (tensor<2x3xi32>, tensor<3xi32>) -> tensor<2x3xi32>
  // CHECK: graph.mean %{{.*}}, %{{.*}} :
  %m = graph.mean %e, %e : (tensor<3xf32>, tensor<3xf32>) -> tensor<3xf32>
  return %4 : tensor<2x3xi32>
}
