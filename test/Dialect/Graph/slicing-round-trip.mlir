// RUN: acc-opt %s | acc-opt | FileCheck %s
// RUN: acc-opt %s --mlir-print-op-generic | acc-opt | FileCheck %s

// CHECK-LABEL: func.func @known
func.func @known(%x: tensor<3x8xf32>, %v: tensor<1x8xi1>, %s: tensor<ui8>) {
  // CHECK: graph.slice %{{.*}} {sizes = array<i64: 1, 4>, starts = array<i64: 2, 7>, steps = array<i64: 1, -2>} : (tensor<3x8xf32>) -> tensor<1x4xf32>
  %0 = graph.slice %x {starts = array<i64: 2, 7>, sizes = array<i64: 1, 4>, steps = array<i64: 1, -2>} : (tensor<3x8xf32>) -> tensor<1x4xf32>
  // CHECK: graph.slice {{.*}} -> tensor<3x0xf32>
  %1 = graph.slice %x {starts = array<i64: 0, 8>, sizes = array<i64: 3, 0>, steps = array<i64: 1, 1>} : (tensor<3x8xf32>) -> tensor<3x0xf32>
  // CHECK: graph.expand %{{.*}} {shape = array<i64: 2, 3, 8>} : (tensor<1x8xi1>) -> tensor<2x3x8xi1>
  %2 = graph.expand %v {shape = array<i64: 2, 3, 8>} : (tensor<1x8xi1>) -> tensor<2x3x8xi1>
  // CHECK: graph.tile %{{.*}} {repeats = array<i64: 2, 1>} : (tensor<3x8xf32>) -> tensor<6x8xf32>
  %3 = graph.tile %x {repeats = array<i64: 2, 1>} : (tensor<3x8xf32>) -> tensor<6x8xf32>
  // CHECK: graph.trilu %{{.*}} {k = -1 : i64, upper = false} : (tensor<3x8xf32>) -> tensor<3x8xf32>
  %4 = graph.trilu %x {k = -1 : i64, upper = false} : (tensor<3x8xf32>) -> tensor<3x8xf32>
  // CHECK: graph.range %{{.*}}, %{{.*}} {size = 5 : i64} : (tensor<ui8>, tensor<ui8>) -> tensor<5xui8>
  %5 = graph.range %s, %s {size = 5 : i64} : (tensor<ui8>, tensor<ui8>) -> tensor<5xui8>
  return
}

// CHECK-LABEL: func.func @unknown
func.func @unknown(%x: tensor<?x8xf32>, %n: index, %m: index, %s: tensor<f32>) {
  // CHECK: graph.slice {{.*}} : (tensor<?x8xf32>, index, index) -> tensor<?x8xf32>
  %0 = graph.slice %x, %n, %m {starts = array<i64: -9223372036854775808, 0>, sizes = array<i64: -9223372036854775808, 8>, steps = array<i64: 1, 1>} : (tensor<?x8xf32>, index, index) -> tensor<?x8xf32>
  // CHECK: graph.expand {{.*}} -> tensor<?x?x8xf32>
  %1 = graph.expand %x, %n, %m {shape = array<i64: -9223372036854775808, -9223372036854775808, 8>} : (tensor<?x8xf32>, index, index) -> tensor<?x?x8xf32>
  // CHECK: graph.tile {{.*}} -> tensor<?x?xf32>
  %2 = graph.tile %x, %n {repeats = array<i64: 2, -9223372036854775808>} : (tensor<?x8xf32>, index) -> tensor<?x?xf32>
  // CHECK: graph.range {{.*}} -> tensor<?xf32>
  %3 = graph.range %s, %s, %n {size = -9223372036854775808 : i64} : (tensor<f32>, tensor<f32>, index) -> tensor<?xf32>
  return
}
