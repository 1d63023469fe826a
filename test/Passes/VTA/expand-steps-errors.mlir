// RUN: acc-opt %s --vta-expand-steps -verify-diagnostics

te.kernel @host(%a: tensor<4xi32>) -> tensor<4xi32> attributes {target = #te.host} {
  %0 = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
      outs(%a : tensor<4xi32>) {
  ^bb0(%acc: i32):
    // expected-error @below {{has no table}}
    %1 = vta.lookup_step %acc
    linalg.yield %1 : i32
  } -> tensor<4xi32>
  te.return %0 : tensor<4xi32>
}
