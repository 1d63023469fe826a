// RUN: acc-opt %s -split-input-file -verify-diagnostics

func.func @space(%a: memref<4x1x16xi8, #vta.mem<inp>>, %b: memref<4x1x16xi8, #vta.mem<inp>>) {
  // expected-error @below {{source must be in memory space dram}}
  vta.load %a, %b low [0] high [0] : memref<4x1x16xi8, #vta.mem<inp>>, memref<4x1x16xi8, #vta.mem<inp>>
  return
}

// -----

func.func @box(%a: memref<4x1x16xi8, #vta.mem<dram>>, %b: memref<5x1x16xi8, #vta.mem<inp>>) {
  // expected-error @below {{writes 1 + 4 + 1 elements in dimension 0 of the target, which has 5}}
  vta.load %a, %b low [1] high [1] : memref<4x1x16xi8, #vta.mem<dram>>, memref<5x1x16xi8, #vta.mem<inp>>
  return
}

// -----

func.func @tile(%a: memref<4x1x16xi8, #vta.mem<dram>>, %b: memref<4x1x8xi8, #vta.mem<inp>>) {
  // expected-error @below {{must have equal innermost two dimensions}}
  vta.load %a, %b low [0] high [0] : memref<4x1x16xi8, #vta.mem<dram>>, memref<4x1x8xi8, #vta.mem<inp>>
  return
}

// -----

func.func @pad(%a: memref<4x1x16xi8, #vta.mem<dram>>, %b: memref<4x1x16xi8, #vta.mem<inp>>) {
  // expected-error @below {{low must have one entry for each of the 1 outer dimensions, but has 2}}
  vta.load %a, %b low [0, 0] high [0] : memref<4x1x16xi8, #vta.mem<dram>>, memref<4x1x16xi8, #vta.mem<inp>>
  return
}

// -----

func.func @extend(%a: memref<4x1x16xi32, #vta.mem<dram>>, %b: memref<4x1x16xi8, #vta.mem<inp>>) {
  // expected-error @below {{cannot convert from 'i32' to 'i8'; only i8 or less to accumulators is extended}}
  vta.load %a, %b low [0] high [0] : memref<4x1x16xi32, #vta.mem<dram>>, memref<4x1x16xi8, #vta.mem<inp>>
  return
}

// -----

func.func @width(%a: memref<4x1x16xi32, #vta.mem<acc>>, %b: memref<4x1x16xi32, #vta.mem<dram>>) {
  // expected-error @below {{target must have elements of i8}}
  vta.store %a, %b : memref<4x1x16xi32, #vta.mem<acc>>, memref<4x1x16xi32, #vta.mem<dram>>
  return
}

// -----

func.func @elements(%i: memref<4x1x16xi8, #vta.mem<inp>>, %w: memref<4x16x8xi8, #vta.mem<wgt>>,
                    %a: memref<4x1x16xi32, #vta.mem<acc>>) {
  // expected-error @below {{hardware elements do not match: inp is 1x16, wgt is 16x8, acc is 1x16}}
  vta.gemm ins(%i, %w : memref<4x1x16xi8, #vta.mem<inp>>, memref<4x16x8xi8, #vta.mem<wgt>>)
      outs(%a : memref<4x1x16xi32, #vta.mem<acc>>) bounds [4]
      maps [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>]
  return
}

// -----

func.func @linear(%a: memref<4x1x16xi32, #vta.mem<acc>>) {
  // expected-error @below {{map of dst: result #0 is not linear}}
  vta.alu max outs(%a : memref<4x1x16xi32, #vta.mem<acc>>) imm 0 bounds [4]
      maps [affine_map<(d0) -> (d0 mod 2)>]
  return
}

// -----

func.func @range(%a: memref<4x1x16xi32, #vta.mem<acc>>) {
  // expected-error @below {{map of dst: result #0 ranges over [1, 7], outside of the dimension of size 4}}
  vta.alu max outs(%a : memref<4x1x16xi32, #vta.mem<acc>>) imm 0 bounds [4]
      maps [affine_map<(d0) -> (d0 * 2 + 1)>]
  return
}

// -----

func.func @immediate(%a: memref<4x1x16xi32, #vta.mem<acc>>) {
  // expected-error @below {{immediate 40000 does not fit in 16 signed bits}}
  vta.alu max outs(%a : memref<4x1x16xi32, #vta.mem<acc>>) imm 40000 bounds [4]
      maps [affine_map<(d0) -> (d0)>]
  return
}

// -----

func.func @reduction(%a: memref<4x1x16xi32, #vta.mem<acc>>) {
  // expected-error @below {{shr cannot be a reduction, but the map of dst does not use dimension 1}}
  vta.alu shr outs(%a : memref<4x1x16xi32, #vta.mem<acc>>) imm 1 bounds [4, 2]
      maps [affine_map<(d0, d1) -> (d0)>]
  return
}

// -----

func.func @operand(%a: memref<4x1x16xi32, #vta.mem<acc>>) {
  // expected-error @below {{must have either a src operand or an immediate}}
  vta.alu shr outs(%a : memref<4x1x16xi32, #vta.mem<acc>>) bounds [4]
      maps [affine_map<(d0) -> (d0)>]
  return
}

// -----

func.func @beyond(%x: tensor<1x8x2x2xi8>) -> tensor<1x8x3x4xi8> {
  // expected-error@+1 {{input 1 lies beyond the result}}
  %y = vta.assemble %x, %x {channels = array<i64: 0, 0>, columns = array<i64: 0, 1>, rows = array<i64: 0, 1>, steps = array<i64: 2, 2>} : (tensor<1x8x2x2xi8>, tensor<1x8x2x2xi8>) -> tensor<1x8x3x4xi8>
  return %y : tensor<1x8x3x4xi8>
}

// -----

func.func @channels(%x: tensor<1x8x2x2xi8>) -> tensor<1x8x2x2xi8> {
  // expected-error@+1 {{input 0 has not the result's images or channels}}
  %y = vta.assemble %x {channels = array<i64: 4>, columns = array<i64: 0>, rows = array<i64: 0>, steps = array<i64: 1, 1>} : (tensor<1x8x2x2xi8>) -> tensor<1x8x2x2xi8>
  return %y : tensor<1x8x2x2xi8>
}

// -----

func.func @places(%x: tensor<1x8x2x2xi8>) -> tensor<1x8x2x2xi8> {
  // expected-error@+1 {{needs a row, a column and a channel for each of its 1 inputs}}
  %y = vta.assemble %x {channels = array<i64: 0>, columns = array<i64: 0>, rows = array<i64>, steps = array<i64: 1, 1>} : (tensor<1x8x2x2xi8>) -> tensor<1x8x2x2xi8>
  return %y : tensor<1x8x2x2xi8>
}

// -----

func.func @steps(%x: tensor<1x8x2x2xi8>) -> tensor<1x8x2x2xi8> {
  // expected-error@+1 {{needs two positive steps, has [1, 0]}}
  %y = vta.assemble %x {channels = array<i64: 0>, columns = array<i64: 0>, rows = array<i64: 0>, steps = array<i64: 1, 0>} : (tensor<1x8x2x2xi8>) -> tensor<1x8x2x2xi8>
  return %y : tensor<1x8x2x2xi8>
}

// -----

func.func @sources(%a: memref<4x1x16xi32, #vta.mem<acc>>, %b: memref<2x1x16xi32, #vta.mem<acc>>) {
  // expected-error @below {{requantize reads 3 elements, one after the other}}
  vta.alu requantize outs(%a : memref<4x1x16xi32, #vta.mem<acc>>) ins(%b : memref<2x1x16xi32, #vta.mem<acc>>)
      bounds [4] maps [affine_map<(i) -> (i)>, affine_map<(i) -> (0)>]
  return
}

// -----

func.func @immediate(%a: memref<4x1x16xi32, #vta.mem<acc>>) {
  // expected-error @below {{requantize has no immediate}}
  vta.alu requantize outs(%a : memref<4x1x16xi32, #vta.mem<acc>>) imm 1 bounds [4] maps [affine_map<(i) -> (i)>]
  return
}

// -----

func.func @without(%a: memref<4x1x16xi32, #vta.mem<acc>>) {
  // expected-error @below {{must have a table to look up in}}
  vta.alu table outs(%a : memref<4x1x16xi32, #vta.mem<acc>>) imm 1 bounds [4] maps [affine_map<(i) -> (i)>]
  return
}

// -----

#same = array<i8: -128, -127, -126, -125, -124, -123, -122, -121, -120, -119, -118, -117, -116, -115, -114, -113, -112, -111, -110, -109, -108, -107, -106, -105, -104, -103, -102, -101, -100, -99, -98, -97, -96, -95, -94, -93, -92, -91, -90, -89, -88, -87, -86, -85, -84, -83, -82, -81, -80, -79, -78, -77, -76, -75, -74, -73, -72, -71, -70, -69, -68, -67, -66, -65, -64, -63, -62, -61, -60, -59, -58, -57, -56, -55, -54, -53, -52, -51, -50, -49, -48, -47, -46, -45, -44, -43, -42, -41, -40, -39, -38, -37, -36, -35, -34, -33, -32, -31, -30, -29, -28, -27, -26, -25, -24, -23, -22, -21, -20, -19, -18, -17, -16, -15, -14, -13, -12, -11, -10, -9, -8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63, 64, 65, 66, 67, 68, 69, 70, 71, 72, 73, 74, 75, 76, 77, 78, 79, 80, 81, 82, 83, 84, 85, 86, 87, 88, 89, 90, 91, 92, 93, 94, 95, 96, 97, 98, 99, 100, 101, 102, 103, 104, 105, 106, 107, 108, 109, 110, 111, 112, 113, 114, 115, 116, 117, 118, 119, 120, 121, 122, 123, 124, 125, 126, 127>
func.func @other(%a: memref<4x1x16xi32, #vta.mem<acc>>) {
  // expected-error @below {{must be a look-up to have a table}}
  vta.alu max outs(%a : memref<4x1x16xi32, #vta.mem<acc>>) imm 1 table #same bounds [4] maps [affine_map<(i) -> (i)>]
  return
}

// -----

#same = array<i8: -128, -127, -126, -125, -124, -123, -122, -121, -120, -119, -118, -117, -116, -115, -114, -113, -112, -111, -110, -109, -108, -107, -106, -105, -104, -103, -102, -101, -100, -99, -98, -97, -96, -95, -94, -93, -92, -91, -90, -89, -88, -87, -86, -85, -84, -83, -82, -81, -80, -79, -78, -77, -76, -75, -74, -73, -72, -71, -70, -69, -68, -67, -66, -65, -64, -63, -62, -61, -60, -59, -58, -57, -56, -55, -54, -53, -52, -51, -50, -49, -48, -47, -46, -45, -44, -43, -42, -41, -40, -39, -38, -37, -36, -35, -34, -33, -32, -31, -30, -29, -28, -27, -26, -25, -24, -23, -22, -21, -20, -19, -18, -17, -16, -15, -14, -13, -12, -11, -10, -9, -8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63, 64, 65, 66, 67, 68, 69, 70, 71, 72, 73, 74, 75, 76, 77, 78, 79, 80, 81, 82, 83, 84, 85, 86, 87, 88, 89, 90, 91, 92, 93, 94, 95, 96, 97, 98, 99, 100, 101, 102, 103, 104, 105, 106, 107, 108, 109, 110, 111, 112, 113, 114, 115, 116, 117, 118, 119, 120, 121, 122, 123, 124, 125, 126, 127>
func.func @beside(%a: memref<4x1x16xi32, #vta.mem<acc>>) {
  // expected-error @below {{must have no operand beside a table}}
  vta.alu table outs(%a : memref<4x1x16xi32, #vta.mem<acc>>) imm 1 table #same bounds [4] maps [affine_map<(i) -> (i)>]
  return
}

// -----

func.func @short(%a: memref<4x1x16xi32, #vta.mem<acc>>) {
  // expected-error @below {{must have a table of 256 entries, not 2}}
  vta.alu table outs(%a : memref<4x1x16xi32, #vta.mem<acc>>) table [0, 1] bounds [4] maps [affine_map<(i) -> (i)>]
  return
}

// -----

func.func @step(%a: i32) -> i32 {
  // expected-error @below {{must have a table of 256 entries, not 0}}
  %0 = vta.lookup_step %a in []
  return %0 : i32
}
