//===- GraphElementwise.td - Element-wise operators --------*- tablegen -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One line per operator. What it computes is one row of the tables in
// passes/Graph/ToLinalgElementwise.cpp and ToLinalgFunctions.cpp.
//
//===----------------------------------------------------------------------===//

#ifndef ACC_DIALECTS_GRAPH_GRAPHELEMENTWISE_TD
#define ACC_DIALECTS_GRAPH_GRAPHELEMENTWISE_TD

include "dialects/Graph/GraphBase.td"

//===----------------------------------------------------------------------===//
// Shapes of declaration
//===----------------------------------------------------------------------===//

class Graph_UnaryOp<string mnemonic, string what,
                    Type tensor = Graph_FloatTensor,
                    dag attributes = (ins)>
    : Graph_ShapePreservingOp<mnemonic> {
  let summary = what;
  let arguments = !con((ins tensor:$input), attributes);
  let results = (outs tensor:$result);
}

// `alike` are the operands that must have one element type, the result's unless
// `element` is given.
class Graph_BroadcastOp<string mnemonic, string what, dag operands,
                        Type result, list<Trait> traits = [],
                        code element = "{}", code alike = "operands">
    : Graph_ShapedOp<mnemonic, traits> {
  let summary = what # ", element by element, with broadcasting";
  let description = "Shapes broadcast as in numpy.";
  let arguments = operands;
  let results = (outs result:$result);
  let shapeInference = [{
    ::llvm::LogicalResult $cppClass::inferResultShapes(
        ::acc::graph::ShapeContext &c, Adaptor adaptor,
        ::llvm::SmallVectorImpl<::acc::graph::TensorShape> &results) {
      ::mlir::ValueRange operands = adaptor.getOperands();
      return inferElementwise(c, operands, }] # alike # ", " # element # [{,
                              results);
    }
  }];
}

class Graph_BinaryOp<string mnemonic, string what, list<Trait> traits = [],
                     Type tensor = Graph_NumberTensor,
                     dag attributes = (ins)>
    : Graph_BroadcastOp<mnemonic, what,
                        !con((ins tensor:$lhs, tensor:$rhs), attributes),
                        tensor, traits>;

class Graph_ComparisonOp<string mnemonic, string what,
                         Type tensor = Graph_NumberTensor,
                         list<Trait> traits = []>
    : Graph_BroadcastOp<mnemonic, what, (ins tensor:$lhs, tensor:$rhs),
                        Graph_BoolTensor, traits,
                        "::mlir::IntegerType::get(c.getContext(), 1)">;

class Graph_VariadicOp<string mnemonic, string what,
                       Type tensor = Graph_NumberTensor>
    : Graph_BroadcastOp<mnemonic, what # " of any number of tensors",
                        (ins Variadic<tensor>:$inputs), tensor> {
  let hasFolder = 1;
}

class Graph_Alpha<string value> : DefaultValuedAttr<F32Attr, value>;

//===----------------------------------------------------------------------===//
// Arithmetic
//===----------------------------------------------------------------------===//

let hasFolder = 1 in {
def Graph_AddOp : Graph_BinaryOp<"add", "Sum of two tensors", [Commutative]>;
def Graph_SubOp : Graph_BinaryOp<"sub", "Difference of two tensors">;
def Graph_MulOp : Graph_BinaryOp<"mul", "Product of two tensors", [Commutative]>;
// Integers are divided toward zero; x / 0 is 0, and the least integer divided by
// -1 is itself.
def Graph_DivOp : Graph_BinaryOp<"div", "Quotient of two tensors">;
}

def Graph_ModOp : Graph_BinaryOp<"mod", "Remainder", [], Graph_NumberTensor,
    (ins DefaultValuedAttr<BoolAttr, "false">:$fmod)> {
  let description = [{
    With the sign of the divisor, as in Python, or with `fmod` that of the
    dividend, as in C. Integers modulo 0 are 0.
  }];
}

def Graph_PowOp : Graph_BroadcastOp<"pow", "Power",
    (ins Graph_NumberTensor:$base, Graph_NumberTensor:$exponent),
    Graph_NumberTensor, [], "{}", "operands.take_front(1)"> {
  let description = [{
    The result has the base's element type; the exponent may have another one.
    Integers to a negative power are truncated, which leaves something of 1 and
    -1 only.
  }];
  let hasCanonicalizeMethod = 1;
}

def Graph_SumOp : Graph_VariadicOp<"sum", "Sum"> {
  let hasCanonicalizeMethod = 1;
}
def Graph_MeanOp : Graph_VariadicOp<"mean", "Mean", Graph_FloatTensor>;
// NaN if any element is NaN.
def Graph_MaxOp : Graph_VariadicOp<"max", "Maximum">;
def Graph_MinOp : Graph_VariadicOp<"min", "Minimum">;

def Graph_AbsOp : Graph_UnaryOp<"abs", "|x|", Graph_NumberTensor>;
def Graph_NegOp : Graph_UnaryOp<"neg", "-x", Graph_NumberTensor> {
  let hasFolder = 1;
}
def Graph_SignOp : Graph_UnaryOp<"sign", "-1, 0 or 1", Graph_NumberTensor>;
def Graph_FloorOp : Graph_UnaryOp<"floor", "x rounded down">;
def Graph_CeilOp : Graph_UnaryOp<"ceil", "x rounded up">;
def Graph_RoundOp : Graph_UnaryOp<"round", "x rounded to nearest, half to even">;
def Graph_SqrtOp : Graph_UnaryOp<"sqrt", "Square root">;
def Graph_ReciprocalOp : Graph_UnaryOp<"reciprocal", "1 / x">;

//===----------------------------------------------------------------------===//
// Mathematical functions
//===----------------------------------------------------------------------===//

def Graph_ExpOp : Graph_UnaryOp<"exp", "e^x">;
def Graph_LogOp : Graph_UnaryOp<"log", "Natural logarithm">;
def Graph_SinOp : Graph_UnaryOp<"sin", "Sine">;
def Graph_CosOp : Graph_UnaryOp<"cos", "Cosine">;
def Graph_TanOp : Graph_UnaryOp<"tan", "Tangent">;
def Graph_AsinOp : Graph_UnaryOp<"asin", "Inverse sine">;
def Graph_AcosOp : Graph_UnaryOp<"acos", "Inverse cosine">;
def Graph_AtanOp : Graph_UnaryOp<"atan", "Inverse tangent">;
def Graph_SinhOp : Graph_UnaryOp<"sinh", "Hyperbolic sine">;
def Graph_CoshOp : Graph_UnaryOp<"cosh", "Hyperbolic cosine">;
def Graph_TanhOp : Graph_UnaryOp<"tanh", "Hyperbolic tangent">;
def Graph_AsinhOp : Graph_UnaryOp<"asinh", "Inverse hyperbolic sine">;
def Graph_AcoshOp : Graph_UnaryOp<"acosh", "Inverse hyperbolic cosine">;
def Graph_AtanhOp : Graph_UnaryOp<"atanh", "Inverse hyperbolic tangent">;
def Graph_ErfOp : Graph_UnaryOp<"erf", "Error function", Graph_NumberTensor>;

//===----------------------------------------------------------------------===//
// Activations
//===----------------------------------------------------------------------===//

def Graph_ReluOp : Graph_UnaryOp<"relu", "max(x, 0)", Graph_NumberTensor> {
  let hasFolder = 1;
}
def Graph_SigmoidOp : Graph_UnaryOp<"sigmoid", "1 / (1 + e^-x)">;
def Graph_HardSigmoidOp
    : Graph_UnaryOp<"hard_sigmoid", "max(0, min(1, alpha * x + beta))",
                    Graph_FloatTensor,
                    (ins Graph_Alpha<"0.2f">:$alpha, Graph_Alpha<"0.5f">:$beta)>;
def Graph_HardSwishOp
    : Graph_UnaryOp<"hard_swish", "x * max(0, min(1, x / 6 + 0.5))">;
def Graph_EluOp : Graph_UnaryOp<"elu", "x, or alpha * (e^x - 1) where x < 0",
    Graph_FloatTensor, (ins Graph_Alpha<"1.0f">:$alpha)>;
def Graph_CeluOp
    : Graph_UnaryOp<"celu", "max(0, x) + min(0, alpha * (e^(x / alpha) - 1))",
                    Graph_FloatTensor, (ins Graph_Alpha<"1.0f">:$alpha)>;
def Graph_SeluOp
    : Graph_UnaryOp<"selu", "gamma * (x, or alpha * (e^x - 1) where x <= 0)",
                    Graph_FloatTensor,
                    (ins Graph_Alpha<"1.67326319f">:$alpha,
                         Graph_Alpha<"1.05070102f">:$gamma)>;
def Graph_LeakyReluOp
    : Graph_UnaryOp<"leaky_relu", "x, or alpha * x where x < 0",
                    Graph_FloatTensor, (ins Graph_Alpha<"0.01f">:$alpha)>;
def Graph_ThresholdedReluOp
    : Graph_UnaryOp<"thresholded_relu", "x where x > alpha, else 0",
                    Graph_FloatTensor, (ins Graph_Alpha<"1.0f">:$alpha)>;
def Graph_PReluOp
    : Graph_BinaryOp<"p_relu", "lhs, or lhs * rhs where lhs < 0">;
def Graph_SoftplusOp : Graph_UnaryOp<"softplus", "log(1 + e^x)">;
def Graph_SoftsignOp : Graph_UnaryOp<"softsign", "x / (1 + |x|)">;
def Graph_MishOp : Graph_UnaryOp<"mish", "x * tanh(log(1 + e^x))">;
def Graph_GeluOp
    : Graph_UnaryOp<"gelu", "0.5 * x * (1 + erf(x / sqrt(2)))",
                    Graph_FloatTensor,
                    (ins DefaultValuedAttr<BoolAttr, "false">:$tanh)> {
  let description = [{
    With `tanh`: 0.5 * x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3))).
  }];
}
def Graph_SwishOp : Graph_UnaryOp<"swish", "x / (1 + e^(-alpha * x))",
    Graph_FloatTensor, (ins Graph_Alpha<"1.0f">:$alpha)>;
def Graph_ShrinkOp
    : Graph_UnaryOp<"shrink", "x + bias, 0 or x - bias, by x and lambd",
                    Graph_NumberTensor,
                    (ins Graph_Alpha<"0.0f">:$bias, Graph_Alpha<"0.5f">:$lambd)>;

def Graph_ClipOp : Graph_UnaryOp<"clip", "min(max(x, min), max)",
    Graph_NumberTensor,
    (ins OptionalAttr<F64Attr>:$min, OptionalAttr<F64Attr>:$max)> {
  let description = [{
    A missing bound does not limit. Bounds are doubles so that they hold every
    bound of every element type up to 32 bits exactly.

    ```mlir
    %y = graph.clip %x {max = 6.0 : f64, min = 0.0 : f64}
        : (tensor<1x8xf32>) -> tensor<1x8xf32>
    ```
  }];
  let hasFolder = 1;
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Logic
//===----------------------------------------------------------------------===//

def Graph_AndOp
    : Graph_BinaryOp<"and", "Both", [Commutative], Graph_BoolTensor>;
def Graph_OrOp : Graph_BinaryOp<"or", "Either", [Commutative], Graph_BoolTensor>;
def Graph_XorOp
    : Graph_BinaryOp<"xor", "Exactly one", [Commutative], Graph_BoolTensor>;
def Graph_NotOp : Graph_UnaryOp<"not", "The opposite", Graph_BoolTensor> {
  let hasFolder = 1;
}

def Graph_BitwiseAndOp
    : Graph_BinaryOp<"bitwise_and", "x & y", [Commutative], Graph_IntegerTensor>;
def Graph_BitwiseOrOp
    : Graph_BinaryOp<"bitwise_or", "x | y", [Commutative], Graph_IntegerTensor>;
def Graph_BitwiseXorOp
    : Graph_BinaryOp<"bitwise_xor", "x ^ y", [Commutative], Graph_IntegerTensor>;
def Graph_BitwiseNotOp
    : Graph_UnaryOp<"bitwise_not", "~x", Graph_IntegerTensor> {
  let hasFolder = 1;
}
// By the number of bits or more: 0 (-1 of what is negative, to the right).
def Graph_BitShiftOp : Graph_BinaryOp<"bit_shift", "x << y or x >> y", [],
    Graph_IntegerTensor, (ins DefaultValuedAttr<BoolAttr, "false">:$right)>;

def Graph_EqualOp
    : Graph_ComparisonOp<"equal", "x == y", Graph_ValueTensor, [Commutative]>;
def Graph_GreaterOp : Graph_ComparisonOp<"greater", "x > y">;
def Graph_GreaterOrEqualOp : Graph_ComparisonOp<"greater_or_equal", "x >= y">;
def Graph_LessOp : Graph_ComparisonOp<"less", "x < y">;
def Graph_LessOrEqualOp : Graph_ComparisonOp<"less_or_equal", "x <= y">;

def Graph_IsNanOp : Graph_BroadcastOp<"is_nan", "Whether x is NaN",
    (ins Graph_AnyFloatTensor:$input), Graph_BoolTensor, [],
    "::mlir::IntegerType::get(c.getContext(), 1)">;
def Graph_IsInfOp : Graph_BroadcastOp<"is_inf", "Whether x is infinite",
    (ins Graph_AnyFloatTensor:$input,
         DefaultValuedAttr<BoolAttr, "true">:$detect_negative,
         DefaultValuedAttr<BoolAttr, "true">:$detect_positive),
    Graph_BoolTensor, [], "::mlir::IntegerType::get(c.getContext(), 1)">;

def Graph_WhereOp : Graph_BroadcastOp<"where", "x where the condition holds, else y",
    (ins Graph_BoolTensor:$condition, Graph_PlainTensor:$x, Graph_PlainTensor:$y),
    Graph_PlainTensor, [], "{}", "operands.drop_front(1)">;

//===----------------------------------------------------------------------===//
// Conversions
//===----------------------------------------------------------------------===//

def Graph_CastOp : Graph_TypedOp<"cast"> {
  let summary = "Converts every element to the result's element type";
  let description = [{
    Float to integer truncates toward zero. ONNX leaves open what becomes of a
    value that does not fit: here it saturates to 32 bits (64 for ui32 and
    wider types), of which the low bits are kept; NaN is 0. To i1: whether the
    value differs from zero. Floats are rounded half to even; f8 values that
    are too large become the largest one if `saturate`, else infinity or NaN.
    `round_mode` ("up", "down", "nearest") is for f8E8M0FNU.
  }];
  let arguments = (ins Graph_PlainTensor:$input,
                       DefaultValuedAttr<BoolAttr, "true">:$saturate,
                       DefaultValuedStrAttr<StrAttr, "up">:$round_mode);
  let results = (outs Graph_PlainTensor:$result);
  let hasFolder = 1;
  let hasCanonicalizeMethod = 1;
}

def Graph_BitCastOp : Graph_TypedOp<"bit_cast"> {
  let summary = "Reads the bits of every element as another type of that width";
  let arguments = (ins Graph_PlainTensor:$input);
  let results = (outs Graph_PlainTensor:$result);
  let hasFolder = 1;
}

#endif // ACC_DIALECTS_GRAPH_GRAPHELEMENTWISE_TD
