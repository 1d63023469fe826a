// RUN: acc-opt %s -split-input-file -verify-diagnostics --c-to-emitc='prefix=m types=float'

// expected-error@+1 {{computes on elements of type 'f8E5M2', which C does not have}}
te.kernel @small(%y: memref<1xf8E5M2>) attributes {target = #te.host} {
  te.return
}
func.func @main(%y: memref<1xf32> {cpu.output = 0 : i64}, %arena: memref<0xi8>) {
  return
}

// -----

// expected-error@+1 {{needs a bufferized and planned @main}}
module {
}

// -----

// expected-error@+1 {{has 2 inputs and outputs, but 1 types are given}}
func.func @main(%x: memref<1xf32>, %y: memref<1xf32> {cpu.output = 0 : i64}, %arena: memref<0xi8>) {
  return
}

// -----

te.kernel @wide(%y: memref<1xi64>) attributes {target = #te.host} {
  %c0 = arith.constant 0 : index
  %0 = memref.load %y[%c0] : memref<1xi64>
  // expected-error@+1 {{'arith.extsi' on 'i64' has no equivalent in C}}
  %1 = arith.extsi %0 : i64 to i128
  %2 = arith.trunci %1 : i128 to i64
  memref.store %2, %y[%c0] : memref<1xi64>
  te.return
}
func.func @main(%y: memref<1xf32> {cpu.output = 0 : i64}, %arena: memref<0xi8>) {
  return
}
