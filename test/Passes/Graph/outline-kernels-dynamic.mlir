// main computes the sizes of what kernels write, and checks what depends on sizes that are not known.
// RUN: acc-opt %s -graph-outline-kernels -cse | FileCheck %s

// Equal sizes have equal names in a kernel.
// CHECK: te.kernel @a(%{{.*}} {graph.dims = ["d0", ""]}, %{{.*}} {graph.dims = ["d0", ""]}, %{{.*}} {graph.dims = ["d0", ""]})
// CHECK: te.kernel @b(%{{.*}} {graph.dims = ["d0", ""]}, %{{.*}} {graph.dims = ["d1", ""]}, %{{.*}} {graph.dims = ["d2", ""]})
// CHECK-LABEL: func.func @main
// CHECK-SAME: (%[[X:arg0]]: {{.*}}, %[[Y:arg1]]: {{.*}}, %[[Z:arg2]]:
func.func @main(%x: tensor<?x4xf32> {graph.name = "x", graph.dims = ["n", ""]},
                %y: tensor<?x4xf32> {graph.name = "y", graph.dims = ["n", ""]},
                %z: tensor<?x4xf32> {graph.name = "z", graph.dims = ["m", ""]}) -> tensor<2x?xf32> {
  // CHECK: %[[OF_Y:.*]] = tensor.dim %[[Y]]
  // CHECK: %[[OF_X:.*]] = tensor.dim %[[X]]
  // CHECK: %[[SAME:.*]] = arith.cmpi eq, %[[OF_Y]], %[[OF_X]]
  // CHECK: te.check %[[SAME]], ["input 'y' has size ", " along axis 0 but input 'x' has ", " along axis 0: both must be 'n'"](%[[OF_Y]], %[[OF_X]])
  // CHECK: tensor.empty
  // CHECK-NEXT: te.launch @a
  %a = graph.add %x, %y : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32> loc("a")
  // CHECK: te.check %{{.*}}, ["node 'b': shapes do not broadcast: size ", " meets size ", " at axis -2 from the end"]
  // CHECK: %[[SIZE:.*]] = arith.select
  // CHECK: %[[INIT:.*]] = tensor.empty(%[[SIZE]])
  // CHECK: te.launch @b {{.*}} outs(%[[INIT]]
  %b = graph.add %a, %z : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32> loc("b")
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  %d = tensor.dim %b, %c0 : tensor<?x4xf32>
  %d2 = arith.muli %d, %c2 : index
  // Both sides have 4 n elements, which needs no check.
  // CHECK-NOT: te.check
  // CHECK: graph.reshape
  %r = graph.reshape %b, %d2 : (tensor<?x4xf32>, index) -> tensor<2x?xf32> loc("r")
  return %r : tensor<2x?xf32>
}

// What a branch needs of sizes is checked in front of it, and may be missed
// where the other one is taken; what a body needs, where there is no turn.
// CHECK-LABEL: func.func @branches(
// CHECK-SAME: %[[C:[^:]*]]: tensor<i1>, %[[X:[^:]*]]: tensor<?x3xf32>, %[[N:[^:]*]]: tensor<i64>)
// CHECK-DAG: %[[YES:.*]] = arith.constant true
// CHECK-DAG: %[[TAKEN:.*]] = tensor.extract %[[C]][]
// CHECK-DAG: %[[NOT:.*]] = arith.xori %[[TAKEN]], %[[YES]]
// CHECK-DAG: %[[FITS:.*]] = arith.cmpi sge
// CHECK: %[[OK:.*]] = arith.ori %[[FITS]], %[[NOT]]
// CHECK: te.check %[[OK]], [{{.*}}]
// CHECK: te.launch
// CHECK: %[[COUNT:.*]] = tensor.extract %[[N]][]
// CHECK: %[[NONE:.*]] = arith.cmpi sle, %[[COUNT]]
// CHECK: %[[OK2:.*]] = arith.ori %{{.*}}, %[[NONE]]
// CHECK: te.check %[[OK2]]
// CHECK: te.launch
func.func @branches(%c: tensor<i1>, %x: tensor<?x3xf32>, %n: tensor<i64>) -> (tensor<3xf32>, tensor<3xf32>) {
  %y = graph.if %c with (%x) : (tensor<i1>, tensor<?x3xf32>) -> tensor<3xf32> {
  ^bb0(%a: tensor<?x3xf32>):
    %two = graph.slice %a {starts = array<i64: 1, 0>, sizes = array<i64: 1, 3>, steps = array<i64: 1, 1>} : (tensor<?x3xf32>) -> tensor<1x3xf32>
    %r = graph.reshape %two : (tensor<1x3xf32>) -> tensor<3xf32>
    graph.yield %r : tensor<3xf32>
  } else {
  ^bb0(%a: tensor<?x3xf32>):
    %s = graph.reduce_sum %a {axes = array<i64: 0>, keepdims = false} : (tensor<?x3xf32>) -> tensor<3xf32>
    graph.yield %s : tensor<3xf32>
  }
  %turns, %last = graph.loop times %n from (%y) with (%x) : (tensor<i64>, tensor<3xf32>, tensor<?x3xf32>) -> (tensor<i64>, tensor<3xf32>) {
  ^bb0(%i: tensor<i64>, %s: tensor<3xf32>, %a: tensor<?x3xf32>):
    %five = graph.slice %a {starts = array<i64: 4, 0>, sizes = array<i64: 1, 3>, steps = array<i64: 1, 1>} : (tensor<?x3xf32>) -> tensor<1x3xf32>
    %r = graph.reshape %five : (tensor<1x3xf32>) -> tensor<3xf32>
    %t = graph.add %s, %r : (tensor<3xf32>, tensor<3xf32>) -> tensor<3xf32>
    graph.yield %t : tensor<3xf32>
  }
  return %y, %last : tensor<3xf32>, tensor<3xf32>
}
