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
