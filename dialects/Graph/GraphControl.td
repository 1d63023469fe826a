//===- GraphControl.td - Loops and branches ---------------- -*- tablegen -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_DIALECTS_GRAPH_GRAPHCONTROL_TD
#define ACC_DIALECTS_GRAPH_GRAPHCONTROL_TD

include "dialects/Graph/GraphBase.td"

// What regions are handed from outside: tensors, and sizes.
def Graph_Captured
    : AnyTypeOf<[Graph_ValueTensor, Index], "tensor of numbers or index">;

// An operator with regions. These see nothing from outside but `captures`, which
// are arguments of their blocks: so that the operands of the operator are all
// that it depends on, as for every other one.
class Graph_ControlOp<string mnemonic>
    : Graph_TypedOp<mnemonic, [IsolatedFromAbove, SingleBlock,
                               AttrSizedOperandSegments]> {
  let hasRegionVerifier = 1;
}

def Graph_LoopOp : Graph_ControlOp<"loop"> {
  let summary = "Turns of a body that carries tensors from one to the next";
  let description = [{
    There is a turn as long as fewer than `count` were taken and `condition`
    holds; either may be absent, not both. The block's arguments are the number
    of the turn, the states and the captures. What it yields is the condition of
    the next turn, if there is a `condition`, the states of the next turn, and
    slices, which the results behind the states have one after the other along
    their first axis: as many as it says, or `capacity` if that is `?`. For
    every other `?` in their types there is one of `sizes`. States keep the
    sizes that they have to begin with. Slices of turns that are not taken are undefined, and no turn is taken beyond the
    last slice that there is room for. The first result is how many turns were
    taken.

    ```mlir
    %turns, %last, %all = graph.loop times %n from (%zero) with (%x)
        : (tensor<i64>, tensor<4xf32>, tensor<4xf32>)
        -> (tensor<i64>, tensor<4xf32>, tensor<10x4xf32>) {
    ^bb0(%i: tensor<i64>, %sum: tensor<4xf32>, %more: tensor<4xf32>):
      %next = graph.add %sum, %more
          : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
      graph.yield %next, %next : tensor<4xf32>, tensor<4xf32>
    }
    ```
  }];
  let arguments = (ins Optional<Graph_IntegerTensor>:$count,
                       Optional<Graph_BoolTensor>:$condition,
                       Optional<Index>:$capacity, Variadic<Index>:$sizes,
                       Variadic<Graph_ValueTensor>:$states,
                       Variadic<Graph_Captured>:$captures);
  let results = (outs Graph_IntegerTensor:$turns,
                      Variadic<Graph_ValueTensor>:$values);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    (`times` $count^)? (`while` $condition^)? (`within` $capacity^)?
    (`sizes` `(` $sizes^ `)`)? (`from` `(` $states^ `)`)? (`with` `(` $captures^ `)`)? attr-dict
    `:` functional-type(operands, results) $body
  }];
}

def Graph_IfOp : Graph_ControlOp<"if"> {
  let summary = "One of two branches";
  let description = [{
    The arguments of both blocks are the captures; what they yield are the
    results, which have one of `sizes` for every `?` in their types.

    ```mlir
    %y = graph.if %c with (%x) : (tensor<i1>, tensor<4xf32>) -> tensor<4xf32> {
    ^bb0(%a: tensor<4xf32>):
      %r = graph.relu %a : (tensor<4xf32>) -> tensor<4xf32>
      graph.yield %r : tensor<4xf32>
    } else {
    ^bb0(%a: tensor<4xf32>):
      graph.yield %a : tensor<4xf32>
    }
    ```
  }];
  let arguments = (ins Graph_BoolTensor:$condition, Variadic<Index>:$sizes,
                       Variadic<Graph_Captured>:$captures);
  let results = (outs Variadic<Graph_ValueTensor>:$values);
  let regions = (region SizedRegion<1>:$taken, SizedRegion<1>:$otherwise);
  let assemblyFormat = [{
    $condition (`sizes` `(` $sizes^ `)`)? (`with` `(` $captures^ `)`)? attr-dict
    `:` functional-type(operands, results) $taken `else` $otherwise
  }];
}

def Graph_YieldOp : Graph_Op<"yield", [
    Pure, Terminator, ParentOneOf<["::acc::graph::LoopOp",
                                   "::acc::graph::IfOp"]>]> {
  let summary = "What a region of graph.loop or graph.if results in";
  let arguments = (ins Variadic<Graph_ValueTensor>:$values);
  let assemblyFormat = "($values^ `:` type($values))? attr-dict";
}

#endif // ACC_DIALECTS_GRAPH_GRAPHCONTROL_TD
