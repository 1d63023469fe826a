// RUN: acc-opt %s --pass-pipeline='builtin.module(te.kernel(host-vectorize-linalg,canonicalize))' | FileCheck %s

#id = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>

// Rows are joined: 40 elements are two vectors and a masked half.
// CHECK-LABEL: te.kernel @elementwise
// CHECK: scf.for %{{.*}} = %c0 to %c2 step %c1
// CHECK: vector.load {{.*}} : memref<40xf32>, vector<16xf32>
// CHECK: arith.maximumf {{.*}} : vector<16xf32>
// CHECK: vector.store
// CHECK: %[[MASK:.*]] = vector.constant_mask [8] : vector<16xi1>
// CHECK: vector.maskedload %{{.*}}[%c32], %[[MASK]]
// CHECK: vector.maskedstore %{{.*}}[%c32]
te.kernel @elementwise(%x: memref<4x10xf32>, %out: memref<4x10xf32>) attributes {target = "cpu"} {
  %z = arith.constant 0.0 : f32
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%x : memref<4x10xf32>) outs(%out : memref<4x10xf32>) {
  ^bb0(%a: f32, %o: f32):
    %0 = arith.maximumf %a, %z : f32
    linalg.yield %0 : f32
  }
  te.return
}

// A value per row is broadcast.
// CHECK-LABEL: te.kernel @broadcast
// CHECK: scf.for %[[I:.*]] = %c0 to %c4
// CHECK: %[[V:.*]] = memref.load %{{.*}}[%[[I]]] : memref<4xf32>
// CHECK: vector.broadcast %[[V]] : f32 to vector<16xf32>
te.kernel @broadcast(%x: memref<4x16xf32>, %b: memref<4xf32>, %out: memref<4x16xf32>) attributes {target = "cpu"} {
  linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]}
      ins(%x, %b : memref<4x16xf32>, memref<4xf32>) outs(%out : memref<4x16xf32>) {
  ^bb0(%a: f32, %c: f32, %o: f32):
    %0 = arith.addf %a, %c : f32
    linalg.yield %0 : f32
  }
  te.return
}

// Every second column of a pool's input comes out of one wide load; the window is a loop that carries the maximum.
// CHECK-LABEL: te.kernel @pool
// CHECK: scf.for {{.*}} iter_args(%{{.*}} = %{{.*}}) -> (vector<16xf32>)
// CHECK: scf.for {{.*}} iter_args
// CHECK: vector.maskedload {{.*}} vector<32xi1>, vector<32xf32> into vector<32xf32>
// CHECK: vector.shuffle {{.*}} [0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30]
// CHECK: arith.maximumf
te.kernel @pool(%x: memref<1x3x9x9xf32>, %w: memref<3x3xf32>, %out: memref<1x3x4x4xf32>) attributes {target = "cpu"} {
  linalg.pooling_nchw_max {strides = dense<2> : vector<2xi64>, dilations = dense<1> : vector<2xi64>}
      ins(%x, %w : memref<1x3x9x9xf32>, memref<3x3xf32>) outs(%out : memref<1x3x4x4xf32>)
  te.return
}

// No loop writes contiguous elements while the others are at most a few apart: left to loops.
// CHECK-LABEL: te.kernel @transpose
// CHECK: linalg.transpose
te.kernel @transpose(%x: memref<30x40xf32>, %out: memref<40x30xf32>) attributes {target = "cpu"} {
  linalg.transpose ins(%x : memref<30x40xf32>) outs(%out : memref<40x30xf32>) permutation = [1, 0]
  te.return
}
