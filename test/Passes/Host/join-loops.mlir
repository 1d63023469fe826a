// RUN: acc-opt %s -split-input-file -verify-diagnostics --pass-pipeline='builtin.module(te.kernel(host-join-loops))' | FileCheck %s

// Four channels at a time are padded and filtered; a thread has memory for so many.
// CHECK-LABEL: te.kernel @depthwise(
// CHECK: %[[OWN:.*]] = memref.alloc(%{{.*}}) : memref<4x?x34xf32>
// CHECK: %[[COUNT:.*]] = arith.constant 2 : index
// CHECK: cpu.parallel %[[COUNT]] own(%[[OWN]] : memref<4x?x34xf32>) {
// CHECK: ^bb0(%[[CHUNK:.*]]: index, %[[MINE:.*]]: memref<4x?x34xf32>):
// CHECK: linalg.fill ins(%{{.*}}) outs(%[[MINE]] :
// CHECK: %[[X:.*]] = memref.subview %{{.*}}[%[[AT:.*]], 0, 0] [4,
// CHECK: %[[INNER:.*]] = memref.subview %[[MINE]][0, 1, 1] [4,
// CHECK: memref.copy %[[X]], %[[INNER]]
// CHECK: %[[W:.*]] = memref.subview %{{.*}}[%[[AT]], 0] [4, 3]
// CHECK: %[[Y:.*]] = memref.subview %{{.*}}[%[[AT]], 0, 0] [4,
// CHECK: linalg.generic {{.*}} ins(%[[MINE]], %[[W]] : {{.*}}) outs(%[[Y]] :
// CHECK-NOT: te.schedule
#image = affine_map<(h, c, w, k) -> (c, h, w + k)>
#filter = affine_map<(h, c, w, k) -> (c, k)>
#result = affine_map<(h, c, w, k) -> (c, h, w)>
te.kernel @depthwise(%x: memref<8x?x32xf32>, %w: memref<8x3xf32>, %y: memref<8x?x32xf32>, %h: index) attributes {target = #te.host} {
  %zero = arith.constant 0.0 : f32
  %p = memref.alloc(%h) : memref<8x?x34xf32>
  linalg.fill {te.schedule = #te.schedule<tiles = [#te.tile<sizes = [4]>, #te.tile<sizes = [4], kind = parallel>]>}
      ins(%zero : f32) outs(%p : memref<8x?x34xf32>)
  %inner = memref.subview %p[0, 1, 1] [8, %h, 32] [1, 1, 1] : memref<8x?x34xf32> to memref<8x?x32xf32, strided<[?, 34, 1], offset: 35>>
  memref.copy %x, %inner {te.schedule = #te.schedule<tiles = [#te.tile<sizes = [4]>, #te.tile<sizes = [4], kind = parallel>]>}
      : memref<8x?x32xf32> to memref<8x?x32xf32, strided<[?, 34, 1], offset: 35>>
  linalg.generic {indexing_maps = [#image, #filter, #result], iterator_types = ["parallel", "parallel", "parallel", "reduction"],
                  te.schedule = #te.schedule<tiles = [#te.tile<sizes = [0, 4]>, #te.tile<sizes = [0, 4], kind = parallel>]>}
      ins(%p, %w : memref<8x?x34xf32>, memref<8x3xf32>) outs(%y : memref<8x?x32xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %0 = arith.mulf %a, %b : f32
    %1 = arith.addf %o, %0 : f32
    linalg.yield %1 : f32
  }
  te.return
}

// -----

// A transpose reads what other chunks write.
te.kernel @transpose(%x: memref<8x8xf32>, %y: memref<8x8xf32>) attributes {target = #te.host} {
  %p = memref.alloc() : memref<8x8xf32>
  // expected-error @+1 {{shares no loop with those behind it over chunks of 2}}
  linalg.exp {te.schedule = #te.schedule<tiles = [#te.tile<sizes = [2]>, #te.tile<sizes = [2], kind = parallel>]>}
      ins(%x : memref<8x8xf32>) outs(%p : memref<8x8xf32>)
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (j, i)>, affine_map<(i, j) -> (i, j)>],
                  iterator_types = ["parallel", "parallel"],
                  te.schedule = #te.schedule<tiles = [#te.tile<sizes = [2]>, #te.tile<sizes = [2], kind = parallel>]>}
      ins(%p, %p : memref<8x8xf32>, memref<8x8xf32>) outs(%y : memref<8x8xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %0 = arith.addf %a, %b : f32
    linalg.yield %0 : f32
  }
  te.return
}

// -----

te.kernel @uneven(%x: memref<8xf32>, %y: memref<8xf32>) attributes {target = #te.host} {
  // expected-error @+1 {{shares no loop with those behind it over chunks of 3}}
  linalg.exp {te.schedule = #te.schedule<tiles = [#te.tile<sizes = [3]>, #te.tile<sizes = [3], kind = parallel>]>}
      ins(%x : memref<8xf32>) outs(%y : memref<8xf32>)
  linalg.exp {te.schedule = #te.schedule<tiles = [#te.tile<sizes = [3]>, #te.tile<sizes = [3], kind = parallel>]>}
      ins(%y : memref<8xf32>) outs(%y : memref<8xf32>)
  te.return
}
