// RUN: acc-opt %s -split-input-file --pass-pipeline='builtin.module(te.kernel(host-vectorize-linalg,canonicalize))' | FileCheck %s

// Four vectors along the rows of the operand are turned round to four vectors along those of the result; of the last
// columns there is one, and of the last rows there are three.
// CHECK-LABEL: te.kernel @transpose(
// CHECK: scf.for
// CHECK-COUNT-4: vector.load
// CHECK-COUNT-8: vector.shuffle
// CHECK-COUNT-4: vector.store
// CHECK: vector.maskedload
te.kernel @transpose(%a: memref<11x5xf32>, %b: memref<5x11xf32>) attributes {target = #te.host} {
  linalg.transpose ins(%a : memref<11x5xf32>) outs(%b : memref<5x11xf32>) permutation = [1, 0]
      {te.schedule = #te.schedule<tiles = [#te.tile<sizes = [4], kind = register>, #te.tile<sizes = [0, 4], kind = vector>]>}
  te.return
}

// -----

// An operand that is contiguous where the result is is read as ever; what all share is read once.
// CHECK-LABEL: te.kernel @sum(
// CHECK: scf.for
// CHECK: vector.load
// CHECK: vector.load
// CHECK: vector.shuffle
// CHECK: memref.load
// CHECK: vector.load
// CHECK: arith.addf {{.*}} : vector<2xf32>
te.kernel @sum(%a: memref<?x8xf32>, %b: memref<8x?xf32>, %c: memref<8xf32>, %out: memref<8x?xf32>) attributes {target = #te.host} {
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (j, i)>, affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (i, j)>,
                                   affine_map<(i, j) -> (i, j)>],
                  iterator_types = ["parallel", "parallel"],
                  te.schedule = #te.schedule<tiles = [#te.tile<sizes = [2], kind = register>, #te.tile<sizes = [0, 2], kind = vector>]>}
      ins(%a, %c, %b : memref<?x8xf32>, memref<8xf32>, memref<8x?xf32>) outs(%out : memref<8x?xf32>) {
  ^bb0(%x: f32, %y: f32, %z: f32, %o: f32):
    %0 = arith.addf %x, %y : f32
    %1 = arith.addf %0, %z : f32
    linalg.yield %1 : f32
  }
  te.return
}
