// RUN: acc-opt %s | acc-opt | FileCheck %s
// RUN: acc-opt %s --mlir-print-op-generic | acc-opt | FileCheck %s

// CHECK-LABEL: func.func @counted
// CHECK-SAME: (%[[N:.+]]: tensor<i64>, %[[S:.+]]: tensor<4xf32>, %[[X:.+]]: tensor<4xf32>)
func.func @counted(%n: tensor<i64>, %s: tensor<4xf32>, %x: tensor<4xf32>) -> tensor<10x4xf32> {
  // CHECK: graph.loop times %[[N]] from(%[[S]]) with(%[[X]]) : (tensor<i64>, tensor<4xf32>, tensor<4xf32>) -> (tensor<i64>, tensor<4xf32>, tensor<10x4xf32>) {
  // CHECK-NEXT: ^bb0(%{{.+}}: tensor<i64>, %[[A:.+]]: tensor<4xf32>, %[[B:.+]]: tensor<4xf32>):
  // CHECK-NEXT: %[[NEXT:.+]] = graph.add %[[A]], %[[B]]
  // CHECK-NEXT: graph.yield %[[NEXT]], %[[NEXT]] : tensor<4xf32>, tensor<4xf32>
  %turns, %last, %all = graph.loop times %n from (%s) with (%x)
      : (tensor<i64>, tensor<4xf32>, tensor<4xf32>) -> (tensor<i64>, tensor<4xf32>, tensor<10x4xf32>) {
  ^bb0(%i: tensor<i64>, %sum: tensor<4xf32>, %more: tensor<4xf32>):
    %next = graph.add %sum, %more : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    graph.yield %next, %next : tensor<4xf32>, tensor<4xf32>
  }
  return %all : tensor<10x4xf32>
}

// CHECK-LABEL: func.func @conditional
// CHECK-SAME: (%[[C:.+]]: tensor<i1>, %[[ROOM:.+]]: index, %[[S:.+]]: tensor<ui8>)
func.func @conditional(%c: tensor<i1>, %room: index, %s: tensor<ui8>) -> tensor<?xui8> {
  // CHECK: graph.loop while %[[C]] within %[[ROOM]] from(%[[S]]) : (tensor<i1>, index, tensor<ui8>) -> (tensor<i64>, tensor<ui8>, tensor<?xui8>)
  %turns, %last, %all = graph.loop while %c within %room from (%s)
      : (tensor<i1>, index, tensor<ui8>) -> (tensor<i64>, tensor<ui8>, tensor<?xui8>) {
  ^bb0(%i: tensor<i64>, %state: tensor<ui8>):
    %on = graph.equal %i, %i : (tensor<i64>, tensor<i64>) -> tensor<i1>
    graph.yield %on, %state, %state : tensor<i1>, tensor<ui8>, tensor<ui8>
  }
  return %all : tensor<?xui8>
}

// CHECK-LABEL: func.func @branches
// CHECK-SAME: (%[[C:.+]]: tensor<i1>, %[[N:.+]]: index, %[[X:.+]]: tensor<?x4xf32>)
func.func @branches(%c: tensor<i1>, %n: index, %x: tensor<?x4xf32>) -> tensor<?x4xf32> {
  // CHECK: graph.if %[[C]] sizes(%[[N]]) with(%[[X]]) : (tensor<i1>, index, tensor<?x4xf32>) -> tensor<?x4xf32> {
  // CHECK: graph.yield
  // CHECK: } else {
  // CHECK: graph.yield
  %y = graph.if %c sizes (%n) with (%x) : (tensor<i1>, index, tensor<?x4xf32>) -> tensor<?x4xf32> {
  ^bb0(%a: tensor<?x4xf32>):
    %r = graph.relu %a : (tensor<?x4xf32>) -> tensor<?x4xf32>
    graph.yield %r : tensor<?x4xf32>
  } else {
  ^bb0(%a: tensor<?x4xf32>):
    graph.yield %a : tensor<?x4xf32>
  }
  return %y : tensor<?x4xf32>
}

// CHECK-LABEL: func.func @open_slices
// CHECK-SAME: (%[[C:.+]]: tensor<i1>, %[[ROOM:.+]]: index, %[[N:.+]]: index, %[[S:.+]]: tensor<?x4xf32>)
func.func @open_slices(%c: tensor<i1>, %room: index, %n: index, %s: tensor<?x4xf32>) -> tensor<?x?x4xf32> {
  // CHECK: graph.loop while %[[C]] within %[[ROOM]] sizes(%[[N]]) from(%[[S]])
  %turns, %last, %all = graph.loop while %c within %room sizes (%n) from (%s)
      : (tensor<i1>, index, index, tensor<?x4xf32>) -> (tensor<i64>, tensor<?x4xf32>, tensor<?x?x4xf32>) {
  ^bb0(%i: tensor<i64>, %state: tensor<?x4xf32>):
    %on = graph.equal %i, %i : (tensor<i64>, tensor<i64>) -> tensor<i1>
    graph.yield %on, %state, %state : tensor<i1>, tensor<?x4xf32>, tensor<?x4xf32>
  }
  return %all : tensor<?x?x4xf32>
}
