// RUN: acc-opt %s -vta-cache-uops -split-input-file -verify-diagnostics | FileCheck %s

module attributes {vta.config = #vta.config<>} {
// CHECK-LABEL: vta.program @fits() cached
vta.program @fits() uops <[0, 0, 0], [1, 0, 0]> {
  // CHECK-NEXT: vta.insn.load uop sram 0 dram 0[0] size [1, 2] stride 2
  // CHECK-NEXT: vta.insn.gemm uop [0, 2]
  // CHECK-NEXT: vta.insn.gemm uop [1, 2]
  // CHECK-NEXT: vta.insn.finish
  vta.insn.gemm uop [0, 2]
  vta.insn.gemm uop [1, 2]
  vta.insn.finish
}
}

// -----

// Four micro-ops fit.
module attributes {vta.config = #vta.config<log_uop_buff_size = 4>} {
// CHECK-LABEL: vta.program @evict() cached
vta.program @evict() uops <[0, 0, 0], [1, 0, 0], [2, 0, 0], [3, 0, 0], [4, 0, 0], [5, 0, 0]> {
  // The second sequence comes along with the first.
  // CHECK-NEXT: vta.insn.load uop sram 0 dram 0[0] size [1, 4] stride 4
  // CHECK-NEXT: vta.insn.gemm uop [0, 2]
  // CHECK-NEXT: vta.insn.gemm uop [2, 4]
  vta.insn.gemm uop [0, 2]
  vta.insn.gemm uop [2, 4]
  // It is also the one that is not needed next.
  // CHECK-NEXT: vta.insn.load uop sram 2 dram 0[4] size [1, 2] stride 2
  // CHECK-NEXT: vta.insn.gemm uop [2, 4]
  // CHECK-NEXT: vta.insn.gemm uop [0, 2]
  vta.insn.gemm uop [4, 6]
  vta.insn.gemm uop [0, 2]
  // Neither of those that are there is needed again: the first goes.
  // CHECK-NEXT: vta.insn.load uop sram 0 dram 0[2] size [1, 2] stride 2
  // CHECK-NEXT: vta.insn.gemm uop [0, 2]
  vta.insn.gemm uop [2, 4]
  // CHECK-NEXT: vta.insn.finish
  vta.insn.finish
}
}

// -----

module attributes {vta.config = #vta.config<log_uop_buff_size = 4>} {
vta.program @large() uops <[0, 0, 0], [1, 0, 0], [2, 0, 0], [3, 0, 0], [4, 0, 0], [5, 0, 0]> {
  // expected-error @below {{executes 5 micro-ops, but there is room for 4}}
  vta.insn.gemm uop [0, 5]
}
}
