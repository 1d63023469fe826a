// RUN: acc-opt %s -split-input-file -verify-diagnostics

func.func @element(%x: tensor<2x2xf64>, %w: tensor<1x2x8xf64>, %o: tensor<2x8xf64>) {
  // expected-error @+1 {{multiplies f32, f16, bf16 or i8, not 'f64'}}
  %0 = cpu.contract ins(%x, %w : tensor<2x2xf64>, tensor<1x2x8xf64>) outs(%o : tensor<2x8xf64>)
      attributes {tile = array<i64: 2, 8>, maps = []} {
  ^bb0(%s: f64):
    cpu.yield %s : f64
  } -> tensor<2x8xf64>
  return
}

// -----

func.func @dynamic(%x: tensor<2x?xf32>, %w: tensor<1x2x8xf32>, %o: tensor<2x8xf32>) {
  // expected-error @+1 {{needs static shapes but for rows, or the number and size of images, not 'tensor<2x?xf32>'}}
  %0 = cpu.contract ins(%x, %w : tensor<2x?xf32>, tensor<1x2x8xf32>) outs(%o : tensor<2x8xf32>)
      attributes {tile = array<i64: 2, 8>, maps = []} {
  ^bb0(%s: f32):
    cpu.yield %s : f32
  } -> tensor<2x8xf32>
  return
}

// -----

func.func @lanes(%x: tensor<2x2xf32>, %w: tensor<1x2x8xf32>, %o: tensor<2x8xf32>) {
  // expected-error @+1 {{needs a tile of [width, lanes], the lanes dividing the weights' tile}}
  %0 = cpu.contract ins(%x, %w : tensor<2x2xf32>, tensor<1x2x8xf32>) outs(%o : tensor<2x8xf32>)
      attributes {tile = array<i64: 2, 16>, maps = []} {
  ^bb0(%s: f32):
    cpu.yield %s : f32
  } -> tensor<2x8xf32>
  return
}

// -----

func.func @sizes(%x: tensor<2x3xf32>, %w: tensor<1x2x8xf32>, %o: tensor<2x8xf32>) {
  // expected-error @+1 {{has sizes that do not fit: 'tensor<2x3xf32>' by 'tensor<1x2x8xf32>' to 'tensor<2x8xf32>'}}
  %0 = cpu.contract ins(%x, %w : tensor<2x3xf32>, tensor<1x2x8xf32>) outs(%o : tensor<2x8xf32>)
      attributes {tile = array<i64: 2, 8>, maps = []} {
  ^bb0(%s: f32):
    cpu.yield %s : f32
  } -> tensor<2x8xf32>
  return
}

// -----

func.func @window(%x: tensor<1x2x3x3xf32>, %w: tensor<1x2x3x3x8xf32>, %o: tensor<1x8x2x1xf32>) {
  // expected-error @+1 {{has an output of 2 rows that the padded input does not cover}}
  %0 = cpu.contract ins(%x, %w : tensor<1x2x3x3xf32>, tensor<1x2x3x3x8xf32>) outs(%o : tensor<1x8x2x1xf32>)
      attributes {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>,
                  tile = array<i64: 1, 8>, maps = []} {
  ^bb0(%s: f32):
    cpu.yield %s : f32
  } -> tensor<1x8x2x1xf32>
  return
}

// -----

func.func @strides(%x: tensor<1x2x3x3xf32>, %w: tensor<1x2x3x3x8xf32>, %o: tensor<1x8x1x1xf32>) {
  // expected-error @+1 {{needs 2 positive strides and dilations and 4 non-negative pads}}
  %0 = cpu.contract ins(%x, %w : tensor<1x2x3x3xf32>, tensor<1x2x3x3x8xf32>) outs(%o : tensor<1x8x1x1xf32>)
      attributes {strides = array<i64: 0, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>,
                  tile = array<i64: 1, 8>, maps = []} {
  ^bb0(%s: f32):
    cpu.yield %s : f32
  } -> tensor<1x8x1x1xf32>
  return
}

// -----

func.func @map(%x: tensor<2x2xf32>, %w: tensor<1x2x8xf32>, %b: tensor<5xf32>, %o: tensor<2x8xf32>) {
  // expected-error @+1 {{has an epilogue operand of 'tensor<5xf32>' that does not fit the output}}
  %0 = cpu.contract ins(%x, %w : tensor<2x2xf32>, tensor<1x2x8xf32>) epilogue(%b : tensor<5xf32>)
      outs(%o : tensor<2x8xf32>) attributes {tile = array<i64: 2, 8>, maps = [affine_map<(m, n) -> (n)>]} {
  ^bb0(%s: f32, %t: f32):
    cpu.yield %s : f32
  } -> tensor<2x8xf32>
  return
}

// -----

func.func @yield(%x: tensor<2x2xf32>, %w: tensor<1x2x8xf32>, %o: tensor<2x8xi8>) {
  // expected-error @+1 {{must yield the output's element type}}
  %0 = cpu.contract ins(%x, %w : tensor<2x2xf32>, tensor<1x2x8xf32>) outs(%o : tensor<2x8xi8>)
      attributes {tile = array<i64: 2, 8>, maps = []} {
  ^bb0(%s: f32):
    cpu.yield %s : f32
  } -> tensor<2x8xi8>
  return
}

// -----

func.func @scratch() {
  // expected-error @+1 {{'cpu.scratch' must be [offset, bytes, ...] of a kernel}}
  return {cpu.scratch = array<i64: 0, 64>}
}

// -----

func.func @unknown() {
  // expected-error @+1 {{has the unknown attribute 'cpu.frobnicate'}}
  return {cpu.frobnicate}
}
