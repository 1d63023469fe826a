// RUN: acc-opt --te-tile %s -split-input-file -verify-diagnostics | FileCheck %s

#vta = #vta.config<>
#x = affine_map<(n, c, h, w, k, r, s, b, o, i) -> (n, k, h + r, w + s, b, i)>
#w = affine_map<(n, c, h, w, k, r, s, b, o, i) -> (c, k, r, s, o, i)>
#y = affine_map<(n, c, h, w, k, r, s, b, o, i) -> (n, c, h, w, b, o)>
#id = affine_map<(n, c, h, w, b, o) -> (n, c, h, w, b, o)>

// The last operation is tiled in the schedule's order and everything before it is computed in its tiles; then the
// reduction is tiled alone. Rows do not divide: 8 = 3 + 3 + 2.
// CHECK: #[[ROWS:.*]] = affine_map<(d0) -> (-d0 + 8, 3)>
// CHECK-LABEL: te.kernel @conv
// CHECK-DAG: %[[C0:.*]] = arith.constant 0 : index
// CHECK-DAG: %[[C1:.*]] = arith.constant 1 : index
// CHECK-DAG: %[[C2:.*]] = arith.constant 2 : index
// CHECK-DAG: %[[C3:.*]] = arith.constant 3 : index
// CHECK-DAG: %[[C4:.*]] = arith.constant 4 : index
// CHECK-DAG: %[[C8:.*]] = arith.constant 8 : index
// CHECK: %[[PAD:[a-z0-9_]+]] = tensor.pad %[[X:.*]] low
// CHECK: scf.for %[[H:[a-z0-9_]+]] = %[[C0]] to %[[C8]] step %[[C3]] iter_args
// CHECK:   scf.for %[[C:[a-z0-9_]+]] = %[[C0]] to %[[C4]] step %[[C2]] iter_args(%[[OUT:[a-z0-9_]+]] = %{{.*}})
// CHECK:     %[[SIZE:[a-z0-9_]+]] = affine.min #[[ROWS]](%[[H]])
// CHECK-DAG: tensor.extract_slice %[[PAD]][0, 0, %[[H]], 0, 0, 0] [1, 4, %{{.*}}, 10, 1, 2]
// CHECK-DAG: %[[EMPTY:[a-z0-9_]+]] = tensor.empty(%[[SIZE]]) : tensor<1x2x?x8x1x2xi32>
// CHECK:     %[[ZERO:[a-z0-9_]+]] = linalg.fill ins(%{{.*}}) outs(%[[EMPTY]]
// CHECK:     %[[SUM:[a-z0-9_]+]] = scf.for %[[K:.*]] = %[[C0]] to %[[C4]] step %[[C1]] iter_args(%{{.*}} = %[[ZERO]])
// CHECK-DAG:   tensor.extract_slice %{{.*}}[0, %[[K]], 0, 0, 0, 0] [1, 1, %{{.*}}, 10, 1, 2]
// CHECK-DAG:   tensor.extract_slice %{{.*}}[0, %[[K]], 0, 0, 0, 0] [2, 1, 3, 3, 2, 2]
// CHECK:       arith.muli
// CHECK:     } {te.loop = array<i64: 1, 4>}
// CHECK:     %[[SHIFTED:[a-z0-9_]+]] = linalg.generic {{.*}} outs(%[[SUM]]
// CHECK:     %[[SLICE:[a-z0-9_]+]] = tensor.extract_slice %[[OUT]][0, %[[C]], %[[H]], 0, 0, 0] [1, 2, %[[SIZE]], 8, 1, 2]
// CHECK:     linalg.generic {{.*}} ins(%[[SHIFTED]] {{.*}} outs(%[[SLICE]]
// CHECK:   } {te.loop = array<i64: 0, 1>}
// CHECK: } {te.loop = array<i64: 0, 2>}
te.kernel @conv(%x: tensor<1x4x8x8x1x2xi8>, %w: tensor<4x4x3x3x2x2xi8>, %out: tensor<1x4x8x8x1x2xi8>)
    -> tensor<1x4x8x8x1x2xi8> attributes {target = #vta, schedule = #te.schedule<
      tiles = [#te.tile<sizes = [1, 2, 3, 8], order = [0, 2, 1, 3]>, #te.tile<sizes = [0, 0, 0, 0, 1]>]>} {
  %c0_i8 = arith.constant 0 : i8
  %c0 = arith.constant 0 : i32
  %c5 = arith.constant 5 : i32
  %pad = tensor.pad %x low[0, 0, 1, 1, 0, 0] high[0, 0, 1, 1, 0, 0] {
  ^bb0(%a: index, %b: index, %c: index, %d: index, %e: index, %f: index):
    tensor.yield %c0_i8 : i8
  } : tensor<1x4x8x8x1x2xi8> to tensor<1x4x10x10x1x2xi8>
  %e = tensor.empty() : tensor<1x4x8x8x1x2xi32>
  %zero = linalg.fill ins(%c0 : i32) outs(%e : tensor<1x4x8x8x1x2xi32>) -> tensor<1x4x8x8x1x2xi32>
  %sum = linalg.generic {indexing_maps = [#x, #w, #y], iterator_types = ["parallel", "parallel", "parallel", "parallel",
      "reduction", "reduction", "reduction", "parallel", "parallel", "reduction"]}
      ins(%pad, %w : tensor<1x4x10x10x1x2xi8>, tensor<4x4x3x3x2x2xi8>) outs(%zero : tensor<1x4x8x8x1x2xi32>) {
  ^bb0(%xv: i8, %wv: i8, %acc: i32):
    %0 = arith.extsi %xv : i8 to i32
    %1 = arith.extsi %wv : i8 to i32
    %2 = arith.muli %0, %1 : i32
    %3 = arith.addi %acc, %2 : i32
    linalg.yield %3 : i32
  } -> tensor<1x4x8x8x1x2xi32>
  %shifted = linalg.generic {indexing_maps = [#id],
      iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel", "parallel"]}
      outs(%sum : tensor<1x4x8x8x1x2xi32>) {
  ^bb0(%acc: i32):
    %0 = arith.shrsi %acc, %c5 : i32
    linalg.yield %0 : i32
  } -> tensor<1x4x8x8x1x2xi32>
  %q = linalg.generic {indexing_maps = [#id, #id],
      iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel", "parallel"]}
      ins(%shifted : tensor<1x4x8x8x1x2xi32>) outs(%out : tensor<1x4x8x8x1x2xi8>) {
  ^bb0(%acc: i32, %o: i8):
    %0 = arith.trunci %acc : i32 to i8
    linalg.yield %0 : i8
  } -> tensor<1x4x8x8x1x2xi8>
  te.return %q : tensor<1x4x8x8x1x2xi8>
}

// -----

#vta = #vta.config<>
#in = affine_map<(n, c, r, s, b, o) -> (n, c, r, s, b, o)>
#out = affine_map<(n, c, r, s, b, o) -> (n, c, 0, 0, b, o)>

// A sum into constant positions gets loops of one iteration for them; its reductions are then axes 4 and 5.
// What is summed is widened inside of the loop over the reduction.
// CHECK-LABEL: te.kernel @sum
// CHECK-DAG: %[[C0:.*]] = arith.constant 0 : index
// CHECK-DAG: %[[C2:.*]] = arith.constant 2 : index
// CHECK-DAG: %[[C6:.*]] = arith.constant 6 : index
// CHECK: scf.for %[[R:[a-z0-9_]+]] = %[[C0]] to %[[C6]] step %[[C2]]
// CHECK:   %[[S:[a-z0-9_]+]] = tensor.extract_slice %{{.*}}[0, 0, %[[R]], 0, 0, 0] [1, 4, 2, 6, 1, 2]
// CHECK:   %[[WIDE:[a-z0-9_]+]] = linalg.generic {{.*}} ins(%[[S]]
// CHECK:   linalg.generic {{.*}} iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction",
// CHECK-SAME: ins(%[[WIDE]]
// CHECK: } {te.loop = array<i64: 1, 4>}
te.kernel @sum(%x: tensor<1x4x6x6x1x2xi8>, %y: tensor<1x4x1x1x1x2xi32>) -> tensor<1x4x1x1x1x2xi32> attributes {
    target = #vta, schedule = #te.schedule<tiles = [#te.tile<sizes = []>, #te.tile<sizes = [0, 0, 0, 0, 2]>]>} {
  %e = tensor.empty() : tensor<1x4x6x6x1x2xi32>
  %wide = linalg.generic {indexing_maps = [#in, #in],
      iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel", "parallel"]}
      ins(%x : tensor<1x4x6x6x1x2xi8>) outs(%e : tensor<1x4x6x6x1x2xi32>) {
  ^bb0(%v: i8, %o: i32):
    %0 = arith.extsi %v : i8 to i32
    linalg.yield %0 : i32
  } -> tensor<1x4x6x6x1x2xi32>
  %sum = linalg.generic {indexing_maps = [#in, #out],
      iterator_types = ["parallel", "parallel", "reduction", "reduction", "parallel", "parallel"]}
      ins(%wide : tensor<1x4x6x6x1x2xi32>) outs(%y : tensor<1x4x1x1x1x2xi32>) {
  ^bb0(%v: i32, %acc: i32):
    %0 = arith.addi %acc, %v : i32
    linalg.yield %0 : i32
  } -> tensor<1x4x1x1x1x2xi32>
  te.return %sum : tensor<1x4x1x1x1x2xi32>
}

// -----

#vta = #vta.config<>

// expected-error @+1 {{does not end in an operation that can be tiled}}
te.kernel @nothing(%x: tensor<4xi8>) -> tensor<4xi8> attributes {
    target = #vta, schedule = #te.schedule<tiles = [#te.tile<sizes = [2]>]>} {
  te.return %x : tensor<4xi8>
}

// -----

#vta = #vta.config<>

te.kernel @deep(%c: i8, %x: tensor<4xi8>) -> tensor<4xi8> attributes {
    target = #vta, schedule = #te.schedule<tiles = [#te.tile<sizes = [0, 2]>]>} {
  // expected-error @+1 {{has 1 loops, but its schedule gives 2 tile sizes}}
  %0 = linalg.fill ins(%c : i8) outs(%x : tensor<4xi8>) -> tensor<4xi8>
  te.return %0 : tensor<4xi8>
}

// -----

#vta = #vta.config<>

// expected-error @+1 {{has a level of kind register in its schedule, which only the host has}}
te.kernel @registers(%c: i8, %x: tensor<4xi8>) -> tensor<4xi8> attributes {
    target = #vta, schedule = #te.schedule<tiles = [#te.tile<sizes = [2]>, #te.tile<sizes = [2], kind = register>]>} {
  %0 = linalg.fill ins(%c : i8) outs(%x : tensor<4xi8>) -> tensor<4xi8>
  te.return %0 : tensor<4xi8>
}

// -----

#vta = #vta.config<>
#xs = affine_map<(n, c, h, k, b, o, i) -> (n, k, h, b, i)>
#ws = affine_map<(n, c, h, k, b, o, i) -> (n, k, c, o, i)>
#ys = affine_map<(n, c, h, k, b, o, i) -> (n, c, h, b, o)>
#ones = affine_map<(n, c, h, k, b, o, i) -> (k, o, i)>
#rows = affine_map<(n, c, h, b, o) -> (n, 0, h, b, o)>
#all = affine_map<(n, c, h, b, o) -> (n, c, h, b, o)>

// Of two operations that reduce, the one with the most work is the anchor. The sum of rows, which is added to all
// columns, is computed whole in every tile.
// CHECK-LABEL: te.kernel @side_sum
// CHECK: scf.for %[[C:[a-z0-9_]+]] =
// CHECK: %[[ROWS:.*]] = linalg.generic {{.*}} outs(%{{.*}} : tensor<1x1x8x1x2xi32>)
// CHECK: %[[SUM:.*]] = scf.for %[[K:.*]] = {{.*}} iter_args
// CHECK-DAG: tensor.extract_slice %{{.*}}[0, %[[K]], 0, 0, 0] [1, 1, 8, 1, 2]
// CHECK-DAG: tensor.extract_slice %{{.*}}[0, %[[K]], 0, 0, 0] [1, 1, 2, 2, 2]
// CHECK: } {te.loop = array<i64: 1, 3>}
// CHECK: linalg.generic {{.*}} ins(%[[ROWS]] : tensor<1x1x8x1x2xi32>) outs(%[[SUM]]
// CHECK: } {te.loop = array<i64: 0, 1>}
// CHECK-NOT: te.tiled_anchor
te.kernel @side_sum(%x: tensor<1x4x8x1x2xi8>, %w: tensor<1x4x4x2x2xi8>, %ones: tensor<4x2x2xi8>, %out: tensor<1x4x8x1x2xi8>)
    -> tensor<1x4x8x1x2xi8> attributes {target = #vta, schedule = #te.schedule<
      tiles = [#te.tile<sizes = [1, 2, 8]>, #te.tile<sizes = [0, 0, 0, 1]>]>} {
  %c0 = arith.constant 0 : i32
  %e = tensor.empty() : tensor<1x4x8x1x2xi32>
  %zero = linalg.fill ins(%c0 : i32) outs(%e : tensor<1x4x8x1x2xi32>) -> tensor<1x4x8x1x2xi32>
  %f = tensor.empty() : tensor<1x1x8x1x2xi32>
  %none = linalg.fill ins(%c0 : i32) outs(%f : tensor<1x1x8x1x2xi32>) -> tensor<1x1x8x1x2xi32>
  %side = linalg.generic {indexing_maps = [#xs, #ones, #ys],
      iterator_types = ["parallel", "parallel", "parallel", "reduction", "parallel", "parallel", "reduction"]}
      ins(%x, %ones : tensor<1x4x8x1x2xi8>, tensor<4x2x2xi8>) outs(%none : tensor<1x1x8x1x2xi32>) {
  ^bb0(%xv: i8, %wv: i8, %acc: i32):
    %0 = arith.extsi %xv : i8 to i32
    %1 = arith.extsi %wv : i8 to i32
    %2 = arith.muli %0, %1 : i32
    %3 = arith.addi %acc, %2 : i32
    linalg.yield %3 : i32
  } -> tensor<1x1x8x1x2xi32>
  %sum = linalg.generic {indexing_maps = [#xs, #ws, #ys],
      iterator_types = ["parallel", "parallel", "parallel", "reduction", "parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<1x4x8x1x2xi8>, tensor<1x4x4x2x2xi8>) outs(%zero : tensor<1x4x8x1x2xi32>) {
  ^bb0(%xv: i8, %wv: i8, %acc: i32):
    %0 = arith.extsi %xv : i8 to i32
    %1 = arith.extsi %wv : i8 to i32
    %2 = arith.muli %0, %1 : i32
    %3 = arith.addi %acc, %2 : i32
    linalg.yield %3 : i32
  } -> tensor<1x4x8x1x2xi32>
  %both = linalg.generic {indexing_maps = [#rows, #all],
      iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]}
      ins(%side : tensor<1x1x8x1x2xi32>) outs(%sum : tensor<1x4x8x1x2xi32>) {
  ^bb0(%r: i32, %acc: i32):
    %0 = arith.addi %acc, %r : i32
    linalg.yield %0 : i32
  } -> tensor<1x4x8x1x2xi32>
  %q = linalg.generic {indexing_maps = [#all, #all],
      iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]}
      ins(%both : tensor<1x4x8x1x2xi32>) outs(%out : tensor<1x4x8x1x2xi8>) {
  ^bb0(%acc: i32, %o: i8):
    %0 = arith.trunci %acc : i32 to i8
    linalg.yield %0 : i8
  } -> tensor<1x4x8x1x2xi8>
  te.return %q : tensor<1x4x8x1x2xi8>
}
