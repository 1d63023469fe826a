//===- ToLinalgContraction.cpp - Matrix products to linalg ----------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Graph/GraphContraction.h"
#include "dialects/Graph/GraphInteger.h"
#include "passes/Graph/Convolutions.h"
#include "passes/Graph/ScalarMath.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace acc::graph;

namespace {

bool isFloat(Type type) { return isa<FloatType>(type); }

/// linalg.matmul of a (m, k) and b (k, n), either of them possibly stored
/// transposed, with sums of type `sum`.
Value createMatmul(ImplicitLocOpBuilder &b, Value lhs, Value rhs,
                   ArrayRef<OpFoldResult> sizes, Type sum, bool transA,
                   bool transB) {
  Value init = createFilled(b, sizes, getZero(sum));
  auto matmul = linalg::MatmulOp::create(
      b, TypeRange(init.getType()), ValueRange{lhs, rhs}, ValueRange(init));
  if (transA || transB) {
    AffineExpr m = b.getAffineDimExpr(0), n = b.getAffineDimExpr(1),
               k = b.getAffineDimExpr(2);
    auto map = [&](AffineExpr first, AffineExpr second, bool swap) {
      return AffineMap::get(
          3, 0, {swap ? second : first, swap ? first : second}, b.getContext());
    };
    matmul.setIndexingMapsAttr(b.getAffineMapArrayAttr(
        {map(m, k, transA), map(k, n, transB), map(m, n, false)}));
  }
  return matmul.getResult(0);
}

/// `value` with the last of `sizes`, where only a run tells whether an axis
/// repeats.
Value createRepeated(ImplicitLocOpBuilder &b, Value value,
                     ArrayRef<OpFoldResult> sizes) {
  RankedTensorType type = typeOf(value);
  Sizes own = getSizes(b, value);
  SmallVector<int64_t> shape(type.getShape());
  bool isCertain = true;
  sizes = sizes.take_back(own.size());
  for (auto [axis, size] : llvm::enumerate(own)) {
    if (!type.isDynamicDim(axis) || areEqualSizes(size, sizes[axis]))
      continue;
    isCertain = false;
    size = sizes[axis];
    shape[axis] = getConstantIntValue(size).value_or(ShapedType::kDynamic);
  }
  if (isCertain)
    return value;
  return createElementwise(
      b, type.clone(shape), value,
      [](ImplicitLocOpBuilder &, ValueRange x) { return x[0]; }, own);
}

class GemmPattern : public OpConversionPattern<GemmOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(GemmOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    Type element = typeOf(adaptor.getA()).getElementType();
    Type sum = getAccumulatorType(element);
    Sizes sizes = getTypedSizes(b, op, adaptor.getOperands());
    Value result = createMatmul(b, adaptor.getA(), adaptor.getB(), sizes, sum,
                                op.getTransA(), op.getTransB());
    bool scaled = !op.getAlpha().isExactlyValue(1.0);
    if (!adaptor.getC() && !scaled) {
      rewriter.replaceOp(op, convertElements(b, result, element));
      return success();
    }
    SmallVector<Value> operands{result};
    SmallVector<AffineMap> maps{b.getMultiDimIdentityMap(2)};
    if (Value c = adaptor.getC()) {
      c = createRepeated(b, c, sizes);
      operands.push_back(c);
      maps.push_back(getBroadcastMap(typeOf(c), typeOf(result)));
    }
    maps.push_back(b.getMultiDimIdentityMap(2));
    Value init = tensor::EmptyOp::create(b, sizes, element);
    rewriter.replaceOp(
        op, createGeneric(b, init, operands, maps, 0,
                          [&](ImplicitLocOpBuilder &inner, ValueRange x) {
                            return finish(inner, op, x.drop_back(), element);
                          }));
    return success();
  }

  /// alpha * product + beta * c; inference makes sure that both factors of
  /// integers are 1.
  static Value finish(ImplicitLocOpBuilder &b, GemmOp op, ValueRange x,
                      Type element) {
    if (!isFloat(element))
      return x.size() == 1 ? x[0] : Scalar(b, x[0]) + Scalar(b, x[1]);
    auto scale = [&](Value value, APFloat factor) {
      Scalar wide = Scalar(b, value).toReal(x[0].getType());
      return factor.isExactlyValue(1.0) ? wide
                                        : wide * factor.convertToDouble();
    };
    Scalar result = scale(x[0], op.getAlpha());
    if (x.size() == 2)
      result = result + scale(x[1], op.getBeta());
    return result.toReal(element);
  }

  /// Which element of c is added: axes of size 1 are repeated.
  static AffineMap getBroadcastMap(RankedTensorType type,
                                   RankedTensorType result) {
    MLIRContext *context = type.getContext();
    SmallVector<AffineExpr> exprs;
    for (auto [axis, size] : llvm::enumerate(type.getShape()))
      exprs.push_back(
          size == 1 ? getAffineConstantExpr(0, context)
                    : getAffineDimExpr(axis + 2 - type.getRank(), context));
    return AffineMap::get(result.getRank(), 0, exprs, context);
  }
};

class GemmIntegerPattern : public OpConversionPattern<GemmIntegerOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(GemmIntegerOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    Value result = createMatmul(b, adaptor.getInput(), adaptor.getWeight(),
                                getTypedSizes(b, op, adaptor.getOperands()),
                                b.getI32Type(), /*transA=*/false,
                                /*transB=*/true);
    rewriter.replaceOp(op,
                       createBiased(b, result, adaptor.getBias(), /*axis=*/1));
    return success();
  }
};

class MatMulPattern : public OpConversionPattern<MatMulOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(MatMulOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    Value lhs = adaptor.getA(), rhs = adaptor.getB();
    Type element = typeOf(lhs).getElementType();
    Type sum = getAccumulatorType(element);
    Sizes sizes = getTypedSizes(b, op, adaptor.getOperands());
    Value result;
    if (typeOf(rhs).getRank() != 2)
      result = createBatched(b, lhs, rhs, sizes, sum);
    else if (typeOf(lhs).getRank() == 2)
      result = createMatmul(b, lhs, rhs, sizes, sum, false, false);
    else
      result = createRows(b, lhs, rhs, sizes, sum);
    rewriter.replaceOp(op, convertElements(b, result, element));
    return success();
  }

  /// One matrix on the right: all rows on the left are one matrix too.
  static Value createRows(ImplicitLocOpBuilder &b, Value lhs, Value rhs,
                          ArrayRef<OpFoldResult> sizes, Type sum) {
    Sizes shape = getTypedSizes(b, lhs);
    OpFoldResult rows = multiplySizes(b, ArrayRef(shape).drop_back());
    Value flat = createReshape(b, lhs, Sizes{rows, shape.back()});
    Value result =
        createMatmul(b, flat, rhs, {rows, sizes.back()}, sum, false, false);
    return createReshape(b, result, sizes);
  }

  /// Copies matrices along leading axes of which only a run tells whether they
  /// broadcast.
  static Value repeat(ImplicitLocOpBuilder &b, Value value,
                      ArrayRef<OpFoldResult> batch) {
    RankedTensorType type = typeOf(value);
    Sizes shape = getTypedSizes(b, value);
    int64_t leading = std::max<int64_t>(type.getRank() - 2, 0);
    batch = batch.take_back(leading);
    bool isCertain = true;
    for (int64_t axis = 0; axis < leading; ++axis)
      isCertain &=
          !type.isDynamicDim(axis) || areEqualSizes(shape[axis], batch[axis]);
    if (isCertain)
      return value;
    Sizes whole(batch);
    llvm::append_range(whole, ArrayRef(shape).drop_front(leading));
    SmallVector<int64_t> sizes;
    for (OpFoldResult size : whole)
      sizes.push_back(getConstantIntValue(size).value_or(ShapedType::kDynamic));
    return createElementwise(
        b, type.clone(sizes), value,
        [](ImplicitLocOpBuilder &, ValueRange x) { return x[0]; }, whole);
  }

  /// As a generic whose leading axes broadcast; a vector has no row or no
  /// column.
  static Value createBatched(ImplicitLocOpBuilder &b, Value lhs, Value rhs,
                             ArrayRef<OpFoldResult> sizes, Type sum) {
    int64_t loops = sizes.size() + 1;
    bool hasRow = typeOf(lhs).getRank() > 1,
         hasColumn = typeOf(rhs).getRank() > 1;
    int64_t batch = sizes.size() - hasRow - hasColumn;
    lhs = repeat(b, lhs, sizes.take_front(batch));
    rhs = repeat(b, rhs, sizes.take_front(batch));
    AffineExpr row = b.getAffineDimExpr(batch),
               column = b.getAffineDimExpr(batch + hasRow),
               inner = b.getAffineDimExpr(loops - 1);
    auto leading = [&](Value value) {
      ArrayRef<int64_t> shape = typeOf(value).getShape();
      shape = shape.drop_back(std::min<size_t>(shape.size(), 2));
      SmallVector<AffineExpr> exprs;
      for (auto [axis, size] : llvm::enumerate(shape)) {
        int64_t loop = batch - shape.size() + axis;
        bool repeats = size == 1 && !isConstantIntValue(sizes[loop], 1);
        exprs.push_back(repeats ? b.getAffineConstantExpr(0)
                                : b.getAffineDimExpr(loop));
      }
      return exprs;
    };
    SmallVector<AffineExpr> x = leading(lhs), w = leading(rhs), y;
    if (hasRow)
      x.push_back(row);
    x.push_back(inner);
    w.push_back(inner);
    if (hasColumn)
      w.push_back(column);
    for (int64_t axis = 0; axis < loops - 1; ++axis)
      y.push_back(b.getAffineDimExpr(axis));
    auto map = [&](ArrayRef<AffineExpr> exprs) {
      return AffineMap::get(loops, 0, exprs, b.getContext());
    };
    return createGeneric(b, createFilled(b, sizes, getZero(sum)), {lhs, rhs},
                         {map(x), map(w), map(y)}, 1,
                         [](ImplicitLocOpBuilder &inner, ValueRange args) {
                           return multiplyAccumulate(inner, args[0], args[1],
                                                     args[2]);
                         });
  }
};

} // namespace

void acc::graph::populateContractionToLinalg(const TypeConverter &converter,
                                             RewritePatternSet &patterns) {
  patterns.add<GemmPattern, GemmIntegerPattern, MatMulPattern>(
      converter, patterns.getContext());
}
