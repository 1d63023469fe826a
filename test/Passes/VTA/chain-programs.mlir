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

// -----

// Tables that several programs look up in are there once.
#same = array<i8: -128, -127, -126, -125, -124, -123, -122, -121, -120, -119, -118, -117, -116, -115, -114, -113, -112, -111, -110, -109, -108, -107, -106, -105, -104, -103, -102, -101, -100, -99, -98, -97, -96, -95, -94, -93, -92, -91, -90, -89, -88, -87, -86, -85, -84, -83, -82, -81, -80, -79, -78, -77, -76, -75, -74, -73, -72, -71, -70, -69, -68, -67, -66, -65, -64, -63, -62, -61, -60, -59, -58, -57, -56, -55, -54, -53, -52, -51, -50, -49, -48, -47, -46, -45, -44, -43, -42, -41, -40, -39, -38, -37, -36, -35, -34, -33, -32, -31, -30, -29, -28, -27, -26, -25, -24, -23, -22, -21, -20, -19, -18, -17, -16, -15, -14, -13, -12, -11, -10, -9, -8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63, 64, 65, 66, 67, 68, 69, 70, 71, 72, 73, 74, 75, 76, 77, 78, 79, 80, 81, 82, 83, 84, 85, 86, 87, 88, 89, 90, 91, 92, 93, 94, 95, 96, 97, 98, 99, 100, 101, 102, 103, 104, 105, 106, 107, 108, 109, 110, 111, 112, 113, 114, 115, 116, 117, 118, 119, 120, 121, 122, 123, 124, 125, 126, 127>
#mirrored = array<i8: 127, 126, 125, 124, 123, 122, 121, 120, 119, 118, 117, 116, 115, 114, 113, 112, 111, 110, 109, 108, 107, 106, 105, 104, 103, 102, 101, 100, 99, 98, 97, 96, 95, 94, 93, 92, 91, 90, 89, 88, 87, 86, 85, 84, 83, 82, 81, 80, 79, 78, 77, 76, 75, 74, 73, 72, 71, 70, 69, 68, 67, 66, 65, 64, 63, 62, 61, 60, 59, 58, 57, 56, 55, 54, 53, 52, 51, 50, 49, 48, 47, 46, 45, 44, 43, 42, 41, 40, 39, 38, 37, 36, 35, 34, 33, 32, 31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0, -1, -2, -3, -4, -5, -6, -7, -8, -9, -10, -11, -12, -13, -14, -15, -16, -17, -18, -19, -20, -21, -22, -23, -24, -25, -26, -27, -28, -29, -30, -31, -32, -33, -34, -35, -36, -37, -38, -39, -40, -41, -42, -43, -44, -45, -46, -47, -48, -49, -50, -51, -52, -53, -54, -55, -56, -57, -58, -59, -60, -61, -62, -63, -64, -65, -66, -67, -68, -69, -70, -71, -72, -73, -74, -75, -76, -77, -78, -79, -80, -81, -82, -83, -84, -85, -86, -87, -88, -89, -90, -91, -92, -93, -94, -95, -96, -97, -98, -99, -100, -101, -102, -103, -104, -105, -106, -107, -108, -109, -110, -111, -112, -113, -114, -115, -116, -117, -118, -119, -120, -121, -122, -123, -124, -125, -126, -127, -128>
module attributes {vta.config = #vta.config<alu_table = 1>} {
vta.program @first(memref<4x1x16xi8, #vta.mem<dram>>, memref<4x1x16xi8, #vta.mem<dram>>) uops <[0, 0, 0]> tables [#same] {
  vta.insn.load acc8 sram 0 dram 0[0] size [1, 1] stride 1
  vta.insn.alu table imm 0 uop [0, 1]
  vta.insn.store out sram 0 dram 1[0] size [1, 1] stride 1
  vta.insn.finish
}
vta.program @second(memref<4x1x16xi8, #vta.mem<dram>>, memref<4x1x16xi8, #vta.mem<dram>>) uops <[0, 0, 0]> tables [#mirrored, #same] {
  vta.insn.load acc8 sram 0 dram 0[0] size [1, 1] stride 1
  vta.insn.alu table imm 1 uop [0, 1]
  vta.insn.alu table imm 0 uop [0, 1]
  vta.insn.store out sram 0 dram 1[0] size [1, 1] stride 1
  vta.insn.finish
}
// CHECK: vta.program @first_chain
// CHECK-SAME: tables [array<i8: -128, -127, {{.*}}>, array<i8: 127, 126, {{.*}}>] {
// CHECK: vta.insn.alu table imm 0 uop [0, 1]
// CHECK: vta.insn.alu table imm 0 uop [0, 1]
// CHECK-NEXT: vta.insn.alu table imm 1 uop [0, 1]
func.func @tables(%x: memref<4x1x16xi8>, %y: memref<4x1x16xi8>) {
  %a = memref.alloc() {alignment = 256 : i64} : memref<4x1x16xi8>
  vta.launch @first(%x, %a) : memref<4x1x16xi8>, memref<4x1x16xi8>
  vta.launch @second(%a, %y) : memref<4x1x16xi8>, memref<4x1x16xi8>
  return
}
}
