// RUN: acc-opt --graph-to-linalg --canonicalize --cse --split-input-file %s | FileCheck %s

// Tables along each axis, and one gather that reads them all.
// CHECK-LABEL: @nearest
func.func @nearest(%x: tensor<1x3x4x4xui8>) -> tensor<1x3x8x6xui8> {
  // CHECK: %[[H:.*]] = linalg.generic {{.*}} outs(%{{.*}} : tensor<8xi64>)
  // CHECK: %[[W:.*]] = linalg.generic {{.*}} outs(%{{.*}} : tensor<6xi64>)
  // CHECK: linalg.generic {{.*}} ins(%[[H]], %[[W]] : tensor<8xi64>, tensor<6xi64>) outs(%{{.*}} : tensor<1x3x8x6xi8>)
  // CHECK: tensor.extract
  %0 = graph.resize %x {axes = array<i64: 2, 3>, mode = #graph.resize_mode<nearest>, static_sizes = array<i64: 8, 6>}
      : (tensor<1x3x4x4xui8>) -> tensor<1x3x8x6xui8>
  return %0 : tensor<1x3x8x6xui8>
}

// -----

// Positions and weights of two taps each, then a gather along one axis at a time.
// CHECK-LABEL: @linear
func.func @linear(%x: tensor<1x3x4x4xf32>) -> tensor<1x3x8x6xf32> {
  // CHECK: outs(%{{.*}} : tensor<8x2xi64>)
  // CHECK: outs(%{{.*}} : tensor<8x2xf64>)
  // CHECK: linalg.generic {{.*}}"parallel", "parallel", "parallel", "parallel", "reduction"]} ins({{.*}} : tensor<8x2xi64>, tensor<8x2xf32>) outs(%{{.*}} : tensor<1x3x8x4xf32>)
  // CHECK: ins({{.*}} : tensor<6x2xi64>, tensor<6x2xf32>) outs(%{{.*}} : tensor<1x3x8x6xf32>)
  %0 = graph.resize %x {axes = array<i64: 2, 3>, mode = #graph.resize_mode<linear>, static_sizes = array<i64: 8, 6>}
      : (tensor<1x3x4x4xf32>) -> tensor<1x3x8x6xf32>
  return %0 : tensor<1x3x8x6xf32>
}

// -----

// Channels change fastest.
// CHECK-DAG: #[[MAP:.*]] = affine_map<(d0, d1, d2, d3) -> (d0, d3, d1, d2)>
// CHECK-LABEL: @grid
func.func @grid(%x: tensor<1x3x4x4xf32>, %g: tensor<1x5x6x2xf32>) -> tensor<1x3x5x6xf32> {
  // CHECK: linalg.generic {indexing_maps = [#[[MAP]]]
  // CHECK-COUNT-6: tensor.extract
  %0 = graph.grid_sample %x, %g {mode = #graph.resize_mode<linear>} : (tensor<1x3x4x4xf32>, tensor<1x5x6x2xf32>) -> tensor<1x3x5x6xf32>
  return %0 : tensor<1x3x5x6xf32>
}

// -----

// CHECK-LABEL: @regions
func.func @regions(%x: tensor<1x3x4x4xf32>, %r: tensor<2x4xf32>, %b: tensor<2xi64>) -> tensor<2x3x1x1xf32> {
  // CHECK: linalg.generic
  // CHECK: scf.for
  // CHECK: scf.for
  %0 = graph.roi_align %x, %r, %b : (tensor<1x3x4x4xf32>, tensor<2x4xf32>, tensor<2xi64>) -> tensor<2x3x1x1xf32>
  return %0 : tensor<2x3x1x1xf32>
}
