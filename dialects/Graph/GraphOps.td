//===- GraphOps.td - All operators of the graph dialect ----*- tablegen -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_DIALECTS_GRAPH_GRAPHOPS_TD
#define ACC_DIALECTS_GRAPH_GRAPHOPS_TD

include "dialects/Graph/GraphAttributes.td"
include "dialects/Graph/GraphConstant.td"
include "dialects/Graph/GraphContraction.td"
include "dialects/Graph/GraphControl.td"
include "dialects/Graph/GraphConvolution.td"
include "dialects/Graph/GraphElementwise.td"
include "dialects/Graph/GraphIndexing.td"
include "dialects/Graph/GraphInteger.td"
include "dialects/Graph/GraphLayout.td"
include "dialects/Graph/GraphMovement.td"
include "dialects/Graph/GraphNormalization.td"
include "dialects/Graph/GraphPooling.td"
include "dialects/Graph/GraphQuantization.td"
include "dialects/Graph/GraphRecurrent.td"
include "dialects/Graph/GraphReduction.td"
include "dialects/Graph/GraphResampling.td"
include "dialects/Graph/GraphSearch.td"
include "dialects/Graph/GraphSlicing.td"

#endif // ACC_DIALECTS_GRAPH_GRAPHOPS_TD
