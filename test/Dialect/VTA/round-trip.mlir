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

// CHECK: module @looks_up
module @looks_up attributes {vta.config = #vta.config<alu_table = 1>} {
// CHECK: vta.program @by_table() uops <[0, 0, 0]> tables [array<i8: -128, -127, {{.*}} 126, 127>] {
vta.program @by_table() uops <[0, 0, 0]> tables [array<i8: -128, -127, -126, -125, -124, -123, -122, -121, -120, -119, -118, -117, -116, -115, -114, -113, -112, -111, -110, -109, -108, -107, -106, -105, -104, -103, -102, -101, -100, -99, -98, -97, -96, -95, -94, -93, -92, -91, -90, -89, -88, -87, -86, -85, -84, -83, -82, -81, -80, -79, -78, -77, -76, -75, -74, -73, -72, -71, -70, -69, -68, -67, -66, -65, -64, -63, -62, -61, -60, -59, -58, -57, -56, -55, -54, -53, -52, -51, -50, -49, -48, -47, -46, -45, -44, -43, -42, -41, -40, -39, -38, -37, -36, -35, -34, -33, -32, -31, -30, -29, -28, -27, -26, -25, -24, -23, -22, -21, -20, -19, -18, -17, -16, -15, -14, -13, -12, -11, -10, -9, -8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63, 64, 65, 66, 67, 68, 69, 70, 71, 72, 73, 74, 75, 76, 77, 78, 79, 80, 81, 82, 83, 84, 85, 86, 87, 88, 89, 90, 91, 92, 93, 94, 95, 96, 97, 98, 99, 100, 101, 102, 103, 104, 105, 106, 107, 108, 109, 110, 111, 112, 113, 114, 115, 116, 117, 118, 119, 120, 121, 122, 123, 124, 125, 126, 127>] {
  // CHECK-NEXT: vta.insn.alu table imm 0 uop [0, 1]
  vta.insn.alu table imm 0 uop [0, 1]
  vta.insn.finish
}
}

// CHECK: module @public attributes {vta.config = #[[PUBLIC]]}
module @public attributes {vta.config = #vta.config<dialect = public>} {}

// Products that set, and those of windows.
// CHECK: module @extended
module @extended attributes {vta.config = #vta.config<gemm_set = 1, gemm_window = 3>} {
// CHECK: vta.program @products() uops <[0, 0, 0]> {
vta.program @products() uops <[0, 0, 0]> {
  // CHECK-NEXT: vta.insn.gemm set uop [0, 1] iter [2, 3] dst [3, 1] src [5, 1]
  vta.insn.gemm set uop [0, 1] iter [2, 3] dst [3, 1] src [5, 1]
  // CHECK-NEXT: vta.insn.gemm window uop [0, 1] iter [2, 3] dst [3, 1] src [5, 1]
  vta.insn.gemm window uop [0, 1] iter [2, 3] dst [3, 1] src [5, 1]
  // CHECK-NEXT: vta.insn.gemm window set uop [0, 1] iter [2, 3] dst [3, 1] src [5, 1]
  vta.insn.gemm window set uop [0, 1] iter [2, 3] dst [3, 1] src [5, 1]
}
}
}
