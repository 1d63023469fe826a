// RUN: acc-opt --te-hoist-operands %s | FileCheck %s

// CHECK-LABEL: te.kernel @scale(
// CHECK-SAME: %[[X:.*]]: tensor<2x2xf32>, %[[C:.*]]: tensor<4xf32>, %{{.*}}: tensor<4xf32>) -> tensor<4xf32>
// CHECK-NOT: arith.constant
// A reshape of anything but an input stays.
// CHECK: tensor.collapse_shape
// CHECK: ins(%{{.*}}, %[[C]] : tensor<4xf32>, tensor<4xf32>)
te.kernel @scale(%x: tensor<2x2xf32>, %out: tensor<4xf32>) -> tensor<4xf32> attributes {target = #te.host} {
  %f = tensor.expand_shape %out [[0, 1]] output_shape [2, 2] : tensor<4xf32> into tensor<2x2xf32>
  %g = linalg.add ins(%x, %x : tensor<2x2xf32>, tensor<2x2xf32>) outs(%f : tensor<2x2xf32>) -> tensor<2x2xf32>
  %y = tensor.collapse_shape %g [[0, 1]] : tensor<2x2xf32> into tensor<4xf32>
  %c = arith.constant dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>
  %0 = linalg.mul ins(%y, %c : tensor<4xf32>, tensor<4xf32>) outs(%out : tensor<4xf32>) -> tensor<4xf32>
  te.return %0 : tensor<4xf32>
}

// CHECK-LABEL: te.kernel @flat(
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<4xf32>, %[[W:[a-z0-9]+]]: tensor<4xf32>, %[[OUT:[a-z0-9]+]]: tensor<4xf32>)
// CHECK-NEXT: linalg.mul ins(%[[X]], %[[W]] : tensor<4xf32>, tensor<4xf32>) outs(%[[OUT]] : tensor<4xf32>)
te.kernel @flat(%x: tensor<2x2xf32>, %w: tensor<4x1xf32>, %out: tensor<4xf32>) -> tensor<4xf32> attributes {target = #te.host} {
  %y = tensor.collapse_shape %x [[0, 1]] : tensor<2x2xf32> into tensor<4xf32>
  %v = tensor.collapse_shape %w [[0, 1]] : tensor<4x1xf32> into tensor<4xf32>
  %0 = linalg.mul ins(%y, %v : tensor<4xf32>, tensor<4xf32>) outs(%out : tensor<4xf32>) -> tensor<4xf32>
  te.return %0 : tensor<4xf32>
}

// CHECK-LABEL: func.func @main
func.func @main(%x: tensor<2x2xf32>, %e: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %w = graph.constant dense<[[5.0], [6.0], [7.0], [8.0]]> : tensor<4x1xf32> : tensor<4x1xf32>
  // CHECK: %[[C:[a-z0-9_]+]] = graph.constant dense<[1.{{.*}}, 2.{{.*}}, 3.{{.*}}, 4.{{.*}}]> : tensor<4xf32>
  // CHECK: te.launch @scale ins(%arg0, %[[C]] : tensor<2x2xf32>, tensor<4xf32>)
  %0 = te.launch @scale ins(%x : tensor<2x2xf32>) outs(%e : tensor<4xf32>) -> tensor<4xf32>
  // CHECK-DAG: %[[Y:[a-z0-9_]+]] = tensor.collapse_shape %arg0
  // CHECK-DAG: %[[V:[a-z0-9_]+]] = graph.constant dense<[5.{{.*}}, 6.{{.*}}, 7.{{.*}}, 8.{{.*}}]> : tensor<4xf32>
  // CHECK: te.launch @flat ins(%[[Y]], %[[V]] : tensor<4xf32>, tensor<4xf32>)
  %1 = te.launch @flat ins(%x, %w : tensor<2x2xf32>, tensor<4x1xf32>) outs(%e : tensor<4xf32>) -> tensor<4xf32>
  return %0, %1 : tensor<4xf32>, tensor<4xf32>
}
