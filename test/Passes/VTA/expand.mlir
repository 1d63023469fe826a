// RUN: acc-opt %s -vta-allocate-scratchpads -vta-expand -split-input-file -verify-diagnostics | FileCheck %s

#vta = #vta.config<>

!inp = memref<4x16x16x1x16xi8, #vta.mem<inp>>
!wgt = memref<2x4x3x3x16x16xi8, #vta.mem<wgt>>
!acc = memref<2x14x14x1x16xi32, #vta.mem<acc>>
module attributes {vta.config = #vta} {

// The two longest dimensions are the loops, the rest is 2 * 4 * 3 * 3 micro-ops.
// CHECK-LABEL: vta.program @conv
// CHECK-SAME: [0, 0, 0], [0, 1, 1], [0, 2, 2], [0, 16, 3]
func.func @conv() attributes {target = #vta} {
  %inp = memref.alloc() : !inp
  %wgt = memref.alloc() : !wgt
  %acc = memref.alloc() : !acc
  // CHECK: vta.insn.gemm uop [0, 72] iter [14, 14] dst [14, 1] src [16, 1]
  vta.gemm ins(%inp, %wgt : !inp, !wgt) outs(%acc : !acc) bounds [2, 14, 14, 4, 3, 3]
      maps [affine_map<(oc, oh, ow, ic, kh, kw) -> (ic, oh + kh, ow + kw)>,
            affine_map<(oc, oh, ow, ic, kh, kw) -> (oc, ic, kh, kw)>,
            affine_map<(oc, oh, ow, ic, kh, kw) -> (oc, oh, ow)>]
  // All dimensions are one, and the first micro-op serves.
  // CHECK-NEXT: vta.insn.gemm reset uop [0, 1] iter [1, 392] dst [0, 1]
  vta.reset outs(%acc : !acc)
  // CHECK-NEXT: vta.insn.alu max imm -3 uop [0, 1] iter [1, 392] dst [0, 1] src [0, 1]
  vta.alu max outs(%acc : !acc) imm -3 bounds [2, 14, 14]
      maps [affine_map<(d0, d1, d2) -> (d0, d1, d2)>]
  // CHECK-NEXT: vta.insn.finish
  return
}

// CHECK-LABEL: vta.program @control
func.func @control() attributes {target = #vta} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %acc = memref.alloc() : memref<4x1x16xi32, #vta.mem<acc>>
  %last = scf.for %i = %c0 to %c3 step %c1 iter_args(%sum = %c1) -> index {
    %first = arith.cmpi eq, %i, %c0 : index
    // CHECK-NEXT: vta.insn.alu add imm 1
    // CHECK-NEXT: vta.insn.alu add imm 2
    // CHECK-NEXT: vta.insn.alu add imm 2
    scf.if %first {
      vta.alu add outs(%acc : memref<4x1x16xi32, #vta.mem<acc>>) imm 1 bounds [4] maps [affine_map<(d0) -> (d0)>]
    } else {
      vta.alu add outs(%acc : memref<4x1x16xi32, #vta.mem<acc>>) imm 2 bounds [4] maps [affine_map<(d0) -> (d0)>]
    }
    %next = arith.addi %sum, %i : index
    scf.yield %next : index
  }
  // CHECK-NEXT: vta.insn.alu mul imm 3 {{.*}} iter [1, 4]
  vta.alu mul outs(%acc : memref<4x1x16xi32, #vta.mem<acc>>) imm 3 bounds [%last] maps [affine_map<(d0) -> (d0)>]
  %none = arith.subi %c0, %c1 : index
  vta.alu mul outs(%acc : memref<4x1x16xi32, #vta.mem<acc>>) imm 4 bounds [%none] maps [affine_map<(d0) -> (d0)>]
  // A negative stride runs backwards.
  // CHECK-NEXT: vta.insn.alu mul imm 5 {{.*}} iter [1, 4] dst [0, 1]
  vta.alu mul outs(%acc : memref<4x1x16xi32, #vta.mem<acc>>) imm 5 bounds [4] maps [affine_map<(d0) -> (-d0 + 3)>]
  // CHECK-NEXT: vta.insn.finish
  return
}

// CHECK-LABEL: vta.program @reverse(memref<4x1x16xi8, #vta.mem<dram>>) uops <[0, 3, 0], [1, 2, 0], [2, 1, 0], [3, 0, 0]>
func.func @reverse(%x: memref<4x1x16xi8, #vta.mem<dram>>) attributes {target = #vta} {
  %acc = memref.alloc() : memref<4x1x16xi32, #vta.mem<acc>>
  // CHECK-NEXT: vta.insn.alu add uop [0, 4]{{$}}
  vta.alu add outs(%acc : memref<4x1x16xi32, #vta.mem<acc>>) ins(%acc : memref<4x1x16xi32, #vta.mem<acc>>) bounds [4]
      maps [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (-d0 + 3)>]
  return
}

// CHECK-LABEL: func @main
func.func @main(%x: memref<4x1x16xi8, #vta.mem<dram>>) {
  // CHECK-NEXT: vta.launch @reverse(%{{.*}}) : memref<4x1x16xi8, #vta.mem<dram>>
  call @reverse(%x) : (memref<4x1x16xi8, #vta.mem<dram>>) -> ()
  return
}
}

// -----

#vta = #vta.config<>

module attributes {vta.config = #vta} {
func.func @unknown(%x: memref<4x1x16xi8, #vta.mem<dram>>) attributes {target = #vta} {
  %c0 = arith.constant 0 : index
  // expected-error @below {{'memref.load' cannot be evaluated at compile time}}
  %0 = memref.load %x[%c0, %c0, %c0] : memref<4x1x16xi8, #vta.mem<dram>>
  return
}
}

// -----

#vta = #vta.config<>

module attributes {vta.config = #vta} {
func.func @range() attributes {target = #vta} {
  %acc = memref.alloc() : memref<4x1x16xi32, #vta.mem<acc>>
  %c5 = arith.constant 5 : index
  // expected-error @below {{ranges over [0, 4] in dimension 0 of an operand that has 4 there}}
  vta.alu add outs(%acc : memref<4x1x16xi32, #vta.mem<acc>>) imm 1 bounds [%c5] maps [affine_map<(d0) -> (d0)>]
  return
}
}

// -----

#vta = #vta.config<log_block = 5>

module attributes {vta.config = #vta} {
func.func @element() attributes {target = #vta} {
  %acc = memref.alloc() : memref<4x1x16xi32, #vta.mem<acc>>
  // expected-error @below {{does not consist of whole elements of acc, which are 1x32 of i32}}
  vta.reset outs(%acc : memref<4x1x16xi32, #vta.mem<acc>>)
  return
}
}

// -----

#vta = #vta.config<>

module attributes {vta.config = #vta} {
// Maxima over windows of 3 x 3: four accumulators take turns, so that none waits for its last operation.
// CHECK-LABEL: vta.program @pool
// CHECK-SAME: uops <[0, 64, 0], [1, 66, 0], [2, 68, 0], [3, 70, 0], [0, 65, 0], [1, 67, 0], [2, 69, 0], [3, 71, 0], [0, 66, 0],
// CHECK: vta.insn.alu max uop [0, 24] iter [8, 3] dst [8, 0] src [34, 17]
func.func @pool() attributes {target = #vta} {
  %y = memref.alloc() : memref<8x8x1x16xi32, #vta.mem<acc>>
  %x = memref.alloc() : memref<17x17x1x16xi32, #vta.mem<acc>>
  %c8 = arith.constant 8 : index
  %c3 = arith.constant 3 : index
  vta.alu max outs(%y : memref<8x8x1x16xi32, #vta.mem<acc>>) ins(%x : memref<17x17x1x16xi32, #vta.mem<acc>>)
      bounds [%c8, %c8, %c3, %c3] maps [affine_map<(h, w, r, s) -> (h, w)>, affine_map<(h, w, r, s) -> (h * 2 + r, w * 2 + s)>]
  return
}
}
