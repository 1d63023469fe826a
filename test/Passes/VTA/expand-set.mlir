// RUN: acc-opt %s -vta-allocate-scratchpads -vta-expand | FileCheck %s

// Where products can set their destinations, what meets zeros first does, and nothing is reset.

#vta = #vta.config<gemm_set = 1>

!inp = memref<2x4x4x1x16xi8, #vta.mem<inp>>
!wgt = memref<2x2x16x16xi8, #vta.mem<wgt>>
!acc = memref<2x4x4x1x16xi32, #vta.mem<acc>>
#i = affine_map<(oc, h, w, ic) -> (ic, h, w)>
#w = affine_map<(oc, h, w, ic) -> (oc, ic)>
#a = affine_map<(oc, h, w, ic) -> (oc, h, w)>
module attributes {vta.config = #vta} {

// Two input blocks are the micro-ops of each destination: the first sets, the second adds.
// CHECK-LABEL: vta.program @first
func.func @first() attributes {target = #vta} {
  %inp = memref.alloc() : !inp
  %wgt = memref.alloc() : !wgt
  %acc = memref.alloc() : !acc
  vta.reset outs(%acc : !acc)
  // CHECK-NEXT: vta.insn.gemm set uop [[FIRST:\[.+\]]] iter [2, 16] dst [16, 1] src [0, 1] wgt [2, 0]
  // CHECK-NEXT: vta.insn.gemm uop {{.+}} iter [2, 16] dst [16, 1] src [0, 1] wgt [2, 0]
  vta.gemm ins(%inp, %wgt : !inp, !wgt) outs(%acc : !acc) bounds [2, 4, 4, 2] maps [#i, #w, #a]
  // What follows adds to that.
  // CHECK-NEXT: vta.insn.gemm uop {{.+}} iter [2, 16]
  // CHECK-NEXT: vta.insn.finish
  vta.gemm ins(%inp, %wgt : !inp, !wgt) outs(%acc : !acc) bounds [2, 4, 4, 2] maps [#i, #w, #a]
  return
}

// CHECK-LABEL: vta.program @others
func.func @others() attributes {target = #vta} {
  %inp = memref.alloc() : !inp
  %wgt = memref.alloc() : !wgt
  %acc = memref.alloc() : !acc
  vta.reset outs(%acc : !acc)
  // A product that meets a part of the accumulators: all are reset.
  // CHECK-NEXT: vta.insn.gemm reset uop {{.+}} iter [1, 32] dst [0, 1]
  // CHECK-NEXT: vta.insn.gemm uop
  vta.gemm ins(%inp, %wgt : !inp, !wgt) outs(%acc : !acc) bounds [1, 4, 4, 2] maps [#i, #w, #a]
  // So they are where something else meets them.
  vta.reset outs(%acc : !acc)
  // CHECK-NEXT: vta.insn.gemm reset uop {{.+}} iter [1, 32] dst [0, 1]
  // CHECK-NEXT: vta.insn.alu max imm -3
  vta.alu max outs(%acc : !acc) imm -3 bounds [2, 4, 4]
      maps [affine_map<(d0, d1, d2) -> (d0, d1, d2)>]
  // And at the end.
  vta.reset outs(%acc : !acc)
  // CHECK-NEXT: vta.insn.gemm reset
  // CHECK-NEXT: vta.insn.finish
  return
}
}
