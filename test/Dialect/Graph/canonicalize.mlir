// RUN: acc-opt %s --canonicalize --mlir-print-local-scope --mlir-print-debuginfo | FileCheck %s

// CHECK-LABEL: func.func @identities(
// CHECK-SAME: %[[X:[^:]*]]:
// CHECK-NEXT: return %[[X]], %[[X]], %[[X]]
func.func @identities(%x: tensor<2x3xf32>) -> (tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>) {
  %zero = graph.constant dense<-0.0> : tensor<3xf32> : tensor<3xf32>
  %one = graph.constant dense<1.0> : tensor<f32> : tensor<f32>
  %0 = graph.add %zero, %x : (tensor<3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %1 = graph.mul %0, %one : (tensor<2x3xf32>, tensor<f32>) -> tensor<2x3xf32>
  %2 = graph.sum %1 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %3 = graph.cast %x : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %4 = graph.pad %3 {pads = array<i64: 0, 0, 0, 0>} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %5 = graph.concat %4 {axis = 0 : i64} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %6 = graph.clip %x : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return %2, %5, %6 : tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>
}

// Adding zeros of a larger shape broadcasts; dividing by zero is no identity.
// CHECK-LABEL: func.func @not_identities
// CHECK: graph.add
// CHECK: graph.div
func.func @not_identities(%x: tensor<3xf32>) -> (tensor<2x3xf32>, tensor<3xf32>) {
  %zeros = graph.constant dense<0.0> : tensor<2x3xf32> : tensor<2x3xf32>
  %zero = graph.constant dense<0.0> : tensor<f32> : tensor<f32>
  %0 = graph.add %x, %zeros : (tensor<3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %1 = graph.div %x, %zero : (tensor<3xf32>, tensor<f32>) -> tensor<3xf32>
  return %0, %1 : tensor<2x3xf32>, tensor<3xf32>
}

// CHECK-LABEL: func.func @activations
// CHECK: %[[R:.*]] = graph.relu
// CHECK: %[[C:.*]] = graph.clip
// CHECK: %[[S:.*]] = graph.add
// CHECK: return %[[R]], %[[C]], %[[S]]
func.func @activations(%x: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) {
  %0 = graph.relu %x : (tensor<4xf32>) -> tensor<4xf32>
  %1 = graph.relu %0 : (tensor<4xf32>) -> tensor<4xf32>
  %2 = graph.clip %x {min = 0.0 : f64, max = 6.0 : f64} : (tensor<4xf32>) -> tensor<4xf32>
  %3 = graph.relu %2 : (tensor<4xf32>) -> tensor<4xf32>
  %4 = graph.sum %x, %0 : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %1, %3, %4 : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
}

// Bounds go that no element is beyond: quantized numbers are finite, and what is
// clipped already is within its bounds. The largest float limits infinities.
// CHECK-LABEL: func.func @clips(
// CHECK: %[[D:.*]] = graph.dequantize_linear
// CHECK: %[[L:.*]] = graph.clip %{{.*}} {max = 3.4028234663852886E+38 : f64, min = -3.4028234663852886E+38 : f64}
// CHECK: %[[R:.*]] = graph.relu
// CHECK: %[[U:.*]] = graph.clip %[[R]] {max = 6.000000e+00 : f64}
// CHECK: %[[P:.*]] = graph.clip %[[D]] {max = 5.000000e-01 : f64}
// CHECK: return %[[D]], %[[L]], %[[U]], %[[P]]
func.func @clips(%q: tensor<4x!quant.uniform<i8:f32, 0.02:-128>>, %x: tensor<4xf32>)
    -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) {
  %d = graph.dequantize_linear %q : (tensor<4x!quant.uniform<i8:f32, 0.02:-128>>) -> tensor<4xf32>
  %0 = graph.clip %d {min = 0.0 : f64, max = 3.4028234663852886E+38 : f64} : (tensor<4xf32>) -> tensor<4xf32>
  %1 = graph.clip %x {min = -3.4028234663852886E+38 : f64, max = 3.4028234663852886E+38 : f64} : (tensor<4xf32>) -> tensor<4xf32>
  %r = graph.relu %x : (tensor<4xf32>) -> tensor<4xf32>
  %2 = graph.clip %r {min = -1.0 : f64, max = 6.0 : f64} : (tensor<4xf32>) -> tensor<4xf32>
  %3 = graph.clip %2 {min = 0.0 : f64, max = 7.0 : f64} : (tensor<4xf32>) -> tensor<4xf32>
  %4 = graph.clip %d {min = -1.0 : f64, max = 0.5 : f64} : (tensor<4xf32>) -> tensor<4xf32>
  return %0, %1, %3, %4 : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
}

// CHECK-LABEL: func.func @reshapes(
// CHECK-SAME: %[[X:[^:]*]]:
// CHECK-NEXT: %[[Y:.*]] = graph.reshape %[[X]] : (tensor<2x3x4xf32>) -> tensor<4x6xf32> loc(fused["a", "b", "c"])
// CHECK-NEXT: return %[[Y]], %[[X]]
func.func @reshapes(%x: tensor<2x3x4xf32>) -> (tensor<4x6xf32>, tensor<2x3x4xf32>) {
  %0 = graph.flatten %x {axis = 1 : i64} : (tensor<2x3x4xf32>) -> tensor<2x12xf32> loc("a")
  %1 = graph.unsqueeze %0 {axes = array<i64: 0>} : (tensor<2x12xf32>) -> tensor<1x2x12xf32> loc("b")
  %2 = graph.reshape %1 : (tensor<1x2x12xf32>) -> tensor<4x6xf32> loc("c")
  %3 = graph.unsqueeze %x {axes = array<i64: 0>} : (tensor<2x3x4xf32>) -> tensor<1x2x3x4xf32>
  %4 = graph.squeeze %3 {axes = array<i64: 0>} : (tensor<1x2x3x4xf32>) -> tensor<2x3x4xf32>
  return %2, %4 : tensor<4x6xf32>, tensor<2x3x4xf32>
}

// A reshape to the size that is there already is nothing; one to another size
// that only a run knows is a question to the run, whatever the types say.
// CHECK-LABEL: func.func @open_reshapes(
// CHECK-SAME: %[[X:[^:]*]]: tensor<?x3xf32>{{.*}}, %[[Y:[^:]*]]: tensor<?x3xf32>
// CHECK: %[[SIZE:.*]] = tensor.dim %[[Y]]
// CHECK: %[[R:.*]] = graph.reshape %[[X]], %[[SIZE]]
// CHECK: return %[[X]], %[[R]]
func.func @open_reshapes(%x: tensor<?x3xf32>, %y: tensor<?x3xf32>)
    -> (tensor<?x3xf32>, tensor<?x3xf32>) {
  %c0 = arith.constant 0 : index
  %own = tensor.dim %x, %c0 : tensor<?x3xf32>
  %other = tensor.dim %y, %c0 : tensor<?x3xf32>
  %0 = graph.reshape %x, %own : (tensor<?x3xf32>, index) -> tensor<?x3xf32>
  %1 = graph.reshape %x, %other : (tensor<?x3xf32>, index) -> tensor<?x3xf32>
  return %0, %1 : tensor<?x3xf32>, tensor<?x3xf32>
}

// Where the first of two reshapes may be refused, it stays.
// CHECK-LABEL: func.func @questions(
// CHECK-SAME: %[[X:[^:]*]]: tensor<?xf32>{{.*}}, %[[N:[^:]*]]: index{{.*}}, %[[M:[^:]*]]: index
// CHECK-NEXT: %[[A:.*]] = graph.reshape %[[X]], %[[N]]
// CHECK-NEXT: %[[B:.*]] = graph.reshape %[[A]], %[[M]]
// CHECK-NEXT: %[[C:.*]] = graph.squeeze %[[B]] {all = true, axes = array<i64>}
// CHECK-NEXT: %[[D:.*]] = graph.reshape %[[C]], %[[N]]
// CHECK-NEXT: return %[[D]]
func.func @questions(%x: tensor<?xf32>, %n: index, %m: index) -> tensor<?x2xf32> {
  %0 = graph.reshape %x, %n : (tensor<?xf32>, index) -> tensor<?x2xf32>
  %1 = graph.reshape %0, %m : (tensor<?x2xf32>, index) -> tensor<?xf32>
  %2 = graph.squeeze %1 {all = true, axes = array<i64>} : (tensor<?xf32>) -> tensor<?xf32>
  %3 = graph.reshape %2, %n : (tensor<?xf32>, index) -> tensor<?x2xf32>
  return %3 : tensor<?x2xf32>
}

// CHECK-LABEL: func.func @transposes(
// CHECK-SAME: %[[X:[^:]*]]: tensor<2x3x4xf32>
// CHECK-NEXT: %[[T:.*]] = graph.transpose %[[X]] {perm = array<i64: 2, 0, 1>}
// CHECK-NEXT: %[[R:.*]] = graph.reshape
// CHECK-NEXT: return %[[X]], %[[T]], %[[R]]
func.func @transposes(%x: tensor<2x3x4xf32>, %y: tensor<1x3x1x2xf32>)
    -> (tensor<2x3x4xf32>, tensor<4x2x3xf32>, tensor<3x2x1x1xf32>) {
  %0 = graph.transpose %x {perm = array<i64: 2, 0, 1>} : (tensor<2x3x4xf32>) -> tensor<4x2x3xf32>
  %1 = graph.transpose %0 {perm = array<i64: 1, 2, 0>} : (tensor<4x2x3xf32>) -> tensor<2x3x4xf32>
  %2 = graph.transpose %x {perm = array<i64: 2, 1, 0>} : (tensor<2x3x4xf32>) -> tensor<4x3x2xf32>
  %3 = graph.transpose %2 {perm = array<i64: 0, 2, 1>} : (tensor<4x3x2xf32>) -> tensor<4x2x3xf32>
  %4 = graph.transpose %y {perm = array<i64: 1, 3, 0, 2>} : (tensor<1x3x1x2xf32>) -> tensor<3x2x1x1xf32>
  return %1, %3, %4 : tensor<2x3x4xf32>, tensor<4x2x3xf32>, tensor<3x2x1x1xf32>
}

// CHECK-LABEL: func.func @pad_into_conv
// CHECK-NEXT: graph.conv %{{.*}} {dilations = array<i64: 1, 1>, pads = array<i64: 1, 2, 4, 3>, {{.*}} loc(fused["pad", "conv"])
// CHECK-NEXT: return
func.func @pad_into_conv(%x: tensor<1x1x8x8xf32>, %w: tensor<1x1x3x3xf32>) -> tensor<1x1x11x11xf32> {
  %0 = graph.pad %x {pads = array<i64: 0, 0, 1, 1, 0, 0, 4, 2>} : (tensor<1x1x8x8xf32>) -> tensor<1x1x13x11xf32> loc("pad")
  %1 = graph.conv %0, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 1, 0, 1>, dilations = array<i64: 1, 1>}
      : (tensor<1x1x13x11xf32>, tensor<1x1x3x3xf32>) -> tensor<1x1x11x11xf32> loc("conv")
  return %1 : tensor<1x1x11x11xf32>
}

// CHECK-LABEL: func.func @pad_kept
// CHECK: graph.pad
// CHECK: graph.conv
func.func @pad_kept(%x: tensor<1x1x8xf32>, %w: tensor<1x1x3xf32>) -> tensor<1x1x8xf32> {
  %0 = graph.pad %x {pads = array<i64: 0, 0, 1, 0, 0, 1>, constant_value = 1.0 : f64} : (tensor<1x1x8xf32>) -> tensor<1x1x10xf32>
  %1 = graph.conv %0, %w {strides = array<i64: 1>, pads = array<i64: 0, 0>, dilations = array<i64: 1>} : (tensor<1x1x10xf32>, tensor<1x1x3xf32>) -> tensor<1x1x8xf32>
  return %1 : tensor<1x1x8xf32>
}

// Borders of the number that a convolution of integers pads with, and of the
// least number in front of a maximum.
// CHECK-LABEL: func @integer_pads(
func.func @integer_pads(%x: tensor<1x1x4x4xi8>, %w: tensor<1x1x3x3xi8>, %b: tensor<1xi32>) -> (tensor<1x1x5x4xi32>, tensor<1x1x3x2xi32>, tensor<1x1x6x4xi32>, tensor<1x1x4x4xi8>, tensor<1x1x5x4xi8>) {
  // CHECK: %[[P:.*]] = graph.pad
  %p = graph.pad %x {constant_value = -3.0 : f64, pads = array<i64: 0, 0, 1, 0, 0, 0, 0, 0>} : (tensor<1x1x4x4xi8>) -> tensor<1x1x5x4xi8>
  // CHECK: graph.conv_integer %arg0, {{.*}}pad_value = -3 : i8, pads = array<i64: 2, 1, 1, 1>
  %0 = graph.conv_integer %p, %w, %b {dilations = array<i64: 1, 1>, pad_value = -3 : i8, pads = array<i64: 1, 1, 1, 1>, strides = array<i64: 1, 1>} : (tensor<1x1x5x4xi8>, tensor<1x1x3x3xi8>, tensor<1xi32>) -> tensor<1x1x5x4xi32>
  // A convolution that does not pad takes any number.
  // CHECK: graph.conv_integer %arg0, {{.*}}pad_value = -3 : i8, pads = array<i64: 1, 0, 0, 0>
  %1 = graph.conv_integer %p, %w, %b {dilations = array<i64: 1, 1>, pad_value = 5 : i8, pads = array<i64: 0, 0, 0, 0>, strides = array<i64: 1, 1>} : (tensor<1x1x5x4xi8>, tensor<1x1x3x3xi8>, tensor<1xi32>) -> tensor<1x1x3x2xi32>
  // CHECK: graph.conv_integer %[[P]], {{.*}}pad_value = 5 : i8
  %2 = graph.conv_integer %p, %w, %b {dilations = array<i64: 1, 1>, pad_value = 5 : i8, pads = array<i64: 2, 1, 1, 1>, strides = array<i64: 1, 1>} : (tensor<1x1x5x4xi8>, tensor<1x1x3x3xi8>, tensor<1xi32>) -> tensor<1x1x6x4xi32>
  // CHECK: %[[Q:.*]] = graph.pad
  %q = graph.pad %x {constant_value = -128.0 : f64, pads = array<i64: 0, 0, 1, 1, 0, 0, 0, 0>} : (tensor<1x1x4x4xi8>) -> tensor<1x1x5x5xi8>
  // CHECK: graph.max_pool %arg0 {{.*}}pads = array<i64: 1, 1, 0, 0>
  %3 = graph.max_pool %q {dilations = array<i64: 1, 1>, kernel_shape = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>, strides = array<i64: 1, 1>} : (tensor<1x1x5x5xi8>) -> tensor<1x1x4x4xi8>
  // No window may be empty.
  // CHECK: graph.max_pool %[[Q]]
  %4 = graph.max_pool %q {dilations = array<i64: 1, 1>, kernel_shape = array<i64: 1, 2>, pads = array<i64: 0, 0, 0, 0>, strides = array<i64: 1, 1>} : (tensor<1x1x5x5xi8>) -> tensor<1x1x5x4xi8>
  return %0, %1, %2, %3, %4 : tensor<1x1x5x4xi32>, tensor<1x1x3x2xi32>, tensor<1x1x6x4xi32>, tensor<1x1x4x4xi8>, tensor<1x1x5x4xi8>
}
