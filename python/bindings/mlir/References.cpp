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
using namespace acc::python;
using mlir::python::acc_mlir::PyOperation;

namespace {

/// All live objects of the class Operation. It is never destroyed, since
/// objects may outlive static variables.
struct Registry {
  /// Every object with the operation that it points to, null as long as nobody
  /// asked.
  llvm::DenseMap<PyObject *, Operation *> references;
  /// The same by operation, of those whose operation is known.
  llvm::DenseMap<Operation *, llvm::SmallVector<PyObject *, 2>> byOperation;
  /// Objects that were made since; they are not yet constructed when they are
  /// entered.
  llvm::SmallVector<PyObject *> fresh;
  PyTypeObject *type = nullptr;
  destructor deallocate = nullptr;
};

Registry &registry() {
  static Registry *all = new Registry;
  return *all;
}

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
    if (it == all.references.end() || it->second)
      continue;
    if (Operation *op = target(object)) {
      it->second = op;
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
  if (Operation *op = it->second) {
    auto at = all.byOperation.find(op);
    if (at != all.byOperation.end()) {
      llvm::erase(at->second, object);
      if (at->second.empty())
        all.byOperation.erase(at);
    }
  }
  all.references.erase(it);
}

/// How many objects this thread is freeing, one because of the other.
thread_local unsigned deallocating = 0;

void deallocate(PyObject *object) {
  forget(object);
  ++deallocating;
  registry().deallocate(object);
  --deallocating;
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
    all.references[object] = nullptr;
    all.fresh.push_back(object);
    ScopedReferences::made(object);
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
    all.references[object] = nullptr;
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

bool acc::python::isDeallocatingReference() { return deallocating > 0; }

thread_local ScopedReferences *ScopedReferences::current = nullptr;

void ScopedReferences::made(PyObject *reference) {
  if (current)
    current->references.push_back(reference);
}

ScopedReferences::ScopedReferences(MlirOperation root, Which which)
    : root(root), which(which), outer(current) {
  current = this;
}

ScopedReferences::~ScopedReferences() {
  current = outer;
  Registry &all = registry();
  sortIn();
  for (PyObject *object : references) {
    auto it = all.references.find(object);
    if (it == all.references.end())
      continue;
    if (which == All) {
      // What Python owns is erased by nobody else.
      if (operationOf(object)->isAttached())
        operationOf(object)->setInvalid();
    } else if (it->second && unwrap(root)->isProperAncestor(it->second)) {
      invalidate(it->second);
    } else if (outer) {
      outer->references.push_back(object);
    }
  }
}
