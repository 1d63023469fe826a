// RUN: acc-opt --te-multi-buffer %s -split-input-file -verify-diagnostics | FileCheck %s

#vta = #vta.config<>

// CHECK-LABEL: te.kernel @turns
// CHECK: %[[ALL:.*]] = memref.alloc() : memref<2x4x1x2xi8, #vta.mem<inp>>
// CHECK: scf.for
// The size differs between iterations: the buffers have its upper bound.
// CHECK-DAG: %[[N:.*]] = affine.min
// CHECK-DAG: %[[SLOT:.*]] = memref.subview %[[ALL]][%{{.*}}, 0, 0, 0] [1, 4, 1, 2] [1, 1, 1, 1]
// CHECK: %[[B:.*]] = memref.subview %[[SLOT]][0, 0, 0] [%[[N]], 1, 2] [1, 1, 1]
// CHECK: te.cache_read ins(%{{.*}}) outs(%[[B]] : memref<?x1x2xi8, strided<[2, 2, 1], offset: ?>, #vta.mem<inp>>)
// CHECK-NOT: slots
// CHECK: %[[T:.*]] = memref.subview %[[B]][0, 0, 0] [1, 1, 2]
// CHECK: vta.gemm ins(%[[T]],
te.kernel @turns(%x: memref<10x1x2xi8, #vta.mem<dram>>, %w: memref<2x2xi8, #vta.mem<wgt>>, %a: memref<1x2xi32, #vta.mem<acc>>)
    attributes {target = #vta} {
  %c0 = arith.constant 0 : index
  %c4 = arith.constant 4 : index
  %c10 = arith.constant 10 : index
  scf.for %i = %c0 to %c10 step %c4 {
    %n = affine.min affine_map<(d0) -> (-d0 + 10, 4)>(%i)
    %s = memref.subview %x[%i, 0, 0] [%n, 1, 2] [1, 1, 1] : memref<10x1x2xi8, #vta.mem<dram>> to memref<?x1x2xi8, strided<[2, 2, 1], offset: ?>, #vta.mem<dram>>
    %b = memref.alloc(%n) : memref<?x1x2xi8, #vta.mem<inp>>
    te.cache_read ins(%s : memref<?x1x2xi8, strided<[2, 2, 1], offset: ?>, #vta.mem<dram>>) outs(%b : memref<?x1x2xi8, #vta.mem<inp>>)
        low [0, 0, 0] high [0, 0, 0] {slots = 2 : i64}
    %t = memref.subview %b[0, 0, 0] [1, 1, 2] [1, 1, 1] : memref<?x1x2xi8, #vta.mem<inp>> to memref<1x2xi8, strided<[2, 1]>, #vta.mem<inp>>
    vta.gemm ins(%t, %w : memref<1x2xi8, strided<[2, 1]>, #vta.mem<inp>>, memref<2x2xi8, #vta.mem<wgt>>)
        outs(%a : memref<1x2xi32, #vta.mem<acc>>) bounds [] maps [affine_map<() -> ()>, affine_map<() -> ()>, affine_map<() -> ()>]
  }
  te.return
}

// -----

#vta = #vta.config<>

te.kernel @nowhere(%x: memref<4x1x2xi8, #vta.mem<dram>>) attributes {target = #vta} {
  %b = memref.alloc() : memref<4x1x2xi8, #vta.mem<inp>>
  // expected-error @+1 {{has slots, but its target is not allocated in a loop}}
  te.cache_read ins(%x : memref<4x1x2xi8, #vta.mem<dram>>) outs(%b : memref<4x1x2xi8, #vta.mem<inp>>)
      low [0, 0, 0] high [0, 0, 0] {slots = 2 : i64}
  te.return
}
