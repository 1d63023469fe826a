// RUN: acc-opt %s --c-to-emitc='prefix=m types=float' | mlir-translate --mlir-to-cpp | FileCheck %s

// Carried values are variables; bounds that may be negative are compared with signs; a while is a do.
// CHECK: static void m_loops(size_t [[N:v[0-9]+]], acc_f32 *restrict {{v.*}}) {
// CHECK: float [[SUM:v.*]];
// CHECK: [[SUM]] = 0.0e+00f;
// CHECK: ptrdiff_t [[END:v.*]] = (ptrdiff_t) [[N]];
// CHECK: for (ptrdiff_t [[I:i.*]] = 0; [[I]] < [[END]]; [[I]] += 1) {
// CHECK: float [[OLD:v.*]] = [[SUM]];
// CHECK: [[SUM]] = [[OLD]] + 1.0{{.*}}f;
// CHECK: do {
// CHECK: if ({{v.*}}) {
// CHECK: } while ({{v.*}});
// A check that does not hold ends the run with its number.
// CHECK: int m_run(
// CHECK: bool [[OK:v.*]] = 3 == 4;
// CHECK: /* node 'r': input has ... elements */
// CHECK-NEXT: if (![[OK]]) return 1;
te.kernel @loops(%n: index, %y: memref<1xf32>) attributes {target = #te.host} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %zero = arith.constant 0.0 : f32
  %one = arith.constant 1.0 : f32
  %sum = scf.for %i = %c0 to %n step %c1 iter_args(%s = %zero) -> f32 {
    %0 = arith.addf %s, %one : f32
    scf.yield %0 : f32
  }
  %doubled = scf.while (%x = %sum) : (f32) -> f32 {
    %more = arith.cmpf olt, %x, %one : f32
    scf.condition(%more) %x : f32
  } do {
  ^bb0(%x: f32):
    %0 = arith.addf %x, %x : f32
    scf.yield %0 : f32
  }
  memref.store %doubled, %y[%c0] : memref<1xf32>
  te.return
}

func.func @main(%y: memref<1xf32> {cpu.output = 0 : i64}, %arena: memref<0xi8>) {
  %c3 = arith.constant 3 : index
  %c4 = arith.constant 4 : index
  %ok = arith.cmpi eq, %c3, %c4 : index
  te.check %ok, ["node 'r': input has ", " elements"](%c3)
  te.launch @loops ins(%c3 : index) outs(%y : memref<1xf32>)
  return
}
