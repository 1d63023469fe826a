// RUN: acc-opt --te-declare-intrins %s -split-input-file | FileCheck %s

#vta = #vta.config<log_batch = 1, log_block_in = 3, log_block_out = 2,
                   log_inp_buff_size = 10, log_wgt_buff_size = 10, log_acc_buff_size = 10>

// CHECK-LABEL: module
// CHECK: te.intrin @vta_gemm emits "vta.gemm" {
// CHECK-NEXT: ^bb0(%{{.*}}: memref<2x8xi8, #vta.mem<inp>>, %{{.*}}: memref<4x8xi8, #vta.mem<wgt>>, %{{.*}}: memref<2x4xi32, #vta.mem<acc>>):
// CHECK: te.intrin @vta_reset emits "vta.reset" {
// CHECK: te.intrin @vta_min_imm emits "vta.alu" with {op = #vta<alu_op min>} {
// CHECK: te.intrin @vta_min emits "vta.alu" with {op = #vta<alu_op min>} {
// CHECK: te.intrin @vta_shl_imm emits "vta.alu" with {negate, op = #vta<alu_op shr>} {
// CHECK-NEXT: ^bb0(%{{.*}}: memref<2x4xi32, #vta.mem<acc>>, %{{.*}}: i32):
// CHECK-NOT: @vta_shl emits
// CHECK: te.kernel @accelerated
te.kernel @accelerated() attributes {target = #vta} {
  te.return
}

// -----

// One that is declared already is kept, and a second kernel adds nothing.
// CHECK-LABEL: module
// CHECK-COUNT-1: te.intrin @vta_reset
// CHECK-NOT: te.intrin @vta_reset
te.intrin @vta_reset emits "vta.reset" {
^bb0(%acc: memref<4xi32, #vta.mem<acc>>):
  %zero = arith.constant 0 : i32
  linalg.fill ins(%zero : i32) outs(%acc : memref<4xi32, #vta.mem<acc>>)
}
te.kernel @first() attributes {target = #vta.config<>} {
  te.return
}
te.kernel @second() attributes {target = #vta.config<>} {
  te.return
}

// -----

// The host has none.
// CHECK-LABEL: module
// CHECK-NEXT: te.kernel @native
te.kernel @native() attributes {target = #te.host} {
  te.return
}
