// RUN: acc-opt %s -split-input-file --pass-pipeline='builtin.module(te.kernel(host-vectorize-linalg,canonicalize))' | FileCheck %s

// The last of three chunks of rows has less; a row and those behind it are walked through in one go.
// CHECK-LABEL: te.kernel @rows(
// CHECK-DAG: %[[C3:.*]] = arith.constant 3 : index
// CHECK-DAG: %[[C80:.*]] = arith.constant 80 : index
// CHECK-DAG: %[[C200:.*]] = arith.constant 200 : index
// CHECK: cpu.parallel %[[C3]] {
// CHECK-NEXT: ^bb0(%[[CHUNK:.*]]: index):
// CHECK: %[[START:.*]] = arith.muli %[[CHUNK]], %[[C80]]
// CHECK: %[[LEFT:.*]] = arith.subi %[[C200]], %[[START]]
// CHECK: arith.minsi %[[LEFT]], %[[C80]]
// CHECK: scf.for
// CHECK: vector.store
// CHECK: vector.maskedstore
te.kernel @rows(%a: memref<5x40xf32>, %b: memref<5x40xf32>) attributes {target = #te.host} {
  linalg.exp {te.schedule = #te.schedule<tiles = [#te.tile<sizes = [2], kind = parallel>]>}
      ins(%a : memref<5x40xf32>) outs(%b : memref<5x40xf32>)
  te.return
}

// -----

// Of two loops every pair of chunks is one; what is open is counted when it runs.
// CHECK-LABEL: te.kernel @open(
// CHECK-DAG: %[[C0:.*]] = arith.constant 0 : index
// CHECK-DAG: %[[N:.*]] = memref.dim %{{.*}}, %[[C0]]
// CHECK: %[[COUNT:.*]] = arith.muli %[[N]], %{{.*}} : index
// CHECK: cpu.parallel %[[COUNT]] {
// CHECK: arith.remui
// CHECK: arith.divui
te.kernel @open(%a: memref<?x?x32xf32>, %b: memref<?x?x32xf32>) attributes {target = #te.host} {
  linalg.exp {te.schedule = #te.schedule<tiles = [#te.tile<sizes = [1, 4], kind = parallel>]>}
      ins(%a : memref<?x?x32xf32>) outs(%b : memref<?x?x32xf32>)
  te.return
}

// -----

// A transpose has no vectors, but plain loops.
// CHECK-LABEL: te.kernel @transpose(
// CHECK-DAG: %[[C4:.*]] = arith.constant 4 : index
// CHECK: cpu.parallel %[[C4]] {
// CHECK: %[[START:.*]] = arith.muli %{{.*}}, %[[C4]]
// CHECK: %[[END:.*]] = arith.addi %[[START]], %[[C4]]
// CHECK: scf.for %{{.*}} = %[[START]] to %[[END]]
// CHECK: memref.store
te.kernel @transpose(%a: memref<40x16xf32>, %b: memref<16x40xf32>) attributes {target = #te.host} {
  linalg.transpose ins(%a : memref<40x16xf32>) outs(%b : memref<16x40xf32>) permutation = [1, 0]
      {te.schedule = #te.schedule<tiles = [#te.tile<sizes = [4], kind = parallel>]>}
  te.return
}

// -----

// A copy may be cut too.
// CHECK-LABEL: te.kernel @copy(
// CHECK: cpu.parallel
te.kernel @copy(%a: memref<8x64xf32>, %b: memref<8x64xf32>) attributes {target = #te.host} {
  memref.copy %a, %b {te.schedule = #te.schedule<tiles = [#te.tile<sizes = [2], kind = parallel>]>}
      : memref<8x64xf32> to memref<8x64xf32>
  te.return
}
