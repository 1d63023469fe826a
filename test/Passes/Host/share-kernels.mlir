// RUN: acc-opt %s --host-share-kernels | FileCheck %s

// CHECK: te.kernel @first
te.kernel @first(%x: tensor<8xf32>, %out: tensor<8xf32>) -> tensor<8xf32> attributes {target = #te.host, layers = ["a"]} {
  %0 = linalg.exp ins(%x : tensor<8xf32>) outs(%out : tensor<8xf32>) -> tensor<8xf32>
  te.return %0 : tensor<8xf32>
}

// CHECK-NOT: te.kernel @second
te.kernel @second(%x: tensor<8xf32>, %out: tensor<8xf32>) -> tensor<8xf32> attributes {target = #te.host, layers = ["b"]} {
  %0 = linalg.exp ins(%x : tensor<8xf32>) outs(%out : tensor<8xf32>) -> tensor<8xf32>
  te.return %0 : tensor<8xf32>
}

// CHECK: te.kernel @other
te.kernel @other(%x: tensor<8xf32>, %out: tensor<8xf32>) -> tensor<8xf32> attributes {target = #te.host} {
  %0 = linalg.log ins(%x : tensor<8xf32>) outs(%out : tensor<8xf32>) -> tensor<8xf32>
  te.return %0 : tensor<8xf32>
}

// CHECK-LABEL: func.func @main
// CHECK: te.launch @first
// CHECK: te.launch @first
// CHECK: te.launch @other
func.func @main(%x: tensor<8xf32>, %e: tensor<8xf32>) -> tensor<8xf32> {
  %0 = te.launch @first ins(%x : tensor<8xf32>) outs(%e : tensor<8xf32>) -> tensor<8xf32>
  %1 = te.launch @second ins(%0 : tensor<8xf32>) outs(%e : tensor<8xf32>) -> tensor<8xf32>
  %2 = te.launch @other ins(%1 : tensor<8xf32>) outs(%e : tensor<8xf32>) -> tensor<8xf32>
  return %2 : tensor<8xf32>
}
