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
#include "passes/Graph/Convolutions.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace acc::graph;

namespace {

/// Everything about a convolution but its bias.
struct Convolution {
  Value input, weight;
  SmallVector<int64_t> strides, dilations, pads;
  int64_t group;
  TypedAttr padValue;
  /// Sizes and element type of the sums.
  SmallVector<OpFoldResult> sizes;
  Type sum;

  /// Whether images and windows are one column wide, and higher.
  bool isColumn() const {
    RankedTensorType x = typeOf(input), w = typeOf(weight);
    return strides.size() == 2 && x.getDimSize(3) == 1 &&
           x.getDimSize(2) != 1 && w.getDimSize(3) == 1 && pads[1] == 0 &&
           pads[3] == 0 && hasKnownChannels();
  }
  /// Whether channels and windows are known; images may have any size.
  bool hasKnownChannels() const {
    return typeOf(weight).hasStaticShape() && !typeOf(input).isDynamicDim(1);
  }
};

/// Adds an axis of size 1 in front of the only spatial one: images are what
/// code generation is made for.
void makeImage(ImplicitLocOpBuilder &b, Convolution &conv) {
  auto expand = [&](Value value) {
    Sizes sizes = getTypedSizes(b, value);
    sizes.insert(sizes.begin() + 2, b.getIndexAttr(1));
    return createReshape(b, value, sizes);
  };
  conv.input = expand(conv.input);
  conv.weight = expand(conv.weight);
  conv.strides.insert(conv.strides.begin(), 1);
  conv.dilations.insert(conv.dilations.begin(), 1);
  conv.pads = {0, conv.pads[0], 0, conv.pads[1]};
  conv.sizes.insert(conv.sizes.begin() + 2, b.getIndexAttr(1));
}

/// Makes a row of a column, so that its elements are those of lanes.
void layDown(ImplicitLocOpBuilder &b, Convolution &conv) {
  auto swap = [&](Value value) {
    Sizes sizes = getTypedSizes(b, value);
    std::swap(sizes[2], sizes[3]);
    return createReshape(b, value, sizes);
  };
  conv.input = swap(conv.input);
  conv.weight = swap(conv.weight);
  std::swap(conv.strides[0], conv.strides[1]);
  std::swap(conv.dilations[0], conv.dilations[1]);
  std::swap(conv.pads[0], conv.pads[1]);
  std::swap(conv.pads[2], conv.pads[3]);
  std::swap(conv.sizes[2], conv.sizes[3]);
}

/// The named operation `Op` of a convolution of images.
template <typename Op>
Value createNamed(ImplicitLocOpBuilder &b, const Convolution &conv, Value input,
                  Value weight, ArrayRef<OpFoldResult> sizes) {
  Value init = createFilled(b, sizes, getZero(conv.sum));
  return Op::create(b, TypeRange(init.getType()), ValueRange{input, weight},
                    ValueRange(init), b.getI64VectorAttr(conv.strides),
                    b.getI64VectorAttr(conv.dilations))
      ->getResult(0);
}

/// Groups of images as an axis of their own.
Value createGroupedImages(ImplicitLocOpBuilder &b, const Convolution &conv,
                          Value input) {
  auto split = [&](ArrayRef<OpFoldResult> sizes) {
    Sizes result(sizes);
    result[1] = b.getIndexAttr(*getConstantIntValue(sizes[1]) / conv.group);
    result.insert(result.begin() + 1, b.getIndexAttr(conv.group));
    return result;
  };
  Value grouped = createNamed<linalg::Conv2DNgchwGfchwOp>(
      b, conv, createReshape(b, input, split(getTypedSizes(b, input))),
      splitGroups(b, conv.weight, conv.group), split(conv.sizes));
  return createReshape(b, grouped, conv.sizes);
}

/// Any number of spatial axes, any group, any sizes, as one generic.
Value createGenericConv(ImplicitLocOpBuilder &b, const Convolution &conv,
                        Value input) {
  int64_t spatial = conv.strides.size();
  auto dim = [&](int64_t index) { return b.getAffineDimExpr(index); };
  ArrayRef<int64_t> weight = typeOf(conv.weight).getShape();
  AffineExpr g = dim(1), c = dim(3 + spatial);
  SmallVector<AffineExpr> w{g, dim(2), c};
  SmallVector<AffineExpr> x{dim(0), conv.group == 1 ? c : g * weight[1] + c};
  for (int64_t axis = 0; axis < spatial; ++axis) {
    AffineExpr tap = dim(4 + spatial + axis);
    x.push_back(dim(3 + axis) * conv.strides[axis] +
                tap * conv.dilations[axis]);
    w.push_back(tap);
  }
  return createSumOfProducts(b, input, splitGroups(b, conv.weight, conv.group),
                             conv.sizes, conv.sum, weight[0] / conv.group, x,
                             w);
}

/// The sums of a convolution.
Value createConvolution(ImplicitLocOpBuilder &b, const Convolution &conv) {
  SmallVector<int64_t> low, high;
  splitSpatialPads(conv.pads, conv.sizes.size(), low, high);
  Value input = createPadded(b, conv.input, low, high, conv.padValue);
  ArrayRef<int64_t> weight = typeOf(conv.weight).getShape();
  if (conv.strides.size() != 2)
    return createGenericConv(b, conv, input);
  if (conv.group == 1)
    return createNamed<linalg::Conv2DNchwFchwOp>(b, conv, input, conv.weight,
                                                 conv.sizes);
  if (weight[0] == conv.group && weight[1] == 1) {
    Sizes flatSizes = getTypedSizes(b, conv.weight);
    flatSizes.erase(flatSizes.begin() + 1);
    Value flat = createReshape(b, conv.weight, flatSizes);
    return createNamed<linalg::DepthwiseConv2DNchwChwOp>(b, conv, input, flat,
                                                         conv.sizes);
  }
  return conv.hasKnownChannels() ? createGroupedImages(b, conv, input)
                                 : createGenericConv(b, conv, input);
}

template <typename Op> class ConvPattern : public OpConversionPattern<Op> {
  using OpConversionPattern<Op>::OpConversionPattern;

  LogicalResult
  matchAndRewrite(Op op, typename Op::Adaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    Type element = op.getType().getElementType();
    TypedAttr padValue = getZero(typeOf(adaptor.getInput()).getElementType());
    if constexpr (std::is_same_v<Op, ConvIntegerOp>)
      padValue = op.getPadValueAttr();
    if (op.getGroup() != 1 && !typeOf(adaptor.getWeight()).hasStaticShape())
      return op.emitOpError("needs a weight of static shape for groups");
    Convolution conv{adaptor.getInput(),
                     adaptor.getWeight(),
                     llvm::to_vector(op.getStrides()),
                     llvm::to_vector(op.getDilations()),
                     llvm::to_vector(op.getPads()),
                     static_cast<int64_t>(op.getGroup()),
                     padValue,
                     getTypedSizes(b, op, adaptor.getOperands()),
                     getAccumulatorType(element)};
    Sizes sizes = conv.sizes;
    bool isLine = conv.strides.size() == 1 && conv.hasKnownChannels(),
         isColumn = conv.isColumn();
    if (isLine)
      makeImage(b, conv);
    if (isColumn)
      layDown(b, conv);
    Value result =
        finishSums(b, createConvolution(b, conv), adaptor.getBias(), element);
    if (isLine || isColumn)
      result = createReshape(b, result, sizes);
    rewriter.replaceOp(op, result);
    return success();
  }
};

} // namespace

Type acc::graph::getAccumulatorType(Type type) {
  if (isa<FloatType>(type) && type.getIntOrFloatBitWidth() < 32)
    return Float32Type::get(type.getContext());
  return type;
}

/// A float or integer in a wider type.
static Value widen(ImplicitLocOpBuilder &b, Value value, Type type) {
  if (value.getType() == type)
    return value;
  if (isa<FloatType>(type))
    return arith::ExtFOp::create(b, type, value);
  return arith::ExtSIOp::create(b, type, value);
}

Value acc::graph::multiplyAccumulate(ImplicitLocOpBuilder &b, Value x, Value w,
                                     Value sum) {
  Value wideX = widen(b, x, sum.getType()), wideW = widen(b, w, sum.getType());
  if (isa<FloatType>(sum.getType()))
    return arith::AddFOp::create(b, sum,
                                 arith::MulFOp::create(b, wideX, wideW));
  return arith::AddIOp::create(b, sum, arith::MulIOp::create(b, wideX, wideW));
}

Value acc::graph::splitGroups(ImplicitLocOpBuilder &b, Value weight,
                              int64_t group) {
  Sizes sizes = getTypedSizes(b, weight);
  // One group has all there are, however many that is.
  if (group != 1)
    sizes[0] = b.getIndexAttr(typeOf(weight).getDimSize(0) / group);
  sizes.insert(sizes.begin(), b.getIndexAttr(group));
  return createReshape(b, weight, sizes);
}

Value acc::graph::createSumOfProducts(ImplicitLocOpBuilder &b, Value input,
                                      Value weight,
                                      ArrayRef<OpFoldResult> sizes, Type sum,
                                      int64_t outputsPerGroup,
                                      ArrayRef<AffineExpr> x,
                                      ArrayRef<AffineExpr> w) {
  int64_t spatial = sizes.size() - 2, loops = (2 * spatial) + 4;
  AffineExpr o = b.getAffineDimExpr(2);
  if (typeOf(weight).getDimSize(0) != 1)
    o = b.getAffineDimExpr(1) * outputsPerGroup + o;
  SmallVector<AffineExpr> y{b.getAffineDimExpr(0), o};
  for (int64_t axis = 0; axis < spatial; ++axis)
    y.push_back(b.getAffineDimExpr(3 + axis));
  auto map = [&](ArrayRef<AffineExpr> exprs) {
    return AffineMap::get(loops, 0, exprs, b.getContext());
  };
  return createGeneric(b, createFilled(b, sizes, getZero(sum)), {input, weight},
                       {map(x), map(w), map(y)}, spatial + 1,
                       [](ImplicitLocOpBuilder &inner, ValueRange args) {
                         return multiplyAccumulate(inner, args[0], args[1],
                                                   args[2]);
                       });
}

Value acc::graph::finishSums(ImplicitLocOpBuilder &b, Value sums, Value bias,
                             Type element) {
  if (!bias)
    return convertElements(b, sums, element);
  return convertElements(
      b,
      createBiased(b, sums,
                   convertElements(b, bias, getElementTypeOrSelf(sums)),
                   /*axis=*/1),
      element);
}

void acc::graph::populateConvolutionToLinalg(const TypeConverter &converter,
                                             RewritePatternSet &patterns) {
  patterns.add<ConvPattern<ConvOp>, ConvPattern<ConvIntegerOp>>(
      converter, patterns.getContext());
}
