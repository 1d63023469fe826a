// RUN: acc-opt %s -vta-insert-tokens -split-input-file -verify-diagnostics | FileCheck %s

!x = memref<16x1x16xi8, #vta.mem<dram>>
module attributes {vta.config = #vta.config<>} {
// CHECK-LABEL: vta.program @chain
vta.program @chain(!x, !x) cached uops <[0, 0, 0]> {
  // CHECK-NEXT: vta.insn.load uop sram 0 dram 2[0] size [1, 1] stride 1{{$}}
  // CHECK-NEXT: vta.insn.load inp {{.*}} stride 4{{$}}
  // CHECK-NEXT: vta.insn.load wgt {{.*}} stride 1 push(next)
  vta.insn.load uop sram 0 dram 2[0] size [1, 1] stride 1
  vta.insn.load inp sram 0 dram 0[0] size [1, 4] stride 4
  vta.insn.load wgt sram 0 dram [0] size [1, 1] stride 1
  // One token for both; the order of compute's own needs none.
  // CHECK-NEXT: vta.insn.gemm reset uop [0, 1] iter [1, 4] dst [0, 1]{{$}}
  // CHECK-NEXT: vta.insn.gemm uop [0, 1] iter [1, 4] dst [0, 1] src [0, 1] pop(prev) push(prev, next)
  vta.insn.gemm reset uop [0, 1] iter [1, 4] dst [0, 1]
  vta.insn.gemm uop [0, 1] iter [1, 4] dst [0, 1] src [0, 1]
  // CHECK-NEXT: vta.insn.load inp {{.*}} pop(next) push(next)
  vta.insn.load inp sram 0 dram 0[4] size [1, 4] stride 4
  // CHECK-NEXT: vta.insn.store out {{.*}} pop(prev) push(prev)
  // CHECK-NEXT: vta.insn.gemm {{.*}} pop(prev, next) push(next)
  // CHECK-NEXT: vta.insn.store out {{.*}} pop(prev) push(prev)
  vta.insn.store out sram 0 dram 1[0] size [1, 4] stride 4
  vta.insn.gemm uop [0, 1] iter [1, 4] dst [0, 1] src [0, 1]
  vta.insn.store out sram 0 dram 1[4] size [1, 4] stride 4
  // CHECK-NEXT: vta.insn.finish pop(next)
  vta.insn.finish
}

// What is stored is loaded again: compute passes the token on, by an
// instruction that does nothing.
// CHECK-LABEL: vta.program @relay
vta.program @relay(!x) cached uops <[0, 0, 0]> {
  // CHECK-NEXT: vta.insn.load uop
  // CHECK-NEXT: vta.insn.gemm reset {{.*}} push(next)
  // CHECK-NEXT: vta.insn.store out {{.*}} pop(prev) push(prev)
  // CHECK-NEXT: vta.insn.{{.*}} pop(next) push(prev)
  // CHECK-NEXT: vta.insn.load inp {{.*}} pop(next) push(next)
  // CHECK-NEXT: vta.insn.finish pop(prev)
  vta.insn.load uop sram 0 dram 1[0] size [1, 1] stride 1
  vta.insn.gemm reset uop [0, 1] iter [1, 4] dst [0, 1]
  vta.insn.store out sram 0 dram 0[0] size [1, 4] stride 4
  vta.insn.load inp sram 0 dram 0[3] size [1, 1] stride 1
  vta.insn.finish
}
}

// -----

module attributes {vta.config = #vta.config<>} {
// expected-error @below {{micro-ops of program 'early' have no place yet}}
vta.program @early() uops <[0, 0, 0]> {}
}

// -----

module attributes {vta.config = #vta.config<>} {
vta.program @range(memref<4x1x16xi8, #vta.mem<dram>>) {
  // expected-error @below {{instruction 0: it reaches byte 80 of buffer 'arg0', which has 64}}
  vta.insn.load inp sram 0 dram 0[1] size [1, 4] stride 4
}
}
