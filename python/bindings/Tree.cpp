//===- Tree.cpp - Ownership of operations ---------------------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Bindings.h"

using namespace acc::python;

OpHandle::~OpHandle() {
  if (op)
    tree->handles.erase(op);
}

mlir::Operation *OpHandle::get() const {
  if (!op)
    throw nb::value_error(
        "the operation is gone: it was erased, or a pass ran since it was "
        "looked up");
  return op;
}

const ContextRef &OpHandle::context() const { return tree->context; }

Tree::~Tree() {
  if (owned && root) {
    // The handles have gone, each held this tree.
    nb::gil_scoped_release release;
    root->erase();
  }
}

OpRef Tree::handle(mlir::Operation *op) {
  OpHandle *&slot = handles[op];
  if (slot)
    return slot->shared_from_this();
  auto created = std::make_shared<OpHandle>();
  created->op = op;
  created->tree = shared_from_this();
  slot = created.get();
  return created;
}

void Tree::invalidate(mlir::Operation *op, bool self) {
  llvm::SmallVector<OpHandle *> gone;
  for (auto [held, handle] : handles)
    if (held == op ? self : op->isProperAncestor(held))
      gone.push_back(handle);
  for (OpHandle *handle : gone) {
    handles.erase(handle->op);
    handle->op = nullptr;
  }
}

void Tree::invalidateAll() {
  for (auto [held, handle] : handles)
    handle->op = nullptr;
  handles.clear();
}

void Tree::mergeInto(Tree &other) {
  owned = false;
  root = nullptr;
  // A handle may hold the last reference to this tree.
  auto self = shared_from_this();
  for (auto [held, handle] : handles) {
    handle->tree = other.shared_from_this();
    other.handles[held] = handle;
  }
  handles.clear();
}

OpRef acc::python::makeRoot(const ContextRef &context, mlir::Operation *op) {
  return std::make_shared<Tree>(context, op, /*owned=*/true)->handle(op);
}
