//===- TEOps.cpp - Operators of the te dialect ----------------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/TE/TEDialect.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "mlir/Interfaces/FunctionImplementation.h"

using namespace mlir;
using namespace acc::te;

#define GET_OP_CLASSES
#include "dialects/TE/TEOps.cpp.inc"

//===----------------------------------------------------------------------===//
// KernelOp
//===----------------------------------------------------------------------===//

ParseResult KernelOp::parse(OpAsmParser &parser, OperationState &result) {
  auto buildFunctionType = [](Builder &builder, ArrayRef<Type> inputs,
                              ArrayRef<Type> results,
                              function_interface_impl::VariadicFlag,
                              std::string &) {
    return builder.getFunctionType(inputs, results);
  };
  return function_interface_impl::parseFunctionOp(
      parser, result, /*allowVariadic=*/false,
      getFunctionTypeAttrName(result.name), buildFunctionType,
      getArgAttrsAttrName(result.name), getResAttrsAttrName(result.name));
}

void KernelOp::print(OpAsmPrinter &printer) {
  function_interface_impl::printFunctionOp(
      printer, *this, /*isVariadic=*/false, getFunctionTypeAttrName(),
      getArgAttrsAttrName(), getResAttrsAttrName());
}

LogicalResult KernelOp::verify() {
  FunctionType type = getFunctionType();
  if (type.getNumResults() > type.getNumInputs())
    return emitOpError("has ")
           << type.getNumResults() << " results but only "
           << type.getNumInputs()
           << " arguments; the trailing arguments must be the initial values "
              "of the results";
  for (auto [result, init] :
       llvm::zip(type.getResults(),
                 type.getInputs().take_back(type.getNumResults())))
    if (result != init)
      return emitOpError("result type ")
             << result << " differs from its initial value's type " << init;
  return success();
}

//===----------------------------------------------------------------------===//
// ReturnOp
//===----------------------------------------------------------------------===//

LogicalResult ReturnOp::verify() {
  auto kernel = cast<KernelOp>((*this)->getParentOp());
  if (getOperandTypes() != kernel.getResultTypes())
    return emitOpError("operand types must be the result types of the kernel, ")
           << kernel.getFunctionType();
  return success();
}

//===----------------------------------------------------------------------===//
// LaunchOp
//===----------------------------------------------------------------------===//

LogicalResult LaunchOp::verifySymbolUses(SymbolTableCollection &symbols) {
  auto kernel =
      symbols.lookupNearestSymbolFrom<KernelOp>(*this, getKernelAttr());
  if (!kernel)
    return emitOpError("refers to no te.kernel named @") << getKernel();
  if (getOperandTypes() != TypeRange(kernel.getArgumentTypes()))
    return emitOpError("operand types must be the argument types of @")
           << getKernel() << ", " << kernel.getFunctionType();
  if (getResultTypes() != TypeRange(kernel.getResultTypes()))
    return emitOpError("result types must be those of @")
           << getKernel() << ", " << kernel.getFunctionType();
  return success();
}

void LaunchOp::getEffects(
    SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>>
        &effects) {
  for (OpOperand &operand : (*this)->getOpOperands()) {
    if (!isa<BaseMemRefType>(operand.get().getType()))
      continue;
    effects.emplace_back(MemoryEffects::Read::get(), &operand);
    if (isDpsInit(&operand))
      effects.emplace_back(MemoryEffects::Write::get(), &operand);
  }
}
