// RUN: acc-opt %s -split-input-file -verify-diagnostics --host-lower-abi | FileCheck %s
// RUN: acc-opt %s -split-input-file -verify-diagnostics '--host-lower-abi=guard=true' | FileCheck %s --check-prefix=GUARD

// CHECK: module attributes {cpu.constants = [dense<1.000000e+00> : tensor<8xf32>], cpu.workspace = 64 : i64}
// CHECK-LABEL: func.func private @kernel.k(
// CHECK-SAME: !llvm.ptr {llvm.noalias}, %{{.*}}: !llvm.ptr {llvm.noalias})
// CHECK-SAME: llvm.linkage = #llvm.linkage<internal>, passthrough = ["noinline"]
te.kernel @k(%x: memref<8xf32>, %out: memref<8xf32>) attributes {target = #te.host} {
  te.return
}

// CHECK-LABEL: func.func @acc_model_main(
// CHECK-SAME: %[[API:.*]]: !llvm.ptr, %[[CTX:.*]]: !llvm.ptr, %[[IN:.*]]: !llvm.ptr, %[[OUT:.*]]: !llvm.ptr, %[[CONST:.*]]: !llvm.ptr, %[[WS:.*]]: !llvm.ptr) -> i32
// CHECK-DAG: llvm.load %[[IN]] : !llvm.ptr -> !llvm.ptr
// CHECK-DAG: llvm.load %[[CONST]] : !llvm.ptr -> !llvm.ptr
// CHECK-DAG: %[[Y:.*]] = llvm.load %[[OUT]] : !llvm.ptr -> !llvm.ptr
func.func @main(%x: memref<8xf32>, %c: memref<8xf32> {cpu.constant = dense<1.0> : tensor<8xf32>},
                %y: memref<16xf32> {cpu.output = 0 : i64}, %workspace: memref<64xi8>) {
  %c32 = arith.constant 32 : index
  // CHECK: memref.view
  %t = memref.view %workspace[%c32][] : memref<64xi8> to memref<8xf32>
  // The hooks of the runtime are called through the table.
  // CHECK: %[[SLOT:.*]] = llvm.getelementptr %[[API]][8]
  // CHECK: %[[HOOK:.*]] = llvm.load %[[SLOT]]
  // CHECK: llvm.call %[[HOOK]](%[[CTX]], %{{.*}}) : !llvm.ptr, (!llvm.ptr, i32) -> ()
  // CHECK: call @kernel.k(%{{.*}}, %{{.*}}) : (!llvm.ptr, !llvm.ptr) -> ()
  te.launch @k ins(%x : memref<8xf32>) outs(%t : memref<8xf32>)
  // A slice is an address.
  // CHECK: memref.subview
  // CHECK: llvm.getelementptr %{{.*}}[%{{.*}}] : (!llvm.ptr, i64) -> !llvm.ptr, f32
  // CHECK: call @kernel.k(
  %s = memref.subview %y[8] [8] [1] : memref<16xf32> to memref<8xf32, strided<[1], offset: 8>>
  te.launch @k ins(%c : memref<8xf32>) outs(%s : memref<8xf32, strided<[1], offset: 8>>)
  // CHECK: return %{{.*}} : i32
  return
}

// -----

// Programs of targets that are only declared are numbered in their order.
te.program @first for #te.target<name = "toy", scratchpads = []> (memref<8xi8>) written 1 data "1"
te.program @second for #te.target<name = "toy", scratchpads = []> (memref<8xi8>, memref<8xi8>) written 1 data "2"

// CHECK-LABEL: func.func @acc_model_main(
// CHECK: %[[NUMBER:.*]] = llvm.mlir.constant(1 : i32) : i32
// CHECK: %[[COUNT:.*]] = llvm.mlir.constant(2 : i32) : i32
// CHECK: llvm.call %{{.*}}(%{{.*}}, %[[NUMBER]], %{{.*}}, %[[COUNT]]) : !llvm.ptr, (!llvm.ptr, i32, !llvm.ptr, i32) -> i32
func.func @main(%x: memref<8xi8>, %y: memref<8xi8> {cpu.output = 0 : i64}, %workspace: memref<64xi8>) {
  te.launch @second ins(%x : memref<8xi8>) outs(%y : memref<8xi8>)
  return
}

// -----

// expected-error @+1 {{needs a bufferized and planned @main}}
module {}

// -----

func.func @main(%x: memref<8xf32>, %y: memref<8xf32> {cpu.output = 0 : i64}, %workspace: memref<0xi8>) {
  // expected-error @+1 {{cannot be part of main: it must be in a kernel}}
  linalg.copy ins(%x : memref<8xf32>) outs(%y : memref<8xf32>)
  return
}

// -----

// What a buffer's type does not know comes after its pointer.
// CHECK-LABEL: func.func private @kernel.d(
// CHECK-SAME: %{{.*}}: index, %{{.*}}: !llvm.ptr {llvm.noalias}, %{{.*}}: index, %{{.*}}: !llvm.ptr {llvm.noalias}, %{{.*}}: index)
te.kernel @d(%n: index, %x: memref<?x4xf32>, %out: memref<?x4xf32>) attributes {target = #te.host} {
  te.return
}

// CHECK-LABEL: func.func @acc_model_main(
// CHECK-SAME: %[[API:[a-z0-9]+]]: !llvm.ptr, %[[CTX:[a-z0-9]+]]: !llvm.ptr,
func.func @main(%x: memref<?x4xf32>, %workspace: memref<0xi8>) -> (memref<?x4xf32> {cpu.output = 0 : i64}) {
  %c0 = arith.constant 0 : index
  // api->size
  // CHECK: llvm.getelementptr %[[API]][16]
  // CHECK: llvm.call %{{.*}}(%[[CTX]], %{{.*}}, %{{.*}}) : !llvm.ptr, (!llvm.ptr, i32, i32) -> i64
  %n = memref.dim %x, %c0 : memref<?x4xf32>
  // CHECK: cf.cond_br %{{.*}}, ^[[FAILED:.*]], ^{{.*}}
  // CHECK: llvm.mlir.addressof @acc_message_0
  // CHECK: llvm.getelementptr %[[API]][48]
  %ok = arith.cmpi ult, %c0, %n : index
  cf.assert %ok, "nothing to do"
  // Texts follow one another, and the numbers between them are on the stack.
  // CHECK: llvm.mlir.addressof @acc_message_1
  // CHECK: llvm.call %{{.*}}(%[[CTX]], %{{.*}}, %{{.*}}, %{{.*}}) : !llvm.ptr, (!llvm.ptr, !llvm.ptr, i32, !llvm.ptr) -> ()
  te.check %ok, ["there are ", " rows"](%n)
  // api->allocate, api->output and api->release
  // CHECK: llvm.getelementptr %[[API]][24]
  // CHECK: llvm.icmp "eq"
  %t = memref.alloc(%n) : memref<?x4xf32>
  // CHECK: call @kernel.d(
  te.launch @d ins(%n, %x : index, memref<?x4xf32>) outs(%t : memref<?x4xf32>)
  // CHECK: llvm.getelementptr %[[API]][40]
  %y = memref.alloc(%n) : memref<?x4xf32>
  // CHECK: call @kernel.d(%{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}) : (index, !llvm.ptr, index, !llvm.ptr, index) -> ()
  te.launch @d ins(%n, %t : index, memref<?x4xf32>) outs(%y : memref<?x4xf32>)
  // CHECK: llvm.getelementptr %[[API]][32]
  memref.dealloc %t : memref<?x4xf32>
  return %y : memref<?x4xf32>
}

// -----

// With guards a kernel can call the runtime: before and behind stores of narrow elements to a part of a register, as at
// the end of a row.
// GUARD-LABEL: func.func private @kernel.rows(
// GUARD-SAME: %[[API:[a-z0-9]+]]: !llvm.ptr, %[[CTX:[a-z0-9]+]]: !llvm.ptr, %{{.*}}: !llvm.ptr {llvm.noalias}, %{{.*}}
// GUARD-NOT: llvm.call
// GUARD: vector.store
// GUARD: %[[C3:.*]] = arith.constant 3 : index
// GUARD: arith.addi %{{.*}}, %[[C3]] : index
// GUARD: %[[END:.*]] = llvm.getelementptr %{{.*}}[%{{.*}}] : (!llvm.ptr, i64) -> !llvm.ptr, i8
// GUARD: llvm.getelementptr %[[API]][72]
// GUARD: llvm.call %{{.*}}(%[[CTX]], %[[END]], %{{.*}}) : !llvm.ptr, (!llvm.ptr, !llvm.ptr, i32) -> ()
// GUARD-NOT: llvm.call
// GUARD: vector.maskedstore
// GUARD: llvm.call %{{.*}}(%[[CTX]], %[[END]], %{{.*}})
// GUARD: %[[LANE:.*]] = vector.extract
// GUARD: llvm.call %{{.*}}(%[[CTX]], %[[NEXT:.*]], %{{.*}})
// GUARD-NEXT: memref.store %[[LANE]]
// GUARD: llvm.call %{{.*}}(%[[CTX]], %[[NEXT]], %{{.*}})
// GUARD: arith.minsi
// GUARD: llvm.call
// GUARD-NEXT: vector.maskedstore
// GUARD: llvm.call
// GUARD: vector.reduction <add>
// GUARD: llvm.call
// GUARD-NEXT: vector.maskedstore
// GUARD: llvm.call
// GUARD-NOT: llvm.call
// GUARD: return
te.kernel @rows(%x: memref<35xi8>, %y: memref<35xi8>, %z: memref<35xi32>, %scratch: memref<192xi8>)
    attributes {target = #te.host, cpu.scratch = array<i64: 64, 20>} {
  %c0 = arith.constant 0 : index
  %c16 = arith.constant 16 : index
  %all = vector.load %x[%c0] : memref<35xi8>, vector<16xi8>
  %three = vector.constant_mask [3] : vector<16xi1>
  vector.store %all, %y[%c0] : memref<35xi8>, vector<16xi8>
  vector.maskedstore %y[%c0], %three, %all : memref<35xi8>, vector<16xi1>, vector<16xi8>
  %one = vector.extract %all[0] : i8 from vector<16xi8>
  memref.store %one, %y[%c16] : memref<35xi8>
  %some = vector.create_mask %c16 : vector<16xi1>
  vector.maskedstore %y[%c0], %some, %all : memref<35xi8>, vector<16xi1>, vector<16xi8>
  %any = arith.cmpi slt, %all, %all : vector<16xi8>
  vector.maskedstore %y[%c0], %any, %all : memref<35xi8>, vector<16xi1>, vector<16xi8>
  // Nothing was narrowed.
  %wide = vector.load %z[%c0] : memref<35xi32>, vector<16xi32>
  vector.maskedstore %z[%c16], %some, %wide : memref<35xi32>, vector<16xi1>, vector<16xi32>
  te.return
}

// main says what a launch is given, and looks what has become of it.
// GUARD-LABEL: func.func @acc_model_main(
// GUARD-SAME: %[[API:[a-z0-9]+]]: !llvm.ptr, %[[CTX:[a-z0-9]+]]: !llvm.ptr,
// GUARD: %[[READ:.*]] = llvm.mlir.addressof @acc_message_0
// GUARD: llvm.getelementptr %[[API]][56]
// GUARD: llvm.call %{{.*}}(%[[CTX]], %[[READ]], %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}) :
// GUARD-SAME: !llvm.ptr, (!llvm.ptr, !llvm.ptr, !llvm.ptr, i64, !llvm.ptr, i64) -> ()
// GUARD: %[[SCRATCH:.*]] = llvm.mlir.addressof @acc_message_1
// GUARD: llvm.call %{{.*}}(%[[CTX]], %[[SCRATCH]], %[[PIECE:.*]], %[[SIZE:.*]], %[[PIECE]], %[[SIZE]])
// GUARD: %[[WRITTEN:.*]] = llvm.mlir.addressof @acc_message_2
// GUARD: llvm.call %{{.*}}(%[[CTX]], %[[WRITTEN]], %[[Y:.*]], %[[ALL:.*]], %[[Y]], %[[ALL]])
// GUARD: llvm.getelementptr %[[API]][64]
// GUARD: llvm.call %{{.*}}(%[[CTX]], %{{.*}}) : !llvm.ptr, (!llvm.ptr, i32) -> i32
// GUARD: call @kernel.rows(%[[API]], %[[CTX]], %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}})
// GUARD: %[[STATUS:.*]] = llvm.call %{{.*}}(%[[CTX]], %{{.*}}) : !llvm.ptr, (!llvm.ptr, i32) -> i32
// GUARD: cf.cond_br
// GUARD: return %[[STATUS]] : i32
func.func @main(%x: memref<35xi8>, %y: memref<35xi8> {cpu.output = 0 : i64}, %z: memref<35xi32> {cpu.output = 1 : i64},
                %workspace: memref<512xi8>) {
  %c64 = arith.constant 64 : index
  %t = memref.view %workspace[%c64][] : memref<512xi8> to memref<192xi8>
  te.launch @rows ins(%x : memref<35xi8>) outs(%y, %z, %t : memref<35xi8>, memref<35xi32>, memref<192xi8>)
  return
}

// -----

// What may run at the same time becomes a function, which the runtime calls by way of another one.
// CHECK: module attributes {{.*}}cpu.parallel
// CHECK-LABEL: func.func private @parallel.0.kernel.p(
// CHECK-SAME: !llvm.ptr, %{{.*}}: !llvm.ptr, %{{.*}}: !llvm.ptr {llvm.noalias}, %{{.*}}: !llvm.ptr {llvm.noalias}, %[[FROM:.*]]: index, %[[TO:.*]]: index, %[[OWN:.*]]: !llvm.ptr {llvm.noalias})
// CHECK: scf.for %{{.*}} = %[[FROM]] to %[[TO]]
// CHECK-LABEL: func.func private @task.0.kernel.p(
// CHECK-SAME: !llvm.ptr, %{{.*}}: i64, %{{.*}}: i64, %{{.*}}: !llvm.ptr)
// CHECK: call @parallel.0.kernel.p(
// CHECK-LABEL: func.func private @kernel.p(
// CHECK-SAME: %[[API:.*]]: !llvm.ptr, %[[CTX:.*]]: !llvm.ptr, %{{.*}}: !llvm.ptr {llvm.noalias}
// CHECK: constant @task.0.kernel.p
// CHECK: llvm.getelementptr %[[API]][80]
// CHECK: llvm.call %{{.*}}(%[[CTX]], %{{.*}}) : !llvm.ptr, (!llvm.ptr, !llvm.ptr, !llvm.ptr, i64, !llvm.ptr, i64) -> ()
te.kernel @p(%x: memref<8xf32>, %scratch: memref<64xi8>) attributes {target = #te.host} {
  %c0 = arith.constant 0 : index
  %c8 = arith.constant 8 : index
  %own = memref.view %scratch[%c0][] : memref<64xi8> to memref<4xf32>
  cpu.parallel %c8 own(%own : memref<4xf32>) {
  ^bb0(%i: index, %mine: memref<4xf32>):
    %v = memref.load %mine[%c0] : memref<4xf32>
    memref.store %v, %x[%i] : memref<8xf32>
  }
  te.return
}
func.func @main(%x: memref<8xf32> {cpu.output = 0 : i64}, %workspace: memref<64xi8>) {
  // CHECK-LABEL: func.func @acc_model_main(
  // CHECK-SAME: %[[A:[a-z0-9]+]]: !llvm.ptr, %[[C:[a-z0-9]+]]: !llvm.ptr
  // CHECK: call @kernel.p(%[[A]], %[[C]],
  te.launch @p outs(%x, %workspace : memref<8xf32>, memref<64xi8>)
  return
}

// -----

te.kernel @vector(%x: memref<8xf32>) attributes {target = #te.host} {
  %c0 = arith.constant 0 : index
  %c8 = arith.constant 8 : index
  %v = vector.load %x[%c0] : memref<8xf32>, vector<8xf32>
  // expected-error @+1 {{uses a value that threads cannot share}}
  cpu.parallel %c8 {
  ^bb0(%i: index):
    vector.store %v, %x[%c0] : memref<8xf32>, vector<8xf32>
  }
  te.return
}
func.func @main(%x: memref<8xf32> {cpu.output = 0 : i64}, %workspace: memref<64xi8>) {
  te.launch @vector outs(%x : memref<8xf32>)
  return
}
