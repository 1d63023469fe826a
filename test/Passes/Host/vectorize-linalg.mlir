// RUN: acc-opt %s --pass-pipeline='builtin.module(te.kernel(host-vectorize-linalg,canonicalize))' | FileCheck %s

#id = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>

// Rows are joined: 40 elements are two vectors and a masked half.
// CHECK-LABEL: te.kernel @elementwise
// CHECK-DAG: %[[C0:.*]] = arith.constant 0 : index
// CHECK-DAG: %[[C1:.*]] = arith.constant 1 : index
// CHECK-DAG: %[[C2:.*]] = arith.constant 2 : index
// CHECK-DAG: %[[C32:.*]] = arith.constant 32 : index
// CHECK: scf.for %{{.*}} = %[[C0]] to %[[C2]] step %[[C1]]
// CHECK: vector.load {{.*}} : memref<40xf32>, vector<16xf32>
// CHECK: arith.maximumf {{.*}} : vector<16xf32>
// CHECK: vector.store
// CHECK: %[[MASK:.*]] = vector.constant_mask [8] : vector<16xi1>
// CHECK: vector.maskedload %{{.*}}[%[[C32]]], %[[MASK]]
// CHECK: vector.maskedstore %{{.*}}[%[[C32]]]
te.kernel @elementwise(%x: memref<4x10xf32>, %out: memref<4x10xf32>) attributes {target = #te.host} {
  %z = arith.constant 0.0 : f32
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%x : memref<4x10xf32>) outs(%out : memref<4x10xf32>) {
  ^bb0(%a: f32, %o: f32):
    %0 = arith.maximumf %a, %z : f32
    linalg.yield %0 : f32
  }
  te.return
}

// A rest of one element is stored as a scalar: instruction selection may make a masked store of it too wide.
// CHECK-LABEL: te.kernel @one_left
// CHECK-DAG: %[[C48:.*]] = arith.constant 48 : index
// CHECK: vector.store
// CHECK-NOT: vector.maskedstore
// CHECK: %[[NARROW:.*]] = arith.trunci %{{.*}} : vector<16xi32> to vector<16xi8>
// CHECK: %[[LAST:.*]] = vector.extract %[[NARROW]][0] : i8 from vector<16xi8>
// CHECK: memref.store %[[LAST]], %{{.*}}[%[[C48]]] : memref<49xi8>
// CHECK-NOT: vector.maskedstore
// CHECK: te.return
te.kernel @one_left(%x: memref<7x7xi32>, %out: memref<7x7xi8>) attributes {target = #te.host} {
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%x : memref<7x7xi32>) outs(%out : memref<7x7xi8>) {
  ^bb0(%a: i32, %o: i8):
    %0 = arith.trunci %a : i32 to i8
    linalg.yield %0 : i8
  }
  te.return
}

// A value per row is broadcast.
// CHECK-LABEL: te.kernel @broadcast
// CHECK-DAG: %[[C0:.*]] = arith.constant 0 : index
// CHECK-DAG: %[[C4:.*]] = arith.constant 4 : index
// CHECK: scf.for %[[I:.*]] = %[[C0]] to %[[C4]]
// CHECK: %[[V:.*]] = memref.load %{{.*}}[%[[I]]] : memref<4xf32>
// CHECK: vector.broadcast %[[V]] : f32 to vector<16xf32>
te.kernel @broadcast(%x: memref<4x16xf32>, %b: memref<4xf32>, %out: memref<4x16xf32>) attributes {target = #te.host} {
  linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]}
      ins(%x, %b : memref<4x16xf32>, memref<4xf32>) outs(%out : memref<4x16xf32>) {
  ^bb0(%a: f32, %c: f32, %o: f32):
    %0 = arith.addf %a, %c : f32
    linalg.yield %0 : f32
  }
  te.return
}

// Every second column of a pool's input comes out of one wide load. Windows of 3 rows with a stride of 2 overlap: the
// four rows of results are computed side by side, and the windows unrolled.
// CHECK-LABEL: te.kernel @pool
// CHECK: scf.for
// CHECK-NOT: iter_args
// CHECK-COUNT-9: vector.maskedload {{.*}} vector<32xi1>, vector<32xf32> into vector<32xf32>
// CHECK: vector.shuffle {{.*}} [0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30]
// CHECK: arith.maximumf
// CHECK-COUNT-4: vector.maskedstore
te.kernel @pool(%x: memref<1x3x9x9xf32>, %w: memref<3x3xf32>, %out: memref<1x3x4x4xf32>) attributes {target = #te.host} {
  linalg.pooling_nchw_max {strides = dense<2> : vector<2xi64>, dilations = dense<1> : vector<2xi64>}
      ins(%x, %w : memref<1x3x9x9xf32>, memref<3x3xf32>) outs(%out : memref<1x3x4x4xf32>)
  te.return
}

// Windows side by side have nothing in common; they are a loop that carries the maximum.
// CHECK-LABEL: te.kernel @apart
// CHECK: scf.for {{.*}} iter_args(%{{.*}} = %{{.*}}) -> (vector<16xf32>)
te.kernel @apart(%x: memref<1x3x8x8xf32>, %w: memref<2x2xf32>, %out: memref<1x3x4x4xf32>) attributes {target = #te.host} {
  linalg.pooling_nchw_max {strides = dense<2> : vector<2xi64>, dilations = dense<1> : vector<2xi64>}
      ins(%x, %w : memref<1x3x8x8xf32>, memref<2x2xf32>) outs(%out : memref<1x3x4x4xf32>)
  te.return
}

// What only a sum reads need not be written: it begins with the number.
// CHECK-LABEL: te.kernel @filled
// CHECK-SAME: %{{.*}}: memref<40x64xf32>, %[[OUT:.*]]: memref<64xf32>
// CHECK-NOT: vector.load %[[OUT]]
// CHECK-COUNT-1: vector.store {{.*}} %[[OUT]]
// CHECK-NOT: vector.store
te.kernel @filled(%x: memref<40x64xf32>, %out: memref<64xf32>) attributes {target = #te.host} {
  %zero = arith.constant 0.0 : f32
  linalg.fill ins(%zero : f32) outs(%out : memref<64xf32>)
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (j, i)>, affine_map<(i, j) -> (i)>],
                  iterator_types = ["parallel", "reduction"]}
      ins(%x : memref<40x64xf32>) outs(%out : memref<64xf32>) {
  ^bb0(%a: f32, %b: f32):
    %0 = arith.addf %a, %b : f32
    linalg.yield %0 : f32
  }
  te.return
}

// Somebody else reads the numbers, too.
// CHECK-LABEL: te.kernel @read_between
// CHECK-SAME: %{{.*}}: memref<40x64xf32>, %[[OUT:.*]]: memref<64xf32>, %[[COPY:.*]]: memref<64xf32>
// CHECK: vector.store {{.*}} %[[OUT]]
// CHECK: vector.store {{.*}} %[[COPY]]
// CHECK: vector.store {{.*}} %[[OUT]]
te.kernel @read_between(%x: memref<40x64xf32>, %out: memref<64xf32>, %copy: memref<64xf32>)
    attributes {target = #te.host} {
  %zero = arith.constant 0.0 : f32
  linalg.fill ins(%zero : f32) outs(%out : memref<64xf32>)
  memref.copy %out, %copy : memref<64xf32> to memref<64xf32>
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (j, i)>, affine_map<(i, j) -> (i)>],
                  iterator_types = ["parallel", "reduction"]}
      ins(%x : memref<40x64xf32>) outs(%out : memref<64xf32>) {
  ^bb0(%a: f32, %b: f32):
    %0 = arith.addf %a, %b : f32
    linalg.yield %0 : f32
  }
  te.return
}

// No loop writes contiguous elements while the others are at most a few apart: left to loops.
// CHECK-LABEL: te.kernel @transpose
// CHECK: linalg.transpose
te.kernel @transpose(%x: memref<30x40xf32>, %out: memref<40x30xf32>) attributes {target = #te.host} {
  linalg.transpose ins(%x : memref<30x40xf32>) outs(%out : memref<40x30xf32>) permutation = [1, 0]
  te.return
}

// Sizes known at run time are joined as others are; what is left over is masked.
// CHECK-LABEL: te.kernel @dynamic
// CHECK-DAG: %[[C0:.*]] = arith.constant 0 : index
// CHECK-DAG: %[[C16:.*]] = arith.constant 16 : index
// CHECK-DAG: %[[C40:.*]] = arith.constant 40 : index
// CHECK: %[[N:.*]] = memref.dim %{{.*}}, %[[C0]]
// CHECK: %[[ALL:.*]] = arith.muli %[[N]], %[[C40]]
// CHECK: %[[FULL:.*]] = arith.divui %[[ALL]], %[[C16]]
// CHECK: scf.for %{{.*}} = %[[C0]] to %[[FULL]]
// CHECK: vector.load
// CHECK: %[[REST:.*]] = arith.remui %[[ALL]], %[[C16]]
// CHECK: scf.if
// CHECK: vector.create_mask %[[REST]] : vector<16xi1>
// CHECK: vector.maskedstore
te.kernel @dynamic(%x: memref<?x40xf32>, %out: memref<?x40xf32>) attributes {target = #te.host} {
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%x : memref<?x40xf32>) outs(%out : memref<?x40xf32>) {
  ^bb0(%a: f32, %o: f32):
    %0 = arith.negf %a : f32
    linalg.yield %0 : f32
  }
  te.return
}

// Bits are bytes in memory.
// CHECK-LABEL: te.kernel @bits
// CHECK: builtin.unrealized_conversion_cast %{{.*}} : memref<64xi1> to memref<64xi8>
// CHECK: vector.load {{.*}} : memref<64xi8>, vector<64xi8>
// CHECK: arith.cmpi ne, {{.*}} : vector<64xi8>
// CHECK: arith.xori {{.*}} : vector<64xi1>
// CHECK: arith.extui {{.*}} : vector<64xi1> to vector<64xi8>
te.kernel @bits(%x: memref<64xi1>, %out: memref<64xi1>) attributes {target = #te.host} {
  %t = arith.constant true
  linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
      ins(%x : memref<64xi1>) outs(%out : memref<64xi1>) {
  ^bb0(%a: i1, %o: i1):
    %0 = arith.xori %a, %t : i1
    linalg.yield %0 : i1
  }
  te.return
}

// A sum along rows is summed up in lanes, which are joined at the end.
// CHECK-LABEL: te.kernel @sum
// CHECK: %[[P:.*]] = scf.for {{.*}} iter_args(%{{.*}} = %{{.*}}) -> (vector<16xf32>)
// CHECK: vector.constant_mask [8]
// CHECK: %[[S:.*]] = arith.select %{{.*}}, %{{.*}}, %[[P]]
// CHECK: vector.extract_strided_slice %[[S]] {offsets = [0], sizes = [8]
// CHECK: arith.addf {{.*}} : vector<8xf32>
// CHECK: memref.store
te.kernel @sum(%x: memref<4x40xf32>, %out: memref<4xf32>) attributes {target = #te.host} {
  linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "reduction"]}
      ins(%x : memref<4x40xf32>) outs(%out : memref<4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %0 = arith.addf %o, %a : f32
    linalg.yield %0 : f32
  }
  te.return
}

// Rows of a product are computed side by side, eight of them: vectors of the second factor are loaded once.
// CHECK-LABEL: te.kernel @product
// CHECK: %[[SUMS:.*]]:8 = scf.for
// CHECK: vector.load
// CHECK: arith.mulf {{.*}} fastmath<contract> : vector<16xf32>
// CHECK-NOT: vector.load
// CHECK: scf.yield
te.kernel @product(%x: memref<2x8x5xf32>, %y: memref<2x5x16xf32>, %out: memref<2x8x16xf32>) attributes {target = #te.host} {
  linalg.batch_matmul ins(%x, %y : memref<2x8x5xf32>, memref<2x5x16xf32>) outs(%out : memref<2x8x16xf32>)
  te.return
}

// The schedule says it: four columns in a vector, though rows are longer, and two rows side by side.
// CHECK-LABEL: te.kernel @scheduled_product
// CHECK: %[[SUMS:.*]]:2 = scf.for {{.*}} -> (vector<4xf32>, vector<4xf32>)
te.kernel @scheduled_product(%x: memref<2x8x5xf32>, %y: memref<2x5x16xf32>, %out: memref<2x8x16xf32>)
    attributes {target = #te.host} {
  linalg.batch_matmul {te.schedule = #te.schedule<tiles = [#te.tile<sizes = [0, 2], kind = register>,
                                                           #te.tile<sizes = [0, 0, 4], kind = vector>]>}
      ins(%x, %y : memref<2x8x5xf32>, memref<2x5x16xf32>) outs(%out : memref<2x8x16xf32>)
  te.return
}

// A loop is known by any of those that were joined to it.
// CHECK-LABEL: te.kernel @scheduled_rows
// CHECK: vector.load {{.*}} : memref<40xf32>, vector<8xf32>
te.kernel @scheduled_rows(%x: memref<4x10xf32>, %out: memref<4x10xf32>) attributes {target = #te.host} {
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"],
                  te.schedule = #te.schedule<tiles = [#te.tile<sizes = [8], kind = vector>]>}
      ins(%x : memref<4x10xf32>) outs(%out : memref<4x10xf32>) {
  ^bb0(%a: f32, %o: f32):
    %0 = arith.negf %a : f32
    linalg.yield %0 : f32
  }
  te.return
}
