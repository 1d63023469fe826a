// RUN: acc-opt %s | acc-opt | FileCheck %s

!dram = memref<1x4x56x56x1x16xi8, #vta.mem<dram>>
!tile = memref<1x4x?x?x1x16xi8, strided<[200704, 50176, 896, 16, 16, 1], offset: ?>, #vta.mem<dram>>
!inp = memref<4x16x16x1x16xi8, #vta.mem<inp>>
!wgt = memref<2x4x3x3x16x16xi8, #vta.mem<wgt>>
!acc = memref<2x14x14x1x16xi32, #vta.mem<acc>>

// CHECK-LABEL: func @transfers
func.func @transfers(%src: !tile, %dst: memref<1x4x16x16x1x16xi8, #vta.mem<inp>>,
                     %bias: memref<2x1x16xi32, #vta.mem<dram>>,
                     %bias_acc: memref<2x1x16xi32, #vta.mem<acc>>,
                     %bytes: memref<2x14x14x1x16xi8, #vta.mem<dram>>, %acc: !acc,
                     %lo: index, %hi: index) {
  // CHECK: vta.load %{{.*}}, %{{.*}} low [0, 0, 1, %{{.*}}] high [0, 0, %{{.*}}, 0] :
  vta.load %src, %dst low [0, 0, 1, %lo] high [0, 0, %hi, 0]
      : !tile, memref<1x4x16x16x1x16xi8, #vta.mem<inp>>
  // CHECK: vta.load %{{.*}}, %{{.*}} low [0] high [0] : memref<2x1x16xi32, #vta.mem<dram>>, memref<2x1x16xi32, #vta.mem<acc>>
  vta.load %bias, %bias_acc low [0] high [0]
      : memref<2x1x16xi32, #vta.mem<dram>>, memref<2x1x16xi32, #vta.mem<acc>>
  // CHECK: vta.load %{{.*}}, %{{.*}} low [0, 0, 0] high [0, 0, 0] : memref<2x14x14x1x16xi8, #vta.mem<dram>>, memref<2x14x14x1x16xi32, #vta.mem<acc>>
  vta.load %bytes, %acc low [0, 0, 0] high [0, 0, 0]
      : memref<2x14x14x1x16xi8, #vta.mem<dram>>, !acc
  // CHECK: vta.store %{{.*}}, %{{.*}} : memref<2x14x14x1x16xi32, #vta.mem<acc>>, memref<2x14x14x1x16xi8, #vta.mem<dram>>
  vta.store %acc, %bytes : !acc, memref<2x14x14x1x16xi8, #vta.mem<dram>>
  return
}

// CHECK-LABEL: func @compute
func.func @compute(%inp: !inp, %wgt: !wgt, %acc: !acc,
                   %bias: memref<2x1x16xi32, #vta.mem<acc>>, %ow: index) {
  // CHECK: vta.reset outs(%{{.*}} : memref<2x14x14x1x16xi32, #vta.mem<acc>>)
  vta.reset outs(%acc : !acc)
  // CHECK: vta.gemm ins(%{{.*}}, %{{.*}} : memref<4x16x16x1x16xi8, #vta.mem<inp>>, memref<2x4x3x3x16x16xi8, #vta.mem<wgt>>)
  // CHECK-SAME: outs(%{{.*}} : memref<2x14x14x1x16xi32, #vta.mem<acc>>) bounds [2, 14, %{{.*}}, 4, 3, 3] maps
  vta.gemm ins(%inp, %wgt : !inp, !wgt) outs(%acc : !acc)
      bounds [2, 14, %ow, 4, 3, 3]
      maps [affine_map<(oc, oh, ow, ic, kh, kw) -> (ic, oh + kh, ow + kw)>,
            affine_map<(oc, oh, ow, ic, kh, kw) -> (oc, ic, kh, kw)>,
            affine_map<(oc, oh, ow, ic, kh, kw) -> (oc, oh, ow)>]
  // CHECK: vta.alu add outs(%{{.*}}) ins(%{{.*}} : memref<2x1x16xi32, #vta.mem<acc>>) bounds [2, 14, 14] maps
  vta.alu add outs(%acc : !acc) ins(%bias : memref<2x1x16xi32, #vta.mem<acc>>)
      bounds [2, 14, 14]
      maps [affine_map<(d0, d1, d2) -> (d0, d1, d2)>, affine_map<(d0, d1, d2) -> (d0)>]
  // CHECK: vta.alu shr outs(%{{.*}}) imm -3 bounds [2, 14, 14] maps
  vta.alu shr outs(%acc : !acc) imm -3 bounds [2, 14, 14]
      maps [affine_map<(d0, d1, d2) -> (d0, d1, d2)>]
  return
}
