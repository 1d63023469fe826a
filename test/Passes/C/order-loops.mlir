// RUN: acc-opt %s -split-input-file -verify-diagnostics --pass-pipeline='builtin.module(te.kernel(c-order-loops))' | FileCheck %s

// CHECK: #[[A:.*]] = affine_map<(d0, d1, d2) -> (d0, d1)>
// CHECK: #[[B:.*]] = affine_map<(d0, d1, d2) -> (d1, d2)>
// CHECK: #[[C:.*]] = affine_map<(d0, d1, d2) -> (d0, d2)>
// CHECK-LABEL: te.kernel @product
// CHECK: linalg.generic {indexing_maps = [#[[A]], #[[B]], #[[C]]], iterator_types = ["parallel", "reduction", "parallel"]}
// CHECK-NOT: te.schedule
#a = affine_map<(m, n, k) -> (m, k)>
#b = affine_map<(m, n, k) -> (k, n)>
#c = affine_map<(m, n, k) -> (m, n)>
te.kernel @product(%a: memref<4x8xf32>, %b: memref<8x16xf32>, %y: memref<4x16xf32>) attributes {target = #te.host} {
  linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : memref<4x8xf32>, memref<8x16xf32>) outs(%y : memref<4x16xf32>)
      attrs = {te.schedule = #te.schedule<tiles = [#te.tile<sizes = [1, 1, 1], order = [0, 2, 1]>]>} {
  ^bb0(%x: f32, %w: f32, %s: f32):
    %0 = arith.mulf %x, %w : f32
    %1 = arith.addf %s, %0 : f32
    linalg.yield %1 : f32
  }
  te.return
}

// -----

#i = affine_map<(m, n) -> (m, n)>
te.kernel @copy(%x: memref<4x8xf32>, %y: memref<4x8xf32>) attributes {target = #te.host} {
  // expected-error@+1 {{has a te.schedule that does not name every loop once}}
  linalg.generic {indexing_maps = [#i, #i], iterator_types = ["parallel", "parallel"]}
      ins(%x : memref<4x8xf32>) outs(%y : memref<4x8xf32>)
      attrs = {te.schedule = #te.schedule<tiles = [#te.tile<sizes = [1]>]>} {
  ^bb0(%a: f32, %s: f32):
    linalg.yield %a : f32
  }
  te.return
}
