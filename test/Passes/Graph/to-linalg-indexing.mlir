// RUN: acc-opt %s --graph-to-linalg --canonicalize | FileCheck %s

// CHECK-LABEL: func.func @slices
func.func @slices(%x: tensor<3x8xf32>) -> (tensor<3x2xf32>, tensor<3x8xf32>) {
  // CHECK: tensor.extract_slice %arg0[0, 1] [3, 2] [1, 4]
  %0 = graph.slice %x {starts = array<i64: 0, 1>, sizes = array<i64: 3, 2>, steps = array<i64: 1, 4>} : (tensor<3x8xf32>) -> tensor<3x2xf32>
  // CHECK: linalg.generic
  // CHECK: linalg.index 1
  // CHECK: tensor.extract %arg0
  %1 = graph.slice %x {starts = array<i64: 0, 7>, sizes = array<i64: 3, 8>, steps = array<i64: 1, -1>} : (tensor<3x8xf32>) -> tensor<3x8xf32>
  return %0, %1 : tensor<3x2xf32>, tensor<3x8xf32>
}

// Indices are made to exist before they are used.
// CHECK-LABEL: func.func @gather
func.func @gather(%x: tensor<3x8xui8>, %i: tensor<4xi32>) -> tensor<4x8xui8> {
  // CHECK-DAG: %[[C0:.*]] = arith.constant 0 : index
  // CHECK-DAG: %[[C2:.*]] = arith.constant 2 : index
  // CHECK-DAG: %[[C3:.*]] = arith.constant 3 : index
  // CHECK: linalg.generic
  // CHECK: %[[RAW:.*]] = tensor.extract %arg1
  // CHECK: %[[INDEX:.*]] = arith.index_cast %[[RAW]]
  // CHECK: %[[NEGATIVE:.*]] = arith.cmpi slt, %[[INDEX]], %[[C0]]
  // CHECK: %[[MORE:.*]] = arith.addi %[[INDEX]], %[[C3]]
  // CHECK: %[[WRAPPED:.*]] = arith.select %[[NEGATIVE]], %[[MORE]], %[[INDEX]]
  // CHECK: %[[LOW:.*]] = arith.minsi %[[WRAPPED]], %[[C2]]
  // CHECK: %[[INSIDE:.*]] = arith.maxsi %[[LOW]], %[[C0]]
  // CHECK: tensor.extract %arg0[%[[INSIDE]], %{{.*}}] : tensor<3x8xi8>
  %0 = graph.gather %x, %i {axis = 0 : i64} : (tensor<3x8xui8>, tensor<4xi32>) -> tensor<4x8xui8>
  return %0 : tensor<4x8xui8>
}

// What cannot be written is written back as it was.
// CHECK-LABEL: func.func @scatter
func.func @scatter(%x: tensor<3xf32>, %i: tensor<4xi64>, %u: tensor<4xf32>) -> tensor<3xf32> {
  // CHECK: %[[COPY:.*]] = linalg.copy
  // CHECK: scf.for {{.*}} iter_args(%[[DATA:.*]] = %[[COPY]])
  // CHECK: %[[OLD:.*]] = tensor.extract %[[DATA]]
  // CHECK: %[[NEW:.*]] = arith.addf %[[OLD]]
  // CHECK: %[[VALUE:.*]] = arith.select %{{.*}}, %[[NEW]], %[[OLD]]
  // CHECK: tensor.insert %[[VALUE]] into %[[DATA]]
  %0 = graph.scatter_elements %x, %i, %u {axis = 0 : i64, reduction = #graph.scatter_reduction<add>} : (tensor<3xf32>, tensor<4xi64>, tensor<4xf32>) -> tensor<3xf32>
  return %0 : tensor<3xf32>
}

// CHECK-LABEL: func.func @unknown_sizes
func.func @unknown_sizes(%x: tensor<?x8xf32>, %i: tensor<?xi64>) -> tensor<?x8xf32> {
  // CHECK: %[[SIZE:.*]] = tensor.dim %arg1
  // CHECK: tensor.empty(%[[SIZE]]) : tensor<?x8xf32>
  %0 = graph.gather %x, %i {axis = 0 : i64} : (tensor<?x8xf32>, tensor<?xi64>) -> tensor<?x8xf32>
  return %0 : tensor<?x8xf32>
}

// A slice of nothing may start at the end, where no tensor.extract_slice does.
// CHECK-LABEL: func.func @slice_of_nothing
func.func @slice_of_nothing(%x: tensor<?x2xf32>) -> tensor<?x0xf32> {
  // CHECK-NOT: tensor.extract_slice
  // CHECK: tensor.empty(%{{.*}}) : tensor<?x0xf32>
  %c = arith.constant 0 : index
  %n = tensor.dim %x, %c : tensor<?x2xf32>
  %0 = graph.slice %x, %n {starts = array<i64: 0, 2>, sizes = array<i64: -9223372036854775808, 0>, steps = array<i64: 1, 1>} : (tensor<?x2xf32>, index) -> tensor<?x0xf32>
  return %0 : tensor<?x0xf32>
}
