// RUN: acc-opt %s -vta-allocate-scratchpads -vta-expand | FileCheck %s

#vta = #vta.config<>

!x = memref<4x14x14x1x16xi8, #vta.mem<dram>>
#strided = strided<[3136, 224, 16, 16, 1], offset: ?>
module attributes {vta.config = #vta} {

// CHECK-LABEL: vta.program @contiguous
func.func @contiguous(%x: !x, %y: !x) attributes {target = #vta} {
  %inp = memref.alloc() : memref<4x14x14x1x16xi8, #vta.mem<inp>>
  %acc = memref.alloc() : memref<4x14x14x1x16xi32, #vta.mem<acc>>
  // CHECK-NEXT: vta.insn.load inp sram 0 dram 0[0] size [1, 784] stride 784
  vta.load %x, %inp low [0, 0, 0] high [0, 0, 0] : !x, memref<4x14x14x1x16xi8, #vta.mem<inp>>
  // CHECK-NEXT: vta.insn.load acc8 sram 0 dram 0[0] size [1, 784] stride 784
  vta.load %x, %acc low [0, 0, 0] high [0, 0, 0] : !x, memref<4x14x14x1x16xi32, #vta.mem<acc>>
  // CHECK-NEXT: vta.insn.store out sram 0 dram 1[0] size [1, 784] stride 784
  vta.store %acc, %y : memref<4x14x14x1x16xi32, #vta.mem<acc>>, !x
  // CHECK-NEXT: vta.insn.finish
  return
}

// Rows of whole width merge; a tile narrower than that takes an instruction per
// block of channels.
// CHECK-LABEL: vta.program @tiles
func.func @tiles(%x: !x) attributes {target = #vta} {
  %c0 = arith.constant 0 : index
  %c7 = arith.constant 7 : index
  %c14 = arith.constant 14 : index
  %a = memref.alloc() : memref<4x7x14x1x16xi8, #vta.mem<inp>>
  %b = memref.alloc() : memref<2x7x7x1x16xi8, #vta.mem<inp>>
  scf.for %i = %c0 to %c14 step %c7 {
    // CHECK-NEXT: vta.insn.load inp sram 0 dram 0[0] size [4, 98] stride 196
    // CHECK-NEXT: vta.insn.load inp sram 392 dram 0[399] size [7, 7] stride 14
    // CHECK-NEXT: vta.insn.load inp sram 441 dram 0[595] size [7, 7] stride 14
    // CHECK-NEXT: vta.insn.load inp sram 0 dram 0[98] size [4, 98] stride 196
    %rows = memref.subview %x[0, %i, 0, 0, 0] [4, 7, 14, 1, 16] [1, 1, 1, 1, 1] : !x to memref<4x7x14x1x16xi8, #strided, #vta.mem<dram>>
    vta.load %rows, %a low [0, 0, 0] high [0, 0, 0] : memref<4x7x14x1x16xi8, #strided, #vta.mem<dram>>, memref<4x7x14x1x16xi8, #vta.mem<inp>>
    %tile = memref.subview %x[2, %i, 7, 0, 0] [2, 7, 7, 1, 16] [1, 1, 1, 1, 1] : !x to memref<2x7x7x1x16xi8, #strided, #vta.mem<dram>>
    vta.load %tile, %b low [0, 0, 0] high [0, 0, 0] : memref<2x7x7x1x16xi8, #strided, #vta.mem<dram>>, memref<2x7x7x1x16xi8, #vta.mem<inp>>
  }
  return
}

// CHECK-LABEL: vta.program @padding
func.func @padding(%x: memref<2x4x4x1x16xi8, #vta.mem<dram>>, %row: memref<8x1x16xi8, #vta.mem<dram>>) attributes {target = #vta} {
  // In both directions.
  // CHECK-NEXT: vta.insn.load inp sram 0 dram 0[0] size [4, 4] stride 4 pad [1, 2, 3, 0]
  // CHECK-NEXT: vta.insn.load inp sram 49 dram 0[16] size [4, 4] stride 4 pad [1, 2, 3, 0]
  %a = memref.alloc() : memref<2x7x7x1x16xi8, #vta.mem<inp>>
  vta.load %x, %a low [0, 1, 3] high [0, 2, 0] : memref<2x4x4x1x16xi8, #vta.mem<dram>>, memref<2x7x7x1x16xi8, #vta.mem<inp>>
  // Of whole blocks of channels, where there is nothing else to pad.
  // CHECK-NEXT: vta.insn.load inp sram 98 dram 0[0] size [2, 16] stride 16 pad [1, 0, 0, 0]
  %b = memref.alloc() : memref<3x4x4x1x16xi8, #vta.mem<inp>>
  vta.load %x, %b low [1, 0, 0] high [0, 0, 0] : memref<2x4x4x1x16xi8, #vta.mem<dram>>, memref<3x4x4x1x16xi8, #vta.mem<inp>>
  // Where there is: rows of zeros around no row.
  // CHECK-NEXT: vta.insn.load inp sram 146 dram 0[0] size [0, 25] stride 25 pad [1, 0, 0, 0]
  // CHECK-NEXT: vta.insn.load inp sram 171 dram 0[0] size [4, 4] stride 4 pad [0, 1, 1, 0]
  // CHECK-NEXT: vta.insn.load inp sram 196 dram 0[16] size [4, 4] stride 4 pad [0, 1, 1, 0]
  %d = memref.alloc() : memref<3x5x5x1x16xi8, #vta.mem<inp>>
  vta.load %x, %d low [1, 0, 1] high [0, 1, 0] : memref<2x4x4x1x16xi8, #vta.mem<dram>>, memref<3x5x5x1x16xi8, #vta.mem<inp>>
  // More than the field can hold.
  // CHECK-NEXT: vta.insn.load inp sram 221 dram 1[0] size [0, 40] stride 40 pad [1, 0, 0, 0]
  // CHECK-NEXT: vta.insn.load inp sram 241 dram 1[0] size [1, 8] stride 8
  %c = memref.alloc() : memref<40x1x16xi8, #vta.mem<inp>>
  vta.load %row, %c low [20] high [12] : memref<8x1x16xi8, #vta.mem<dram>>, memref<40x1x16xi8, #vta.mem<inp>>
  // CHECK-NEXT: vta.insn.finish
  return
}

// CHECK-LABEL: vta.program @empty
func.func @empty(%x: memref<8x1x16xi8, #vta.mem<dram>>) attributes {target = #vta} {
  %a = memref.alloc() : memref<8x1x16xi8, #vta.mem<inp>>
  %c0 = arith.constant 0 : index
  %c5 = arith.constant 5 : index
  %none = memref.subview %x[0, 0, 0] [%c0, 1, 16] [1, 1, 1] : memref<8x1x16xi8, #vta.mem<dram>> to memref<?x1x16xi8, strided<[16, 16, 1]>, #vta.mem<dram>>
  vta.load %none, %a low [0] high [0] : memref<?x1x16xi8, strided<[16, 16, 1]>, #vta.mem<dram>>, memref<8x1x16xi8, #vta.mem<inp>>
  // CHECK-NEXT: vta.insn.load inp sram 0 dram 0[0] size [0, 8] stride 8 pad [1, 0, 0, 0]
  vta.load %none, %a low [3] high [%c5] : memref<?x1x16xi8, strided<[16, 16, 1]>, #vta.mem<dram>>, memref<8x1x16xi8, #vta.mem<inp>>
  // Every other element.
  // CHECK-NEXT: vta.insn.load inp sram 0 dram 0[1] size [4, 1] stride 2
  %odd = memref.subview %x[1, 0, 0] [4, 1, 16] [2, 1, 1] : memref<8x1x16xi8, #vta.mem<dram>> to memref<4x1x16xi8, strided<[32, 16, 1], offset: 16>, #vta.mem<dram>>
  vta.load %odd, %a low [0] high [0] : memref<4x1x16xi8, strided<[32, 16, 1], offset: 16>, #vta.mem<dram>>, memref<8x1x16xi8, #vta.mem<inp>>
  // CHECK-NEXT: vta.insn.finish
  return
}
}
