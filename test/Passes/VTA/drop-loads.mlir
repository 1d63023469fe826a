// RUN: acc-opt %s -vta-drop-loads -split-input-file | FileCheck %s

module attributes {vta.config = #vta.config<>} {
// CHECK-LABEL: vta.program @held
vta.program @held(memref<64x1x16xi8, #vta.mem<dram>>, memref<8x16x16xi8, #vta.mem<dram>>) uops <[0, 0, 0]> {
  vta.insn.load wgt sram 0 dram 1[0] size [1, 2] stride 2
  vta.insn.load inp sram 0 dram 0[0] size [1, 4] stride 4
  vta.insn.load inp sram 8 dram 0[0] size [2, 2] stride 4 pad [1, 0, 0, 1]
  vta.insn.gemm uop [0, 1] iter [1, 4] dst [0, 1] src [0, 1]
  // The same again, whatever the shape; padding is the same as padding.
  vta.insn.load wgt sram 0 dram 1[0] size [2, 1] stride 1
  vta.insn.load inp sram 8 dram 0[0] size [2, 2] stride 4 pad [1, 0, 0, 1]
  // What is there at both ends is cut off.
  vta.insn.load inp sram 0 dram 0[0] size [1, 2] stride 2
  vta.insn.load inp sram 1 dram 0[1] size [1, 5] stride 5
  // Other elements.
  vta.insn.load wgt sram 0 dram 1[2] size [1, 2] stride 2
  // What is stored is read again.
  vta.insn.store out sram 0 dram 0[8] size [1, 2] stride 2
  vta.insn.load inp sram 0 dram 0[0] size [1, 4] stride 4
  vta.insn.finish
  // CHECK-NEXT: vta.insn.load wgt sram 0 dram 1[0] size [1, 2] stride 2
  // CHECK-NEXT: vta.insn.load inp sram 0 dram 0[0] size [1, 4] stride 4
  // CHECK-NEXT: vta.insn.load inp sram 8
  // CHECK-NEXT: vta.insn.gemm
  // CHECK-NEXT: vta.insn.load inp sram 4 dram 0[4] size [1, 2] stride 2
  // CHECK-NEXT: vta.insn.load wgt sram 0 dram 1[2] size [1, 2] stride 2
  // CHECK-NEXT: vta.insn.store
  // CHECK-NEXT: vta.insn.load inp sram 0 dram 0[0] size [1, 4] stride 4
  // CHECK-NEXT: vta.insn.finish
}
}

// -----

// Images of 4 x 4 with a border of one row above and below, and one or two
// columns at the sides.
module attributes {vta.config = #vta.config<>} {
te.kernel @pack(%x: memref<1x32x4x4xi8>, %y: memref<1x3x6x7x1x16xi8>) attributes {target = #te.host, te.border = array<i64: 0, 0, 1, 1, 0, 0, 0, 0, 1, 2, 0, 0>} {
  te.return
}
// CHECK-LABEL: vta.program @borders
vta.program @borders(memref<1x3x6x7x1x16xi8, #vta.mem<dram>>) uops <[0, 0, 0]> {
  vta.insn.load inp sram 0 dram 0[0] size [1, 42] stride 42
  vta.insn.gemm uop [0, 1] iter [1, 42] dst [0, 1] src [0, 1]
  // Three columns between two rows are more than an instruction.
  vta.insn.load inp sram 0 dram 0[42] size [1, 42] stride 42
  vta.insn.gemm uop [0, 1] iter [1, 42] dst [0, 1] src [0, 1]
  // The first column alone is less, the rows above are not.
  vta.insn.load inp sram 0 dram 0[84] size [4, 4] stride 7
  vta.insn.load inp sram 0 dram 0[42] size [4, 4] stride 7
  vta.insn.finish
  // CHECK-NEXT: vta.insn.load inp sram 0 dram 0[0] size [1, 42]
  // CHECK-NEXT: vta.insn.gemm
  // CHECK-NEXT: vta.insn.load inp sram 8 dram 0[50] size [1, 4]
  // CHECK-NEXT: vta.insn.load inp sram 15 dram 0[57] size [1, 4]
  // CHECK-NEXT: vta.insn.load inp sram 22 dram 0[64] size [1, 4]
  // CHECK-NEXT: vta.insn.load inp sram 29 dram 0[71] size [1, 4]
  // CHECK-NEXT: vta.insn.gemm
  // CHECK-NEXT: vta.insn.load inp sram 4 dram 0[91] size [3, 4] stride 7
  // CHECK-NEXT: vta.insn.load inp sram 4 dram 0[49] size [3, 4] stride 7
  // CHECK-NEXT: vta.insn.finish
}
func.func @main(%x: memref<1x32x4x4xi8>) {
  %y = memref.alloc() : memref<1x3x6x7x1x16xi8>
  te.launch @pack ins(%x : memref<1x32x4x4xi8>) outs(%y : memref<1x3x6x7x1x16xi8>)
  vta.launch @borders(%y) : memref<1x3x6x7x1x16xi8>
  return
}
}

// -----

// Of what a kernel of the host fills, all holds one value but what programs
// store, if that is so in every launch.
module attributes {vta.config = #vta.config<>} {
te.kernel @fill(%x: memref<8x1x16xi8>) attributes {target = #te.host} {
  %pad = arith.constant 7 : i8
  linalg.fill ins(%pad : i8) outs(%x : memref<8x1x16xi8>)
  te.return
}
te.kernel @native(%x: memref<8x1x16xi8>) attributes {target = #te.host} {
  te.return
}
vta.program @writer(memref<8x1x16xi8, #vta.mem<dram>>) {
  vta.insn.store out sram 0 dram 0[2] size [1, 2] stride 2
  vta.insn.finish
}
// CHECK-LABEL: vta.program @once
vta.program @once(memref<8x1x16xi8, #vta.mem<dram>>) {
  vta.insn.load inp sram 0 dram 0[0] size [1, 2] stride 2
  vta.insn.load inp sram 0 dram 0[4] size [1, 2] stride 2
  vta.insn.load inp sram 0 dram 0[2] size [1, 2] stride 2
  vta.insn.finish
  // CHECK-NEXT: vta.insn.load inp sram 0 dram 0[0]
  // CHECK-NEXT: vta.insn.load inp sram 0 dram 0[2]
  // CHECK-NEXT: vta.insn.finish
}
// CHECK-LABEL: vta.program @twice
vta.program @twice(memref<8x1x16xi8, #vta.mem<dram>>) {
  vta.insn.load inp sram 0 dram 0[0] size [1, 2] stride 2
  vta.insn.load inp sram 0 dram 0[4] size [1, 2] stride 2
  vta.insn.finish
  // CHECK-NEXT: vta.insn.load inp sram 0 dram 0[0]
  // CHECK-NEXT: vta.insn.load inp sram 0 dram 0[4]
  // CHECK-NEXT: vta.insn.finish
}
func.func @main(%b: memref<8x1x16xi8>) {
  %a = memref.alloc() : memref<8x1x16xi8>
  te.launch @fill outs(%a : memref<8x1x16xi8>)
  vta.launch @writer(%a) : memref<8x1x16xi8>
  vta.launch @once(%a) : memref<8x1x16xi8>
  vta.launch @twice(%a) : memref<8x1x16xi8>
  te.launch @native outs(%a : memref<8x1x16xi8>)
  vta.launch @twice(%a) : memref<8x1x16xi8>
  return
}
}
