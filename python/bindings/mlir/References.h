//===- References.h - Python's references to operations ---------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// An object of upstream's class Operation holds a pointer and checks a flag
// before it uses it. Upstream sets the flag only in the object through which an
// operation is erased; all others, and those to operations that a pass erased,
// keep a dangling pointer. Here are known all such objects, so that the flag is
// set in every one that is concerned. The GIL protects everything.
//
//===----------------------------------------------------------------------===//

#ifndef ACC_PYTHON_BINDINGS_MLIR_REFERENCES_H
#define ACC_PYTHON_BINDINGS_MLIR_REFERENCES_H

#include "mlir-c/IR.h"

namespace acc::python {

/// Makes references to all operations inside of \p root raise when used, and
/// with \p itself those to the root too. To be called while they still exist.
void invalidateReferences(MlirOperation root, bool itself);

/// References made by this thread while Python code runs that is called back
/// while \p root is being transformed. When the code returns, those to
/// operations of the root turn invalid: what follows may erase them.
class CallbackReferences {
public:
  explicit CallbackReferences(MlirOperation root);
  ~CallbackReferences();

private:
  MlirOperation root;
  unsigned outer;
};

/// As CallbackReferences, around a whole transformation that erases operations
/// between one callback and the next: all references that this thread makes
/// meanwhile turn invalid, whatever they refer to.
class TransformReferences {
public:
  explicit TransformReferences(MlirOperation root);
  ~TransformReferences();

private:
  unsigned outer;
};

} // namespace acc::python

#endif // ACC_PYTHON_BINDINGS_MLIR_REFERENCES_H
