//===- ToLinalgScatter.cpp - Writes at computed places to loops -----------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Graph/GraphIndexing.h"
#include "passes/Graph/LoopNests.h"
#include "passes/Graph/ToLinalg.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace acc::graph;

//===----------------------------------------------------------------------===//
// The table: where the update `at` goes, one index for each axis of the data,
// any of which may lie outside.
//===----------------------------------------------------------------------===//

static SmallVector<Value> getTarget(Indices &i, ScatterElementsOp op,
                                    ScatterElementsOp::Adaptor operands,
                                    SmallVector<Value> at) {
  int64_t axis = op.getAxis();
  at[axis] = i.wrap(i.readIndex(operands.getIndices(), at),
                    i.size(operands.getData(), axis));
  return at;
}

static SmallVector<Value> getTarget(Indices &i, ScatterNDOp op,
                                    ScatterNDOp::Adaptor operands,
                                    ArrayRef<Value> at) {
  RankedTensorType type = op.getIndices().getType();
  int64_t tuples = type.getRank() - 1;
  SmallVector<Value> target;
  for (int64_t entry = 0; entry < type.getShape().back(); ++entry) {
    SmallVector<Value> place(at.take_front(tuples));
    place.push_back(i.constant(entry));
    target.push_back(i.wrap(i.readIndex(operands.getIndices(), place),
                            i.size(operands.getData(), entry)));
  }
  llvm::append_range(target, at.drop_front(tuples));
  return target;
}

static SmallVector<Value> getTarget(Indices &i, TensorScatterOp op,
                                    TensorScatterOp::Adaptor operands,
                                    SmallVector<Value> at) {
  Value &place = at[op.getAxis()];
  if (Value start = operands.getStart())
    place = i.add(place, i.readIndex(start, at[0]));
  if (op.getCircular()) {
    Value size = i.size(operands.getData(), op.getAxis());
    place = i.wrap(i.rem(place, size), size);
  }
  return at;
}

static Value getUpdates(TensorScatterOp::Adaptor operands) {
  return operands.getUpdate();
}
template <typename Adaptor> static Value getUpdates(Adaptor operands) {
  return operands.getUpdates();
}

static ScatterReduction getReduction(TensorScatterOp) {
  return ScatterReduction::None;
}
template <typename Op> static ScatterReduction getReduction(Op op) {
  return op.getReduction();
}

/// What an update makes of what is there; `type` says whether integers are
/// signed.
static Value combine(Indices &i, ScatterReduction reduction, Type type,
                     Value old, Value update) {
  bool isFloat = isa<FloatType>(update.getType());
  bool isBool = update.getType().isInteger(1);
  bool isUnsigned = isUnsignedElement(type);
  auto make = [&]<typename Float, typename Integer>() -> Value {
    if (isFloat)
      return Float::create(i.b, old, update);
    return Integer::create(i.b, old, update);
  };
  switch (reduction) {
  case ScatterReduction::None:
    return update;
  case ScatterReduction::Add:
    return isBool ? make.operator()<arith::AddFOp, arith::OrIOp>()
                  : make.operator()<arith::AddFOp, arith::AddIOp>();
  case ScatterReduction::Mul:
    return make.operator()<arith::MulFOp, arith::MulIOp>();
  case ScatterReduction::Max:
    return isUnsigned ? make.operator()<arith::MaximumFOp, arith::MaxUIOp>()
                      : make.operator()<arith::MaximumFOp, arith::MaxSIOp>();
  case ScatterReduction::Min:
    return isUnsigned ? make.operator()<arith::MinimumFOp, arith::MinUIOp>()
                      : make.operator()<arith::MinimumFOp, arith::MinSIOp>();
  }
  llvm_unreachable("every reduction is handled");
}

namespace {

/// An operator of the table above: one update after the other on a copy.
template <typename Op> class ScatterPattern : public OpConversionPattern<Op> {
  using OpConversionPattern<Op>::OpConversionPattern;

  LogicalResult
  matchAndRewrite(Op op, typename Op::Adaptor operands,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    Indices indices(b);
    Value data = operands.getData(), updates = getUpdates(operands);
    Type element = op.getResult().getType().getElementType();
    Value empty = createEmptyResult(
        b, op->getResult(0),
        cast<RankedTensorType>(data.getType()).getElementType());
    Value copy = linalg::CopyOp::create(b, data, empty).getResult(0);
    SmallVector<Value> result = createLoops(
        indices, indices.sizes(updates), copy,
        [&](Indices &i, ValueRange at,
            ValueRange carried) -> SmallVector<Value> {
          SmallVector<Value> target =
              getTarget(i, op, operands, SmallVector<Value>(at));
          Value isInside =
              arith::ConstantOp::create(i.b, i.b.getBoolAttr(true));
          for (auto [axis, index] : llvm::enumerate(target)) {
            Value size = i.size(data, axis);
            isInside = i.both(isInside, i.isInside(index, size));
            index = i.clamp(index, size);
          }
          Value old = i.read(carried[0], target);
          Value value =
              combine(i, getReduction(op), element, old, i.read(updates, at));
          return {i.write(carried[0], i.select(isInside, value, old), target)};
        });
    rewriter.replaceOp(op, result);
    return success();
  }
};

} // namespace

void acc::graph::populateScatterToLinalg(const TypeConverter &converter,
                                         RewritePatternSet &patterns) {
  patterns.add<ScatterPattern<ScatterElementsOp>, ScatterPattern<ScatterNDOp>,
               ScatterPattern<TensorScatterOp>>(converter,
                                                patterns.getContext());
}
