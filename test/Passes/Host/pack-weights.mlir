// RUN: acc-opt %s --host-pack-weights --canonicalize | FileCheck %s

// CHECK-LABEL: te.kernel @constant(
// CHECK-SAME: %[[P:.*]]: tensor<1x3x2xf32>, %{{.*}}: tensor<1x3x2xf32>) -> tensor<1x3x2xf32>
// CHECK-NOT: linalg.pack
// CHECK: linalg.copy ins(%[[P]]
te.kernel @constant(%w: tensor<2x3xf32>, %out: tensor<1x3x2xf32>) -> tensor<1x3x2xf32> attributes {target = #te.host} {
  %e = tensor.empty() : tensor<1x3x2xf32>
  %p = linalg.pack %w inner_dims_pos = [0] inner_tiles = [2] into %e : tensor<2x3xf32> -> tensor<1x3x2xf32>
  %0 = linalg.copy ins(%p : tensor<1x3x2xf32>) outs(%out : tensor<1x3x2xf32>) -> tensor<1x3x2xf32>
  te.return %0 : tensor<1x3x2xf32>
}

// A missing output is filled up with zeros, a missing partner of a pair too.
// CHECK-LABEL: te.kernel @padded(
// CHECK-SAME: %{{.*}}: tensor<1x2x4x2xi8>
te.kernel @padded(%w: tensor<3x3xi8>, %out: tensor<1x2x4x2xi8>) -> tensor<1x2x4x2xi8> attributes {target = #te.host} {
  %z = arith.constant 0 : i8
  %e = tensor.empty() : tensor<1x2x4x2xi8>
  %p = linalg.pack %w padding_value(%z : i8) inner_dims_pos = [0, 1] inner_tiles = [4, 2] into %e
      : tensor<3x3xi8> -> tensor<1x2x4x2xi8>
  %0 = linalg.copy ins(%p : tensor<1x2x4x2xi8>) outs(%out : tensor<1x2x4x2xi8>) -> tensor<1x2x4x2xi8>
  te.return %0 : tensor<1x2x4x2xi8>
}

// What is known at run time only is packed then.
// CHECK-LABEL: te.kernel @argument(
// CHECK-SAME: %{{.*}}: tensor<2x3xf32>, %{{.*}}: tensor<1x3x2xf32>) -> tensor<1x3x2xf32>
// CHECK: linalg.transpose
te.kernel @argument(%w: tensor<2x3xf32>, %out: tensor<1x3x2xf32>) -> tensor<1x3x2xf32> attributes {target = #te.host} {
  %e = tensor.empty() : tensor<1x3x2xf32>
  %p = linalg.pack %w inner_dims_pos = [0] inner_tiles = [2] into %e : tensor<2x3xf32> -> tensor<1x3x2xf32>
  %0 = linalg.copy ins(%p : tensor<1x3x2xf32>) outs(%out : tensor<1x3x2xf32>) -> tensor<1x3x2xf32>
  te.return %0 : tensor<1x3x2xf32>
}

// CHECK-LABEL: func.func @main
func.func @main(%x: tensor<2x3xf32>, %e: tensor<1x3x2xf32>, %f: tensor<1x2x4x2xi8>)
    -> (tensor<1x3x2xf32>, tensor<1x3x2xf32>, tensor<1x2x4x2xi8>, tensor<1x3x2xf32>) {
  %w = graph.constant dense<[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]> : tensor<2x3xf32> : tensor<2x3xf32>
  %s = graph.constant dense<7.0> : tensor<6xf32> : tensor<6xf32>
  %t = tensor.expand_shape %s [[0, 1]] output_shape [2, 3] : tensor<6xf32> into tensor<2x3xf32>
  %i = graph.constant dense<[[1, 2, 3], [4, 5, 6], [7, 8, 9]]> : tensor<3x3xi8> : tensor<3x3xi8>
  // CHECK-DAG: %[[W:.*]] = graph.constant dense<{{\[\[\[}}1.000000e+00, 4.000000e+00], [2.000000e+00, 5.000000e+00], [3.000000e+00, 6.000000e+00{{\]\]\]}}>
  // CHECK-DAG: %[[S:.*]] = graph.constant dense<7.000000e+00> : tensor<1x3x2xf32>
  // CHECK-DAG: %[[I:.*]] = graph.constant dense<{{\[\[\[\[}}1, 2], [4, 5], [7, 8], [0, 0]], {{\[\[}}3, 0], [6, 0], [9, 0], [0, 0{{\]\]\]\]}}>
  // CHECK: te.launch @constant ins(%[[W]]
  // CHECK: te.launch @constant ins(%[[S]]
  // CHECK: te.launch @padded ins(%[[I]]
  %0 = te.launch @constant ins(%w : tensor<2x3xf32>) outs(%e : tensor<1x3x2xf32>) -> tensor<1x3x2xf32>
  %1 = te.launch @constant ins(%t : tensor<2x3xf32>) outs(%e : tensor<1x3x2xf32>) -> tensor<1x3x2xf32>
  %2 = te.launch @padded ins(%i : tensor<3x3xi8>) outs(%f : tensor<1x2x4x2xi8>) -> tensor<1x2x4x2xi8>
  %3 = te.launch @argument ins(%x : tensor<2x3xf32>) outs(%e : tensor<1x3x2xf32>) -> tensor<1x3x2xf32>
  return %0, %1, %2, %3 : tensor<1x3x2xf32>, tensor<1x3x2xf32>, tensor<1x2x4x2xi8>, tensor<1x3x2xf32>
}
