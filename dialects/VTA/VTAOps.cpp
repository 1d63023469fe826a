//===- VTAOps.cpp - Operators of the vta dialect --------------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/VTA/VTADialect.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/OpImplementation.h"

using namespace mlir;
using namespace acc::vta;

#define GET_OP_CLASSES
#include "dialects/VTA/VTAOps.cpp.inc"
