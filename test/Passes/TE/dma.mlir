// RUN: acc-opt --te-dma %s -split-input-file -verify-diagnostics | FileCheck %s

#vta = #vta.config<>

// CHECK-LABEL: te.kernel @copy
// CHECK-SAME: %[[X:.*]]: memref<4x1x16xi8, #vta.mem<dram>>, %[[OUT:.*]]: memref<7x1x16xi8, #vta.mem<dram>>, %[[LOW:.*]]: index
te.kernel @copy(%x: memref<4x1x16xi8, #vta.mem<dram>>, %out: memref<7x1x16xi8, #vta.mem<dram>>, %low: index) attributes {
    target = #vta, schedule = #te.schedule<tiles = []>} {
  // CHECK: %[[ACC:.*]] = memref.alloc
  %acc = memref.alloc() : memref<7x1x16xi32, #vta.mem<acc>>
  // CHECK-NEXT: vta.load %[[X]], %[[ACC]] low [%[[LOW]]] high [1]
  te.cache_read ins(%x : memref<4x1x16xi8, #vta.mem<dram>>) outs(%acc : memref<7x1x16xi32, #vta.mem<acc>>)
      low [%low, 0, 0] high [1, 0, 0]
  // CHECK-NEXT: vta.store %[[ACC]], %[[OUT]]
  te.cache_write ins(%acc : memref<7x1x16xi32, #vta.mem<acc>>) outs(%out : memref<7x1x16xi8, #vta.mem<dram>>)
  te.return
}

// -----

#vta = #vta.config<>

te.kernel @element(%x: memref<4x1x15xi8, #vta.mem<dram>>) attributes {target = #vta, schedule = #te.schedule<tiles = []>} {
  %inp = memref.alloc() : memref<4x1x16xi8, #vta.mem<inp>>
  // expected-error @+1 {{pads inside of an element, which a transfer cannot do}}
  te.cache_read ins(%x : memref<4x1x15xi8, #vta.mem<dram>>) outs(%inp : memref<4x1x16xi8, #vta.mem<inp>>)
      low [0, 0, 0] high [0, 0, 1]
  te.return
}

// -----

#vta = #vta.config<>

te.kernel @tensors(%x: tensor<4x1x16xi8>, %out: tensor<4x1x16xi8>) -> tensor<4x1x16xi8> attributes {
    target = #vta, schedule = #te.schedule<tiles = []>} {
  // expected-error @+1 {{is still on tensors: bufferize first}}
  %0 = te.cache_write ins(%x : tensor<4x1x16xi8>) outs(%out : tensor<4x1x16xi8>) -> tensor<4x1x16xi8>
  te.return %0 : tensor<4x1x16xi8>
}
