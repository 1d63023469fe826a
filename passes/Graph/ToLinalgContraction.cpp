//===- ToLinalgContraction.cpp - Matrix products to linalg ----------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Graph/GraphContraction.h"
#include "dialects/Graph/GraphInteger.h"
#include "passes/Graph/Convolutions.h"
#include "passes/Graph/LoopNests.h"
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

/// Copies matrices along leading axes of which only a run tells whether they
/// broadcast.
Value repeatMatrices(ImplicitLocOpBuilder &b, Value value,
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

/// Sums the products that `body` makes of the elements of two matrices and the
/// running sum, as a generic whose leading axes broadcast; a vector has no row
/// or no column. With `transB` the last two axes on the right are swapped.
Value createBatched(ImplicitLocOpBuilder &b, Value lhs, Value rhs,
                    ArrayRef<OpFoldResult> sizes, Type sum, bool transB,
                    ScalarBody body) {
  int64_t loops = sizes.size() + 1;
  bool hasRow = typeOf(lhs).getRank() > 1,
       hasColumn = typeOf(rhs).getRank() > 1;
  int64_t batch = sizes.size() - hasRow - hasColumn;
  lhs = repeatMatrices(b, lhs, sizes.take_front(batch));
  rhs = repeatMatrices(b, rhs, sizes.take_front(batch));
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
    w.insert(transB ? w.end() - 1 : w.end(), column);
  for (int64_t axis = 0; axis < loops - 1; ++axis)
    y.push_back(b.getAffineDimExpr(axis));
  auto map = [&](ArrayRef<AffineExpr> exprs) {
    return AffineMap::get(loops, 0, exprs, b.getContext());
  };
  return createGeneric(b, createFilled(b, sizes, getZero(sum)), {lhs, rhs},
                       {map(x), map(w), map(y)}, 1, body);
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
      result =
          createBatched(b, lhs, rhs, sizes, sum, /*transB=*/false,
                        [](ImplicitLocOpBuilder &inner, ValueRange x) {
                          return multiplyAccumulate(inner, x[0], x[1], x[2]);
                        });
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
};

/// Zero points are subtracted from sums rather than from elements, so that the
/// products are those of a contraction of i8: of sum (a - za) * (b - zb),
///
///     sum a * b  -  zb * sum a  -  za * sum b  +  K * za * zb
class MatMulIntegerPattern : public OpConversionPattern<MatMulIntegerOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(MatMulIntegerOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    Value lhs = adaptor.getA(), rhs = adaptor.getB();
    Sizes sizes = getTypedSizes(b, op, adaptor.getOperands());
    Value products = createProducts(b, op, lhs, rhs);
    if (!products) {
      // Only a run tells what meets what.
      products = createBatched(
          b, lhs, rhs, sizes, b.getI32Type(), op.getTransB(),
          [&](ImplicitLocOpBuilder &inner, ValueRange x) -> Value {
            Value left = center(inner, x[0], op.getAZeroPoint()),
                  right = center(inner, x[1], op.getBZeroPoint());
            return arith::AddIOp::create(
                inner, x[2], arith::MulIOp::create(inner, left, right));
          });
      rewriter.replaceOp(op, addOffset(b, products, op.getOffset(), sizes));
      return success();
    }
    rewriter.replaceOp(op, correct(b, op, products, lhs, rhs));
    return success();
  }

  /// An element of i8 in 32 bits, minus its zero point.
  static Value center(ImplicitLocOpBuilder &b, Value element,
                      int8_t zeroPoint) {
    Value wide = arith::ExtSIOp::create(b, b.getI32Type(), element);
    if (zeroPoint == 0)
      return wide;
    return arith::SubIOp::create(
        b, wide, arith::ConstantOp::create(b, b.getI32IntegerAttr(zeroPoint)));
  }

  static Value addOffset(ImplicitLocOpBuilder &b, Value sums, int32_t offset,
                         ArrayRef<OpFoldResult> sizes) {
    if (offset == 0)
      return sums;
    return createElementwise(
        b, typeOf(sums), sums,
        [&](ImplicitLocOpBuilder &inner, ValueRange x) -> Value {
          return arith::AddIOp::create(
              inner, x[0],
              arith::ConstantOp::create(inner,
                                        inner.getI32IntegerAttr(offset)));
        },
        sizes);
  }

  /// sum a * b as products of matrices, one after the other; null where leading
  /// axes are open or broadcast. One matrix on the right meets all rows at
  /// once, however many there are.
  static Value createProducts(ImplicitLocOpBuilder &b, MatMulIntegerOp op,
                              Value lhs, Value rhs) {
    ArrayRef<int64_t> left = typeOf(lhs).getShape(),
                      right = typeOf(rhs).getShape(),
                      result = op.getType().getShape();
    if (ShapedType::isDynamic(result.back()) ||
        ShapedType::isDynamic(left.back()) || left.back() == 0)
      return {};
    Type sum = b.getI32Type();
    auto isOne = [](int64_t size) { return size == 1; };
    int64_t columns = result.back();
    auto asSizes = [&](ArrayRef<int64_t> shape) {
      return getAsIndexOpFoldResult(b.getContext(), shape);
    };
    if (llvm::all_of(right.drop_back(2), isOne)) {
      Sizes sizes = getTypedSizes(b, lhs);
      OpFoldResult rows = multiplySizes(b, ArrayRef(sizes).drop_back());
      Value flat = createReshape(b, lhs, Sizes{rows, sizes.back()}),
            matrix = createReshape(b, rhs, right.take_back(2));
      Value product =
          createMatmul(b, flat, matrix, {rows, b.getIndexAttr(columns)}, sum,
                       false, op.getTransB());
      // The matrix may have more axes than what is on the left.
      Sizes whole(result.size() - left.size(), b.getIndexAttr(1));
      llvm::append_range(whole, ArrayRef(sizes).drop_back());
      whole.push_back(b.getIndexAttr(columns));
      return createReshape(b, product, whole);
    }
    if (llvm::any_of(result, ShapedType::isDynamic) ||
        left.drop_back(2) != right.drop_back(2))
      return {};
    int64_t batch = ShapedType::getNumElements(left.drop_back(2)),
            rows = left[left.size() - 2];
    auto stack = [&](Value value) {
      SmallVector<int64_t> shape(typeOf(value).getShape().take_back(2));
      shape.insert(shape.begin(), batch);
      return createReshape(b, value, shape);
    };
    lhs = stack(lhs);
    rhs = stack(rhs);
    Indices indices(b);
    Value empty = tensor::EmptyOp::create(
        b, ArrayRef<int64_t>{batch, rows, columns}, sum);
    auto place = [&](Value index, ArrayRef<int64_t> shape) {
      return std::tuple{SmallVector<OpFoldResult>{index, b.getIndexAttr(0),
                                                  b.getIndexAttr(0)},
                        SmallVector<OpFoldResult>{b.getIndexAttr(1),
                                                  b.getIndexAttr(shape[0]),
                                                  b.getIndexAttr(shape[1])},
                        SmallVector<OpFoldResult>(3, b.getIndexAttr(1))};
    };
    Value all =
        createLoops(
            indices, indices.constant(batch), empty,
            [&](Indices &i, ValueRange index,
                ValueRange carried) -> SmallVector<Value> {
              auto matrix = [&](Value value) -> Value {
                ArrayRef<int64_t> shape = typeOf(value).getShape().take_back(2);
                auto [offsets, extents, strides] = place(index[0], shape);
                return tensor::ExtractSliceOp::create(
                    i.b, RankedTensorType::get(shape, i.b.getI8Type()), value,
                    offsets, extents, strides);
              };
              Value product = createMatmul(i.b, matrix(lhs), matrix(rhs),
                                           asSizes({rows, columns}), sum, false,
                                           op.getTransB());
              auto [offsets, extents, strides] =
                  place(index[0], {rows, columns});
              return {tensor::InsertSliceOp::create(i.b, product, carried[0],
                                                    offsets, extents, strides)};
            })
            .front();
    return createReshape(b, all, result);
  }

  /// The products with what zero points and the offset add to them.
  static Value correct(ImplicitLocOpBuilder &b, MatMulIntegerOp op,
                       Value products, Value lhs, Value rhs) {
    RankedTensorType type = typeOf(products);
    int64_t rank = type.getRank(), depth = typeOf(lhs).getShape().back();
    auto za = int32_t(int8_t(op.getAZeroPoint())),
         zb = int32_t(int8_t(op.getBZeroPoint()));
    auto constant =
        uint32_t(op.getOffset()) + uint32_t(int64_t(za) * zb * depth);
    SmallVector<Value> operands{products};
    SmallVector<AffineMap> maps{b.getMultiDimIdentityMap(rank)};
    SmallVector<int32_t> factors;
    auto add = [&](Value value, bool isLeft, int64_t sumAxis, int32_t factor) {
      if (factor == 0)
        return;
      RankedTensorType from = typeOf(value);
      int64_t own = from.getRank();
      Value sums = createReduction(
          b, value, sumAxis, b.getI32IntegerAttr(0), b.getI32Type(),
          [](ImplicitLocOpBuilder &inner, ValueRange x) -> Value {
            return arith::AddIOp::create(
                inner, x[1],
                arith::ExtSIOp::create(inner, inner.getI32Type(), x[0]));
          });
      SmallVector<AffineExpr> exprs;
      for (int64_t axis = 0; axis + 2 < own; ++axis) {
        int64_t loop = rank - own + axis;
        exprs.push_back(from.getDimSize(axis) == 1 ? b.getAffineConstantExpr(0)
                                                   : b.getAffineDimExpr(loop));
      }
      exprs.push_back(b.getAffineDimExpr(isLeft ? rank - 2 : rank - 1));
      operands.push_back(sums);
      maps.push_back(AffineMap::get(rank, 0, exprs, b.getContext()));
      factors.push_back(-factor);
    };
    int64_t right = typeOf(rhs).getRank();
    add(lhs, /*isLeft=*/true, typeOf(lhs).getRank() - 1, zb);
    add(rhs, /*isLeft=*/false, op.getTransB() ? right - 1 : right - 2, za);
    if (factors.empty() && constant == 0)
      return products;
    return createElementwise(
        b, type, operands, maps,
        [&](ImplicitLocOpBuilder &inner, ValueRange x) {
          auto number = [&](int32_t value) -> Value {
            return arith::ConstantOp::create(inner,
                                             inner.getI32IntegerAttr(value));
          };
          Value total = x[0];
          for (auto [index, factor] : llvm::enumerate(factors))
            total = arith::AddIOp::create(
                inner, total,
                arith::MulIOp::create(inner, x[index + 1], number(factor)));
          if (constant != 0)
            total =
                arith::AddIOp::create(inner, total, number(int32_t(constant)));
          return total;
        });
  }
};

} // namespace

void acc::graph::populateContractionToLinalg(const TypeConverter &converter,
                                             RewritePatternSet &patterns) {
  patterns.add<GemmPattern, GemmIntegerPattern, MatMulPattern,
               MatMulIntegerPattern>(converter, patterns.getContext());
}
