//===- GraphPooling.cpp - Pooling operators -------------------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Graph/GraphPooling.h"
#include "dialects/Graph/GraphMovement.h"
#include "dialects/Graph/Windows.h"

#include "mlir/IR/PatternMatch.h"

using namespace mlir;
using namespace acc::graph;

/// The first output along an axis whose window meets nothing but padding.
static std::optional<int64_t> findEmptyWindow(int64_t size, int64_t outputs,
                                              int64_t kernel, int64_t stride,
                                              int64_t padBegin,
                                              int64_t dilation) {
  for (int64_t output = 0; output < outputs; ++output) {
    int64_t start = output * stride - padBegin;
    int64_t skipped = start < 0 ? (-start + dilation - 1) / dilation : 0;
    if (skipped >= kernel || start + skipped * dilation >= size)
      return output;
  }
  return std::nullopt;
}

/// Every window must meet an element: what a window of nothing but padding
/// holds differs between runtimes.
static LogicalResult checkWindow(ShapeContext &c, size_t axis, AffineExpr size,
                                 AffineExpr outputs, int64_t kernel,
                                 int64_t stride, int64_t padBegin,
                                 int64_t padEnd, int64_t dilation) {
  std::optional<int64_t> known = getKnownSize(size);
  if (known && getKnownSize(outputs)) {
    if (std::optional<int64_t> empty = findEmptyWindow(
            *known, *getKnownSize(outputs), kernel, stride, padBegin, dilation))
      return c.error("window ", *empty, " along spatial axis ", axis,
                     " holds nothing but padding");
    return success();
  }
  if (std::max(padBegin, padEnd) > (kernel - 1) * dilation)
    return c.error("windows along spatial axis ", axis,
                   " may hold nothing but padding");
  // A window that begins in front of the image meets the first of its elements
  // that is as far from there as a multiple of the dilation.
  int64_t least = 1;
  for (int64_t before = padBegin; before > 0; before -= stride)
    least =
        std::max(least, llvm::divideCeilSigned(before, dilation) * dilation -
                            before + 1);
  return c.requireAtLeast(
      size, c.constant(least), "windows along spatial axis ", axis,
      " hold nothing but padding: it has ", size,
      " elements and the window takes every ", dilation, "th");
}

static LogicalResult
inferPool(ShapeContext &c, Value operand, ArrayRef<int64_t> kernel,
          ArrayRef<int64_t> strides, ArrayRef<int64_t> pads,
          ArrayRef<int64_t> dilations, SmallVectorImpl<TensorShape> &results) {
  if (failed(rejectPerAxis(c, operand)))
    return failure();
  TensorShape input = c.shape(operand);
  if (input.rank() < 3)
    return c.error("input has rank ", input.rank(),
                   " but needs a batch, a channel and a spatial axis");
  ArrayRef<AffineExpr> spatial = ArrayRef(input.sizes).drop_front(2);
  SmallVector<AffineExpr> spans;
  for (int64_t size : kernel)
    spans.push_back(c.constant(size));
  FailureOr<SmallVector<AffineExpr>> sizes =
      c.windows(spatial, spans, strides, pads, dilations);
  if (failed(sizes))
    return failure();
  for (auto [axis, size] : llvm::enumerate(*sizes))
    if (failed(checkWindow(c, axis, spatial[axis], size, kernel[axis],
                           strides[axis], pads[axis],
                           pads[axis + sizes->size()], dilations[axis])))
      return failure();
  input.sizes.truncate(2);
  llvm::append_range(input.sizes, *sizes);
  results.push_back(std::move(input));
  return success();
}

LogicalResult
MaxPoolOp::inferResultShapes(ShapeContext &c, Adaptor adaptor,
                             SmallVectorImpl<TensorShape> &results) {
  return inferPool(c, adaptor.getInput(), adaptor.getKernelShape(),
                   adaptor.getStrides(), adaptor.getPads(),
                   adaptor.getDilations(), results);
}

namespace {

/// A border of the least number, which never wins, becomes the pool's own, as
/// long as every window still meets the image.
struct FoldPadIntoMaxPool : OpRewritePattern<MaxPoolOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(MaxPoolOp pool,
                                PatternRewriter &rewriter) const override {
    auto pad = pool.getInput().getDefiningOp<PadOp>();
    if (!pad || pad.getMode() != PadMode::Constant ||
        !getElementTypeOrSelf(pad.getType()).isSignlessInteger(8) ||
        pad.getConstantValue().convertToDouble() != -128)
      return rewriter.notifyMatchFailure(pool, "no border that never wins");
    std::optional<SmallVector<int64_t>> pads = addPads(pad, pool.getPads());
    if (!pads)
      return rewriter.notifyMatchFailure(pool, "pads no space, or crops");
    size_t spatial = pool.getKernelShape().size();
    for (auto [axis, size] : llvm::enumerate(*pads))
      if (size > (pool.getKernelShape()[axis % spatial] - 1) *
                     pool.getDilations()[axis % spatial])
        return rewriter.notifyMatchFailure(pool, "a window would be empty");
    rewriter.modifyOpInPlace(pool, [&] {
      pool.getInputMutable().assign(pad.getInput());
      pool.setPads(*pads);
    });
    return success();
  }
};

} // namespace

void MaxPoolOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                            MLIRContext *context) {
  patterns.add<FoldPadIntoMaxPool>(context);
}

LogicalResult
AveragePoolOp::inferResultShapes(ShapeContext &c, Adaptor adaptor,
                                 SmallVectorImpl<TensorShape> &results) {
  return inferPool(c, adaptor.getInput(), adaptor.getKernelShape(),
                   adaptor.getStrides(), adaptor.getPads(),
                   adaptor.getDilations(), results);
}

SmallVector<int64_t> AveragePoolOp::countElements(unsigned axis) {
  size_t spatial = getKernelShape().size();
  int64_t taps = getKernelShape()[axis], before = getPads()[axis];
  if (getCountIncludePad() || (before == 0 && getPads()[axis + spatial] == 0))
    return {taps};
  int64_t size = getInput().getType().getDimSize(axis + 2),
          positions = getType().getDimSize(axis + 2);
  if (ShapedType::isDynamic(size) || ShapedType::isDynamic(positions))
    return {};
  SmallVector<int64_t> counts;
  for (int64_t position = 0; position < positions; ++position) {
    int64_t count = 0;
    for (int64_t tap = 0; tap < taps; ++tap) {
      int64_t index =
          position * getStrides()[axis] + tap * getDilations()[axis] - before;
      count += index >= 0 && index < size;
    }
    // The sum of nothing is zero, whatever it is divided by.
    counts.push_back(std::max<int64_t>(count, 1));
  }
  if (llvm::all_equal(counts))
    counts.assign(1, counts.empty() ? taps : counts.front());
  return counts;
}

LogicalResult
MaxPoolIndicesOp::inferResultShapes(ShapeContext &c, Adaptor adaptor,
                                    SmallVectorImpl<TensorShape> &results) {
  if (failed(inferPool(c, adaptor.getInput(), adaptor.getKernelShape(),
                       adaptor.getStrides(), adaptor.getPads(),
                       adaptor.getDilations(), results)))
    return failure();
  results.back().element = IntegerType::get(c.getContext(), 64);
  return success();
}

LogicalResult
MaxUnpoolOp::inferResultShapes(ShapeContext &c, Adaptor adaptor,
                               SmallVectorImpl<TensorShape> &results) {
  TensorShape input = c.shape(adaptor.getInput());
  TensorShape indices = c.shape(adaptor.getIndices());
  int64_t spatial = adaptor.getKernelShape().size();
  if (input.rank() < 3 || input.rank() != spatial + 2)
    return c.error("input has rank ", input.rank(), " but the kernel has ",
                   spatial, " axes");
  if (indices.rank() != input.rank())
    return c.error("indices have rank ", indices.rank(), " instead of ",
                   input.rank());
  for (auto [mine, other] : llvm::zip(input.sizes, indices.sizes))
    if (failed(c.requireEqual(mine, other, "there are ", mine, " elements but ",
                              other, " indices along an axis")))
      return failure();
  SmallVector<int64_t> dilations(spatial, 1);
  if (failed(checkWindows(c, adaptor.getKernelShape(), adaptor.getStrides(),
                          adaptor.getPads(), dilations)))
    return failure();
  for (int64_t axis = 0; axis < spatial; ++axis) {
    AffineExpr &size = input.sizes[axis + 2];
    size = (size - 1) * adaptor.getStrides()[axis] +
           adaptor.getKernelShape()[axis] - adaptor.getPads()[axis] -
           adaptor.getPads()[axis + spatial];
    if (failed(c.requireAtLeast(size, c.constant(0), "pads leave ", size,
                                " elements along spatial axis ", axis)))
      return failure();
  }
  results.push_back(std::move(input));
  return success();
}

static LogicalResult checkNorm(ShapeContext &c, int64_t p) {
  if (p < 1)
    return c.error("'p' is ", p, " but must be positive");
  return success();
}

LogicalResult
LpPoolOp::inferResultShapes(ShapeContext &c, Adaptor adaptor,
                            SmallVectorImpl<TensorShape> &results) {
  if (failed(checkNorm(c, adaptor.getP())))
    return failure();
  return inferPool(c, adaptor.getInput(), adaptor.getKernelShape(),
                   adaptor.getStrides(), adaptor.getPads(),
                   adaptor.getDilations(), results);
}

/// All spatial axes become 1; without elements there is no `what`.
static LogicalResult inferGlobalPool(ShapeContext &c, Value input,
                                     StringRef what,
                                     SmallVectorImpl<TensorShape> &results) {
  TensorShape shape = c.shape(input);
  if (shape.rank() < 3)
    return c.error("input has rank ", shape.rank(),
                   " but needs a batch, a channel and a spatial axis");
  for (AffineExpr &size : llvm::drop_begin(shape.sizes, 2)) {
    if (failed(c.requireAtLeast(size, c.constant(1), "takes the ", what,
                                " of no elements")))
      return failure();
    size = c.constant(1);
  }
  results.push_back(std::move(shape));
  return success();
}

LogicalResult
GlobalAveragePoolOp::inferResultShapes(ShapeContext &c, Adaptor adaptor,
                                       SmallVectorImpl<TensorShape> &results) {
  return inferGlobalPool(c, adaptor.getInput(), "mean", results);
}

LogicalResult
GlobalMaxPoolOp::inferResultShapes(ShapeContext &c, Adaptor adaptor,
                                   SmallVectorImpl<TensorShape> &results) {
  return inferGlobalPool(c, adaptor.getInput(), "maximum", results);
}

LogicalResult
GlobalLpPoolOp::inferResultShapes(ShapeContext &c, Adaptor adaptor,
                                  SmallVectorImpl<TensorShape> &results) {
  if (failed(checkNorm(c, adaptor.getP())))
    return failure();
  return inferGlobalPool(c, adaptor.getInput(), "norm", results);
}

#define GET_OP_CLASSES
#include "dialects/Graph/GraphPooling.cpp.inc"
