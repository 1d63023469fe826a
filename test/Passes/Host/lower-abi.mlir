// RUN: acc-opt %s -split-input-file -verify-diagnostics --host-lower-abi | FileCheck %s

// CHECK: module attributes {te.constants = [dense<1.000000e+00> : tensor<8xf32>], te.workspace = 64 : i64}
// CHECK-LABEL: func.func private @k(
// CHECK-SAME: memref<8xf32> {llvm.noalias}
// CHECK-SAME: llvm.linkage = #llvm.linkage<internal>, passthrough = ["noinline"]
te.kernel @k(%x: memref<8xf32>, %out: memref<8xf32>) attributes {target = "cpu"} {
  te.return
}

// CHECK-LABEL: func.func @acc_model_main(
// CHECK-SAME: %[[API:.*]]: !llvm.ptr, %[[CTX:.*]]: !llvm.ptr, %[[IN:.*]]: !llvm.ptr, %[[OUT:.*]]: !llvm.ptr, %[[CONST:.*]]: !llvm.ptr, %[[WS:.*]]: !llvm.ptr) -> i32
// CHECK-DAG: llvm.load %[[IN]] : !llvm.ptr -> !llvm.ptr
// CHECK-DAG: llvm.load %[[CONST]] : !llvm.ptr -> !llvm.ptr
// CHECK-DAG: %[[Y:.*]] = llvm.load %[[OUT]] : !llvm.ptr -> !llvm.ptr
func.func @main(%x: memref<8xf32>, %c: memref<8xf32> {te.constant = dense<1.0> : tensor<8xf32>},
                %y: memref<16xf32> {te.output}, %workspace: memref<64xi8>) {
  %c32 = arith.constant 32 : index
  // CHECK: %[[T:.*]] = llvm.getelementptr %[[WS]][32] : (!llvm.ptr) -> !llvm.ptr, i8
  %t = memref.view %workspace[%c32][] : memref<64xi8> to memref<8xf32>
  // The hooks of the runtime are called through the table.
  // CHECK: %[[SLOT:.*]] = llvm.getelementptr %[[API]][8]
  // CHECK: %[[HOOK:.*]] = llvm.load %[[SLOT]]
  // CHECK: llvm.call %[[HOOK]](%[[CTX]], %{{.*}}) : !llvm.ptr, (!llvm.ptr, i32) -> ()
  // CHECK: call @k(
  te.launch @k ins(%x : memref<8xf32>) outs(%t : memref<8xf32>)
  // A slice is an address.
  // CHECK: llvm.getelementptr %[[Y]][32] : (!llvm.ptr) -> !llvm.ptr, i8
  // CHECK: call @k(
  %s = memref.subview %y[8] [8] [1] : memref<16xf32> to memref<8xf32, strided<[1], offset: 8>>
  te.launch @k ins(%c : memref<8xf32>) outs(%s : memref<8xf32, strided<[1], offset: 8>>)
  // CHECK: return %{{.*}} : i32
  return
}

// -----

// expected-error @+1 {{needs a bufferized and planned @main}}
module {}

// -----

func.func @main(%x: memref<8xf32>, %y: memref<8xf32> {te.output}, %workspace: memref<0xi8>) {
  // expected-error @+1 {{cannot be part of main: it must be in a kernel}}
  linalg.copy ins(%x : memref<8xf32>) outs(%y : memref<8xf32>)
  return
}
