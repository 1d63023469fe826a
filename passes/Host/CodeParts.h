//===- CodeParts.h - Code that is generated at the same time ----*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_PASSES_HOST_CODEPARTS_H
#define ACC_PASSES_HOST_CODEPARTS_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

namespace acc::host {

/// Copies what `module` holds of the LLVM dialect into modules that LLVM can
/// make an object of each, at the same time; linked, they are what `module` is.
///
/// A kernel and what only it calls stay together, so that nothing is lost to
/// optimizations but between kernels and the function that calls them all.
/// Which functions share a module depends on their sizes alone, so that the
/// code is the same on every machine. A function that another module calls
/// becomes visible to the linker, hidden from all else. There is at least one
/// module.
llvm::SmallVector<mlir::OwningOpRef<mlir::ModuleOp>>
splitCode(mlir::ModuleOp module);

} // namespace acc::host

#endif // ACC_PASSES_HOST_CODEPARTS_H
