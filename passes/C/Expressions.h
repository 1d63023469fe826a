//===- Expressions.h - Statements of several operations ---------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_PASSES_C_EXPRESSIONS_H
#define ACC_PASSES_C_EXPRESSIONS_H

#include "mlir/Dialect/EmitC/IR/EmitC.h"

namespace acc::c {

/// Puts operations whose result is used once, by another operation, into its
/// expression, and drops what nobody uses. (Upstream's form-expressions repeats
/// what one expression uses twice: a chain of such values grows with two to the
/// power of its length. And it leaves out parentheses that compilers ask for.)
void formExpressions(mlir::emitc::FuncOp function);

} // namespace acc::c

#endif // ACC_PASSES_C_EXPRESSIONS_H
