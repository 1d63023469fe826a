//===- GraphInteger.td - Exact integer operators --------*- tablegen -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What quantized operators become: integer arithmetic that every target
// computes bit for bit, each step of it one ALU instruction of the accelerator.
// docs/dialects/graph.md derives the parameters and bounds the error.
//
//===----------------------------------------------------------------------===//

#ifndef ACC_DIALECTS_GRAPH_GRAPHINTEGER_TD
#define ACC_DIALECTS_GRAPH_GRAPHINTEGER_TD

include "dialects/Graph/GraphBase.td"

def Graph_I8Tensor : RankedTensorOf<[I8]>;
def Graph_I32Tensor : RankedTensorOf<[I32]>;

class Graph_IntegerOp<string mnemonic>
    : Graph_ShapedOp<mnemonic>;

def Graph_ConvIntegerOp : Graph_IntegerOp<"conv_integer"> {
  let summary = "Integer convolution with bias";
  let description = [{
    input (N, C, D1...) i8, weight (O, C / group, K1...) i8, bias (O) i32;
    attributes as those of graph.conv. With `xpad` the input padded with
    `pad_value`,

        result[n, o, d...] = bias[o] + sum over c, k...
            xpad[n, c, d * stride + k * dilation...] * weight[o, c, k...]

    in 32 bits, wrapping. Stored integers are multiplied as they are: the
    zero point of the input is `pad_value`, so that padding stands for zero, and
    -zero_point * sum(weight[o]) is part of `bias`.

    ```mlir
    %acc = graph.conv_integer %x, %w, %b {dilations = array<i64: 1, 1>,
        pad_value = -3 : i8, pads = array<i64: 1, 1, 1, 1>,
        strides = array<i64: 1, 1>}
        : (tensor<1x3x8x8xi8>, tensor<4x3x3x3xi8>, tensor<4xi32>)
        -> tensor<1x4x8x8xi32>
    ```
  }];
  let arguments = (ins Graph_I8Tensor:$input, Graph_I8Tensor:$weight,
                       Graph_I32Tensor:$bias,
                       DenseI64ArrayAttr:$strides, DenseI64ArrayAttr:$pads,
                       DenseI64ArrayAttr:$dilations,
                       DefaultValuedAttr<I64Attr, "1">:$group,
                       DefaultValuedAttr<I8Attr, "0">:$pad_value);
  let results = (outs Graph_I32Tensor:$result);
  let hasCanonicalizer = 1;
}

def Graph_GemmIntegerOp : Graph_IntegerOp<"gemm_integer"> {
  let summary = "Integer matrix product with bias";
  let description = [{
    input (M, K) i8, weight (N, K) i8, bias (N) i32:

        result[m, n] = bias[n] + sum over k of input[m, k] * weight[n, k]

    in 32 bits, wrapping. The zero point of the input is part of `bias`.

    ```mlir
    %acc = graph.gemm_integer %x, %w, %b
        : (tensor<1x64xi8>, tensor<10x64xi8>, tensor<10xi32>) -> tensor<1x10xi32>
    ```
  }];
  let arguments = (ins Graph_I8Tensor:$input, Graph_I8Tensor:$weight,
                       Graph_I32Tensor:$bias);
  let results = (outs Graph_I32Tensor:$result);
}

def Graph_MatMulIntegerOp : Graph_IntegerOp<"matmul_integer"> {
  let summary = "Integer product of two computed matrices";
  let description = [{
    a (..., M, K) i8, b (..., K, N) i8, or (..., N, K) with `transB`; leading axes
    broadcast as in numpy:

        result[..., m, n] = offset + sum over k of
            (a[..., m, k] - a_zero_point) * (b[..., k, n] - b_zero_point)

    in 32 bits, wrapping. Weights of graph.gemm_integer are constants, from which
    the zero points of both operands are gone before a run; here nothing is known
    of either operand, so that the operator has them.

    ```mlir
    %acc = graph.matmul_integer %q, %k {a_zero_point = 3 : i8,
        b_zero_point = -5 : i8, transB = true}
        : (tensor<1x12x128x64xi8>, tensor<1x12x128x64xi8>)
        -> tensor<1x12x128x128xi32>
    ```
  }];
  let arguments = (ins Graph_I8Tensor:$a, Graph_I8Tensor:$b,
                       DefaultValuedAttr<I8Attr, "0">:$a_zero_point,
                       DefaultValuedAttr<I8Attr, "0">:$b_zero_point,
                       DefaultValuedAttr<I32Attr, "0">:$offset,
                       DefaultValuedAttr<BoolAttr, "false">:$transB);
  let results = (outs Graph_I32Tensor:$result);
}

def Graph_WeightedSumOp : Graph_IntegerOp<"weighted_sum"> {
  let summary = "Sum of i8 tensors, each multiplied";
  let description = [{
        result = bias + sum over i of inputs[i] * multipliers[i]

    in 32 bits, wrapping; shapes broadcast as in numpy. Followed by
    graph.requantize this adds, subtracts or rescales quantized tensors. The
    zero points of the operands, and what rounding needs, are part of `bias`.

    A multiplier is 15 bits and a sign, shifted left at will: m * 2^k with
    |m| < 2^15, so that a 16-bit immediate multiplies and a shift does the rest.
    Legalization prefers those of 8 bits, which a matrix unit multiplies with.

    ```mlir
    %acc = graph.weighted_sum %a, %b {bias = 700 : i32,
        multipliers = array<i32: 113, 59>}
        : (tensor<1x16x8x8xi8>, tensor<1x16x8x8xi8>) -> tensor<1x16x8x8xi32>
    ```
  }];
  let arguments = (ins Variadic<Graph_I8Tensor>:$inputs,
                       DenseI32ArrayAttr:$multipliers,
                       DefaultValuedAttr<I32Attr, "0">:$bias);
  let results = (outs Graph_I32Tensor:$result);
}

def Graph_MulIntegerOp : Graph_IntegerOp<"mul_integer"> {
  let summary = "Product of two i8 tensors, each moved by an offset";
  let description = [{
        result = (lhs + lhs_offset) * (rhs + rhs_offset) + offset

    in 32 bits, wrapping; shapes broadcast as in numpy. Followed by
    graph.requantize this multiplies quantized tensors.

    ```mlir
    %acc = graph.mul_integer %x, %gate {lhs_offset = 3 : i32,
        rhs_offset = 128 : i32, offset = 64 : i32}
        : (tensor<1x16x8x8xi8>, tensor<1x16x1x1xi8>) -> tensor<1x16x8x8xi32>
    ```
  }];
  let arguments = (ins Graph_I8Tensor:$lhs, Graph_I8Tensor:$rhs,
                       DefaultValuedAttr<I32Attr, "0">:$lhs_offset,
                       DefaultValuedAttr<I32Attr, "0">:$rhs_offset,
                       DefaultValuedAttr<I32Attr, "0">:$offset);
  let results = (outs Graph_I32Tensor:$result);
}

def Graph_ScaleIntegerOp : Graph_IntegerOp<"scale_integer"> {
  let summary = "Accumulators times numbers that depend on the position";
  let description = [{
        result = offset + input * factors[0] * factors[1]...

    in 32 bits, wrapping. A factor has as many axes as the input, and along
    each of them the input's size or one. Between the sums of windows and
    graph.requantize this makes means of windows that differ in size: the factor
    of a position is a common multiple of all sizes, divided by its own.

    ```mlir
    %acc = graph.scale_integer %sum, %rows, %columns {offset = 700 : i32}
        : (tensor<1x16x8x8xi32>, tensor<1x1x8x1xi32>, tensor<1x1x1x8xi32>)
        -> tensor<1x16x8x8xi32>
    ```
  }];
  let arguments = (ins Graph_I32Tensor:$input, Variadic<Graph_I32Tensor>:$factors,
                       DefaultValuedAttr<I32Attr, "0">:$offset);
  let results = (outs Graph_I32Tensor:$result);
}

def Graph_GlobalSumIntegerOp : Graph_IntegerOp<"global_sum_integer"> {
  let summary = "Sum over all spatial axes, which become 1";
  let description = [{
    input (N, C, D1...):

        result[n, c, 0...] = offset + sum over d... of input[n, c, d...]

    in 32 bits, wrapping. Followed by graph.requantize this is a global average
    pool, whose division is part of the multiplier.

    ```mlir
    %acc = graph.global_sum_integer %x {offset = 384 : i32}
        : (tensor<1x512x7x7xi8>) -> tensor<1x512x1x1xi32>
    ```
  }];
  let arguments = (ins Graph_I8Tensor:$input,
                       DefaultValuedAttr<I32Attr, "0">:$offset);
  let results = (outs Graph_I32Tensor:$result);
}

def Graph_GlobalMeanIntegerOp : Graph_IntegerOp<"global_mean_integer"> {
  let summary = "Global average pool of any number of elements";
  let description = [{
    input (N, C, D1...): what graph.global_sum_integer and graph.requantize
    compute together with the parameters that graph-legalize-quantization
    chooses for this number of elements, D1 * ..., where that is only known at
    run time or the sum may exceed 32 bits. Scales, zero points and bounds are
    those of the quantized tensors; the result is clamped to `lo` and `hi`.
    With `ties_up` the pass was told to let ties go up.

    ```mlir
    %y = graph.global_mean_integer %x {hi = 127 : i32, input_hi = 127 : i32,
        input_lo = -128 : i32, input_scale = 2.000000e-02 : f64,
        input_zero_point = 3 : i32, lo = -128 : i32,
        scale = 1.000000e-02 : f64, zero_point = -4 : i32}
        : (tensor<1x512x?x?xi8>) -> tensor<1x512x1x1xi8>
    ```
  }];
  let arguments = (ins Graph_I8Tensor:$input, F64Attr:$input_scale,
                       I32Attr:$input_zero_point, I32Attr:$input_lo,
                       I32Attr:$input_hi, F64Attr:$scale, I32Attr:$zero_point,
                       I32Attr:$lo, I32Attr:$hi,
                       DefaultValuedAttr<BoolAttr, "false">:$ties_up);
  let results = (outs Graph_I8Tensor:$result);
  let hasVerifier = 1;
}

def Graph_RoundingAttr
    : I32EnumAttr<"Rounding", "what becomes of one half", [
        I32EnumAttrCase<"HalfUp", 0, "half_up">,
        I32EnumAttrCase<"HalfEven", 1, "half_even">,
        I32EnumAttrCase<"Down", 2, "down">]> {
  let cppNamespace = "::acc::graph";
  let genSpecializedAttr = 0;
}
def Graph_Rounding : EnumAttr<Graph_Dialect, Graph_RoundingAttr, "rounding"> {
  let assemblyFormat = "`<` $value `>`";
}

def Graph_RequantizeOp : Graph_IntegerOp<"requantize"> {
  let summary = "From accumulators to i8: clip, scale in fixed point, round";
  let description = [{
    Element by element, in 32-bit arithmetic that wraps. `clip_lo`, `clip_hi`,
    `pre_shift`, `multiplier` and, but for half_up, `post_shift` hold one value,
    or one per channel (axis 1); `>>` is arithmetic.

        a = acc
        a = max(a, clip_lo); a = min(a, clip_hi)      each where present
        a = a >> pre_shift                            left by -pre_shift if negative
        p = a * multiplier

    then, with s = post_shift, for rounding half_up

        y = p + zero_point                                     if s == 0
        y = ((p >> (s - 1)) + 2 * zero_point + 1) >> 1         otherwise

    for down, where the accumulator holds half an output step and the zero point
    as a rule,

        y = (p >> s) + zero_point

    and for half_even (s > 0), where `t` must hold half a unit of the result,
    1 << (s - 1), more than what is rounded, by way of the accumulator or of
    `addend`,

        t = (p + addend) >> mid_shift
        y = ((t - ((t >> s) & 1)) >> s) + zero_point

    (a tie is a `t` whose low s bits are 0; taking 1 away moves it, and nothing
    else, to the number below, where that is the even one),

    finally

        y = max(y, out_lo); y = min(y, out_hi)        each where present
        result = the low 8 bits of y

    `bits`, where it is there, says that y fits as many, and not only 8: the
    result is of a tensor of the model with narrower integers.

    Legalization chooses the bounds such that the result saturates outside of
    them, p does not wrap, and y fits 8 bits; a ReLU or a clip is a narrower pair
    of bounds. A multiplier that is the same for all channels is below 2^15, so
    that it is an immediate of the accelerator.

    ```mlir
    %y = graph.requantize %acc {clip_hi = array<i32: 91220>,
        clip_lo = array<i32: -91577>, multiplier = array<i32: 23437>,
        post_shift = array<i32: 21>, pre_shift = array<i32: 2>,
        zero_point = 3 : i32} : (tensor<1x16x8x8xi32>) -> tensor<1x16x8x8xi8>
    ```
  }];
  let arguments = (ins Graph_I32Tensor:$input,
                       OptionalAttr<DenseI32ArrayAttr>:$clip_lo,
                       OptionalAttr<DenseI32ArrayAttr>:$clip_hi,
                       DenseI32ArrayAttr:$pre_shift,
                       DenseI32ArrayAttr:$multiplier,
                       DefaultValuedAttr<I32Attr, "0">:$addend,
                       DefaultValuedAttr<I32Attr, "0">:$mid_shift,
                       DenseI32ArrayAttr:$post_shift,
                       DefaultValuedAttr<I32Attr, "0">:$zero_point,
                       DefaultValuedAttr<Graph_Rounding,
                                         "::acc::graph::Rounding::HalfUp">:$rounding,
                       OptionalAttr<I32Attr>:$out_lo,
                       OptionalAttr<I32Attr>:$out_hi,
                       OptionalAttr<I32Attr>:$bits);
  let results = (outs Graph_I8Tensor:$result);
  let hasVerifier = 1;
}

def Graph_LookupOp : Graph_IntegerOp<"lookup"> {
  let summary = "Every element by a table of 256 entries";
  let description = [{
    input (D0, D1...) i8, table (1, 256) i8, or (D1, 256) with a table for each
    channel (axis 1):

        result[d...] = table[0 or d1, input[d...] + 128]

    This is what any chain of element-wise operators on one quantized tensor is
    between quantized tensors. graph-legalize-quantization makes the table of
    the chain itself, applied to a constant of all 256 integers, and the compiler
    computes it with native code; so the results are those of the chain.
    `input_scale` and `input_zero_point` say which real numbers the integers of
    the input are, for who looks for another way to compute the table.

    ```mlir
    %y = graph.lookup %x, %table
        : (tensor<1x16x8x8xi8>, tensor<1x256xi8>) -> tensor<1x16x8x8xi8>
    ```
  }];
  let arguments = (ins Graph_I8Tensor:$input, Graph_I8Tensor:$table,
                       OptionalAttr<F64Attr>:$input_scale,
                       OptionalAttr<I32Attr>:$input_zero_point);
  let results = (outs Graph_I8Tensor:$result);
}

def Graph_BytesTensor
    : RankedTensorOf<[I<2>, UI<2>, I<4>, UI<4>, I8, UI8]>;

def Graph_RebaseOp : Graph_TypedOp<"rebase"> {
  let summary = "Integers of at most 8 bits to int8, or back";
  let description = [{
    Integer operators know only i8. Other tensors become i8 where they enter the
    integer graph, unsigned ones with a zero point that is half of what they can
    be less: uint8 by subtracting 128, uint4 by subtracting 8. They come back
    where they leave it; every element must fit then.

    ```mlir
    %y = graph.rebase %x : (tensor<1x8xui8>) -> tensor<1x8xi8>
    ```
  }];
  let arguments = (ins Graph_BytesTensor:$input);
  let results = (outs Graph_BytesTensor:$result);
  let extraClassDeclaration = [{
    /// What is added to every element.
    int64_t getOffset();
  }];
  let hasFolder = 1;
}

#endif // ACC_DIALECTS_GRAPH_GRAPHINTEGER_TD
