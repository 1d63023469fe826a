//===- TEDialect.h - The te dialect -----------------------------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_DIALECTS_TE_TEDIALECT_H
#define ACC_DIALECTS_TE_TEDIALECT_H

#include "dialects/TE/TETarget.h"

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/CallInterfaces.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "mlir/Interfaces/DestinationStyleOpInterface.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Interfaces/ViewLikeInterface.h"

#include "dialects/TE/TEDialect.h.inc"

#include "dialects/TE/TEEnums.h.inc"

namespace acc::te {
class TargetAttrInterface;
} // namespace acc::te

#include "dialects/TE/TEOpInterfaces.h.inc"

// The interface of targets speaks of operators, the attributes implement it.
#define GET_OP_CLASSES
#include "dialects/TE/TEOps.h.inc"

#include "dialects/TE/TEAttrInterfaces.h.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/TE/TEAttributes.h.inc"

namespace acc::te {
/// Whether the elements of a buffer lie one after the other; the start may be
/// anywhere.
bool isContiguous(mlir::MemRefType type);

/// Whether only other processors than the host read a value.
bool isReadElsewhereOnly(mlir::Value value);

/// Teaches one-shot bufferization the operators of te.
void registerBufferizationModels(mlir::DialectRegistry &registry);
} // namespace acc::te

#endif // ACC_DIALECTS_TE_TEDIALECT_H
