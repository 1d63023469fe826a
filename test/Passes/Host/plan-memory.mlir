// RUN: acc-opt %s --split-input-file --host-plan-memory | FileCheck %s
// RUN: acc-opt %s --split-input-file '--host-plan-memory=alignment=128' | FileCheck %s --check-prefix=WIDE
// RUN: acc-opt %s --split-input-file '--host-plan-memory=guard-bytes=64' | FileCheck %s --check-prefix=GUARD
// RUN: not acc-opt %s --split-input-file '--host-plan-memory=guard-bytes=-1' 2>&1 | FileCheck %s --check-prefix=NEGATIVE
// RUN: not acc-opt %s --split-input-file '--host-plan-memory=alignment=48' 2>&1 | FileCheck %s --check-prefix=ODD

// ODD: alignment 48 is not a power of two
// NEGATIVE: guard-bytes -1 is negative

// What a kernel allocates is one more argument.
// CHECK-LABEL: te.kernel @scratch(
// CHECK-SAME: %{{.*}}: memref<20xf32>, %{{.*}}: memref<20xf32>, %[[S:.*]]: memref<192xi8>)
// CHECK-DAG: %[[A:.*]] = arith.constant 0 : index
// CHECK-DAG: %[[B:.*]] = arith.constant 64 : index
// CHECK-DAG: memref.view %[[S]][%[[A]]][] : memref<192xi8> to memref<3xf32>
// CHECK-DAG: memref.view %[[S]][%[[B]]][] : memref<192xi8> to memref<20xf32>
// With guards, 64 bytes are free before and behind each of both.
// GUARD-LABEL: te.kernel @scratch(
// GUARD-SAME: %[[S:[a-z0-9]+]]: memref<384xi8>) attributes {cpu.scratch = array<i64: 64, 12, 192, 80>, target = #te.host}
// GUARD-DAG: %[[A:.*]] = arith.constant 64 : index
// GUARD-DAG: %[[B:.*]] = arith.constant 192 : index
// GUARD-DAG: memref.view %[[S]][%[[A]]][] : memref<384xi8> to memref<3xf32>
// GUARD-DAG: memref.view %[[S]][%[[B]]][] : memref<384xi8> to memref<20xf32>
te.kernel @scratch(%x: memref<20xf32>, %out: memref<20xf32>) attributes {target = #te.host} {
  %a = memref.alloc() : memref<3xf32>
  %b = memref.alloc() : memref<20xf32>
  linalg.copy ins(%x : memref<20xf32>) outs(%b : memref<20xf32>)
  te.return
}

te.kernel @plain(%x: memref<20xf32>, %out: memref<20xf32>) attributes {target = #te.host} {
  te.return
}

// %c takes the place of the scratch memory, which is in use during one launch only; %a is in use as long as its views.
// CHECK-LABEL: func.func @main(
// CHECK-SAME: %[[W:[a-z0-9]+]]: memref<448xi8>)
// GUARD-LABEL: func.func @main(
// GUARD-SAME: %[[W:[a-z0-9]+]]: memref<896xi8>)
// GUARD: %[[O0:.*]] = arith.constant 64 : index
// GUARD: memref.view %[[W]][%[[O0]]][] : memref<896xi8> to memref<20xf32>
// GUARD: %[[O1:.*]] = arith.constant 64 : index
// GUARD: memref.view %[[W]][%[[O1]]][] : memref<896xi8> to memref<384xi8>
// GUARD: %[[O2:.*]] = arith.constant 704 : index
// GUARD: memref.view %[[W]][%[[O2]]][] : memref<896xi8> to memref<20xf32>
// GUARD: %[[O3:.*]] = arith.constant 512 : index
// GUARD: memref.view %[[W]][%[[O3]]][] : memref<896xi8> to memref<20xf32>
// WIDE-LABEL: func.func @main(
// WIDE-SAME: memref<512xi8>)
func.func @main(%x: memref<20xf32>, %y: memref<20xf32>) {
  // CHECK: %[[O0:.*]] = arith.constant 0 : index
  // CHECK: %[[C:.*]] = memref.view %[[W]][%[[O0]]][] : memref<448xi8> to memref<20xf32>
  // CHECK: %[[O1:.*]] = arith.constant 0 : index
  // CHECK: %[[T:.*]] = memref.view %[[W]][%[[O1]]][] : memref<448xi8> to memref<192xi8>
  // CHECK: %[[O2:.*]] = arith.constant 320 : index
  // CHECK: memref.view %[[W]][%[[O2]]][]
  // CHECK: %[[O3:.*]] = arith.constant 192 : index
  // CHECK: memref.view %[[W]][%[[O3]]][]
  // CHECK: te.launch @scratch ins(%{{.*}}) outs(%{{.*}}, %[[T]] : memref<20xf32>, memref<192xi8>)
  %a = memref.alloc() : memref<20xf32>
  te.launch @plain ins(%x : memref<20xf32>) outs(%a : memref<20xf32>)
  %b = memref.alloc() : memref<20xf32>
  %v = memref.expand_shape %a [[0, 1]] output_shape [1, 20] : memref<20xf32> into memref<1x20xf32>
  %f = memref.collapse_shape %v [[0, 1]] : memref<1x20xf32> into memref<20xf32>
  te.launch @scratch ins(%f : memref<20xf32>) outs(%b : memref<20xf32>)
  %c = memref.alloc() : memref<20xf32>
  // CHECK: te.launch @plain ins(%{{.*}}) outs(%[[C]]
  te.launch @plain ins(%b : memref<20xf32>) outs(%c : memref<20xf32>)
  te.launch @plain ins(%c : memref<20xf32>) outs(%y : memref<20xf32>)
  return
}

// -----

te.kernel @k(%x: memref<?xf32>, %out: memref<?xf32>) attributes {target = #te.host} {
  te.return
}

// What is of unknown size is freed after its last use, unless it is returned.
// CHECK-LABEL: func.func @main(
func.func @main(%x: memref<?xf32>) -> memref<?xf32> {
  %c0 = arith.constant 0 : index
  %n = memref.dim %x, %c0 : memref<?xf32>
  // CHECK: %[[A:.*]] = memref.alloc(
  // CHECK: %[[B:.*]] = memref.alloc(
  %a = memref.alloc(%n) : memref<?xf32>
  %b = memref.alloc(%n) : memref<?xf32>
  te.launch @k ins(%x : memref<?xf32>) outs(%a : memref<?xf32>)
  %v = memref.cast %a : memref<?xf32> to memref<?xf32, strided<[1], offset: ?>>
  // CHECK: te.launch
  // CHECK: te.launch
  // CHECK-NEXT: memref.dealloc %[[A]]
  te.launch @k ins(%v : memref<?xf32, strided<[1], offset: ?>>) outs(%b : memref<?xf32>)
  // CHECK-NOT: memref.dealloc
  return %b : memref<?xf32>
}
