// RUN: acc-opt %s -vta-allocate-scratchpads -vta-expand -split-input-file | FileCheck %s

#vta = #vta.config<dialect = public>

// In the dialect `public` a GEMM meets no accumulator again within three steps.

!inp = memref<4x16x16x1x16xi8, #vta.mem<inp>>
!wgt = memref<2x4x3x3x16x16xi8, #vta.mem<wgt>>
!acc = memref<2x14x14x1x16xi32, #vta.mem<acc>>
module attributes {vta.config = #vta} {

// Seven accumulators of a row take turns, since no smaller number divides 14.
// CHECK-LABEL: vta.program @conv
// CHECK-SAME: uops <[0, 0, 0], [1, 1, 0], [2, 2, 0], [3, 3, 0], [4, 4, 0], [5, 5, 0], [6, 6, 0], [
func.func @conv() attributes {target = #vta} {
  %inp = memref.alloc() : !inp
  %wgt = memref.alloc() : !wgt
  %acc = memref.alloc() : !acc
  // CHECK: vta.insn.gemm uop
  vta.gemm ins(%inp, %wgt : !inp, !wgt) outs(%acc : !acc) bounds [2, 14, 14, 4, 3, 3]
      maps [affine_map<(oc, oh, ow, ic, kh, kw) -> (ic, oh + kh, ow + kw)>,
            affine_map<(oc, oh, ow, ic, kh, kw) -> (oc, ic, kh, kw)>,
            affine_map<(oc, oh, ow, ic, kh, kw) -> (oc, oh, ow)>]
  // A reset adds nothing, and may meet one as often as it likes.
  // CHECK-NEXT: vta.insn.gemm reset uop [0, 1] iter [1, 392] dst [0, 1]
  vta.reset outs(%acc : !acc)
  // CHECK-NEXT: vta.insn.alu max imm -3 uop [0, 1] iter [1, 392] dst [0, 1] src [0, 1]
  vta.alu max outs(%acc : !acc) imm -3 bounds [2, 14, 14]
      maps [affine_map<(d0, d1, d2) -> (d0, d1, d2)>]
  // CHECK-NEXT: vta.insn.finish
  return
}
}

// -----

#vta = #vta.config<dialect = public>

!inp = memref<5x1x16xi8, #vta.mem<inp>>
!wgt = memref<5x16x16xi8, #vta.mem<wgt>>
!acc = memref<1x1x16xi32, #vta.mem<acc>>
module attributes {vta.config = #vta} {

// One accumulator: an instruction for each of its terms.
// CHECK-LABEL: vta.program @dot() uops <[0, 0, 0], [0, 1, 1], [0, 2, 2], [0, 3, 3], [0, 4, 4]>
func.func @dot() attributes {target = #vta} {
  %inp = memref.alloc() : !inp
  %wgt = memref.alloc() : !wgt
  %acc = memref.alloc() : !acc
  // CHECK-NEXT: vta.insn.gemm uop [0, 1]{{$}}
  // CHECK-NEXT: vta.insn.gemm uop [1, 2]{{$}}
  // CHECK-NEXT: vta.insn.gemm uop [2, 3]{{$}}
  // CHECK-NEXT: vta.insn.gemm uop [3, 4]{{$}}
  // CHECK-NEXT: vta.insn.gemm uop [4, 5]{{$}}
  // CHECK-NEXT: vta.insn.finish
  vta.gemm ins(%inp, %wgt : !inp, !wgt) outs(%acc : !acc) bounds [5]
      maps [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>, affine_map<(i) -> (0)>]
  return
}
}

// -----

#vta = #vta.config<dialect = public>

!inp = memref<5x3x1x16xi8, #vta.mem<inp>>
!wgt = memref<5x16x16xi8, #vta.mem<wgt>>
!acc = memref<3x1x16xi32, #vta.mem<acc>>
module attributes {vta.config = #vta} {

// Three accumulators are the micro-ops, whatever is longer.
// CHECK-LABEL: vta.program @rows() uops <[0, 0, 0], [1, 1, 0], [2, 2, 0]>
func.func @rows() attributes {target = #vta} {
  %inp = memref.alloc() : !inp
  %wgt = memref.alloc() : !wgt
  %acc = memref.alloc() : !acc
  // CHECK-NEXT: vta.insn.gemm uop [0, 3] iter [1, 5] src [0, 3] wgt [0, 1]
  // CHECK-NEXT: vta.insn.finish
  vta.gemm ins(%inp, %wgt : !inp, !wgt) outs(%acc : !acc) bounds [3, 5]
      maps [affine_map<(r, i) -> (i, r)>, affine_map<(r, i) -> (i)>, affine_map<(r, i) -> (r)>]
  return
}
}

// -----

#vta = #vta.config<dialect = public>

!inp = memref<2x3x1x16xi8, #vta.mem<inp>>
!wgt = memref<2x3x16x16xi8, #vta.mem<wgt>>
!acc = memref<2x2x1x16xi32, #vta.mem<acc>>
module attributes {vta.config = #vta} {

// Two times two accumulators, no three in a row: terms apart again, each over all four.
// CHECK-LABEL: vta.program @square
func.func @square() attributes {target = #vta} {
  %inp = memref.alloc() : !inp
  %wgt = memref.alloc() : !wgt
  %acc = memref.alloc() : !acc
  // CHECK-NEXT: vta.insn.gemm uop {{.*}} iter [2, 2] dst [2, 1] src [3, 0] wgt [0, 3]
  // CHECK-NEXT: vta.insn.gemm uop {{.*}} iter [2, 2] dst [2, 1] src [3, 0] wgt [0, 3]
  // CHECK-NEXT: vta.insn.gemm uop {{.*}} iter [2, 2] dst [2, 1] src [3, 0] wgt [0, 3]
  // CHECK-NEXT: vta.insn.finish
  vta.gemm ins(%inp, %wgt : !inp, !wgt) outs(%acc : !acc) bounds [2, 2, 3]
      maps [affine_map<(a, b, i) -> (a, i)>, affine_map<(a, b, i) -> (b, i)>, affine_map<(a, b, i) -> (a, b)>]
  return
}
}
