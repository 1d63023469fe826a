//===- GraphSlicing.cpp - Parts and repetitions of tensors ----------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Graph/GraphSlicing.h"

#include "dialects/Graph/Constants.h"
#include "dialects/Graph/Shape.h"

#include "mlir/IR/Matchers.h"
#include "mlir/IR/PatternMatch.h"
#include "llvm/Support/CheckedArithmetic.h"

using namespace mlir;
using namespace acc::graph;

#define GET_OP_CLASSES
#include "dialects/Graph/GraphSlicing.cpp.inc"

//===----------------------------------------------------------------------===//
// slice
//===----------------------------------------------------------------------===//

/// Whether `size` steps fit into 64 bits, as far as that is known.
static bool isInRange(int64_t start, int64_t size, int64_t step) {
  if (ShapedType::isDynamic(size))
    size = 1;
  if (ShapedType::isDynamic(start))
    start = 0;
  std::optional<int64_t> length = llvm::checkedMul(size, step);
  constexpr int64_t limit = int64_t(1) << 60;
  return length && std::abs(*length) < limit && std::abs(start) < limit;
}

LogicalResult
SliceOp::inferResultShapes(ShapeContext &c, Adaptor adaptor,
                           SmallVectorImpl<TensorShape> &results) {
  TensorShape input = c.shape(adaptor.getInput());
  if (failed(rejectPerAxis(c, adaptor.getInput())))
    return failure();
  ArrayRef<int64_t> starts = adaptor.getStarts(), sizes = adaptor.getSizes(),
                    steps = adaptor.getSteps();
  size_t rank = input.sizes.size();
  if (starts.size() != rank || sizes.size() != rank || steps.size() != rank)
    return c.error("has ", starts.size(), " starts, ", sizes.size(),
                   " sizes and ", steps.size(), " steps for rank ", rank);
  SmallVector<int64_t> numbers(starts);
  llvm::append_range(numbers, sizes);
  FailureOr<SmallVector<AffineExpr>> values =
      c.values(numbers, adaptor.getDynamics());
  if (failed(values))
    return failure();
  TensorShape result{{}, input.element};
  for (size_t axis = 0; axis < rank; ++axis) {
    int64_t step = steps[axis];
    if (step == 0 || !isInRange(starts[axis], sizes[axis], step))
      return c.error("takes ", sizes[axis], " steps of ", step, " along axis ",
                     axis);
    AffineExpr start = (*values)[axis], size = (*values)[rank + axis];
    AffineExpr last = start + (size - 1) * step;
    AffineExpr least = step > 0 ? start : last;
    AffineExpr most = step > 0 ? last : start;
    if (failed(c.requireAtLeast(size, c.constant(0), "takes ", size,
                                " elements along axis ", axis)) ||
        failed(c.requireAtLeast(least, c.constant(0), "reads element ", least,
                                " along axis ", axis)) ||
        failed(c.requireAtLeast(input.sizes[axis], most + 1, "reads element ",
                                most, " of the ", input.sizes[axis],
                                " elements along axis ", axis)))
      return failure();
    result.sizes.push_back(size);
  }
  results.push_back(std::move(result));
  return success();
}

OpFoldResult SliceOp::fold(FoldAdaptor adaptor) {
  if (!getType().hasStaticShape() || !getInput().getType().hasStaticShape())
    return {};
  bool inOrder =
      llvm::all_of(getSteps(), [](int64_t step) { return step == 1; });
  if (inOrder && getInput().getType() == getType())
    return getInput();
  auto value = dyn_cast_if_present<ElementsAttr>(adaptor.getInput());
  if (!value || !getDynamics().empty())
    return {};
  SmallVector<int64_t> strides = getStrides(value.getShapedType().getShape());
  int64_t start = 0;
  for (auto [stride, first, step] :
       llvm::zip(strides, getStarts(), getSteps())) {
    start += first * stride;
    stride *= step;
  }
  return stridedElements(value, getType().getShape(), start, strides);
}

namespace {

/// Merges two slices in a row whose numbers are known into one.
struct MergeSlices : OpRewritePattern<SliceOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(SliceOp op,
                                PatternRewriter &rewriter) const override {
    auto first = op.getInput().getDefiningOp<SliceOp>();
    if (!first || !first.getDynamics().empty() || !op.getDynamics().empty())
      return rewriter.notifyMatchFailure(op, "is not a slice of a slice");
    SmallVector<int64_t> starts, steps;
    for (size_t axis = 0; axis < op.getStarts().size(); ++axis) {
      starts.push_back(first.getStarts()[axis] +
                       op.getStarts()[axis] * first.getSteps()[axis]);
      std::optional<int64_t> step =
          llvm::checkedMul(first.getSteps()[axis], op.getSteps()[axis]);
      if (!step)
        return rewriter.notifyMatchFailure(op, "steps are too large");
      // What step there is between one element and none does not matter.
      steps.push_back(op.getSizes()[axis] > 1 ? *step : 1);
    }
    if (!op.getType().hasStaticShape() || op.getType().getNumElements() == 0)
      return rewriter.notifyMatchFailure(op, "has no elements");
    Location loc = rewriter.getFusedLoc({first.getLoc(), op.getLoc()});
    auto merged = SliceOp::create(rewriter, loc, op.getType(), first.getInput(),
                                  ValueRange(), starts, op.getSizes(), steps);
    rewriter.replaceOp(op, merged);
    return success();
  }
};

} // namespace

void SliceOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                          MLIRContext *context) {
  patterns.add<MergeSlices>(context);
}

bool SliceOp::isView() {
  RankedTensorType input = getInput().getType();
  bool isWhole = true;
  int64_t stride = 1, offset = 0;
  for (int64_t axis = input.getRank() - 1; axis >= 0; --axis) {
    int64_t size = getSizes()[axis], start = getStarts()[axis];
    if (size != 1 && (getSteps()[axis] != 1 || !isWhole))
      return false;
    isWhole &= size == input.getDimSize(axis) && !ShapedType::isDynamic(size);
    if (start != 0 && (ShapedType::isDynamic(start) || stride < 0))
      return false;
    offset += start * stride;
    stride = input.isDynamicDim(axis) ? -1 : stride * input.getDimSize(axis);
  }
  Type element = input.getElementType();
  if (offset == 0)
    return true;
  constexpr int64_t alignment = 64;
  return element.isIntOrFloat() &&
         offset * llvm::divideCeil(element.getIntOrFloatBitWidth(), 8) %
                 alignment ==
             0;
}

//===----------------------------------------------------------------------===//
// expand, tile
//===----------------------------------------------------------------------===//

LogicalResult
ExpandOp::inferResultShapes(ShapeContext &c, Adaptor adaptor,
                            SmallVectorImpl<TensorShape> &results) {
  TensorShape input = c.shape(adaptor.getInput());
  FailureOr<SmallVector<AffineExpr>> sizes =
      c.values(adaptor.getShape(), adaptor.getDynamics());
  if (failed(sizes) || failed(rejectPerAxis(c, adaptor.getInput())))
    return failure();
  for (AffineExpr size : *sizes)
    if (failed(c.requireAtLeast(size, c.constant(0), "wants size ", size)))
      return failure();
  FailureOr<SmallVector<AffineExpr>> merged =
      c.broadcast({input.sizes, *sizes});
  if (failed(merged))
    return failure();
  results.push_back({std::move(*merged), input.element});
  return success();
}

OpFoldResult ExpandOp::fold(FoldAdaptor adaptor) {
  if (!getType().hasStaticShape())
    return {};
  if (getInput().getType() == getType())
    return getInput();
  // Other constants would grow.
  auto value = dyn_cast_if_present<SplatElementsAttr>(adaptor.getInput());
  return value ? reshapeElements(value, getType().getShape()) : ElementsAttr();
}

LogicalResult TileOp::inferResultShapes(ShapeContext &c, Adaptor adaptor,
                                        SmallVectorImpl<TensorShape> &results) {
  TensorShape input = c.shape(adaptor.getInput());
  FailureOr<SmallVector<AffineExpr>> repeats =
      c.values(adaptor.getRepeats(), adaptor.getDynamics());
  if (failed(repeats) || failed(rejectPerAxis(c, adaptor.getInput())))
    return failure();
  if (repeats->size() != input.sizes.size())
    return c.error("has ", repeats->size(), " repeats for rank ", input.rank());
  for (auto [axis, repeat] : llvm::enumerate(*repeats)) {
    std::optional<int64_t> known = getKnownSize(repeat);
    if (known && *known > int64_t(1) << 40)
      return c.error("repeats axis ", axis, " too often");
    if (failed(c.requireAtLeast(repeat, c.constant(0), "repeats axis ", axis,
                                " ", repeat, " times")))
      return failure();
    // Sizes are at most 2^40, so that this could only overflow where the
    // result is refused for another reason.
    std::optional<int64_t> size = getKnownSize(input.sizes[axis]);
    if (size && known && !llvm::checkedMul(*size, *known))
      return c.error("repeats axis ", axis, " too often");
    input.sizes[axis] = input.sizes[axis] * repeat;
  }
  results.push_back(std::move(input));
  return success();
}

OpFoldResult TileOp::fold(FoldAdaptor adaptor) {
  if (llvm::all_of(getRepeats(), [](int64_t repeat) { return repeat == 1; }) &&
      getInput().getType() == getType())
    return getInput();
  auto value = dyn_cast_if_present<SplatElementsAttr>(adaptor.getInput());
  if (!value || !getType().hasStaticShape())
    return {};
  return reshapeElements(value, getType().getShape());
}

//===----------------------------------------------------------------------===//
// trilu, range
//===----------------------------------------------------------------------===//

LogicalResult TriluOp::verify() {
  if (getInput().getType().getRank() < 2)
    return emitOpError("input has rank ")
           << getInput().getType().getRank() << " but needs two axes";
  return success();
}

LogicalResult
RangeOp::inferResultShapes(ShapeContext &c, Adaptor adaptor,
                           SmallVectorImpl<TensorShape> &results) {
  Value start = adaptor.getStart(), delta = adaptor.getDelta();
  if (failed(c.requireSameElements({start, delta})))
    return failure();
  for (Value operand : {start, delta})
    if (cast<RankedTensorType>(operand.getType()).getRank() != 0)
      return c.error("operand is ", operand.getType(), " but must be a scalar");
  FailureOr<SmallVector<AffineExpr>> sizes =
      c.values(static_cast<int64_t>(adaptor.getSize()), adaptor.getDynamics());
  if (failed(sizes) ||
      failed(c.requireAtLeast(sizes->front(), c.constant(0), "result has size ",
                              sizes->front())))
    return failure();
  results.push_back({std::move(*sizes), getElementTypeOrSelf(start)});
  return success();
}
