//===- CPUDialect.h - The cpu dialect ---------------------------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_DIALECTS_CPU_CPUDIALECT_H
#define ACC_DIALECTS_CPU_CPUDIALECT_H

#include "dialects/CPU/IntegerSum.h"

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/Interfaces/DestinationStyleOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "dialects/CPU/CPUDialect.h.inc"

#define GET_OP_CLASSES
#include "dialects/CPU/CPUOps.h.inc"

namespace acc::cpu {
/// Teaches one-shot bufferization the operators of cpu.
void registerBufferizationModels(mlir::DialectRegistry &registry);
} // namespace acc::cpu

#endif // ACC_DIALECTS_CPU_CPUDIALECT_H
