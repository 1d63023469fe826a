// RUN: acc-opt %s -vta-join-buffers -split-input-file | FileCheck %s

module attributes {vta.config = #vta.config<>} {
// CHECK-NOT: @concat
te.kernel @concat(%a: memref<4x1x16xi8>, %b: memref<8x1x16xi8>, %y: memref<12x1x16xi8>) attributes {target = #te.host} {
  %0 = memref.subview %y[0, 0, 0] [4, 1, 16] [1, 1, 1] : memref<12x1x16xi8> to memref<4x1x16xi8, strided<[16, 16, 1]>>
  memref.copy %a, %0 : memref<4x1x16xi8> to memref<4x1x16xi8, strided<[16, 16, 1]>>
  %1 = memref.subview %y[4, 0, 0] [8, 1, 16] [1, 1, 1] : memref<12x1x16xi8> to memref<8x1x16xi8, strided<[16, 16, 1], offset: 64>>
  memref.copy %b, %1 : memref<8x1x16xi8> to memref<8x1x16xi8, strided<[16, 16, 1], offset: 64>>
  te.return
}
te.kernel @longer(%a: memref<12x1x16xi8>, %b: memref<4x1x16xi8>, %y: memref<16x1x16xi8>) attributes {target = #te.host} {
  %0 = memref.subview %y[4, 0, 0] [12, 1, 16] [1, 1, 1] : memref<16x1x16xi8> to memref<12x1x16xi8, strided<[16, 16, 1], offset: 64>>
  memref.copy %a, %0 : memref<12x1x16xi8> to memref<12x1x16xi8, strided<[16, 16, 1], offset: 64>>
  %1 = memref.subview %y[0, 0, 0] [4, 1, 16] [1, 1, 1] : memref<16x1x16xi8> to memref<4x1x16xi8, strided<[16, 16, 1]>>
  memref.copy %b, %1 : memref<4x1x16xi8> to memref<4x1x16xi8, strided<[16, 16, 1]>>
  te.return
}
te.kernel @native(%x: memref<4x1x16xi8>) attributes {target = #te.host} {
  te.return
}

// The result of a concatenation lies in that of another.
// CHECK-LABEL: func.func @nested
func.func @nested() {
  // CHECK: [[ALL:%.+]] = memref.alloc() {alignment = 256 : i64} : memref<256xi8>
  // CHECK: [[A:%.+]] = memref.view [[ALL]][%{{c64.*}}][] : memref<256xi8> to memref<4x1x16xi8>
  // CHECK: te.launch @native outs([[A]]
  // CHECK: [[B:%.+]] = memref.view [[ALL]][%{{c128.*}}][] : memref<256xi8> to memref<8x1x16xi8>
  // CHECK: memref.view [[ALL]][%{{c64.*}}][] : memref<256xi8> to memref<12x1x16xi8>
  // CHECK-NOT: te.launch @concat
  // CHECK: [[C:%.+]] = memref.view [[ALL]][%{{c0.*}}][] : memref<256xi8> to memref<4x1x16xi8>
  // CHECK: te.launch @native outs([[C]]
  // CHECK-NOT: te.launch @longer
  %a = memref.alloc() {alignment = 256 : i64} : memref<4x1x16xi8>
  te.launch @native outs(%a : memref<4x1x16xi8>)
  %b = memref.alloc() {alignment = 256 : i64} : memref<8x1x16xi8>
  %c = memref.alloc() {alignment = 256 : i64} : memref<12x1x16xi8>
  te.launch @concat ins(%a, %b : memref<4x1x16xi8>, memref<8x1x16xi8>) outs(%c : memref<12x1x16xi8>)
  %d = memref.alloc() {alignment = 256 : i64} : memref<4x1x16xi8>
  te.launch @native outs(%d : memref<4x1x16xi8>)
  %e = memref.alloc() {alignment = 256 : i64} : memref<16x1x16xi8>
  te.launch @longer ins(%c, %d : memref<12x1x16xi8>, memref<4x1x16xi8>) outs(%e : memref<16x1x16xi8>)
  return
}
}

// -----

module attributes {vta.config = #vta.config<>} {
te.kernel @concat(%a: memref<4x1x16xi8>, %b: memref<4x1x16xi8>, %y: memref<8x1x16xi8>) attributes {target = #te.host} {
  %0 = memref.subview %y[0, 0, 0] [4, 1, 16] [1, 1, 1] : memref<8x1x16xi8> to memref<4x1x16xi8, strided<[16, 16, 1]>>
  memref.copy %a, %0 : memref<4x1x16xi8> to memref<4x1x16xi8, strided<[16, 16, 1]>>
  %1 = memref.subview %y[4, 0, 0] [4, 1, 16] [1, 1, 1] : memref<8x1x16xi8> to memref<4x1x16xi8, strided<[16, 16, 1], offset: 64>>
  memref.copy %b, %1 : memref<4x1x16xi8> to memref<4x1x16xi8, strided<[16, 16, 1], offset: 64>>
  te.return
}
te.kernel @native(%x: memref<4x1x16xi8>) attributes {target = #te.host} {
  te.return
}

// An argument lies where it lies, a buffer cannot lie in two places, and one
// that is written again is not what was copied.
// CHECK-LABEL: func.func @stays
func.func @stays(%x: memref<4x1x16xi8>) {
  // CHECK-COUNT-3: te.launch @concat
  %a = memref.alloc() : memref<4x1x16xi8>
  %y = memref.alloc() : memref<8x1x16xi8>
  te.launch @concat ins(%x, %a : memref<4x1x16xi8>, memref<4x1x16xi8>) outs(%y : memref<8x1x16xi8>)
  %z = memref.alloc() : memref<8x1x16xi8>
  te.launch @concat ins(%a, %a : memref<4x1x16xi8>, memref<4x1x16xi8>) outs(%z : memref<8x1x16xi8>)
  %b = memref.alloc() : memref<4x1x16xi8>
  %w = memref.alloc() : memref<8x1x16xi8>
  te.launch @concat ins(%a, %b : memref<4x1x16xi8>, memref<4x1x16xi8>) outs(%w : memref<8x1x16xi8>)
  te.launch @native outs(%b : memref<4x1x16xi8>)
  return
}
}
