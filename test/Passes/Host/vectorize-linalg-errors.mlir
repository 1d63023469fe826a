// RUN: acc-opt %s -split-input-file -verify-diagnostics --pass-pipeline='builtin.module(te.kernel(host-vectorize-linalg))'

// Schedules that host-vectorize-linalg cannot obey.

te.kernel @serial(%x: memref<8x5xf32>, %y: memref<5x16xf32>, %out: memref<8x16xf32>)
    attributes {target = #te.host} {
  // expected-error @+1 {{needs a schedule of a level of kind vector, at most one of kind register and one of kind parallel, not}}
  linalg.matmul {te.schedule = #te.schedule<tiles = [#te.tile<sizes = [2]>]>}
      ins(%x, %y : memref<8x5xf32>, memref<5x16xf32>) outs(%out : memref<8x16xf32>)
  te.return
}

// -----

te.kernel @strided(%x: memref<8x5xf32>, %y: memref<5x16xf32>, %out: memref<8x16xf32>)
    attributes {target = #te.host} {
  // expected-error @+1 {{cannot be vectorized as #te.tile<sizes = [8], kind = vector> says: its elements do not lie side by side}}
  linalg.matmul {te.schedule = #te.schedule<tiles = [#te.tile<sizes = [8], kind = vector>]>}
      ins(%x, %y : memref<8x5xf32>, memref<5x16xf32>) outs(%out : memref<8x16xf32>)
  te.return
}

// -----

te.kernel @no_loop(%x: memref<8x5xf32>, %y: memref<5x16xf32>, %out: memref<8x16xf32>)
    attributes {target = #te.host} {
  // expected-error @+1 {{has no loop for the level #te.tile<sizes = [0, 0, 0, 8], kind = vector>}}
  linalg.matmul {te.schedule = #te.schedule<tiles = [#te.tile<sizes = [0, 0, 0, 8], kind = vector>]>}
      ins(%x, %y : memref<8x5xf32>, memref<5x16xf32>) outs(%out : memref<8x16xf32>)
  te.return
}

// -----

te.kernel @wide(%x: memref<8x5xf32>, %y: memref<5x16xf32>, %out: memref<8x16xf32>)
    attributes {target = #te.host} {
  // expected-error @+1 {{has a schedule with 128 lanes; vectors of the processor have at most 64}}
  linalg.matmul {te.schedule = #te.schedule<tiles = [#te.tile<sizes = [0, 128], kind = vector>]>}
      ins(%x, %y : memref<8x5xf32>, memref<5x16xf32>) outs(%out : memref<8x16xf32>)
  te.return
}

// -----

te.kernel @many_rows(%x: memref<8x5xf32>, %y: memref<5x16xf32>, %out: memref<8x16xf32>)
    attributes {target = #te.host} {
  // expected-error @+1 {{says: there are too many}}
  linalg.matmul {te.schedule = #te.schedule<tiles = [#te.tile<sizes = [16], kind = register>, #te.tile<sizes = [0, 16], kind = vector>]>}
      ins(%x, %y : memref<8x5xf32>, memref<5x16xf32>) outs(%out : memref<8x16xf32>)
  te.return
}

// -----

te.kernel @no_rows(%x: memref<8x5xf32>, %y: memref<5x16xf32>, %out: memref<8x16xf32>)
    attributes {target = #te.host} {
  // expected-error @+1 {{says: they share no vectors that they read}}
  linalg.matmul {te.schedule = #te.schedule<tiles = [#te.tile<sizes = [0, 0, 2], kind = register>, #te.tile<sizes = [0, 16], kind = vector>]>}
      ins(%x, %y : memref<8x5xf32>, memref<5x16xf32>) outs(%out : memref<8x16xf32>)
  te.return
}

// -----

te.kernel @left_to_loops(%x: memref<4xcomplex<f32>>, %out: memref<4xcomplex<f32>>) attributes {target = #te.host} {
  // expected-error @+1 {{has a schedule, but cannot be computed in vectors}}
  linalg.copy {te.schedule = #te.schedule<tiles = [#te.tile<sizes = [4], kind = vector>]>}
      ins(%x : memref<4xcomplex<f32>>) outs(%out : memref<4xcomplex<f32>>)
  te.return
}

// -----

// What two chunks would write to the same place is not cut.
te.kernel @sum(%a: memref<8x32xf32>, %b: memref<32xf32>) attributes {target = #te.host} {
  // expected-error @+1 {{cannot run chunks of #te.tile<sizes = [2], kind = parallel> in parallel}}
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (j)>],
                  iterator_types = ["reduction", "parallel"],
                  te.schedule = #te.schedule<tiles = [#te.tile<sizes = [2], kind = parallel>]>}
      ins(%a : memref<8x32xf32>) outs(%b : memref<32xf32>) {
  ^bb0(%x: f32, %y: f32):
    %0 = arith.addf %x, %y : f32
    linalg.yield %0 : f32
  }
  te.return
}


// -----

te.kernel @no_square(%a: memref<16x16xf32>, %b: memref<16x16xf32>) attributes {target = #te.host} {
  // expected-error @+1 {{turns squares of a power of two of elements, not 16 x 8}}
  linalg.transpose ins(%a : memref<16x16xf32>) outs(%b : memref<16x16xf32>) permutation = [1, 0]
      {te.schedule = #te.schedule<tiles = [#te.tile<sizes = [8], kind = register>, #te.tile<sizes = [0, 16], kind = vector>]>}
  te.return
}
