// RUN: acc-opt --te-merge-operands %s | FileCheck %s

#vta = #vta.config<>
#x = affine_map<(c, b, o, i) -> (c, b, i)>
#w = affine_map<(c, b, o, i) -> (0, o, i)>
#y = affine_map<(c, b, o, i) -> (c, b, o)>

// Two products read one input, which is passed once; what is read as weights stays another argument.
// CHECK-LABEL: te.kernel @sum
// CHECK-SAME: (%[[X:.*]]: tensor<4x1x16xi8>, %[[A:.*]]: tensor<1x16x16xi8>, %[[B:.*]]: tensor<1x16x16xi8>, %[[OUT:.*]]: tensor<4x1x16xi32>)
// CHECK: linalg.generic {{.*}} ins(%[[X]], %[[A]]
// CHECK: linalg.generic {{.*}} ins(%[[X]], %[[B]]
te.kernel @sum(%x: tensor<4x1x16xi8>, %a: tensor<1x16x16xi8>, %again: tensor<4x1x16xi8>, %b: tensor<1x16x16xi8>,
               %out: tensor<4x1x16xi32>) -> tensor<4x1x16xi32> attributes {target = #vta} {
  %0 = linalg.generic {indexing_maps = [#x, #w, #y], iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%x, %a : tensor<4x1x16xi8>, tensor<1x16x16xi8>) outs(%out : tensor<4x1x16xi32>) {
  ^bb0(%p: i8, %q: i8, %s: i32):
    %2 = arith.extsi %p : i8 to i32
    %3 = arith.extsi %q : i8 to i32
    %4 = arith.muli %2, %3 : i32
    %5 = arith.addi %s, %4 : i32
    linalg.yield %5 : i32
  } -> tensor<4x1x16xi32>
  %1 = linalg.generic {indexing_maps = [#x, #w, #y], iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%again, %b : tensor<4x1x16xi8>, tensor<1x16x16xi8>) outs(%0 : tensor<4x1x16xi32>) {
  ^bb0(%p: i8, %q: i8, %s: i32):
    %2 = arith.extsi %p : i8 to i32
    %3 = arith.extsi %q : i8 to i32
    %4 = arith.muli %2, %3 : i32
    %5 = arith.addi %s, %4 : i32
    linalg.yield %5 : i32
  } -> tensor<4x1x16xi32>
  te.return %1 : tensor<4x1x16xi32>
}

// CHECK-LABEL: func.func @main
// CHECK-SAME: %[[V:.*]]: tensor<4x1x16xi8>, %[[W:.*]]: tensor<1x16x16xi8>, %[[O:.*]]: tensor<4x1x16xi32>
// CHECK: te.launch @sum ins(%[[V]], %[[W]], %{{.*}} :
func.func @main(%v: tensor<4x1x16xi8>, %w: tensor<1x16x16xi8>, %o: tensor<4x1x16xi32>, %u: tensor<1x16x16xi8>) -> tensor<4x1x16xi32> {
  %0 = te.launch @sum ins(%v, %w, %v, %u : tensor<4x1x16xi8>, tensor<1x16x16xi8>, tensor<4x1x16xi8>, tensor<1x16x16xi8>)
      outs(%o : tensor<4x1x16xi32>) -> tensor<4x1x16xi32>
  return %0 : tensor<4x1x16xi32>
}
