// RUN: acc-opt %s --split-input-file --host-bufferize --canonicalize | FileCheck %s

#vta = #vta.config<>
#id = affine_map<(i) -> (i)>

// CHECK-LABEL: te.kernel @relu(
// CHECK-SAME: %[[X:.*]]: memref<8xf32>, %[[OUT:.*]]: memref<8xf32>)
// CHECK-NOT: alloc
// CHECK: linalg.generic {{.*}} ins(%[[X]] : memref<8xf32>) outs(%[[OUT]] : memref<8xf32>)
// CHECK: te.return{{$}}
te.kernel @relu(%x: tensor<8xf32>, %out: tensor<8xf32>) -> tensor<8xf32> attributes {target = #te.host} {
  %z = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<8xf32>
  %0 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
      ins(%x : tensor<8xf32>) outs(%e : tensor<8xf32>) {
  ^bb0(%a: f32, %o: f32):
    %1 = arith.maximumf %a, %z : f32
    linalg.yield %1 : f32
  } -> tensor<8xf32>
  te.return %0 : tensor<8xf32>
}

// What many parts make up is stored part by part.
// CHECK-LABEL: te.kernel @parts(
// CHECK-SAME: %[[X0:[a-z0-9]+]]: memref<2xf32>, %[[X1:[a-z0-9]+]]: memref<2xf32>
// CHECK-NOT: alloc
// CHECK: %[[P0:.*]] = memref.subview %[[OUT:.*]][0] [2] [1]
// CHECK: memref.copy %[[X0]], %[[P0]]
// CHECK: %[[P1:.*]] = memref.subview %[[OUT]][2] [2] [1]
// CHECK: memref.copy %[[X1]], %[[P1]]
te.kernel @parts(%x0: tensor<2xf32>, %x1: tensor<2xf32>, %x2: tensor<2xf32>, %x3: tensor<2xf32>, %x4: tensor<2xf32>, %x5: tensor<2xf32>, %x6: tensor<2xf32>, %x7: tensor<2xf32>, %out: tensor<16xf32>) -> tensor<16xf32> attributes {target = #te.host} {
  %e = tensor.empty() : tensor<16xf32>
  %p0 = tensor.insert_slice %x0 into %e[0] [2] [1] : tensor<2xf32> into tensor<16xf32>
  %p1 = tensor.insert_slice %x1 into %p0[2] [2] [1] : tensor<2xf32> into tensor<16xf32>
  %p2 = tensor.insert_slice %x2 into %p1[4] [2] [1] : tensor<2xf32> into tensor<16xf32>
  %p3 = tensor.insert_slice %x3 into %p2[6] [2] [1] : tensor<2xf32> into tensor<16xf32>
  %p4 = tensor.insert_slice %x4 into %p3[8] [2] [1] : tensor<2xf32> into tensor<16xf32>
  %p5 = tensor.insert_slice %x5 into %p4[10] [2] [1] : tensor<2xf32> into tensor<16xf32>
  %p6 = tensor.insert_slice %x6 into %p5[12] [2] [1] : tensor<2xf32> into tensor<16xf32>
  %p7 = tensor.insert_slice %x7 into %p6[14] [2] [1] : tensor<2xf32> into tensor<16xf32>
  te.return %p7 : tensor<16xf32>
}

// Kernels of other targets are left alone.
// CHECK-LABEL: te.kernel @other
// CHECK-SAME: tensor<8xf32>
te.kernel @other(%x: tensor<8xf32>, %out: tensor<8xf32>) -> tensor<8xf32> attributes {target = #vta} {
  te.return %out : tensor<8xf32>
}

// The constant is an argument; a result is computed in place unless its kernel knows it under another shape.
// CHECK-LABEL: func.func @main(
// CHECK-SAME: %[[X:[a-z0-9]+]]: memref<8xf32> {graph.name = "x"},
// CHECK-SAME: %[[C:[a-z0-9]+]]: memref<8xf32> {cpu.constant = dense<1.000000e+00> : tensor<8xf32>},
// CHECK-SAME: %[[Y:[a-z0-9]+]]: memref<8xf32> {cpu.output = 0 : i64, graph.name = "y"},
// CHECK-SAME: %[[Z:[a-z0-9]+]]: memref<2x4xf32> {cpu.output = 1 : i64})
// CHECK: te.launch @relu ins(%[[C]] : memref<8xf32>) outs(%[[Y]] : memref<8xf32>)
// CHECK: %[[A:.*]] = memref.alloc() {alignment = 64 : i64} : memref<8xf32>
// CHECK: te.launch @relu ins(%[[X]] : memref<8xf32>) outs(%[[A]]
// CHECK: %[[V:.*]] = memref.expand_shape %[[A]]
// CHECK: memref.copy %[[V]], %[[Z]]
// CHECK: return{{$}}
func.func @main(%x: tensor<8xf32> {graph.name = "x"}) -> (tensor<8xf32> {graph.name = "y"}, tensor<2x4xf32>) {
  %c = graph.constant dense<1.0> : tensor<8xf32> : tensor<8xf32>
  %e = tensor.empty() : tensor<8xf32>
  %0 = te.launch @relu ins(%c : tensor<8xf32>) outs(%e : tensor<8xf32>) -> tensor<8xf32>
  %f = tensor.empty() : tensor<8xf32>
  %1 = te.launch @relu ins(%x : tensor<8xf32>) outs(%f : tensor<8xf32>) -> tensor<8xf32>
  %2 = tensor.expand_shape %1 [[0, 1]] output_shape [2, 4] : tensor<8xf32> into tensor<2x4xf32>
  return %0, %2 : tensor<8xf32>, tensor<2x4xf32>
}

// -----

// Elements of less than a byte, which only another processor reads, lie without gaps: 1, -2, 3 and -1 are 0xE1, 0xF3.
#vta = #vta.config<log_wgt_width = 2, log_wgt_buff_size = 17>

te.kernel @narrow(%w: tensor<4xi4>, %out: tensor<8xi8>) -> tensor<8xi8> attributes {target = #vta} {
  te.return %out : tensor<8xi8>
}

// CHECK-LABEL: func.func @narrow_weights(
// CHECK-SAME: %[[W:[a-z0-9]+]]: memref<4xi4> {cpu.constant = dense<[-31, -13]> : tensor<2xi8>}
// CHECK: te.launch @narrow ins(%[[W]] : memref<4xi4>)
func.func @narrow_weights() -> tensor<8xi8> {
  %w = graph.constant dense<[1, -2, 3, -1]> : tensor<4xi4> : tensor<4xi4>
  %e = tensor.empty() : tensor<8xi8>
  %0 = te.launch @narrow ins(%w : tensor<4xi4>) outs(%e : tensor<8xi8>) -> tensor<8xi8>
  return %0 : tensor<8xi8>
}
