// RUN: acc-opt %s -vta-verify-program -split-input-file -verify-diagnostics

!x = memref<4x1x16xi8, #vta.mem<dram>>
module attributes {vta.config = #vta.config<>} {
vta.program @good(!x) cached uops <[0, 0, 0]> {
  vta.insn.load uop sram 0 dram 1[0] size [1, 1] stride 1
  vta.insn.gemm reset uop [0, 1] iter [1, 4] dst [0, 1] push(next)
  vta.insn.store out sram 0 dram 0[0] size [1, 4] stride 4 pop(prev) push(prev)
  vta.insn.finish pop(next)
}
}

// -----

module attributes {vta.config = #vta.config<>} {
// expected-error @below {{program 'endless': the stream does not end with FINISH}}
vta.program @endless(memref<4x1x16xi8, #vta.mem<dram>>) {
}
}

// -----

module attributes {vta.config = #vta.config<>} {
vta.program @deadlock(memref<4x1x16xi8, #vta.mem<dram>>) {
  // expected-error @unknown {{program 'deadlock': instruction 0 (FINISH, layer 'relu_3'): deadlock: compute waits}}
  vta.insn.finish pop(prev) loc("relu_3")
}
}

// -----

module attributes {vta.config = #vta.config<>} {
vta.program @race(memref<4x1x16xi8, #vta.mem<dram>>) cached uops <[0, 0, 0]> {
  vta.insn.load uop sram 0 dram 1[0] size [1, 1] stride 1
  vta.insn.gemm reset uop [0, 1] iter [1, 4] dst [0, 1]
  // expected-error @unknown {{instruction 2 (STORE out, layer 'conv1+relu1'): reads acc[0] written by instruction 1 (GEMM}}
  vta.insn.store out sram 0 dram 0[0] size [1, 4] stride 4 push(prev) loc(fused["conv1", "relu1"])
  vta.insn.finish pop(next)
}
}

// -----

module attributes {vta.config = #vta.config<>} {
vta.program @uninitialised(memref<4x1x16xi8, #vta.mem<dram>>) {
  // expected-error @below {{reads acc[0], which nothing has written}}
  vta.insn.store out sram 0 dram 0[0] size [1, 4] stride 4 push(prev)
  vta.insn.finish pop(next)
}
}

// -----

module attributes {vta.config = #vta.config<dialect = public>} {
vta.program @multiplies() cached uops <[0, 0, 0]> {
  vta.insn.load uop sram 0 dram 0[0] size [1, 1] stride 1
  vta.insn.gemm reset uop [0, 1] iter [1, 4] dst [0, 1]
  // expected-error @unknown {{program 'multiplies': instruction 2 (ALU mul, layer 'scale'): multiplies}}
  vta.insn.alu mul imm 3 uop [0, 1] iter [1, 4] dst [0, 1] src [0, 1] loc("scale")
  vta.insn.finish
}
}
