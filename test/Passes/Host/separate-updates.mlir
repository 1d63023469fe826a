// RUN: acc-opt %s --pass-pipeline='builtin.module(te.kernel(host-separate-updates))' | FileCheck %s

#same = affine_map<(d0, d1) -> (d0, d1)>
#row = affine_map<(d0, d1) -> (0, d1)>

// CHECK: te.kernel @broadcast(%[[X:.*]]: tensor<1x4xi32>, %[[Y:.*]]: tensor<3x4xi32>)
te.kernel @broadcast(%x: tensor<1x4xi32>, %y: tensor<3x4xi32>) -> tensor<3x4xi32> attributes {target = #te.host} {
  %c = arith.constant 5 : i32
  // CHECK: %[[EMPTY:.*]] = tensor.empty() : tensor<1x4xi32>
  // CHECK: %[[MOVED:.*]] = linalg.generic {{.*}} ins(%[[X]] : tensor<1x4xi32>) outs(%[[EMPTY]] : tensor<1x4xi32>)
  // CHECK-NEXT: ^bb0(%[[IN:.*]]: i32, %{{.*}}: i32):
  // CHECK-NEXT: arith.addi %[[IN]]
  %0 = linalg.generic {indexing_maps = [#same], iterator_types = ["parallel", "parallel"]} outs(%x : tensor<1x4xi32>) {
  ^bb0(%out: i32):
    %s = arith.addi %out, %c : i32
    linalg.yield %s : i32
  } -> tensor<1x4xi32>
  // What is read once is updated in place.
  // CHECK: %[[Z:.*]] = linalg.generic {{.*}} outs(%[[Y]] : tensor<3x4xi32>)
  %1 = linalg.generic {indexing_maps = [#same], iterator_types = ["parallel", "parallel"]} outs(%y : tensor<3x4xi32>) {
  ^bb0(%out: i32):
    %s = arith.addi %out, %c : i32
    linalg.yield %s : i32
  } -> tensor<3x4xi32>
  // CHECK: linalg.generic {{.*}} ins(%[[MOVED]] : tensor<1x4xi32>) outs(%[[Z]] : tensor<3x4xi32>)
  %2 = linalg.generic {indexing_maps = [#row, #same], iterator_types = ["parallel", "parallel"]} ins(%0 : tensor<1x4xi32>) outs(%1 : tensor<3x4xi32>) {
  ^bb0(%in: i32, %out: i32):
    %s = arith.muli %out, %in : i32
    linalg.yield %s : i32
  } -> tensor<3x4xi32>
  te.return %2 : tensor<3x4xi32>
}
