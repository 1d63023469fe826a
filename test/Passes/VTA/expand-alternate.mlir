// RUN: acc-opt %s -vta-expand=alternate=true | FileCheck %s
// RUN: acc-opt %s -vta-expand | FileCheck %s --check-prefix=FORTH

// The inner loop tiles an anchor: it comes back the way it went. The outer one
// is of the first level and runs forwards.
// CHECK-LABEL: vta.program @alternate
// FORTH-LABEL: vta.program @alternate
te.kernel @alternate(%x: memref<3x1x16xi8, #vta.mem<dram>>) attributes {target = #vta.config<>} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %b = memref.alloc() {vta.offset = 0 : i64, vta.entries = 1 : i64} : memref<1x1x16xi8, #vta.mem<inp>>
  scf.for %i = %c0 to %c3 step %c1 {
    scf.for %j = %c0 to %c3 step %c1 {
      %s = memref.subview %x[%j, 0, 0] [1, 1, 16] [1, 1, 1] : memref<3x1x16xi8, #vta.mem<dram>> to memref<1x1x16xi8, strided<[16, 16, 1], offset: ?>, #vta.mem<dram>>
      vta.load %s, %b low [0] high [0] : memref<1x1x16xi8, strided<[16, 16, 1], offset: ?>, #vta.mem<dram>>, memref<1x1x16xi8, #vta.mem<inp>>
    } {te.loop = array<i64: 1, 4>}
  } {te.loop = array<i64: 0, 1>}
  te.return
}
// CHECK-NEXT: vta.insn.load inp sram 0 dram 0[0]
// CHECK-NEXT: vta.insn.load inp sram 0 dram 0[1]
// CHECK-NEXT: vta.insn.load inp sram 0 dram 0[2]
// CHECK-NEXT: vta.insn.load inp sram 0 dram 0[2]
// CHECK-NEXT: vta.insn.load inp sram 0 dram 0[1]
// CHECK-NEXT: vta.insn.load inp sram 0 dram 0[0]
// CHECK-NEXT: vta.insn.load inp sram 0 dram 0[0]
// CHECK-NEXT: vta.insn.load inp sram 0 dram 0[1]
// CHECK-NEXT: vta.insn.load inp sram 0 dram 0[2]
// FORTH-COUNT-3: vta.insn.load
// FORTH-NEXT: vta.insn.load inp sram 0 dram 0[0]
