// RUN: acc-opt %s --host-hoist-allocations=all | FileCheck %s

// CHECK-LABEL: te.kernel @k(
// CHECK-SAME: %{{.*}}: memref<4xf32>, %[[A:.*]]: memref<4xf32>, %[[B:.*]]: memref<2xi8>)
// CHECK-NOT: memref.alloc
te.kernel @k(%out: memref<4xf32>) attributes {target = #te.host} {
  %a = memref.alloc() : memref<4xf32>
  %b = memref.alloc() : memref<2xi8>
  linalg.copy ins(%a : memref<4xf32>) outs(%out : memref<4xf32>)
  te.return
}

// CHECK-LABEL: func.func @main(
func.func @main(%y: memref<4xf32>) {
  // CHECK: %[[A:.*]] = memref.alloc() : memref<4xf32>
  // CHECK: %[[B:.*]] = memref.alloc() : memref<2xi8>
  // CHECK: te.launch @k outs(%{{.*}}, %[[A]], %[[B]] : memref<4xf32>, memref<4xf32>, memref<2xi8>)
  te.launch @k outs(%y : memref<4xf32>)
  return
}
