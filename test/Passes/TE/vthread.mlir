// RUN: acc-opt --te-vthread %s -split-input-file -verify-diagnostics | FileCheck %s

#vta = #vta.config<>

// CHECK-LABEL: te.kernel @marked
// CHECK: } {te.loop = array<i64: 1, 0>}
// CHECK: } {te.loop = array<i64: 0, 1>}
// CHECK: } {te.loop = array<i64: 0, 0>, te.vthread = 2 : i64}
te.kernel @marked(%x: tensor<4xi8>) -> tensor<4xi8> attributes {target = #vta,
    schedule = #te.schedule<tiles = [#te.tile<sizes = [2, 2]>, #te.tile<sizes = [2], kind = vthread>]>} {
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  %c4 = arith.constant 4 : index
  scf.for %i = %c0 to %c4 step %c2 {
    scf.for %j = %c0 to %c4 step %c2 {
      scf.for %k = %c0 to %c4 step %c2 {
      } {te.loop = array<i64: 1, 0>}
    } {te.loop = array<i64: 0, 1>}
  } {te.loop = array<i64: 0, 0>}
  te.return %x : tensor<4xi8>
}

// -----

#vta = #vta.config<>

// expected-error @+1 {{has no loop over axis 0 for its virtual threads}}
te.kernel @whole(%x: tensor<4xi8>) -> tensor<4xi8> attributes {target = #vta,
    schedule = #te.schedule<tiles = [#te.tile<sizes = [4]>, #te.tile<sizes = [2], kind = vthread>]>} {
  te.return %x : tensor<4xi8>
}
