// RUN: acc-opt --te-declare-intrins %s -split-input-file -verify-diagnostics | FileCheck %s

// CHECK-LABEL: module attributes
// CHECK: te.intrin @vta_gemm emits "vta.gemm" {
// CHECK-NEXT: ^bb0(%{{.*}}: memref<2x8xi8, #vta.mem<inp>>, %{{.*}}: memref<4x8xi8, #vta.mem<wgt>>, %{{.*}}: memref<2x4xi32, #vta.mem<acc>>):
// CHECK: te.intrin @vta_reset emits "vta.reset" {
// CHECK: te.intrin @vta_min_imm emits "vta.alu" with {op = #vta<alu_op min>} {
// CHECK: te.intrin @vta_min emits "vta.alu" with {op = #vta<alu_op min>} {
// CHECK: te.intrin @vta_shl_imm emits "vta.alu" with {negate, op = #vta<alu_op shr>} {
// CHECK-NEXT: ^bb0(%{{.*}}: memref<2x4xi32, #vta.mem<acc>>, %{{.*}}: i32):
// CHECK-NOT: @vta_shl emits
module attributes {vta.config = #vta.config<log_batch = 1, log_block_in = 3, log_block_out = 2,
    log_inp_buff_size = 10, log_wgt_buff_size = 10, log_acc_buff_size = 10>} {
}

// -----

// One that is declared already is kept.
// CHECK-LABEL: module attributes
// CHECK-COUNT-1: te.intrin @vta_reset
// CHECK-NOT: te.intrin @vta_reset
module attributes {vta.config = #vta.config<>} {
  te.intrin @vta_reset emits "vta.reset" {
  ^bb0(%acc: memref<4xi32, #vta.mem<acc>>):
    %zero = arith.constant 0 : i32
    linalg.fill ins(%zero : i32) outs(%acc : memref<4xi32, #vta.mem<acc>>)
  }
}

// -----

// expected-error @+1 {{has no vta.config: the sizes of its intrinsics are not known}}
module {
}
