//===- IO.h - Operations to and from text and bytecode ----------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_PYTHON_BINDINGS_IO_H
#define ACC_PYTHON_BINDINGS_IO_H

#include "Bindings.h"

#include "mlir/IR/OperationSupport.h"

namespace acc::python {

std::string printOp(const OpRef &op, const mlir::OpPrintingFlags &flags);

/// Text, or bytecode if `binary`; arguments as upstream names them.
nb::object getAsm(const OpRef &op, bool binary,
                  std::optional<int64_t> elementsLimit,
                  std::optional<int64_t> resourceLimit, bool debugInfo,
                  bool prettyDebugInfo, bool generic, bool localScope,
                  bool assumeVerified, bool skipRegions);

/// Bytecode into a file, written whole or not at all, or as bytes.
nb::object writeBytecode(const OpRef &op, nb::object path);

Module parseModule(nb::object text, nb::object context);

/// Maps the file; resources of bytecode are used in place.
Module parseModuleFile(nb::object path, nb::object context);

/// Inserts a detached operation; its tree becomes a part of the block's.
void insertAt(const InsertionPoint &point, const OpRef &op);

} // namespace acc::python

#endif // ACC_PYTHON_BINDINGS_IO_H
