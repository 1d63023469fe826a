//===- GraphMovement.td - Operators that only move data ----*- tablegen -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_DIALECTS_GRAPH_GRAPHMOVEMENT_TD
#define ACC_DIALECTS_GRAPH_GRAPHMOVEMENT_TD

include "dialects/Graph/GraphBase.td"

def Graph_FlattenOp : Graph_ShapedOp<"flatten", [Graph_IsFree]> {
  let summary = "Merges the axes before `axis` into one and the rest into another";
  let arguments = (ins Graph_AnyTensor:$input, I64Attr:$axis);
  let results = (outs Graph_AnyTensor:$result);
  let hasFolder = 1;
  let hasCanonicalizer = 1;
}

def Graph_ReshapeOp : Graph_TypedOp<"reshape", [Graph_IsFree]> {
  let summary = "The same elements in row-major order under another shape";
  let description = [{
    The shape is the result's, with one of `sizes` for every `?` in it; ONNX's 0
    and -1 are resolved.

    ```mlir
    %y = graph.reshape %x, %n : (tensor<?x12xf32>, index) -> tensor<?x3x4xf32>
    ```
  }];
  let arguments = (ins Graph_AnyTensor:$input, Variadic<Index>:$sizes);
  let results = (outs Graph_AnyTensor:$result);
  let builders = [
    OpBuilder<(ins "::mlir::Type":$result, "::mlir::Value":$input), [{
      build($_builder, $_state, result, input, ::mlir::ValueRange());
    }]>];
  let hasFolder = 1;
  let hasCanonicalizer = 1;
}

def Graph_TransposeOp : Graph_ShapedOp<"transpose"> {
  let summary = "Permutes axes: result axis i is input axis perm[i]";
  let arguments = (ins Graph_AnyTensor:$input, DenseI64ArrayAttr:$perm);
  let results = (outs Graph_AnyTensor:$result);
  let hasFolder = 1;
  let hasCanonicalizer = 1;
}

def Graph_ConcatOp : Graph_ShapedOp<"concat"> {
  let summary = "Tensors one after the other along one axis";
  let arguments = (ins Variadic<Graph_AnyTensor>:$inputs, I64Attr:$axis);
  let results = (outs Graph_AnyTensor:$result);
  let hasFolder = 1;
}

def Graph_PadModeAttr
    : I32EnumAttr<"PadMode", "what padded elements hold", [
        I32EnumAttrCase<"Constant", 0, "constant">,
        I32EnumAttrCase<"Reflect", 1, "reflect">,
        I32EnumAttrCase<"Edge", 2, "edge">,
        I32EnumAttrCase<"Wrap", 3, "wrap">]> {
  let cppNamespace = "::acc::graph";
  let genSpecializedAttr = 0;
}
def Graph_PadMode : EnumAttr<Graph_Dialect, Graph_PadModeAttr, "pad_mode"> {
  let assemblyFormat = "`<` $value `>`";
}

def Graph_PadOp : Graph_ShapedOp<"pad"> {
  let summary = "Grows (or, where negative, crops) every axis";
  let description = [{
    `pads` holds the begin paddings of all axes, then the end paddings.
    `constant_value` is what mode constant pads with; for a quantized tensor it
    is a storage integer.
  }];
  let arguments = (ins Graph_AnyTensor:$input, DenseI64ArrayAttr:$pads,
                       DefaultValuedAttr<Graph_PadMode, "PadMode::Constant">:$mode,
                       DefaultValuedAttr<F64Attr, "0.0">:$constant_value);
  let results = (outs Graph_AnyTensor:$result);
  let hasFolder = 1;
}

def Graph_SqueezeOp : Graph_ShapedOp<"squeeze", [Graph_IsFree]> {
  let summary = "Drops axes of size 1";
  let description = [{
    With `all`, `axes` are meant to be all axes of size 1: a run is refused in
    which another axis, of a size that only a run knows, has size 1 too.
  }];
  let arguments = (ins Graph_AnyTensor:$input, DenseI64ArrayAttr:$axes,
                       DefaultValuedAttr<BoolAttr, "false">:$all);
  let results = (outs Graph_AnyTensor:$result);
  let hasFolder = 1;
  let hasCanonicalizer = 1;
}

def Graph_UnsqueezeOp : Graph_ShapedOp<"unsqueeze", [Graph_IsFree]> {
  let summary = "Adds axes of size 1, at `axes` of the result";
  let arguments = (ins Graph_AnyTensor:$input, DenseI64ArrayAttr:$axes);
  let results = (outs Graph_AnyTensor:$result);
  let hasFolder = 1;
  let hasCanonicalizer = 1;
}

def Graph_IndexTensorOp : Graph_ShapedOp<"index_tensor"> {
  let summary = "A vector of numbers, some of which a run computes from sizes";
  let description = [{
    `values` holds the numbers, with ShapedType::kDynamic in place of those that
    are operands, in order.

    ```mlir
    %t = graph.index_tensor %n {values = array<i64: 1, -9223372036854775808>}
        : (index) -> tensor<2xi64>
    ```
  }];
  let arguments = (ins Variadic<Index>:$dynamics, DenseI64ArrayAttr:$values);
  let results = (outs Graph_NumberTensor:$result);
}

#endif // ACC_DIALECTS_GRAPH_GRAPHMOVEMENT_TD
