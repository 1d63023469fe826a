// RUN: acc-opt %s | acc-opt | FileCheck %s
// RUN: acc-opt %s -emit-bytecode | acc-opt | FileCheck %s

// CHECK: #vta_config = #vta.config<log_inp_width = 3, log_wgt_width = 3, log_acc_width = 5, log_batch = 0, log_block_in = 4, log_block_out = 4, log_uop_buff_size = 15, log_inp_buff_size = 15, log_wgt_buff_size = 18, log_acc_buff_size = 17>
// CHECK: #[[PUBLIC:.*]] = #vta.config<{{.*}}log_acc_buff_size = 17, dialect = public>
// CHECK: module attributes {vta.config = #vta_config}
module attributes {vta.config = #vta.config<log_block = 4>} {

// CHECK: vta.program @relu(memref<4x1x16xi8, #vta.mem<dram>>) cached uops <[0, 0, 0], [1, 2, 3]> {
vta.program @relu(memref<4x1x16xi8, #vta.mem<dram>>) cached uops <[0, 0, 0], [1, 2, 3]> {
  // CHECK-NEXT: vta.insn.load uop sram 0 dram 1[0] size [1, 2] stride 2
  vta.insn.load uop sram 0 dram 1[0] size [1, 2] stride 2
  // CHECK-NEXT: vta.insn.load inp sram 1 dram 0[3] size [2, 4] stride 8 pad [1, 2, 3, 4] pop(next) push(next)
  vta.insn.load inp sram 1 dram 0[3] size [2, 4] stride 8 pad [1, 2, 3, 4] pop(next) push(next)
  // CHECK-NEXT: vta.insn.load acc8 sram 0 dram [4294967295] size [1, 1] stride 1
  vta.insn.load acc8 sram 0 dram [4294967295] size [1, 1] stride 1
  // CHECK-NEXT: vta.insn.gemm reset uop [0, 1]{{$}}
  vta.insn.gemm reset uop [0, 1]
  // CHECK-NEXT: vta.insn.gemm uop [0, 2] iter [3, 4] dst [5, 6] src [7, 8] wgt [9, 10] pop(prev, next) push(prev)
  vta.insn.gemm uop [0, 2] iter [3, 4] dst [5, 6] src [7, 8] wgt [9, 10] pop(prev, next) push(prev)
  // CHECK-NEXT: vta.insn.alu shr imm -8 uop [0, 1] iter [1, 4] dst [0, 1] src [0, 1]
  vta.insn.alu shr imm -8 uop [0, 1] iter [1, 4] dst [0, 1] src [0, 1]
  // CHECK-NEXT: vta.insn.alu max unused_imm 3 uop [0, 1]{{$}}
  vta.insn.alu max unused_imm 3 uop [0, 1]
  // CHECK-NEXT: vta.insn.store out sram 0 dram 0[0] size [1, 4] stride 4 pop(prev) push(prev)
  vta.insn.store out sram 0 dram 0[0] size [1, 4] stride 4 pop(prev) push(prev)
  // CHECK-NEXT: vta.insn.finish pop(next)
  vta.insn.finish pop(next)
}

// What moves nothing may name any memory, and bits of no field are kept.
// CHECK: vta.program @nothing() {
vta.program @nothing() {
  // CHECK-NEXT: vta.insn.store uop sram 0 dram [0] size [1, 0] stride 0 push(prev)
  vta.insn.store uop sram 0 dram [0] size [1, 0] stride 0 push(prev)
  // CHECK-NEXT: vta.insn.load mem6 sram 7 dram [9] size [0, 3] stride 0
  vta.insn.load mem6 sram 7 dram [9] size [0, 3] stride 0
  // CHECK-NEXT: vta.insn.gemm uop [0, 0] spare [-9223372036854775808, 0]
  vta.insn.gemm uop [0, 0] spare [-9223372036854775808, 0]
  // CHECK-NEXT: vta.insn.finish pop(next) spare [-128, 0]
  vta.insn.finish pop(next) spare [-128, 0]
}

// CHECK: func @main
func.func @main(%x: memref<4x1x16xi8>) {
  // CHECK: vta.launch @relu(%{{.*}}) : memref<4x1x16xi8>
  vta.launch @relu(%x) : memref<4x1x16xi8>
  // CHECK: vta.launch @relu(%{{.*}}) parts {{\[}}#vta.part<kernel = "relu", label = "layer/relu", buffers = {{\[}}0], offsets = {{\[}}64]>] : memref<4x1x16xi8>
  vta.launch @relu(%x) parts [#vta.part<kernel = "relu", label = "layer/relu", buffers = [0], offsets = [64]>] : memref<4x1x16xi8>
  return
}

// CHECK: module @public attributes {vta.config = #[[PUBLIC]]}
module @public attributes {vta.config = #vta.config<dialect = public>} {}
}
