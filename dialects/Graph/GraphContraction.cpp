//===- GraphContraction.cpp - Convolutions, matrix products ---------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Graph/GraphContraction.h"
#include "dialects/Graph/Constants.h"
#include "dialects/Graph/GraphMovement.h"
#include "dialects/Graph/Inference.h"

#include "mlir/IR/PatternMatch.h"

using namespace mlir;
using namespace acc::graph;

//===----------------------------------------------------------------------===//
// conv
//===----------------------------------------------------------------------===//

LogicalResult ConvOp::inferResultShapes(ShapeContext &c, Adaptor adaptor,
                                        SmallVectorImpl<TensorShape> &results) {
  if (failed(c.requireSameElements(adaptor.getOperands())))
    return failure();
  TensorShape input = c.shape(adaptor.getInput());
  TensorShape weight = c.shape(adaptor.getWeight());
  if (input.rank() < 3)
    return c.error("input has rank ", input.rank(),
                   " but needs a batch, a channel and a spatial axis");
  if (weight.rank() != input.rank())
    return c.error("input has rank ", input.rank(), " but weight has rank ",
                   weight.rank());
  int64_t group = adaptor.getGroup();
  AffineExpr channels = input.sizes[1], outputs = weight.sizes[0];
  if (group < 1)
    return c.error("'group' is ", group, " but must be positive");
  for (AffineExpr size : {channels, outputs})
    if (failed(c.requireEqual(size % group, c.constant(0), "'group' is ", group,
                              ", which does not divide both ", channels,
                              " input channels and ", outputs,
                              " output channels")))
      return failure();
  AffineExpr each = channels.floorDiv(group);
  if (failed(
          c.requireEqual(weight.sizes[1], each, "weight has ", weight.sizes[1],
                         " input channels per group but the input has ", each)))
    return failure();
  if (Value bias = adaptor.getBias()) {
    TensorShape shape = c.shape(bias);
    if (failed(c.requireEqual(
            shape.rank() == 1 ? shape.sizes[0] : c.constant(-1), outputs,
            "bias is ", shape, " but needs one element for each of ", outputs,
            " output channels")))
      return failure();
  }
  FailureOr<SmallVector<AffineExpr>> spatial = c.windows(
      ArrayRef(input.sizes).drop_front(2), ArrayRef(weight.sizes).drop_front(2),
      adaptor.getStrides(), adaptor.getPads(), adaptor.getDilations());
  if (failed(spatial))
    return failure();
  results.push_back({{input.sizes[0], outputs}, input.element});
  llvm::append_range(results.back().sizes, *spatial);
  return success();
}

/// Padding with zeros in front of a convolution becomes the padding of the
/// convolution.
struct FoldPadIntoConv : OpRewritePattern<ConvOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(ConvOp conv,
                                PatternRewriter &rewriter) const override {
    auto pad = conv.getInput().getDefiningOp<PadOp>();
    if (!pad)
      return rewriter.notifyMatchFailure(conv, "input is not padded");
    if (pad.getMode() != PadMode::Constant || !pad.getConstantValue().isZero())
      return rewriter.notifyMatchFailure(conv, "padding is not zero");
    std::optional<SmallVector<int64_t>> pads = addPads(pad, conv.getPads());
    if (!pads)
      return rewriter.notifyMatchFailure(conv, "pads no space, or crops");
    Location loc = FusedLoc::get(getContext(), {pad.getLoc(), conv.getLoc()});
    rewriter.modifyOpInPlace(conv, [&] {
      conv.getInputMutable().assign(pad.getInput());
      conv.setPads(*pads);
      conv->setLoc(loc);
    });
    return success();
  }
};

void ConvOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                         MLIRContext *context) {
  patterns.add<FoldPadIntoConv>(context);
}

//===----------------------------------------------------------------------===//
// gemm, mat_mul
//===----------------------------------------------------------------------===//

LogicalResult GemmOp::inferResultShapes(ShapeContext &c, Adaptor adaptor,
                                        SmallVectorImpl<TensorShape> &results) {
  TensorShape a = c.shape(adaptor.getA()), b = c.shape(adaptor.getB());
  if (failed(c.requireSameElements(adaptor.getOperands())))
    return failure();
  if (a.rank() != 2 || b.rank() != 2)
    return c.error("operands have ranks ", a.rank(), " and ", b.rank(),
                   " but must be matrices");
  if (adaptor.getTransA())
    std::swap(a.sizes[0], a.sizes[1]);
  if (adaptor.getTransB())
    std::swap(b.sizes[0], b.sizes[1]);
  AffineExpr rows = a.sizes[0], columns = b.sizes[1];
  if (failed(c.requireEqual(a.sizes[1], b.sizes[0], "sums over ", a.sizes[1],
                            " elements of a but ", b.sizes[0],
                            " elements of b")))
    return failure();
  if (!isa<FloatType>(a.element) && (!adaptor.getAlpha().isExactlyValue(1.0) ||
                                     !adaptor.getBeta().isExactlyValue(1.0)))
    return c.error("scales integers by 'alpha' or 'beta'");
  if (Value bias = adaptor.getC()) {
    TensorShape shape = c.shape(bias);
    if (shape.rank() > 2)
      return c.error("c has rank ", shape.rank(),
                     " and does not broadcast to a matrix");
    const AffineExpr wholes[] = {columns, rows};
    for (auto [size, whole] : llvm::zip(llvm::reverse(shape.sizes), wholes)) {
      if (getKnownSize(size) == 1)
        continue;
      if (failed(c.requireEqual(size, whole, "c of shape ", shape,
                                " does not broadcast to ", rows, "x", columns)))
        return failure();
    }
  }
  results.push_back({{rows, columns}, a.element});
  return success();
}

LogicalResult
MatMulOp::inferResultShapes(ShapeContext &c, Adaptor adaptor,
                            SmallVectorImpl<TensorShape> &results) {
  if (failed(c.requireSameElements(adaptor.getOperands())))
    return failure();
  TensorShape aShape = c.shape(adaptor.getA()),
              bShape = c.shape(adaptor.getB());
  ArrayRef<AffineExpr> a = aShape.sizes, b = bShape.sizes;
  if (a.empty() || b.empty())
    return c.error("does not take scalars");
  AffineExpr inner = a.back(), other = b.size() == 1 ? b[0] : b[b.size() - 2];
  if (failed(c.requireEqual(inner, other, "sums over ", inner,
                            " elements of a but ", other, " elements of b")))
    return failure();
  FailureOr<SmallVector<AffineExpr>> sizes =
      c.broadcast({a.drop_back(std::min<size_t>(a.size(), 2)),
                   b.drop_back(std::min<size_t>(b.size(), 2))});
  if (failed(sizes))
    return failure();
  if (a.size() > 1)
    sizes->push_back(a[a.size() - 2]);
  if (b.size() > 1)
    sizes->push_back(b.back());
  results.push_back({std::move(*sizes), aShape.element});
  return success();
}

#define GET_OP_CLASSES
#include "dialects/Graph/GraphContraction.cpp.inc"
