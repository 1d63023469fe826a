//===- ToLinalgConvolution.cpp - Convolutions to linalg -------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Named linalg operations wherever one exists, so that the code generator
// recognises them; float and integer operators share every line. The bias is a
// separate element-wise operation, which fuses with what follows.
//
//===----------------------------------------------------------------------===//

#include "dialects/Graph/GraphContraction.h"
#include "dialects/Graph/GraphInteger.h"
#include "passes/Graph/ToLinalg.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace acc::graph;

namespace {

RankedTensorType typeOf(Value value) {
  return cast<RankedTensorType>(value.getType());
}

/// acc + x * w, where integers are sign-extended to the accumulator.
Value multiplyAccumulate(ImplicitLocOpBuilder &b, Value x, Value w, Value acc) {
  if (isa<FloatType>(acc.getType()))
    return arith::AddFOp::create(b, acc, arith::MulFOp::create(b, x, w));
  Value wideX = arith::ExtSIOp::create(b, acc.getType(), x);
  Value wideW = arith::ExtSIOp::create(b, acc.getType(), w);
  return arith::AddIOp::create(b, acc, arith::MulIOp::create(b, wideX, wideW));
}

struct Convolution {
  Value input, weight;
  ArrayRef<int64_t> strides, dilations;
  int64_t group;
  RankedTensorType resultType;

  SmallVector<int64_t> channelsFirst(int64_t batch,
                                     ArrayRef<int64_t> channels) const {
    SmallVector<int64_t> shape{batch};
    llvm::append_range(shape, channels);
    llvm::append_range(shape, typeOf(input).getShape().drop_front(2));
    return shape;
  }
};

/// Any number of spatial axes, any group, as one generic: (n, g, o, d...) over
/// (c, k...).
Value createGenericConv(ImplicitLocOpBuilder &b, const Convolution &conv,
                        Value input, Value weight, RankedTensorType type) {
  int64_t spatial = conv.strides.size(), rank = 2 * spatial + 4;
  auto dim = [&](int64_t index) { return b.getAffineDimExpr(index); };
  AffineExpr n = dim(0), g = dim(1), o = dim(2), c = dim(3 + spatial);
  SmallVector<AffineExpr> x{n, g, c}, w{g, o, c}, y{n, g, o};
  for (int64_t axis = 0; axis < spatial; ++axis) {
    AffineExpr out = dim(3 + axis), tap = dim(4 + spatial + axis);
    x.push_back(out * conv.strides[axis] + tap * conv.dilations[axis]);
    w.push_back(tap);
    y.push_back(out);
  }
  SmallVector<utils::IteratorType> iterators(rank,
                                             utils::IteratorType::parallel);
  std::fill(iterators.begin() + 3 + spatial, iterators.end(),
            utils::IteratorType::reduction);
  MLIRContext *context = b.getContext();
  Value init = createFilled(b, type, getZero(type.getElementType()));
  return linalg::GenericOp::create(
             b, TypeRange(type), ValueRange{input, weight}, ValueRange(init),
             ArrayRef<AffineMap>{AffineMap::get(rank, 0, x, context),
                                 AffineMap::get(rank, 0, w, context),
                                 AffineMap::get(rank, 0, y, context)},
             iterators,
             [](OpBuilder &nested, Location loc, ValueRange args) {
               ImplicitLocOpBuilder inner(loc, nested);
               linalg::YieldOp::create(
                   inner, multiplyAccumulate(inner, args[0], args[1], args[2]));
             })
      .getResult(0);
}

Value createConvolution(ImplicitLocOpBuilder &b, const Convolution &conv) {
  RankedTensorType type = conv.resultType, weightType = typeOf(conv.weight);
  int64_t batch = type.getDimSize(0), outputs = type.getDimSize(1),
          group = conv.group, groupOutputs = outputs / group,
          groupInputs = weightType.getDimSize(1);
  bool is2D = conv.strides.size() == 2;
  auto strides = b.getI64VectorAttr(conv.strides);
  auto dilations = b.getI64VectorAttr(conv.dilations);
  auto create = [&]<typename Op>(Value input, Value weight,
                                 RankedTensorType resultType) -> Value {
    Value init = createFilled(b, resultType, getZero(type.getElementType()));
    return Op::create(b, TypeRange(resultType), ValueRange{input, weight},
                      ValueRange(init), strides, dilations)
        ->getResult(0);
  };
  if (is2D && group == 1)
    return create.operator()<linalg::Conv2DNchwFchwOp>(conv.input, conv.weight,
                                                       type);
  SmallVector<int64_t> kernel(weightType.getShape().drop_front(2));
  if (is2D && groupOutputs == 1 && groupInputs == 1) {
    SmallVector<int64_t> shape{outputs};
    llvm::append_range(shape, kernel);
    return create.operator()<linalg::DepthwiseConv2DNchwChwOp>(
        conv.input, createReshape(b, conv.weight, shape), type);
  }
  Value input = createReshape(b, conv.input,
                              conv.channelsFirst(batch, {group, groupInputs}));
  SmallVector<int64_t> weightShape{group, groupOutputs, groupInputs};
  llvm::append_range(weightShape, kernel);
  Value weight = createReshape(b, conv.weight, weightShape);
  SmallVector<int64_t> grouped{batch, group, groupOutputs};
  llvm::append_range(grouped, type.getShape().drop_front(2));
  RankedTensorType groupedType = type.clone(grouped);
  Value result = is2D ? create.operator()<linalg::Conv2DNgchwGfchwOp>(
                            input, weight, groupedType)
                      : createGenericConv(b, conv, input, weight, groupedType);
  return createReshape(b, result, type.getShape());
}

template <typename Op> class ConvPattern : public OpConversionPattern<Op> {
  using OpConversionPattern<Op>::OpConversionPattern;

  LogicalResult
  matchAndRewrite(Op op, typename Op::Adaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    RankedTensorType inputType = typeOf(adaptor.getInput());
    TypedAttr padValue = getZero(inputType.getElementType());
    if constexpr (std::is_same_v<Op, ConvIntegerOp>)
      padValue = op.getPadValueAttr();
    SmallVector<int64_t> low, high;
    splitSpatialPads(op.getPads(), inputType.getRank(), low, high);
    Convolution conv{createPadded(b, adaptor.getInput(), low, high, padValue),
                     adaptor.getWeight(),
                     op.getStrides(),
                     op.getDilations(),
                     static_cast<int64_t>(op.getGroup()),
                     typeOf(op.getResult())};
    Value result = createConvolution(b, conv);
    if (Value bias = adaptor.getBias())
      result = createBiased(b, result, bias, /*axis=*/1);
    rewriter.replaceOp(op, result);
    return success();
  }
};

} // namespace

void acc::graph::populateConvolutionToLinalg(const TypeConverter &converter,
                                             RewritePatternSet &patterns) {
  patterns.add<ConvPattern<ConvOp>, ConvPattern<ConvIntegerOp>>(
      converter, patterns.getContext());
}
