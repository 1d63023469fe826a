// RUN: acc-opt %s -vta-pack-layout -split-input-file -verify-diagnostics | FileCheck %s

#vta = #vta.config<log_block = 4>

// Windows of three with a stride of two meet odd elements once and even ones twice, in two phases of each axis. The
// phase of odd rows and columns is where the result is computed; nothing is filled.
module attributes {vta.config = #vta} {
  // CHECK-DAG: [[BELOW:#.+]] = affine_map<(d0, d1, d2, d3, d4, d5, d6) -> (d0, d1, d2 + d4, d3, d5, d6)>
  // CHECK-DAG: [[BESIDE:#.+]] = affine_map<(d0, d1, d2, d3, d4, d5, d6) -> (d0, d1, d2, d3 + d4, d5, d6)>
  // CHECK-LABEL: @phases
  func.func @phases(%x: tensor<1x16x7x9xi8>) -> tensor<1x16x3x4xi8> {
    // CHECK: [[X:%.+]] = graph.pack
    // CHECK-NOT: linalg.fill
    // CHECK: [[ODD_ODD:%.+]] = tensor.extract_slice [[X]][0, 0, 1, 1, 0, 0] [1, 1, 3, 4, 1, 16] [1, 1, 2, 2, 1, 1]
    // CHECK: [[RESULT:%.+]] = linalg.generic {{.*}} ins([[ODD_ODD]]
    // CHECK: [[EVEN_ODD:%.+]] = tensor.extract_slice [[X]][0, 0, 0, 1, 0, 0] [1, 1, 4, 4, 1, 16] [1, 1, 2, 2, 1, 1]
    // CHECK: [[ROWS:%.+]] = linalg.generic {{.*}} ins([[EVEN_ODD]]
    // CHECK: [[DOWN:%.+]] = linalg.generic {indexing_maps = {{\[}}[[BELOW]], {{.*}} ins([[ROWS]], {{.*}} outs([[RESULT]]
    // CHECK: [[ODD_EVEN:%.+]] = tensor.extract_slice [[X]][0, 0, 1, 0, 0, 0] [1, 1, 3, 5, 1, 16] [1, 1, 2, 2, 1, 1]
    // CHECK: [[COLUMNS:%.+]] = linalg.generic {{.*}} ins([[ODD_EVEN]]
    // CHECK: [[EVEN_EVEN:%.+]] = tensor.extract_slice [[X]][0, 0, 0, 0, 0, 0] [1, 1, 4, 5, 1, 16] [1, 1, 2, 2, 1, 1]
    // CHECK: [[REST:%.+]] = linalg.generic {{.*}} ins([[EVEN_EVEN]]
    // CHECK: [[SHARED:%.+]] = linalg.generic {indexing_maps = {{\[}}[[BELOW]], {{.*}} ins([[REST]], {{.*}} outs([[COLUMNS]]
    // CHECK: linalg.generic {indexing_maps = {{\[}}[[BESIDE]], {{.*}} ins([[SHARED]], {{.*}} outs([[DOWN]]
    %0 = graph.max_pool %x {vta.separate = 0 : i64, graph.placement = #graph.placement<kernel = "a", target = #vta>, kernel_shape = array<i64: 3, 3>, strides = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>}
        : (tensor<1x16x7x9xi8>) -> tensor<1x16x3x4xi8>
    return %0 : tensor<1x16x3x4xi8>
  }

  // Without a stride there is one phase, all of whose elements are met by each tap; maxima begin with the least value.
  // CHECK-LABEL: @columns_first
  func.func @columns_first(%x: tensor<1x16x6x9xi8>) -> tensor<1x16x4x5xi8> {
    // CHECK: [[X:%.+]] = graph.pack
    // CHECK: [[FIRST:%.+]] = linalg.fill {{.*}} -> tensor<1x1x4x5x1x16xi32>
    // CHECK: [[LEAST:%.+]] = linalg.fill {{.*}} -> tensor<1x1x6x5x1x16xi32>
    // CHECK: [[WIDE:%.+]] = linalg.generic {{.*}} ins([[X]]
    // CHECK: [[ACROSS:%.+]] = linalg.generic {{.*}} ins([[WIDE]], %{{.*}} : tensor<1x1x6x9x1x16xi32>, tensor<5xi32>) outs([[LEAST]]
    // CHECK: linalg.generic {{.*}} ins([[ACROSS]], %{{.*}} : tensor<1x1x6x5x1x16xi32>, tensor<3xi32>) outs([[FIRST]]
    %0 = graph.max_pool %x {vta.separate = 1 : i64, graph.placement = #graph.placement<kernel = "a", target = #vta>, kernel_shape = array<i64: 3, 5>, strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>}
        : (tensor<1x16x6x9xi8>) -> tensor<1x16x4x5xi8>
    return %0 : tensor<1x16x4x5xi8>
  }

  // Taps that are two elements apart, and a stride of three: the third tap is a phase by itself, as are the others.
  // CHECK-LABEL: @dilated
  func.func @dilated(%x: tensor<1x16x1x11xi8>) -> tensor<1x16x1x3xi8> {
    // CHECK: tensor.extract_slice %{{.*}}[0, 0, 0, 0, 0, 0] [1, 1, 1, 3, 1, 16] [1, 1, 1, 3, 1, 1]
    // CHECK: tensor.extract_slice %{{.*}}[0, 0, 0, 2, 0, 0] [1, 1, 1, 3, 1, 16] [1, 1, 1, 3, 1, 1]
    // CHECK: arith.maxsi
    // CHECK: tensor.extract_slice %{{.*}}[0, 0, 0, 4, 0, 0] [1, 1, 1, 3, 1, 16] [1, 1, 1, 3, 1, 1]
    // CHECK: arith.maxsi
    %0 = graph.max_pool %x {vta.separate = 0 : i64, graph.placement = #graph.placement<kernel = "a", target = #vta>, kernel_shape = array<i64: 1, 3>, strides = array<i64: 1, 3>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 2>}
        : (tensor<1x16x1x11xi8>) -> tensor<1x16x1x3xi8>
    return %0 : tensor<1x16x1x3xi8>
  }
}

// -----

#vta = #vta.config<log_block = 4>

module attributes {vta.config = #vta} {
  func.func @element(%x: tensor<1x16x4x4xi8>) -> tensor<1x16x2x2xi8> {
    // expected-error @below {{has vta.separate, but windows of one element}}
    %0 = graph.max_pool %x {vta.separate = 0 : i64, graph.placement = #graph.placement<kernel = "a", target = #vta>, kernel_shape = array<i64: 1, 1>, strides = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>}
        : (tensor<1x16x4x4xi8>) -> tensor<1x16x2x2xi8>
    return %0 : tensor<1x16x2x2xi8>
  }
}

// -----

func.func @third(%x: tensor<1x16x4x4xi8>) -> tensor<1x16x2x2xi8> {
  // expected-error @below {{attribute "vta.separate" must be 0 or 1, an i64}}
  %0 = graph.max_pool %x {vta.separate = 2 : i64, kernel_shape = array<i64: 2, 2>, strides = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>}
      : (tensor<1x16x4x4xi8>) -> tensor<1x16x2x2xi8>
  return %0 : tensor<1x16x2x2xi8>
}
