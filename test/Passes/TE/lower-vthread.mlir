// RUN: acc-opt --te-lower-vthread %s -split-input-file -verify-diagnostics | FileCheck %s

#vta = #vta.config<>
#x = affine_map<(c, k) -> (k)>
#w = affine_map<(c, k) -> (c, k)>
#y = affine_map<(c, k) -> (c)>

// Five iterations of two threads: two rounds and one left over. The input does not depend on the thread: it is
// loaded once for both. The inner loop is shared; around it and in it each thread's statements stay together.
// CHECK-LABEL: te.kernel @interleaved
// CHECK-DAG: %[[C0:[a-z0-9_]+]] = arith.constant 0 : index
// CHECK-DAG: %[[C2:[a-z0-9_]+]] = arith.constant 2 : index
// CHECK-DAG: %[[C4:[a-z0-9_]+]] = arith.constant 4 : index
// CHECK: %[[ROUNDS:.*]] = arith.constant 8 : index
// CHECK: %[[ROUND:.*]] = arith.constant 4 : index
// CHECK: scf.for %[[C:[a-z0-9_]+]] = %[[C0]] to %[[ROUNDS]] step %[[ROUND]] {
// CHECK:   %[[D:[a-z0-9_]+]] = affine.apply #{{.*}}(%[[C]])
// CHECK:   %[[A0:[a-z0-9_]+]] = memref.alloc() : memref<2x1x2xi32, #vta.mem<acc>>
// CHECK:   vta.reset outs(%[[A0]]
// CHECK:   %[[A1:[a-z0-9_]+]] = memref.alloc() : memref<2x1x2xi32, #vta.mem<acc>>
// CHECK:   vta.reset outs(%[[A1]]
// CHECK:   scf.for %[[K:[a-z0-9_]+]] = %[[C0]] to %[[C4]] step %[[C2]] {
// CHECK:     %[[X:[a-z0-9_]+]] = memref.alloc() : memref<2x1x2xi8, #vta.mem<inp>>
// CHECK-NOT: memref<2x1x2xi8, #vta.mem<inp>>
// CHECK:     vta.load %{{.*}}, %[[X]]
// CHECK:     memref.subview %{{.*}}[%[[C]], %[[K]], 0, 0]
// CHECK:     %[[W0:[a-z0-9_]+]] = memref.alloc() : memref<2x2x2x2xi8, #vta.mem<wgt>>
// CHECK:     vta.load %{{.*}}, %[[W0]]
// CHECK:     vta.gemm ins(%[[X]], %[[W0]] {{.*}}outs(%[[A0]]
// CHECK:     memref.subview %{{.*}}[%[[D]], %[[K]], 0, 0]
// CHECK:     %[[W1:[a-z0-9_]+]] = memref.alloc() : memref<2x2x2x2xi8, #vta.mem<wgt>>
// CHECK:     vta.load %{{.*}}, %[[W1]]
// CHECK:     vta.gemm ins(%[[X]], %[[W1]] {{.*}}outs(%[[A1]]
// CHECK:   }
// CHECK:   vta.store %[[A0]]
// CHECK:   vta.store %[[A1]]
// CHECK: }
// CHECK: vta.reset
// CHECK-NOT: vta.reset
// CHECK: vta.gemm
// CHECK-NOT: vta.gemm
// CHECK: te.return
te.kernel @interleaved(%x: memref<4x1x2xi8, #vta.mem<dram>>, %w: memref<10x4x2x2xi8, #vta.mem<dram>>,
                       %out: memref<10x1x2xi8, #vta.mem<dram>>) attributes {target = #vta} {
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  %c4 = arith.constant 4 : index
  %c10 = arith.constant 10 : index
  scf.for %c = %c0 to %c10 step %c2 {
    %acc = memref.alloc() : memref<2x1x2xi32, #vta.mem<acc>>
    vta.reset outs(%acc : memref<2x1x2xi32, #vta.mem<acc>>)
    scf.for %k = %c0 to %c4 step %c2 {
      %xs = memref.subview %x[%k, 0, 0] [2, 1, 2] [1, 1, 1] : memref<4x1x2xi8, #vta.mem<dram>> to memref<2x1x2xi8, strided<[2, 2, 1], offset: ?>, #vta.mem<dram>>
      %inp = memref.alloc() : memref<2x1x2xi8, #vta.mem<inp>>
      vta.load %xs, %inp low [0] high [0] : memref<2x1x2xi8, strided<[2, 2, 1], offset: ?>, #vta.mem<dram>>, memref<2x1x2xi8, #vta.mem<inp>>
      %ws = memref.subview %w[%c, %k, 0, 0] [2, 2, 2, 2] [1, 1, 1, 1] : memref<10x4x2x2xi8, #vta.mem<dram>> to memref<2x2x2x2xi8, strided<[16, 4, 2, 1], offset: ?>, #vta.mem<dram>>
      %wgt = memref.alloc() : memref<2x2x2x2xi8, #vta.mem<wgt>>
      vta.load %ws, %wgt low [0, 0] high [0, 0] : memref<2x2x2x2xi8, strided<[16, 4, 2, 1], offset: ?>, #vta.mem<dram>>, memref<2x2x2x2xi8, #vta.mem<wgt>>
      vta.gemm ins(%inp, %wgt : memref<2x1x2xi8, #vta.mem<inp>>, memref<2x2x2x2xi8, #vta.mem<wgt>>)
          outs(%acc : memref<2x1x2xi32, #vta.mem<acc>>) bounds [2, 2] maps [#x, #w, #y]
    }
    %os = memref.subview %out[%c, 0, 0] [2, 1, 2] [1, 1, 1] : memref<10x1x2xi8, #vta.mem<dram>> to memref<2x1x2xi8, strided<[2, 2, 1], offset: ?>, #vta.mem<dram>>
    vta.store %acc, %os : memref<2x1x2xi32, #vta.mem<acc>>, memref<2x1x2xi8, strided<[2, 2, 1], offset: ?>, #vta.mem<dram>>
  } {te.vthread = 2 : i64}
  te.return
}

// -----

#vta = #vta.config<>

te.kernel @shared() attributes {target = #vta} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %acc = memref.alloc() : memref<4x1x2xi32, #vta.mem<acc>>
  scf.for %c = %c0 to %c4 step %c1 {
    // expected-error @+1 {{writes a buffer that is shared by virtual threads}}
    vta.reset outs(%acc : memref<4x1x2xi32, #vta.mem<acc>>)
  } {te.vthread = 2 : i64}
  te.return
}

// -----

#vta = #vta.config<>

te.kernel @unknown(%n: index) attributes {target = #vta} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  // expected-error @+1 {{of virtual threads must have constant bounds}}
  scf.for %c = %c0 to %n step %c1 {
  } {te.vthread = 2 : i64}
  te.return
}
