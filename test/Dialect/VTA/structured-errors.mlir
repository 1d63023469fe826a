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
