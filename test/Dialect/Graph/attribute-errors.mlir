// RUN: acc-opt %s --split-input-file --verify-diagnostics

func.func @misspelt(%x: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @+1 {{'graph.relu' op has the unknown attribute 'graph.placment'; the graph dialect has graph.placement, graph.reason, graph.packed and graph.tensors}}
  %0 = graph.relu %x {graph.placment = #graph.placement<kernel = "a">} : (tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

func.func @kind(%x: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @+1 {{'graph.relu' op has the attribute 'graph.placement' = "a", which must be a #graph.placement}}
  %0 = graph.relu %x {graph.placement = "a"} : (tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

func.func @nameless(%x: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @+1 {{a placement needs the name of a kernel}}
  %0 = graph.relu %x {graph.placement = #graph.placement<kernel = "">} : (tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

func.func @reason(%x: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @+1 {{has the attribute 'graph.reason' = 1 : i64, which must be a string}}
  %0 = graph.relu %x {graph.reason = 1 : i64} : (tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

func.func @packed(%x: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @+1 {{has the attribute 'graph.packed' = unit, which must be a unit of a graph.concat, graph.lookup, graph.slice, graph.gather or graph.transpose}}
  %0 = graph.relu %x {graph.packed} : (tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

// expected-error @+1 {{has the attribute 'graph.tensors' = "all", which must be an array of a module}}
module attributes {graph.tensors = "all"} {}

// -----

// expected-error @+1 {{argument 0 has the attribute 'graph.name' = 0 : i64, which must be a string}}
func.func private @name(tensor<4xf32> {graph.name = 0})

// -----

// expected-error @+1 {{argument 1 has the attribute 'graph.dims' = ["n", "m"], which must have one name per dimension of 'tensor<?xf32>'}}
func.func private @dims(tensor<4xf32>, tensor<?xf32> {graph.dims = ["n", "m"]})

// -----

// expected-error @+1 {{argument 0 has the attribute 'graph.dims' = [4], which must be an array of strings}}
func.func private @sizes(tensor<?xf32> {graph.dims = [4]})

// -----

// expected-error @+1 {{result 0 has the attribute 'graph.nam' = "y", which is unknown; the graph dialect has graph.name and graph.dims}}
func.func private @result() -> (tensor<4xf32> {graph.nam = "y"})
