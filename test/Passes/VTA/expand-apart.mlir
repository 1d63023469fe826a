// RUN: acc-opt %s -vta-allocate-scratchpads -vta-expand="alu-steps-apart=1" | FileCheck %s --check-prefix=NEAR
// RUN: acc-opt %s -vta-allocate-scratchpads -vta-expand="alu-steps-apart=8" | FileCheck %s --check-prefix=FAR

#vta = #vta.config<>

module attributes {vta.config = #vta} {
// Maxima over windows of 3 x 3: so many accumulators take turns, one (whose next term follows at once) or eight.
// NEAR: vta.program @pool
// NEAR-SAME: uops <[0, 64, 0], [0, 65, 0], [0, 66, 0],
// FAR: vta.program @pool
// FAR-SAME: uops <[0, 64, 0], [1, 66, 0], [2, 68, 0], [3, 70, 0], [4, 72, 0], [5, 74, 0], [6, 76, 0], [7, 78, 0], [0, 65, 0],
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
