// RUN: acc-opt %s -split-input-file -verify-diagnostics

func.func @bits(%x: tensor<4x16xi4>) {
  // expected-error @below {{makes 512 bits of 256 bits}}
  %0 = te.bitcast %x : tensor<4x16xi4> to tensor<4x16xi8>
  return
}

// -----

func.func @kinds(%x: tensor<4x16xi4>) {
  // expected-error @below {{makes a tensor of a memref, or a memref of a tensor}}
  %0 = te.bitcast %x : tensor<4x16xi4> to memref<4x8xi8>
  return
}

// -----

func.func @gaps(%x: memref<4x16xi4, strided<[32, 1]>>) {
  // expected-error @below {{reads a buffer with gaps}}
  %0 = te.bitcast %x : memref<4x16xi4, strided<[32, 1]>> to memref<4x8xi8>
  return
}
