// RUN: acc-opt %s -vta-pack-layout -split-input-file -verify-diagnostics | FileCheck %s

#vta = #vta.config<log_batch = 0, log_block = 4>

// A table with steps continues the kernel: max(x, x / 2).
module attributes {vta.config = #vta} {
  // CHECK-LABEL: @activation
  func.func @activation(%x: tensor<1x16x4x4xi8>) -> tensor<1x16x4x4xi8> {
    %table = graph.constant dense<"0xC0C0C1C1C2C2C3C3C4C4C5C5C6C6C7C7C8C8C9C9CACACBCBCCCCCDCDCECECFCFD0D0D1D1D2D2D3D3D4D4D5D5D6D6D7D7D8D8D9D9DADADBDBDCDCDDDDDEDEDFDFE0E0E1E1E2E2E3E3E4E4E5E5E6E6E7E7E8E8E9E9EAEAEBEBECECEDEDEEEEEFEFF0F0F1F1F2F2F3F3F4F4F5F5F6F6F7F7F8F8F9F9FAFAFBFBFCFCFDFDFEFEFFFF000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F202122232425262728292A2B2C2D2E2F303132333435363738393A3B3C3D3E3F404142434445464748494A4B4C4D4E4F505152535455565758595A5B5C5D5E5F606162636465666768696A6B6C6D6E6F707172737475767778797A7B7C7D7E7F"> : tensor<1x256xi8> : tensor<1x256xi8>
    %w = graph.constant dense<1> : tensor<16x16x1x1xi8> : tensor<16x16x1x1xi8>
    %b = graph.constant dense<0> : tensor<16xi32> : tensor<16xi32>
    %0 = graph.conv_integer %x, %w, %b {graph.placement = #graph.placement<kernel = "a", target = #vta>, strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>}
        : (tensor<1x16x4x4xi8>, tensor<16x16x1x1xi8>, tensor<16xi32>) -> tensor<1x16x4x4xi32>
    // CHECK: arith.shrsi
    %1 = graph.requantize %0 {graph.placement = #graph.placement<kernel = "a", target = #vta>, pre_shift = array<i32: 6>, multiplier = array<i32: 1>, post_shift = array<i32: 0>}
        : (tensor<1x16x4x4xi32>) -> tensor<1x16x4x4xi8>
    // CHECK-NOT: arith.trunci
    // CHECK: linalg.fill
    // CHECK: arith.addi
    // CHECK: arith.shrsi
    // CHECK: arith.maxsi
    // CHECK: arith.trunci
    // CHECK-NOT: graph.lookup
    %2 = graph.lookup %1, %table {graph.placement = #graph.placement<kernel = "a", target = #vta>, vta.activation = #vta.activation<before = [], left = [], right = [#vta.step<op = shr, values = [1]>], join = max, after = []>} : (tensor<1x16x4x4xi8>, tensor<1x256xi8>) -> tensor<1x16x4x4xi8>
    return %2 : tensor<1x16x4x4xi8>
  }
}

// -----

#vta = #vta.config<log_batch = 0, log_block = 4>

module attributes {vta.config = #vta} {
  func.func @wrong(%x: tensor<1x16x4x4xi8>) -> tensor<1x16x4x4xi8> {
    %table = graph.constant dense<"0xC0C0C1C1C2C2C3C3C4C4C5C5C6C6C7C7C8C8C9C9CACACBCBCCCCCDCDCECECFCFD0D0D1D1D2D2D3D3D4D4D5D5D6D6D7D7D8D8D9D9DADADBDBDCDCDDDDDEDEDFDFE0E0E1E1E2E2E3E3E4E4E5E5E6E6E7E7E8E8E9E9EAEAEBEBECECEDEDEEEEEFEFF0F0F1F1F2F2F3F3F4F4F5F5F6F6F7F7F8F8F9F9FAFAFBFBFCFCFDFDFEFEFFFF000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F202122232425262728292A2B2C2D2E2F303132333435363738393A3B3C3D3E3F404142434445464748494A4B4C4D4E4F505152535455565758595A5B5C5D5E5F606162636465666768696A6B6C6D6E6F707172737475767778797A7B7C7D7E7F"> : tensor<1x256xi8> : tensor<1x256xi8>
    // expected-error @below {{has a vta.activation that computes -32 from -128, its table has -64}}
    %0 = graph.lookup %x, %table {graph.placement = #graph.placement<kernel = "a", target = #vta>, vta.activation = #vta.activation<before = [], left = [], right = [#vta.step<op = shr, values = [2]>], join = max, after = []>} : (tensor<1x16x4x4xi8>, tensor<1x256xi8>) -> tensor<1x16x4x4xi8>
    return %0 : tensor<1x16x4x4xi8>
  }
}

// -----

#vta = #vta.config<log_batch = 0, log_block = 4>

module attributes {vta.config = #vta} {
  func.func @missing(%x: tensor<1x16x4x4xi8>, %table: tensor<1x256xi8>) -> tensor<1x16x4x4xi8> {
    // expected-error @below {{cannot run on the accelerator without vta.table or vta.activation for a constant table}}
    %0 = graph.lookup %x, %table {graph.placement = #graph.placement<kernel = "a", target = #vta>} : (tensor<1x16x4x4xi8>, tensor<1x256xi8>) -> tensor<1x16x4x4xi8>
    return %0 : tensor<1x16x4x4xi8>
  }
}

// -----

// expected-error @below {{a step of 'shr' cannot have the value 32}}
#far = #vta.step<op = shr, values = [32]>

// -----

// expected-error @below {{an activation joins nothing with the steps on the left}}
#alone = #vta.activation<before = [], left = [#vta.step<op = add, values = [1]>], right = [], join = max, after = []>

// -----

// expected-error @below {{an activation cannot join by a shift}}
#shift = #vta.activation<before = [], left = [], right = [], join = shr, after = []>

// -----

// Where the configuration has tables, the table is the step.
#vta = #vta.config<alu_table = 1>

module attributes {vta.config = #vta} {
  // CHECK-LABEL: @table
  func.func @table(%x: tensor<1x16x4x4xi8>) -> tensor<1x16x4x4xi8> {
    %table = graph.constant dense<"0xC0C0C1C1C2C2C3C3C4C4C5C5C6C6C7C7C8C8C9C9CACACBCBCCCCCDCDCECECFCFD0D0D1D1D2D2D3D3D4D4D5D5D6D6D7D7D8D8D9D9DADADBDBDCDCDDDDDEDEDFDFE0E0E1E1E2E2E3E3E4E4E5E5E6E6E7E7E8E8E9E9EAEAEBEBECECEDEDEEEEEFEFF0F0F1F1F2F2F3F3F4F4F5F5F6F6F7F7F8F8F9F9FAFAFBFBFCFCFDFDFEFEFFFF000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F202122232425262728292A2B2C2D2E2F303132333435363738393A3B3C3D3E3F404142434445464748494A4B4C4D4E4F505152535455565758595A5B5C5D5E5F606162636465666768696A6B6C6D6E6F707172737475767778797A7B7C7D7E7F"> : tensor<1x256xi8> : tensor<1x256xi8>
    // CHECK: arith.extsi
    // CHECK: vta.lookup_step {{%.+}} in {{\[}}-64, -64, -63, -63, {{.*}} 126, 127]
    // CHECK: arith.trunci
    // CHECK-NOT: graph.lookup
    %0 = graph.lookup %x, %table {graph.placement = #graph.placement<kernel = "a", target = #vta>, vta.table} : (tensor<1x16x4x4xi8>, tensor<1x256xi8>) -> tensor<1x16x4x4xi8>
    return %0 : tensor<1x16x4x4xi8>
  }
}

// -----

#vta = #vta.config<>

module attributes {vta.config = #vta} {
  func.func @undeclared(%x: tensor<1x16x4x4xi8>) -> tensor<1x16x4x4xi8> {
    %table = graph.constant dense<1> : tensor<1x256xi8> : tensor<1x256xi8>
    // expected-error @below {{has vta.table, but the vector unit of this configuration has no tables}}
    %0 = graph.lookup %x, %table {graph.placement = #graph.placement<kernel = "a", target = #vta>, vta.table} : (tensor<1x16x4x4xi8>, tensor<1x256xi8>) -> tensor<1x16x4x4xi8>
    return %0 : tensor<1x16x4x4xi8>
  }
}

// -----

#vta = #vta.config<alu_table = 1>

module attributes {vta.config = #vta} {
  func.func @channels(%x: tensor<1x2x4x4xi8>) -> tensor<1x2x4x4xi8> {
    %table = graph.constant dense<"0x0101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010102020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202"> : tensor<2x256xi8> : tensor<2x256xi8>
    // expected-error @below {{has vta.table, but a table for each channel, and the vector unit looks up in one for all}}
    %0 = graph.lookup %x, %table {graph.placement = #graph.placement<kernel = "a", target = #vta>, vta.table} : (tensor<1x2x4x4xi8>, tensor<2x256xi8>) -> tensor<1x2x4x4xi8>
    return %0 : tensor<1x2x4x4xi8>
  }
}

// -----

func.func @unit(%x: tensor<1x2x4x4xi8>, %t: tensor<1x256xi8>) {
  // expected-error @below {{attribute "vta.table" must be a unit}}
  %0 = graph.lookup %x, %t {vta.table = 1 : i32} : (tensor<1x2x4x4xi8>, tensor<1x256xi8>) -> tensor<1x2x4x4xi8>
  return
}
