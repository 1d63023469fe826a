// A scheduled kernel, pass by pass, to the instructions of the accelerator.
// RUN: acc-opt %s --pass-pipeline='builtin.module(te-declare-intrins,te.kernel(te-tile,te-vthread,te-cache,te-bufferize),te-tensorize,te.kernel(te-dma,te-lower-vthread),vta-allocate-scratchpads,vta-expand,vta.program(vta-cache-uops,vta-insert-tokens,vta-verify-program))' \
// RUN:   | FileCheck %s

#vta = #vta.config<log_block = 4>
#id = affine_map<(n, c, h, w, b, o) -> (n, c, h, w, b, o)>

// Two virtual threads: both halves of the channels are loaded as accumulators, shifted and stored.
// CHECK-LABEL: vta.program @halve
// CHECK: vta.insn.load uop
// CHECK: vta.insn.load acc8
// CHECK: vta.insn.alu shr
// CHECK-SAME: imm 1
// CHECK: vta.insn.store
// CHECK: vta.insn.finish
module attributes {vta.config = #vta} {
  te.kernel @halve(%x: tensor<1x2x4x4x1x16xi8>, %out: tensor<1x2x4x4x1x16xi8>) -> tensor<1x2x4x4x1x16xi8>
      attributes {target = #vta, layers = ["halve"], schedule = #te.schedule<
          tiles = [#te.tile<sizes = [1, 1, 4, 4]>, #te.tile<sizes = [0, 2], kind = vthread>],
          caches = [#te.cache<arg = 0, memory = #vta.mem<acc>, level = 0>], accumulator = #vta.mem<acc>>} {
    %c1 = arith.constant 1 : i32
    %e = tensor.empty() : tensor<1x2x4x4x1x16xi32>
    %wide = linalg.generic {indexing_maps = [#id, #id],
        iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel", "parallel"]}
        ins(%x : tensor<1x2x4x4x1x16xi8>) outs(%e : tensor<1x2x4x4x1x16xi32>) {
    ^bb0(%v: i8, %a: i32):
      %0 = arith.extsi %v : i8 to i32
      linalg.yield %0 : i32
    } -> tensor<1x2x4x4x1x16xi32>
    %half = linalg.generic {indexing_maps = [#id],
        iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel", "parallel"]}
        outs(%wide : tensor<1x2x4x4x1x16xi32>) {
    ^bb0(%a: i32):
      %0 = arith.shrsi %a, %c1 : i32
      linalg.yield %0 : i32
    } -> tensor<1x2x4x4x1x16xi32>
    %narrow = linalg.generic {indexing_maps = [#id, #id],
        iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel", "parallel"]}
        ins(%half : tensor<1x2x4x4x1x16xi32>) outs(%out : tensor<1x2x4x4x1x16xi8>) {
    ^bb0(%a: i32, %o: i8):
      %0 = arith.trunci %a : i32 to i8
      linalg.yield %0 : i8
    } -> tensor<1x2x4x4x1x16xi8>
    te.return %narrow : tensor<1x2x4x4x1x16xi8>
  }
}
