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
  // CHECK: vta.gemm window ins(%{{.*}}, %{{.*}} : memref<4x16x16x1x16xi8, #vta.mem<inp>>, memref<2x4x3x3x16x16xi8, #vta.mem<wgt>>)
  vta.gemm window ins(%inp, %wgt : !inp, !wgt) outs(%acc : !acc)
      bounds [2, 14, %ow, 3]
      maps [affine_map<(c, oh, ow, kh) -> (c, oh + kh, ow)>,
            affine_map<(c, oh, ow, kh) -> (c, 0, kh, 0)>,
            affine_map<(c, oh, ow, kh) -> (c, oh, ow)>]
  // CHECK: vta.alu add outs(%{{.*}}) ins(%{{.*}} : memref<2x1x16xi32, #vta.mem<acc>>) bounds [2, 14, 14] maps
  vta.alu add outs(%acc : !acc) ins(%bias : memref<2x1x16xi32, #vta.mem<acc>>)
      bounds [2, 14, 14]
      maps [affine_map<(d0, d1, d2) -> (d0, d1, d2)>, affine_map<(d0, d1, d2) -> (d0)>]
  // CHECK: vta.alu shr outs(%{{.*}}) imm -3 bounds [2, 14, 14] maps
  vta.alu shr outs(%acc : !acc) imm -3 bounds [2, 14, 14]
      maps [affine_map<(d0, d1, d2) -> (d0, d1, d2)>]
  // CHECK: vta.alu table outs(%{{.*}}) table {{\[}}-128, {{.*}} 127] bounds [2, 14, 14] maps
  vta.alu table outs(%acc : !acc) table [-128, -127, -126, -125, -124, -123, -122, -121, -120, -119, -118, -117, -116, -115, -114, -113, -112, -111, -110, -109, -108, -107, -106, -105, -104, -103, -102, -101, -100, -99, -98, -97, -96, -95, -94, -93, -92, -91, -90, -89, -88, -87, -86, -85, -84, -83, -82, -81, -80, -79, -78, -77, -76, -75, -74, -73, -72, -71, -70, -69, -68, -67, -66, -65, -64, -63, -62, -61, -60, -59, -58, -57, -56, -55, -54, -53, -52, -51, -50, -49, -48, -47, -46, -45, -44, -43, -42, -41, -40, -39, -38, -37, -36, -35, -34, -33, -32, -31, -30, -29, -28, -27, -26, -25, -24, -23, -22, -21, -20, -19, -18, -17, -16, -15, -14, -13, -12, -11, -10, -9, -8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63, 64, 65, 66, 67, 68, 69, 70, 71, 72, 73, 74, 75, 76, 77, 78, 79, 80, 81, 82, 83, 84, 85, 86, 87, 88, 89, 90, 91, 92, 93, 94, 95, 96, 97, 98, 99, 100, 101, 102, 103, 104, 105, 106, 107, 108, 109, 110, 111, 112, 113, 114, 115, 116, 117, 118, 119, 120, 121, 122, 123, 124, 125, 126, 127]
      bounds [2, 14, 14] maps [affine_map<(d0, d1, d2) -> (d0, d1, d2)>]
  return
}

// CHECK-LABEL: @steps
func.func @steps(%a: i32) -> i32 {
  // CHECK: vta.lookup_step %{{.*}} in {{\[}}-128, {{.*}} 127]
  %0 = vta.lookup_step %a in [-128, -127, -126, -125, -124, -123, -122, -121, -120, -119, -118, -117, -116, -115, -114, -113, -112, -111, -110, -109, -108, -107, -106, -105, -104, -103, -102, -101, -100, -99, -98, -97, -96, -95, -94, -93, -92, -91, -90, -89, -88, -87, -86, -85, -84, -83, -82, -81, -80, -79, -78, -77, -76, -75, -74, -73, -72, -71, -70, -69, -68, -67, -66, -65, -64, -63, -62, -61, -60, -59, -58, -57, -56, -55, -54, -53, -52, -51, -50, -49, -48, -47, -46, -45, -44, -43, -42, -41, -40, -39, -38, -37, -36, -35, -34, -33, -32, -31, -30, -29, -28, -27, -26, -25, -24, -23, -22, -21, -20, -19, -18, -17, -16, -15, -14, -13, -12, -11, -10, -9, -8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63, 64, 65, 66, 67, 68, 69, 70, 71, 72, 73, 74, 75, 76, 77, 78, 79, 80, 81, 82, 83, 84, 85, 86, 87, 88, 89, 90, 91, 92, 93, 94, 95, 96, 97, 98, 99, 100, 101, 102, 103, 104, 105, 106, 107, 108, 109, 110, 111, 112, 113, 114, 115, 116, 117, 118, 119, 120, 121, 122, 123, 124, 125, 126, 127]
  // CHECK: vta.lookup_step %{{[0-9]+}}{{$}}
  %1 = vta.lookup_step %0
  return %1 : i32
}
