//===- ToLinalgContraction.cpp - Matrix products to linalg ----------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Graph/GraphContraction.h"
#include "dialects/Graph/GraphInteger.h"
#include "passes/Graph/ToLinalg.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Traits.h"

using namespace mlir;
using namespace acc::graph;

namespace {

RankedTensorType typeOf(Value value) {
  return cast<RankedTensorType>(value.getType());
}

/// linalg.matmul of a (m, k) and b (k, n), either of them possibly stored
/// transposed.
Value createMatmul(ImplicitLocOpBuilder &b, Value lhs, Value rhs,
                   RankedTensorType type, bool transA, bool transB) {
  Value init = createFilled(b, type, getZero(type.getElementType()));
  auto matmul = linalg::MatmulOp::create(
      b, TypeRange(type), ValueRange{lhs, rhs}, ValueRange(init));
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

class GemmPattern : public OpConversionPattern<GemmOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(GemmOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    RankedTensorType type = typeOf(op.getResult());
    Value result = createMatmul(b, adaptor.getA(), adaptor.getB(), type,
                                op.getTransA(), op.getTransB());
    auto scale = [&](ImplicitLocOpBuilder &inner, Value x, APFloat factor) {
      if (factor.isExactlyValue(1.0))
        return x;
      Value constant = arith::ConstantOp::create(
          inner, FloatAttr::get(x.getType(), factor.convertToDouble()));
      return arith::MulFOp::create(inner, x, constant).getResult();
    };
    SmallVector<Value> operands{result};
    if (adaptor.getC())
      operands.push_back(adaptor.getC());
    else if (op.getAlpha().isExactlyValue(1.0)) {
      rewriter.replaceOp(op, result);
      return success();
    }
    rewriter.replaceOp(
        op, createElementwise(
                b, type, operands,
                [&](ImplicitLocOpBuilder &inner, ValueRange x) -> Value {
                  Value product = scale(inner, x[0], op.getAlpha());
                  if (x.size() == 1)
                    return product;
                  return arith::AddFOp::create(
                      inner, product, scale(inner, x[1], op.getBeta()));
                }));
    return success();
  }
};

class GemmIntegerPattern : public OpConversionPattern<GemmIntegerOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(GemmIntegerOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    Value result = createMatmul(b, adaptor.getInput(), adaptor.getWeight(),
                                typeOf(op.getResult()), /*transA=*/false,
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
    RankedTensorType type = typeOf(op.getResult());
    if (typeOf(lhs).getRank() == 1)
      lhs = createReshape(b, lhs, {1, typeOf(lhs).getDimSize(0)});
    if (typeOf(rhs).getRank() == 1)
      rhs = createReshape(b, rhs, {typeOf(rhs).getDimSize(0), 1});
    ArrayRef<int64_t> lhsShape = typeOf(lhs).getShape(),
                      rhsShape = typeOf(rhs).getShape();
    int64_t m = lhsShape[lhsShape.size() - 2], k = lhsShape.back(),
            n = rhsShape.back();
    Value result;
    if (rhsShape.size() == 2) {
      int64_t rows = typeOf(lhs).getNumElements() / k;
      result = createMatmul(b, createReshape(b, lhs, {rows, k}), rhs,
                            type.clone({rows, n}), false, false);
    } else {
      SmallVector<int64_t> batch;
      if (!OpTrait::util::getBroadcastedShape(lhsShape.drop_back(2),
                                              rhsShape.drop_back(2), batch))
        return rewriter.notifyMatchFailure(op, "leading axes do not broadcast");
      int64_t batches = 1;
      for (int64_t size : batch)
        batches *= size;
      lhs = createReshape(b, repeat(b, lhs, batch), {batches, m, k});
      rhs = createReshape(b, repeat(b, rhs, batch), {batches, k, n});
      RankedTensorType batchedType = type.clone({batches, m, n});
      Value init = createFilled(b, batchedType, getZero(type.getElementType()));
      result =
          linalg::BatchMatmulOp::create(b, TypeRange(batchedType),
                                        ValueRange{lhs, rhs}, ValueRange(init))
              .getResult(0);
    }
    rewriter.replaceOp(op, createReshape(b, result, type.getShape()));
    return success();
  }

  /// Copies the matrices along leading axes that broadcast.
  static Value repeat(ImplicitLocOpBuilder &b, Value value,
                      ArrayRef<int64_t> batch) {
    SmallVector<int64_t> shape(batch);
    llvm::append_range(shape, typeOf(value).getShape().take_back(2));
    if (typeOf(value).getNumElements() == ShapedType::getNumElements(shape))
      return value;
    return createElementwise(
        b, typeOf(value).clone(shape), value,
        [](ImplicitLocOpBuilder &, ValueRange x) { return x[0]; });
  }
};

} // namespace

void acc::graph::populateContractionToLinalg(const TypeConverter &converter,
                                             RewritePatternSet &patterns) {
  patterns.add<GemmPattern, GemmIntegerPattern, MatMulPattern>(
      converter, patterns.getContext());
}
