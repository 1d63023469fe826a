//===- HoistOperands.cpp - The pass te-hoist-operands ---------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Graph/Constants.h"
#include "dialects/Graph/Graph.h"
#include "dialects/TE/TEDialect.h"
#include "passes/TE/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace acc::te {
#define GEN_PASS_DEF_TEHOISTOPERANDS
#include "passes/TE/Passes.h.inc"
} // namespace acc::te

using namespace mlir;
using namespace acc;
using namespace acc::te;

namespace {

/// The constant that an operation of a kernel makes, if it is worth passing.
ElementsAttr getTensorConstant(Operation &op) {
  ElementsAttr value;
  if (auto constant = dyn_cast<arith::ConstantOp>(op))
    value = dyn_cast<ElementsAttr>(constant.getValue());
  else if (auto constant = dyn_cast<graph::ConstantOp>(op))
    value = constant.getValue();
  return value;
}

/// The argument that a reshape reads, when the kernel has no other use for it.
BlockArgument getReshapedInput(KernelOp kernel, Operation &op) {
  // Sizes that an expansion is given are values of the kernel.
  if (!isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp>(op) ||
      op.getNumOperands() != 1)
    return {};
  auto argument = dyn_cast<BlockArgument>(op.getOperand(0));
  if (!argument || argument.getArgNumber() >= kernel.getNumInputs() ||
      !argument.hasOneUse())
    return {};
  return argument;
}

class TeHoistOperands : public te::impl::TeHoistOperandsBase<TeHoistOperands> {
  void runOnOperation() override {
    DenseMap<StringAttr, SmallVector<LaunchOp>> launches;
    getOperation().walk([&](LaunchOp launch) {
      launches[launch.getKernelAttr().getAttr()].push_back(launch);
    });
    for (auto kernel : getOperation().getOps<KernelOp>()) {
      if (kernel.getBody().empty())
        continue;
      SmallVector<Operation *> ops;
      kernel.getBody().walk([&](Operation *op) { ops.push_back(op); });
      for (Operation *op : ops) {
        if (ElementsAttr value = getTensorConstant(*op))
          hoistConstant(kernel, *op, value, launches[kernel.getSymNameAttr()]);
        else if (BlockArgument input = getReshapedInput(kernel, *op))
          hoistReshape(kernel, *op, input, launches[kernel.getSymNameAttr()]);
      }
    }
  }

  static void setArgumentTypes(KernelOp kernel) {
    kernel.setFunctionType(FunctionType::get(
        kernel.getContext(), kernel.getBody().front().getArgumentTypes(),
        kernel.getResultTypes()));
  }

  void hoistConstant(KernelOp kernel, Operation &op, ElementsAttr value,
                     ArrayRef<LaunchOp> calls) {
    unsigned position = kernel.getNumInputs();
    Type type = op.getResult(0).getType();
    // Attributes of the arguments behind it move along.
    auto function = cast<FunctionOpInterface>(kernel.getOperation());
    (void)function.insertArgument(
        position, type, DictionaryAttr::get(kernel.getContext()), op.getLoc());
    op.getResult(0).replaceAllUsesWith(function.getArgument(position));
    op.erase();
    for (LaunchOp call : calls) {
      OpBuilder builder(call);
      Value constant =
          graph::ConstantOp::create(builder, call.getLoc(), type, value);
      call.getInputsMutable().append(constant);
    }
  }

  void hoistReshape(KernelOp kernel, Operation &op, BlockArgument input,
                    ArrayRef<LaunchOp> calls) {
    auto type = cast<RankedTensorType>(op.getResult(0).getType());
    unsigned position = input.getArgNumber();
    for (LaunchOp call : calls) {
      OpBuilder builder(call);
      Value operand = call.getInputs()[position], reshaped;
      if (auto constant = operand.getDefiningOp<graph::ConstantOp>())
        if (ElementsAttr value =
                graph::reshapeElements(constant.getValue(), type.getShape()))
          reshaped = graph::ConstantOp::create(builder, constant.getLoc(), type,
                                               value);
      if (!reshaped) {
        IRMapping mapping;
        mapping.map(input, operand);
        reshaped = builder.clone(op, mapping)->getResult(0);
      }
      call.getInputsMutable()[position].set(reshaped);
    }
    op.getResult(0).replaceAllUsesWith(input);
    op.erase();
    input.setType(type);
    setArgumentTypes(kernel);
  }
};

} // namespace
