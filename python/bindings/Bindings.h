//===- Bindings.h - What the files of the _mlir module share ----*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The Python objects own what they point into: types and attributes keep their
// context alive, operations keep the tree they live in alive. Operations that
// a pass or Python has erased turn invalid instead of dangling: every tree
// knows the references into it that Python holds.
//
//===----------------------------------------------------------------------===//

#ifndef ACC_PYTHON_BINDINGS_BINDINGS_H
#define ACC_PYTHON_BINDINGS_BINDINGS_H

#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/vector.h>

#include "mlir/IR/AffineMap.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/Operation.h"
#include "llvm/ADT/DenseMap.h"

#include <atomic>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

namespace nb = nanobind;

namespace acc::python {

/// A context, shared by everything that was made in it.
struct Context {
  Context();
  ~Context();
  mlir::MLIRContext *operator->() { return mlir.get(); }
  mlir::MLIRContext *get() { return mlir.get(); }

  std::unique_ptr<mlir::MLIRContext> mlir;
  /// Set while a pass manager is to stop: passes and patterns do nothing then.
  std::atomic<bool> isCancelled = false;
};
using ContextRef = std::shared_ptr<Context>;

struct Location {
  ContextRef context;
  mlir::Location loc;
};

struct Type {
  ContextRef context;
  mlir::Type type;
};

struct Attribute {
  ContextRef context;
  mlir::Attribute attr;
};

struct AffineExpr {
  ContextRef context;
  mlir::AffineExpr expr;
};

struct AffineMap {
  ContextRef context;
  mlir::AffineMap map;
};

struct Tree;

/// One operation as Python sees it. `op` is null once it has been erased.
struct OpHandle : std::enable_shared_from_this<OpHandle> {
  mlir::Operation *op = nullptr;
  std::shared_ptr<Tree> tree;

  ~OpHandle();
  /// The operation, or a Python exception when it is gone.
  mlir::Operation *get() const;
  const ContextRef &context() const;
};
using OpRef = std::shared_ptr<OpHandle>;

/// A tree of operations: its root, whether Python owns that root, and the
/// references that Python holds into it.
struct Tree : std::enable_shared_from_this<Tree> {
  Tree(ContextRef context, mlir::Operation *root, bool owned)
      : context(std::move(context)), root(root), owned(owned) {}
  ~Tree();

  /// The one handle of `op`, an operation of this tree.
  OpRef handle(mlir::Operation *op);
  /// Marks the handles of `op` and of everything nested in it as gone.
  void invalidate(mlir::Operation *op, bool self);
  /// Marks every handle as gone.
  void invalidateAll();
  /// Moves the ownership of the root and all handles to `other`.
  void mergeInto(Tree &other);

  ContextRef context;
  mlir::Operation *root;
  bool owned;
  llvm::DenseMap<mlir::Operation *, OpHandle *> handles;
};

struct Value {
  OpRef owner;
  mlir::Value value;
};

struct Region {
  OpRef owner;
  mlir::Region *region;
};

struct Block {
  OpRef owner;
  mlir::Block *block;
};

/// Where new operations go: before `before`, or at the end of the block.
struct InsertionPoint {
  Block block;
  std::optional<OpRef> before;
};

struct Module {
  OpRef op;
};

/// The stack of `with` statements of this thread.
struct Defaults {
  static nb::object context();
  static nb::object location();
  static nb::object insertionPoint();
  static void push(nb::handle context, nb::handle location, nb::handle point);
  static void pop();
  /// Context, location and insertion point of every `with`, outermost first.
  static std::vector<std::tuple<nb::object, nb::object, nb::object>> all();
};

/// The given context, or that of the innermost `with`; raises otherwise.
ContextRef resolveContext(const nb::object &given);
/// The given location, that of the innermost `with`, or unknown.
mlir::Location resolveLocation(const nb::object &given,
                               const ContextRef &context);

/// Python objects of the most derived class.
nb::object wrap(const ContextRef &context, mlir::Type type);
nb::object wrap(const ContextRef &context, mlir::Attribute attr);
nb::object wrap(const OpRef &near, mlir::Value value);
/// An attribute of a class that acc.dialects registered, or a plain one.
nb::object wrapRegistered(const ContextRef &context, mlir::Attribute attr);
nb::object wrap(const ContextRef &context, mlir::AffineExpr expr);
OpRef makeRoot(const ContextRef &context, mlir::Operation *op);

/// Converts a Python value to an attribute; raises TypeError if it cannot.
mlir::Attribute toAttribute(const ContextRef &context, nb::handle value);
/// The plain Python value of an attribute, or the attribute itself.
nb::object toPython(const ContextRef &context, mlir::Attribute attr);

/// Collects the diagnostics of a context during one call, to raise them as
/// MLIRError when the call fails and to log the others.
class DiagnosticCollector {
public:
  explicit DiagnosticCollector(mlir::MLIRContext *context);
  /// Raises MLIRError; `fallback` is the message if nothing was reported.
  [[noreturn]] void raise(const char *fallback);
  /// Hands the warnings and remarks of a success to Python's logging.
  void logRest();
  bool hasErrors() const;

private:
  std::vector<mlir::Diagnostic> diagnostics;
  mlir::ScopedDiagnosticHandler handler;
};

/// Prints anything with a `print(raw_ostream &)`.
template <typename T> std::string toString(T value) {
  std::string text;
  llvm::raw_string_ostream os(text);
  value.print(os);
  return text;
}

/// Python's str() of an object.
inline std::string pythonText(nb::handle object) {
  return nb::cast<std::string>(nb::steal(PyObject_Str(object.ptr())));
}

void bindContext(nb::module_ &m);
void bindArrays(nb::module_ &m);
void bindTypes(nb::module_ &m);
void bindAffine(nb::module_ &m);
void bindAttributes(nb::module_ &m);
void bindDialects(nb::module_ &m);
void bindOperations(nb::module_ &m);
void bindBlocks(nb::module_ &m);
void bindPasses(nb::module_ &m);
void bindSizes(nb::module_ &m);
void bindTe(nb::module_ &m);
void bindVta(nb::module_ &m);
void bindCodegen(nb::module_ &m);

} // namespace acc::python

#endif // ACC_PYTHON_BINDINGS_BINDINGS_H
