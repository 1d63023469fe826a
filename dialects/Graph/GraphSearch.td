//===- GraphSearch.td - What is found by looking at values -*- tablegen -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Where values decide how much is found, the results are flat buffers for all
// that may be found, of which the first elements are the result in row-major
// order, and `count`, how often its unknown axis is long.
//
//===----------------------------------------------------------------------===//

#ifndef ACC_DIALECTS_GRAPH_GRAPHSEARCH_TD
#define ACC_DIALECTS_GRAPH_GRAPHSEARCH_TD

include "dialects/Graph/GraphBase.td"

def Graph_I64Tensor : RankedTensorOf<[I64]>;

def Graph_TopKOp : Graph_ShapedOp<"top_k"> {
  let summary = "The k largest or smallest elements of an axis, and where they are";
  let description = [{
    Sorted, best first; of equal elements the one with the lower index comes
    first. `k` is the index operand if kDynamic.
  }];
  let arguments = (ins Graph_ValueTensor:$input, Variadic<Index>:$dynamics,
                       I64Attr:$k, I64Attr:$axis,
                       DefaultValuedAttr<BoolAttr, "true">:$largest);
  let results = (outs Graph_ValueTensor:$values, Graph_I64Tensor:$indices);
}

def Graph_NonZeroOp : Graph_ShapedOp<"non_zero"> {
  let summary = "The indices of all elements that are not zero";
  let description = "Found is a matrix of shape (rank, count), row by row.";
  let arguments = (ins Graph_ValueTensor:$input);
  let results = (outs Graph_I64Tensor:$found, Graph_I64Tensor:$count);
}

def Graph_CompressOp : Graph_ShapedOp<"compress"> {
  let summary = "The slices of an axis for which a condition holds";
  let description = [{
    Found is the input with `count` instead of all slices of the axis. A
    condition that is too short does not hold for the rest.
  }];
  let arguments = (ins Graph_AnyTensor:$input, RankedTensorOf<[I1]>:$condition,
                       I64Attr:$axis);
  let results = (outs Graph_AnyTensor:$found, Graph_I64Tensor:$count);
}

def Graph_UniqueOp : Graph_ShapedOp<"unique"> {
  let summary = "The different slices of an axis";
  let description = [{
    In rising order (of their elements in row-major order) if `sorted`, otherwise
    in the order of their first appearance. `firsts` holds where each appears
    first, `inverse` which of them every slice is, `counts` how often each
    appears.
  }];
  let arguments = (ins Graph_ValueTensor:$input, I64Attr:$axis,
                       DefaultValuedAttr<BoolAttr, "true">:$sorted);
  let results = (outs Graph_ValueTensor:$found, Graph_I64Tensor:$firsts,
                      Graph_I64Tensor:$inverse, Graph_I64Tensor:$counts,
                      Graph_I64Tensor:$count);
}

def Graph_NonMaxSuppressionOp : Graph_ShapedOp<"non_max_suppression"> {
  let summary = "Boxes with high scores that do not overlap one another much";
  let description = [{
    boxes (batch, n, 4), scores (batch, class, n). Of each class of each batch
    boxes are taken, best score first, whose score is above `score_threshold`
    and whose intersection over union with those already taken is at most
    `iou_threshold`, until there are `max_output` of them; the last three are
    scalars. Boxes are two corners (y, x, y, x) or, with `center_point_box`,
    a center and sizes (x, y, width, height). Found is a matrix of rows (batch,
    class, box).
  }];
  let arguments = (ins Graph_FloatTensor:$boxes, Graph_FloatTensor:$scores,
                       Graph_I64Tensor:$max_output,
                       Graph_FloatTensor:$iou_threshold,
                       Graph_FloatTensor:$score_threshold,
                       DefaultValuedAttr<BoolAttr, "false">:$center_point_box);
  let results = (outs Graph_I64Tensor:$found, Graph_I64Tensor:$count);
}

#endif // ACC_DIALECTS_GRAPH_GRAPHSEARCH_TD
