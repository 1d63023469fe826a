// RUN: acc-opt %s -split-input-file -verify-diagnostics

// expected-error @below {{illegal accelerator configuration: }}
#config = #vta.config<log_block = 13>

// -----

// expected-error @below {{unknown parameter 'log_size'}}
#config = #vta.config<log_size = 13>

// -----

// expected-error @below {{unknown dialect 'private', expected acc or public}}
#config = #vta.config<dialect = private>

// -----

// expected-error @below {{attribute "vta.config" must be a #vta.config}}
module attributes {vta.config = 1} {}

// -----

// expected-error @below {{needs a module with a 'vta.config' attribute}}
vta.program @alone() {}

// -----

// expected-error @below {{expected [dst, src, wgt]}}
#uops = #vta.uops<[0, 1]>

// -----

module attributes {vta.config = #vta.config<>} {
// expected-error @below {{buffer #0 must be a memref of integers with static shape and identity layout}}
vta.program @buffer(memref<?xi8>) {}
}

// -----

module attributes {vta.config = #vta.config<>} {
// expected-error @below {{micro-op 0: }}
vta.program @uop() uops <[5000, 0, 0]> {}
}

// -----

module attributes {vta.config = #vta.config<>} {
vta.program @op() {
  // expected-error @below {{is not an instruction}}
  %c = arith.constant 1 : index
}
}

// -----

module attributes {vta.config = #vta.config<>} {
vta.program @table() uops <[0, 0, 0]> {
  // expected-error @below {{executes micro-ops [0, 2), but the table has 1}}
  vta.insn.gemm uop [0, 2]
}
}

// -----

module attributes {vta.config = #vta.config<>} {
vta.program @relocation() {
  // expected-error @below {{addresses buffer 0, but the program has 0}}
  vta.insn.store out sram 0 dram 0[0] size [1, 1] stride 1
}
}

// -----

module attributes {vta.config = #vta.config<>} {
vta.program @field() {
  // expected-error @below {{16384}}
  vta.insn.gemm uop [0, 0] iter [16384, 1]
}
}

// -----

module attributes {vta.config = #vta.config<>} {
vta.program @neighbour() {
  // expected-error @below {{nothing follows store}}
  vta.insn.store out sram 0 dram [0] size [1, 1] stride 1 push(next)
}
}

// -----

module attributes {vta.config = #vta.config<>} {
vta.program @k(memref<4x1x16xi8, #vta.mem<dram>>) {}
func.func @main(%x: memref<5x1x16xi8>) {
  // expected-error @below {{buffer #0 has type 'memref<5x1x16xi8>', but 'k' takes}}
  vta.launch @k(%x) : memref<5x1x16xi8>
  return
}
}

// -----

module {
func.func @main(%x: memref<5x1x16xi8>) {
  // expected-error @below {{'nobody' is not a vta.program}}
  vta.launch @nobody(%x) : memref<5x1x16xi8>
  return
}
}

// -----

module attributes {vta.config = #vta.config<>} {
vta.program @spare() {
  // expected-error @below {{spare has bits that belong to a field}}
  vta.insn.gemm uop [0, 0] spare [0, 128]
}
}

// -----

module attributes {vta.config = #vta.config<>} {
vta.program @k(memref<4x1x16xi8, #vta.mem<dram>>) {}
func.func @main(%x: memref<4x1x16xi8>) {
  // expected-error @below {{has 1 buffers, but kernel "a" is given buffer 1}}
  vta.launch @k(%x) parts [#vta.part<kernel = "a", label = "a", buffers = [1], offsets = [0]>] : memref<4x1x16xi8>
  return
}
}

// -----

module attributes {vta.config = #vta.config<>} {
vta.program @k() {}
func.func @main() {
  // expected-error @below {{runs no kernels}}
  vta.launch @k() parts []
  return
}
}

// -----

// expected-error @below {{kernel "a" has 2 buffers, but 1 offsets}}
module attributes {a = #vta.part<kernel = "a", label = "a", buffers = [1, 0], offsets = [0]>} {}

// -----

// expected-error @below {{a buffer or an offset of kernel "a" is negative}}
module attributes {a = #vta.part<kernel = "a", label = "a", buffers = [0], offsets = [-1]>} {}
