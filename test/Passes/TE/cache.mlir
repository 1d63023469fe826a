// RUN: acc-opt --te-cache %s -split-input-file -verify-diagnostics | FileCheck %s

#vta = #vta.config<>
#x = affine_map<(c, h, k, r, b, o, i) -> (k, h + r, b, i)>
#w = affine_map<(c, h, k, r, b, o, i) -> (c, k, r, o, i)>
#y = affine_map<(c, h, k, r, b, o, i) -> (c, h, b, o)>
#v = affine_map<(c, h, b, o) -> (c, b, o)>
#id = affine_map<(c, h, b, o) -> (c, h, b, o)>

// CHECK-LABEL: te.kernel @conv
// CHECK-SAME: %[[X:.*]]: tensor<4x8x1x2xi8>, %[[W:.*]]: tensor<4x4x3x2x2xi8>, %[[BIAS:.*]]: tensor<4x1x2xi32>,
// CHECK: scf.for %[[C:[a-z0-9_]+]] =
// Weights are staged for the whole reduction, outside of the rows, which they do not depend on; so is the bias.
// CHECK-DAG: %[[WS:[a-z0-9_]+]] = tensor.extract_slice %[[W]][%[[C]], 0, 0, 0, 0] [2, 4, 3, 2, 2]
// CHECK-DAG: %[[WB:[a-z0-9_]+]] = bufferization.alloc_tensor() {memory_space = #vta.mem<wgt>} : tensor<2x4x3x2x2xi8>
// CHECK:     %[[WC:[a-z0-9_]+]] = te.cache_read ins(%[[WS]] {{.*}} outs(%[[WB]] {{.*}} low [0, 0, 0, 0, 0] high [0, 0, 0, 0, 0]
// CHECK:     %[[BC:[a-z0-9_]+]] = te.cache_read ins(%{{.*}} : tensor<2x1x2xi32>)
// CHECK:   scf.for %[[H:[a-z0-9_]+]] =
// CHECK:     %[[ACC:[a-z0-9_]+]] = bufferization.alloc_tensor() {memory_space = #vta.mem<acc>} : tensor<2x4x1x2xi32>
// CHECK:     linalg.fill ins(%{{.*}}) outs(%[[ACC]]
// CHECK:     scf.for %[[K:[a-z0-9_]+]] =
// The input is staged per step of the reduction, with the padding as rows of zeros.
// CHECK-DAG:   %[[XS:[a-z0-9_]+]] = tensor.extract_slice %[[X]][%[[K]], %{{.*}}, 0, 0] [1, %{{.*}}, 1, 2]
// CHECK-DAG:   %[[XB:[a-z0-9_]+]] = bufferization.alloc_tensor() {memory_space = #vta.mem<inp>} : tensor<1x6x1x2xi8>
// CHECK-DAG:   %[[XC:[a-z0-9_]+]] = te.cache_read ins(%[[XS]] {{.*}} outs(%[[XB]] {{.*}} low [0, %{{.*}}, 0, 0] high [0, %{{.*}}, 0, 0]
// CHECK-DAG:   %[[WT:[a-z0-9_]+]] = tensor.extract_slice %[[WC]][0, %[[K]], 0, 0, 0] [2, 1, 3, 2, 2]
// CHECK:       linalg.generic {{.*}} ins(%[[XC]], %[[WT]]
// CHECK:     linalg.generic {{.*}} ins(%[[BC]]
// CHECK:     te.cache_write ins(%{{.*}} : tensor<2x4x1x2xi32>) outs(%{{.*}} : tensor<2x4x1x2xi8>)
// CHECK-NOT: tensor.pad
te.kernel @conv(%x: tensor<4x8x1x2xi8>, %w: tensor<4x4x3x2x2xi8>, %bias: tensor<4x1x2xi32>, %out: tensor<4x8x1x2xi8>)
    -> tensor<4x8x1x2xi8> attributes {target = #vta, schedule = #te.schedule<
      tiles = [#te.tile<sizes = [2, 4]>, #te.tile<sizes = [0, 0, 1]>],
      caches = [#te.cache<arg = 0, memory = #vta.mem<inp>, level = 1>, #te.cache<arg = 1, memory = #vta.mem<wgt>, level = 0>,
                #te.cache<arg = 2, memory = #vta.mem<acc>, level = 0>], accumulator = #vta.mem<acc>>} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %c4 = arith.constant 4 : index
  %c8 = arith.constant 8 : index
  %c0_i32 = arith.constant 0 : i32
  %c0_i8 = arith.constant 0 : i8
  %pad = tensor.pad %x low[0, 1, 0, 0] high[0, 1, 0, 0] {
  ^bb0(%a: index, %b: index, %c: index, %d: index):
    tensor.yield %c0_i8 : i8
  } : tensor<4x8x1x2xi8> to tensor<4x10x1x2xi8>
  %0 = scf.for %i = %c0 to %c4 step %c2 iter_args(%o = %out) -> (tensor<4x8x1x2xi8>) {
    %1 = scf.for %h = %c0 to %c8 step %c4 iter_args(%p = %o) -> (tensor<4x8x1x2xi8>) {
      %xs = tensor.extract_slice %pad[0, %h, 0, 0] [4, 6, 1, 2] [1, 1, 1, 1] : tensor<4x10x1x2xi8> to tensor<4x6x1x2xi8>
      %ws = tensor.extract_slice %w[%i, 0, 0, 0, 0] [2, 4, 3, 2, 2] [1, 1, 1, 1, 1] : tensor<4x4x3x2x2xi8> to tensor<2x4x3x2x2xi8>
      %e = tensor.empty() : tensor<2x4x1x2xi32>
      %zero = linalg.fill ins(%c0_i32 : i32) outs(%e : tensor<2x4x1x2xi32>) -> tensor<2x4x1x2xi32>
      %sum = scf.for %k = %c0 to %c4 step %c1 iter_args(%acc = %zero) -> (tensor<2x4x1x2xi32>) {
        %xk = tensor.extract_slice %xs[%k, 0, 0, 0] [1, 6, 1, 2] [1, 1, 1, 1] : tensor<4x6x1x2xi8> to tensor<1x6x1x2xi8>
        %wk = tensor.extract_slice %ws[0, %k, 0, 0, 0] [2, 1, 3, 2, 2] [1, 1, 1, 1, 1] : tensor<2x4x3x2x2xi8> to tensor<2x1x3x2x2xi8>
        %s = linalg.generic {indexing_maps = [#x, #w, #y], iterator_types = ["parallel", "parallel", "reduction", "reduction", "parallel", "parallel", "reduction"]}
            ins(%xk, %wk : tensor<1x6x1x2xi8>, tensor<2x1x3x2x2xi8>) outs(%acc : tensor<2x4x1x2xi32>) {
        ^bb0(%xv: i8, %wv: i8, %a: i32):
          %2 = arith.extsi %xv : i8 to i32
          linalg.yield %2 : i32
        } -> tensor<2x4x1x2xi32>
        scf.yield %s : tensor<2x4x1x2xi32>
      } {te.loop = array<i64: 1, 2>}
      %bs = tensor.extract_slice %bias[%i, 0, 0] [2, 1, 2] [1, 1, 1] : tensor<4x1x2xi32> to tensor<2x1x2xi32>
      %biased = linalg.generic {indexing_maps = [#v, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
          ins(%bs : tensor<2x1x2xi32>) outs(%sum : tensor<2x4x1x2xi32>) {
      ^bb0(%b: i32, %a: i32):
        %2 = arith.addi %a, %b : i32
        linalg.yield %2 : i32
      } -> tensor<2x4x1x2xi32>
      %os = tensor.extract_slice %p[%i, %h, 0, 0] [2, 4, 1, 2] [1, 1, 1, 1] : tensor<4x8x1x2xi8> to tensor<2x4x1x2xi8>
      %q = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
          ins(%biased : tensor<2x4x1x2xi32>) outs(%os : tensor<2x4x1x2xi8>) {
      ^bb0(%a: i32, %t: i8):
        %2 = arith.trunci %a : i32 to i8
        linalg.yield %2 : i8
      } -> tensor<2x4x1x2xi8>
      %ins = tensor.insert_slice %q into %p[%i, %h, 0, 0] [2, 4, 1, 2] [1, 1, 1, 1] : tensor<2x4x1x2xi8> into tensor<4x8x1x2xi8>
      scf.yield %ins : tensor<4x8x1x2xi8>
    } {te.loop = array<i64: 0, 1>}
    scf.yield %1 : tensor<4x8x1x2xi8>
  } {te.loop = array<i64: 0, 0>}
  te.return %0 : tensor<4x8x1x2xi8>
}

// -----

#vta = #vta.config<>
#id = affine_map<(c, b, o) -> (c, b, o)>

te.kernel @forgotten(%x: tensor<4x1x2xi8>, %y: tensor<4x1x2xi32>) -> tensor<4x1x2xi32> attributes {
    target = #vta, schedule = #te.schedule<tiles = []>} {
  // expected-error @+1 {{reads argument #0, which the schedule caches in no memory}}
  %0 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%x : tensor<4x1x2xi8>) outs(%y : tensor<4x1x2xi32>) {
  ^bb0(%v: i8, %o: i32):
    %1 = arith.extsi %v : i8 to i32
    linalg.yield %1 : i32
  } -> tensor<4x1x2xi32>
  te.return %0 : tensor<4x1x2xi32>
}

// -----

#vta = #vta.config<>
#id = affine_map<(c, h, b, o) -> (c, h, b, o)>

// Every second row is read from the sixth on: three of them by each tile.
// CHECK: #[[EVERY:.*]] = affine_map<(d0) -> (d0 * 2 + 6)>
// CHECK-LABEL: te.kernel @strided
// CHECK-SAME: %[[X:.*]]: tensor<2x20x1x16xi8>,
// CHECK: scf.for %[[H:[a-z0-9_]+]] =
// CHECK: affine.apply #[[EVERY]](%[[H]])
// CHECK-NOT: scf.for
// CHECK: %[[S:[a-z0-9_]+]] = tensor.extract_slice %[[X]][0, %{{[0-9]+}}, 0, 0] [2, 3, 1, 16] [1, 2, 1, 1]
// CHECK: te.cache_read ins(%[[S]] {{.*}} low [0, 0, 0, 0] high [0, 0, 0, 0]
te.kernel @strided(%x: tensor<2x20x1x16xi8>, %out: tensor<2x6x1x16xi8>) -> tensor<2x6x1x16xi8> attributes {
    target = #vta, schedule = #te.schedule<tiles = [#te.tile<sizes = [0, 3]>],
      caches = [#te.cache<arg = 0, memory = #vta.mem<acc>, level = 0>], accumulator = #vta.mem<acc>>} {
  %c0 = arith.constant 0 : index
  %c3 = arith.constant 3 : index
  %c6 = arith.constant 6 : index
  %rows = tensor.extract_slice %x[0, 6, 0, 0] [2, 12, 1, 16] [1, 1, 1, 1] : tensor<2x20x1x16xi8> to tensor<2x12x1x16xi8>
  %even = tensor.extract_slice %rows[0, 0, 0, 0] [2, 6, 1, 16] [1, 2, 1, 1] : tensor<2x12x1x16xi8> to tensor<2x6x1x16xi8>
  %result = scf.for %h = %c0 to %c6 step %c3 iter_args(%o = %out) -> (tensor<2x6x1x16xi8>) {
    %xs = tensor.extract_slice %even[0, %h, 0, 0] [2, 3, 1, 16] [1, 1, 1, 1] : tensor<2x6x1x16xi8> to tensor<2x3x1x16xi8>
    %os = tensor.extract_slice %o[0, %h, 0, 0] [2, 3, 1, 16] [1, 1, 1, 1] : tensor<2x6x1x16xi8> to tensor<2x3x1x16xi8>
    %empty = tensor.empty() : tensor<2x3x1x16xi32>
    %wide = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
        ins(%xs : tensor<2x3x1x16xi8>) outs(%empty : tensor<2x3x1x16xi32>) {
    ^bb0(%a: i8, %b: i32):
      %0 = arith.extsi %a : i8 to i32
      linalg.yield %0 : i32
    } -> tensor<2x3x1x16xi32>
    %narrow = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
        ins(%wide : tensor<2x3x1x16xi32>) outs(%os : tensor<2x3x1x16xi8>) {
    ^bb0(%a: i32, %b: i8):
      %0 = arith.trunci %a : i32 to i8
      linalg.yield %0 : i8
    } -> tensor<2x3x1x16xi8>
    %next = tensor.insert_slice %narrow into %o[0, %h, 0, 0] [2, 3, 1, 16] [1, 1, 1, 1] : tensor<2x3x1x16xi8> into tensor<2x6x1x16xi8>
    scf.yield %next : tensor<2x6x1x16xi8>
  } {te.loop = array<i64: 0, 1>}
  te.return %result : tensor<2x6x1x16xi8>
}

// -----

#vta = #vta.config<>
#id = affine_map<(c, h, b, o) -> (c, h, b, o)>

te.kernel @padded(%x: tensor<2x12x1x16xi8>, %out: tensor<2x7x1x16xi8>) -> tensor<2x7x1x16xi8> attributes {
    target = #vta, schedule = #te.schedule<tiles = [#te.tile<sizes = []>],
      caches = [#te.cache<arg = 0, memory = #vta.mem<acc>, level = 0>], accumulator = #vta.mem<acc>>} {
  %zero = arith.constant 0 : i8
  %pad = tensor.pad %x low[0, 1, 0, 0] high[0, 1, 0, 0] {
  ^bb0(%a: index, %b: index, %c: index, %d: index):
    tensor.yield %zero : i8
  } : tensor<2x12x1x16xi8> to tensor<2x14x1x16xi8>
  %even = tensor.extract_slice %pad[0, 0, 0, 0] [2, 7, 1, 16] [1, 2, 1, 1] : tensor<2x14x1x16xi8> to tensor<2x7x1x16xi8>
  %empty = tensor.empty() : tensor<2x7x1x16xi32>
  // expected-error @+1 {{reads a padded argument with a stride, or one with an unknown stride, which cannot be cached}}
  %wide = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%even : tensor<2x7x1x16xi8>) outs(%empty : tensor<2x7x1x16xi32>) {
  ^bb0(%a: i8, %b: i32):
    %0 = arith.extsi %a : i8 to i32
    linalg.yield %0 : i32
  } -> tensor<2x7x1x16xi32>
  %narrow = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%wide : tensor<2x7x1x16xi32>) outs(%out : tensor<2x7x1x16xi8>) {
  ^bb0(%a: i32, %b: i8):
    %0 = arith.trunci %a : i32 to i8
    linalg.yield %0 : i8
  } -> tensor<2x7x1x16xi8>
  te.return %narrow : tensor<2x7x1x16xi8>
}
