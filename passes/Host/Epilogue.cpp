//===- Epilogue.cpp - Elementwise consumers of a sum ----------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Host/Epilogue.h"
#include "dialects/CPU/CPUDialect.h"
#include "passes/Host/VectorBody.h"

using namespace mlir;
using namespace acc::host;

/// A scalar constant, or the value that a linalg.fill spreads of one.
static Operation *getConstantScalar(Value value) {
  if (auto fill = value.getDefiningOp<linalg::FillOp>())
    value = fill.value();
  Operation *op = value.getDefiningOp();
  return op && op->hasTrait<OpTrait::ConstantLike>() &&
                 !isa<ShapedType>(value.getType())
             ? op
             : nullptr;
}

/// Elementwise over its whole output, with nothing but constants from above.
static bool isAbsorbable(linalg::GenericOp op,
                         const llvm::SetVector<Value> &running) {
  if (op->getNumResults() != 1 ||
      op.getNumParallelLoops() != op.getNumLoops() ||
      !isVectorizable(op.getRegion().front()))
    return false;
  bool consumes = false;
  for (OpOperand &operand : op->getOpOperands()) {
    AffineMap map = op.getMatchingIndexingMap(&operand);
    if (running.contains(operand.get())) {
      consumes = true;
      if (!map.isIdentity())
        return false;
    }
    if (!map.isProjectedPermutation(/*allowZeroInResults=*/true) ||
        !isVectorElement(getElementTypeOrSelf(operand.get().getType())))
      return false;
  }
  if (!consumes ||
      !op.getMatchingIndexingMap(op.getDpsInitOperand(0)).isIdentity())
    return false;
  for (Operation &inner : op.getRegion().front()) {
    for (Value value : inner.getOperands())
      if (!op.getRegion().isAncestor(value.getParentRegion()) &&
          !getConstantScalar(value))
        return false;
  }
  return true;
}

Epilogue acc::host::collectEpilogue(Value source) {
  Epilogue epilogue;
  epilogue.source = epilogue.result = source;
  epilogue.insertionPoint = source.getDefiningOp();
  llvm::SetVector<Value> running;
  running.insert(source);
  SmallVector<Operation *> absorbed;
  llvm::SmallPtrSet<Operation *, 8> inside;
  for (Operation *op = source.getDefiningOp()->getNextNode(); op;
       op = op->getNextNode()) {
    auto generic = dyn_cast<linalg::GenericOp>(op);
    if (!generic || !isAbsorbable(generic, running))
      continue;
    absorbed.push_back(op);
    inside.insert(op);
    running.insert(op->getResult(0));
    bool closed = llvm::all_of(running, [&](Value value) {
      return value == op->getResult(0) ||
             llvm::all_of(value.getUsers(), [&](Operation *user) {
               return inside.contains(user);
             });
    });
    if (closed) {
      epilogue.absorbed = absorbed;
      epilogue.result = op->getResult(0);
      epilogue.insertionPoint = op;
    }
  }
  running.clear();
  running.insert(source);
  for (Operation *op : epilogue.absorbed) {
    auto generic = cast<linalg::GenericOp>(op);
    for (OpOperand &operand : op->getOpOperands()) {
      if (running.contains(operand.get()) || getConstantScalar(operand.get()) ||
          !generic.payloadUsesValueFromOperand(&operand))
        continue;
      AffineMap map = generic.getMatchingIndexingMap(&operand);
      bool known = llvm::any_of(llvm::zip(epilogue.operands, epilogue.maps),
                                [&](auto pair) {
                                  return std::get<0>(pair) == operand.get() &&
                                         std::get<1>(pair) == map;
                                });
      if (known)
        continue;
      epilogue.operands.push_back(operand.get());
      epilogue.maps.push_back(map);
    }
    running.insert(op->getResult(0));
  }
  if (!epilogue.absorbed.empty()) {
    auto last = cast<linalg::GenericOp>(epilogue.absorbed.back());
    Value init = last.getDpsInits()[0];
    if (!running.contains(init) && !getConstantScalar(init))
      epilogue.init = init;
  }
  return epilogue;
}

void acc::host::buildEpilogueBody(OpBuilder &builder, const Epilogue &epilogue,
                                  Type sum, Region &body) {
  OpBuilder::InsertionGuard guard(builder);
  Location loc = epilogue.source.getLoc();
  SmallVector<Type> types = {sum};
  for (Value operand : epilogue.operands)
    types.push_back(getElementTypeOrSelf(operand.getType()));
  Block *block = builder.createBlock(&body, body.end(), types,
                                     SmallVector<Location>(types.size(), loc));
  DenseMap<Value, Value> scalars;
  scalars[epilogue.source] = block->getArgument(0);
  auto cloneConstant = [&](Operation *constant) {
    return builder.clone(*constant)->getResult(0);
  };
  Value result = block->getArgument(0);
  for (Operation *op : epilogue.absorbed) {
    auto generic = cast<linalg::GenericOp>(op);
    IRMapping mapping;
    for (OpOperand &operand : op->getOpOperands()) {
      BlockArgument argument = generic.getMatchingBlockArgument(&operand);
      if (argument.use_empty())
        continue;
      if (Value scalar = scalars.lookup(operand.get())) {
        mapping.map(argument, scalar);
        continue;
      }
      if (Operation *constant = getConstantScalar(operand.get())) {
        mapping.map(argument, cloneConstant(constant));
        continue;
      }
      AffineMap map = generic.getMatchingIndexingMap(&operand);
      for (auto [index, value] : llvm::enumerate(epilogue.operands))
        if (value == operand.get() && epilogue.maps[index] == map)
          mapping.map(argument, block->getArgument(index + 1));
    }
    for (Operation &inner : generic.getRegion().front().without_terminator()) {
      for (Value value : inner.getOperands())
        if (!mapping.contains(value))
          mapping.map(value, cloneConstant(getConstantScalar(value)));
      builder.clone(inner, mapping);
    }
    Value yielded = generic.getRegion().front().getTerminator()->getOperand(0);
    if (!mapping.contains(yielded))
      mapping.map(yielded, cloneConstant(getConstantScalar(yielded)));
    result = mapping.lookup(yielded);
    scalars[op->getResult(0)] = result;
  }
  cpu::YieldOp::create(builder, loc, result);
}
