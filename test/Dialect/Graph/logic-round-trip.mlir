// RUN: acc-opt %s | acc-opt | FileCheck %s
// RUN: acc-opt %s --mlir-print-op-generic | acc-opt | FileCheck %s

// CHECK-LABEL: func.func @logic
func.func @logic(%x: tensor<2x3xui8>, %y: tensor<3xui8>, %f: tensor<3xf8E5M2>) -> tensor<2x3xi1> {
  // CHECK: graph.bitwise_and
  %0 = graph.bitwise_and %x, %y : (tensor<2x3xui8>, tensor<3xui8>) -> tensor<2x3xui8>
  // CHECK: graph.bitwise_or
  %1 = graph.bitwise_or %0, %y : (tensor<2x3xui8>, tensor<3xui8>) -> tensor<2x3xui8>
  // CHECK: graph.bitwise_xor
  %2 = graph.bitwise_xor %1, %y : (tensor<2x3xui8>, tensor<3xui8>) -> tensor<2x3xui8>
  // CHECK: graph.bitwise_not
  %3 = graph.bitwise_not %2 : (tensor<2x3xui8>) -> tensor<2x3xui8>
  // CHECK: graph.bit_shift %{{.*}}, %{{.*}} {right = true}
  %4 = graph.bit_shift %3, %y {right = true} : (tensor<2x3xui8>, tensor<3xui8>) -> tensor<2x3xui8>
  // CHECK: graph.equal %{{.*}} : (tensor<2x3xui8>, tensor<3xui8>) -> tensor<2x3xi1>
  %5 = graph.equal %4, %y : (tensor<2x3xui8>, tensor<3xui8>) -> tensor<2x3xi1>
  // CHECK: graph.greater %{{.*}} -> tensor<2x3xi1>
  %6 = graph.greater %4, %y : (tensor<2x3xui8>, tensor<3xui8>) -> tensor<2x3xi1>
  // CHECK: graph.greater_or_equal
  %7 = graph.greater_or_equal %4, %y : (tensor<2x3xui8>, tensor<3xui8>) -> tensor<2x3xi1>
  // CHECK: graph.less %
  %8 = graph.less %4, %y : (tensor<2x3xui8>, tensor<3xui8>) -> tensor<2x3xi1>
  // CHECK: graph.less_or_equal
  %9 = graph.less_or_equal %4, %y : (tensor<2x3xui8>, tensor<3xui8>) -> tensor<2x3xi1>
  // CHECK: graph.is_nan %{{.*}} : (tensor<3xf8E5M2>) -> tensor<3xi1>
  %10 = graph.is_nan %f : (tensor<3xf8E5M2>) -> tensor<3xi1>
  // CHECK: graph.is_inf %{{.*}} {detect_negative = false}
  %11 = graph.is_inf %f {detect_negative = false} : (tensor<3xf8E5M2>) -> tensor<3xi1>
  // CHECK: graph.and
  %12 = graph.and %5, %6 : (tensor<2x3xi1>, tensor<2x3xi1>) -> tensor<2x3xi1>
  // CHECK: graph.or
  %13 = graph.or %7, %8 : (tensor<2x3xi1>, tensor<2x3xi1>) -> tensor<2x3xi1>
  // CHECK: graph.xor
  %14 = graph.xor %9, %10 : (tensor<2x3xi1>, tensor<3xi1>) -> tensor<2x3xi1>
  // CHECK: graph.not
  %15 = graph.not %14 : (tensor<2x3xi1>) -> tensor<2x3xi1>
  // CHECK: graph.where %{{.*}} : (tensor<2x3xi1>, tensor<2x3xi1>, tensor<3xi1>) -> tensor<2x3xi1>
  %16 = graph.where %15, %12, %11 : (tensor<2x3xi1>, tensor<2x3xi1>, tensor<3xi1>) -> tensor<2x3xi1>
  return %16 : tensor<2x3xi1>
}

// CHECK-LABEL: func.func @conversions
func.func @conversions(%x: tensor<?x3xf32>) -> tensor<?x3xi4> {
  // CHECK: graph.cast %{{.*}} {saturate = false} : (tensor<?x3xf32>) -> tensor<?x3xf8E4M3FNUZ>
  %0 = graph.cast %x {saturate = false} : (tensor<?x3xf32>) -> tensor<?x3xf8E4M3FNUZ>
  // CHECK: graph.cast %{{.*}} {round_mode = "nearest"}
  %1 = graph.cast %0 {round_mode = "nearest"} : (tensor<?x3xf8E4M3FNUZ>) -> tensor<?x3xf8E8M0FNU>
  // CHECK: graph.bit_cast %{{.*}} : (tensor<?x3xf8E8M0FNU>) -> tensor<?x3xui8>
  %2 = graph.bit_cast %1 : (tensor<?x3xf8E8M0FNU>) -> tensor<?x3xui8>
  // CHECK: graph.cast %{{.*}} : (tensor<?x3xui8>) -> tensor<?x3xi4>
  %3 = graph.cast %2 : (tensor<?x3xui8>) -> tensor<?x3xi4>
  return %3 : tensor<?x3xi4>
}
