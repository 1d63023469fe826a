// RUN: acc-opt %s -vta-allocate-scratchpads -vta-expand | FileCheck %s

#vta = #vta.config<>

// What a kernel computes at compile time shows in the bounds of its operations.

#id = affine_map<(d0) -> (d0)>
!acc = memref<100x1x16xi32, #vta.mem<acc>>
module attributes {vta.config = #vta} {

// CHECK-LABEL: vta.program @arithmetic
func.func @arithmetic() attributes {target = #vta} {
  %acc = memref.alloc() : !acc
  %c3 = arith.constant 3 : index
  %c7 = arith.constant 7 : index
  %m7 = arith.constant -7 : index
  %true = arith.constant true
  // -7 floordiv 3 = -3
  // CHECK-NEXT: iter [1, 10]
  %floor = arith.floordivsi %m7, %c3 : index
  %0 = arith.subi %c7, %floor : index
  vta.alu add outs(%acc : !acc) imm 1 bounds [%0] maps [#id]
  // -7 mod 3 = 2, 7 ceildiv 3 = 3, 7 floordiv 3 = 2
  // CHECK-NEXT: iter [1, 32]
  %1 = affine.apply affine_map<(d0)[s0] -> ((d0 mod 3) * 16)>(%m7)[%c3]
  vta.alu add outs(%acc : !acc) imm 2 bounds [%1] maps [#id]
  // CHECK-NEXT: iter [1, 23]
  %2 = affine.apply affine_map<(d0) -> (d0 ceildiv 3 + (d0 floordiv 3) * 10)>(%c7)
  vta.alu add outs(%acc : !acc) imm 3 bounds [%2] maps [#id]
  // CHECK-NEXT: iter [1, 7]
  %less = arith.cmpi slt, %m7, %c3 : index
  %both = arith.andi %less, %true : i1
  %3 = arith.select %both, %c7, %c3 : index
  vta.alu add outs(%acc : !acc) imm 4 bounds [%3] maps [#id]
  // 67 = (4, 3) in base 16
  // CHECK-NEXT: iter [1, 43]
  %c67 = arith.constant 67 : index
  %4:2 = affine.delinearize_index %c67 into (8, 16) : index, index
  %5 = affine.linearize_index [%4#0, %4#1] by (8, 10) : index
  vta.alu add outs(%acc : !acc) imm 5 bounds [%5] maps [#id]
  // CHECK-NEXT: iter [1, 5]
  %small = arith.constant 5 : i32
  %cast = arith.index_cast %small : i32 to index
  vta.alu add outs(%acc : !acc) imm 6 bounds [%cast] maps [#id]
  // CHECK-NEXT: vta.insn.finish
  return
}

// Buffers may be swapped from one iteration to the next, and chosen.
// CHECK-LABEL: vta.program @buffers() uops <[0, 0, 0], [100, 100, 0]>
func.func @buffers() attributes {target = #vta} {
  %a = memref.alloc() : !acc
  %b = memref.alloc() : !acc
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  // CHECK-NEXT: vta.insn.alu max imm 0 uop [0, 1]
  // CHECK-NEXT: vta.insn.alu max imm 0 uop [1, 2]
  %r:2 = scf.for %i = %c0 to %c2 step %c1 iter_args(%x = %a, %y = %b) -> (!acc, !acc) {
    vta.alu max outs(%x : !acc) imm 0 bounds [4] maps [#id]
    scf.yield %y, %x : !acc, !acc
  }
  // CHECK-NEXT: vta.insn.alu max imm 1 uop [0, 1]
  vta.alu max outs(%r#0 : !acc) imm 1 bounds [4] maps [#id]
  // CHECK-NEXT: vta.insn.alu max imm 2 uop [1, 2]
  %first = arith.cmpi eq, %c0, %c1 : index
  %chosen = scf.if %first -> !acc {
    scf.yield %a : !acc
  } else {
    scf.yield %b : !acc
  }
  vta.alu max outs(%chosen : !acc) imm 2 bounds [4] maps [#id]
  return
}

// CHECK-LABEL: vta.program @views() uops <[0, 0, 0], [30, 0, 0], [31, 0, 0]>
func.func @views() attributes {target = #vta} {
  %a = memref.alloc() : memref<10x10x1x16xi32, #vta.mem<acc>>
  %c0 = arith.constant 0 : index
  %c3 = arith.constant 3 : index
  // CHECK-NEXT: vta.insn.gemm reset uop [0, 1] iter [1, 100]
  %flat = memref.collapse_shape %a [[0, 1], [2], [3]] : memref<10x10x1x16xi32, #vta.mem<acc>> into !acc
  vta.reset outs(%flat : !acc)
  // CHECK-NEXT: vta.insn.gemm reset uop [0, 1] iter [4, 2] dst [25, 1]
  %parts = memref.expand_shape %flat [[0, 1], [2], [3]] output_shape [4, 25, 1, 16] : !acc into memref<4x25x1x16xi32, #vta.mem<acc>>
  %part = memref.subview %parts[0, 0, 0, 0] [4, 2, 1, 16] [1, 1, 1, 1]
      : memref<4x25x1x16xi32, #vta.mem<acc>> to memref<4x2x1x16xi32, strided<[400, 16, 16, 1]>, #vta.mem<acc>>
  vta.reset outs(%part : memref<4x2x1x16xi32, strided<[400, 16, 16, 1]>, #vta.mem<acc>>)
  // A row, without the dimension.
  // CHECK-NEXT: vta.insn.gemm reset uop [1, 2] iter [1, 10] dst [0, 1]
  %row = memref.subview %a[%c3, 0, 0, 0] [1, 10, 1, 16] [1, 1, 1, 1]
      : memref<10x10x1x16xi32, #vta.mem<acc>> to memref<10x1x16xi32, strided<[16, 16, 1], offset: ?>, #vta.mem<acc>>
  vta.reset outs(%row : memref<10x1x16xi32, strided<[16, 16, 1], offset: ?>, #vta.mem<acc>>)
  // CHECK-NEXT: vta.insn.gemm reset uop [2, 3] iter [1, 3] dst [0, 2]
  %cast = memref.reinterpret_cast %row to offset: [496], sizes: [3, 1, 16], strides: [32, 16, 1]
      : memref<10x1x16xi32, strided<[16, 16, 1], offset: ?>, #vta.mem<acc>> to memref<3x1x16xi32, strided<[32, 16, 1], offset: 496>, #vta.mem<acc>>
  vta.reset outs(%cast : memref<3x1x16xi32, strided<[32, 16, 1], offset: 496>, #vta.mem<acc>>)
  // CHECK-NEXT: vta.insn.alu max imm 1 uop [0, 1] iter [1, 10]
  %size = memref.dim %row, %c0 : memref<10x1x16xi32, strided<[16, 16, 1], offset: ?>, #vta.mem<acc>>
  vta.alu max outs(%flat : !acc) imm 1 bounds [%size] maps [#id]
  return
}
}
