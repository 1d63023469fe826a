//===- GraphControl.h - Loops and branches ----------------------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_DIALECTS_GRAPH_GRAPHCONTROL_H
#define ACC_DIALECTS_GRAPH_GRAPHCONTROL_H

#include "dialects/Graph/GraphDialect.h"

#define GET_OP_CLASSES
#include "dialects/Graph/GraphControl.h.inc"

#endif // ACC_DIALECTS_GRAPH_GRAPHCONTROL_H
