// RUN: acc-opt %s | FileCheck %s

// CHECK-LABEL: func.func @round_trip
// CHECK: te.bitcast %{{.*}} : tensor<1x4x16xi4> to tensor<1x4x8xi8>
// CHECK: te.bitcast %{{.*}} : memref<32xi8> to memref<1x4x16xi4>
func.func @round_trip(%x: tensor<1x4x16xi4>, %y: memref<32xi8>) -> (tensor<1x4x8xi8>, memref<1x4x16xi4>) {
  %0 = te.bitcast %x : tensor<1x4x16xi4> to tensor<1x4x8xi8>
  %1 = te.bitcast %y : memref<32xi8> to memref<1x4x16xi4>
  return %0, %1 : tensor<1x4x8xi8>, memref<1x4x16xi4>
}
