// RUN: acc-opt %s -vta-allocate-scratchpads -split-input-file -verify-diagnostics | FileCheck %s

#vta = #vta.config<>

module attributes {vta.config = #vta} {
// All buffers fit: each has a range of its own.
// CHECK-LABEL: func @apart
func.func @apart() attributes {target = #vta} {
  // CHECK: memref.alloc() {vta.entries = 1000 : i64, vta.offset = 0 : i64}
  %a = memref.alloc() : memref<10x100x1x16xi8, #vta.mem<inp>>
  // CHECK: memref.alloc() {vta.entries = 1048 : i64, vta.offset = 1000 : i64}
  %b = memref.alloc() : memref<1048x1x16xi8, #vta.mem<inp>>
  // CHECK: memref.alloc() {vta.entries = 4 : i64, vta.offset = 0 : i64}
  %c = memref.alloc() : memref<4x1x16xi32, #vta.mem<acc>>
  return
}

// Together they do not: those that are not live at the same time share.
// CHECK-LABEL: func @shared
func.func @shared() attributes {target = #vta} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  // CHECK: memref.alloc() {vta.entries = 48 : i64, vta.offset = 2000 : i64}
  %kept = memref.alloc() : memref<48x1x16xi32, #vta.mem<acc>>
  // CHECK: memref.alloc() {vta.entries = 2000 : i64, vta.offset = 0 : i64}
  %a = memref.alloc() : memref<2000x1x16xi32, #vta.mem<acc>>
  vta.reset outs(%a : memref<2000x1x16xi32, #vta.mem<acc>>)
  scf.for %i = %c0 to %c4 step %c1 {
    // CHECK: memref.alloc() {vta.entries = 1500 : i64, vta.offset = 0 : i64}
    %b = memref.alloc() : memref<1500x1x16xi32, #vta.mem<acc>>
    vta.reset outs(%b : memref<1500x1x16xi32, #vta.mem<acc>>)
    vta.reset outs(%kept : memref<48x1x16xi32, #vta.mem<acc>>)
  }
  return
}

// CHECK-LABEL: func @dynamic
func.func @dynamic() attributes {target = #vta} {
  %c0 = arith.constant 0 : index
  %c4 = arith.constant 4 : index
  %c14 = arith.constant 14 : index
  scf.for %i = %c0 to %c14 step %c4 {
    %n = affine.min affine_map<(d0) -> (4, 14 - d0)>(%i)
    // CHECK: memref.alloc({{.*}}) {vta.entries = 20 : i64, vta.offset = 0 : i64}
    %a = memref.alloc(%n) : memref<?x5x1x16xi32, #vta.mem<acc>>
    vta.reset outs(%a : memref<?x5x1x16xi32, #vta.mem<acc>>)
  }
  return
}

// Not a kernel of the accelerator.
// CHECK-LABEL: func @other
func.func @other() attributes {target = #te.host} {
  // CHECK: memref.alloc() :
  %a = memref.alloc() : memref<10x100x1x16xi8, #vta.mem<inp>>
  return
}
}

// -----

#vta = #vta.config<>

module attributes {vta.config = #vta} {
func.func @large() attributes {target = #vta} {
  // expected-error @below {{kernel 'large': the inp scratchpad has 2048 elements, too few for a buffer of 1100: with those live at the same time it needs up to 2300, 252 more}}
  %a = memref.alloc() : memref<1100x1x16xi8, #vta.mem<inp>>
  %b = memref.alloc() : memref<1200x1x16xi8, #vta.mem<inp>>
  %c = memref.cast %a : memref<1100x1x16xi8, #vta.mem<inp>> to memref<?x1x16xi8, #vta.mem<inp>>
  memref.dealloc %c : memref<?x1x16xi8, #vta.mem<inp>>
  return
}
}

// -----

#vta = #vta.config<>

module attributes {vta.config = #vta} {
// expected-error @below {{argument #0 of kernel 'unbounded' must be a memref}}
func.func @unbounded(%n: index) attributes {target = #vta} {
  %a = memref.alloc(%n) : memref<?x1x16xi8, #vta.mem<inp>>
  return
}
}
