// RUN: acc-opt %s -vta-split-loads -split-input-file -verify-diagnostics | FileCheck %s

module attributes {vta.config = #vta.config<>} {
// Each GEMM reads a third of the weights: micro-ops 0 and 1 lie apart, in two parts.
// CHECK-LABEL: vta.program @first
vta.program @first(memref<16x1x16xi8, #vta.mem<dram>>, memref<96x16x16xi8, #vta.mem<dram>>) cached uops <[0, 0, 0], [0, 0, 64], [0, 0, 32]> {
  vta.insn.load uop sram 0 dram 2[0] size [1, 3] stride 3
  vta.insn.load wgt sram 0 dram 1[0] size [1, 96] stride 96
  vta.insn.load inp sram 0 dram 0[0] size [1, 16] stride 16
  vta.insn.gemm uop [0, 2] iter [32, 100] dst [0, 1] src [0, 0] wgt [1, 0]
  vta.insn.gemm uop [2, 3] iter [32, 100] dst [0, 1] src [0, 0] wgt [1, 0]
  vta.insn.finish
  // CHECK-NEXT: vta.insn.load uop
  // CHECK-NEXT: vta.insn.load inp
  // CHECK-NEXT: vta.insn.load wgt sram 0 dram 1[0] size [1, 32] stride 32
  // CHECK-NEXT: vta.insn.load wgt sram 64 dram 1[64] size [1, 32] stride 32
  // CHECK-NEXT: vta.insn.gemm uop [0, 2]
  // CHECK-NEXT: vta.insn.load wgt sram 32 dram 1[32] size [1, 32] stride 32
  // CHECK-NEXT: vta.insn.gemm uop [2, 3]
  // CHECK-NEXT: vta.insn.finish
}

// There is enough to compute until the second LOAD is wanted.
// CHECK-LABEL: vta.program @busy
vta.program @busy(memref<96x16x16xi8, #vta.mem<dram>>) cached uops <[0, 0, 0], [0, 0, 1], [0, 0, 33]> {
  vta.insn.load uop sram 0 dram 1[0] size [1, 3] stride 3
  vta.insn.load wgt sram 0 dram 0[0] size [1, 1] stride 1
  vta.insn.gemm uop [0, 1] iter [10, 1000] dst [0, 1]
  vta.insn.load wgt sram 1 dram 0[1] size [1, 64] stride 64
  vta.insn.gemm uop [1, 2] iter [32, 100] dst [0, 1] src [0, 0] wgt [1, 0]
  vta.insn.gemm uop [2, 3] iter [32, 100] dst [0, 1] src [0, 0] wgt [1, 0]
  vta.insn.finish
  // CHECK: vta.insn.load wgt sram 1 dram 0[1] size [1, 64] stride 64
  // CHECK-NEXT: vta.insn.gemm uop [1, 2]
  // CHECK-NEXT: vta.insn.gemm uop [2, 3]
}

// Rows that lie apart stay apart, and what is stored to is loaded before it is overwritten.
// CHECK-LABEL: vta.program @rows
vta.program @rows(memref<96x16x16xi8, #vta.mem<dram>>) cached uops <[0, 0, 0], [0, 0, 32]> {
  vta.insn.load uop sram 0 dram 1[0] size [1, 2] stride 2
  vta.insn.load wgt sram 0 dram 0[0] size [4, 16] stride 20
  vta.insn.gemm uop [0, 1] iter [32, 100] dst [0, 1] src [0, 0] wgt [1, 0]
  vta.insn.gemm uop [1, 2] iter [32, 100] dst [0, 1] src [0, 0] wgt [1, 0]
  vta.insn.finish
  // CHECK-NEXT: vta.insn.load uop
  // CHECK-NEXT: vta.insn.load wgt sram 0 dram 0[0] size [1, 16] stride 16
  // CHECK-NEXT: vta.insn.load wgt sram 16 dram 0[20] size [1, 16] stride 16
  // CHECK-NEXT: vta.insn.gemm
  // CHECK-NEXT: vta.insn.load wgt sram 32 dram 0[40] size [1, 16] stride 16
  // CHECK-NEXT: vta.insn.load wgt sram 48 dram 0[60] size [1, 16] stride 16
  // CHECK-NEXT: vta.insn.gemm
}

// CHECK-LABEL: vta.program @overwritten
vta.program @overwritten(memref<96x16x16xi8, #vta.mem<dram>>) cached uops <[0, 0, 0], [0, 0, 32]> {
  vta.insn.load uop sram 0 dram 1[0] size [1, 2] stride 2
  vta.insn.load wgt sram 0 dram 0[0] size [1, 64] stride 64
  vta.insn.gemm uop [0, 1] iter [32, 100] dst [0, 1] src [0, 0] wgt [1, 0]
  vta.insn.store out sram 0 dram 0[512] size [1, 16] stride 16
  vta.insn.gemm uop [1, 2] iter [32, 100] dst [0, 1] src [0, 0] wgt [1, 0]
  vta.insn.finish
  // CHECK: vta.insn.load wgt sram 0 dram 0[0] size [1, 64] stride 64
}
}

// -----

module attributes {vta.config = #vta.config<>} {
// expected-error @below {{micro-ops of program 'early' have no place yet}}
vta.program @early() uops <[0, 0, 0]> {
  vta.insn.finish
}
}
