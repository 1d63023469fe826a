//===- ElementRules.h - Element-wise operators as scalar code ---*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_PASSES_GRAPH_ELEMENTRULES_H
#define ACC_PASSES_GRAPH_ELEMENTRULES_H

#include "passes/Graph/Elements.h"

#include "mlir/IR/TypeUtilities.h"

namespace acc::graph {

/// What a rule may look at besides the elements: attributes, and the original
/// types with their signs.
struct ElementContext {
  mlir::Operation *op;

  mlir::Type operandElement(unsigned index = 0) const {
    return mlir::getElementTypeOrSelf(op->getOperand(index));
  }
  mlir::Type resultElement() const {
    return mlir::getElementTypeOrSelf(op->getResult(0));
  }
  bool isFloat() const { return mlir::isa<mlir::FloatType>(operandElement()); }
  bool isUnsigned() const { return isUnsignedElement(operandElement()); }
  double real(llvm::StringRef name) const {
    return op->getAttrOfType<mlir::FloatAttr>(name).getValueAsDouble();
  }
  bool flag(llvm::StringRef name) const {
    return op->getAttrOfType<mlir::BoolAttr>(name).getValue();
  }
};

/// Computes an element of the result from one of each operand, all of them of
/// the types that elements are computed in.
using ElementRule = mlir::Value (*)(mlir::ImplicitLocOpBuilder &,
                                    const ElementContext &, mlir::ValueRange);
using ElementRules =
    llvm::ArrayRef<std::pair<llvm::StringLiteral, ElementRule>>;

/// `rule` as that of the operator `Op`.
template <typename Op>
constexpr std::pair<llvm::StringLiteral, ElementRule> ruleOf(ElementRule rule) {
  return {Op::getOperationName(), rule};
}

/// Whether `op` computes every element of its result from one of each operand.
bool isElementwise(mlir::Operation *op);

/// Mathematical functions and activations.
ElementRules getFunctionRules();

} // namespace acc::graph

#endif // ACC_PASSES_GRAPH_ELEMENTRULES_H
