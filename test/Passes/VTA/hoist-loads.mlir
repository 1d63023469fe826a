// RUN: acc-opt %s -vta-hoist-loads=distance=2 -split-input-file -verify-diagnostics | FileCheck %s

module attributes {vta.config = #vta.config<>} {
// CHECK-LABEL: vta.program @slots
vta.program @slots(memref<16x1x16xi8, #vta.mem<dram>>, memref<1x16x16xi8, #vta.mem<dram>>) cached uops <[0, 0, 0]> {
  vta.insn.load uop sram 0 dram 2[0] size [1, 1] stride 1
  vta.insn.load wgt sram 0 dram 1[0] size [1, 1] stride 1
  vta.insn.gemm reset uop [0, 1] iter [1, 4] dst [0, 1]
  vta.insn.load inp sram 0 dram 0[0] size [1, 4] stride 4
  vta.insn.gemm uop [0, 1] iter [1, 4] dst [0, 1] src [0, 1]
  vta.insn.load inp sram 4 dram 0[4] size [1, 4] stride 4
  vta.insn.gemm uop [0, 1] iter [1, 4] dst [0, 1] src [0, 1]
  vta.insn.load inp sram 0 dram 0[8] size [1, 4] stride 4
  vta.insn.gemm uop [0, 1] iter [1, 4] dst [0, 1] src [0, 1]
  vta.insn.finish
  // The first two are wanted at once.
  // CHECK-NEXT: vta.insn.load wgt
  // CHECK-NEXT: vta.insn.load inp sram 0 dram 0[0]
  // CHECK-NEXT: vta.insn.load uop
  // No more than two are ahead of an instruction.
  // CHECK-NEXT: vta.insn.load inp sram 4 dram 0[4]
  // CHECK-NEXT: vta.insn.gemm reset
  // CHECK-NEXT: vta.insn.gemm uop
  // CHECK-NEXT: vta.insn.gemm uop
  // The third overwrites what GEMMs read.
  // CHECK-NEXT: vta.insn.load inp sram 0 dram 0[8]
  // CHECK-NEXT: vta.insn.gemm uop
  // CHECK-NEXT: vta.insn.finish
}

// What waits for a store stays, and so does what is behind it.
// CHECK-LABEL: vta.program @stored
vta.program @stored(memref<16x1x16xi8, #vta.mem<dram>>, memref<1x16x16xi8, #vta.mem<dram>>) {
  vta.insn.load acc8 sram 0 dram 0[0] size [1, 4] stride 4
  vta.insn.store out sram 0 dram 0[4] size [1, 4] stride 4
  vta.insn.load acc8 sram 4 dram 0[0] size [1, 4] stride 4
  vta.insn.load inp sram 0 dram 0[4] size [1, 4] stride 4
  vta.insn.load wgt sram 0 dram 1[0] size [1, 1] stride 1
  vta.insn.finish
  // CHECK-NEXT: vta.insn.load acc8 sram 0
  // CHECK-NEXT: vta.insn.store
  // CHECK-NEXT: vta.insn.load acc8 sram 4
  // CHECK-NEXT: vta.insn.load inp
  // CHECK-NEXT: vta.insn.load wgt
  // CHECK-NEXT: vta.insn.finish
}
}

// -----

module attributes {vta.config = #vta.config<>} {
// expected-error @below {{micro-ops of program 'early' have no place yet}}
vta.program @early() uops <[0, 0, 0]> {
  vta.insn.finish
}
}
