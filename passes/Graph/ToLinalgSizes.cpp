//===- ToLinalgSizes.cpp - Sizes of tensors while graph becomes linalg ----===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Graph/Shape.h"
#include "passes/Graph/ToLinalg.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

namespace acc::graph {

OpFoldResult addSizes(ImplicitLocOpBuilder &b, OpFoldResult lhs,
                      OpFoldResult rhs) {
  std::optional<int64_t> x = getConstantIntValue(lhs),
                         y = getConstantIntValue(rhs);
  if (x && y)
    return b.getIndexAttr(*x + *y);
  if (x == 0 || y == 0)
    return x == 0 ? rhs : lhs;
  return arith::AddIOp::create(
             b, getValueOrCreateConstantIndexOp(b, b.getLoc(), lhs),
             getValueOrCreateConstantIndexOp(b, b.getLoc(), rhs))
      .getResult();
}

OpFoldResult multiplySizes(ImplicitLocOpBuilder &b,
                           ArrayRef<OpFoldResult> sizes) {
  OpFoldResult product = b.getIndexAttr(1);
  for (OpFoldResult size : sizes) {
    std::optional<int64_t> x = getConstantIntValue(product),
                           y = getConstantIntValue(size);
    if (x && y)
      product = b.getIndexAttr(*x * *y);
    else if (x == 1 || y == 1)
      product = x == 1 ? size : product;
    else
      product = arith::MulIOp::create(
                    b, getValueOrCreateConstantIndexOp(b, b.getLoc(), product),
                    getValueOrCreateConstantIndexOp(b, b.getLoc(), size))
                    .getResult();
  }
  return product;
}

/// The size of an argument, taken where the function starts, once.
static Value getArgumentSize(ImplicitLocOpBuilder &b, BlockArgument argument,
                             int64_t axis) {
  Block *block = argument.getOwner();
  for (Operation &op : *block) {
    if (auto dim = dyn_cast<tensor::DimOp>(op);
        dim && dim.getSource() == argument && dim.getConstantIndex() == axis)
      return dim;
    if (!isa<tensor::DimOp, arith::ConstantOp>(op))
      break;
  }
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(block);
  return tensor::DimOp::create(b, argument, axis);
}

SmallVector<OpFoldResult> getSizes(ImplicitLocOpBuilder &b, Value tensor) {
  auto type = cast<RankedTensorType>(tensor.getType());
  SmallVector<OpFoldResult> sizes;
  auto isKnown = [&] { return type.hasStaticShape(); };
  if (Operation *op = isKnown() ? nullptr : tensor.getDefiningOp()) {
    if (auto styled = dyn_cast<DestinationStyleOpInterface>(op))
      sizes =
          getSizes(b, styled.getTiedOpOperand(cast<OpResult>(tensor))->get());
    else if (auto empty = dyn_cast<tensor::EmptyOp>(op))
      sizes = empty.getMixedSizes();
    else if (auto expand = dyn_cast<tensor::ExpandShapeOp>(op))
      sizes = expand.getMixedOutputShape();
    else if (auto insert = dyn_cast<tensor::InsertSliceOp>(op))
      sizes = getSizes(b, insert.getDest());
    else if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op);
             slice && slice.getSourceType().getRank() == type.getRank())
      sizes = slice.getMixedSizes();
    else if (isa<tensor::CastOp, UnrealizedConversionCastOp>(op) &&
             isa<RankedTensorType>(op->getOperand(0).getType()))
      sizes = getSizes(b, op->getOperand(0));
    else if (auto collapse = dyn_cast<tensor::CollapseShapeOp>(op)) {
      SmallVector<OpFoldResult> source = getSizes(b, collapse.getSrc());
      for (const ReassociationIndices &group :
           collapse.getReassociationIndices())
        sizes.push_back(multiplySizes(
            b, ArrayRef(source).slice(group.front(), group.size())));
    } else if (auto pad = dyn_cast<tensor::PadOp>(op)) {
      sizes = getSizes(b, pad.getSource());
      for (auto [size, low, high] :
           llvm::zip(sizes, pad.getMixedLowPad(), pad.getMixedHighPad()))
        size = addSizes(b, addSizes(b, size, low), high);
    }
  }
  bool isFollowed = !sizes.empty();
  for (auto [axis, size] : llvm::enumerate(type.getShape())) {
    if (!isFollowed)
      sizes.emplace_back();
    if (!ShapedType::isDynamic(size))
      sizes[axis] = b.getIndexAttr(size);
    else if (isFollowed)
      continue;
    else if (auto argument = dyn_cast<BlockArgument>(tensor))
      sizes[axis] = getArgumentSize(b, argument, axis);
    else
      sizes[axis] = tensor::DimOp::create(b, tensor, axis).getResult();
  }
  return sizes;
}

SmallVector<OpFoldResult> completeSizes(ImplicitLocOpBuilder &b,
                                        RankedTensorType type,
                                        SmallVector<OpFoldResult> sizes) {
  bool isIncomplete = false;
  sizes.resize(type.getRank());
  for (auto [axis, size] : llvm::enumerate(sizes)) {
    if (!type.isDynamicDim(axis)) {
      size = b.getIndexAttr(type.getDimSize(axis));
      continue;
    }
    if (!size) {
      isIncomplete = true;
      size = b.getIndexAttr(0);
    }
    size = getValueOrCreateConstantIndexOp(b, b.getLoc(), size);
  }
  if (isIncomplete)
    emitError(b.getLoc(), "needs sizes that are known before run time");
  return sizes;
}

SmallVector<OpFoldResult> getResultSizes(ImplicitLocOpBuilder &b, Operation *op,
                                         ValueRange operands, unsigned result) {
  auto type = cast<RankedTensorType>(op->getResult(result).getType());
  if (type.hasStaticShape())
    return getAsIndexOpFoldResult(b.getContext(), type.getShape());
  ShapeScope scope(b.getContext());
  // Sizes that are known to be equal are one value: which of them is the
  // result's is then no question for the run.
  SmallVector<OpFoldResult> distinct;
  for (auto [original, lowered] : llvm::zip(op->getOperands(), operands)) {
    if (isa<RankedTensorType>(lowered.getType())) {
      SmallVector<OpFoldResult> own = getSizes(b, lowered);
      for (OpFoldResult &size : own) {
        auto *same = llvm::find_if(distinct, [&](OpFoldResult other) {
          return areEqualSizes(size, other);
        });
        if (same != distinct.end())
          size = *same;
        else
          distinct.push_back(size);
      }
      scope.bind(original, own);
    } else {
      scope.bindIndex(original, lowered);
    }
  }
  SmallVector<OpFoldResult> sizes;
  FailureOr<SmallVector<TensorShape>> shapes = inferShapes(op, scope);
  // Sizes that do not fit each other have been said to be an error by now.
  if (failed(shapes))
    return completeSizes(b, type, sizes);
  for (AffineExpr size : (*shapes)[result].sizes)
    sizes.push_back(scope.materialize(b, b.getLoc(), size));
  return sizes;
}

bool areEqualSizes(ArrayRef<OpFoldResult> lhs, ArrayRef<OpFoldResult> rhs) {
  if (lhs == rhs)
    return true;
  MLIRContext *context = nullptr;
  for (OpFoldResult size : llvm::concat<const OpFoldResult>(lhs, rhs))
    context = size.getContext();
  ShapeScope scope(context, ShapeScope::Sees::Definitions);
  auto product = [&](ArrayRef<OpFoldResult> sizes) {
    AffineExpr result = getAffineConstantExpr(1, context);
    for (OpFoldResult size : sizes) {
      std::optional<int64_t> number = getConstantIntValue(size);
      result = result * (number ? getAffineConstantExpr(*number, context)
                                : scope.valueOf(cast<Value>(size)));
    }
    return normalizeSize(result);
  };
  return product(lhs) == product(rhs);
}

SmallVector<OpFoldResult>
broadcastSizes(ImplicitLocOpBuilder &b,
               ArrayRef<SmallVector<OpFoldResult>> shapes) {
  SmallVector<OpFoldResult> result;
  for (const SmallVector<OpFoldResult> &shape : shapes) {
    if (shape.size() > result.size())
      result.insert(result.begin(), shape.size() - result.size(),
                    b.getIndexAttr(1));
    OpFoldResult *aligned = result.end() - shape.size();
    for (auto [index, size] : llvm::enumerate(shape)) {
      OpFoldResult &old = aligned[index];
      std::optional<int64_t> x = getConstantIntValue(old),
                             y = getConstantIntValue(size);
      if (y == 1 || (x && x != 1) || areEqualSizes(old, size))
        continue;
      if (x == 1 || y) {
        old = size;
        continue;
      }
      Value one = arith::ConstantIndexOp::create(b, 1);
      Value isOne = arith::CmpIOp::create(b, arith::CmpIPredicate::eq,
                                          cast<Value>(old), one);
      old =
          arith::SelectOp::create(b, isOne, cast<Value>(size), cast<Value>(old))
              .getResult();
    }
  }
  return result;
}

} // namespace acc::graph
