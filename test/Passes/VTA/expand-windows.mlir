// RUN: acc-opt %s -vta-allocate-scratchpads -vta-expand -split-input-file -verify-diagnostics | FileCheck %s

// A row of a depthwise convolution is an instruction whose inner loop moves the windows on; the first one sets.

#vta = #vta.config<gemm_set = 1, gemm_window = 3>

!inp = memref<2x6x10x1x16xi8, #vta.mem<inp>>
!wgt = memref<2x3x16x16xi8, #vta.mem<wgt>>
!acc = memref<2x4x8x1x16xi32, #vta.mem<acc>>
#i = affine_map<(c, h, w, kh) -> (c, h + kh, w)>
#w = affine_map<(c, h, w, kh) -> (c, kh)>
#a = affine_map<(c, h, w, kh) -> (c, h, w)>
module attributes {vta.config = #vta} {

// CHECK-LABEL: vta.program @rows
func.func @rows() attributes {target = #vta} {
  %inp = memref.alloc() : !inp
  %wgt = memref.alloc() : !wgt
  %acc = memref.alloc() : !acc
  vta.reset outs(%acc : !acc)
  // CHECK-NEXT: vta.insn.gemm window set uop {{.+}} iter [4, 8] dst [8, 1] src [10, 1]
  // CHECK-NEXT: vta.insn.gemm window uop {{.+}} iter [4, 8] dst [8, 1] src [10, 1]
  // CHECK-NEXT: vta.insn.gemm window uop {{.+}} iter [4, 8] dst [8, 1] src [10, 1]
  // CHECK-NEXT: vta.insn.gemm window set uop {{.+}} iter [4, 8] dst [8, 1] src [10, 1]
  // CHECK-NEXT: vta.insn.gemm window uop {{.+}} iter [4, 8] dst [8, 1] src [10, 1]
  // CHECK-NEXT: vta.insn.gemm window uop {{.+}} iter [4, 8] dst [8, 1] src [10, 1]
  // CHECK-NEXT: vta.insn.finish
  vta.gemm window ins(%inp, %wgt : !inp, !wgt) outs(%acc : !acc) bounds [2, 4, 8, 3] maps [#i, #w, #a]
  return
}
}

// -----

#vta = #vta.config<gemm_window = 3>

!inp = memref<9x1x16xi8, #vta.mem<inp>>
!wgt = memref<1x16x16xi8, #vta.mem<wgt>>
!acc = memref<8x1x16xi32, #vta.mem<acc>>
module attributes {vta.config = #vta} {
func.func @beyond() attributes {target = #vta} {
  %inp = memref.alloc() : !inp
  %wgt = memref.alloc() : !wgt
  %acc = memref.alloc() : !acc
  // expected-error @below {{ranges over [0, 7] in dimension 0 of an operand that has 7 there}}
  vta.gemm window ins(%inp, %wgt : !inp, !wgt) outs(%acc : !acc) bounds [8]
      maps [affine_map<(w) -> (w)>, affine_map<(w) -> (0)>, affine_map<(w) -> (w)>]
  return
}
}

// -----

#vta = #vta.config<>

!inp = memref<9x1x16xi8, #vta.mem<inp>>
!wgt = memref<1x16x16xi8, #vta.mem<wgt>>
!acc = memref<7x1x16xi32, #vta.mem<acc>>
module attributes {vta.config = #vta} {
func.func @undeclared() attributes {target = #vta} {
  %inp = memref.alloc() : !inp
  %wgt = memref.alloc() : !wgt
  %acc = memref.alloc() : !acc
  // expected-error @below {{needs a configuration that declares GEMM_WINDOW}}
  vta.gemm window ins(%inp, %wgt : !inp, !wgt) outs(%acc : !acc) bounds [7]
      maps [affine_map<(w) -> (w)>, affine_map<(w) -> (0)>, affine_map<(w) -> (w)>]
  return
}
}
