//===- GraphReduction.td - Reductions and scans ------------- -*- tablegen -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_DIALECTS_GRAPH_GRAPHREDUCTION_TD
#define ACC_DIALECTS_GRAPH_GRAPHREDUCTION_TD

include "dialects/Graph/GraphBase.td"

class Graph_ReduceOp<string mnemonic, string what,
                     Type operand = Graph_ValueTensor>
    : Graph_ShapedOp<mnemonic> {
  let summary = what # " over axes";
  let description = [{
    `axes` are counted from the front, distinct and in order; no axes leave
    the shape alone. Reduced axes have size 1 with `keepdims`, else they are
    gone. Over no elements the result is the neutral element of the operator.
  }];
  let arguments = (ins operand:$input, DenseI64ArrayAttr:$axes,
                       DefaultValuedAttr<BoolAttr, "true">:$keepdims);
  let results = (outs operand:$result);
  let shapeInference = [{
    ::llvm::LogicalResult $cppClass::inferResultShapes(
        ShapeContext &c, Adaptor adaptor,
        ::llvm::SmallVectorImpl<TensorShape> &results) {
      return inferReduction(c, adaptor.getInput(), adaptor.getAxes(), adaptor.getKeepdims(),
                            results);
    }
  }];
}

def Graph_ReduceSumOp : Graph_ReduceOp<"reduce_sum", "Sum">;
def Graph_ReduceMeanOp : Graph_ReduceOp<"reduce_mean", "Mean"> {
  let hasCanonicalizer = 1;
}
def Graph_ReduceMaxOp : Graph_ReduceOp<"reduce_max", "Maximum">;
def Graph_ReduceMinOp : Graph_ReduceOp<"reduce_min", "Minimum">;
def Graph_ReduceProdOp : Graph_ReduceOp<"reduce_prod", "Product">;
def Graph_ReduceL1Op : Graph_ReduceOp<"reduce_l1", "Sum of magnitudes">;
def Graph_ReduceL2Op
    : Graph_ReduceOp<"reduce_l2", "Square root of the sum of squares">;
def Graph_ReduceLogSumOp
    : Graph_ReduceOp<"reduce_log_sum", "Logarithm of the sum">;
def Graph_ReduceLogSumExpOp
    : Graph_ReduceOp<"reduce_log_sum_exp",
                     "Logarithm of the sum of exponentials">;
def Graph_ReduceSumSquareOp
    : Graph_ReduceOp<"reduce_sum_square", "Sum of squares">;

class Graph_ArgOp<string mnemonic, string what> : Graph_ShapedOp<mnemonic> {
  let summary = "Index of the " # what # " along one axis";
  let description = [{
    The first one, or the last one with `select_last_index`. A NaN wins over
    every number.
  }];
  let arguments = (ins Graph_ValueTensor:$input, I64Attr:$axis,
                       DefaultValuedAttr<BoolAttr, "true">:$keepdims,
                       DefaultValuedAttr<BoolAttr, "false">:$select_last_index);
  let results = (outs Graph_IntegerTensor:$result);
  let shapeInference = [{
    ::llvm::LogicalResult $cppClass::inferResultShapes(
        ShapeContext &c, Adaptor adaptor,
        ::llvm::SmallVectorImpl<TensorShape> &results) {
      return inferArg(c, adaptor.getInput(), adaptor.getAxis(), adaptor.getKeepdims(),
                      results);
    }
  }];
}

def Graph_ArgMaxOp : Graph_ArgOp<"arg_max", "maximum">;
def Graph_ArgMinOp : Graph_ArgOp<"arg_min", "minimum">;

class Graph_ScanOp<string mnemonic, string what>
    : Graph_ShapePreservingOp<mnemonic> {
  let summary = what # " of all elements up to each along one axis";
  let description = [{
    An element counts itself unless `exclusive`; `reverse` starts at the end.
  }];
  let arguments = (ins Graph_ValueTensor:$input, I64Attr:$axis,
                       DefaultValuedAttr<BoolAttr, "false">:$exclusive,
                       DefaultValuedAttr<BoolAttr, "false">:$reverse);
  let results = (outs Graph_ValueTensor:$result);
  let hasVerifier = 1;
}

def Graph_CumSumOp : Graph_ScanOp<"cum_sum", "Sum">;
def Graph_CumProdOp : Graph_ScanOp<"cum_prod", "Product">;

def Graph_EinsumOp : Graph_ShapedOp<"einsum"> {
  let summary = "Einstein summation";
  let description = [{
    `equation` names the axes of every operand, and of the result, by letters:
    "bij,bjk->bik". A letter that the result lacks is summed over; a letter that
    an operand has twice takes its diagonal. The ellipsis is written out. Size 1
    repeats to the size that the letter has elsewhere.
  }];
  let arguments = (ins Variadic<Graph_ValueTensor>:$inputs,
                       StrAttr:$equation);
  let results = (outs Graph_ValueTensor:$result);
}

def Graph_DetOp : Graph_ShapedOp<"det"> {
  let summary = "Determinants of the matrices of the last two axes";
  let arguments = (ins Graph_FloatTensor:$input);
  let results = (outs Graph_FloatTensor:$result);
}

#endif // ACC_DIALECTS_GRAPH_GRAPHREDUCTION_TD
