// RUN: acc-opt %s -vta-write-borders=max-entries=4 -split-input-file | FileCheck %s

// A border of one column to the left and one row above: the corner on the right
// is not read.
#config = #vta.config<>
module attributes {vta.config = #config} {
// CHECK-NOT: te.kernel @fill
te.kernel @fill(%x: memref<1x1x4x4x1x16xi8>) attributes {target = #te.host} {
  %pad = arith.constant -128 : i8
  linalg.fill ins(%pad : i8) outs(%x : memref<1x1x4x4x1x16xi8>)
  te.return
}
// CHECK: vta.program @writer(memref<3x3x1x16xi8, #vta.mem<dram>>, memref<1x1x4x4x1x16xi8, #vta.mem<dram>>) uops <[0, 0, 0], [9, 9, 0]> {
// CHECK-NEXT: vta.insn.gemm reset uop [1, 2] iter [1, 3] dst [0, 1]
// CHECK-NEXT: vta.insn.alu add imm -128 uop [1, 2] iter [1, 3] dst [0, 1] src [0, 1]
// CHECK-NEXT: vta.insn.store out sram 9 dram 1[0] size [1, 3] stride 3
// CHECK-NEXT: vta.insn.store out sram 9 dram 1[4] size [3, 1] stride 4
// CHECK-NEXT: vta.insn.load acc8 sram 0
vta.program @writer(memref<3x3x1x16xi8, #vta.mem<dram>>, memref<1x1x4x4x1x16xi8, #vta.mem<dram>>) uops <[0, 0, 0]> {
  vta.insn.load acc8 sram 0 dram 0[0] size [1, 9] stride 9
  vta.insn.alu max imm 0 uop [0, 1] iter [1, 9] dst [0, 1] src [0, 1]
  vta.insn.store out sram 0 dram 1[5] size [3, 3] stride 4
  vta.insn.finish
}
vta.program @reader(memref<1x1x4x4x1x16xi8, #vta.mem<dram>>) {
  vta.insn.load inp sram 0 dram 0[0] size [1, 3] stride 3
  vta.insn.load inp sram 4 dram 0[4] size [3, 4] stride 4
  vta.insn.finish
}
// CHECK-LABEL: func.func @main(
func.func @main(%a: memref<3x3x1x16xi8>) {
  // CHECK-NEXT: [[X:%.+]] = memref.alloc
  // CHECK-NEXT: vta.launch @writer({{%.+}}, [[X]])
  // CHECK-NEXT: vta.launch @reader([[X]])
  %x = memref.alloc() : memref<1x1x4x4x1x16xi8>
  te.launch @fill outs(%x : memref<1x1x4x4x1x16xi8>)
  vta.launch @writer(%a, %x) : memref<3x3x1x16xi8>, memref<1x1x4x4x1x16xi8>
  vta.launch @reader(%x) : memref<1x1x4x4x1x16xi8>
  return
}
}

// -----

// The host may read all that is left; it uses the second buffer first, and
// writes to the third something that is no constant.
module attributes {vta.config = #vta.config<>} {
te.kernel @fill(%x: memref<2x1x16xi8>) attributes {target = #te.host} {
  %pad = arith.constant 7 : i8
  linalg.fill ins(%pad : i8) outs(%x : memref<2x1x16xi8>)
  te.return
}
te.kernel @native(%x: memref<2x1x16xi8>) attributes {target = #te.host} {
  te.return
}
// CHECK: vta.program @k(
// CHECK: vta.insn.alu add imm 7
// CHECK-NEXT: vta.insn.store out sram {{.+}} dram 0[1] size [1, 1] stride 1
// CHECK-NEXT: vta.insn.store out sram 0 dram 0[0]
vta.program @k(memref<2x1x16xi8, #vta.mem<dram>>) {
  vta.insn.store out sram 0 dram 0[0] size [1, 1] stride 1
  vta.insn.finish
}
// CHECK: vta.program @other(
// CHECK-NEXT: vta.insn.store out sram 0 dram 0[0]
vta.program @other(memref<2x1x16xi8, #vta.mem<dram>>) {
  vta.insn.store out sram 0 dram 0[0] size [1, 1] stride 1
  vta.insn.finish
}
// CHECK-LABEL: func.func @main(
func.func @main() {
  // CHECK: [[A:%.+]] = memref.alloc
  // CHECK-NEXT: vta.launch @k([[A]])
  // CHECK-NEXT: te.launch @native outs([[A]]
  %a = memref.alloc() : memref<2x1x16xi8>
  te.launch @fill outs(%a : memref<2x1x16xi8>)
  vta.launch @k(%a) : memref<2x1x16xi8>
  te.launch @native outs(%a : memref<2x1x16xi8>)
  // CHECK: [[B:%.+]] = memref.alloc
  // CHECK-NEXT: te.launch @fill outs([[B]]
  %b = memref.alloc() : memref<2x1x16xi8>
  te.launch @fill outs(%b : memref<2x1x16xi8>)
  te.launch @native outs(%b : memref<2x1x16xi8>)
  vta.launch @other(%b) : memref<2x1x16xi8>
  return
}
}
