// RUN: acc-opt %s --pass-pipeline='builtin.module(te.kernel(host-vectorize-linalg{lookup=vpermi2b},canonicalize))' | FileCheck %s --check-prefixes=CHECK,PERMUTE
// RUN: acc-opt %s --pass-pipeline='builtin.module(te.kernel(host-vectorize-linalg{lookup=pshufb vector-bytes=32},canonicalize))' | FileCheck %s --check-prefixes=CHECK,SHUFFLE
// RUN: acc-opt %s --pass-pipeline='builtin.module(te.kernel(host-vectorize-linalg{lookup=tbl vector-bytes=16},canonicalize))' | FileCheck %s --check-prefixes=CHECK,SELECT
// RUN: acc-opt %s --pass-pipeline='builtin.module(te.kernel(host-vectorize-linalg))' | FileCheck %s --check-prefix=PLAIN
// RUN: not acc-opt %s --pass-pipeline='builtin.module(te.kernel(host-vectorize-linalg{lookup=xlat}))' 2>&1 | FileCheck %s --check-prefix=ERROR

// ERROR: no instruction 'xlat' looks up bytes

#id = affine_map<(c, i) -> (c, i)>

// A table for each channel is loaded into registers once for the channel.
// CHECK-LABEL: te.kernel @channels
// CHECK: scf.for %[[C:.*]] =
// CHECK: %[[AT:.*]] = arith.muli %[[C]], %c256
// PERMUTE: vector.load %{{.*}}[%[[AT]]] : memref<768xi8>, vector<64xi8>
// PERMUTE-COUNT-3: vector.load {{.*}} : memref<768xi8>, vector<64xi8>
// PERMUTE: scf.for
// PERMUTE: %[[X:.*]] = vector.load
// PERMUTE: %[[P:.*]] = arith.xori %[[X]]
// PERMUTE-COUNT-2: llvm.call_intrinsic "llvm.x86.avx512.vpermi2var.qi.512"
// PERMUTE: arith.select
// SHUFFLE-COUNT-16: vector.load {{.*}} : memref<768xi8>, vector<16xi8>
// SHUFFLE: scf.for
// SHUFFLE-COUNT-16: llvm.call_intrinsic "llvm.x86.avx2.pshuf.b"
// SELECT-COUNT-16: vector.load {{.*}} : memref<768xi8>, vector<16xi8>
// SELECT: scf.for
// SELECT: %[[FIRST:.*]] = llvm.call_intrinsic "llvm.aarch64.neon.tbl4.v16i8"
// SELECT-COUNT-3: llvm.call_intrinsic "llvm.aarch64.neon.tbx4.v16i8"
// CHECK: vector.store
// CHECK: vector.maskedload
// PLAIN-LABEL: te.kernel @channels
// PLAIN: linalg.generic
te.kernel @channels(%x: memref<3x200xi8>, %t: memref<3x256xi8>, %out: memref<3x200xi8>) attributes {target = #te.host} {
  %flip = arith.constant -128 : i8
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%x : memref<3x200xi8>) outs(%out : memref<3x200xi8>) {
  ^bb0(%a: i8, %o: i8):
    %p = arith.xori %a, %flip : i8
    %e = arith.index_castui %p : i8 to index
    %c = linalg.index 0 : index
    %y = memref.load %t[%c, %e] : memref<3x256xi8>
    linalg.yield %y : i8
  }
  te.return
}
