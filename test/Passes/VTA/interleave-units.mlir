// RUN: acc-opt %s -vta-interleave-units=log-banks=1 | FileCheck %s
// RUN: acc-opt %s -vta-interleave-units | FileCheck %s --check-prefix=ONE
// RUN: acc-opt %s -vta-interleave-units="log-banks=1 window=2" | FileCheck %s --check-prefix=NARROW

// The accumulators have 2048 entries, of which the second bank has those from 1024 on.
module attributes {vta.config = #vta.config<>} {
// The second product would keep the bank in which the first has its results to be rescaled: the third goes first.
// CHECK-LABEL: vta.program @threads
// ONE-LABEL: vta.program @threads
// NARROW-LABEL: vta.program @threads
vta.program @threads(memref<64x1x16xi8, #vta.mem<dram>>, memref<64x1x16xi8, #vta.mem<dram>>) uops <[0, 0, 0], [64, 0, 0], [1024, 0, 0]> {
  vta.insn.load inp sram 0 dram 0[0] size [1, 64] stride 64
  vta.insn.gemm uop [0, 1] iter [1, 64] dst [0, 1] src [0, 1]
  vta.insn.gemm uop [1, 2] iter [1, 64] dst [0, 1] src [0, 1]
  vta.insn.alu max imm 0 uop [0, 1] iter [1, 64] dst [0, 1] src [0, 1]
  vta.insn.gemm uop [2, 3] iter [1, 64] dst [0, 1] src [0, 1]
  vta.insn.store out sram 0 dram 1[0] size [1, 64] stride 64
  vta.insn.finish
  // CHECK-NEXT: vta.insn.load
  // CHECK-NEXT: vta.insn.gemm uop [0, 1]
  // CHECK-NEXT: vta.insn.alu max imm 0 uop [0, 1]
  // CHECK-NEXT: vta.insn.store
  // CHECK-NEXT: vta.insn.gemm uop [2, 3]
  // CHECK-NEXT: vta.insn.gemm uop [1, 2]
  // CHECK-NEXT: vta.insn.finish
  // ONE-NEXT: vta.insn.load
  // ONE-NEXT: vta.insn.gemm uop [0, 1]
  // ONE-NEXT: vta.insn.gemm uop [1, 2]
  // NARROW-NEXT: vta.insn.load
  // NARROW-NEXT: vta.insn.gemm uop [0, 1]
  // NARROW: vta.insn.gemm uop [1, 2]
  // NARROW: vta.insn.gemm uop [2, 3]
}

// What goes first takes its LOADs along, but overwrites nothing that is still to be read, and reads what was stored.
// CHECK-LABEL: vta.program @bound
vta.program @bound(memref<64x1x16xi8, #vta.mem<dram>>, memref<64x1x16xi8, #vta.mem<dram>>, memref<64x1x16xi8, #vta.mem<dram>>) uops <[0, 0, 0], [64, 64, 0], [1024, 128, 0]> {
  vta.insn.load inp sram 0 dram 0[0] size [1, 64] stride 64
  vta.insn.gemm uop [0, 1] iter [1, 64] dst [0, 1] src [0, 1]
  vta.insn.alu max imm 0 uop [0, 1] iter [1, 64] dst [0, 1] src [0, 1]
  vta.insn.store out sram 0 dram 1[0] size [1, 64] stride 64
  vta.insn.load inp sram 64 dram 1[0] size [1, 64] stride 64
  vta.insn.gemm uop [1, 2] iter [1, 64] dst [0, 1] src [0, 1]
  vta.insn.load inp sram 128 dram 0[0] size [1, 64] stride 64
  vta.insn.gemm uop [2, 3] iter [1, 64] dst [0, 1] src [0, 1]
  vta.insn.load inp sram 128 dram 2[0] size [1, 64] stride 64
  vta.insn.gemm uop [2, 3] iter [1, 64] dst [0, 1] src [0, 1]
  vta.insn.finish
  // CHECK-NEXT: vta.insn.load inp sram 0 dram 0[0]
  // CHECK-NEXT: vta.insn.gemm uop [0, 1]
  // CHECK-NEXT: vta.insn.alu max imm 0 uop [0, 1]
  // CHECK-NEXT: vta.insn.store
  // CHECK-NEXT: vta.insn.load inp sram 128 dram 0[0]
  // CHECK-NEXT: vta.insn.gemm uop [2, 3]
  // CHECK: vta.insn.load inp sram 64 dram 1[0]
  // CHECK-NEXT: vta.insn.gemm uop [1, 2]
}

// LOADs of accumulators keep their unit for as long as their data comes, not until it is there: the last one still
// starts while the first operation is at work.
// CHECK-LABEL: vta.program @loads
vta.program @loads(memref<1024x1x16xi8, #vta.mem<dram>>) uops <[0, 0, 0]> {
  vta.insn.load acc8 sram 0 dram 0[0] size [1, 64] stride 64
  vta.insn.alu max imm 0 uop [0, 1] iter [1, 320] dst [0, 1] src [0, 1]
  vta.insn.alu max imm 0 uop [0, 1] iter [1, 320] dst [0, 1] src [0, 1]
  vta.insn.load acc8 sram 1024 dram 0[0] size [1, 64] stride 64
  vta.insn.load acc8 sram 1088 dram 0[64] size [1, 64] stride 64
  vta.insn.load acc8 sram 1152 dram 0[128] size [1, 64] stride 64
  vta.insn.finish
  // CHECK-NEXT: vta.insn.load acc8 sram 0
  // CHECK-NEXT: vta.insn.load acc8 sram 1024
  // CHECK-NEXT: vta.insn.alu
  // CHECK-NEXT: vta.insn.load acc8 sram 1088
  // CHECK-NEXT: vta.insn.load acc8 sram 1152
  // CHECK-NEXT: vta.insn.alu
}
}
