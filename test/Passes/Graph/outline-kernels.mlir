// RUN: acc-opt --graph-outline-kernels --split-input-file --verify-diagnostics %s | FileCheck %s

// CHECK-LABEL: te.kernel @conv1_a(
// CHECK-SAME: %[[X:.*]]: tensor<1x4x8x8xf32>, %[[W:.*]]: tensor<8x4x1x1xf32>, %{{.*}}: tensor<1x8x8x8xf32>) -> tensor<1x8x8x8xf32>
// CHECK-SAME: graph.reason = "no accelerator", layers = ["conv1", "relu1"], target = #te.host
// CHECK: graph.conv %[[X]], %[[W]]
// CHECK-NOT: graph.placement
// CHECK: %[[Y:.*]] = graph.relu
// CHECK: te.return %[[Y]]
// CHECK-LABEL: te.kernel @softmax(
// CHECK-LABEL: func.func @main
// CHECK: %[[W:.*]] = graph.constant
// CHECK: %[[INIT:.*]] = tensor.empty() : tensor<1x8x8x8xf32>
// CHECK: %[[R:.*]] = te.launch @conv1_a ins(%arg0, %[[W]] : {{.*}}) outs(%[[INIT]] : tensor<1x8x8x8xf32>) {label = "conv1/a"}
// CHECK: graph.reshape %[[R]]
// CHECK: te.launch @softmax
func.func @main(%x: tensor<1x4x8x8xf32>) -> tensor<1x512xf32> {
  %w = graph.constant dense<1.0> : tensor<8x4x1x1xf32> : tensor<8x4x1x1xf32>
  %0 = graph.conv %x, %w {graph.placement = #graph.placement<kernel = "conv1/a", reason = "no accelerator">, strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>}
      : (tensor<1x4x8x8xf32>, tensor<8x4x1x1xf32>) -> tensor<1x8x8x8xf32> loc("conv1")
  %1 = graph.relu %0 {graph.placement = #graph.placement<kernel = "conv1/a">} : (tensor<1x8x8x8xf32>) -> tensor<1x8x8x8xf32> loc("relu1")
  %2 = graph.reshape %1 : (tensor<1x8x8x8xf32>) -> tensor<1x512xf32>
  %3 = graph.softmax %2 {axis = 1 : i64} : (tensor<1x512xf32>) -> tensor<1x512xf32>
  return %3 : tensor<1x512xf32>
}

// -----

#vta = #vta.config<>

// A destination made outside of the group is the kernel's initial value.
// CHECK-LABEL: te.kernel @interior(
// CHECK-SAME: %[[X:.*]]: tensor<2xi8>, %[[OUT:.*]]: tensor<4xi8>)
// CHECK: tensor.insert_slice %[[X]] into %[[OUT]]
// CHECK-LABEL: func.func @main
// CHECK: %[[FILLED:.*]] = te.launch @fill
// CHECK: te.launch @interior ins(%arg0 : tensor<2xi8>) outs(%[[FILLED]] : tensor<4xi8>)
func.func @main(%x: tensor<2xi8>) -> tensor<4xi8> {
  %c = arith.constant 5 : i8
  %e = tensor.empty() : tensor<4xi8>
  %f = linalg.fill {graph.placement = #graph.placement<kernel = "fill">} ins(%c : i8) outs(%e : tensor<4xi8>) -> tensor<4xi8>
  %0 = tensor.insert_slice %x into %f[1] [2] [1] {graph.placement = #graph.placement<kernel = "interior", target = #vta>} : tensor<2xi8> into tensor<4xi8>
  return %0 : tensor<4xi8>
}

// -----

#vta = #vta.config<>

// On the accelerator every reader has its own argument.
// CHECK-LABEL: te.kernel @twice(
// CHECK-SAME: %[[A:[a-z0-9]+]]: tensor<2xi8>, %[[B:[a-z0-9]+]]: tensor<2xi8>, %{{.*}}: tensor<4xi8>)
// CHECK: tensor.insert_slice %[[A]]
// CHECK: tensor.insert_slice %[[B]]
// CHECK: te.launch @twice ins(%arg0, %arg0 :
func.func @main(%x: tensor<2xi8>) -> tensor<4xi8> {
  %e = tensor.empty() : tensor<4xi8>
  %0 = tensor.insert_slice %x into %e[0] [2] [1] {graph.placement = #graph.placement<kernel = "twice", target = #vta>} : tensor<2xi8> into tensor<4xi8>
  %1 = tensor.insert_slice %x into %0[2] [2] [1] {graph.placement = #graph.placement<kernel = "twice", target = #vta>} : tensor<2xi8> into tensor<4xi8>
  return %1 : tensor<4xi8>
}

// -----

func.func @main(%x: tensor<2xf32>) -> tensor<2xf32> {
  %0 = graph.relu %x {graph.placement = #graph.placement<kernel = "a">} : (tensor<2xf32>) -> tensor<2xf32>
  // expected-error @+1 {{uses a result of kernel 'a' before the kernel is complete}}
  %1 = graph.softmax %0 {axis = 0 : i64} : (tensor<2xf32>) -> tensor<2xf32>
  %2 = graph.add %0, %1 {graph.placement = #graph.placement<kernel = "a">} : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  return %2 : tensor<2xf32>
}

// -----

func.func @main(%x: tensor<2xf32>) -> tensor<2xf32> {
  // expected-error @+1 {{is placed on "cpu", which is no target: expected one such as #te.host}}
  %0 = graph.relu %x {graph.placement = #graph.placement<kernel = "a", target = "cpu">} : (tensor<2xf32>) -> tensor<2xf32>
  return %0 : tensor<2xf32>
}

// -----

func.func @main(%x: tensor<2xi8>) -> tensor<4xi8> {
  %e = tensor.empty() : tensor<4xi8>
  %0 = tensor.insert_slice %x into %e[0] [2] [1] {graph.placement = #graph.placement<kernel = "a">} : tensor<2xi8> into tensor<4xi8>
  // expected-error @+1 {{is placed on #vta.config<log_inp_width = 3}}
  %1 = tensor.insert_slice %x into %0[2] [2] [1] {graph.placement = #graph.placement<kernel = "a", target = #vta.config<>>} : tensor<2xi8> into tensor<4xi8>
  return %1 : tensor<4xi8>
}
