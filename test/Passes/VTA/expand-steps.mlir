// RUN: acc-opt %s --vta-expand-steps --canonicalize | FileCheck %s

// Only what the host computes is arithmetic; the accelerator has the operation.

// CHECK-LABEL: te.kernel @host
// CHECK: [[X:%.+]] = arith.addi
// CHECK: [[W:%.+]] = arith.extsi [[X]] : i32 to i64
// CHECK: [[A:%.+]] = arith.shrsi [[W]]
// CHECK: arith.muli [[A]]
// CHECK: arith.maxsi
// CHECK: [[R:%.+]] = arith.minsi
// CHECK: [[Y:%.+]] = arith.trunci [[R]] : i64 to i32
// CHECK: linalg.yield [[Y]] : i32
// CHECK-NOT: vta.requantize_step
te.kernel @host(%p: tensor<3x4xi32>, %a: tensor<4xi32>) -> tensor<4xi32> attributes {target = #te.host} {
  %0 = linalg.generic {
      indexing_maps = [affine_map<(i) -> (0, i)>, affine_map<(i) -> (1, i)>,
                       affine_map<(i) -> (2, i)>, affine_map<(i) -> (i)>],
      iterator_types = ["parallel"]}
      ins(%p, %p, %p : tensor<3x4xi32>, tensor<3x4xi32>, tensor<3x4xi32>)
      outs(%a : tensor<4xi32>) {
  ^bb0(%bias: i32, %scaling: i32, %bounds: i32, %acc: i32):
    %1 = vta.requantize_step %acc by %bias, %scaling, %bounds
    linalg.yield %1 : i32
  } -> tensor<4xi32>
  te.return %0 : tensor<4xi32>
}
