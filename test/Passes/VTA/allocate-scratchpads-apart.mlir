// RUN: acc-opt %s -vta-allocate-scratchpads=threads-apart=true | FileCheck %s

// The accumulators of virtual threads lie in different halves.

#vta = #vta.config<>
#id = affine_map<(d0) -> (d0)>
#zero = affine_map<(d0) -> (0)>

module attributes {vta.config = #vta} {
// Each thread has its bias beside it; both need the factor, which is loaded for either.
// CHECK-LABEL: func @two
func.func @two(%dram: memref<1x1x16xi32, #vta.mem<dram>>) attributes {target = #vta} {
  // CHECK: %[[COPY:.*]] = memref.alloc() {vta.entries = 1 : i64, vta.offset = 1024 : i64}
  // CHECK: %[[FACTOR:.*]] = memref.alloc() {vta.entries = 1 : i64, vta.offset = 0 : i64}
  %factor = memref.alloc() : memref<1x1x16xi32, #vta.mem<acc>>
  // CHECK-DAG: vta.load %{{.*}}, %[[COPY]]
  // CHECK-DAG: vta.load %{{.*}}, %[[FACTOR]]
  vta.load %dram, %factor low [0] high [0] : memref<1x1x16xi32, #vta.mem<dram>>, memref<1x1x16xi32, #vta.mem<acc>>
  // CHECK: %[[BIAS:.*]] = memref.alloc() {vta.entries = 1 : i64, vta.offset = 1025 : i64}
  %bias = memref.alloc() : memref<1x1x16xi32, #vta.mem<acc>>
  vta.load %dram, %bias low [0] high [0] : memref<1x1x16xi32, #vta.mem<dram>>, memref<1x1x16xi32, #vta.mem<acc>>
  // CHECK: %[[A:.*]] = memref.alloc() {vta.entries = 900 : i64, vta.offset = 1 : i64}
  %a = memref.alloc() : memref<900x1x16xi32, #vta.mem<acc>>
  // CHECK: %[[B:.*]] = memref.alloc() {vta.entries = 800 : i64, vta.offset = 1026 : i64}
  %b = memref.alloc() : memref<800x1x16xi32, #vta.mem<acc>>
  vta.reset outs(%a : memref<900x1x16xi32, #vta.mem<acc>>)
  vta.reset outs(%b : memref<800x1x16xi32, #vta.mem<acc>>)
  // CHECK: vta.alu mul outs(%[[A]] {{.*}} ins(%[[FACTOR]]
  vta.alu mul outs(%a : memref<900x1x16xi32, #vta.mem<acc>>) ins(%factor : memref<1x1x16xi32, #vta.mem<acc>>) bounds [900] maps [#id, #zero]
  // CHECK: vta.alu add outs(%[[B]] {{.*}} ins(%[[BIAS]]
  vta.alu add outs(%b : memref<800x1x16xi32, #vta.mem<acc>>) ins(%bias : memref<1x1x16xi32, #vta.mem<acc>>) bounds [800] maps [#id, #zero]
  // CHECK: vta.alu mul outs(%[[B]] {{.*}} ins(%[[COPY]]
  vta.alu mul outs(%b : memref<800x1x16xi32, #vta.mem<acc>>) ins(%factor : memref<1x1x16xi32, #vta.mem<acc>>) bounds [800] maps [#id, #zero]
  return
}

// What an operation has together is one thread.
// CHECK-LABEL: func @one
func.func @one() attributes {target = #vta} {
  // CHECK: memref.alloc() {vta.entries = 900 : i64, vta.offset = 0 : i64}
  %a = memref.alloc() : memref<900x1x16xi32, #vta.mem<acc>>
  // CHECK: memref.alloc() {vta.entries = 800 : i64, vta.offset = 900 : i64}
  %b = memref.alloc() : memref<800x1x16xi32, #vta.mem<acc>>
  vta.reset outs(%a : memref<900x1x16xi32, #vta.mem<acc>>)
  vta.reset outs(%b : memref<800x1x16xi32, #vta.mem<acc>>)
  vta.alu add outs(%a : memref<900x1x16xi32, #vta.mem<acc>>) ins(%b : memref<800x1x16xi32, #vta.mem<acc>>) bounds [800] maps [#id, #id]
  return
}

// A half is too small for the larger one.
// CHECK-LABEL: func @large
func.func @large() attributes {target = #vta} {
  // CHECK: memref.alloc() {vta.entries = 1100 : i64, vta.offset = 0 : i64}
  %a = memref.alloc() : memref<1100x1x16xi32, #vta.mem<acc>>
  // CHECK: memref.alloc() {vta.entries = 800 : i64, vta.offset = 1100 : i64}
  %b = memref.alloc() : memref<800x1x16xi32, #vta.mem<acc>>
  vta.reset outs(%a : memref<1100x1x16xi32, #vta.mem<acc>>)
  vta.reset outs(%b : memref<800x1x16xi32, #vta.mem<acc>>)
  return
}
}
