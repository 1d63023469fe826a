// RUN: acc-opt %s -vta-chain-programs -split-input-file -verify-diagnostics | FileCheck %s

// Two kernels and a third that reads the first's result, with a native kernel
// in between that has nothing to do with them.
module attributes {vta.config = #vta.config<>} {
te.kernel @native(%x: memref<64xi8>) attributes {target = #te.host} {
  te.return
}
vta.program @first(memref<4x1x16xi8, #vta.mem<dram>>, memref<4x1x16xi8, #vta.mem<dram>>) uops <[0, 0, 0], [1, 1, 0]> {
  vta.insn.load acc8 sram 0 dram 0[0] size [1, 4] stride 4
  vta.insn.alu max imm 0 uop [0, 2] iter [1, 2] dst [0, 2] src [0, 2]
  vta.insn.store out sram 0 dram 1[0] size [1, 4] stride 4
  vta.insn.finish
}
vta.program @second(memref<4x1x16xi8, #vta.mem<dram>>, memref<1x16x16xi8, #vta.mem<dram>>, memref<4x1x16xi8, #vta.mem<dram>>) uops <[5, 5, 0], [0, 0, 0], [1, 1, 0]> {
  vta.insn.gemm reset uop [0, 1]
  vta.insn.load inp sram 0 dram 0[0] size [1, 4] stride 4
  vta.insn.load wgt sram 0 dram 1[0] size [1, 1] stride 1
  vta.insn.gemm uop [1, 3] iter [1, 2] dst [0, 2] src [0, 2]
  vta.insn.store out sram 0 dram 2[0] size [1, 4] stride 4
  vta.insn.finish
}
// CHECK: vta.program @first_chain(memref<4x1x16xi8, #vta.mem<dram>>, memref<1x16x16xi8, #vta.mem<dram>>, memref<4x16xi8, #vta.mem<dram>>, memref<512xi8, #vta.mem<dram>>)
// Micro-ops that both use are there once.
// CHECK-SAME: uops <[0, 0, 0], [1, 1, 0], [5, 5, 0]> {
// CHECK-NEXT: vta.insn.load acc8 sram 0 dram 0[0]
// CHECK-NEXT: vta.insn.alu max imm 0 uop [0, 2]
// CHECK-NEXT: vta.insn.store out sram 0 dram 3[0]
// CHECK-NEXT: vta.insn.gemm reset uop [2, 3]
// Weights do not wait for the store.
// CHECK-NEXT: vta.insn.load wgt sram 0 dram 1[0]
// CHECK-NEXT: vta.insn.load inp sram 0 dram 3[0]
// CHECK-NEXT: vta.insn.gemm uop [0, 2]
// CHECK-NEXT: vta.insn.store out sram 0 dram 3[16]
// CHECK-NEXT: vta.insn.load acc8 sram 0 dram 3[16]
// CHECK-NEXT: vta.insn.alu max imm 0 uop [0, 2]
// CHECK-NEXT: vta.insn.store out sram 0 dram 2[0]
// CHECK-NEXT: vta.insn.finish
// CHECK-NOT: vta.program

// CHECK-LABEL: func.func @main(
// CHECK-SAME: [[X:%.+]]: memref<4x1x16xi8>, [[W:%.+]]: memref<1x16x16xi8>, [[Y:%.+]]: memref<4x16xi8>
func.func @main(%x: memref<4x1x16xi8>, %w: memref<1x16x16xi8>, %y: memref<4x16xi8>) {
  // CHECK: [[OTHER:%.+]] = memref.alloc() : memref<64xi8>
  // CHECK: te.launch @native outs([[OTHER]]
  // CHECK: [[SCRATCH:%.+]] = memref.alloc() {alignment = 256 : i64} : memref<512xi8>
  // CHECK: vta.launch @first_chain([[X]], [[W]], [[Y]], [[SCRATCH]])
  // CHECK-SAME: parts {{\[}}#vta.part<kernel = "first", label = "first", buffers = {{\[}}0, 3], offsets = {{\[}}0, 0]>,
  // CHECK-SAME: #vta.part<kernel = "second", label = "second", buffers = {{\[}}3, 1, 3], offsets = {{\[}}0, 0, 256]>,
  // CHECK-SAME: #vta.part<kernel = "first", label = "first", buffers = {{\[}}3, 2], offsets = {{\[}}256, 0]>]
  %a = memref.alloc() {alignment = 256 : i64} : memref<4x1x16xi8>
  vta.launch @first(%x, %a) : memref<4x1x16xi8>, memref<4x1x16xi8>
  %other = memref.alloc() : memref<64xi8>
  te.launch @native outs(%other : memref<64xi8>)
  %b = memref.alloc() {alignment = 256 : i64} : memref<4x1x16xi8>
  vta.launch @second(%a, %w, %b) : memref<4x1x16xi8>, memref<1x16x16xi8>, memref<4x1x16xi8>
  %z = memref.expand_shape %y [[0], [1, 2]] output_shape [4, 1, 16] : memref<4x16xi8> into memref<4x1x16xi8>
  vta.launch @first(%b, %z) : memref<4x1x16xi8>, memref<4x1x16xi8>
  return
}
}

// -----

// What a native kernel writes and a program reads ends a chain; one that only
// reads what the chain has written comes later.
module attributes {vta.config = #vta.config<>} {
te.kernel @native(%x: memref<4x1x16xi8>, %y: memref<4x1x16xi8>) attributes {target = #te.host} {
  te.return
}
vta.program @k(memref<4x1x16xi8, #vta.mem<dram>>, memref<4x1x16xi8, #vta.mem<dram>>) uops <[0, 0, 0]> {
  vta.insn.load acc8 sram 0 dram 0[0] size [1, 4] stride 4
  vta.insn.alu max imm 0 uop [0, 1] iter [1, 4] dst [0, 1] src [0, 1]
  vta.insn.store out sram 0 dram 1[0] size [1, 4] stride 4
  vta.insn.finish
}
// CHECK-LABEL: func.func @main(
// CHECK-SAME: [[X:%.+]]: memref<4x1x16xi8>, [[Y:%.+]]: memref<4x1x16xi8>, [[Z:%.+]]: memref<4x1x16xi8>
func.func @main(%x: memref<4x1x16xi8>, %y: memref<4x1x16xi8>, %z: memref<4x1x16xi8>) {
  // CHECK: [[A:%.+]] = memref.alloc() : memref<4x1x16xi8>
  // CHECK: [[C:%.+]] = memref.alloc() : memref<4x1x16xi8>
  // CHECK: [[B:%.+]] = memref.alloc() : memref<4x1x16xi8>
  // CHECK-NEXT: vta.launch @k_chain([[X]], [[A]], [[Y]])
  // CHECK-NEXT: te.launch @native ins([[A]] : {{.+}}) outs([[C]]
  // CHECK-NEXT: vta.launch @k([[C]], [[B]])
  // CHECK-NEXT: te.launch @native ins([[B]] : {{.+}}) outs([[Z]]
  %a = memref.alloc() : memref<4x1x16xi8>
  vta.launch @k(%x, %a) : memref<4x1x16xi8>, memref<4x1x16xi8>
  %c = memref.alloc() : memref<4x1x16xi8>
  te.launch @native ins(%a : memref<4x1x16xi8>) outs(%c : memref<4x1x16xi8>)
  vta.launch @k(%x, %y) : memref<4x1x16xi8>, memref<4x1x16xi8>
  %b = memref.alloc() : memref<4x1x16xi8>
  vta.launch @k(%c, %b) : memref<4x1x16xi8>, memref<4x1x16xi8>
  te.launch @native ins(%b : memref<4x1x16xi8>) outs(%z : memref<4x1x16xi8>)
  return
}
}
