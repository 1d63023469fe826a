//===- GraphIndexing.td - Elements chosen by indices -------*- tablegen -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Negative indices count from the end. An index that does not exist is a
// mistake of whoever runs the model: reads then take the nearest element and
// writes do not happen, so that no memory outside of the tensor is touched.
//
//===----------------------------------------------------------------------===//

#ifndef ACC_DIALECTS_GRAPH_GRAPHINDEXING_TD
#define ACC_DIALECTS_GRAPH_GRAPHINDEXING_TD

include "dialects/Graph/GraphBase.td"

def Graph_IndexTensor : RankedTensorOf<[I32, I64]>;

def Graph_GatherOp : Graph_ShapedOp<"gather"> {
  let summary = "Slices of one axis, by number";
  let description = [{
    The axis is replaced by the axes of `indices`:
    result[p..., i..., q...] = data[p..., indices[i...], q...].
  }];
  let arguments = (ins Graph_AnyTensor:$data, Graph_IndexTensor:$indices,
                       I64Attr:$axis);
  let results = (outs Graph_AnyTensor:$result);
  let hasFolder = 1;
  let hasCanonicalizer = 1;
}

def Graph_GatherElementsOp : Graph_ShapedOp<"gather_elements"> {
  let summary = "result[i, j, ...] = data[indices[i, j, ...], j, ...] (axis 0)";
  let arguments = (ins Graph_AnyTensor:$data, Graph_IndexTensor:$indices,
                       I64Attr:$axis);
  let results = (outs Graph_AnyTensor:$result);
}

def Graph_GatherNDOp : Graph_ShapedOp<"gather_nd"> {
  let summary = "Slices by tuples of indices";
  let description = [{
    The last axis of `indices` holds tuples that index the axes of `data` after
    the first `batch_dims`, which both tensors share:
    result[b..., i..., q...] = data[b..., indices[b..., i...]..., q...].
  }];
  let arguments = (ins Graph_AnyTensor:$data, Graph_IndexTensor:$indices,
                       DefaultValuedAttr<I64Attr, "0">:$batch_dims);
  let results = (outs Graph_AnyTensor:$result);
}

def Graph_ScatterReductionAttr
    : I32EnumAttr<"ScatterReduction", "how an update meets what is there", [
        I32EnumAttrCase<"None", 0, "none">,
        I32EnumAttrCase<"Add", 1, "add">,
        I32EnumAttrCase<"Mul", 2, "mul">,
        I32EnumAttrCase<"Max", 3, "max">,
        I32EnumAttrCase<"Min", 4, "min">]> {
  let cppNamespace = "::acc::graph";
  let genSpecializedAttr = 0;
}
def Graph_ScatterReduction
    : EnumAttr<Graph_Dialect, Graph_ScatterReductionAttr, "scatter_reduction"> {
  let assemblyFormat = "`<` $value `>`";
}

class Graph_ScatterOp<string mnemonic> : Graph_ShapedOp<mnemonic> {
  let results = (outs Graph_AnyTensor:$result);
  let hasFolder = 1;
}

def Graph_ScatterElementsOp : Graph_ScatterOp<"scatter_elements"> {
  let summary = "result[indices[i, j, ...], j, ...] = updates[i, j, ...] (axis 0)";
  let description = "Updates happen in row-major order on a copy of `data`.";
  let arguments = (ins Graph_AnyTensor:$data, Graph_IndexTensor:$indices,
                       Graph_AnyTensor:$updates, I64Attr:$axis,
                       DefaultValuedAttr<Graph_ScatterReduction,
                                         "ScatterReduction::None">:$reduction);
}

def Graph_ScatterNDOp : Graph_ScatterOp<"scatter_nd"> {
  let summary = "Writes slices at tuples of indices";
  let description = [{
    The last axis of `indices` holds tuples that index the first axes of `data`:
    result[indices[i...]..., q...] = updates[i..., q...], in row-major order on
    a copy of `data`.
  }];
  let arguments = (ins Graph_AnyTensor:$data, Graph_IndexTensor:$indices,
                       Graph_AnyTensor:$updates,
                       DefaultValuedAttr<Graph_ScatterReduction,
                                         "ScatterReduction::None">:$reduction);
}

def Graph_TensorScatterOp : Graph_ScatterOp<"tensor_scatter"> {
  let summary = "Writes an update into a cache, for each batch at its position";
  let description = [{
    result[b, ..., start[b] + i, ...] = update[b, ..., i, ...] along `axis` on a
    copy of `data`; positions wrap around if `circular`.
  }];
  let arguments = (ins Graph_AnyTensor:$data, Graph_AnyTensor:$update,
                       Optional<Graph_IndexTensor>:$start, I64Attr:$axis,
                       DefaultValuedAttr<BoolAttr, "false">:$circular);
}

def Graph_OneHotOp : Graph_ShapedOp<"one_hot"> {
  let summary = "A new axis that is on at one index and off elsewhere";
  let description = [{
    `values` holds off and on. Indices count from the end where negative; an
    index that does not exist is off everywhere. The new axis has `depth`
    elements, given by the index operand if kDynamic.
  }];
  let arguments = (ins Graph_IndexTensor:$indices, Graph_AnyTensor:$values,
                       Variadic<Index>:$dynamics, I64Attr:$depth,
                       I64Attr:$axis);
  let results = (outs Graph_AnyTensor:$result);
}

def Graph_ReverseSequenceOp : Graph_ShapedOp<"reverse_sequence"> {
  let summary = "Reverses the first elements of every sequence of a batch";
  let description = [{
    Sequence b of axis `batch_axis` has its first lengths[b] elements along
    `time_axis` reversed.
  }];
  let arguments = (ins Graph_AnyTensor:$input, Graph_IndexTensor:$lengths,
                       I64Attr:$batch_axis, I64Attr:$time_axis);
  let results = (outs Graph_AnyTensor:$result);
}

#endif // ACC_DIALECTS_GRAPH_GRAPHINDEXING_TD
