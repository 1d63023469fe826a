// RUN: acc-opt %s -graph-legalize-quantization -canonicalize | FileCheck %s

!q = !quant.uniform<i8:f32, 0.02:-3>
!y = !quant.uniform<i8:f32, 0.01:7>
!q2 = !quant.uniform<i8:f32, 3.125000e-02:-3>
!y2 = !quant.uniform<i8:f32, 1.562500e-02:7>

// The zero point of 49 elements is in the offset; dividing by 49 is part of the
// multiplier. One step of the sum is too much of an output step to hold a half.
// CHECK-LABEL: func.func @global_average_pool(
// CHECK: %[[S:.*]] = graph.global_sum_integer %{{.*}} {offset = 147 : i32} : (tensor<1x8x7x7xi8>) -> tensor<1x8x1x1xi32>
// CHECK: graph.requantize %[[S]] {clip_hi = array<i32: 2928>, clip_lo = array<i32: -3296>, multiplier = array<i32: 21400>, post_shift = array<i32: 19>, pre_shift = array<i32: 0>, zero_point = 7 : i32}
func.func @global_average_pool(%q: tensor<1x8x7x7x!q>) -> tensor<1x8x1x1x!y> {
  %x = graph.dequantize_linear %q : (tensor<1x8x7x7x!q>) -> tensor<1x8x7x7xf32>
  %p = graph.global_average_pool %x : (tensor<1x8x7x7xf32>) -> tensor<1x8x1x1xf32>
  %y = graph.quantize_linear %p : (tensor<1x8x1x1xf32>) -> tensor<1x8x1x1x!y>
  return %y : tensor<1x8x1x1x!y>
}

// A convolution with ones. The zero point of four elements is in the bias, half
// an output step, and the odd zero point of the result, which decides ties.
// CHECK-LABEL: func.func @average_pool(
// CHECK-DAG: %[[W:.*]] = graph.constant dense<1> : tensor<8x1x2x2xi8>
// CHECK-DAG: %[[B:.*]] = graph.constant dense<27> : tensor<8xi32>
// CHECK: graph.conv_integer %{{.*}}, %[[W]], %[[B]] {dilations = array<i64: 1, 1>, group = 8 : i64, pad_value = -3 : i8, pads = array<i64: 1, 1, 0, 0>, strides = array<i64: 2, 2>}
// CHECK: graph.requantize %{{.*}} {multiplier = array<i32: 1>, out_hi = 127 : i32, out_lo = -128 : i32, post_shift = array<i32: 1>, pre_shift = array<i32: 0>, rounding = #graph.rounding<half_even>}
func.func @average_pool(%q: tensor<1x8x7x7x!q2>) -> tensor<1x8x4x4x!y2> {
  %x = graph.dequantize_linear %q : (tensor<1x8x7x7x!q2>) -> tensor<1x8x7x7xf32>
  %p = graph.average_pool %x {kernel_shape = array<i64: 2, 2>, strides = array<i64: 2, 2>, pads = array<i64: 1, 1, 0, 0>, dilations = array<i64: 1, 1>, count_include_pad = true} : (tensor<1x8x7x7xf32>) -> tensor<1x8x4x4xf32>
  %y = graph.quantize_linear %p : (tensor<1x8x4x4xf32>) -> tensor<1x8x4x4x!y2>
  return %y : tensor<1x8x4x4x!y2>
}

// Where a scale has no ties the ones are 64s, whose sums are fine enough to hold
// half an output step.
// CHECK-LABEL: func.func @average_pool_without_ties(
// CHECK-DAG: graph.constant dense<64> : tensor<8x1x3x3xi8>
// CHECK: graph.requantize %{{.*}} rounding = #graph.rounding<down>}
func.func @average_pool_without_ties(%q: tensor<1x8x7x7x!q>) -> tensor<1x8x3x3x!y> {
  %x = graph.dequantize_linear %q : (tensor<1x8x7x7x!q>) -> tensor<1x8x7x7xf32>
  %p = graph.average_pool %x {kernel_shape = array<i64: 3, 3>, strides = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>} : (tensor<1x8x7x7xf32>) -> tensor<1x8x3x3xf32>
  %y = graph.quantize_linear %p : (tensor<1x8x3x3xf32>) -> tensor<1x8x3x3x!y>
  return %y : tensor<1x8x3x3x!y>
}

// Where a quarter of all results lie halfway, they go to even, behind the zero
// point: as most of ONNX Runtime's sums of float32 do.
// CHECK-LABEL: func.func @average_pool_with_ties(
// CHECK-DAG: graph.constant dense<27> : tensor<8xi32>
// CHECK-DAG: graph.constant dense<1> : tensor<8x1x2x2xi8>
// CHECK: graph.requantize %{{.*}} {multiplier = array<i32: 1>, out_hi = 127 : i32, out_lo = -128 : i32, post_shift = array<i32: 1>, pre_shift = array<i32: 0>, rounding = #graph.rounding<half_even>}
func.func @average_pool_with_ties(%q: tensor<1x8x7x7x!q>) -> tensor<1x8x4x4x!y> {
  %x = graph.dequantize_linear %q : (tensor<1x8x7x7x!q>) -> tensor<1x8x7x7xf32>
  %p = graph.average_pool %x {kernel_shape = array<i64: 2, 2>, strides = array<i64: 2, 2>, pads = array<i64: 1, 1, 0, 0>, dilations = array<i64: 1, 1>, count_include_pad = true} : (tensor<1x8x7x7xf32>) -> tensor<1x8x4x4xf32>
  %y = graph.quantize_linear %p : (tensor<1x8x4x4xf32>) -> tensor<1x8x4x4x!y>
  return %y : tensor<1x8x4x4x!y>
}

// Windows of 4, 6 and 9 elements: sums are multiplied to be those of 36. One
// column of padding less, and windows along that axis do not differ.
// CHECK-LABEL: func.func @average_pool_with_borders(
// CHECK-DAG: %[[ROWS:.*]] = graph.constant dense<{{\[\[\[\[}}3], [2], [2], [2], [2], [2], [3]]]]> : tensor<1x1x7x1xi32>
// CHECK-DAG: %[[COLUMNS:.*]] = graph.constant dense<{{\[\[\[\[}}3, 2, 2, 3]]]]> : tensor<1x1x1x4xi32>
// CHECK-DAG: %[[W:.*]] = graph.constant dense<1> : tensor<8x1x3x3xi8>
// CHECK-DAG: %[[B:.*]] = graph.constant dense<27> : tensor<8xi32>
// CHECK: %[[SUM:.*]] = graph.conv_integer %{{.*}}, %[[W]], %[[B]] {{.*}}pad_value = -3 : i8
// CHECK: %[[SCALED:.*]] = graph.scale_integer %[[SUM]], %[[ROWS]], %[[COLUMNS]] : (tensor<1x8x7x4xi32>, tensor<1x1x7x1xi32>, tensor<1x1x1x4xi32>) -> tensor<1x8x7x4xi32>
// CHECK: graph.requantize %[[SCALED]] {{.*}}rounding = #graph.rounding<half_even>
// CHECK: graph.scale_integer %{{.*}}, %{{.*}} : (tensor<1x8x7x3xi32>, tensor<1x1x7x1xi32>) -> tensor<1x8x7x3xi32>
func.func @average_pool_with_borders(%q: tensor<1x8x7x7x!q>) -> (tensor<1x8x7x4x!q>, tensor<1x8x7x3x!q>) {
  %x = graph.dequantize_linear %q : (tensor<1x8x7x7x!q>) -> tensor<1x8x7x7xf32>
  %p = graph.average_pool %x {kernel_shape = array<i64: 3, 3>, strides = array<i64: 1, 2>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>} : (tensor<1x8x7x7xf32>) -> tensor<1x8x7x4xf32>
  %y = graph.quantize_linear %p : (tensor<1x8x7x4xf32>) -> tensor<1x8x7x4x!q>
  %p2 = graph.average_pool %x {kernel_shape = array<i64: 3, 3>, strides = array<i64: 1, 2>, pads = array<i64: 1, 0, 1, 0>, dilations = array<i64: 1, 1>} : (tensor<1x8x7x7xf32>) -> tensor<1x8x7x3xf32>
  %y2 = graph.quantize_linear %p2 : (tensor<1x8x7x3xf32>) -> tensor<1x8x7x3x!q>
  return %y, %y2 : tensor<1x8x7x4x!q>, tensor<1x8x7x3x!q>
}

// A common multiple of 6 to 11 along both axes does not fit: one factor for
// every position.
// CHECK-LABEL: func.func @average_pool_of_many_sizes(
// CHECK: graph.scale_integer %{{.*}}, %{{.*}} {offset = {{.*}}} : (tensor<1x8x20x20xi32>, tensor<1x1x20x20xi32>) -> tensor<1x8x20x20xi32>
func.func @average_pool_of_many_sizes(%q: tensor<1x8x20x20x!q>) -> tensor<1x8x20x20x!y> {
  %x = graph.dequantize_linear %q : (tensor<1x8x20x20x!q>) -> tensor<1x8x20x20xf32>
  %p = graph.average_pool %x {kernel_shape = array<i64: 11, 11>, strides = array<i64: 1, 1>, pads = array<i64: 5, 5, 5, 5>, dilations = array<i64: 1, 1>} : (tensor<1x8x20x20xf32>) -> tensor<1x8x20x20xf32>
  %y = graph.quantize_linear %p : (tensor<1x8x20x20xf32>) -> tensor<1x8x20x20x!y>
  return %y : tensor<1x8x20x20x!y>
}

// CHECK-LABEL: func.func @average_pool_whose_images_end_anywhere(
// CHECK: graph.average_pool {{.*}}graph.reason = "its padding does not count, and only a run knows where the images end"
// CHECK: graph.quantize_linear %{{.*}} {rounding_offset = 7 : i32}
func.func @average_pool_whose_images_end_anywhere(%q: tensor<1x8x?x7x!q>) -> tensor<1x8x?x7x!y> {
  %x = graph.dequantize_linear %q : (tensor<1x8x?x7x!q>) -> tensor<1x8x?x7xf32>
  %p = graph.average_pool %x {kernel_shape = array<i64: 3, 3>, strides = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>} : (tensor<1x8x?x7xf32>) -> tensor<1x8x?x7xf32>
  %y = graph.quantize_linear %p : (tensor<1x8x?x7xf32>) -> tensor<1x8x?x7x!y>
  return %y : tensor<1x8x?x7x!y>
}

// CHECK-LABEL: func.func @max_pool(
// CHECK: %[[M:.*]] = graph.max_pool %{{.*}} : (tensor<1x8x7x7xi8>) -> tensor<1x8x4x4xi8>
// CHECK-NEXT: graph.storage_cast %[[M]]
func.func @max_pool(%q: tensor<1x8x7x7x!q>) -> tensor<1x8x4x4x!q> {
  %x = graph.dequantize_linear %q : (tensor<1x8x7x7x!q>) -> tensor<1x8x7x7xf32>
  %p = graph.max_pool %x {kernel_shape = array<i64: 3, 3>, strides = array<i64: 2, 2>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>} : (tensor<1x8x7x7xf32>) -> tensor<1x8x4x4xf32>
  %y = graph.quantize_linear %p : (tensor<1x8x4x4xf32>) -> tensor<1x8x4x4x!q>
  return %y : tensor<1x8x4x4x!q>
}

// A pool that changes the scale is followed by a sum of one operand.
// CHECK-LABEL: func.func @rescaling_max_pool(
// CHECK: %[[M:.*]] = graph.max_pool %{{.*}} : (tensor<1x8x7x7xi8>) -> tensor<1x8x4x4xi8>
// CHECK-NEXT: %[[S:.*]] = graph.weighted_sum %[[M]] {bias = 6 : i32, multipliers = array<i32: 2>}
// CHECK-NEXT: graph.requantize %[[S]] {clip_hi = array<i32: 120>, clip_lo = array<i32: -135>, multiplier = array<i32: 1>, post_shift = array<i32: 0>, pre_shift = array<i32: 0>, zero_point = 7 : i32}
func.func @rescaling_max_pool(%q: tensor<1x8x7x7x!q>) -> tensor<1x8x4x4x!y> {
  %x = graph.dequantize_linear %q : (tensor<1x8x7x7x!q>) -> tensor<1x8x7x7xf32>
  %p = graph.max_pool %x {kernel_shape = array<i64: 3, 3>, strides = array<i64: 2, 2>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>} : (tensor<1x8x7x7xf32>) -> tensor<1x8x4x4xf32>
  %y = graph.quantize_linear %p : (tensor<1x8x4x4xf32>) -> tensor<1x8x4x4x!y>
  return %y : tensor<1x8x4x4x!y>
}

// Where only a run knows how many channels there are, each is an image.
// CHECK-LABEL: func.func @average_pool_of_open_channels(
// CHECK-SAME: %[[Q:.*]]: tensor<?x?x7x?x
// CHECK: %[[X:.*]] = graph.storage_cast %[[Q]]
// CHECK: %[[IMAGES:.*]] = arith.muli
// CHECK: %[[SPLIT:.*]] = graph.reshape %[[X]], %[[IMAGES]], %{{.*}} : (tensor<?x?x7x?xi8>, index, index) -> tensor<?x1x7x?xi8>
// CHECK: %[[SUM:.*]] = graph.conv_integer %[[SPLIT]], %{{.*}} : (tensor<?x1x7x?xi8>, tensor<1x1x2x2xi8>, tensor<1xi32>)
// CHECK: %[[MEAN:.*]] = graph.requantize %[[SUM]]
// CHECK: graph.reshape %[[MEAN]], %{{.*}}, %{{.*}}, %{{.*}} : (tensor<?x1x4x?xi8>, index, index, index) -> tensor<?x?x4x?xi8>
func.func @average_pool_of_open_channels(%q: tensor<?x?x7x?x!q2>) -> tensor<?x?x4x?x!y2> {
  %x = graph.dequantize_linear %q : (tensor<?x?x7x?x!q2>) -> tensor<?x?x7x?xf32>
  %p = graph.average_pool %x {kernel_shape = array<i64: 2, 2>, strides = array<i64: 2, 2>, pads = array<i64: 1, 1, 0, 0>, dilations = array<i64: 1, 1>, count_include_pad = true} : (tensor<?x?x7x?xf32>) -> tensor<?x?x4x?xf32>
  %y = graph.quantize_linear %p : (tensor<?x?x4x?xf32>) -> tensor<?x?x4x?x!y2>
  return %y : tensor<?x?x4x?x!y2>
}

// By how much the sum is scaled depends on how many elements there are.
// CHECK-LABEL: func.func @global_average_pool_of_open_sizes(
// CHECK: %[[X:.*]] = graph.storage_cast
// CHECK: %[[Y:.*]] = graph.global_mean_integer %[[X]] {hi = 127 : i32, input_hi = 127 : i32, input_lo = -128 : i32, input_scale = {{2.0*e-02}} : f64, input_zero_point = -3 : i32, lo = -128 : i32, scale = {{1.0*e-02}} : f64, zero_point = 7 : i32} : (tensor<?x8x?x7xi8>) -> tensor<?x8x1x1xi8>
// CHECK: graph.storage_cast %[[Y]]
func.func @global_average_pool_of_open_sizes(%q: tensor<?x8x?x7x!q>) -> tensor<?x8x1x1x!y> {
  %x = graph.dequantize_linear %q : (tensor<?x8x?x7x!q>) -> tensor<?x8x?x7xf32>
  %p = graph.global_average_pool %x : (tensor<?x8x?x7xf32>) -> tensor<?x8x1x1xf32>
  %y = graph.quantize_linear %p : (tensor<?x8x1x1xf32>) -> tensor<?x8x1x1x!y>
  return %y : tensor<?x8x1x1x!y>
}

// Only the batch is open: the number of elements is known.
// CHECK-LABEL: func.func @global_average_pool_of_an_open_batch(
// CHECK: %[[S:.*]] = graph.global_sum_integer %{{.*}} {offset = 147 : i32} : (tensor<?x8x7x7xi8>) -> tensor<?x8x1x1xi32>
// CHECK: graph.requantize %[[S]]
func.func @global_average_pool_of_an_open_batch(%q: tensor<?x8x7x7x!q>) -> tensor<?x8x1x1x!y> {
  %x = graph.dequantize_linear %q : (tensor<?x8x7x7x!q>) -> tensor<?x8x7x7xf32>
  %p = graph.global_average_pool %x : (tensor<?x8x7x7xf32>) -> tensor<?x8x1x1xf32>
  %y = graph.quantize_linear %p : (tensor<?x8x1x1xf32>) -> tensor<?x8x1x1x!y>
  return %y : tensor<?x8x1x1x!y>
}
