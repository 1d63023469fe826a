//===- CodeParts.cpp - Code that is generated at the same time ------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Host/CodeParts.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/SymbolTable.h"
#include "llvm/ADT/EquivalenceClasses.h"
#include "llvm/ADT/MapVector.h"

using namespace mlir;

/// With fewer operations than this, a module is not worth a thread: LLVM takes
/// some tens of milliseconds for as many.
static constexpr int64_t kPartSize = 1500;

namespace {

using Symbols = llvm::SmallSetVector<Operation *, 8>;

/// The symbols of a module and what they refer to.
class CodeParts {
public:
  explicit CodeParts(ModuleOp module);

  SmallVector<OwningOpRef<ModuleOp>> split();

private:
  /// Symbols by the module that they belong to, in their order.
  SmallVector<SmallVector<Operation *>> choose();
  OwningOpRef<ModuleOp> copy(unsigned part, ArrayRef<Operation *> members);

  ModuleOp module;
  /// What every symbol refers to, in the order of the module.
  llvm::MapVector<Operation *, Symbols> references;
  /// Numbers of modules, by the symbols they define.
  DenseMap<Operation *, unsigned> partOf;
  /// What a module refers to that another one defines.
  Symbols shared;
};

} // namespace

static bool isDefinition(Operation *op) {
  auto function = dyn_cast<LLVM::LLVMFuncOp>(op);
  return function && !function.isExternal();
}

static bool isLocal(LLVM::Linkage linkage) {
  return linkage == LLVM::Linkage::Internal ||
         linkage == LLVM::Linkage::Private;
}

/// Whether every module may have an object of its own for a symbol.
static bool isCopied(Operation *op) {
  if (auto global = dyn_cast<LLVM::GlobalOp>(op))
    return global.getConstant() && isLocal(global.getLinkage());
  return isa<LLVM::LLVMFuncOp>(op) && !isDefinition(op);
}

CodeParts::CodeParts(ModuleOp module) : module(module) {
  SymbolTable table(module);
  for (Operation &op : *module.getBody()) {
    // The programs of an accelerator stay behind.
    if (op.getName().getDialectNamespace() != "llvm")
      continue;
    Symbols &found = references[&op];
    if (auto uses = SymbolTable::getSymbolUses(&op))
      for (const SymbolTable::SymbolUse &use : *uses)
        if (Operation *symbol =
                table.lookup(use.getSymbolRef().getRootReference()))
          if (symbol != &op)
            found.insert(symbol);
  }
}

SmallVector<SmallVector<Operation *>> CodeParts::choose() {
  Symbols referenced;
  for (auto &[op, found] : references)
    referenced.insert_range(found);
  llvm::EquivalenceClasses<Operation *> together;
  for (auto &[op, found] : references) {
    if (isCopied(op))
      continue;
    together.insert(op);
    // What is called from outside calls everything.
    bool isEntry = isDefinition(op) && !referenced.contains(op);
    for (Operation *symbol : found)
      if (!isCopied(symbol) && !(isEntry && isDefinition(symbol)))
        together.unionSets(op, symbol);
  }
  llvm::MapVector<Operation *, SmallVector<Operation *>> groups;
  for (auto &[op, found] : references)
    if (!isCopied(op))
      groups[together.getLeaderValue(op)].push_back(op);
  SmallVector<SmallVector<Operation *>> parts(1);
  int64_t size = 0;
  for (auto &[leader, members] : groups) {
    if (size >= kPartSize) {
      parts.emplace_back();
      size = 0;
    }
    for (Operation *op : members) {
      partOf[op] = parts.size() - 1;
      parts.back().push_back(op);
      op->walk([&](Operation *) { ++size; });
    }
  }
  return parts;
}

/// Makes a function known to the linker that was its module's own.
static void expose(LLVM::LLVMFuncOp function) {
  if (!isLocal(function.getLinkage()))
    return;
  function.setLinkage(LLVM::Linkage::External);
  function.setVisibility_(LLVM::Visibility::Hidden);
  function.setDsoLocal(true);
}

OwningOpRef<ModuleOp> CodeParts::copy(unsigned part,
                                      ArrayRef<Operation *> members) {
  OwningOpRef<ModuleOp> result = ModuleOp::create(module.getLoc());
  OpBuilder builder = OpBuilder::atBlockEnd(result->getBody());
  Symbols needed;
  for (Operation *op : members)
    needed.insert_range(references[op]);
  // Before their users, in the order of the module: texts are, and LLVM numbers
  // them so.
  for (auto &[op, found] : references) {
    if (!needed.contains(op))
      continue;
    if (isCopied(op))
      builder.clone(*op);
    else if (partOf[op] != part)
      expose(cast<LLVM::LLVMFuncOp>(builder.insert(op->cloneWithoutRegions())));
  }
  for (Operation *op : members) {
    Operation *clone = builder.clone(*op);
    if (shared.contains(op))
      expose(cast<LLVM::LLVMFuncOp>(clone));
  }
  return result;
}

SmallVector<OwningOpRef<ModuleOp>> CodeParts::split() {
  SmallVector<SmallVector<Operation *>> parts = choose();
  for (auto &[op, found] : references)
    for (Operation *symbol : found)
      if (!isCopied(op) && !isCopied(symbol) && partOf[op] != partOf[symbol])
        shared.insert(symbol);
  SmallVector<OwningOpRef<ModuleOp>> copies;
  for (auto [part, members] : llvm::enumerate(parts))
    copies.push_back(copy(part, members));
  return copies;
}

SmallVector<OwningOpRef<ModuleOp>> acc::host::splitCode(ModuleOp module) {
  return CodeParts(module).split();
}
