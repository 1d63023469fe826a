// RUN: acc-opt %s | acc-opt | FileCheck %s
// RUN: acc-opt %s --mlir-print-op-generic | acc-opt | FileCheck %s

// CHECK-LABEL: te.kernel @convolution
// CHECK: cpu.contract ins(%{{.*}}, %{{.*}} : tensor<1x3x8x8xf32>, tensor<1x3x3x3x32xf32>) epilogue(%{{.*}} : tensor<20xf32>)
// CHECK-SAME: outs(%{{.*}} : tensor<1x20x8x8xf32>)
// CHECK: ^bb0(%{{.*}}: f32, %{{.*}}: f32):
// CHECK: cpu.yield
te.kernel @convolution(%x: tensor<1x3x8x8xf32>, %w: tensor<1x3x3x3x32xf32>, %b: tensor<20xf32>,
                       %out: tensor<1x20x8x8xf32>) -> tensor<1x20x8x8xf32> attributes {target = #te.host} {
  %y = cpu.contract ins(%x, %w : tensor<1x3x8x8xf32>, tensor<1x3x3x3x32xf32>) epilogue(%b : tensor<20xf32>)
      outs(%out : tensor<1x20x8x8xf32>)
      attributes {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>,
                  tile = array<i64: 8, 16>, rows = 8, maps = [affine_map<(n, c, h, w) -> (c)>]} {
  ^bb0(%sum: f32, %bias: f32):
    %0 = arith.addf %sum, %bias : f32
    cpu.yield %0 : f32
  } -> tensor<1x20x8x8xf32>
  te.return %y : tensor<1x20x8x8xf32>
}

// Two groups of pairs of channels, on buffers.
// CHECK-LABEL: te.kernel @grouped_integers
// CHECK: cpu.contract ins(%{{.*}}, %{{.*}} : memref<1x10x4x4xi8>, memref<2x1x3x1x1x16x2xi8>)
// CHECK-SAME: instruction = "pmaddwd"
te.kernel @grouped_integers(%x: memref<1x10x4x4xi8>, %w: memref<2x1x3x1x1x16x2xi8>, %out: memref<1x12x4x4xi8>)
    attributes {target = #te.host} {
  cpu.contract ins(%x, %w : memref<1x10x4x4xi8>, memref<2x1x3x1x1x16x2xi8>) outs(%out : memref<1x12x4x4xi8>)
      attributes {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>,
                  tile = array<i64: 4, 16>, rows = 4, pad_value = -3, instruction = "pmaddwd", maps = []} {
  ^bb0(%sum: i32):
    %0 = arith.trunci %sum : i32 to i8
    cpu.yield %0 : i8
  }
  te.return
}

// CHECK-LABEL: te.kernel @product
te.kernel @product(%x: memref<7x5xf32>, %w: memref<2x5x16xf32>, %out: memref<7x20xf32>) attributes {target = #te.host} {
  // CHECK: cpu.contract ins(%{{.*}}, %{{.*}} : memref<7x5xf32>, memref<2x5x16xf32>) outs(%{{.*}} : memref<7x20xf32>)
  cpu.contract ins(%x, %w : memref<7x5xf32>, memref<2x5x16xf32>) outs(%out : memref<7x20xf32>)
      attributes {tile = array<i64: 4, 8>, maps = []} {
  ^bb0(%sum: f32):
    cpu.yield %sum : f32
  }
  te.return
}
