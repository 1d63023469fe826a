//===- LegalizeProducts.cpp - Products of two computed matrices -----------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The part of graph-legalize-quantization that handles matrix products whose
// operands are both quantized as activations are: computed ones, as in
// attention, and constants that are no matrix of weights on the right.
//
//===----------------------------------------------------------------------===//

#include "passes/Graph/ActivationProduct.h"
#include "passes/Graph/Scale.h"

#include <cmath>

using namespace mlir;
using namespace acc::graph;

namespace {

using Factor = ActivationProduct::Factor;

FailureOr<Factor> readFactor(OpBuilder &builder, Location loc, Value value,
                             bool isTransposed, std::string &reason) {
  FailureOr<Operand> operand = readOperand(builder, loc, value, reason);
  if (failed(operand))
    return failure();
  return Factor{operand->integers, operand->grid, isTransposed};
}

SmallVector<int64_t> swapLast(ArrayRef<int64_t> perm) {
  SmallVector<int64_t> swapped(perm);
  std::swap(swapped[perm.size() - 1], swapped[perm.size() - 2]);
  return swapped;
}

/// Swaps the last two axes of what a factor reads, and the product's view of
/// them.
void transpose(OpBuilder &builder, Location loc, Factor &factor) {
  auto type = cast<RankedTensorType>(factor.integers.getType());
  SmallVector<int64_t> perm =
      swapLast(llvm::to_vector(llvm::seq<int64_t>(0, type.getRank())));
  factor.integers = builder.createOrFold<TransposeOp>(loc, factor.integers,
                                                      ArrayRef<int64_t>(perm));
  factor.isTransposed = !factor.isTransposed;
}

/// Leaves out what a transpose in front of the product does to the last axis,
/// so that it is the same in memory before and behind it: heads that are taken
/// apart and transposed, as keys are, only need to be taken apart.
void keepLastAxis(OpBuilder &builder, Location loc, Factor &factor) {
  auto move = factor.integers.getDefiningOp<TransposeOp>();
  if (!move)
    return;
  ArrayRef<int64_t> perm = move.getPerm();
  size_t rank = perm.size();
  if (perm[rank - 2] != int64_t(rank) - 1)
    return;
  factor.integers = builder.createOrFold<TransposeOp>(
      loc, move.getInput(), ArrayRef<int64_t>(swapLast(perm)));
  factor.isTransposed = !factor.isTransposed;
}

/// Brings stacks of matrices into the form (n, rows, columns), and rows that
/// meet one matrix into (rows, columns), where all sizes are known and nothing
/// else repeats.
void stack(OpBuilder &builder, Location loc, Factor &a, Factor &b) {
  auto left = cast<RankedTensorType>(a.integers.getType()),
       right = cast<RankedTensorType>(b.integers.getType());
  if (!left.hasStaticShape() || !right.hasStaticShape())
    return;
  auto reshape = [&](Factor &factor, ArrayRef<int64_t> shape) {
    auto type = cast<RankedTensorType>(factor.integers.getType());
    if (type.getShape() != shape)
      factor.integers = builder.createOrFold<ReshapeOp>(
          loc, type.clone(shape), factor.integers, ValueRange());
  };
  ArrayRef<int64_t> rows = left.getShape(), columns = right.getShape();
  if (llvm::all_of(columns.drop_back(2), [](int64_t n) { return n == 1; })) {
    reshape(a, {ShapedType::getNumElements(rows.drop_back()), rows.back()});
    reshape(b, columns.take_back(2));
  } else if (rows.drop_back(2) == columns.drop_back(2)) {
    int64_t count = ShapedType::getNumElements(rows.drop_back(2));
    reshape(a, {count, rows[rows.size() - 2], rows.back()});
    reshape(b, {count, columns[columns.size() - 2], columns.back()});
  }
}

} // namespace

bool acc::graph::isProductOfActivations(Operation *op) {
  if (!isa<GemmOp, MatMulOp>(op))
    return false;
  Value right = getQuantizedSource(op->getOperand(1));
  return right && (!matchPattern(right, m_Constant()) ||
                   cast<RankedTensorType>(right.getType()).getRank() > 2);
}

FailureOr<ActivationProduct> ActivationProduct::get(OpBuilder &builder,
                                                    Location loc, Operation *op,
                                                    std::string &reason) {
  ActivationProduct product;
  product.op = op;
  auto gemm = dyn_cast<GemmOp>(op);
  product.alpha = gemm ? gemm.getAlpha().convertToDouble() : 1;
  if (!(product.alpha > 0) || std::isinf(product.alpha)) {
    reason = "alpha is not positive";
    return failure();
  }
  for (Value operand : op->getOperands().take_front(2))
    if (cast<RankedTensorType>(operand.getType()).getRank() < 2) {
      reason = "an operand is a vector";
      return failure();
    }
  FailureOr<Factor> a = readFactor(builder, loc, op->getOperand(0),
                                   gemm && gemm.getTransA(), reason);
  if (failed(a))
    return failure();
  FailureOr<Factor> b = readFactor(builder, loc, op->getOperand(1),
                                   gemm && gemm.getTransB(), reason);
  if (failed(b))
    return failure();
  auto type = cast<RankedTensorType>(a->integers.getType());
  int64_t depth = type.getDimSize(type.getRank() - (a->isTransposed ? 2 : 1));
  if (ShapedType::isDynamic(depth)) {
    reason = "how many products are added is known at run time only";
    return failure();
  }
  keepLastAxis(builder, loc, *b);
  if (a->isTransposed)
    transpose(builder, loc, *a);

  stack(builder, loc, *a, *b);

  Interval left = a->grid.centered(), right = b->grid.centered();
  int64_t ends[] = {left.lo * right.lo, left.lo * right.hi, left.hi * right.lo,
                    left.hi * right.hi};
  product.range.lo = depth * *llvm::min_element(ends);
  product.range.hi = depth * *llvm::max_element(ends);
  product.a = *a;
  product.b = *b;
  return product;
}

Value ActivationProduct::create(OpBuilder &builder, Location loc,
                                int32_t offset) const {
  return MatMulIntegerOp::create(
      builder, loc, a.integers, b.integers,
      builder.getI8IntegerAttr(int8_t(a.grid.zeroPoint)),
      builder.getI8IntegerAttr(int8_t(b.grid.zeroPoint)),
      builder.getI32IntegerAttr(offset), builder.getBoolAttr(b.isTransposed));
}

Value ActivationProduct::restoreShape(OpBuilder &builder, Location loc,
                                      Value value) const {
  auto shape = cast<RankedTensorType>(op->getResult(0).getType()).getShape();
  auto own = cast<RankedTensorType>(value.getType());
  if (!own.hasStaticShape() || own.getShape() == shape)
    return value;
  return ReshapeOp::create(builder, loc, own.clone(shape), value, ValueRange());
}

FailureOr<Value> acc::graph::legalizeProduct(OpBuilder &builder,
                                             QuantizedLayer &layer,
                                             std::string &reason) {
  Location loc = layer.getLoc();
  auto gemm = dyn_cast<GemmOp>(layer.anchor);
  if (layer.biasAdd || (gemm && gemm.getC())) {
    reason = "adds a bias to a product of two activations";
    return failure();
  }
  FailureOr<ActivationProduct> product =
      ActivationProduct::get(builder, loc, layer.anchor, reason);
  if (failed(product))
    return failure();
  FailureOr<FixedPoint> point = deriveFixedPoint(
      getRatio({product->alpha, product->a.grid.scale, product->b.grid.scale},
               layer.output.scale),
      product->range, layer.output.output(), reason, layer.getTies());
  if (failed(point))
    return failure();
  int64_t offset = point->offset.front();
  if (offset != int32_t(offset)) {
    reason = "the accumulator may exceed 32 bits";
    return failure();
  }
  Value sum = product->create(builder, loc, int32_t(offset));
  return product->restoreShape(builder, loc,
                               makeRequantize(builder, loc, sum, *point));
}
