// RUN: acc-opt --te-bufferize %s -split-input-file -verify-diagnostics | FileCheck %s

#vta = #vta.config<>
#id = affine_map<(c, b, o) -> (c, b, o)>

// CHECK-LABEL: te.kernel @relu
// CHECK-SAME: (%[[X:.*]]: memref<4x1x2xi8, #vta.mem<dram>>, %[[OUT:.*]]: memref<4x1x2xi8, #vta.mem<dram>>) attributes
// CHECK-DAG: %[[C0:.*]] = arith.constant 0 : index
// CHECK-DAG: %[[C2:.*]] = arith.constant 2 : index
// CHECK-DAG: %[[C4:.*]] = arith.constant 4 : index
// CHECK: scf.for %[[I:[a-z0-9_]+]] = %[[C0]] to %[[C4]] step %[[C2]] {
// CHECK-DAG: %[[XS:[a-z0-9_]+]] = memref.subview %[[X]][%[[I]], 0, 0] [2, 1, 2]
// CHECK-DAG: %[[ACC:[a-z0-9_]+]] = memref.alloc() : memref<2x1x2xi32, #vta.mem<acc>>
// CHECK:   te.cache_read ins(%[[XS]] {{.*}} outs(%[[ACC]] {{.*}} low [0, 0, 0] high [0, 0, 0]
// CHECK:   linalg.generic {{.*}} outs(%[[ACC]] : memref<2x1x2xi32, #vta.mem<acc>>)
// CHECK:   %[[OS:[a-z0-9_]+]] = memref.subview %[[OUT]][%[[I]], 0, 0] [2, 1, 2]
// CHECK:   te.cache_write ins(%[[ACC]] {{.*}} outs(%[[OS]]
// CHECK-NOT: memref.copy
// CHECK: } {te.loop = array<i64: 0, 0>, te.vthread = 2 : i64}
// CHECK-NEXT: te.return
// CHECK-NEXT: }
te.kernel @relu(%x: tensor<4x1x2xi8>, %out: tensor<4x1x2xi8>) -> tensor<4x1x2xi8> attributes {
    target = #vta, schedule = #te.schedule<tiles = [#te.tile<sizes = [2]>]>} {
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  %c4 = arith.constant 4 : index
  %zero = arith.constant 0 : i32
  %0 = scf.for %i = %c0 to %c4 step %c2 iter_args(%o = %out) -> (tensor<4x1x2xi8>) {
    %xs = tensor.extract_slice %x[%i, 0, 0] [2, 1, 2] [1, 1, 1] : tensor<4x1x2xi8> to tensor<2x1x2xi8>
    %b = bufferization.alloc_tensor() {memory_space = #vta.mem<acc>} : tensor<2x1x2xi32>
    %c = te.cache_read ins(%xs : tensor<2x1x2xi8>) outs(%b : tensor<2x1x2xi32>) low [0, 0, 0] high [0, 0, 0] -> tensor<2x1x2xi32>
    %m = linalg.generic {indexing_maps = [#id], iterator_types = ["parallel", "parallel", "parallel"]}
        outs(%c : tensor<2x1x2xi32>) {
    ^bb0(%a: i32):
      %1 = arith.maxsi %a, %zero : i32
      linalg.yield %1 : i32
    } -> tensor<2x1x2xi32>
    %os = tensor.extract_slice %o[%i, 0, 0] [2, 1, 2] [1, 1, 1] : tensor<4x1x2xi8> to tensor<2x1x2xi8>
    %w = te.cache_write ins(%m : tensor<2x1x2xi32>) outs(%os : tensor<2x1x2xi8>) -> tensor<2x1x2xi8>
    %r = tensor.insert_slice %w into %o[%i, 0, 0] [2, 1, 2] [1, 1, 1] : tensor<2x1x2xi8> into tensor<4x1x2xi8>
    scf.yield %r : tensor<4x1x2xi8>
  } {te.loop = array<i64: 0, 0>, te.vthread = 2 : i64}
  te.return %0 : tensor<4x1x2xi8>
}

// -----

#vta = #vta.config<>
#id = affine_map<(c, b, o) -> (c, b, o)>

// The sum is read after it was changed: it cannot be computed in place.
te.kernel @copied(%x: tensor<4x1x2xi8>, %out: tensor<4x1x2xi8>) -> tensor<4x1x2xi8> attributes {
    target = #vta, schedule = #te.schedule<tiles = []>} {
  %zero = arith.constant 0 : i32
  %b = bufferization.alloc_tensor() {memory_space = #vta.mem<acc>} : tensor<4x1x2xi32>
  %c = te.cache_read ins(%x : tensor<4x1x2xi8>) outs(%b : tensor<4x1x2xi32>) low [0, 0, 0] high [0, 0, 0] -> tensor<4x1x2xi32>
  // expected-error @+1 {{is left of bufferization: a step of the kernel is not computed in place}}
  %m = linalg.generic {indexing_maps = [#id], iterator_types = ["parallel", "parallel", "parallel"]} outs(%c : tensor<4x1x2xi32>) {
  ^bb0(%a: i32):
    %1 = arith.maxsi %a, %zero : i32
    linalg.yield %1 : i32
  } -> tensor<4x1x2xi32>
  %s = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%c : tensor<4x1x2xi32>) outs(%m : tensor<4x1x2xi32>) {
  ^bb0(%v: i32, %a: i32):
    %1 = arith.addi %a, %v : i32
    linalg.yield %1 : i32
  } -> tensor<4x1x2xi32>
  %w = te.cache_write ins(%s : tensor<4x1x2xi32>) outs(%out : tensor<4x1x2xi8>) -> tensor<4x1x2xi8>
  te.return %w : tensor<4x1x2xi8>
}
