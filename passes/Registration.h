//===- Registration.h - Everything acc adds to MLIR -------------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_PASSES_REGISTRATION_H
#define ACC_PASSES_REGISTRATION_H

#include "mlir/IR/DialectRegistry.h"
#include "mlir/IR/MLIRContext.h"

namespace acc {

/// Registers acc's dialects and the interface implementations they need.
void registerDialects(mlir::DialectRegistry &registry);

/// Loads acc's dialects into a context that knows them.
void loadDialects(mlir::MLIRContext &context);

/// Registers acc's passes and pipelines with the global pass registry.
void registerPasses();

/// Registers acc's and upstream's dialects, extensions and passes: what
/// acc-opt, the language server and the Python bindings all know.
void registerEverything(mlir::DialectRegistry &registry);

} // namespace acc

#endif // ACC_PASSES_REGISTRATION_H
