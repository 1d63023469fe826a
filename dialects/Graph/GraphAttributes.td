//===- GraphAttributes.td - What is decided about operators *- tablegen -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_DIALECTS_GRAPH_GRAPHATTRIBUTES_TD
#define ACC_DIALECTS_GRAPH_GRAPHATTRIBUTES_TD

include "dialects/Graph/GraphDialect.td"
include "mlir/IR/AttrTypeBase.td"

def Graph_PlacementAttr : AttrDef<Graph_Dialect, "Placement"> {
  let mnemonic = "placement";
  let summary = "Where an operator is computed";
  let description = [{
    Decided by a policy, obeyed by the passes, as the attribute `graph.placement` of an
    operator. Operators with the same `kernel` become one kernel, for `target`, an
    attribute that implements the target interface of te; without one, for the host.
    `reason` says why no accelerator runs them.

    ```mlir
    %y = graph.softmax %x {axis = 1 : i64, graph.placement =
        #graph.placement<kernel = "softmax1", target = #te.host, reason = "Softmax in floating point">} : ...
    ```
  }];
  let parameters = (ins
    "::mlir::StringAttr":$kernel,
    OptionalParameter<"::mlir::Attribute">:$target,
    OptionalParameter<"::mlir::StringAttr">:$reason);
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
}

#endif // ACC_DIALECTS_GRAPH_GRAPHATTRIBUTES_TD
