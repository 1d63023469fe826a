//===- Guards.h - Values and blocks of erased operations --------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Upstream's methods of operations ask whether the operation is still valid;
// most of those of values, blocks and regions do not, though these know the
// operation that they belong to. Here these methods are replaced in upstream's
// classes by guards, which ask and then call them.
//
//===----------------------------------------------------------------------===//

#ifndef ACC_PYTHON_BINDINGS_MLIR_GUARDS_H
#define ACC_PYTHON_BINDINGS_MLIR_GUARDS_H

#include <nanobind/nanobind.h>

namespace acc::python {

/// Guards the classes of upstream's module `ir`.
void installGuards(nanobind::handle ir);

} // namespace acc::python

#endif // ACC_PYTHON_BINDINGS_MLIR_GUARDS_H
