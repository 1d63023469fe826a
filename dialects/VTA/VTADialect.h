//===- VTADialect.h - The vta dialect ---------------------------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_DIALECTS_VTA_VTADIALECT_H
#define ACC_DIALECTS_VTA_VTADIALECT_H

#include "acc/vta/isa/Dialect.h"
#include "acc/vta/isa/Hazards.h"

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/Builders.h"
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

#include "dialects/VTA/VTADialect.h.inc"

#include "dialects/VTA/VTAEnums.h.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/VTA/VTAAttributes.h.inc"

#define GET_OP_CLASSES
#include "dialects/VTA/VTAOps.h.inc"

namespace acc::vta {

/// The coefficients of a linear expression without symbols, one per dimension,
/// and then its constant. Fails if \p expr is not linear.
mlir::FailureOr<llvm::SmallVector<int64_t>>
getLinearCoefficients(mlir::AffineExpr expr, unsigned numDims);

/// The instruction that an op of a vta.program stands for, and in \p buffer the
/// index of the buffer that it addresses (or isa::Program::kNone).
isa::Instruction getInstruction(mlir::Operation *op, int32_t *buffer = nullptr);

/// Creates the op of an instruction.
mlir::Operation *createInstruction(mlir::OpBuilder &builder, mlir::Location loc,
                                   const isa::Instruction &insn,
                                   int32_t buffer = isa::Program::kNone);

/// Creates the op of a program, whose buffers become arrays of bytes. Emits an
/// error if its form cannot express the program.
mlir::FailureOr<ProgramOp> importProgram(mlir::OpBuilder &builder,
                                         mlir::Location loc,
                                         llvm::StringRef name,
                                         const isa::Program &program);

/// The ONNX layer that a location names: fused layers are joined by "+", and
/// the name of a location without names is empty.
std::string getLayerName(mlir::Location loc);

} // namespace acc::vta

#endif // ACC_DIALECTS_VTA_VTADIALECT_H
