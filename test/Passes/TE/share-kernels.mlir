// RUN: acc-opt --te-share-kernels %s | FileCheck %s

// CHECK: te.kernel @relu1
// CHECK-NOT: te.kernel @relu2
te.kernel @relu1(%x: tensor<4xf32>, %out: tensor<4xf32>) -> tensor<4xf32> attributes {target = "cpu", layers = ["relu1"]} {
  %0 = linalg.exp ins(%x : tensor<4xf32>) outs(%out : tensor<4xf32>) -> tensor<4xf32>
  te.return %0 : tensor<4xf32>
}
te.kernel @relu2(%x: tensor<4xf32>, %out: tensor<4xf32>) -> tensor<4xf32> attributes {target = "cpu", layers = ["relu2"]} {
  %0 = linalg.exp ins(%x : tensor<4xf32>) outs(%out : tensor<4xf32>) -> tensor<4xf32>
  te.return %0 : tensor<4xf32>
}
// Another computation, another schedule, another target.
// CHECK: te.kernel @log
te.kernel @log(%x: tensor<4xf32>, %out: tensor<4xf32>) -> tensor<4xf32> attributes {target = "cpu"} {
  %0 = linalg.log ins(%x : tensor<4xf32>) outs(%out : tensor<4xf32>) -> tensor<4xf32>
  te.return %0 : tensor<4xf32>
}
// CHECK: te.kernel @scheduled
te.kernel @scheduled(%x: tensor<4xf32>, %out: tensor<4xf32>) -> tensor<4xf32> attributes {target = "cpu", schedule = {tile = 2}} {
  %0 = linalg.log ins(%x : tensor<4xf32>) outs(%out : tensor<4xf32>) -> tensor<4xf32>
  te.return %0 : tensor<4xf32>
}
// CHECK: te.kernel @vta
te.kernel @vta(%x: tensor<4xf32>, %out: tensor<4xf32>) -> tensor<4xf32> attributes {target = "vta"} {
  %0 = linalg.log ins(%x : tensor<4xf32>) outs(%out : tensor<4xf32>) -> tensor<4xf32>
  te.return %0 : tensor<4xf32>
}
// CHECK-LABEL: func.func @main
func.func @main(%x: tensor<4xf32>, %e: tensor<4xf32>) -> tensor<4xf32> {
  // CHECK: te.launch @relu1
  %0 = te.launch @relu1 ins(%x : tensor<4xf32>) outs(%e : tensor<4xf32>) -> tensor<4xf32>
  // CHECK: te.launch @relu1
  %1 = te.launch @relu2 ins(%0 : tensor<4xf32>) outs(%e : tensor<4xf32>) -> tensor<4xf32>
  // CHECK: te.launch @log
  %2 = te.launch @log ins(%1 : tensor<4xf32>) outs(%e : tensor<4xf32>) -> tensor<4xf32>
  %3 = te.launch @scheduled ins(%2 : tensor<4xf32>) outs(%e : tensor<4xf32>) -> tensor<4xf32>
  %4 = te.launch @vta ins(%3 : tensor<4xf32>) outs(%e : tensor<4xf32>) -> tensor<4xf32>
  return %4 : tensor<4xf32>
}
