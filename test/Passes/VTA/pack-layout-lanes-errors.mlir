// RUN: acc-opt %s -vta-pack-layout -split-input-file -verify-diagnostics

#vta = #vta.config<log_batch = 0, log_block = 4>

module attributes {vta.config = #vta} {
  func.func @twice(%x: tensor<1x16x4x4xi8>) -> tensor<1x3x4x4xi8> {
    %w = graph.constant dense<1> : tensor<3x16x1x1xi8> : tensor<3x16x1x1xi8>
    %b = graph.constant dense<0> : tensor<3xi32> : tensor<3xi32>
    // expected-error @+1 {{has vta.lanes, which must hold each of 3 channels once in whole blocks of 16}}
    %0 = graph.conv_integer %x, %w, %b {graph.placement = #graph.placement<kernel = "a", target = #vta>, vta.lanes = array<i64: 0, 1, 1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1>, strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>}
        : (tensor<1x16x4x4xi8>, tensor<3x16x1x1xi8>, tensor<3xi32>) -> tensor<1x3x4x4xi32>
    %1 = graph.requantize %0 {graph.placement = #graph.placement<kernel = "a", target = #vta>, pre_shift = array<i32: 6>, multiplier = array<i32: 1>, post_shift = array<i32: 0>}
        : (tensor<1x3x4x4xi32>) -> tensor<1x3x4x4xi8>
    return %1 : tensor<1x3x4x4xi8>
  }
}

// -----

func.func @not_an_array(%x: tensor<1x16x4x4xi8>) -> tensor<1x16x4x4xi8> {
  // expected-error @+1 {{attribute "vta.lanes" must be an array of i64}}
  %0 = graph.relu %x {vta.lanes = 3 : i64} : (tensor<1x16x4x4xi8>) -> tensor<1x16x4x4xi8>
  return %0 : tensor<1x16x4x4xi8>
}
