// RUN: acc-opt %s -graph-legalize-quantization -canonicalize | FileCheck %s

!p = !quant.uniform<i8:f32, 0.03125>
!p4 = !quant.uniform<i8:f32, 0.03125:4>
!wp = !quant.uniform<i8:f32:0, {9.765625e-04, 1.5625e-02}>
!wf = !quant.uniform<i8:f32:0, {3.90625e-03, 9.765625e-04}>
!wm = !quant.uniform<i8:f32:0, {1.5625e-02, 1.25e-02}>
!q = !quant.uniform<i8:f32, 0.02:-3>
!u = !quant.uniform<u8:f32, 0.02:125>
!w = !quant.uniform<i8:f32, 0.05>
!wz = !quant.uniform<u8:f32, 0.05:130>
!wc = !quant.uniform<i8:f32:0, {0.05,0.025}>
!b = !quant.uniform<i32:f32, 0.001>
!y = !quant.uniform<i8:f32, 0.3:7>
!yu = !quant.uniform<u8:f32, 0.3:0>

// The bias holds what the model adds, the zero points, and half an output step,
// so that rounding down is all that is left to do: (-128 + 1/2) * 2^23 / 27962
// = -38250, where 0.02 * 0.05 / 0.3 = 27962 * 2^-23. ReLU is the lower bound; no
// accumulator reaches the upper one. ui8 at the borders is moved by -128.
// CHECK-LABEL: func.func @relu(
// CHECK-SAME: %[[X:.*]]: tensor<1x1x4x4xui8>
// CHECK-DAG: %[[W:.*]] = graph.constant dense<{{.*}}> : tensor<2x1x1x1xi8>
// CHECK-DAG: %[[B:.*]] = graph.constant dense<[-38234, -38230]> : tensor<2xi32>
// CHECK: %[[I:.*]] = graph.rebase %[[X]]
// CHECK: %[[A:.*]] = graph.conv_integer %[[I]], %[[W]], %[[B]] {dilations = array<i64: 1, 1>, pad_value = -3 : i8, pads = array<i64: 1, 1, 1, 1>, strides = array<i64: 1, 1>}
// CHECK: %[[Y:.*]] = graph.requantize %[[A]] {multiplier = array<i32: 27962>, out_lo = -128 : i32, post_shift = array<i32: 23>, pre_shift = array<i32: 0>, rounding = #graph.rounding<down>}
// CHECK: %[[R:.*]] = graph.rebase %[[Y]]
// CHECK: return %[[R]]
func.func @relu(%arg: tensor<1x1x4x4xui8>) -> tensor<1x2x6x6xui8> {
  %q = graph.storage_cast %arg : (tensor<1x1x4x4xui8>) -> tensor<1x1x4x4x!u>
  %x = graph.dequantize_linear %q : (tensor<1x1x4x4x!u>) -> tensor<1x1x4x4xf32>
  %wq = graph.constant dense<[[[[2]]], [[[-1]]]]> : tensor<2x1x1x1xi8> : tensor<2x1x1x1x!w>
  %w = graph.dequantize_linear %wq : (tensor<2x1x1x1x!w>) -> tensor<2x1x1x1xf32>
  %bq = graph.constant dense<[10, 23]> : tensor<2xi32> : tensor<2x!b>
  %b = graph.dequantize_linear %bq : (tensor<2x!b>) -> tensor<2xf32>
  %c = graph.conv %x, %w, %b {strides = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>} : (tensor<1x1x4x4xf32>, tensor<2x1x1x1xf32>, tensor<2xf32>) -> tensor<1x2x6x6xf32>
  %r = graph.relu %c : (tensor<1x2x6x6xf32>) -> tensor<1x2x6x6xf32>
  %y = graph.quantize_linear %r : (tensor<1x2x6x6xf32>) -> tensor<1x2x6x6x!yu>
  %o = graph.storage_cast %y : (tensor<1x2x6x6x!yu>) -> tensor<1x2x6x6xui8>
  return %o : tensor<1x2x6x6xui8>
}

// Each channel has its own multiplier, which is all that differs;
// 20 * 127 * 127 accumulators reach beyond what the result can hold, but no
// product wraps, so that bounds behind the shift do for all channels.
// CHECK-LABEL: func.func @per_channel(
// CHECK: graph.conv_integer %{{.*}} pad_value = -3 : i8
// CHECK: graph.requantize %{{.*}} {multiplier = array<i32: 3495, 1748>, out_hi = 127 : i32, out_lo = -128 : i32, post_shift = array<i32: 20>, pre_shift = array<i32: 0>, rounding = #graph.rounding<down>}
func.func @per_channel(%q: tensor<1x20x4x4x!q>) -> tensor<1x2x4x4x!y> {
  %x = graph.dequantize_linear %q : (tensor<1x20x4x4x!q>) -> tensor<1x20x4x4xf32>
  %wq = graph.constant dense<127> : tensor<2x20x1x1xi8> : tensor<2x20x1x1x!wc>
  %w = graph.dequantize_linear %wq : (tensor<2x20x1x1x!wc>) -> tensor<2x20x1x1xf32>
  %c = graph.conv %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, group = 1 : i64} : (tensor<1x20x4x4xf32>, tensor<2x20x1x1xf32>) -> tensor<1x2x4x4xf32>
  %y = graph.quantize_linear %c : (tensor<1x2x4x4xf32>) -> tensor<1x2x4x4x!y>
  return %y : tensor<1x2x4x4x!y>
}

// A float bias is rounded to accumulator steps; the zero point of the weights
// is subtracted. A clip becomes both bounds.
// CHECK-LABEL: func.func @float_bias(
// CHECK-DAG: graph.constant dense<[3266, 261]> : tensor<2xi32>
// CHECK-DAG: graph.constant dense<5> : tensor<2x1x1x1xi8>
// CHECK: graph.requantize %{{.*}} {{{.*}}out_hi = 10 : i32, out_lo = 7 : i32
func.func @float_bias(%q: tensor<1x1x4x4x!q>) -> tensor<1x2x4x4x!y> {
  %x = graph.dequantize_linear %q : (tensor<1x1x4x4x!q>) -> tensor<1x1x4x4xf32>
  %wq = graph.constant dense<135> : tensor<2x1x1x1xui8> : tensor<2x1x1x1x!wz>
  %w = graph.dequantize_linear %wq : (tensor<2x1x1x1x!wz>) -> tensor<2x1x1x1xf32>
  %b = graph.constant dense<[1.0011, -2.0044]> : tensor<2xf32> : tensor<2xf32>
  %c = graph.conv %x, %w, %b {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>} : (tensor<1x1x4x4xf32>, tensor<2x1x1x1xf32>, tensor<2xf32>) -> tensor<1x2x4x4xf32>
  %r = graph.clip %c {min = 0.0 : f64, max = 1.0 : f64} : (tensor<1x2x4x4xf32>) -> tensor<1x2x4x4xf32>
  %y = graph.quantize_linear %r : (tensor<1x2x4x4xf32>) -> tensor<1x2x4x4x!y>
  return %y : tensor<1x2x4x4x!y>
}

// Powers of two: nothing is multiplied, every bit stays until the one shift, and
// the bias holds half an output step and the even zero point, however few ties
// there are. Channels with ties among others take the multiplier's way, exactly.
// CHECK-LABEL: func.func @powers_of_two(
// CHECK: %[[B:.*]] = graph.constant dense<[4608, 288]> : tensor<2xi32>
// CHECK: graph.requantize %{{.*}} {multiplier = array<i32: 1>, out_hi = 127 : i32, out_lo = -128 : i32, post_shift = array<i32: 10, 6>, pre_shift = array<i32: 0>, rounding = #graph.rounding<half_even>}
// CHECK-LABEL: func.func @powers_of_two_with_few_ties(
// CHECK: graph.requantize %{{.*}} {multiplier = array<i32: 1>, out_hi = 127 : i32, out_lo = -128 : i32, post_shift = array<i32: 8, 10>, pre_shift = array<i32: 0>, rounding = #graph.rounding<half_even>}
// CHECK-LABEL: func.func @power_of_two_among_others(
// CHECK: graph.requantize %{{.*}} {addend = 1048576 : i32, {{.*}}multiplier = array<i32: 1, 26214>, post_shift = array<i32: 21>, pre_shift = array<i32: -15, 0>, rounding = #graph.rounding<half_even>
func.func @powers_of_two(%q: tensor<1x20x4x4x!p>) -> tensor<1x2x4x4x!p4> {
  %x = graph.dequantize_linear %q : (tensor<1x20x4x4x!p>) -> tensor<1x20x4x4xf32>
  %wq = graph.constant dense<127> : tensor<2x20x1x1xi8> : tensor<2x20x1x1x!wp>
  %w = graph.dequantize_linear %wq : (tensor<2x20x1x1x!wp>) -> tensor<2x20x1x1xf32>
  %c = graph.conv %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, group = 1 : i64} : (tensor<1x20x4x4xf32>, tensor<2x20x1x1xf32>) -> tensor<1x2x4x4xf32>
  %y = graph.quantize_linear %c : (tensor<1x2x4x4xf32>) -> tensor<1x2x4x4x!p4>
  return %y : tensor<1x2x4x4x!p4>
}
func.func @powers_of_two_with_few_ties(%q: tensor<1x20x4x4x!p>) -> tensor<1x2x4x4x!p4> {
  %x = graph.dequantize_linear %q : (tensor<1x20x4x4x!p>) -> tensor<1x20x4x4xf32>
  %wq = graph.constant dense<127> : tensor<2x20x1x1xi8> : tensor<2x20x1x1x!wf>
  %w = graph.dequantize_linear %wq : (tensor<2x20x1x1x!wf>) -> tensor<2x20x1x1xf32>
  %c = graph.conv %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, group = 1 : i64} : (tensor<1x20x4x4xf32>, tensor<2x20x1x1xf32>) -> tensor<1x2x4x4xf32>
  %y = graph.quantize_linear %c : (tensor<1x2x4x4xf32>) -> tensor<1x2x4x4x!p4>
  return %y : tensor<1x2x4x4x!p4>
}
func.func @power_of_two_among_others(%q: tensor<1x20x4x4x!p>) -> tensor<1x2x4x4x!p4> {
  %x = graph.dequantize_linear %q : (tensor<1x20x4x4x!p>) -> tensor<1x20x4x4xf32>
  %wq = graph.constant dense<127> : tensor<2x20x1x1xi8> : tensor<2x20x1x1x!wm>
  %w = graph.dequantize_linear %wq : (tensor<2x20x1x1x!wm>) -> tensor<2x20x1x1xf32>
  %c = graph.conv %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, group = 1 : i64} : (tensor<1x20x4x4xf32>, tensor<2x20x1x1xf32>) -> tensor<1x2x4x4xf32>
  %y = graph.quantize_linear %c : (tensor<1x2x4x4xf32>) -> tensor<1x2x4x4x!p4>
  return %y : tensor<1x2x4x4x!p4>
}

!large = !quant.uniform<i8:f32, 0.013:-128>
!weight = !quant.uniform<i8<-127:127>:f32, 0.0031:0>
!result = !quant.uniform<i8:f32, 0.81:-128>

// Large biases, most of which is what the zero points contribute, are multiples of what the first shift divides by.
// CHECK-LABEL: func.func @whole_bias(
// CHECK: graph.constant dense<[-8416000, 4164736]> : tensor<2xi32>
// CHECK: graph.requantize {{.*}}pre_shift = array<i32: 7>
func.func @whole_bias(%q: tensor<1x512x4x4x!large>) -> tensor<1x2x4x4x!result> {
  %wi = graph.constant dense<100> : tensor<2x512x1x1xi8> : tensor<2x512x1x1x!weight>
  %w = graph.dequantize_linear %wi : (tensor<2x512x1x1x!weight>) -> tensor<2x512x1x1xf32>
  %b = graph.constant dense<[-500.0, 7.0]> : tensor<2xf32> : tensor<2xf32>
  %x = graph.dequantize_linear %q : (tensor<1x512x4x4x!large>) -> tensor<1x512x4x4xf32>
  %c = graph.conv %x, %w, %b {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>}
      : (tensor<1x512x4x4xf32>, tensor<2x512x1x1xf32>, tensor<2xf32>) -> tensor<1x2x4x4xf32>
  %y = graph.quantize_linear %c : (tensor<1x2x4x4xf32>) -> tensor<1x2x4x4x!result>
  return %y : tensor<1x2x4x4x!result>
}

// A transposed convolution is one for each place of an output between inputs.
// Of 3 taps and stride 2, even outputs meet the middle one, odd outputs the
// first and the last: a window of 2. The last output is cut off.
// CHECK-LABEL: func.func @transposed(
// CHECK-SAME: %[[Q:.*]]: tensor<1x1x3x!quant.uniform
// CHECK-DAG: %[[W:.*]] = graph.constant dense<{{\[\[\[}}20, 0]], {{\[\[}}30, 10]]]> : tensor<2x1x2xi8>
// CHECK: %[[X:.*]] = graph.storage_cast %[[Q]]
// CHECK: %[[A:.*]] = graph.conv_integer %[[X]], %[[W]], %{{.*}} {dilations = array<i64: 1>, pad_value = -3 : i8, pads = array<i64: 0, 1>, strides = array<i64: 1>}
// CHECK: %[[Y:.*]] = graph.requantize %[[A]]
// CHECK: %[[S:.*]] = graph.reshape %[[Y]] : (tensor<1x2x3xi8>) -> tensor<1x1x2x1x3xi8>
// CHECK: %[[T:.*]] = graph.transpose %[[S]] {perm = array<i64: 0, 1, 3, 4, 2>}
// CHECK: %[[J:.*]] = graph.reshape %[[T]] : (tensor<1x1x1x3x2xi8>) -> tensor<1x1x6xi8>
// CHECK: graph.slice %[[J]] {{.*}} -> tensor<1x1x5xi8>
func.func @transposed(%q: tensor<1x1x3x!q>) -> tensor<1x1x5x!y> {
  %x = graph.dequantize_linear %q : (tensor<1x1x3x!q>) -> tensor<1x1x3xf32>
  %wq = graph.constant dense<[[[10, 20, 30]]]> : tensor<1x1x3xi8> : tensor<1x1x3x!w>
  %w = graph.dequantize_linear %wq : (tensor<1x1x3x!w>) -> tensor<1x1x3xf32>
  %c = graph.conv_transpose %x, %w {strides = array<i64: 2>, pads = array<i64: 1, 1>, dilations = array<i64: 1>, output_padding = array<i64: 0>} : (tensor<1x1x3xf32>, tensor<1x1x3xf32>) -> tensor<1x1x5xf32>
  %y = graph.quantize_linear %c : (tensor<1x1x5xf32>) -> tensor<1x1x5x!y>
  return %y : tensor<1x1x5x!y>
}
