// RUN: acc-opt %s -split-input-file -verify-diagnostics --host-hoist-allocations | FileCheck %s

// CHECK-LABEL: te.kernel @k(
// CHECK-SAME: %{{.*}}: memref<?x4xf32>, %{{.*}}: memref<?xf32>, %[[A:.*]]: memref<?xf32>, %[[B:.*]]: memref<?xf32>)
te.kernel @k(%x: memref<?x4xf32>, %out: memref<?xf32>) attributes {target = #te.host} {
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  %n = memref.dim %x, %c0 : memref<?x4xf32>
  %m = arith.muli %n, %c2 : index
  // CHECK-NOT: memref.alloc
  // CHECK: linalg.copy ins(%[[A]] : memref<?xf32>) outs(%[[B]] : memref<?xf32>)
  %a = memref.alloc(%m) : memref<?xf32>
  %d = memref.dim %a, %c0 : memref<?xf32>
  %b = memref.alloc(%d) : memref<?xf32>
  linalg.copy ins(%a : memref<?xf32>) outs(%b : memref<?xf32>)
  te.return
}

// CHECK-LABEL: func.func @main(
func.func @main(%x: memref<8x4xf32>, %y: memref<?xf32>) {
  // CHECK: %[[X:.*]] = memref.cast %{{.*}} : memref<8x4xf32> to memref<?x4xf32>
  // CHECK: %[[N:.*]] = memref.dim %[[X]]
  // CHECK: %[[M:.*]] = arith.muli %[[N]]
  // CHECK: %[[A:.*]] = memref.alloc(%[[M]]) : memref<?xf32>
  // CHECK: %[[B:.*]] = memref.alloc(
  // CHECK: te.launch @k ins(%{{.*}}) outs(%{{.*}}, %[[A]], %[[B]] : memref<?xf32>, memref<?xf32>, memref<?xf32>)
  te.launch @k ins(%x : memref<8x4xf32>) outs(%y : memref<?xf32>)
  return
}

// -----

te.kernel @k(%x: memref<1xindex>, %out: memref<?xf32>) attributes {target = #te.host} {
  %c0 = arith.constant 0 : index
  %n = memref.load %x[%c0] : memref<1xindex>
  // expected-error @+1 {{has a size that only the kernel knows}}
  %a = memref.alloc(%n) : memref<?xf32>
  linalg.copy ins(%a : memref<?xf32>) outs(%out : memref<?xf32>)
  te.return
}
func.func @main(%x: memref<1xindex>, %y: memref<?xf32>) {
  te.launch @k ins(%x : memref<1xindex>) outs(%y : memref<?xf32>)
  return
}
