// RUN: acc-opt %s | acc-opt | FileCheck %s
// RUN: acc-opt %s -mlir-print-op-generic | acc-opt | FileCheck %s

#vta = #vta.config<>

#id = affine_map<(b, o) -> (b, o)>

// CHECK-LABEL: te.intrin @vta_max_imm emits "vta.alu" with {op = #vta<alu_op max>} {
// CHECK-NEXT: ^bb0(%{{.*}}: memref<1x16xi32, #vta.mem<acc>>, %{{.*}}: i32):
// CHECK-NEXT: linalg.generic
te.intrin @vta_max_imm emits "vta.alu" with {op = #vta<alu_op max>} {
^bb0(%acc: memref<1x16xi32, #vta.mem<acc>>, %imm: i32):
  linalg.generic {indexing_maps = [#id], iterator_types = ["parallel", "parallel"]}
      outs(%acc : memref<1x16xi32, #vta.mem<acc>>) {
  ^bb0(%a: i32):
    %0 = arith.maxsi %a, %imm : i32
    linalg.yield %0 : i32
  }
}

// CHECK-LABEL: te.intrin @vta_reset emits "vta.reset" {
te.intrin @vta_reset emits "vta.reset" {
^bb0(%acc: memref<1x16xi32, #vta.mem<acc>>):
  %zero = arith.constant 0 : i32
  linalg.fill ins(%zero : i32) outs(%acc : memref<1x16xi32, #vta.mem<acc>>)
}

// CHECK-LABEL: te.kernel @staged
// CHECK-SAME: schedule = #te.schedule<tiles = [#te.tile<sizes = [2, 0, 8], order = [2, 0]>,
// CHECK-SAME: #te.tile<sizes = [2], kind = vthread>, #te.tile<sizes = [0, 4]>], caches = [#te.cache<arg = 0, memory = #vta.mem<inp>, level = 1, slots = 2>],
// CHECK-SAME: accumulator = #vta.mem<acc>, intrinsic = @vta_gemm>
te.kernel @staged(%x: tensor<4x1x16xi8>, %out: tensor<4x1x16xi8>) -> tensor<4x1x16xi8> attributes {
    target = #vta, layers = ["layer"],
    schedule = #te.schedule<
      tiles = [#te.tile<sizes = [2, 0, 8], order = [2, 0]>, #te.tile<sizes = [2], kind = vthread>,
               #te.tile<sizes = [0, 4], kind = serial>],
      caches = [#te.cache<arg = 0, memory = #vta.mem<inp>, level = 1, slots = 2>],
      accumulator = #vta.mem<acc>, intrinsic = @vta_gemm>} {
  %c1 = arith.constant 1 : index
  %b = bufferization.alloc_tensor() {memory_space = #vta.mem<acc>} : tensor<6x1x16xi32>
  // CHECK: %[[READ:.*]] = te.cache_read ins(%{{.*}} : tensor<4x1x16xi8>) outs(%{{.*}} : tensor<6x1x16xi32>)
  // CHECK-SAME: low [%{{.*}}, 0, 0] high [1, 0, 0] -> tensor<6x1x16xi32>
  %r = te.cache_read ins(%x : tensor<4x1x16xi8>) outs(%b : tensor<6x1x16xi32>) low [%c1, 0, 0] high [1, 0, 0]
      -> tensor<6x1x16xi32>
  %s = tensor.extract_slice %r[1, 0, 0] [4, 1, 16] [1, 1, 1] : tensor<6x1x16xi32> to tensor<4x1x16xi32>
  // CHECK: te.cache_write ins(%{{.*}} : tensor<4x1x16xi32>) outs(%{{.*}} : tensor<4x1x16xi8>) -> tensor<4x1x16xi8>
  %w = te.cache_write ins(%s : tensor<4x1x16xi32>) outs(%out : tensor<4x1x16xi8>) -> tensor<4x1x16xi8>
  te.return %w : tensor<4x1x16xi8>
}

// CHECK-LABEL: te.kernel @buffers
te.kernel @buffers(%x: memref<4x1x16xi8, #vta.mem<dram>>, %y: memref<4x1x16xi8, #vta.mem<dram>>)
    attributes {target = #vta} {
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  %c4 = arith.constant 4 : index
  // CHECK: scf.for
  scf.for %i = %c0 to %c4 step %c2 {
    %b = memref.alloc() : memref<4x1x16xi32, #vta.mem<acc>>
    // CHECK: te.cache_read ins(%{{.*}} : memref<4x1x16xi8, #vta.mem<dram>>) outs(%{{.*}}) low [0, 0, 0] high [0, 0, 0]
    te.cache_read ins(%x : memref<4x1x16xi8, #vta.mem<dram>>) outs(%b : memref<4x1x16xi32, #vta.mem<acc>>)
        low [0, 0, 0] high [0, 0, 0]
    te.cache_write ins(%b : memref<4x1x16xi32, #vta.mem<acc>>) outs(%y : memref<4x1x16xi8, #vta.mem<dram>>)
    // CHECK: } {te.loop = array<i64: 0, 1>, te.vthread = 2 : i64}
  } {te.loop = array<i64: 0, 1>, te.vthread = 2 : i64}
  te.return
}

// CHECK-LABEL: func.func @launch
func.func @launch(%x: tensor<4x1x16xi8>, %out: tensor<4x1x16xi8>) -> tensor<4x1x16xi8> {
  // CHECK: te.launch @staged ins(%{{.*}} : tensor<4x1x16xi8>) outs(%{{.*}} : tensor<4x1x16xi8>) -> tensor<4x1x16xi8>
  %y = te.launch @staged ins(%x : tensor<4x1x16xi8>) outs(%out : tensor<4x1x16xi8>) -> tensor<4x1x16xi8>
  return %y : tensor<4x1x16xi8>
}

// CHECK-LABEL: func.func @check
// CHECK-SAME: (%[[OK:.*]]: i1, %[[A:.*]]: index, %[[B:.*]]: index)
func.func @check(%ok: i1, %a: index, %b: index) {
  // CHECK: te.check %[[OK]], ["there is nothing"]
  te.check %ok, ["there is nothing"]
  // CHECK: te.check %[[OK]], ["node 'r': ", " is not ", ""](%[[A]], %[[B]])
  te.check %ok, ["node 'r': ", " is not ", ""](%a, %b)
  return
}

// CHECK: te.program @scale for #te.target<name = "toy", scratchpads = []> (memref<8xi8>, memref<8xi8>) written 1 data "scale 2\0A"
te.program @scale for #te.target<name = "toy", scratchpads = []> (memref<8xi8>, memref<8xi8>) written 1 data "scale 2\0A"

// CHECK-LABEL: func.func @run
func.func @run(%x: memref<8xi8>, %y: memref<8xi8>) {
  // CHECK: te.launch @scale ins(%{{.*}} : memref<8xi8>) outs(%{{.*}} : memref<8xi8>)
  te.launch @scale ins(%x : memref<8xi8>) outs(%y : memref<8xi8>)
  return
}
