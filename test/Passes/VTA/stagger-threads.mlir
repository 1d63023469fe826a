// RUN: acc-opt %s -vta-stagger-threads | FileCheck %s

#vta = #vta.config<>
#id = affine_map<(d0) -> (d0)>
#zero = affine_map<(d0) -> (0)>
#gemm = affine_map<(d0) -> (d0)>

module attributes {vta.config = #vta} {
// What the second thread does to its sums goes beside the product of the first, with the bias that it loads.
// CHECK-LABEL: func @chain
func.func @chain(%dram: memref<1x1x16xi32, #vta.mem<dram>>, %y: memref<8x1x16xi8, #vta.mem<dram>>, %x: memref<8x1x16xi8, #vta.mem<inp>>, %w: memref<1x16x16xi8, #vta.mem<wgt>>, %a: memref<8x1x16xi32, #vta.mem<acc>>, %b: memref<8x1x16xi32, #vta.mem<acc>>) attributes {target = #vta} {
  // CHECK: vta.gemm {{.*}} outs(%[[A:[a-z0-9]+]]
  vta.gemm ins(%x, %w : memref<8x1x16xi8, #vta.mem<inp>>, memref<1x16x16xi8, #vta.mem<wgt>>) outs(%a : memref<8x1x16xi32, #vta.mem<acc>>) bounds [8] maps [#id, #zero, #id]
  // CHECK: %[[BIAS:.*]] = memref.alloc
  // CHECK: vta.load %{{.*}}, %[[BIAS]]
  // CHECK: vta.alu add outs(%[[B:[a-z0-9]+]] {{.*}} ins(%[[BIAS]]
  // CHECK: vta.alu shr outs(%[[A]]
  // CHECK: vta.store %[[A]]
  // CHECK: vta.alu mul outs(%[[B]]
  // CHECK: vta.gemm {{.*}} outs(%[[B]]
  // CHECK: vta.alu shr outs(%[[B]]
  vta.alu shr outs(%a : memref<8x1x16xi32, #vta.mem<acc>>) imm 3 bounds [8] maps [#id]
  vta.store %a, %y : memref<8x1x16xi32, #vta.mem<acc>>, memref<8x1x16xi8, #vta.mem<dram>>
  %bias = memref.alloc() : memref<1x1x16xi32, #vta.mem<acc>>
  vta.load %dram, %bias low [0] high [0] : memref<1x1x16xi32, #vta.mem<dram>>, memref<1x1x16xi32, #vta.mem<acc>>
  vta.alu add outs(%b : memref<8x1x16xi32, #vta.mem<acc>>) ins(%bias : memref<1x1x16xi32, #vta.mem<acc>>) bounds [8] maps [#id, #zero]
  vta.alu mul outs(%b : memref<8x1x16xi32, #vta.mem<acc>>) imm 5 bounds [8] maps [#id]
  vta.gemm ins(%x, %w : memref<8x1x16xi8, #vta.mem<inp>>, memref<1x16x16xi8, #vta.mem<wgt>>) outs(%b : memref<8x1x16xi32, #vta.mem<acc>>) bounds [8] maps [#id, #zero, #id]
  vta.alu shr outs(%b : memref<8x1x16xi32, #vta.mem<acc>>) imm 3 bounds [8] maps [#id]
  return
}

// It needs the results of the first, or what another operation reads lies where its bias is loaded.
// CHECK-LABEL: func @bound
func.func @bound(%dram: memref<1x1x16xi32, #vta.mem<dram>>, %x: memref<8x1x16xi8, #vta.mem<inp>>, %w: memref<1x16x16xi8, #vta.mem<wgt>>, %a: memref<8x1x16xi32, #vta.mem<acc>>, %b: memref<8x1x16xi32, #vta.mem<acc>>, %bias: memref<1x1x16xi32, #vta.mem<acc>>) attributes {target = #vta} {
  // CHECK: vta.gemm {{.*}} outs(%[[A:[a-z0-9]+]]
  // CHECK: vta.alu shr outs(%[[A]]
  // CHECK: vta.alu add outs(%[[B:[a-z0-9]+]] {{.*}} ins(%[[A]]
  vta.gemm ins(%x, %w : memref<8x1x16xi8, #vta.mem<inp>>, memref<1x16x16xi8, #vta.mem<wgt>>) outs(%a : memref<8x1x16xi32, #vta.mem<acc>>) bounds [8] maps [#id, #zero, #id]
  vta.alu shr outs(%a : memref<8x1x16xi32, #vta.mem<acc>>) imm 3 bounds [8] maps [#id]
  vta.alu add outs(%b : memref<8x1x16xi32, #vta.mem<acc>>) ins(%a : memref<8x1x16xi32, #vta.mem<acc>>) bounds [8] maps [#id, #id]
  // CHECK: vta.gemm {{.*}} outs(%[[A]]
  // CHECK: vta.alu add outs(%[[A]]
  // CHECK: vta.load
  // CHECK: vta.alu add outs(%[[B]]
  vta.gemm ins(%x, %w : memref<8x1x16xi8, #vta.mem<inp>>, memref<1x16x16xi8, #vta.mem<wgt>>) outs(%a : memref<8x1x16xi32, #vta.mem<acc>>) bounds [8] maps [#id, #zero, #id]
  vta.alu add outs(%a : memref<8x1x16xi32, #vta.mem<acc>>) ins(%bias : memref<1x1x16xi32, #vta.mem<acc>>) bounds [8] maps [#id, #zero]
  vta.load %dram, %bias low [0] high [0] : memref<1x1x16xi32, #vta.mem<dram>>, memref<1x1x16xi32, #vta.mem<acc>>
  vta.alu add outs(%b : memref<8x1x16xi32, #vta.mem<acc>>) ins(%bias : memref<1x1x16xi32, #vta.mem<acc>>) bounds [8] maps [#id, #zero]
  return
}

// What works in place goes there with the LOAD of what it works on.
// CHECK-LABEL: func @in_place
func.func @in_place(%dram: memref<8x1x16xi8, #vta.mem<dram>>, %x: memref<8x1x16xi8, #vta.mem<inp>>, %w: memref<1x16x16xi8, #vta.mem<wgt>>, %a: memref<8x1x16xi32, #vta.mem<acc>>) attributes {target = #vta} {
  // CHECK: vta.gemm {{.*}} outs(%[[A:[a-z0-9]+]]
  // CHECK: vta.load %{{.*}}, %[[B:[a-z0-9_]+]]
  // CHECK: vta.alu mul outs(%[[B]]
  // CHECK: vta.alu shr outs(%[[A]]
  vta.gemm ins(%x, %w : memref<8x1x16xi8, #vta.mem<inp>>, memref<1x16x16xi8, #vta.mem<wgt>>) outs(%a : memref<8x1x16xi32, #vta.mem<acc>>) bounds [8] maps [#id, #zero, #id]
  vta.alu shr outs(%a : memref<8x1x16xi32, #vta.mem<acc>>) imm 3 bounds [8] maps [#id]
  %b = memref.alloc() : memref<8x1x16xi32, #vta.mem<acc>>
  vta.load %dram, %b low [0] high [0] : memref<8x1x16xi8, #vta.mem<dram>>, memref<8x1x16xi32, #vta.mem<acc>>
  vta.alu mul outs(%b : memref<8x1x16xi32, #vta.mem<acc>>) imm 5 bounds [8] maps [#id]
  return
}
}
