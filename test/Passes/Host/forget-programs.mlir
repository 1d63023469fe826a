// RUN: acc-opt %s --host-forget-programs | FileCheck %s

module attributes {vta.config = #vta.config<log_block = 4>} {

// CHECK: vta.program @relu(memref<4x1x16xi8, #vta.mem<dram>>) cached uops <[0, 0, 0]> {
// CHECK-NEXT: }
vta.program @relu(memref<4x1x16xi8, #vta.mem<dram>>) cached uops <[0, 0, 0]> {
  vta.insn.load uop sram 0 dram 1[0] size [1, 1] stride 1
  vta.insn.load acc8 sram 0 dram 0[0] size [1, 4] stride 4
  vta.insn.alu max imm 0 uop [0, 1] iter [1, 4] dst [0, 1] src [0, 1] push(next)
  vta.insn.store out sram 0 dram 0[0] size [1, 4] stride 4 pop(prev) push(prev)
  vta.insn.finish pop(next)
}

// CHECK: func.func @main
// CHECK: vta.launch @relu
func.func @main(%x: memref<4x1x16xi8>) {
  vta.launch @relu(%x) : memref<4x1x16xi8>
  return
}
}
