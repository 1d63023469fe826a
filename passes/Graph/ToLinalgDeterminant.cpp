//===- ToLinalgDeterminant.cpp - Determinants to linalg -------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Elimination with partial pivoting, one column after the other, on all
// matrices at once.
//
//===----------------------------------------------------------------------===//

#include "dialects/Graph/GraphReduction.h"
#include "passes/Graph/ToLinalgFold.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace acc::graph;

namespace {

/// Matrices (batch..., n, n) at the step that clears column `column`.
struct Elimination {
  ImplicitLocOpBuilder &b;
  int64_t rank;
  Type compute;
  Value column;

  AffineMap whole() const { return b.getMultiDimIdentityMap(rank); }
  AffineMap batch() const {
    return dropAxes(b.getContext(), rank, {rank - 2, rank - 1});
  }

  static Value equal(ImplicitLocOpBuilder &inner, Value x, Value y) {
    return arith::CmpIOp::create(inner, arith::CmpIPredicate::eq, x, y);
  }

  /// The element of the matrix at hand in another row and column.
  Value read(ImplicitLocOpBuilder &inner, Value matrices, Value row,
             Value column) const {
    SmallVector<Value> indices;
    for (int64_t axis = 0; axis < rank - 2; ++axis)
      indices.push_back(linalg::IndexOp::create(inner, axis));
    indices.append({row, column});
    return tensor::ExtractOp::create(inner, matrices, indices);
  }

  /// The row of the largest element at or below the diagonal.
  Value createPivots(Value matrices) const {
    SmallVector<OpFoldResult> sizes =
        tensor::getMixedSizes(b, b.getLoc(), matrices);
    sizes.pop_back();
    Value rows = tensor::EmptyOp::create(b, sizes, compute);
    // The values of `rows` are not read: it is what is walked over.
    SmallVector<Value> best = createFold(
        b, rows, rank - 2, /*keep=*/false,
        {{rows, b.getMultiDimIdentityMap(rank - 1)}},
        {b.getFloatAttr(compute, -1.0), b.getI64IntegerAttr(0)},
        [&](ImplicitLocOpBuilder &inner, ValueRange x) -> SmallVector<Value> {
          Value row = linalg::IndexOp::create(inner, rank - 2);
          Value size =
              math::AbsFOp::create(inner, read(inner, matrices, row, column));
          Value isBelow = arith::CmpIOp::create(
              inner, arith::CmpIPredicate::uge, row, column);
          // What is not a number wins, so that it is in the result.
          Value wins = arith::CmpFOp::create(inner, arith::CmpFPredicate::UGT,
                                             size, x[1]);
          wins = arith::AndIOp::create(inner, wins, isBelow);
          Value index =
              arith::IndexCastOp::create(inner, inner.getI64Type(), row);
          return {arith::SelectOp::create(inner, wins, size, x[1]),
                  arith::SelectOp::create(inner, wins, index, x[2])};
        });
    return best[1];
  }

  /// Swaps the row of the pivot with that of the diagonal.
  Value createSwapped(Value matrices, Value pivots) const {
    return createMap(b, matrices, compute, {{pivots, batch()}},
                     [&](ImplicitLocOpBuilder &inner, ValueRange x) {
                       Value pivot = arith::IndexCastOp::create(
                           inner, inner.getIndexType(), x[0]);
                       Value row = linalg::IndexOp::create(inner, rank - 2);
                       Value source = arith::SelectOp::create(
                           inner, equal(inner, row, pivot), column, row);
                       source = arith::SelectOp::create(
                           inner, equal(inner, row, column), pivot, source);
                       return read(inner, matrices, source,
                                   linalg::IndexOp::create(inner, rank - 1));
                     });
  }

  /// Subtracts the row of the diagonal from those below.
  Value createCleared(Value matrices) const {
    return createMap(
        b, matrices, compute, {{matrices, whole()}},
        [&](ImplicitLocOpBuilder &inner, ValueRange x) -> Value {
          Value row = linalg::IndexOp::create(inner, rank - 2);
          Value pivot = read(inner, matrices, column, column);
          Value factor = arith::DivFOp::create(
              inner, read(inner, matrices, row, column), pivot);
          Value other = read(inner, matrices, column,
                             linalg::IndexOp::create(inner, rank - 1));
          Value cleared = arith::SubFOp::create(
              inner, x[0], arith::MulFOp::create(inner, factor, other));
          Value isBelow = arith::CmpIOp::create(
              inner, arith::CmpIPredicate::ugt, row, column);
          Value isZero =
              arith::CmpFOp::create(inner, arith::CmpFPredicate::OEQ, pivot,
                                    createNumber(inner, compute, 0));
          cleared = arith::SelectOp::create(inner, isZero, x[0], cleared);
          return arith::SelectOp::create(inner, isBelow, cleared, x[0]);
        });
  }

  /// The product of the diagonal so far; a swap changes its sign.
  Value createProducts(Value products, Value matrices, Value pivots) const {
    AffineMap map = b.getMultiDimIdentityMap(rank - 2);
    return createMap(
        b, products, compute, {{products, map}, {pivots, map}},
        [&](ImplicitLocOpBuilder &inner, ValueRange x) -> Value {
          Value product = arith::MulFOp::create(
              inner, x[0], read(inner, matrices, column, column));
          Value pivot =
              arith::IndexCastOp::create(inner, inner.getIndexType(), x[1]);
          Value negative = arith::NegFOp::create(inner, product);
          return arith::SelectOp::create(inner, equal(inner, pivot, column),
                                         product, negative);
        });
  }
};

class DetPattern : public OpConversionPattern<DetOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(DetOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    Value input = adaptor.getInput();
    auto type = cast<RankedTensorType>(input.getType());
    Type element = type.getElementType(), compute = getComputeType(element);
    int64_t rank = type.getRank();
    auto convert = [&](Value value, Type to) {
      AffineMap map = b.getMultiDimIdentityMap(
          cast<RankedTensorType>(value.getType()).getRank());
      return createMap(b, value, to, {{value, map}},
                       [&](ImplicitLocOpBuilder &inner, ValueRange x) {
                         return convertFloat(inner, x[0], to);
                       });
    };
    Value matrices = convert(input, compute);
    Value products =
        createEmptyLike(b, input, compute, axesFrom(rank - 2, rank));
    products = linalg::FillOp::create(b, createNumber(b, compute, 1), products)
                   .getResult(0);
    Value zero = arith::ConstantIndexOp::create(b, 0),
          one = arith::ConstantIndexOp::create(b, 1),
          count = b.createOrFold<tensor::DimOp>(input, rank - 1);
    auto loop = scf::ForOp::create(
        b, zero, count, one, ValueRange{matrices, products},
        [&](OpBuilder &nested, Location loc, Value column, ValueRange carried) {
          ImplicitLocOpBuilder inner(loc, nested);
          Elimination step{inner, rank, compute, column};
          Value pivots = step.createPivots(carried[0]);
          Value swapped = step.createSwapped(carried[0], pivots);
          Value next = step.createProducts(carried[1], swapped, pivots);
          Value cleared = step.createCleared(swapped);
          cleared = keepInPlace(inner, cleared, carried[0]);
          next = keepInPlace(inner, next, carried[1]);
          scf::YieldOp::create(inner, ValueRange{cleared, next});
        });
    Value result = loop.getResult(1);
    rewriter.replaceOp(op,
                       compute == element ? result : convert(result, element));
    return success();
  }
};

} // namespace

void acc::graph::populateDeterminantToLinalg(const TypeConverter &converter,
                                             RewritePatternSet &patterns) {
  patterns.add<DetPattern>(converter, patterns.getContext());
}
