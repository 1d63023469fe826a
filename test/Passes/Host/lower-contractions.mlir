// RUN: acc-opt %s -split-input-file -verify-diagnostics --pass-pipeline='builtin.module(te.kernel(host-lower-contractions,canonicalize))' | FileCheck %s

// Seven rows are a tile of four and one of three; 20 columns are masked after the first 16.
// CHECK-LABEL: te.kernel @product(
// CHECK-DAG: %[[C0:.*]] = arith.constant 0 : index
// CHECK-DAG: %[[C1:.*]] = arith.constant 1 : index
// CHECK-DAG: %[[C2:.*]] = arith.constant 2 : index
// CHECK-DAG: %[[C5:.*]] = arith.constant 5 : index
// CHECK: memref.alloca() {alignment = 64 : i64} : memref<64xf32>
// CHECK: scf.for %[[T:.*]] = %[[C0]] to %[[C2]]
// CHECK: %[[SUMS:.*]]:4 = scf.for {{.*}} = %[[C0]] to %[[C5]] step %[[C1]] iter_args
// CHECK: %[[W:.*]] = vector.load %{{.*}} : memref<160xf32>, vector<16xf32>
// CHECK: %[[A:.*]] = memref.load %{{.*}} : memref<35xf32>
// CHECK: %[[X:.*]] = vector.broadcast %[[A]] : f32 to vector<16xf32>
// CHECK: %[[P:.*]] = arith.mulf %[[X]], %[[W]] fastmath<contract>
// CHECK: arith.addf %[[P]], %{{.*}} fastmath<contract>
// CHECK: vector.create_mask
// CHECK: vector.maskedstore
// CHECK: :3 = scf.for
te.kernel @product(%x: memref<7x5xf32>, %w: memref<2x5x16xf32>, %out: memref<7x20xf32>) attributes {target = #te.host} {
  cpu.contract ins(%x, %w : memref<7x5xf32>, memref<2x5x16xf32>) outs(%out : memref<7x20xf32>)
      attributes {tile = array<i64: 4, 16>, maps = []} {
  ^bb0(%sum: f32):
    cpu.yield %sum : f32
  }
  te.return
}

// -----

// A padded input is copied to a panel, rows outside of it as zeros; the tile is turned round to be stored.
// CHECK-LABEL: te.kernel @convolution(
// CHECK-DAG: %[[C0:.*]] = arith.constant 0 : index
// CHECK-DAG: %[[C8:.*]] = arith.constant 8 : index
// CHECK: memref.alloc() {alignment = 64 : i64} : memref<180xf32>
// CHECK: scf.if
// CHECK: } else {
// CHECK: :8 = scf.for {{.*}} -> (vector<8xf32>
// CHECK: vector.shuffle {{.*}} [0, 8, 1, 9, 2, 10, 3, 11]
// CHECK: scf.for {{.*}} = %[[C0]] to %[[C8]]
// CHECK: arith.maximumf {{.*}} : vector<8xf32>
// CHECK: vector.store
te.kernel @convolution(%x: memref<1x3x8x8xf32>, %w: memref<1x3x3x3x8xf32>, %out: memref<1x8x8x8xf32>)
    attributes {target = #te.host} {
  cpu.contract ins(%x, %w : memref<1x3x8x8xf32>, memref<1x3x3x3x8xf32>) outs(%out : memref<1x8x8x8xf32>)
      attributes {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>,
                  tile = array<i64: 8, 8>, rows = 4, maps = []} {
  ^bb0(%sum: f32):
    %z = arith.constant 0.0 : f32
    %0 = arith.maximumf %sum, %z : f32
    cpu.yield %0 : f32
  }
  te.return
}

// -----

// Pairs of channels are multiplied and added at once.
// CHECK-LABEL: te.kernel @integers(
// CHECK: memref.alloc() {alignment = 64 : i64} : memref<64xi16>
// CHECK: arith.extsi %{{.*}} : vector<32xi8> to vector<32xi16>
// CHECK: llvm.call_intrinsic "llvm.x86.avx512.pmaddw.d.512"(%{{.*}}, %{{.*}}) : (vector<32xi16>, vector<32xi16>) -> vector<16xi32>
// CHECK: vector.store {{.*}} vector<4xi8>
te.kernel @integers(%x: memref<1x3x4x4xi8>, %w: memref<1x2x1x1x16x2xi8>, %out: memref<1x16x4x4xi8>)
    attributes {target = #te.host} {
  cpu.contract ins(%x, %w : memref<1x3x4x4xi8>, memref<1x2x1x1x16x2xi8>) outs(%out : memref<1x16x4x4xi8>)
      attributes {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>,
                  tile = array<i64: 4, 16>, rows = 4, instruction = "pmaddwd", maps = []} {
  ^bb0(%sum: i32):
    %0 = arith.trunci %sum : i32 to i8
    cpu.yield %0 : i8
  }
  te.return
}

// -----

te.kernel @scalar(%x: memref<2x2xf32>, %w: memref<1x2x8xf32>, %out: memref<2x8xf32>) attributes {target = #te.host} {
  // expected-error @+1 {{cannot be lowered: its operands must be buffers with static strides, and its epilogue elementwise}}
  cpu.contract ins(%x, %w : memref<2x2xf32>, memref<1x2x8xf32>) outs(%out : memref<2x8xf32>)
      attributes {tile = array<i64: 2, 8>, maps = []} {
  ^bb0(%sum: f32):
    %a = memref.alloca() : memref<f32>
    cpu.yield %sum : f32
  }
  te.return
}

// -----

// What full tiles leave of an unknown number of rows is computed by halves.
// CHECK-LABEL: te.kernel @rows(
// CHECK-DAG: %[[C2:.*]] = arith.constant 2 : index
// CHECK-DAG: %[[C4:.*]] = arith.constant 4 : index
// CHECK-DAG: %[[C6:.*]] = arith.constant 6 : index
// CHECK: arith.divui %[[M:.*]], %[[C6]]
// CHECK: %[[REST:.*]] = arith.remui %[[M]], %[[C6]]
// CHECK: arith.divui %[[REST]], %[[C4]]
// CHECK: %[[REST2:.*]] = arith.remui %[[REST]], %[[C4]]
// CHECK: arith.divui %[[REST2]], %[[C2]]
te.kernel @rows(%x: memref<?x2xf32>, %w: memref<1x2x8xf32>, %out: memref<?x8xf32>) attributes {target = #te.host} {
  cpu.contract ins(%x, %w : memref<?x2xf32>, memref<1x2x8xf32>) outs(%out : memref<?x8xf32>)
      attributes {tile = array<i64: 6, 8>, maps = []} {
  ^bb0(%sum: f32):
    cpu.yield %sum : f32
  }
  te.return
}

// -----

// Four bytes are multiplied and added at once. Inputs are 128 more than they are, and sums begin accordingly; ten rows
// read these numbers, of which there are as many as columns.
// CHECK-LABEL: te.kernel @bytes(
// CHECK-DAG: %[[ZERO:.*]] = arith.constant dense<-128> : vector<64xi8>
// CHECK-DAG: %[[FLIP:.*]] = arith.constant -128 : i8
// CHECK-DAG: memref.alloc() {alignment = 64 : i64} : memref<80xi8>
// CHECK: arith.xori %{{.*}}, %[[FLIP]] : i8
// CHECK: %[[STARTS:.*]] = memref.alloc() {alignment = 64 : i64} : memref<16xi32>
// CHECK: %[[SUM:.*]] = scf.for
// CHECK: llvm.call_intrinsic "llvm.x86.avx512.vpdpbusd.512"(%{{.*}}, %[[ZERO]], %{{.*}}) : (vector<16xi32>, vector<64xi8>, vector<64xi8>) -> vector<16xi32>
// CHECK: %[[START:.*]] = arith.subi %{{.*}}, %[[SUM]]
// CHECK: vector.store %[[START]], %[[STARTS]]
// CHECK: vector.load %[[STARTS]]
// CHECK: llvm.call_intrinsic "llvm.x86.avx512.vpdpbusd.512"
te.kernel @bytes(%x: memref<10x7xi8>, %w: memref<1x2x16x4xi8>, %out: memref<10x16xi32>) attributes {target = #te.host} {
  cpu.contract ins(%x, %w : memref<10x7xi8>, memref<1x2x16x4xi8>) outs(%out : memref<10x16xi32>)
      attributes {tile = array<i64: 4, 16>, instruction = "vpdpbusd", maps = []} {
  ^bb0(%sum: i32):
    cpu.yield %sum : i32
  }
  te.return
}

// -----

// Two rows are one tile, which sums the weights beside its sums.
// CHECK-LABEL: te.kernel @few_bytes(
// CHECK-NOT: memref<16xi32>
// CHECK: %[[SUMS:.*]]:3 = scf.for
// CHECK: arith.subi %[[SUMS]]#0, %[[SUMS]]#2
// CHECK: arith.subi %[[SUMS]]#1, %[[SUMS]]#2
te.kernel @few_bytes(%x: memref<2x16xi8>, %w: memref<1x4x16x4xi8>, %out: memref<2x16xi32>) attributes {target = #te.host} {
  cpu.contract ins(%x, %w : memref<2x16xi8>, memref<1x4x16x4xi8>) outs(%out : memref<2x16xi32>)
      attributes {tile = array<i64: 4, 16>, instruction = "vpdpbusd", maps = []} {
  ^bb0(%sum: i32):
    cpu.yield %sum : i32
  }
  te.return
}

// -----

// Rows and columns of images may be unknown: the panel has room for a block of rows, whatever their length, and the last
// block has as many as are left.
// CHECK-LABEL: te.kernel @images(
// CHECK-DAG: %[[C4:.*]] = arith.constant 4 : index
// CHECK: memref.alloc(%{{.*}}) {alignment = 64 : i64} : memref<?xf32>
// CHECK: %[[START:.*]] = arith.muli %{{.*}}, %[[C4]]
// CHECK: %[[LEFT:.*]] = arith.subi %{{.*}}, %[[START]]
// CHECK: %[[ROWS:.*]] = arith.minsi %[[LEFT]], %[[C4]]
// CHECK: scf.for %{{.*}} = %{{.*}} to %[[ROWS]]
// CHECK: arith.divui %[[COLUMNS:.*]], %[[C4]]
// CHECK: arith.remui %[[COLUMNS]], %[[C4]]
te.kernel @images(%x: memref<?x3x?x?xf32>, %w: memref<1x3x3x3x8xf32>, %out: memref<?x8x?x?xf32>)
    attributes {target = #te.host} {
  cpu.contract ins(%x, %w : memref<?x3x?x?xf32>, memref<1x3x3x3x8xf32>) outs(%out : memref<?x8x?x?xf32>)
      attributes {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>,
                  tile = array<i64: 4, 8>, rows = 4, maps = []} {
  ^bb0(%sum: f32):
    cpu.yield %sum : f32
  }
  te.return
}

// -----

// Other instructions take signed bytes as they are, or one product at a time.
// CHECK-LABEL: te.kernel @signed_bytes(
// CHECK: memref.alloc() {alignment = 64 : i64} : memref<16xi8>
// CHECK-NOT: arith.xori
// CHECK: llvm.call_intrinsic "llvm.aarch64.neon.sdot.v4i32.v16i8"
te.kernel @signed_bytes(%x: memref<2x7xi8>, %w: memref<1x2x4x4xi8>, %out: memref<2x4xi32>) attributes {target = #te.host} {
  cpu.contract ins(%x, %w : memref<2x7xi8>, memref<1x2x4x4xi8>) outs(%out : memref<2x4xi32>)
      attributes {tile = array<i64: 2, 4>, instruction = "sdot", maps = []} {
  ^bb0(%sum: i32):
    cpu.yield %sum : i32
  }
  te.return
}

// -----

// CHECK-LABEL: te.kernel @pairs_of_bytes(
// CHECK: %[[PRODUCTS:.*]] = llvm.call_intrinsic "llvm.aarch64.neon.smull.v8i16"({{.*}}) : (vector<8xi8>, vector<8xi8>) -> vector<8xi16>
// CHECK: %[[SUMS:.*]] = llvm.call_intrinsic "llvm.aarch64.neon.saddlp.v4i32.v8i16"(%[[PRODUCTS]])
// CHECK: arith.addi %{{.*}}, %[[SUMS]] : vector<4xi32>
te.kernel @pairs_of_bytes(%x: memref<1x7xi8>, %w: memref<1x4x4x2xi8>, %out: memref<1x4xi32>) attributes {target = #te.host} {
  cpu.contract ins(%x, %w : memref<1x7xi8>, memref<1x4x4x2xi8>) outs(%out : memref<1x4xi32>)
      attributes {tile = array<i64: 1, 4>, instruction = "sadalp", maps = []} {
  ^bb0(%sum: i32):
    cpu.yield %sum : i32
  }
  te.return
}

// -----

// CHECK-LABEL: te.kernel @one_product(
// CHECK: memref.alloc() {alignment = 64 : i64} : memref<7xi16>
// CHECK: arith.muli %{{.*}}, %{{.*}} : vector<4xi32>
// CHECK-NOT: vector.deinterleave
te.kernel @one_product(%x: memref<1x7xi8>, %w: memref<1x7x4x1xi8>, %out: memref<1x4xi32>) attributes {target = #te.host} {
  cpu.contract ins(%x, %w : memref<1x7xi8>, memref<1x7x4x1xi8>) outs(%out : memref<1x4xi32>)
      attributes {tile = array<i64: 1, 4>, instruction = "vwmacc", maps = []} {
  ^bb0(%sum: i32):
    cpu.yield %sum : i32
  }
  te.return
}

// -----

// Every thread that computes rows has a panel, and room on the stack, of its own.
// CHECK-LABEL: te.kernel @rows(
// CHECK-DAG: %[[C2:.*]] = arith.constant 2 : index
// CHECK: %[[PANEL:.*]] = memref.alloc() {alignment = 64 : i64} : memref<180xf32>
// CHECK: cpu.parallel %[[C2]] own(%[[PANEL]] : memref<180xf32>)
// CHECK-NEXT: ^bb0(%{{.*}}: index, %[[OWN:.*]]: memref<180xf32>):
// CHECK-NEXT: memref.alloca()
// CHECK: memref.store %{{.*}}, %[[OWN]]
// CHECK-NOT: memref.store %{{.*}}, %[[PANEL]]
te.kernel @rows(%x: memref<1x3x8x8xf32>, %w: memref<1x3x3x3x8xf32>, %out: memref<1x8x8x8xf32>)
    attributes {target = #te.host} {
  cpu.contract ins(%x, %w : memref<1x3x8x8xf32>, memref<1x3x3x3x8xf32>) outs(%out : memref<1x8x8x8xf32>)
      attributes {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>,
                  tile = array<i64: 8, 8>, rows = 4, chunks = array<i64: 0, 4>, maps = []} {
  ^bb0(%sum: f32):
    cpu.yield %sum : f32
  }
  te.return
}

// -----

// Threads that compute outputs make the panel that they share together, channel by channel.
// CHECK-LABEL: te.kernel @outputs(
// CHECK-DAG: %[[C3:.*]] = arith.constant 3 : index
// CHECK-DAG: %[[C4:.*]] = arith.constant 4 : index
// CHECK: %[[PANEL:.*]] = memref.alloc() {alignment = 64 : i64} : memref<300xf32>
// CHECK: cpu.parallel %[[C3]] {
// CHECK: memref.store %{{.*}}, %[[PANEL]]
// CHECK: cpu.parallel %[[C4]] {
// CHECK: memref.alloca()
te.kernel @outputs(%x: memref<1x3x8x8xf32>, %w: memref<4x3x3x3x8xf32>, %out: memref<1x32x8x8xf32>)
    attributes {target = #te.host} {
  cpu.contract ins(%x, %w : memref<1x3x8x8xf32>, memref<4x3x3x3x8xf32>) outs(%out : memref<1x32x8x8xf32>)
      attributes {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>,
                  tile = array<i64: 8, 8>, rows = 8, chunks = array<i64: 8, 0>, maps = []} {
  ^bb0(%sum: f32):
    cpu.yield %sum : f32
  }
  te.return
}

// -----

// Chunks of outputs and of rows share the panel.
// CHECK-LABEL: te.kernel @both(
// CHECK-DAG: %[[C3:.*]] = arith.constant 3 : index
// CHECK-DAG: %[[C8:.*]] = arith.constant 8 : index
// CHECK: cpu.parallel %[[C3]] {
// CHECK: cpu.parallel %[[C8]] {
// CHECK: arith.divui
// CHECK: arith.remui
te.kernel @both(%x: memref<1x3x8x8xf32>, %w: memref<2x3x3x3x8xf32>, %out: memref<1x16x8x8xf32>)
    attributes {target = #te.host} {
  cpu.contract ins(%x, %w : memref<1x3x8x8xf32>, memref<2x3x3x3x8xf32>) outs(%out : memref<1x16x8x8xf32>)
      attributes {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>,
                  tile = array<i64: 8, 8>, rows = 8, chunks = array<i64: 8, 2>, maps = []} {
  ^bb0(%sum: f32):
    cpu.yield %sum : f32
  }
  te.return
}
