//===- References.cpp - Python's references to operations -----------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "References.h"

#include "mlir/Bindings/Python/IRCore.h"
#include "mlir/CAPI/IR.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/SmallVector.h"

namespace nb = nanobind;
using namespace mlir;
using mlir::python::acc_mlir::PyOperation;

namespace {

/// A reference: the operation it points to, once that was asked for, and the
/// callback that made it, 0 for none.
struct Reference {
  Operation *op = nullptr;
  unsigned callback = 0;
};

/// All live objects of the class Operation. It is never destroyed, since
/// objects may outlive static variables.
struct Registry {
  llvm::DenseMap<PyObject *, Reference> references;
  /// The same by operation, of those whose operation is known.
  llvm::DenseMap<Operation *, llvm::SmallVector<PyObject *, 2>> byOperation;
  /// Objects that were made since; they are not yet constructed when they are
  /// entered.
  llvm::SmallVector<PyObject *> fresh;
  PyTypeObject *type = nullptr;
  destructor deallocate = nullptr;
  unsigned lastCallback = 0;
};

Registry &registry() {
  static Registry *all = new Registry;
  return *all;
}

/// The callback whose Python code this thread runs.
thread_local unsigned currentCallback = 0;

PyOperation *operationOf(PyObject *object) {
  return nb::inst_ptr<PyOperation>(object);
}

/// What an object points to, or null if it is invalid.
Operation *target(PyObject *object) {
  try {
    return unwrap(operationOf(object)->get());
  } catch (const std::runtime_error &) {
    return nullptr;
  }
}

/// Enters into `byOperation` what was made since the last time.
void sortIn() {
  Registry &all = registry();
  for (PyObject *object : all.fresh) {
    auto it = all.references.find(object);
    // It may be gone already, or be entered twice: another at the same address.
    if (it == all.references.end() || it->second.op)
      continue;
    if (Operation *op = target(object)) {
      it->second.op = op;
      all.byOperation[op].push_back(object);
    }
  }
  all.fresh.clear();
}

void forget(PyObject *object) {
  Registry &all = registry();
  auto it = all.references.find(object);
  if (it == all.references.end())
    return;
  if (Operation *op = it->second.op) {
    auto at = all.byOperation.find(op);
    if (at != all.byOperation.end()) {
      llvm::erase(at->second, object);
      if (at->second.empty())
        all.byOperation.erase(at);
    }
  }
  all.references.erase(it);
}

void deallocate(PyObject *object) {
  forget(object);
  registry().deallocate(object);
}

} // namespace

//===----------------------------------------------------------------------===//
// Knowing all references
//===----------------------------------------------------------------------===//

// nanobind's function that allocates instances. Upstream calls it for objects
// of its class Operation; it is linked with --wrap.
PyObject *allocate(PyTypeObject *type) __asm__(
    "__wrap__ZN8nanobind6detail13nb_inst_allocEP11_typeobject");
PyObject *allocateReally(PyTypeObject *type) __asm__(
    "__real__ZN8nanobind6detail13nb_inst_allocEP11_typeobject");

PyObject *allocate(PyTypeObject *type) {
  Registry &all = registry();
  // Walks make many that live for a moment. The new object is not yet
  // constructed, so this comes before it.
  if (all.fresh.size() > 2 * all.references.size() + 1024)
    sortIn();
  PyObject *object = allocateReally(type);
  if (!all.type &&
      nb::type<PyOperation>().ptr() == reinterpret_cast<PyObject *>(type)) {
    all.type = type;
    all.deallocate = type->tp_dealloc;
    type->tp_dealloc = deallocate;
  }
  if (object && type == all.type) {
    all.references[object] = {nullptr, currentCallback};
    all.fresh.push_back(object);
  }
  return object;
}

//===----------------------------------------------------------------------===//
// Invalidating them
//===----------------------------------------------------------------------===//

/// Invalidates the references to one operation, which do not own it.
static void invalidate(Operation *op) {
  Registry &all = registry();
  auto it = all.byOperation.find(op);
  if (it == all.byOperation.end())
    return;
  for (PyObject *object : it->second) {
    operationOf(object)->setInvalid();
    all.references[object].op = nullptr;
  }
  all.byOperation.erase(it);
}

void acc::python::invalidateReferences(MlirOperation root, bool itself) {
  sortIn();
  if (registry().byOperation.empty())
    return;
  Operation *top = unwrap(root);
  top->walk([&](Operation *op) {
    if (itself || op != top)
      invalidate(op);
  });
}

acc::python::CallbackReferences::CallbackReferences(MlirOperation root)
    : root(root), outer(currentCallback) {
  currentCallback = ++registry().lastCallback;
}

acc::python::CallbackReferences::~CallbackReferences() {
  sortIn();
  llvm::SmallVector<Operation *> reached;
  for (auto &[object, reference] : registry().references) {
    if (reference.callback != currentCallback || !reference.op)
      continue;
    reference.callback = outer;
    if (unwrap(root)->isProperAncestor(reference.op))
      reached.push_back(reference.op);
  }
  for (Operation *op : reached)
    invalidate(op);
  currentCallback = outer;
}

acc::python::TransformReferences::TransformReferences(MlirOperation root)
    : outer(currentCallback) {
  invalidateReferences(root, /*itself=*/false);
  currentCallback = ++registry().lastCallback;
}

acc::python::TransformReferences::~TransformReferences() {
  // Not even what they point to may be looked at.
  for (auto &[object, reference] : registry().references) {
    if (reference.callback != currentCallback)
      continue;
    PyOperation *operation = operationOf(object);
    // What Python owns is erased by nobody else.
    if (operation->isAttached())
      operation->setInvalid();
  }
  currentCallback = outer;
}
