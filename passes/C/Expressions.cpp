//===- Expressions.cpp - Statements of several operations -----------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/C/Expressions.h"

#include "llvm/ADT/SetVector.h"

using namespace mlir;

/// Whether an operation of C depends on its operands alone and changes nothing.
static bool hasNoEffects(Operation *op) {
  if (isa<emitc::LiteralOp, emitc::GetGlobalOp>(op))
    return true;
  auto expression = dyn_cast<emitc::CExpressionInterface>(op);
  return expression && !isa<emitc::ExpressionOp>(op) &&
         !expression.hasSideEffects();
}

/// Whether compilers warn of an operation without parentheses among the
/// operands of another, where C's precedence asks for none.
static bool needsParentheses(Operation *operand, Operation *user) {
  return isa<emitc::BitwiseAndOp, emitc::BitwiseOrOp, emitc::BitwiseXorOp,
             emitc::BitwiseLeftShiftOp, emitc::BitwiseRightShiftOp,
             emitc::CmpOp, emitc::LogicalOrOp>(user) &&
         isa<emitc::AddOp, emitc::SubOp, emitc::BitwiseAndOp,
             emitc::BitwiseOrOp, emitc::BitwiseXorOp, emitc::BitwiseLeftShiftOp,
             emitc::BitwiseRightShiftOp, emitc::CmpOp, emitc::LogicalAndOp,
             emitc::LogicalNotOp>(operand);
}

/// Adds an operation and what becomes part of its expression, operands first.
static void gather(Operation *op, llvm::SetVector<Operation *> &parts) {
  for (Value operand : op->getOperands()) {
    Operation *definition = operand.getDefiningOp();
    if (definition && isa<emitc::CExpressionInterface>(definition) &&
        hasNoEffects(definition) && definition->hasOneUse() &&
        definition->getBlock() == op->getBlock() &&
        !needsParentheses(definition, op))
      gather(definition, parts);
  }
  parts.insert(op);
}

static void wrap(Operation *root, const llvm::SetVector<Operation *> &parts) {
  llvm::SetVector<Value> operands;
  for (Operation *part : parts)
    for (Value operand : part->getOperands())
      if (!operand.getDefiningOp() || !parts.contains(operand.getDefiningOp()))
        operands.insert(operand);
  OpBuilder builder(root);
  auto expression = emitc::ExpressionOp::create(
      builder, root->getLoc(), TypeRange(root->getResultTypes()),
      ValueRange(operands.getArrayRef()), /*do_not_inline=*/false);
  root->getResult(0).replaceAllUsesWith(expression.getResult());
  Block &body = expression.createBody();
  for (Operation *part : parts) {
    part->moveBefore(&body, body.end());
    for (OpOperand &operand : part->getOpOperands())
      if (auto found = llvm::find(operands, operand.get());
          found != operands.end())
        operand.set(body.getArgument(found - operands.begin()));
  }
  builder.setInsertionPointToEnd(&body);
  emitc::YieldOp::create(builder, root->getLoc(), root->getResult(0));
}

static void formExpressions(Block &block) {
  Operation *op = block.empty() ? nullptr : &block.back();
  while (op) {
    Operation *previous = op->getPrevNode();
    if (hasNoEffects(op) && op->use_empty()) {
      op->erase();
    } else if (isa<emitc::CExpressionInterface>(op) &&
               !isa<emitc::ExpressionOp>(op) && op->getNumResults() == 1) {
      llvm::SetVector<Operation *> parts;
      gather(op, parts);
      // What is assigned at once needs no variable of its own.
      bool isAssigned = hasNoEffects(op) && op->hasOneUse() &&
                        isa<emitc::AssignOp>(*op->user_begin());
      if (parts.size() > 1 || isAssigned) {
        // Parts may lie between other operations; their places are left.
        while (previous && parts.contains(previous))
          previous = previous->getPrevNode();
        wrap(op, parts);
      }
    } else if (!isa<emitc::ExpressionOp>(op)) {
      for (Region &region : op->getRegions())
        for (Block &inner : region)
          formExpressions(inner);
    }
    op = previous;
  }
}

void acc::c::formExpressions(emitc::FuncOp function) {
  for (Block &block : function.getBody())
    ::formExpressions(block);
}
