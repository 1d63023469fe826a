//===- Module.cpp - The _mlir module --------------------------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Bindings.h"

NB_MODULE(_mlir, m) {
  m.doc() = "MLIR with the dialects and passes of acc; use acc.ir and "
            "acc.passmanager.";
  // At exit, Python may still hold objects; that is no leak worth a message.
  nb::set_leak_warnings(false);
  acc::python::bindContext(m);
  acc::python::bindTypes(m);
  acc::python::bindArrays(m);
  acc::python::bindAffine(m);
  acc::python::bindAttributes(m);
  acc::python::bindDialects(m);
  acc::python::bindBlocks(m);
  acc::python::bindOperations(m);
  acc::python::bindPasses(m);
  acc::python::bindSizes(m);
  acc::python::bindTe(m);
  acc::python::bindVta(m);
  acc::python::bindCodegen(m);
}
