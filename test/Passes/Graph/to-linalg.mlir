// RUN: acc-opt --graph-to-linalg --canonicalize --cse --split-input-file %s | FileCheck %s

// CHECK-DAG: #[[ROW:.*]] = affine_map<(d0, d1, d2, d3) -> (d1)>
// CHECK-LABEL: @conv
func.func @conv(%x: tensor<1x4x8x8xf32>, %w: tensor<8x4x3x3xf32>, %b: tensor<8xf32>) -> tensor<1x8x4x4xf32> {
  // CHECK: tensor.pad %{{.*}} low[0, 0, 1, 1] high[0, 0, 1, 1]
  // CHECK: linalg.conv_2d_nchw_fchw {dilations = dense<1> : vector<2xi64>, strides = dense<2> : vector<2xi64>}
  // CHECK: linalg.generic
  // CHECK: arith.addf
  %0 = graph.conv %x, %w, %b {strides = array<i64: 2, 2>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>}
      : (tensor<1x4x8x8xf32>, tensor<8x4x3x3xf32>, tensor<8xf32>) -> tensor<1x8x4x4xf32>
  return %0 : tensor<1x8x4x4xf32>
}

// -----

// CHECK-LABEL: @groups
func.func @groups(%x: tensor<1x4x8x8xf32>, %d: tensor<4x1x3x3xf32>, %g: tensor<6x2x3x3xf32>) -> (tensor<1x4x6x6xf32>, tensor<1x6x6x6xf32>) {
  // CHECK: tensor.collapse_shape %{{.*}} : tensor<4x1x3x3xf32> into tensor<4x3x3xf32>
  // CHECK: linalg.depthwise_conv_2d_nchw_chw
  %0 = graph.conv %x, %d {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, group = 4 : i64}
      : (tensor<1x4x8x8xf32>, tensor<4x1x3x3xf32>) -> tensor<1x4x6x6xf32>
  // CHECK: linalg.conv_2d_ngchw_gfchw {{.*}} tensor<1x2x2x8x8xf32>, tensor<2x3x2x3x3xf32>
  %1 = graph.conv %x, %g {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, group = 2 : i64}
      : (tensor<1x4x8x8xf32>, tensor<6x2x3x3xf32>) -> tensor<1x6x6x6xf32>
  return %0, %1 : tensor<1x4x6x6xf32>, tensor<1x6x6x6xf32>
}

// -----

// CHECK-LABEL: @quantize
// CHECK-SAME: -> tensor<2x3xi8>
func.func @quantize(%x: tensor<2x3xf32>) -> tensor<2x3xui8> {
  // CHECK: %[[SCALED:.*]] = arith.divf
  // CHECK: %[[ROUNDED:.*]] = math.roundeven %[[SCALED]]
  // CHECK: %[[MOVED:.*]] = arith.addf %[[ROUNDED]]
  // CHECK: %[[ABOVE:.*]] = arith.cmpf ogt, %[[MOVED]], %[[LEAST:.*]] : f32
  // CHECK: %[[BOUND:.*]] = arith.select %[[ABOVE]], %[[MOVED]], %[[LEAST]] : f32
  // CHECK: %[[BELOW:.*]] = arith.cmpf olt, %[[BOUND]], %[[MOST:.*]] : f32
  // CHECK: %[[CLAMPED:.*]] = arith.select %[[BELOW]], %[[BOUND]], %[[MOST]] : f32
  // CHECK: %[[INTEGER:.*]] = arith.fptosi %[[CLAMPED]] : f32 to i32
  // CHECK: %[[NARROW:.*]] = arith.trunci %[[INTEGER]] : i32 to i8
  // CHECK: linalg.yield %[[NARROW]]
  %0 = graph.quantize_linear %x : (tensor<2x3xf32>) -> tensor<2x3x!quant.uniform<u8:f32, 5.0e-01:3>>
  %1 = graph.storage_cast %0 : (tensor<2x3x!quant.uniform<u8:f32, 5.0e-01:3>>) -> tensor<2x3xui8>
  return %1 : tensor<2x3xui8>
}

// -----

// CHECK-LABEL: @per_channel
func.func @per_channel(%x: tensor<1x2x4x4xi32>) -> tensor<1x2x4x4xi8> {
  // CHECK-DAG: arith.constant dense<[0, 2]> : tensor<2xi32>
  // CHECK-DAG: arith.constant dense<[1, 0]> : tensor<2xi32>
  // CHECK-DAG: arith.constant dense<[3, 5]> : tensor<2xi32>
  // CHECK: %[[BOUND:.*]] = arith.{{max|min}}si
  // CHECK: %[[CLIPPED:.*]] = arith.{{max|min}}si %[[BOUND]]
  // CHECK: %[[LEFT:.*]] = arith.shli %[[CLIPPED]]
  // CHECK: %[[SHIFTED:.*]] = arith.shrsi %[[LEFT]]
  // CHECK: %[[PRODUCT:.*]] = arith.muli %[[SHIFTED]]
  // CHECK: %[[HALF:.*]] = arith.shrsi %[[PRODUCT]]
  // CHECK: %[[MOVED:.*]] = arith.addi %[[HALF]]
  // CHECK: %[[RESULT:.*]] = arith.shrsi %[[MOVED]]
  // CHECK: %[[NARROW:.*]] = arith.trunci %[[RESULT]] : i32 to i8
  // CHECK: linalg.yield %[[NARROW]]
  %0 = graph.requantize %x {clip_lo = array<i32: -100>, clip_hi = array<i32: 100>, pre_shift = array<i32: -1, 2>,
      multiplier = array<i32: 3, 5>, post_shift = array<i32: 4>, zero_point = 7 : i32} : (tensor<1x2x4x4xi32>) -> tensor<1x2x4x4xi8>
  return %0 : tensor<1x2x4x4xi8>
}

// -----

// CHECK-LABEL: @pools
func.func @pools(%x: tensor<1x2x6x6xf32>) -> (tensor<1x2x3x3xf32>, tensor<1x2x3x3xf32>) {
  // CHECK-DAG: %[[LOWEST:.*]] = arith.constant 0xFF800000 : f32
  // CHECK-DAG: arith.constant dense<{{.*}}4.000000e+00{{.*}}> : tensor<3x3xf32>
  // CHECK: tensor.yield %[[LOWEST]]
  // CHECK: linalg.pooling_nchw_max
  %0 = graph.max_pool %x {kernel_shape = array<i64: 3, 3>, strides = array<i64: 2, 2>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>}
      : (tensor<1x2x6x6xf32>) -> tensor<1x2x3x3xf32>
  // CHECK: linalg.pooling_nchw_sum
  // CHECK: arith.divf
  %1 = graph.average_pool %x {kernel_shape = array<i64: 3, 3>, strides = array<i64: 2, 2>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>}
      : (tensor<1x2x6x6xf32>) -> tensor<1x2x3x3xf32>
  return %0, %1 : tensor<1x2x3x3xf32>, tensor<1x2x3x3xf32>
}

// -----

// A kernel writes its result through its initial value.
// CHECK-LABEL: te.kernel @add
// CHECK-SAME: %[[INIT:[a-z0-9]+]]: tensor<2x4xf32>) -> tensor<2x4xf32>
te.kernel @add(%x: tensor<2x4xf32>, %y: tensor<4xf32>, %out: tensor<2x4xf32>) -> tensor<2x4xf32> attributes {target = #te.host} {
  // CHECK: linalg.generic {{.*}} outs(%[[INIT]] : tensor<2x4xf32>)
  %0 = graph.add %x, %y : (tensor<2x4xf32>, tensor<4xf32>) -> tensor<2x4xf32>
  te.return %0 : tensor<2x4xf32>
}

// -----

// CHECK-LABEL: @movement
func.func @movement(%x: tensor<2x3xf32>, %y: tensor<2x1xf32>) -> (tensor<2x4xf32>, tensor<3x2xf32>, tensor<4x3xf32>) {
  // CHECK: tensor.insert_slice %arg0 into %{{.*}}[0, 0] [2, 3] [1, 1]
  // CHECK: tensor.insert_slice %arg1 into %{{.*}}[0, 3] [2, 1] [1, 1]
  %0 = graph.concat %x, %y {axis = 1 : i64} : (tensor<2x3xf32>, tensor<2x1xf32>) -> tensor<2x4xf32>
  // CHECK: linalg.generic
  %1 = graph.transpose %x {perm = array<i64: 1, 0>} : (tensor<2x3xf32>) -> tensor<3x2xf32>
  // CHECK: linalg.index 0
  // CHECK: tensor.extract %arg0
  %2 = graph.pad %x {mode = #graph.pad_mode<edge>, pads = array<i64: 1, 0, 1, 0>} : (tensor<2x3xf32>) -> tensor<4x3xf32>
  return %0, %1, %2 : tensor<2x4xf32>, tensor<3x2xf32>, tensor<4x3xf32>
}
