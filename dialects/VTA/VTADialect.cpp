//===- VTADialect.cpp - The vta dialect -----------------------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/VTA/VTADialect.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace acc::vta;

#include "dialects/VTA/VTADialect.cpp.inc"

#include "dialects/VTA/VTAEnums.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/VTA/VTAAttributes.cpp.inc"

void VTADialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialects/VTA/VTAAttributes.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialects/VTA/VTAOps.cpp.inc"
      >();
}
