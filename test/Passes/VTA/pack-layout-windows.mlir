// RUN: acc-opt %s -vta-pack-layout -split-input-file -verify-diagnostics | FileCheck %s

#vta = #vta.config<log_block = 2, log_inp_buff_size = 9, log_wgt_buff_size = 10, log_acc_buff_size = 11, gemm_window = 3>

// Two rows of five taps are four tiles of three taps at most, the last of which have a column of zeros; the image is as
// much wider.
module attributes {vta.config = #vta} {
  // CHECK-DAG: [[IMAGE:#.+]] = affine_map<(d0, d1, d2, d3, d4, d5, d6, d7, d8) -> (d0, d1, d2 + d4 * 2, d3 * 2 + d5 * 3 + d8, d6, d7)>
  // CHECK-DAG: [[TAPS:#.+]] = affine_map<(d0, d1, d2, d3, d4, d5, d6, d7, d8) -> (d1, d4, d5, d7, d8 mod 4)>
  // CHECK-LABEL: @windows
  func.func @windows(%x: tensor<1x4x6x9xi8>) -> tensor<1x4x6x5xi8> {
    %w = graph.constant dense<"0x0102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F202122232425262728"> : tensor<4x1x2x5xi8> : tensor<4x1x2x5xi8>
    %b = graph.constant dense<0> : tensor<4xi32> : tensor<4xi32>
    // CHECK: tensor.pad
    // CHECK: graph.constant dense<{{.*}}1, 2, 3, 0], [11, 12, 13, 0]{{.*}}[4, 5, 0, 0]{{.*}}> : tensor<1x2x2x4x4xi8>
    // CHECK: linalg.generic {indexing_maps = {{\[}}[[IMAGE]], [[TAPS]], {{#.+}}, {{#.+}}]
    %0 = graph.conv_integer %x, %w, %b {vta.window, group = 4 : i64, graph.placement = #graph.placement<kernel = "a", target = #vta>, strides = array<i64: 1, 2>, pads = array<i64: 1, 2, 1, 2>, dilations = array<i64: 2, 1>}
        : (tensor<1x4x6x9xi8>, tensor<4x1x2x5xi8>, tensor<4xi32>) -> tensor<1x4x6x5xi32>
    %1 = graph.requantize %0 {graph.placement = #graph.placement<kernel = "a", target = #vta>, pre_shift = array<i32: 6>, multiplier = array<i32: 1>, post_shift = array<i32: 0>}
        : (tensor<1x4x6x5xi32>) -> tensor<1x4x6x5xi8>
    return %1 : tensor<1x4x6x5xi8>
  }
}

// -----

#vta = #vta.config<log_block = 2, log_inp_buff_size = 9, log_wgt_buff_size = 10, log_acc_buff_size = 11>

module attributes {vta.config = #vta} {
  func.func @undeclared(%x: tensor<1x4x4x4xi8>) -> tensor<1x4x4x2xi8> {
    %w = graph.constant dense<1> : tensor<4x1x1x3xi8> : tensor<4x1x1x3xi8>
    %b = graph.constant dense<0> : tensor<4xi32> : tensor<4xi32>
    // expected-error @below {{has vta.window, but the accelerator has no products of windows}}
    %0 = graph.conv_integer %x, %w, %b {vta.window, group = 4 : i64, dilations = array<i64: 1, 1>, graph.placement = #graph.placement<kernel = "a", target = #vta>, strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>}
        : (tensor<1x4x4x4xi8>, tensor<4x1x1x3xi8>, tensor<4xi32>) -> tensor<1x4x4x2xi32>
    %1 = graph.requantize %0 {graph.placement = #graph.placement<kernel = "a", target = #vta>, pre_shift = array<i32: 6>, multiplier = array<i32: 1>, post_shift = array<i32: 0>}
        : (tensor<1x4x4x2xi32>) -> tensor<1x4x4x2xi8>
    return %1 : tensor<1x4x4x2xi8>
  }
}

// -----

#vta = #vta.config<log_block = 2, log_inp_buff_size = 9, log_wgt_buff_size = 10, log_acc_buff_size = 11, gemm_window = 3>

module attributes {vta.config = #vta} {
  func.func @grouped(%x: tensor<1x4x4x4xi8>) -> tensor<1x4x4x2xi8> {
    %w = graph.constant dense<1> : tensor<4x2x1x3xi8> : tensor<4x2x1x3xi8>
    %b = graph.constant dense<0> : tensor<4xi32> : tensor<4xi32>
    // expected-error @below {{does not compute each channel by itself}}
    %0 = graph.conv_integer %x, %w, %b {vta.window, group = 2 : i64, dilations = array<i64: 1, 1>, graph.placement = #graph.placement<kernel = "a", target = #vta>, strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>}
        : (tensor<1x4x4x4xi8>, tensor<4x2x1x3xi8>, tensor<4xi32>) -> tensor<1x4x4x2xi32>
    %1 = graph.requantize %0 {graph.placement = #graph.placement<kernel = "a", target = #vta>, pre_shift = array<i32: 6>, multiplier = array<i32: 1>, post_shift = array<i32: 0>}
        : (tensor<1x4x4x2xi32>) -> tensor<1x4x4x2xi8>
    return %1 : tensor<1x4x4x2xi8>
  }
}

// -----

#vta = #vta.config<log_block = 2, log_inp_buff_size = 9, log_wgt_buff_size = 10, log_acc_buff_size = 11, gemm_window = 3>

module attributes {vta.config = #vta} {
  func.func @dilated(%x: tensor<1x4x4x4xi8>) -> tensor<1x4x4x2xi8> {
    %w = graph.constant dense<1> : tensor<4x1x1x2xi8> : tensor<4x1x1x2xi8>
    %b = graph.constant dense<0> : tensor<4xi32> : tensor<4xi32>
    // expected-error @below {{from columns that follow each other}}
    %0 = graph.conv_integer %x, %w, %b {vta.window, group = 4 : i64, dilations = array<i64: 1, 2>, graph.placement = #graph.placement<kernel = "a", target = #vta>, strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>}
        : (tensor<1x4x4x4xi8>, tensor<4x1x1x2xi8>, tensor<4xi32>) -> tensor<1x4x4x2xi32>
    %1 = graph.requantize %0 {graph.placement = #graph.placement<kernel = "a", target = #vta>, pre_shift = array<i32: 6>, multiplier = array<i32: 1>, post_shift = array<i32: 0>}
        : (tensor<1x4x4x2xi32>) -> tensor<1x4x4x2xi8>
    return %1 : tensor<1x4x4x2xi8>
  }
}
