//===- GraphNormalization.td - Normalizations --------------*- tablegen -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_DIALECTS_GRAPH_GRAPHNORMALIZATION_TD
#define ACC_DIALECTS_GRAPH_GRAPHNORMALIZATION_TD

include "dialects/Graph/GraphBase.td"

def Graph_BatchNormalizationOp
    : Graph_ShapePreservingOp<"batch_normalization"> {
  let summary = "(x - mean) / sqrt(variance + epsilon) * scale + bias";
  let description = "Inference only; all parameters are per channel (axis 1).";
  let arguments = (ins Graph_FloatTensor:$input, Graph_FloatTensor:$scale,
                       Graph_FloatTensor:$bias, Graph_FloatTensor:$mean,
                       Graph_FloatTensor:$variance,
                       DefaultValuedAttr<F32Attr, "1.0e-5f">:$epsilon);
  let results = (outs Graph_FloatTensor:$result);
  let shapeInference = "";
}

def Graph_LrnOp : Graph_ShapePreservingOp<"lrn"> {
  let summary = "Local response normalization across channels";
  let description = [{
    x / (bias + alpha / size * s)^beta, where s is the sum of the squares of the
    channels c - floor((size - 1) / 2) ... c + ceil((size - 1) / 2).
  }];
  let arguments = (ins Graph_FloatTensor:$input,
                       DefaultValuedAttr<F32Attr, "0.0001f">:$alpha,
                       DefaultValuedAttr<F32Attr, "0.75f">:$beta,
                       DefaultValuedAttr<F32Attr, "1.0f">:$bias,
                       I64Attr:$size);
  let results = (outs Graph_FloatTensor:$result);
  let hasVerifier = 1;
}

class Graph_AxisNormalizationOp<string mnemonic, string what>
    : Graph_ShapePreservingOp<mnemonic> {
  let summary = what # " along one axis";
  let description = [{
    The axis is not negative. The flattening semantics before opset 13 are
    written with graph.reshape.
  }];
  let arguments = (ins Graph_FloatTensor:$input, I64Attr:$axis);
  let results = (outs Graph_FloatTensor:$result);
  let hasVerifier = 1;
}

def Graph_SoftmaxOp
    : Graph_AxisNormalizationOp<"softmax", "exp(x) / sum(exp(x))">;
def Graph_LogSoftmaxOp
    : Graph_AxisNormalizationOp<"log_softmax", "x - log(sum(exp(x)))">;
def Graph_HardmaxOp
    : Graph_AxisNormalizationOp<"hardmax", "1 at the first maximum, else 0,">;

def Graph_LpNormalizationOp : Graph_ShapePreservingOp<"lp_normalization"> {
  let summary = "x / norm(x) along one axis, 0 where the norm is 0";
  let description = "`p` is 1 or 2.";
  let arguments = (ins Graph_FloatTensor:$input, I64Attr:$axis,
                       DefaultValuedAttr<I64Attr, "2">:$p);
  let results = (outs Graph_FloatTensor:$result);
  let hasVerifier = 1;
}

def Graph_MeanVarianceNormalizationOp
    : Graph_ShapedOp<"mean_variance_normalization"> {
  let summary = "(x - mean) / sqrt(variance + epsilon) * scale + bias";
  let description = [{
    Mean and variance are those along `axes`, which are counted from the front,
    distinct and in order. `parameters` holds nothing, the scale, or scale and
    bias; they broadcast to the input. ONNX's LayerNormalization,
    InstanceNormalization and GroupNormalization are this on other axes. Mean
    and 1 / sqrt(variance + epsilon) keep the axes with size 1; narrow floats
    have them in f32.

    ```mlir
    %y, %mean, %inverse = graph.mean_variance_normalization %x, %scale
        {axes = array<i64: 1>} : (tensor<4x8xf32>, tensor<8xf32>)
        -> (tensor<4x8xf32>, tensor<4x1xf32>, tensor<4x1xf32>)
    ```
  }];
  let arguments = (ins Graph_FloatTensor:$input,
                       Variadic<Graph_FloatTensor>:$parameters,
                       DenseI64ArrayAttr:$axes,
                       DefaultValuedAttr<F32Attr, "1.0e-5f">:$epsilon);
  let results = (outs Graph_FloatTensor:$result, Graph_FloatTensor:$mean,
                      Graph_FloatTensor:$inv_std_dev);
}

def Graph_RmsNormalizationOp : Graph_ShapedOp<"rms_normalization"> {
  let summary = "x / sqrt(mean(x * x) + epsilon) * scale";
  let description = [{
    The mean is that along `axes`; `parameters` holds nothing or the scale,
    which broadcasts to the input.
  }];
  let arguments = (ins Graph_FloatTensor:$input,
                       Variadic<Graph_FloatTensor>:$parameters,
                       DenseI64ArrayAttr:$axes,
                       DefaultValuedAttr<F32Attr, "1.0e-5f">:$epsilon);
  let results = (outs Graph_FloatTensor:$result);
}

#endif // ACC_DIALECTS_GRAPH_GRAPHNORMALIZATION_TD
