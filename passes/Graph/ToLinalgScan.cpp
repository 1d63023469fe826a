//===- ToLinalgScan.cpp - Sequential computations to linalg ---------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Scans along an axis, as a loop over slices, sums of products by equation,
// and determinants.
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

/// Element by element along an axis: what is combined so far is a slice.
template <typename Op, typename Float, typename Integer>
class ScanPattern : public OpConversionPattern<Op> {
  using OpConversionPattern<Op>::OpConversionPattern;

  LogicalResult
  matchAndRewrite(Op op, typename Op::Adaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    Value input = adaptor.getInput();
    Type element = typeOf(input).getElementType(),
         compute = getComputeType(element);
    int64_t axis = op.getAxis();
    // Nothing to combine, and no slices to take where no elements are.
    if (llvm::is_contained(typeOf(input).getShape(), 0)) {
      rewriter.replaceOp(op, createEmptyLike(b, input, element));
      return success();
    }
    SmallVector<OpFoldResult> sizes =
        tensor::getMixedSizes(b, b.getLoc(), input);
    sizes[axis] = b.getIndexAttr(1);
    SmallVector<OpFoldResult> strides(sizes.size(), b.getIndexAttr(1));
    Value neutral = createNumber(b, compute, std::is_same_v<Op, CumProdOp>);
    Value state = tensor::EmptyOp::create(b, sizes, compute);
    state = linalg::FillOp::create(b, neutral, state).getResult(0);
    Value result = createEmptyLike(b, input, element);
    Value zero = arith::ConstantIndexOp::create(b, 0),
          one = arith::ConstantIndexOp::create(b, 1),
          count = b.createOrFold<tensor::DimOp>(input, axis);
    auto loop = scf::ForOp::create(
        b, zero, count, one, ValueRange{state, result},
        [&](OpBuilder &nested, Location loc, Value step, ValueRange carried) {
          ImplicitLocOpBuilder inner(loc, nested);
          if (op.getReverse())
            step = arith::SubIOp::create(
                inner, arith::SubIOp::create(inner, count, one), step);
          SmallVector<OpFoldResult> offsets(sizes.size(),
                                            inner.getIndexAttr(0));
          offsets[axis] = step;
          Value slice = tensor::ExtractSliceOp::create(inner, input, offsets,
                                                       sizes, strides);
          AffineMap map = inner.getMultiDimIdentityMap(sizes.size());
          Value next = combine(inner, carried[0], slice, map);
          Value shown = convert(inner, op.getExclusive() ? carried[0] : next,
                                element, map);
          Value written = tensor::InsertSliceOp::create(
              inner, shown, carried[1], offsets, sizes, strides);
          next = keepInPlace(inner, next, carried[0]);
          scf::YieldOp::create(inner, ValueRange{next, written});
        });
    rewriter.replaceOp(op, loop.getResult(1));
    return success();
  }

  static Value combine(ImplicitLocOpBuilder &b, Value state, Value slice,
                       AffineMap map) {
    Type compute = typeOf(state).getElementType();
    return createMap(b, state, compute, {{state, map}, {slice, map}},
                     [&](ImplicitLocOpBuilder &inner, ValueRange x) -> Value {
                       if (isa<FloatType>(compute))
                         return Float::create(
                             inner, x[0], convertFloat(inner, x[1], compute));
                       return Integer::create(inner, x[0], x[1]);
                     });
  }

  static Value convert(ImplicitLocOpBuilder &b, Value state, Type element,
                       AffineMap map) {
    if (typeOf(state).getElementType() == element)
      return state;
    return createMap(b, state, element, {{state, map}},
                     [&](ImplicitLocOpBuilder &inner, ValueRange x) {
                       return convertFloat(inner, x[0], element);
                     });
  }
};

class EinsumPattern : public OpConversionPattern<EinsumOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(EinsumOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    auto equation = EinsumEquation::parse(op.getEquation());
    if (failed(equation))
      return rewriter.notifyMatchFailure(op, "not an equation");
    StringRef letters = equation->letters;
    auto rank = static_cast<int64_t>(letters.size());
    SmallVector<OpFoldResult> sizes(rank, b.getIndexAttr(1));
    SmallVector<AffineMap> maps;
    for (auto [names, input] :
         llvm::zip(equation->operands, adaptor.getInputs())) {
      SmallVector<AffineExpr> indices;
      SmallVector<OpFoldResult> own =
          tensor::getMixedSizes(b, b.getLoc(), input);
      for (auto [letter, size] : llvm::zip(names, own)) {
        auto dim = letters.find(letter);
        indices.push_back(b.getAffineDimExpr(dim));
        if (isConstantIntValue(sizes[dim], 1))
          sizes[dim] = size;
      }
      maps.push_back(AffineMap::get(rank, 0, indices, b.getContext()));
    }
    // Size 1 repeats where the letter is longer.
    for (auto [map, input] : llvm::zip(maps, adaptor.getInputs())) {
      SmallVector<AffineExpr> indices(map.getResults());
      for (auto [axis, expr] : llvm::enumerate(map.getResults()))
        if (typeOf(input).getDimSize(axis) == 1 &&
            !isConstantIntValue(sizes[cast<AffineDimExpr>(expr).getPosition()],
                                1))
          indices[axis] = b.getAffineConstantExpr(0);
      map = AffineMap::get(rank, 0, indices, b.getContext());
    }
    auto kept = static_cast<int64_t>(equation->result.size());
    Type element = typeOf(adaptor.getInputs().front()).getElementType(),
         compute = getComputeType(element);
    Value empty = tensor::EmptyOp::create(
        b, ArrayRef<OpFoldResult>(sizes).take_front(kept), compute);
    Value init = linalg::FillOp::create(b, createNumber(b, compute, 0), empty)
                     .getResult(0);
    SmallVector<int64_t> summed = axesFrom(kept, rank);
    maps.push_back(dropAxes(b.getContext(), rank, summed));
    SmallVector<utils::IteratorType> iterators(rank,
                                               utils::IteratorType::reduction);
    std::fill_n(iterators.begin(), kept, utils::IteratorType::parallel);
    SmallVector<Value> inputs(adaptor.getInputs());
    Value result =
        linalg::GenericOp::create(
            b, TypeRange(init.getType()), inputs, ValueRange(init), maps,
            iterators,
            [&](OpBuilder &nested, Location loc, ValueRange args) {
              ImplicitLocOpBuilder inner(loc, nested);
              linalg::YieldOp::create(inner, addProduct(inner, args, compute));
            })
            .getResult(0);
    if (compute != element) {
      AffineMap map = b.getMultiDimIdentityMap(kept);
      result = createMap(b, result, element, {{result, map}},
                         [&](ImplicitLocOpBuilder &inner, ValueRange x) {
                           return convertFloat(inner, x[0], element);
                         });
    }
    rewriter.replaceOp(op, result);
    return success();
  }

  static Value addProduct(ImplicitLocOpBuilder &b, ValueRange args,
                          Type compute) {
    bool isFloat = isa<FloatType>(compute);
    Value product;
    for (Value x : args.drop_back()) {
      if (isFloat)
        x = convertFloat(b, x, compute);
      if (!product)
        product = x;
      else if (isFloat)
        product = arith::MulFOp::create(b, product, x);
      else
        product = arith::MulIOp::create(b, product, x);
    }
    if (isFloat)
      return arith::AddFOp::create(b, args.back(), product);
    return arith::AddIOp::create(b, args.back(), product);
  }
};

} // namespace

void acc::graph::populateScanToLinalg(const TypeConverter &converter,
                                      RewritePatternSet &patterns) {
  patterns
      .add<ScanPattern<CumSumOp, arith::AddFOp, arith::AddIOp>,
           ScanPattern<CumProdOp, arith::MulFOp, arith::MulIOp>, EinsumPattern>(
          converter, patterns.getContext());
}
