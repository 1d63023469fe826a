// RUN: acc-opt %s --c-to-emitc='prefix=m types=float,uint8_t,float' | FileCheck %s
// RUN: acc-opt %s --c-to-emitc='prefix=m types=float,uint8_t,float' | mlir-translate --mlir-to-cpp | FileCheck %s --check-prefix=C

// Constants stand before the kernels, as arrays.
// CHECK: emitc.include "m.h"
// CHECK: emitc.global static const @m_constant : !emitc.array<4xf32> = dense<[1.000000e+00, 2.000000e+00, 3.000000e+00, 4.000000e+00]>

// What is only read is const; sums of integers are those of unsigned ones.
// CHECK: emitc.verbatim "\0A/* node * /, second */"
// CHECK: emitc.func @m_scale(%{{.*}}: !emitc.opaque<"const acc_f32 *restrict">, %{{.*}}: !emitc.opaque<"const int8_t *restrict">, %{{.*}}: !emitc.opaque<"const acc_f32 *restrict">, %{{.*}}: !emitc.opaque<"acc_f32 *restrict">) attributes {specifiers = ["static"]}
// C: static void m_scale(const acc_f32 *restrict v1, const int8_t *restrict v2, const acc_f32 *restrict v3, acc_f32 *restrict v4) {
// C: for (size_t [[I:i.*]] = 0; [[I]] < 2; [[I]] += 1) {
// C: size_t [[AT:v.*]] = [[I]] * 2 + {{.*}};
// C: float [[X:v.*]] = v1{{\[}}[[AT]]];
// C: int8_t [[Q:v.*]] = v2
// C: = [[X]] + (float) ((int8_t) ((uint32_t) [[Q]] + (uint32_t) [[Q]])) * {{v.*}};
te.kernel @scale(%x: memref<2x2xf32>, %q: memref<2x2xi8>, %w: memref<4xf32>, %y: memref<2x2xf32>)
    attributes {target = #te.host, layers = ["node */", "second"]} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  scf.for %i = %c0 to %c2 step %c1 {
    scf.for %j = %c0 to %c2 step %c1 {
      %0 = memref.load %x[%i, %j] : memref<2x2xf32>
      %1 = memref.load %q[%i, %j] : memref<2x2xi8>
      %2 = arith.addi %1, %1 : i8
      %3 = arith.sitofp %2 : i8 to f32
      %4 = memref.load %w[%j] : memref<4xf32>
      %5 = arith.mulf %3, %4 : f32
      %6 = arith.addf %0, %5 : f32
      memref.store %6, %y[%i, %j] : memref<2x2xf32>
    }
  }
  te.return
}

// Users see the signs that they know.
// C: int m_run(const float* v1, const uint8_t* v2, float* v3, void* v4) {
// C: const int8_t *const [[B:v.*]] = ACC_AT(const int8_t, v2, 0);
// C: acc_f32 *const [[T:v.*]] = ACC_AT(acc_f32, v4, 16);
// C: m_scale({{v.*}}, [[B]], m_constant, [[T]]);
// C: memcpy(
// C: return 0;
func.func @main(%x: memref<2x2xf32>, %q: memref<2x2xi8>,
                %w: memref<4xf32> {cpu.constant = dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>},
                %y: memref<2x2xf32> {cpu.output = 0 : i64}, %arena: memref<32xi8>) {
  %c16 = arith.constant 16 : index
  %t = memref.view %arena[%c16][] : memref<32xi8> to memref<2x2xf32>
  te.launch @scale ins(%x, %q, %w : memref<2x2xf32>, memref<2x2xi8>, memref<4xf32>) outs(%t : memref<2x2xf32>)
  memref.copy %t, %y : memref<2x2xf32> to memref<2x2xf32>
  return
}
