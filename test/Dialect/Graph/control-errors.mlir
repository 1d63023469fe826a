// RUN: acc-opt %s -split-input-file -verify-diagnostics

func.func @endless(%s: tensor<4xf32>) {
  // expected-error @+1 {{needs a count or a condition}}
  %0:2 = graph.loop from (%s) : (tensor<4xf32>) -> (tensor<i64>, tensor<4xf32>) {
  ^bb0(%i: tensor<i64>, %a: tensor<4xf32>):
    graph.yield %a : tensor<4xf32>
  }
  return
}

// -----

func.func @count(%n: tensor<1xi64>, %s: tensor<4xf32>) {
  // expected-error @+1 {{the count is 'tensor<1xi64>' but must be a scalar}}
  %0:2 = graph.loop times %n from (%s) : (tensor<1xi64>, tensor<4xf32>) -> (tensor<i64>, tensor<4xf32>) {
  ^bb0(%i: tensor<i64>, %a: tensor<4xf32>):
    graph.yield %a : tensor<4xf32>
  }
  return
}

// -----

func.func @results(%n: tensor<i64>, %s: tensor<4xf32>) {
  // expected-error @+1 {{has 0 results behind the first but 1 states}}
  %0 = graph.loop times %n from (%s) : (tensor<i64>, tensor<4xf32>) -> tensor<i64> {
  ^bb0(%i: tensor<i64>, %a: tensor<4xf32>):
    graph.yield %a : tensor<4xf32>
  }
  return
}

// -----

func.func @capacity(%n: tensor<i64>, %s: tensor<4xf32>) {
  // expected-error @+1 {{has slices 'tensor<?x4xf32>' but no capacity}}
  %0:3 = graph.loop times %n from (%s) : (tensor<i64>, tensor<4xf32>) -> (tensor<i64>, tensor<4xf32>, tensor<?x4xf32>) {
  ^bb0(%i: tensor<i64>, %a: tensor<4xf32>):
    graph.yield %a, %a : tensor<4xf32>, tensor<4xf32>
  }
  return
}

// -----

func.func @sizes(%n: tensor<i64>, %s: tensor<?xf32>) {
  // expected-error @+1 {{has slices 'tensor<10x?xf32>' and too few sizes for them}}
  %0:3 = graph.loop times %n from (%s) : (tensor<i64>, tensor<?xf32>) -> (tensor<i64>, tensor<?xf32>, tensor<10x?xf32>) {
  ^bb0(%i: tensor<i64>, %a: tensor<?xf32>):
    graph.yield %a, %a : tensor<?xf32>, tensor<?xf32>
  }
  return
}

// -----

func.func @more_sizes(%n: tensor<i64>, %k: index, %s: tensor<4xf32>) {
  // expected-error @+1 {{has 1 sizes more than its slices need}}
  %0:2 = graph.loop times %n sizes (%k) from (%s) : (tensor<i64>, index, tensor<4xf32>) -> (tensor<i64>, tensor<4xf32>) {
  ^bb0(%i: tensor<i64>, %a: tensor<4xf32>):
    graph.yield %a : tensor<4xf32>
  }
  return
}

// -----

func.func @arguments(%n: tensor<i64>, %s: tensor<4xf32>) {
  // expected-error @+1 {{has a body with arguments 'tensor<i64>', 'tensor<5xf32>' instead of 'tensor<i64>', 'tensor<4xf32>'}}
  %0:2 = graph.loop times %n from (%s) : (tensor<i64>, tensor<4xf32>) -> (tensor<i64>, tensor<4xf32>) {
  ^bb0(%i: tensor<i64>, %a: tensor<5xf32>):
    graph.yield %a : tensor<5xf32>
  }
  return
}

// -----

func.func @grows(%n: tensor<i64>, %s: tensor<4xf32>) {
  // expected-error @+1 {{has a body that yields 'tensor<8xf32>' instead of 'tensor<4xf32>'}}
  %0:2 = graph.loop times %n from (%s) : (tensor<i64>, tensor<4xf32>) -> (tensor<i64>, tensor<4xf32>) {
  ^bb0(%i: tensor<i64>, %a: tensor<4xf32>):
    %b = graph.concat %a, %a {axis = 0 : i64} : (tensor<4xf32>, tensor<4xf32>) -> tensor<8xf32>
    graph.yield %b : tensor<8xf32>
  }
  return
}

// -----

func.func @condition(%c: tensor<i1>, %s: tensor<4xf32>) {
  // expected-error @+1 {{has a body that yields 'tensor<4xf32>' instead of 'tensor<i1>', 'tensor<4xf32>'}}
  %0:2 = graph.loop while %c from (%s) : (tensor<i1>, tensor<4xf32>) -> (tensor<i64>, tensor<4xf32>) {
  ^bb0(%i: tensor<i64>, %a: tensor<4xf32>):
    graph.yield %a : tensor<4xf32>
  }
  return
}

// -----

func.func @outside(%n: tensor<i64>, %s: tensor<4xf32>) {
  // expected-note @+1 {{required by region isolation constraints}}
  %0:2 = graph.loop times %n from (%s) : (tensor<i64>, tensor<4xf32>) -> (tensor<i64>, tensor<4xf32>) {
  ^bb0(%i: tensor<i64>, %a: tensor<4xf32>):
    // expected-error @+1 {{using value defined outside the region}}
    graph.yield %s : tensor<4xf32>
  }
  return
}

// -----

func.func @branches(%c: tensor<i1>, %x: tensor<4xf32>) {
  // expected-error @+1 {{has a branch that yields 'tensor<4xf32>' instead of 'tensor<5xf32>'}}
  %0 = graph.if %c with (%x) : (tensor<i1>, tensor<4xf32>) -> tensor<5xf32> {
  ^bb0(%a: tensor<4xf32>):
    graph.yield %a : tensor<4xf32>
  } else {
  ^bb0(%a: tensor<4xf32>):
    graph.yield %a : tensor<4xf32>
  }
  return
}

// -----

func.func @few_sizes(%c: tensor<i1>, %x: tensor<?xf32>) {
  // expected-error @+1 {{has 0 sizes, too few for its results}}
  %0 = graph.if %c with (%x) : (tensor<i1>, tensor<?xf32>) -> tensor<?xf32> {
  ^bb0(%a: tensor<?xf32>):
    graph.yield %a : tensor<?xf32>
  } else {
  ^bb0(%a: tensor<?xf32>):
    graph.yield %a : tensor<?xf32>
  }
  return
}

// -----

func.func @many_sizes(%c: tensor<i1>, %n: index, %x: tensor<4xf32>) {
  // expected-error @+1 {{has 1 sizes more than its results need}}
  %0 = graph.if %c sizes (%n) with (%x) : (tensor<i1>, index, tensor<4xf32>) -> tensor<4xf32> {
  ^bb0(%a: tensor<4xf32>):
    graph.yield %a : tensor<4xf32>
  } else {
  ^bb0(%a: tensor<4xf32>):
    graph.yield %a : tensor<4xf32>
  }
  return
}

// -----

func.func @no_yield(%c: tensor<i1>) {
  // expected-error @+1 {{has a branch that does not end in a graph.yield}}
  graph.if %c : (tensor<i1>) -> () {
    llvm.unreachable
  } else {
    graph.yield
  }
  return
}
