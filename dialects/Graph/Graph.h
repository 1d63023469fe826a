//===- Graph.h - All operators of the graph dialect -------------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_DIALECTS_GRAPH_GRAPH_H
#define ACC_DIALECTS_GRAPH_GRAPH_H

#include "dialects/Graph/GraphConstant.h"
#include "dialects/Graph/GraphContraction.h"
#include "dialects/Graph/GraphControl.h"
#include "dialects/Graph/GraphConvolution.h"
#include "dialects/Graph/GraphElementwise.h"
#include "dialects/Graph/GraphIndexing.h"
#include "dialects/Graph/GraphInteger.h"
#include "dialects/Graph/GraphLayout.h"
#include "dialects/Graph/GraphMovement.h"
#include "dialects/Graph/GraphNormalization.h"
#include "dialects/Graph/GraphPooling.h"
#include "dialects/Graph/GraphQuantization.h"
#include "dialects/Graph/GraphRecurrent.h"
#include "dialects/Graph/GraphReduction.h"
#include "dialects/Graph/GraphResampling.h"
#include "dialects/Graph/GraphSearch.h"
#include "dialects/Graph/GraphSlicing.h"

#endif // ACC_DIALECTS_GRAPH_GRAPH_H
