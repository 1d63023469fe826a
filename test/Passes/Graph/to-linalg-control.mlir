// RUN: acc-opt %s --graph-to-linalg | FileCheck %s

// Slices are put into one tensor; a state is overwritten at the end of a turn.
// CHECK-LABEL: te.kernel @counted
// CHECK-SAME: (%[[N:.+]]: tensor<i64>, %[[S:.+]]: tensor<4xi8>, %[[OUT:.+]]: tensor<10x4xi8>)
te.kernel @counted(%n: tensor<i64>, %s: tensor<4xui8>, %out: tensor<10x4xui8>) -> tensor<10x4xui8>
    attributes {target = #te.host} {
  // CHECK: %[[COUNT:.+]] = tensor.extract %[[N]][]
  // CHECK: %[[INDEX:.+]] = arith.index_cast %[[COUNT]]
  // CHECK: %[[LIMIT:.+]] = arith.minsi %[[INDEX]], %{{.+}} : index
  // CHECK: %[[LOOP:.+]]:2 = scf.for %[[I:.+]] = %{{.+}} to %[[LIMIT]] step %{{.+}} iter_args(%[[STATE:.+]] = %[[S]], %[[ALL:.+]] = %[[OUT]])
  // CHECK: %[[NEXT:.+]] = linalg.generic
  // CHECK: %[[INSERTED:.+]] = tensor.insert_slice %[[NEXT]] into %[[ALL]][%[[I]], 0] [1, 4] [1, 1]
  // CHECK: %[[KEPT:.+]] = bufferization.materialize_in_destination %[[NEXT]] in %[[STATE]]
  // CHECK: scf.yield %[[KEPT]], %[[INSERTED]]
  // CHECK: te.return %[[LOOP]]#1
  %turns, %last, %all = graph.loop times %n from (%s) : (tensor<i64>, tensor<4xui8>) -> (tensor<i64>, tensor<4xui8>, tensor<10x4xui8>) {
  ^bb0(%i: tensor<i64>, %a: tensor<4xui8>):
    %next = graph.add %a, %a : (tensor<4xui8>, tensor<4xui8>) -> tensor<4xui8>
    graph.yield %next, %next : tensor<4xui8>, tensor<4xui8>
  }
  te.return %all : tensor<10x4xui8>
}

// States that change places are copied before any is overwritten.
// CHECK-LABEL: func.func @conditional
func.func @conditional(%c: tensor<i1>, %s: tensor<4xf32>, %t: tensor<4xf32>) -> (tensor<i64>, tensor<4xf32>) {
  // CHECK: %[[LOOP:.+]]:4 = scf.while
  // CHECK: scf.condition(%{{.+}}) %{{.+}}, %{{.+}}, %{{.+}}, %{{.+}} : tensor<4xf32>, tensor<4xf32>, i1, index
  // CHECK: ^bb0(%[[A:.+]]: tensor<4xf32>, %[[B:.+]]: tensor<4xf32>, %{{.+}}: i1, %[[I:.+]]: index):
  // CHECK: %[[B1:.+]] = linalg.copy ins(%[[B]] : tensor<4xf32>) outs(%{{.+}} : tensor<4xf32>)
  // CHECK: %[[A1:.+]] = linalg.copy ins(%[[A]] : tensor<4xf32>) outs(%{{.+}} : tensor<4xf32>)
  // CHECK: %[[A2:.+]] = bufferization.materialize_in_destination %[[B1]] in %[[A]]
  // CHECK: %[[B2:.+]] = bufferization.materialize_in_destination %[[A1]] in %[[B]]
  // CHECK: %[[NEXT:.+]] = arith.addi %[[I]]
  // CHECK: scf.yield %[[A2]], %[[B2]], %{{.+}}, %[[NEXT]]
  %turns, %last:2 = graph.loop while %c from (%s, %t) : (tensor<i1>, tensor<4xf32>, tensor<4xf32>) -> (tensor<i64>, tensor<4xf32>, tensor<4xf32>) {
  ^bb0(%i: tensor<i64>, %a: tensor<4xf32>, %b: tensor<4xf32>):
    %on = graph.equal %i, %i : (tensor<i64>, tensor<i64>) -> tensor<i1>
    graph.yield %on, %b, %a : tensor<i1>, tensor<4xf32>, tensor<4xf32>
  }
  return %turns, %last#0 : tensor<i64>, tensor<4xf32>
}

// What does not change from turn to turn is computed once.
// CHECK-LABEL: func.func @invariant
func.func @invariant(%n: tensor<i64>, %s: tensor<4xf32>, %x: tensor<4xf32>) -> tensor<4xf32> {
  // CHECK: %[[ONCE:.+]] = linalg.generic {{.*}} ins(%{{.+}} : tensor<4xf32>)
  // CHECK: math.exp
  // CHECK: scf.for
  // CHECK: linalg.generic {{.*}} ins(%{{.+}}, %[[ONCE]] : tensor<4xf32>, tensor<4xf32>)
  %0:2 = graph.loop times %n from (%s) with (%x) : (tensor<i64>, tensor<4xf32>, tensor<4xf32>) -> (tensor<i64>, tensor<4xf32>) {
  ^bb0(%i: tensor<i64>, %a: tensor<4xf32>, %b: tensor<4xf32>):
    %e = graph.exp %b : (tensor<4xf32>) -> tensor<4xf32>
    %next = graph.add %a, %e : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    graph.yield %next : tensor<4xf32>
  }
  return %0#1 : tensor<4xf32>
}

// What a sum starts from stays beside it.
// CHECK-LABEL: func.func @sum
func.func @sum(%n: tensor<i64>, %s: tensor<4x4xf32>, %x: tensor<4x4xf32>) -> tensor<4x4xf32> {
  // CHECK-NOT: linalg.fill
  // CHECK: scf.for
  // CHECK: %[[START:.+]] = linalg.fill
  // CHECK: linalg.matmul ins(%{{.+}}, %{{.+}} : tensor<4x4xf32>, tensor<4x4xf32>) outs(%[[START]] : tensor<4x4xf32>)
  %0:2 = graph.loop times %n from (%s) with (%x) : (tensor<i64>, tensor<4x4xf32>, tensor<4x4xf32>) -> (tensor<i64>, tensor<4x4xf32>) {
  ^bb0(%i: tensor<i64>, %a: tensor<4x4xf32>, %b: tensor<4x4xf32>):
    %next = graph.mat_mul %a, %b : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
    graph.yield %next : tensor<4x4xf32>
  }
  return %0#1 : tensor<4x4xf32>
}

// CHECK-LABEL: func.func @branches
// CHECK-SAME: (%[[C:.+]]: tensor<i1>, %[[N:.+]]: index, %[[X:.+]]: tensor<?x4xf32>)
func.func @branches(%c: tensor<i1>, %n: index, %x: tensor<?x4xf32>) -> tensor<?x4xf32> {
  // CHECK: %[[OUT:.+]] = tensor.empty(%[[N]]) : tensor<?x4xf32>
  // CHECK: %[[TRUE:.+]] = tensor.extract %[[C]][]
  // CHECK: %[[Y:.+]] = scf.if %[[TRUE]] -> (tensor<?x4xf32>) {
  // CHECK: %[[R:.+]] = linalg.generic
  // CHECK: bufferization.materialize_in_destination %[[R]] in %[[OUT]]
  // CHECK: } else {
  // CHECK: bufferization.materialize_in_destination %[[X]] in %[[OUT]]
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
