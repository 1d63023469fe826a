//===- CPUDialect.cpp - The cpu dialect -----------------------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/CPU/CPUDialect.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Interfaces/FunctionInterfaces.h"

using namespace mlir;
using namespace acc::cpu;

#include "dialects/CPU/CPUDialect.cpp.inc"

void CPUDialect::initialize() {
  addOperations<
#define GET_OP_LIST
#include "dialects/CPU/CPUOps.cpp.inc"
      >();
}

LogicalResult CPUDialect::verifyOperationAttribute(Operation *op,
                                                   NamedAttribute attribute) {
  StringRef name = attribute.getName().getValue();
  if (name == kScratch) {
    auto pieces = dyn_cast<DenseI64ArrayAttr>(attribute.getValue());
    if (isa<FunctionOpInterface>(op) && pieces && pieces.size() % 2 == 0)
      return success();
    return op->emitOpError()
           << "'" << name << "' must be [offset, bytes, ...] of a kernel";
  }
  bool known =
      isa<ModuleOp>(op) &&
      ((name == kConstants && isa<ArrayAttr>(attribute.getValue())) ||
       (name == kWorkspace && isa<IntegerAttr>(attribute.getValue())) ||
       (name == kParallel && isa<UnitAttr>(attribute.getValue())));
  if (known)
    return success();
  return op->emitOpError() << "has the unknown attribute '" << name << "'";
}
