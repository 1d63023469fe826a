//===- GraphRecurrent.td - Recurrent networks -------------- -*- tablegen -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//


#ifndef ACC_DIALECTS_GRAPH_GRAPHRECURRENT_TD
#define ACC_DIALECTS_GRAPH_GRAPHRECURRENT_TD

include "dialects/Graph/GraphBase.td"

class Graph_RecurrentOp<string mnemonic, int gates>
    : Graph_ShapedOp<mnemonic, [AttrSizedOperandSegments]> {
  let description = [{
    Names, orders of gates and defaults are ONNX's; layout 0: the input is
    (steps, batch, elements), the result (steps, directions, batch, hidden).
    `activations` has lowercase names, all of one direction after those of the
    other, with their constants in `activation_alpha` and `activation_beta`;
    `clip` 0 does not limit. A sequence that is shorter than `steps` keeps its
    last state and has zeros as results beyond its end.
  }];
  dag common = (ins Graph_FloatTensor:$input, Graph_FloatTensor:$weight,
                    Graph_FloatTensor:$recurrence,
                    Optional<Graph_FloatTensor>:$bias,
                    Optional<Graph_IntegerTensor>:$sequence_lens,
                    Optional<Graph_FloatTensor>:$initial_h);
  dag choices = (ins StrAttr:$direction, StrArrayAttr:$activations,
                     DenseF32ArrayAttr:$activation_alpha,
                     DenseF32ArrayAttr:$activation_beta,
                     DefaultValuedAttr<F32Attr, "0.0f">:$clip);
  let shapeInference = [{
    ::llvm::LogicalResult $cppClass::inferResultShapes(
        ShapeContext &c, Adaptor adaptor,
        ::llvm::SmallVectorImpl<TensorShape> &results) {
      return inferRecurrent<}] # gates # [{>(c, adaptor, results);
    }
  }];
}

def Graph_RnnOp : Graph_RecurrentOp<"rnn", 1> {
  let summary = "A recurrent network of one gate";
  let arguments = !con(common, choices);
  let results = (outs Graph_FloatTensor:$result, Graph_FloatTensor:$last_h);
}

def Graph_GruOp : Graph_RecurrentOp<"gru", 3> {
  let summary = "Gated recurrent units";
  let arguments = !con(common, choices,
      (ins DefaultValuedAttr<BoolAttr, "false">:$linear_before_reset));
  let results = (outs Graph_FloatTensor:$result, Graph_FloatTensor:$last_h);
}

def Graph_LstmOp : Graph_RecurrentOp<"lstm", 4> {
  let summary = "Long short-term memory";
  let arguments = !con(common, (ins Optional<Graph_FloatTensor>:$initial_c,
                                    Optional<Graph_FloatTensor>:$peepholes),
                       choices,
      (ins DefaultValuedAttr<BoolAttr, "false">:$input_forget));
  let results = (outs Graph_FloatTensor:$result, Graph_FloatTensor:$last_h,
                      Graph_FloatTensor:$last_c);
}

#endif // ACC_DIALECTS_GRAPH_GRAPHRECURRENT_TD
