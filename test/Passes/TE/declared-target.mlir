// RUN: acc-opt %s --pass-pipeline="builtin.module(te-declare-intrins,te.kernel(te-tile,te-cache,te-bufferize),te-tensorize,te.kernel(te-dma))" | FileCheck %s

// An accelerator without a dialect: its declaration and its te.intrins are all that the passes of te need.

#toy = #te.target<name = "toy",
  scratchpads = [#te.memory<space = "vectors", shape = [8], type = i8, capacity = 64>,
                 #te.memory<space = "matrices", shape = [8, 8], type = i8, capacity = 16>,
                 #te.memory<space = "sums", shape = [8], type = i32, capacity = 16>],
  roles = {argument = "main", input = "vectors", weight = "matrices", accumulator = "sums", output = "sums"},
  only_zero = true>

#dot_x = affine_map<(o, i) -> (i)>
#dot_w = affine_map<(o, i) -> (o, i)>
#dot_y = affine_map<(o, i) -> (o)>
#x = affine_map<(m, k, o, i) -> (k, i)>
#w = affine_map<(m, k, o, i) -> (m, k, o, i)>
#y = affine_map<(m, k, o, i) -> (m, o)>
#id = affine_map<(m, o) -> (m, o)>
#lane = affine_map<(o) -> (o)>

te.intrin @dot emits "toy.dot" {
^bb0(%x: memref<8xi8, "vectors">, %w: memref<8x8xi8, "matrices">, %y: memref<8xi32, "sums">):
  linalg.generic {indexing_maps = [#dot_x, #dot_w, #dot_y], iterator_types = ["parallel", "reduction"]}
      ins(%x, %w : memref<8xi8, "vectors">, memref<8x8xi8, "matrices">) outs(%y : memref<8xi32, "sums">) {
  ^bb0(%a: i8, %b: i8, %s: i32):
    %0 = arith.extsi %a : i8 to i32
    %1 = arith.extsi %b : i8 to i32
    %2 = arith.muli %0, %1 : i32
    %3 = arith.addi %s, %2 : i32
    linalg.yield %3 : i32
  }
}
te.intrin @zero emits "toy.zero" {
^bb0(%y: memref<8xi32, "sums">):
  %zero = arith.constant 0 : i32
  linalg.fill ins(%zero : i32) outs(%y : memref<8xi32, "sums">)
}
te.intrin @add emits "toy.add" {
^bb0(%y: memref<8xi32, "sums">, %n: i32):
  linalg.generic {indexing_maps = [#lane], iterator_types = ["parallel"]} outs(%y : memref<8xi32, "sums">) {
  ^bb0(%a: i32):
    %0 = arith.addi %a, %n : i32
    linalg.yield %0 : i32
  }
}

// CHECK-DAG: #[[K:.*]] = affine_map<(d0, d1) -> (d1)>
// CHECK-DAG: #[[MK:.*]] = affine_map<(d0, d1) -> (d0, d1)>
// CHECK-DAG: #[[M:.*]] = affine_map<(d0, d1) -> (d0)>
// CHECK-DAG: #[[ID:.*]] = affine_map<(d0) -> (d0)>
// CHECK-LABEL: te.kernel @dense
// CHECK-SAME: %[[X:[a-z0-9]+]]: memref<4x8xi8, "main">, %[[W:[a-z0-9]+]]: memref<2x4x8x8xi8, "main">, %[[OUT:[a-z0-9]+]]: memref<2x8xi8, "main">
// CHECK-DAG: %[[XC:.*]] = memref.cast %[[X]]
// CHECK-DAG: %[[XS:.*]] = memref.alloc() : memref<4x8xi8, "vectors">
// CHECK: te.cache_read ins(%[[XC]] {{.*}} outs(%[[XS]]
// CHECK: scf.for
// CHECK: %[[YS:.*]] = memref.alloc() : memref<1x8xi32, "sums">
// CHECK: te.issue @zero outs(%[[YS]] : memref<1x8xi32, "sums">) bounds [1] maps [#[[ID]]]
// CHECK: te.issue @add outs(%[[YS]] : memref<1x8xi32, "sums">) immediate 5 bounds [1] maps [#[[ID]]]
// CHECK: %[[WS:.*]] = memref.alloc() : memref<1x4x8x8xi8, "matrices">
// CHECK: te.issue @dot ins(%[[XS]], %[[WS]] : {{.*}}) outs(%[[YS]] : {{.*}}) bounds [1, 4] maps [#[[K]], #[[MK]], #[[M]]]
// CHECK: te.cache_write ins(%[[YS]]
te.kernel @dense(%x: tensor<4x8xi8>, %w: tensor<2x4x8x8xi8>, %out: tensor<2x8xi8>) -> tensor<2x8xi8> attributes {
    target = #toy, schedule = #te.schedule<tiles = [#te.tile<sizes = [1]>], accumulator = "sums", intrinsic = @dot,
      caches = [#te.cache<arg = 0, memory = "vectors", level = 0>, #te.cache<arg = 1, memory = "matrices", level = 0>]>} {
  %five = arith.constant 5 : i32
  %e = tensor.empty() : tensor<2x8xi32>
  %f = linalg.fill ins(%five : i32) outs(%e : tensor<2x8xi32>) -> tensor<2x8xi32>
  %p = linalg.generic {indexing_maps = [#x, #w, #y], iterator_types = ["parallel", "reduction", "parallel", "reduction"]}
      ins(%x, %w : tensor<4x8xi8>, tensor<2x4x8x8xi8>) outs(%f : tensor<2x8xi32>) {
  ^bb0(%a: i8, %b: i8, %s: i32):
    %0 = arith.extsi %a : i8 to i32
    %1 = arith.extsi %b : i8 to i32
    %2 = arith.muli %0, %1 : i32
    %3 = arith.addi %s, %2 : i32
    linalg.yield %3 : i32
  } -> tensor<2x8xi32>
  %q = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%p : tensor<2x8xi32>) outs(%out : tensor<2x8xi8>) {
  ^bb0(%a: i32, %o: i8):
    %0 = arith.trunci %a : i32 to i8
    linalg.yield %0 : i8
  } -> tensor<2x8xi8>
  te.return %q : tensor<2x8xi8>
}

// Memories may have elements of different ranks; a copy to the result is the transfer itself.
#scalars = #te.target<name = "toy",
  scratchpads = [#te.memory<space = "vectors", shape = [8], type = i8, capacity = 64>,
                 #te.memory<space = "scalars", shape = [], type = i32, capacity = 16>],
  roles = {input = "vectors", weight = "vectors", accumulator = "scalars", output = "scalars"}>

te.intrin @scalar_dot emits "toy.dot" {
^bb0(%x: memref<8xi8, "vectors">, %w: memref<8xi8, "vectors">, %y: memref<i32, "scalars">):
  linalg.generic {indexing_maps = [#lane, #lane, affine_map<(i) -> ()>], iterator_types = ["reduction"]}
      ins(%x, %w : memref<8xi8, "vectors">, memref<8xi8, "vectors">) outs(%y : memref<i32, "scalars">) {
  ^bb0(%a: i8, %b: i8, %s: i32):
    %0 = arith.extsi %a : i8 to i32
    %1 = arith.extsi %b : i8 to i32
    %2 = arith.muli %0, %1 : i32
    %3 = arith.addi %s, %2 : i32
    linalg.yield %3 : i32
  }
}
te.intrin @copy emits "toy.copy" {
^bb0(%x: memref<i32, "scalars">, %y: memref<i32, "scalars">):
  linalg.generic {indexing_maps = [affine_map<() -> ()>, affine_map<() -> ()>], iterator_types = []}
      ins(%x : memref<i32, "scalars">) outs(%y : memref<i32, "scalars">) {
  ^bb0(%a: i32, %b: i32):
    linalg.yield %a : i32
  }
}

// CHECK-LABEL: te.kernel @sums
// CHECK: scf.for
// CHECK: %[[YS:.*]] = memref.alloc() : memref<2x2xi32, "scalars">
// CHECK: te.issue @copy ins(%[[BIAS:.*]] : memref<2xi32, "scalars">) outs(%[[YS]] : {{.*}}) bounds [2, 2]
// CHECK: te.issue @scalar_dot ins(%{{.*}}, %{{.*}} : memref<2x4x8xi8, "vectors">, memref<2x4x8xi8, "vectors">) outs(%[[YS]] : {{.*}}) bounds [2, 2, 4]
// CHECK: te.cache_write ins(%[[YS]] : memref<2x2xi32, "scalars">) outs(%{{.*}} : memref<2x2xi32
te.kernel @sums(%x: tensor<2x4x8xi8>, %w: tensor<6x4x8xi8>, %bias: tensor<6xi32>, %out: tensor<2x6xi32>) -> tensor<2x6xi32> attributes {
    target = #scalars, schedule = #te.schedule<tiles = [#te.tile<sizes = [2, 2]>], accumulator = "scalars", intrinsic = @scalar_dot,
      caches = [#te.cache<arg = 0, memory = "vectors", level = 0>, #te.cache<arg = 1, memory = "vectors", level = 0>,
                #te.cache<arg = 2, memory = "scalars", level = 0>]>} {
  %e = tensor.empty() : tensor<2x6xi32>
  %b = linalg.generic {indexing_maps = [affine_map<(m, o) -> (o)>, #id], iterator_types = ["parallel", "parallel"]}
      ins(%bias : tensor<6xi32>) outs(%e : tensor<2x6xi32>) {
  ^bb0(%a: i32, %s: i32):
    linalg.yield %a : i32
  } -> tensor<2x6xi32>
  %p = linalg.generic {indexing_maps = [affine_map<(m, o, k, i) -> (m, k, i)>, affine_map<(m, o, k, i) -> (o, k, i)>, affine_map<(m, o, k, i) -> (m, o)>],
                       iterator_types = ["parallel", "parallel", "reduction", "reduction"]}
      ins(%x, %w : tensor<2x4x8xi8>, tensor<6x4x8xi8>) outs(%b : tensor<2x6xi32>) {
  ^bb0(%a: i8, %c: i8, %s: i32):
    %0 = arith.extsi %a : i8 to i32
    %1 = arith.extsi %c : i8 to i32
    %2 = arith.muli %0, %1 : i32
    %3 = arith.addi %s, %2 : i32
    linalg.yield %3 : i32
  } -> tensor<2x6xi32>
  %q = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%p : tensor<2x6xi32>) outs(%out : tensor<2x6xi32>) {
  ^bb0(%a: i32, %s: i32):
    linalg.yield %a : i32
  } -> tensor<2x6xi32>
  te.return %q : tensor<2x6xi32>
}
