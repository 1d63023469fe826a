// RUN: acc-opt %s | acc-opt | FileCheck %s

// CHECK: module attributes {graph.tensors = {{\[}}["relu1", "Relu", ["x"], ["y"]]]}
module attributes {graph.tensors = [["relu1", "Relu", ["x"], ["y"]]]} {
// CHECK: func.func @main(%[[X:.*]]: tensor<?x4xf32> {graph.dims = ["n", ""], graph.name = "x"}) -> (tensor<?x8xf32> {graph.name = "y"})
func.func @main(%x: tensor<?x4xf32> {graph.dims = ["n", ""], graph.name = "x"}) -> (tensor<?x8xf32> {graph.name = "y"}) {
  // CHECK: graph.relu %[[X]] {graph.placement = #graph.placement<kernel = "relu1">}
  %0 = graph.relu %x {graph.placement = #graph.placement<kernel = "relu1">} : (tensor<?x4xf32>) -> tensor<?x4xf32>
  // CHECK: graph.softmax {{.*}} {axis = 1 : i64, graph.placement = #graph.placement<kernel = "softmax", target = #te.host, reason = "no \22integer\22 form">, graph.reason = "Softmax has no integer form"}
  %1 = graph.softmax %0 {axis = 1 : i64, graph.reason = "Softmax has no integer form", graph.placement =
      #graph.placement<kernel = "softmax", target = #te.host, reason = "no \22integer\22 form">} : (tensor<?x4xf32>) -> tensor<?x4xf32>
  // CHECK: graph.concat {{.*}} graph.packed
  %2 = graph.concat %0, %1 {axis = 1 : i64, graph.packed} : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x8xf32>
  return %2 : tensor<?x8xf32>
}
}
