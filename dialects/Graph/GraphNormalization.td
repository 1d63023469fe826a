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
  let hasVerifier = 1;
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

def Graph_SoftmaxOp : Graph_ShapePreservingOp<"softmax"> {
  let summary = "exp(x) / sum(exp(x)) along one axis";
  let description = [{
    The axis is not negative. The flattening semantics before opset 13 are
    written with graph.reshape.
  }];
  let arguments = (ins Graph_FloatTensor:$input, I64Attr:$axis);
  let results = (outs Graph_FloatTensor:$result);
  let hasVerifier = 1;
}

#endif // ACC_DIALECTS_GRAPH_GRAPHNORMALIZATION_TD
