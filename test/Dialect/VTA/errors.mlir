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

// -----

#same = array<i8: -128, -127, -126, -125, -124, -123, -122, -121, -120, -119, -118, -117, -116, -115, -114, -113, -112, -111, -110, -109, -108, -107, -106, -105, -104, -103, -102, -101, -100, -99, -98, -97, -96, -95, -94, -93, -92, -91, -90, -89, -88, -87, -86, -85, -84, -83, -82, -81, -80, -79, -78, -77, -76, -75, -74, -73, -72, -71, -70, -69, -68, -67, -66, -65, -64, -63, -62, -61, -60, -59, -58, -57, -56, -55, -54, -53, -52, -51, -50, -49, -48, -47, -46, -45, -44, -43, -42, -41, -40, -39, -38, -37, -36, -35, -34, -33, -32, -31, -30, -29, -28, -27, -26, -25, -24, -23, -22, -21, -20, -19, -18, -17, -16, -15, -14, -13, -12, -11, -10, -9, -8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63, 64, 65, 66, 67, 68, 69, 70, 71, 72, 73, 74, 75, 76, 77, 78, 79, 80, 81, 82, 83, 84, 85, 86, 87, 88, 89, 90, 91, 92, 93, 94, 95, 96, 97, 98, 99, 100, 101, 102, 103, 104, 105, 106, 107, 108, 109, 110, 111, 112, 113, 114, 115, 116, 117, 118, 119, 120, 121, 122, 123, 124, 125, 126, 127>
module attributes {vta.config = #vta.config<>} {
// expected-error @below {{has tables, which need ALU_TABLE}}
vta.program @undeclared() uops <[0, 0, 0]> tables [#same] {
}
}

// -----

#same = array<i8: -128, -127, -126, -125, -124, -123, -122, -121, -120, -119, -118, -117, -116, -115, -114, -113, -112, -111, -110, -109, -108, -107, -106, -105, -104, -103, -102, -101, -100, -99, -98, -97, -96, -95, -94, -93, -92, -91, -90, -89, -88, -87, -86, -85, -84, -83, -82, -81, -80, -79, -78, -77, -76, -75, -74, -73, -72, -71, -70, -69, -68, -67, -66, -65, -64, -63, -62, -61, -60, -59, -58, -57, -56, -55, -54, -53, -52, -51, -50, -49, -48, -47, -46, -45, -44, -43, -42, -41, -40, -39, -38, -37, -36, -35, -34, -33, -32, -31, -30, -29, -28, -27, -26, -25, -24, -23, -22, -21, -20, -19, -18, -17, -16, -15, -14, -13, -12, -11, -10, -9, -8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63, 64, 65, 66, 67, 68, 69, 70, 71, 72, 73, 74, 75, 76, 77, 78, 79, 80, 81, 82, 83, 84, 85, 86, 87, 88, 89, 90, 91, 92, 93, 94, 95, 96, 97, 98, 99, 100, 101, 102, 103, 104, 105, 106, 107, 108, 109, 110, 111, 112, 113, 114, 115, 116, 117, 118, 119, 120, 121, 122, 123, 124, 125, 126, 127>
module attributes {vta.config = #vta.config<alu_table = 1>} {
// expected-error @below {{has tables beside its micro-ops, which have their places already}}
vta.program @placed() cached uops <[0, 0, 0]> tables [#same] {
}
}

// -----

module attributes {vta.config = #vta.config<alu_table = 1>} {
// expected-error @below {{has a table of 3 entries, expected 256}}
vta.program @short() uops <[0, 0, 0]> tables [array<i8: 1, 2, 3>] {
}
}

// -----

#same = array<i8: -128, -127, -126, -125, -124, -123, -122, -121, -120, -119, -118, -117, -116, -115, -114, -113, -112, -111, -110, -109, -108, -107, -106, -105, -104, -103, -102, -101, -100, -99, -98, -97, -96, -95, -94, -93, -92, -91, -90, -89, -88, -87, -86, -85, -84, -83, -82, -81, -80, -79, -78, -77, -76, -75, -74, -73, -72, -71, -70, -69, -68, -67, -66, -65, -64, -63, -62, -61, -60, -59, -58, -57, -56, -55, -54, -53, -52, -51, -50, -49, -48, -47, -46, -45, -44, -43, -42, -41, -40, -39, -38, -37, -36, -35, -34, -33, -32, -31, -30, -29, -28, -27, -26, -25, -24, -23, -22, -21, -20, -19, -18, -17, -16, -15, -14, -13, -12, -11, -10, -9, -8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63, 64, 65, 66, 67, 68, 69, 70, 71, 72, 73, 74, 75, 76, 77, 78, 79, 80, 81, 82, 83, 84, 85, 86, 87, 88, 89, 90, 91, 92, 93, 94, 95, 96, 97, 98, 99, 100, 101, 102, 103, 104, 105, 106, 107, 108, 109, 110, 111, 112, 113, 114, 115, 116, 117, 118, 119, 120, 121, 122, 123, 124, 125, 126, 127>
module attributes {vta.config = #vta.config<alu_table = 1>} {
vta.program @number() uops <[0, 0, 0]> tables [#same] {
  // expected-error @below {{looks up in table 1, but the program has 1}}
  vta.insn.alu table imm 1 uop [0, 1]
}
}

// -----

module attributes {vta.config = #vta.config<>} {
vta.program @undeclared() uops <[0, 0, 0]> {
  // expected-error @below {{GEMM_WINDOW}}
  vta.insn.gemm window uop [0, 1]
}
}

// -----

module attributes {vta.config = #vta.config<gemm_window = 3>} {
vta.program @window() uops <[0, 0, 0]> {
  // expected-error @below {{a product of a window cannot be a reset}}
  vta.insn.gemm reset window uop [0, 1]
}
}

// -----

// expected-error @below {{GEMM_WINDOW is 5, but an output has no more than 4 multipliers}}
module attributes {vta.config = #vta.config<log_block = 2, gemm_window = 5>} {}
