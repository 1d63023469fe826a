// RUN: acc-opt --graph-to-linalg --canonicalize --cse --split-input-file %s | FileCheck %s

// Small floats are computed in f32 from the operands to the result.
// CHECK-LABEL: @gelu
func.func @gelu(%x: tensor<8xf16>) -> tensor<8xf16> {
  // CHECK: linalg.generic
  // CHECK: arith.extf %{{.*}} : f16 to f32
  // CHECK: math.erf %{{.*}} : f32
  // CHECK: arith.truncf %{{.*}} : f32 to f16
  // CHECK-NEXT: linalg.yield
  %0 = graph.gelu %x : (tensor<8xf16>) -> tensor<8xf16>
  return %0 : tensor<8xf16>
}

// -----

// Operands broadcast in the maps.
// CHECK-DAG: #[[COLUMN:.*]] = affine_map<(d0, d1) -> (d0, 0)>
// CHECK-DAG: #[[ROW:.*]] = affine_map<(d0, d1) -> (d1)>
// CHECK-LABEL: @less
// CHECK-SAME: tensor<2x1xi32>, %{{.*}}: tensor<3xi32>) -> tensor<2x3xi1>
func.func @less(%x: tensor<2x1xui32>, %y: tensor<3xui32>) -> tensor<2x3xi1> {
  // CHECK: linalg.generic {indexing_maps = [#[[COLUMN]], #[[ROW]]
  // CHECK: arith.cmpi ult
  %0 = graph.less %x, %y : (tensor<2x1xui32>, tensor<3xui32>) -> tensor<2x3xi1>
  return %0 : tensor<2x3xi1>
}

// -----

// A divisor that would trap is replaced.
// CHECK-LABEL: @divide
func.func @divide(%x: tensor<4xi32>, %y: tensor<4xi32>) -> tensor<4xi32> {
  // CHECK-DAG: %[[C0_I32:.*]] = arith.constant 0 : i32
  // CHECK-DAG: %[[C1_I32:.*]] = arith.constant 1 : i32
  // CHECK: %[[ZERO:.*]] = arith.cmpi eq, %[[Y:.*]], %[[C0_I32]]
  // CHECK: %[[LEAST:.*]] = arith.cmpi eq, %{{.*}}, %c-2147483648_i32
  // CHECK: %[[SAFE:.*]] = arith.select %{{.*}}, %[[C1_I32]], %[[Y]]
  // CHECK: %[[Q:.*]] = arith.divsi %{{.*}}, %[[SAFE]]
  // CHECK: arith.select %[[ZERO]], %[[C0_I32]], %[[Q]]
  %0 = graph.div %x, %y : (tensor<4xi32>, tensor<4xi32>) -> tensor<4xi32>
  return %0 : tensor<4xi32>
}

// -----

// Elements below a byte are the low bits of one.
// CHECK-LABEL: @narrow
// CHECK-SAME: (%{{.*}}: tensor<4xi8>) -> tensor<4xi8>
func.func @narrow(%x: tensor<4xi4>) -> tensor<4xui2> {
  // CHECK-DAG: %[[C3_I8:.*]] = arith.constant 3 : i8
  // CHECK-DAG: %[[C4_I8:.*]] = arith.constant 4 : i8
  // CHECK: %[[LEFT:.*]] = arith.shli %{{.*}}, %[[C4_I8]]
  // CHECK: %[[VALUE:.*]] = arith.shrsi %[[LEFT]], %[[C4_I8]]
  // CHECK: arith.andi %[[VALUE]], %[[C3_I8]]
  %0 = graph.cast %x : (tensor<4xi4>) -> tensor<4xui2>
  return %0 : tensor<4xui2>
}

// -----

// CHECK-LABEL: @decode
func.func @decode(%x: tensor<4xf8E4M3FNUZ>) -> tensor<4xbf16> {
  // CHECK: arith.extui %{{.*}} : i8 to i32
  // CHECK: arith.bitcast %{{.*}} : i32 to f32
  // CHECK: arith.mulf
  // CHECK: arith.truncf %{{.*}} : f32 to bf16
  %0 = graph.cast %x : (tensor<4xf8E4M3FNUZ>) -> tensor<4xbf16>
  return %0 : tensor<4xbf16>
}

// -----

// What is only moved is moved as it is stored.
// CHECK-LABEL: @where
func.func @where(%c: tensor<4xi1>, %x: tensor<4xf8E5M2>, %y: tensor<1xf8E5M2>) -> tensor<4xf8E5M2> {
  // CHECK: ^bb0(%[[C:.*]]: i1, %[[X:.*]]: i8, %[[Y:.*]]: i8, %{{.*}}: i8):
  // CHECK-NEXT: %[[R:.*]] = arith.select %[[C]], %[[X]], %[[Y]] : i8
  // CHECK-NEXT: linalg.yield %[[R]]
  %0 = graph.where %c, %x, %y : (tensor<4xi1>, tensor<4xf8E5M2>, tensor<1xf8E5M2>) -> tensor<4xf8E5M2>
  return %0 : tensor<4xf8E5M2>
}
