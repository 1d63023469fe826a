// RUN: acc-opt %s -split-input-file -verify-diagnostics --pass-pipeline='builtin.module(te.kernel(host-form-contractions,canonicalize))' | FileCheck %s

#c = affine_map<(n, c, h, w) -> (c)>
#id = affine_map<(n, c, h, w) -> (n, c, h, w)>

// The padding, the bias, the ReLU and the residual operand all go into one operation,
// also what a policy took for a contraction.
// CHECK-LABEL: te.kernel @convolution(
// CHECK-SAME: %[[X:.*]]: tensor<1x3x8x8xf32>, %[[W:.*]]: tensor<20x3x3x3xf32>, %[[B:.*]]: tensor<20xf32>, %[[R:.*]]: tensor<1x20x4x4xf32>, %[[OUT:.*]]: tensor<1x20x4x4xf32>)
// CHECK: %[[P:.*]] = linalg.pack %[[W]] padding_value(%{{.*}} : f32) inner_dims_pos = [0] inner_tiles = [32]
// CHECK-SAME: tensor<20x3x3x3xf32> -> tensor<1x3x3x3x32xf32>
// CHECK: %[[Y:.*]] = cpu.contract ins(%[[X]], %[[P]] : {{.*}}) epilogue(%[[B]], %[[R]] : tensor<20xf32>, tensor<1x20x4x4xf32>)
// CHECK-SAME: outs(%[[OUT]] : tensor<1x20x4x4xf32>)
// CHECK-SAME: pads = array<i64: 1, 1, 0, 0>, rows = 4 : i64, strides = array<i64: 2, 2>, tile = array<i64: 4, 16>
// CHECK: ^bb0(%[[S:.*]]: f32, %[[BIAS:.*]]: f32, %[[RES:.*]]: f32):
// CHECK: %[[A:.*]] = arith.addf %[[S]], %[[BIAS]]
// CHECK: %[[M:.*]] = arith.maximumf %[[A]]
// CHECK: %[[T:.*]] = arith.addf %[[M]], %[[RES]]
// CHECK: cpu.yield %[[T]]
// CHECK: te.return %[[Y]]
te.kernel @convolution(%x: tensor<1x3x8x8xf32>, %w: tensor<20x3x3x3xf32>, %b: tensor<20xf32>, %r: tensor<1x20x4x4xf32>,
                       %out: tensor<1x20x4x4xf32>) -> tensor<1x20x4x4xf32>
    attributes {target = #te.host} {
  %z = arith.constant 0.0 : f32
  %pad = tensor.pad %x low[0, 0, 1, 1] high[0, 0, 0, 0] {
  ^bb0(%i: index, %j: index, %k: index, %l: index):
    tensor.yield %z : f32
  } : tensor<1x3x8x8xf32> to tensor<1x3x9x9xf32>
  %e = tensor.empty() : tensor<1x20x4x4xf32>
  %f = linalg.fill ins(%z : f32) outs(%e : tensor<1x20x4x4xf32>) -> tensor<1x20x4x4xf32>
  %c = linalg.conv_2d_nchw_fchw {
      te.schedule = #te.schedule<tiles = [#te.tile<sizes = [0, 0, 4]>, #te.tile<sizes = [0, 32, 0, 4], kind = register>,
                                          #te.tile<sizes = [0, 16], kind = vector>]>,
      strides = dense<2> : vector<2xi64>, dilations = dense<1> : vector<2xi64>}
      ins(%pad, %w : tensor<1x3x9x9xf32>, tensor<20x3x3x3xf32>) outs(%f : tensor<1x20x4x4xf32>) -> tensor<1x20x4x4xf32>
  %y = linalg.generic {indexing_maps = [#id, #c, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%c, %b : tensor<1x20x4x4xf32>, tensor<20xf32>) outs(%e : tensor<1x20x4x4xf32>) {
  ^bb0(%s: f32, %bias: f32, %o: f32):
    %0 = arith.addf %s, %bias : f32
    %1 = arith.maximumf %0, %z : f32
    linalg.yield %1 : f32
  } -> tensor<1x20x4x4xf32>
  %q = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%y, %r : tensor<1x20x4x4xf32>, tensor<1x20x4x4xf32>) outs(%out : tensor<1x20x4x4xf32>)
      attrs = {te.schedule = #te.schedule<tiles = [#te.tile<sizes = [4, 16], kind = register>, #te.tile<sizes = [0, 16], kind = vector>]>} {
  ^bb0(%s: f32, %t: f32, %o: f32):
    %0 = arith.addf %s, %t : f32
    linalg.yield %0 : f32
  } -> tensor<1x20x4x4xf32>
  te.return %q : tensor<1x20x4x4xf32>
}

// -----

// i8 weights are packed in pairs of what is summed; (N, K) weights need no transposition.
// CHECK-LABEL: te.kernel @product(
// CHECK: linalg.pack %{{.*}} inner_dims_pos = [0, 1] inner_tiles = [8, 2] {{.*}} tensor<6x5xi8> -> tensor<1x3x8x2xi8>
// CHECK: cpu.contract {{.*}}instruction = "pmaddwd"
te.kernel @product(%x: tensor<4x5xi8>, %w: tensor<6x5xi8>, %out: tensor<4x6xi32>) -> tensor<4x6xi32>
    attributes {target = #te.host} {
  %z = arith.constant 0 : i32
  %f = linalg.fill ins(%z : i32) outs(%out : tensor<4x6xi32>) -> tensor<4x6xi32>
  %0 = linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>,
                                        affine_map<(m, n, k) -> (m, n)>],
                       iterator_types = ["parallel", "parallel", "reduction"],
                       te.schedule = #te.schedule<tiles = [#te.tile<sizes = [4, 8], kind = register>,
                                                           #te.tile<sizes = [0, 8], kind = vector>],
                                                  intrinsic = @pmaddwd>}
      ins(%x, %w : tensor<4x5xi8>, tensor<6x5xi8>) outs(%f : tensor<4x6xi32>) {
  ^bb0(%a: i8, %b: i8, %s: i32):
    %1 = arith.extsi %a : i8 to i32
    %2 = arith.extsi %b : i8 to i32
    %3 = arith.muli %1, %2 : i32
    %4 = arith.addi %s, %3 : i32
    linalg.yield %4 : i32
  } -> tensor<4x6xi32>
  te.return %0 : tensor<4x6xi32>
}

// -----

// The size of an image may be unknown; the result's is that of the sums.
// CHECK-LABEL: te.kernel @images(
// CHECK: %[[E:.*]] = tensor.empty(%[[N:.*]], %[[H:.*]], %[[W:.*]]) : tensor<?x8x?x?xf32>
// CHECK: cpu.contract {{.*}} outs(%[[E]] : tensor<?x8x?x?xf32>)
te.kernel @images(%x: tensor<?x3x?x?xf32>, %w: tensor<8x3x1x1xf32>, %n: index, %h: index, %v: index, %out: tensor<?x8x?x?xf32>)
    -> tensor<?x8x?x?xf32> attributes {target = #te.host} {
  %z = arith.constant 0.0 : f32
  %e = tensor.empty(%n, %h, %v) : tensor<?x8x?x?xf32>
  %f = linalg.fill ins(%z : f32) outs(%e : tensor<?x8x?x?xf32>) -> tensor<?x8x?x?xf32>
  %c = linalg.conv_2d_nchw_fchw {
      te.schedule = #te.schedule<tiles = [#te.tile<sizes = [0, 8, 0, 4], kind = register>, #te.tile<sizes = [0, 8], kind = vector>]>,
      strides = dense<1> : vector<2xi64>, dilations = dense<1> : vector<2xi64>}
      ins(%x, %w : tensor<?x3x?x?xf32>, tensor<8x3x1x1xf32>) outs(%f : tensor<?x8x?x?xf32>) -> tensor<?x8x?x?xf32>
  te.return %c : tensor<?x8x?x?xf32>
}

// -----

te.kernel @levels(%x: tensor<4x5xf32>, %w: tensor<5x64xf32>, %out: tensor<4x64xf32>) -> tensor<4x64xf32>
    attributes {target = #te.host} {
  %z = arith.constant 0.0 : f32
  %f = linalg.fill ins(%z : f32) outs(%out : tensor<4x64xf32>) -> tensor<4x64xf32>
  // expected-error @+1 {{needs a schedule of a level of kind register, one of kind vector and at most one serial level and one of kind parallel, not}}
  %0 = linalg.matmul {te.schedule = #te.schedule<tiles = [#te.tile<sizes = [0, 16], kind = vector>]>}
      ins(%x, %w : tensor<4x5xf32>, tensor<5x64xf32>) outs(%f : tensor<4x64xf32>) -> tensor<4x64xf32>
  te.return %0 : tensor<4x64xf32>
}

// -----

te.kernel @rows(%x: tensor<4x5xf32>, %w: tensor<5x64xf32>, %out: tensor<4x64xf32>) -> tensor<4x64xf32>
    attributes {target = #te.host} {
  %z = arith.constant 0.0 : f32
  %f = linalg.fill ins(%z : f32) outs(%out : tensor<4x64xf32>) -> tensor<4x64xf32>
  // expected-error @+1 {{has a level of kind serial that tiles loop 0, which it cannot}}
  %0 = linalg.matmul {te.schedule = #te.schedule<tiles = [#te.tile<sizes = [2]>, #te.tile<sizes = [4, 16], kind = register>, #te.tile<sizes = [0, 16], kind = vector>]>}
      ins(%x, %w : tensor<4x5xf32>, tensor<5x64xf32>) outs(%f : tensor<4x64xf32>) -> tensor<4x64xf32>
  te.return %0 : tensor<4x64xf32>
}

// -----

te.kernel @sum(%x: tensor<4x5xf32>, %w: tensor<5x64xf32>, %out: tensor<4x64xf32>) -> tensor<4x64xf32>
    attributes {target = #te.host} {
  %z = arith.constant 0.0 : f32
  %f = linalg.fill ins(%z : f32) outs(%out : tensor<4x64xf32>) -> tensor<4x64xf32>
  // expected-error @+1 {{has a level of kind register that tiles loop 2, which it cannot}}
  %0 = linalg.matmul {te.schedule = #te.schedule<tiles = [#te.tile<sizes = [4, 16, 2], kind = register>, #te.tile<sizes = [0, 16], kind = vector>]>}
      ins(%x, %w : tensor<4x5xf32>, tensor<5x64xf32>) outs(%f : tensor<4x64xf32>) -> tensor<4x64xf32>
  te.return %0 : tensor<4x64xf32>
}

// -----

te.kernel @whole(%x: tensor<4x5xf32>, %w: tensor<5x64xf32>, %out: tensor<4x64xf32>) -> tensor<4x64xf32>
    attributes {target = #te.host} {
  %z = arith.constant 0.0 : f32
  %f = linalg.fill ins(%z : f32) outs(%out : tensor<4x64xf32>) -> tensor<4x64xf32>
  // expected-error @+1 {{needs columns and whole vectors of 16 outputs in registers, not}}
  %0 = linalg.matmul {te.schedule = #te.schedule<tiles = [#te.tile<sizes = [4, 24], kind = register>, #te.tile<sizes = [0, 16], kind = vector>]>}
      ins(%x, %w : tensor<4x5xf32>, tensor<5x64xf32>) outs(%f : tensor<4x64xf32>) -> tensor<4x64xf32>
  te.return %0 : tensor<4x64xf32>
}

// -----

te.kernel @none(%x: tensor<4x5xf32>, %w: tensor<5x64xf32>, %out: tensor<4x64xf32>) -> tensor<4x64xf32>
    attributes {target = #te.host} {
  %z = arith.constant 0.0 : f32
  %f = linalg.fill ins(%z : f32) outs(%out : tensor<4x64xf32>) -> tensor<4x64xf32>
  // expected-error @+1 {{needs columns and whole vectors of 16 outputs in registers, not}}
  %0 = linalg.matmul {te.schedule = #te.schedule<tiles = [#te.tile<sizes = [0, 16], kind = register>, #te.tile<sizes = [0, 16], kind = vector>]>}
      ins(%x, %w : tensor<4x5xf32>, tensor<5x64xf32>) outs(%f : tensor<4x64xf32>) -> tensor<4x64xf32>
  te.return %0 : tensor<4x64xf32>
}

// -----

te.kernel @many(%x: tensor<4x5xf32>, %w: tensor<5x64xf32>, %out: tensor<4x64xf32>) -> tensor<4x64xf32>
    attributes {target = #te.host} {
  %z = arith.constant 0.0 : f32
  %f = linalg.fill ins(%z : f32) outs(%out : tensor<4x64xf32>) -> tensor<4x64xf32>
  // expected-error @+1 {{has a schedule with 20 times 2 vectors in registers; the processor has 32}}
  %0 = linalg.matmul {te.schedule = #te.schedule<tiles = [#te.tile<sizes = [20, 32], kind = register>, #te.tile<sizes = [0, 16], kind = vector>]>}
      ins(%x, %w : tensor<4x5xf32>, tensor<5x64xf32>) outs(%f : tensor<4x64xf32>) -> tensor<4x64xf32>
  te.return %0 : tensor<4x64xf32>
}

// -----

te.kernel @instruction(%x: tensor<4x5xf32>, %w: tensor<5x64xf32>, %out: tensor<4x64xf32>) -> tensor<4x64xf32>
    attributes {target = #te.host} {
  %z = arith.constant 0.0 : f32
  %f = linalg.fill ins(%z : f32) outs(%out : tensor<4x64xf32>) -> tensor<4x64xf32>
  // expected-error @+1 {{has the unknown instruction @fma in its schedule}}
  %0 = linalg.matmul {te.schedule = #te.schedule<tiles = [#te.tile<sizes = [4, 16], kind = register>, #te.tile<sizes = [0, 16], kind = vector>], intrinsic = @fma>}
      ins(%x, %w : tensor<4x5xf32>, tensor<5x64xf32>) outs(%f : tensor<4x64xf32>) -> tensor<4x64xf32>
  te.return %0 : tensor<4x64xf32>
}

// -----

// The number of rows may be unknown.
// CHECK-LABEL: te.kernel @rows(
// CHECK: cpu.contract {{.*}} outs(%{{.*}} : tensor<?x16xf32>)
te.kernel @rows(%x: tensor<?x5xf32>, %w: tensor<5x16xf32>, %out: tensor<?x16xf32>) -> tensor<?x16xf32>
    attributes {target = #te.host} {
  %z = arith.constant 0.0 : f32
  %f = linalg.fill ins(%z : f32) outs(%out : tensor<?x16xf32>) -> tensor<?x16xf32>
  %0 = linalg.matmul {te.schedule = #te.schedule<tiles = [#te.tile<sizes = [4, 16], kind = register>,
                                                          #te.tile<sizes = [0, 16], kind = vector>]>}
      ins(%x, %w : tensor<?x5xf32>, tensor<5x16xf32>) outs(%f : tensor<?x16xf32>) -> tensor<?x16xf32>
  te.return %0 : tensor<?x16xf32>
}

// -----

// Groups of one channel: their axis may be said to be split off the rows, as sizes of 1 fit anywhere.
// CHECK-LABEL: te.kernel @groups_of_one(
// CHECK-SAME: %[[X:.*]]: tensor<?x16x?x?xi8>
// CHECK-NOT: tensor.pad
// CHECK: cpu.contract ins(%[[X]], {{.*}} pad_value = 95 : i64, pads = array<i64: 0, 1, 0, 0>
te.kernel @groups_of_one(%x: tensor<?x16x?x?xi8>, %w: tensor<16x3x1x1x1xi8>, %n: index, %out: tensor<?x48x?x?xi32>)
    -> tensor<?x48x?x?xi32> attributes {target = #te.host} {
  %zero = arith.constant 0 : i32
  %point = arith.constant 95 : i8
  %pad = tensor.pad %x low[0, 0, 0, 1] high[0, 0, 0, 0] {
  ^bb0(%i: index, %j: index, %k: index, %l: index):
    tensor.yield %point : i8
  } : tensor<?x16x?x?xi8> to tensor<?x16x?x?xi8>
  %groups = tensor.expand_shape %pad [[0], [1], [2, 3], [4]] output_shape [%n, 16, 1, %n, %n]
      : tensor<?x16x?x?xi8> into tensor<?x16x1x?x?xi8>
  %e = tensor.empty(%n, %n, %n) : tensor<?x16x3x?x?xi32>
  %f = linalg.fill ins(%zero : i32) outs(%e : tensor<?x16x3x?x?xi32>) -> tensor<?x16x3x?x?xi32>
  %c = linalg.conv_2d_ngchw_gfchw {
      te.schedule = #te.schedule<tiles = [#te.tile<sizes = [0, 0, 0, 1]>, #te.tile<sizes = [0, 0, 16, 0, 14], kind = register>,
                                          #te.tile<sizes = [0, 0, 16], kind = vector>]>,
      strides = dense<4> : vector<2xi64>, dilations = dense<1> : vector<2xi64>}
      ins(%groups, %w : tensor<?x16x1x?x?xi8>, tensor<16x3x1x1x1xi8>) outs(%f : tensor<?x16x3x?x?xi32>) -> tensor<?x16x3x?x?xi32>
  %y = tensor.collapse_shape %c [[0], [1, 2], [3], [4]] : tensor<?x16x3x?x?xi32> into tensor<?x48x?x?xi32>
  te.return %y : tensor<?x48x?x?xi32>
}

// -----

// Chunks that may be computed at the same time are of outputs, or of columns of a product.
// CHECK-LABEL: te.kernel @chunks(
// CHECK: cpu.contract {{.*}} attributes {chunks = array<i64: 32, 0>
te.kernel @chunks(%x: tensor<8x5xf32>, %w: tensor<5x64xf32>, %out: tensor<8x64xf32>) -> tensor<8x64xf32>
    attributes {target = #te.host} {
  %zero = arith.constant 0.0 : f32
  %init = linalg.fill ins(%zero : f32) outs(%out : tensor<8x64xf32>) -> tensor<8x64xf32>
  %0 = linalg.matmul {te.schedule = #te.schedule<tiles = [#te.tile<sizes = [0, 32], kind = parallel>,
         #te.tile<sizes = [4, 16], kind = register>, #te.tile<sizes = [0, 16], kind = vector>]>}
       ins(%x, %w : tensor<8x5xf32>, tensor<5x64xf32>) outs(%init : tensor<8x64xf32>) -> tensor<8x64xf32>
  te.return %0 : tensor<8x64xf32>
}

// -----

te.kernel @sums(%x: tensor<8x5xf32>, %w: tensor<5x64xf32>, %out: tensor<8x64xf32>) -> tensor<8x64xf32>
    attributes {target = #te.host} {
  %zero = arith.constant 0.0 : f32
  %init = linalg.fill ins(%zero : f32) outs(%out : tensor<8x64xf32>) -> tensor<8x64xf32>
  // No sum is divided among threads.
  // expected-error @+2 {{has a level of kind parallel that tiles loop 2, which it cannot}}
  // expected-error @+1 {{cannot run chunks of #te.tile<sizes = [0, 0, 4], kind = parallel> in parallel}}
  %0 = linalg.matmul {te.schedule = #te.schedule<tiles = [#te.tile<sizes = [0, 0, 4], kind = parallel>,
         #te.tile<sizes = [4, 16], kind = register>, #te.tile<sizes = [0, 16], kind = vector>]>}
       ins(%x, %w : tensor<8x5xf32>, tensor<5x64xf32>) outs(%init : tensor<8x64xf32>) -> tensor<8x64xf32>
  te.return %0 : tensor<8x64xf32>
}
