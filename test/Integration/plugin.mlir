// The stock mlir-opt knows acc's dialects and passes once it has loaded libacc.so.
// RUN: mlir-opt --load-dialect-plugin=%acc_lib/libacc.so --load-pass-plugin=%acc_lib/libacc.so \
// RUN:   --pass-pipeline='builtin.module(graph-outline-kernels,graph-to-linalg)' %s | FileCheck %s

// CHECK-LABEL: te.kernel @relu
// CHECK: linalg.generic
// CHECK: arith.cmpf olt
// CHECK: arith.select
// CHECK-LABEL: func.func @main
// CHECK: te.launch @relu
func.func @main(%x: tensor<8xf32> {graph.name = "x"}) -> (tensor<8xf32> {graph.name = "y"}) {
  %y = graph.relu %x : (tensor<8xf32>) -> tensor<8xf32> loc("relu")
  return %y : tensor<8xf32>
}
