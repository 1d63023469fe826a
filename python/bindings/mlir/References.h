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

#include <vector>

/// PyObject, as Python declares it.
struct _object;

namespace acc::python {

/// Makes references to all operations inside of \p root raise when used, and
/// with \p itself those to the root too. To be called while they still exist.
void invalidateReferences(MlirOperation root, bool itself);

/// Whether this thread is freeing an object of the class Operation.
bool isDeallocatingReference();

/// The references that a thread makes while this object lives, which is during
/// a call of Python code by a transformation of \p root or during the whole
/// transformation. They turn invalid at the end.
class ScopedReferences {
public:
  enum Which {
    /// Those to operations inside of the root, which still exist: what follows
    /// may erase them.
    InsideRoot,
    /// All, without a look at what they refer to, which may be erased already.
    All
  };

  ScopedReferences(MlirOperation root, Which which);
  ~ScopedReferences();
  ScopedReferences(const ScopedReferences &) = delete;
  ScopedReferences &operator=(const ScopedReferences &) = delete;

  /// Enters a new reference of the current thread.
  static void made(_object *reference);

private:
  /// The innermost one of this thread, or null.
  static thread_local ScopedReferences *current;

  MlirOperation root;
  Which which;
  ScopedReferences *outer;
  std::vector<_object *> references;
};

} // namespace acc::python

#endif // ACC_PYTHON_BINDINGS_MLIR_REFERENCES_H
