// RUN: acc-opt %s | acc-opt | FileCheck %s
// RUN: acc-opt %s --mlir-print-op-generic | acc-opt | FileCheck %s

!q = !quant.uniform<i8:f32, 5.0e-01>

// CHECK-LABEL: func.func @gathering
func.func @gathering(%x: tensor<3x8xf32>, %q: tensor<3x8x!q>, %i: tensor<2x4xi32>, %t: tensor<3x5x1xi64>, %d: tensor<?x8xf32>, %j: tensor<?xi64>) {
  // CHECK: graph.gather %{{.*}}, %{{.*}} {axis = 1 : i64} : (tensor<3x8xf32>, tensor<2x4xi32>) -> tensor<3x2x4xf32>
  %0 = graph.gather %x, %i {axis = 1 : i64} : (tensor<3x8xf32>, tensor<2x4xi32>) -> tensor<3x2x4xf32>
  // CHECK: graph.gather {{.*}} -> tensor<2x4x8x!quant.uniform
  %1 = graph.gather %q, %i {axis = 0 : i64} : (tensor<3x8x!q>, tensor<2x4xi32>) -> tensor<2x4x8x!q>
  // CHECK: graph.gather_elements {{.*}} {axis = 0 : i64} : (tensor<3x8xf32>, tensor<2x4xi32>) -> tensor<2x4xf32>
  %2 = graph.gather_elements %x, %i {axis = 0 : i64} : (tensor<3x8xf32>, tensor<2x4xi32>) -> tensor<2x4xf32>
  // CHECK: graph.gather_nd {{.*}} {batch_dims = 1 : i64} : (tensor<3x8xf32>, tensor<3x5x1xi64>) -> tensor<3x5xf32>
  %3 = graph.gather_nd %x, %t {batch_dims = 1 : i64} : (tensor<3x8xf32>, tensor<3x5x1xi64>) -> tensor<3x5xf32>
  // CHECK: graph.gather {{.*}} : (tensor<?x8xf32>, tensor<?xi64>) -> tensor<?x8xf32>
  %4 = graph.gather %d, %j {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?xi64>) -> tensor<?x8xf32>
  return
}

// CHECK-LABEL: func.func @scattering
func.func @scattering(%x: tensor<3x8xf32>, %i: tensor<2x4xi32>, %u: tensor<2x4xf32>, %t: tensor<5x1xi64>, %r: tensor<5x8xf32>,
                      %c: tensor<3x2xf32>, %p: tensor<3xi64>) {
  // CHECK: graph.scatter_elements {{.*}} {axis = 0 : i64, reduction = #graph.scatter_reduction<add>} : (tensor<3x8xf32>, tensor<2x4xi32>, tensor<2x4xf32>) -> tensor<3x8xf32>
  %0 = graph.scatter_elements %x, %i, %u {axis = 0 : i64, reduction = #graph.scatter_reduction<add>} : (tensor<3x8xf32>, tensor<2x4xi32>, tensor<2x4xf32>) -> tensor<3x8xf32>
  // CHECK: graph.scatter_nd {{.*}} : (tensor<3x8xf32>, tensor<5x1xi64>, tensor<5x8xf32>) -> tensor<3x8xf32>
  %1 = graph.scatter_nd %x, %t, %r : (tensor<3x8xf32>, tensor<5x1xi64>, tensor<5x8xf32>) -> tensor<3x8xf32>
  // CHECK: graph.tensor_scatter {{.*}} {axis = 1 : i64, circular = true} : (tensor<3x8xf32>, tensor<3x2xf32>, tensor<3xi64>)
  %2 = graph.tensor_scatter %x, %c, %p {axis = 1 : i64, circular = true} : (tensor<3x8xf32>, tensor<3x2xf32>, tensor<3xi64>) -> tensor<3x8xf32>
  // CHECK: graph.tensor_scatter {{.*}} {axis = 1 : i64} : (tensor<3x8xf32>, tensor<3x2xf32>) -> tensor<3x8xf32>
  %3 = graph.tensor_scatter %x, %c {axis = 1 : i64} : (tensor<3x8xf32>, tensor<3x2xf32>) -> tensor<3x8xf32>
  return
}

// CHECK-LABEL: func.func @others
func.func @others(%x: tensor<3x8xf32>, %i: tensor<2x4xi32>, %v: tensor<2xf16>, %n: index, %l: tensor<8xi64>) {
  // CHECK: graph.one_hot {{.*}} {axis = 1 : i64, depth = 7 : i64} : (tensor<2x4xi32>, tensor<2xf16>) -> tensor<2x7x4xf16>
  %0 = graph.one_hot %i, %v {axis = 1 : i64, depth = 7 : i64} : (tensor<2x4xi32>, tensor<2xf16>) -> tensor<2x7x4xf16>
  // CHECK: graph.one_hot {{.*}} -> tensor<2x4x?xf16>
  %1 = graph.one_hot %i, %v, %n {axis = 2 : i64, depth = -9223372036854775808 : i64} : (tensor<2x4xi32>, tensor<2xf16>, index) -> tensor<2x4x?xf16>
  // CHECK: graph.reverse_sequence {{.*}} {batch_axis = 1 : i64, time_axis = 0 : i64}
  %2 = graph.reverse_sequence %x, %l {batch_axis = 1 : i64, time_axis = 0 : i64} : (tensor<3x8xf32>, tensor<8xi64>) -> tensor<3x8xf32>
  return
}
