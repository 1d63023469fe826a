// Operators on tensors whose sizes are known at run time only.
// RUN: acc-opt %s -graph-to-linalg -cse -split-input-file | FileCheck %s

// CHECK-LABEL: te.kernel @same
// CHECK: linalg.generic {{.*}} ins(%arg0, %arg1 : tensor<?x4xf32>, tensor<1x4xf32>)
te.kernel @same(%x: tensor<?x4xf32>, %y: tensor<1x4xf32>, %o: tensor<?x4xf32>) -> tensor<?x4xf32> attributes {target = #te.host} {
  %0 = graph.add %x, %y : (tensor<?x4xf32>, tensor<1x4xf32>) -> tensor<?x4xf32>
  te.return %0 : tensor<?x4xf32>
}

// -----

// Only the run tells which operand repeats.
// CHECK-LABEL: te.kernel @broadcast
// CHECK-DAG: %[[C0:.*]] = arith.constant 0 : index
// CHECK-DAG: %[[C1:.*]] = arith.constant 1 : index
// CHECK: %[[ONE:.*]] = arith.cmpi eq, %{{.*}}, %[[C1]]
// CHECK: %[[STEP:.*]] = arith.select %[[ONE]], %[[C0]], %[[C1]]
// CHECK: linalg.generic
// CHECK: %[[AT:.*]] = arith.muli %{{.*}}, %[[STEP]]
// CHECK: tensor.extract %arg0[%[[AT]]
te.kernel @broadcast(%x: tensor<?x4xf32>, %y: tensor<?x4xf32>, %o: tensor<?x4xf32>) -> tensor<?x4xf32> attributes {target = #te.host} {
  %0 = graph.add %x, %y : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
  te.return %0 : tensor<?x4xf32>
}

// -----

// The same sizes by name do not broadcast.
// CHECK-LABEL: te.kernel @named
// CHECK-NOT: tensor.extract
te.kernel @named(%x: tensor<?x4xf32> {graph.dims = ["n", ""]}, %y: tensor<?x4xf32> {graph.dims = ["n", ""]}, %o: tensor<?x4xf32>) -> tensor<?x4xf32> attributes {target = #te.host} {
  %0 = graph.add %x, %y : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
  te.return %0 : tensor<?x4xf32>
}

// -----

// CHECK-LABEL: func.func @reshape
// CHECK: %[[FLAT:.*]] = tensor.collapse_shape %{{.*}} {{\[}}[0, 1]]
// CHECK: tensor.expand_shape %[[FLAT]] {{\[}}[0, 1]] output_shape [%arg1, %arg2]
func.func @reshape(%x: tensor<?x?xf32>, %m: index, %n: index) -> tensor<?x?xf32> {
  %0 = graph.reshape %x, %m, %n : (tensor<?x?xf32>, index, index) -> tensor<?x?xf32>
  return %0 : tensor<?x?xf32>
}

// -----

// CHECK-LABEL: func.func @split
// CHECK: tensor.expand_shape %{{.*}} {{\[}}[0], [1, 2]] output_shape [%{{.*}}, 3, 4]
func.func @split(%x: tensor<?x12xf32>) -> tensor<?x3x4xf32> {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?x12xf32>
  %0 = graph.reshape %x, %n : (tensor<?x12xf32>, index) -> tensor<?x3x4xf32>
  return %0 : tensor<?x3x4xf32>
}

// -----

// CHECK-LABEL: te.kernel @concat
// CHECK-DAG: %[[C1:.*]] = arith.constant 1 : index
// CHECK-DAG: %[[A:.*]] = tensor.dim %arg0, %[[C1]]
// CHECK-DAG: %[[B:.*]] = tensor.dim %arg1, %[[C1]]
// CHECK: tensor.insert_slice %arg0 into %arg2[0, 0] [2, %[[A]]]
// CHECK: tensor.insert_slice %arg1 into %{{.*}}[0, %[[A]]] [2, %[[B]]]
te.kernel @concat(%x: tensor<2x?xf32>, %y: tensor<2x?xf32>, %o: tensor<2x?xf32>) -> tensor<2x?xf32> attributes {target = #te.host} {
  %0 = graph.concat %x, %y {axis = 1 : i64} : (tensor<2x?xf32>, tensor<2x?xf32>) -> tensor<2x?xf32>
  te.return %0 : tensor<2x?xf32>
}

// -----

// CHECK-LABEL: te.kernel @global_sum
// CHECK-DAG: %[[C0:.*]] = arith.constant 0 : index
// CHECK: %[[N:.*]] = tensor.dim %arg0, %[[C0]]
// CHECK: %[[SUM:.*]] = linalg.generic {{.*}} ins(%arg0 : tensor<?x3x7x7xi8>) outs(%{{.*}} : tensor<?x3xi32>)
// CHECK: tensor.expand_shape %[[SUM]] {{\[}}[0], [1, 2, 3]] output_shape [%[[N]], 3, 1, 1] : tensor<?x3xi32> into tensor<?x3x1x1xi32>
te.kernel @global_sum(%x: tensor<?x3x7x7xi8>, %o: tensor<?x3x1x1xi32>) -> tensor<?x3x1x1xi32> attributes {target = #te.host} {
  %0 = graph.global_sum_integer %x {offset = 5 : i32} : (tensor<?x3x7x7xi8>) -> tensor<?x3x1x1xi32>
  te.return %0 : tensor<?x3x1x1xi32>
}

// -----

// One group has all outputs there are.
// CHECK-LABEL: te.kernel @open_weights
// CHECK-DAG: %[[C0:.*]] = arith.constant 0 : index
// CHECK: %[[O:.*]] = tensor.dim %arg1, %[[C0]]
// CHECK: tensor.expand_shape %arg1 {{\[}}[0, 1], [2], [3]] output_shape [1, %[[O]], 4, 3] : tensor<?x4x3xf32> into tensor<1x?x4x3xf32>
te.kernel @open_weights(%x: tensor<2x4x9xf32>, %w: tensor<?x4x3xf32>, %o: tensor<2x?x7xf32>) -> tensor<2x?x7xf32> attributes {target = #te.host} {
  %0 = graph.conv %x, %w {dilations = array<i64: 1>, pads = array<i64: 0, 0>, strides = array<i64: 1>} : (tensor<2x4x9xf32>, tensor<?x4x3xf32>) -> tensor<2x?x7xf32>
  te.return %0 : tensor<2x?x7xf32>
}

// -----

// The run asks for the parameters that belong to its number of elements.
// CHECK-LABEL: te.kernel @global_mean
// CHECK: %[[SUM:.*]] = linalg.generic {{.*}} ins(%arg0 : tensor<?x3x?x7xi8>) outs(%{{.*}} : tensor<?x3xi64>)
// CHECK: %[[COUNT:.*]] = arith.index_cast %{{.*}} : index to i64
// CHECK: %[[OFFSET:.*]] = {{.*}}call @acc_mean_parameter(%{{.*}}, %[[COUNT]],
// CHECK: %[[MEAN:.*]] = tensor.expand_shape %[[SUM]]
// CHECK: linalg.generic {{.*}} ins(%[[MEAN]] : tensor<?x3x1x1xi64>)
// CHECK: arith.addi %{{.*}}, %[[OFFSET]]
// CHECK: func.func private @acc_mean_parameter(i32, i64, f64, i32, i32, i32, f64, i32, i32, i32, i32) -> i64
te.kernel @global_mean(%x: tensor<?x3x?x7xi8>, %o: tensor<?x3x1x1xi8>) -> tensor<?x3x1x1xi8> attributes {target = #te.host} {
  %0 = graph.global_mean_integer %x {input_scale = 0.5 : f64, input_zero_point = 3 : i32, input_lo = -128 : i32, input_hi = 127 : i32, scale = 0.25 : f64, zero_point = -4 : i32, lo = -128 : i32, hi = 127 : i32} : (tensor<?x3x?x7xi8>) -> tensor<?x3x1x1xi8>
  te.return %0 : tensor<?x3x1x1xi8>
}
