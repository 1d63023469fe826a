//===- TEDialect.cpp - The te dialect -------------------------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/TE/TEDialect.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace acc::te;

#include "dialects/TE/TEDialect.cpp.inc"

#include "dialects/TE/TEEnums.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/TE/TEAttributes.cpp.inc"

void TEDialect::initialize() {
  addOperations<
#define GET_OP_LIST
#include "dialects/TE/TEOps.cpp.inc"
      >();
}
