// RUN: acc-opt %s | acc-opt | FileCheck %s
// RUN: acc-opt %s --mlir-print-op-generic | acc-opt | FileCheck %s

// CHECK-LABEL: func.func @search
func.func @search(%x: tensor<3x8xf32>, %c: tensor<2xi1>, %n: index, %d: tensor<?x4xi32>) {
  // CHECK: graph.top_k {{.*}} {axis = 1 : i64, k = 2 : i64, largest = false} : (tensor<3x8xf32>) -> (tensor<3x2xf32>, tensor<3x2xi64>)
  %0:2 = graph.top_k %x {axis = 1 : i64, k = 2 : i64, largest = false} : (tensor<3x8xf32>) -> (tensor<3x2xf32>, tensor<3x2xi64>)
  // CHECK: graph.top_k {{.*}} -> (tensor<?x8xf32>, tensor<?x8xi64>)
  %1:2 = graph.top_k %x, %n {axis = 0 : i64, k = -9223372036854775808 : i64} : (tensor<3x8xf32>, index) -> (tensor<?x8xf32>, tensor<?x8xi64>)
  // CHECK: graph.non_zero {{.*}} : (tensor<3x8xf32>) -> (tensor<48xi64>, tensor<i64>)
  %2:2 = graph.non_zero %x : (tensor<3x8xf32>) -> (tensor<48xi64>, tensor<i64>)
  // CHECK: graph.non_zero {{.*}} -> (tensor<?xi64>, tensor<i64>)
  %3:2 = graph.non_zero %d : (tensor<?x4xi32>) -> (tensor<?xi64>, tensor<i64>)
  // CHECK: graph.compress {{.*}} {axis = 0 : i64} : (tensor<3x8xf32>, tensor<2xi1>) -> (tensor<24xf32>, tensor<i64>)
  %4:2 = graph.compress %x, %c {axis = 0 : i64} : (tensor<3x8xf32>, tensor<2xi1>) -> (tensor<24xf32>, tensor<i64>)
  // CHECK: graph.unique {{.*}} {axis = 1 : i64, sorted = false} : (tensor<3x8xf32>) -> (tensor<24xf32>, tensor<8xi64>, tensor<8xi64>, tensor<8xi64>, tensor<i64>)
  %5:5 = graph.unique %x {axis = 1 : i64, sorted = false} : (tensor<3x8xf32>) -> (tensor<24xf32>, tensor<8xi64>, tensor<8xi64>, tensor<8xi64>, tensor<i64>)
  return
}

// CHECK-LABEL: func.func @boxes
func.func @boxes(%b: tensor<2x6x4xf32>, %s: tensor<2x3x6xf32>, %m: tensor<i64>, %t: tensor<f32>) {
  // CHECK: graph.non_max_suppression {{.*}} {center_point_box = true} : {{.*}} -> (tensor<108xi64>, tensor<i64>)
  %0:2 = graph.non_max_suppression %b, %s, %m, %t, %t {center_point_box = true} : (tensor<2x6x4xf32>, tensor<2x3x6xf32>, tensor<i64>, tensor<f32>, tensor<f32>) -> (tensor<108xi64>, tensor<i64>)
  return
}
