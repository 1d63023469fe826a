//===- GraphControl.cpp - Loops and branches ------------------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Graph/GraphControl.h"

#include "dialects/Graph/Shape.h"

#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace acc::graph;

#define GET_OP_CLASSES
#include "dialects/Graph/GraphControl.cpp.inc"

/// Refuses a scalar operand that is a tensor with axes.
static LogicalResult checkScalar(ShapeContext &c, Value operand,
                                 StringRef name) {
  if (operand && cast<RankedTensorType>(operand.getType()).getRank() != 0)
    return c.error("the ", name, " is ", operand.getType(),
                   " but must be a scalar");
  return success();
}

/// Whether the block of a region has arguments of these types and ends in a
/// graph.yield; `what` is the region, for messages.
static FailureOr<YieldOp> checkRegion(Operation *op, Region &region,
                                      TypeRange arguments, StringRef what) {
  Block &block = region.front();
  if (block.getArgumentTypes() != arguments)
    return op->emitOpError("has ")
           << what << " with arguments " << block.getArgumentTypes()
           << " instead of " << arguments;
  auto yield = block.empty() ? YieldOp() : dyn_cast<YieldOp>(block.back());
  if (!yield)
    return op->emitOpError("has ")
           << what << " that does not end in a graph.yield";
  return yield;
}

static LogicalResult checkYield(YieldOp yield, TypeRange wanted,
                                StringRef what) {
  if (yield.getOperandTypes() == wanted)
    return success();
  return yield->getParentOp()->emitOpError("has ")
         << what << " that yields " << yield.getOperandTypes() << " instead of "
         << wanted;
}

//===----------------------------------------------------------------------===//
// LoopOp
//===----------------------------------------------------------------------===//

LogicalResult LoopOp::inferShapes(ShapeContext &c,
                                  SmallVectorImpl<TensorShape> &results) {
  if (!getCount() && !getCondition())
    return c.error("needs a count or a condition");
  if (failed(checkScalar(c, getCount(), "count")) ||
      failed(checkScalar(c, getCondition(), "condition")))
    return failure();
  size_t numStates = getStates().size();
  if (getValues().size() < numStates)
    return c.error("has ", getValues().size(), " results behind the first but ",
                   numStates, " states");
  results.push_back({{}, IntegerType::get(getContext(), 64)});
  for (Value state : getStates())
    results.push_back(c.shape(state));
  ValueRange sizes = getSizes();
  for (Value slices : getValues().drop_front(numStates)) {
    auto type = cast<RankedTensorType>(slices.getType());
    if (type.getRank() == 0)
      return c.error("has slices that are scalars");
    TensorShape shape{{}, type.getElementType()};
    for (auto [axis, size] : llvm::enumerate(type.getShape())) {
      if (!ShapedType::isDynamic(size)) {
        shape.sizes.push_back(c.constant(size));
        continue;
      }
      Value given = getCapacity();
      if (axis > 0) {
        given = sizes.empty() ? Value() : sizes.front();
        sizes = sizes.drop_front(sizes.empty() ? 0 : 1);
      }
      if (!given)
        return c.error("has slices ", Type(type),
                       axis == 0 ? " but no capacity"
                                 : " and too few sizes for them");
      shape.sizes.push_back(c.value(given));
    }
    results.push_back(std::move(shape));
  }
  if (!sizes.empty())
    return c.error("has ", sizes.size(), " sizes more than its slices need");
  return success();
}

LogicalResult LoopOp::verifyRegions() {
  SmallVector<Type> arguments{getTurns().getType()};
  llvm::append_range(arguments, getStates().getTypes());
  llvm::append_range(arguments, getCaptures().getTypes());
  FailureOr<YieldOp> yield = checkRegion(*this, getBody(), arguments, "a body");
  if (failed(yield))
    return failure();
  SmallVector<Type> wanted;
  if (getCondition())
    wanted.push_back(getCondition().getType());
  llvm::append_range(wanted, getStates().getTypes());
  for (Value slices : getValues().drop_front(getStates().size())) {
    auto type = cast<RankedTensorType>(slices.getType());
    wanted.push_back(type.clone(type.getShape().drop_front()));
  }
  return checkYield(*yield, wanted, "a body");
}

//===----------------------------------------------------------------------===//
// IfOp
//===----------------------------------------------------------------------===//

LogicalResult IfOp::inferShapes(ShapeContext &c,
                                SmallVectorImpl<TensorShape> &results) {
  if (failed(checkScalar(c, getCondition(), "condition")))
    return failure();
  ValueRange sizes = getSizes();
  for (Value value : getValues()) {
    auto type = cast<RankedTensorType>(value.getType());
    if (type.getNumDynamicDims() > sizes.size())
      return c.error("has ", getSizes().size(),
                     " sizes, too few for its results");
    FailureOr<SmallVector<AffineExpr>> shape =
        c.values(type.getShape(), sizes.take_front(type.getNumDynamicDims()));
    if (failed(shape))
      return failure();
    sizes = sizes.drop_front(type.getNumDynamicDims());
    results.push_back({std::move(*shape), type.getElementType()});
  }
  if (!sizes.empty())
    return c.error("has ", sizes.size(), " sizes more than its results need");
  return success();
}

LogicalResult IfOp::verifyRegions() {
  for (Region *region : getRegions()) {
    FailureOr<YieldOp> yield =
        checkRegion(*this, *region, getCaptures().getTypes(), "a branch");
    if (failed(yield) ||
        failed(checkYield(*yield, getResultTypes(), "a branch")))
      return failure();
  }
  return success();
}
