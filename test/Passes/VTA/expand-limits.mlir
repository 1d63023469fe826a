// RUN: acc-opt %s -vta-allocate-scratchpads -vta-expand -split-input-file | FileCheck %s

#vta = #vta.config<log_block = 0, log_inp_buff_size = 15, log_wgt_buff_size = 4, log_acc_buff_size = 4>

// The loop counters have 14 bits: 20000 = 16383 + 3617.
!inp = memref<20000x1x1xi8, #vta.mem<inp>>
!wgt = memref<1x1xi8, #vta.mem<wgt>>
!acc = memref<1x1xi32, #vta.mem<acc>>
module attributes {vta.config = #vta} {
// CHECK-LABEL: vta.program @iterations() uops <[0, 16383, 0], [0, 0, 0]>
func.func @iterations() attributes {target = #vta} {
  %inp = memref.alloc() : !inp
  %wgt = memref.alloc() : !wgt
  %acc = memref.alloc() : !acc
  // CHECK-NEXT: vta.insn.gemm uop [0, 1] iter [1, 3617] src [0, 1]
  // CHECK-NEXT: vta.insn.gemm uop [1, 2] iter [1, 16383] src [0, 1]
  vta.gemm ins(%inp, %wgt : !inp, !wgt) outs(%acc : !acc) bounds [20000]
      maps [affine_map<(i) -> (i)>, affine_map<(i) -> ()>, affine_map<(i) -> ()>]
  // CHECK-NEXT: vta.insn.finish
  return
}
}

// -----

#vta = #vta.config<log_uop_buff_size = 4>

// Four micro-ops fit, six are needed: the outermost dimension is repeated.
#x = affine_map<(a, b, c, d) -> (a, b, c, d)>
!x = memref<3x2x4x5x1x16xi32, #vta.mem<acc>>
!y = memref<5x4x2x3x1x16xi32, #vta.mem<acc>>
module attributes {vta.config = #vta} {
// CHECK-LABEL: vta.program @sequence() uops <[0, 120, 0], [20, 123, 0], [40, 121, 0], [60, 124, 0], [80, 122, 0], [100, 125, 0]>
func.func @sequence() attributes {target = #vta} {
  %x = memref.alloc() : !x
  %y = memref.alloc() : !y
  // CHECK-NEXT: vta.insn.alu add uop [0, 2] iter [4, 5] dst [5, 1] src [6, 24]
  // CHECK-NEXT: vta.insn.alu add uop [2, 4] iter [4, 5] dst [5, 1] src [6, 24]
  // CHECK-NEXT: vta.insn.alu add uop [4, 6] iter [4, 5] dst [5, 1] src [6, 24]
  vta.alu add outs(%x : !x) ins(%y : !y) bounds [3, 2, 4, 5]
      maps [#x, affine_map<(a, b, c, d) -> (d, c, b, a)>]
  // CHECK-NEXT: vta.insn.finish
  return
}
}

// -----

#vta = #vta.config<>

// The distance between rows has 16 bits: rows further apart are instructions of
// their own.
!far = memref<2x70000x1x16xi8, #vta.mem<dram>>
module attributes {vta.config = #vta} {
// CHECK-LABEL: vta.program @stride
func.func @stride(%x: !far) attributes {target = #vta} {
  %inp = memref.alloc() : memref<2x8x1x16xi8, #vta.mem<inp>>
  %tile = memref.subview %x[0, 9, 0, 0] [2, 8, 1, 16] [1, 1, 1, 1]
      : !far to memref<2x8x1x16xi8, strided<[1120000, 16, 16, 1], offset: 144>, #vta.mem<dram>>
  // CHECK-NEXT: vta.insn.load inp sram 0 dram 0[9] size [1, 8] stride 8
  // CHECK-NEXT: vta.insn.load inp sram 8 dram 0[70009] size [1, 8] stride 8
  vta.load %tile, %inp low [0, 0] high [0, 0]
      : memref<2x8x1x16xi8, strided<[1120000, 16, 16, 1], offset: 144>, #vta.mem<dram>>, memref<2x8x1x16xi8, #vta.mem<inp>>
  // CHECK-NEXT: vta.insn.finish
  return
}
}
