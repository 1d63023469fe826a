// RUN: acc-translate --vta-to-assembly %s | FileCheck %s --check-prefix=ASM
// RUN: acc-translate --vta-to-assembly %s | acc-translate --assembly-to-vta --program=k | FileCheck %s --check-prefix=TEXT
// RUN: acc-translate --vta-to-program %s | acc-translate --program-to-vta --program=k | FileCheck %s --check-prefix=TEXT
// RUN: acc-translate --vta-to-binary %s | acc-translate --binary-to-vta | FileCheck %s --check-prefix=RAW
// RUN: acc-translate --vta-to-binary --address=4096,8192,12288 %s | acc-translate --binary-to-vta | FileCheck %s --check-prefix=LINKED
// RUN: not acc-translate --vta-to-binary --program=nobody %s 2>&1 | FileCheck %s --check-prefix=NOBODY

module attributes {vta.config = #vta.config<>} {
vta.program @k(memref<64x1x16xi8, #vta.mem<dram>>, memref<64x1x16xi8, #vta.mem<dram>>) cached uops <[0, 1, 2]> {
  vta.insn.load uop sram 0 dram 2[0] size [1, 1] stride 1
  vta.insn.load acc8 sram 0 dram 0[8] size [2, 4] stride 16 pad [1, 0, 2, 0] loc("layer")
  vta.insn.alu shr imm -3 uop [0, 1] iter [3, 6] dst [6, 1] src [6, 1] push(next)
  vta.insn.store out sram 0 dram 1[0] size [1, 18] stride 18 pop(prev) push(prev)
  vta.insn.store uop sram 0 dram [0] size [1, 0] stride 0 push(prev)
  vta.insn.finish pop(next) spare [-128, 1]
}
}

// ASM: .buffer "arg0" 1024
// ASM: .uop dst=0 src=1 wgt=2
// ASM: load.acc8 sram=0 dram=@0+8 y=2 x=4 stride=16 pad=1,0,2,0
// ASM: store.uop sram=0 dram=0 y=1 x=0 stride=0 push=prev
// ASM: finish pop=next spare=0xffffffffffffff80,0x1

// TEXT: vta.program @k(memref<1024xi8, #vta.mem<dram>>, memref<1024xi8, #vta.mem<dram>>) cached uops <[0, 1, 2]> {
// TEXT-NEXT: vta.insn.load uop sram 0 dram 2[0] size [1, 1] stride 1
// TEXT-NEXT: vta.insn.load acc8 sram 0 dram 0[8] size [2, 4] stride 16 pad [1, 0, 2, 0]
// TEXT-NEXT: vta.insn.alu shr imm -3 uop [0, 1] iter [3, 6] dst [6, 1] src [6, 1] push(next)
// TEXT-NEXT: vta.insn.store out sram 0 dram 1[0] size [1, 18] stride 18 pop(prev) push(prev)
// TEXT-NEXT: vta.insn.store uop sram 0 dram [0] size [1, 0] stride 0 push(prev)
// TEXT-NEXT: vta.insn.finish pop(next) spare [-128, 1]

// RAW: vta.program @program() cached {
// RAW-NEXT: vta.insn.load uop sram 0 dram [0] size [1, 1] stride 1
// RAW-NEXT: vta.insn.load acc8 sram 0 dram [8] size [2, 4] stride 16 pad [1, 0, 2, 0]
// RAW: vta.insn.finish pop(next) spare [-128, 1]

// LINKED: vta.insn.load uop sram 0 dram [3072]
// LINKED: vta.insn.load acc8 sram 0 dram [264]
// LINKED: vta.insn.store out sram 0 dram [512]

// NOBODY: has 0 programs of that name; select one with --program
