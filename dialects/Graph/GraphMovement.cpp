//===- GraphMovement.cpp - Operators that only move data ------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Graph/GraphMovement.h"
#include "dialects/Graph/Constants.h"
#include "dialects/Graph/Inference.h"
#include "dialects/Graph/SinkTransposes.h"

#include "mlir/Dialect/Quant/IR/QuantTypes.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/PatternMatch.h"

using namespace mlir;
using namespace acc::graph;

//===----------------------------------------------------------------------===//
// flatten, reshape, squeeze, unsqueeze
//===----------------------------------------------------------------------===//

/// The constant under the result's shape; reshapes never copy.
static OpFoldResult foldReshape(Value input, Attribute value,
                                RankedTensorType type) {
  // Two sizes that the type does not know may have changed places.
  bool isSame = type.getNumDynamicDims() == 0 ||
                (type.getNumDynamicDims() == 1 &&
                 !llvm::is_contained(type.getShape(), 0));
  if (input.getType() == type && isSame)
    return input;
  if (!type.hasStaticShape())
    return {};
  if (auto elements = dyn_cast_if_present<ElementsAttr>(value))
    return reshapeElements(elements, type.getShape());
  return {};
}

static bool isReshape(Operation *op) {
  return isa_and_present<FlattenOp, ReshapeOp, SqueezeOp, UnsqueezeOp>(op);
}

/// Whether a run may be refused for the sizes that an operator meets.
static bool checksSizes(Operation *op) {
  ShapeScope scope(op->getContext(), ShapeScope::Sees::Definitions);
  SmallVector<ShapeRequirement> requirements;
  return failed(inferShapes(op, scope, &requirements)) || !requirements.empty();
}

/// Two reshapes in a row are one, if the first is never refused.
template <typename Op> struct MergeReshapes : OpRewritePattern<Op> {
  using OpRewritePattern<Op>::OpRewritePattern;

  LogicalResult matchAndRewrite(Op op,
                                PatternRewriter &rewriter) const override {
    Operation *producer = op.getInput().getDefiningOp();
    if (!isReshape(producer))
      return rewriter.notifyMatchFailure(op, "input is not a reshape");
    if (checksSizes(producer))
      return rewriter.notifyMatchFailure(op, "input checks its sizes");
    ValueRange sizes;
    if constexpr (std::is_same_v<Op, ReshapeOp>)
      sizes = op.getSizes();
    else if (!op.getType().hasStaticShape())
      return rewriter.notifyMatchFailure(op, "sizes are not at hand");
    Location loc = rewriter.getFusedLoc({producer->getLoc(), op.getLoc()});
    auto reshape = ReshapeOp::create(rewriter, loc, op.getType(),
                                     producer->getOperand(0), sizes);
    rewriter.replaceOp(op, reshape);
    return success();
  }
};

LogicalResult
FlattenOp::inferResultShapes(ShapeContext &c, Adaptor adaptor,
                             SmallVectorImpl<TensorShape> &results) {
  TensorShape input = c.shape(adaptor.getInput());
  int64_t axis = adaptor.getAxis();
  if (axis < 0 || axis > input.rank())
    return c.error("'axis' is ", axis, " but the input has rank ",
                   input.rank());
  if (failed(rejectPerAxis(c, adaptor.getInput())))
    return failure();
  ArrayRef<AffineExpr> sizes = input.sizes;
  results.push_back(
      {{c.product(sizes.take_front(axis)), c.product(sizes.drop_front(axis))},
       input.element});
  return success();
}

OpFoldResult FlattenOp::fold(FoldAdaptor adaptor) {
  return foldReshape(getInput(), adaptor.getInput(), getType());
}

void FlattenOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                            MLIRContext *context) {
  patterns.add<MergeReshapes<FlattenOp>>(context);
}

LogicalResult ReshapeOp::inferShapes(ShapeContext &c,
                                     SmallVectorImpl<TensorShape> &results) {
  RankedTensorType input = getInput().getType();
  if (failed(rejectPerAxis(c, getInput())))
    return failure();
  if (input.getElementType() != getType().getElementType())
    return c.error("input holds ", input.getElementType(),
                   " but the result holds ", getType().getElementType());
  FailureOr<SmallVector<AffineExpr>> sizes =
      c.values(getType().getShape(), getSizes());
  if (failed(sizes))
    return failure();
  for (AffineExpr size : *sizes)
    if (failed(c.requireAtLeast(size, c.constant(0),
                                "result has the negative size ", size)))
      return failure();
  TensorShape given = c.shape(getInput());
  AffineExpr count = c.product(given.sizes), wanted = c.product(*sizes);
  if (failed(c.requireEqual(count, wanted, "input ", given, " has ", count,
                            " elements, but the result ", ArrayRef(*sizes),
                            " has ", wanted)))
    return failure();
  results.push_back({std::move(*sizes), getType().getElementType()});
  return success();
}

OpFoldResult ReshapeOp::fold(FoldAdaptor adaptor) {
  RankedTensorType type = getType();
  if (getInput().getType() != type || type.hasStaticShape())
    return foldReshape(getInput(), adaptor.getInput(), type);
  // A type does not say whether the sizes that a run asks for are those that
  // there are: where they are not, the run is refused.
  ShapeScope scope(getContext(), ShapeScope::Sees::Definitions);
  if (scope.shapeOf(getInput()).sizes == scope.shapeOf(getResult()).sizes)
    return getInput();
  return {};
}

void ReshapeOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                            MLIRContext *context) {
  patterns.add<MergeReshapes<ReshapeOp>>(context);
}

/// Marks which of `rank` axes `axes` names, each at most once.
static FailureOr<SmallVector<bool>>
selectAxes(InferenceSite site, ArrayRef<int64_t> axes, int64_t rank) {
  SmallVector<bool> selected(rank, false);
  for (int64_t axis : axes) {
    if (axis < 0 || axis >= rank)
      return site.error("'axes' holds ", axis, ", which is no axis of rank ",
                        rank);
    if (selected[axis])
      return site.error("'axes' holds ", axis, " twice");
    selected[axis] = true;
  }
  return selected;
}

LogicalResult
SqueezeOp::inferResultShapes(ShapeContext &c, Adaptor adaptor,
                             SmallVectorImpl<TensorShape> &results) {
  TensorShape input = c.shape(adaptor.getInput());
  FailureOr<SmallVector<bool>> dropped =
      selectAxes(c.getSite(), adaptor.getAxes(), input.rank());
  if (failed(dropped) || failed(rejectPerAxis(c, adaptor.getInput())))
    return failure();
  TensorShape result{{}, input.element};
  for (auto [axis, size] : llvm::enumerate(input.sizes)) {
    if (!(*dropped)[axis]) {
      result.sizes.push_back(size);
      // Of the sizes from 0 on, 1 alone makes both of these less than 2.
      AffineExpr two = c.constant(2);
      if (adaptor.getAll() &&
          failed(c.requireAtLeast(c.max(size, normalizeSize(two - size)), two,
                                  "axis ", axis, " has size ", size,
                                  ", and would be dropped with all such axes: ",
                                  "fix its size when the model is compiled")))
        return failure();
    } else if (failed(c.requireEqual(size, c.constant(1), "axis ", axis,
                                     " has size ", size,
                                     " and cannot be dropped")))
      return failure();
  }
  results.push_back(std::move(result));
  return success();
}

OpFoldResult SqueezeOp::fold(FoldAdaptor adaptor) {
  if (getAll() && !getType().hasStaticShape())
    return {};
  return foldReshape(getInput(), adaptor.getInput(), getType());
}

void SqueezeOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                            MLIRContext *context) {
  patterns.add<MergeReshapes<SqueezeOp>>(context);
}

LogicalResult
UnsqueezeOp::inferResultShapes(ShapeContext &c, Adaptor adaptor,
                               SmallVectorImpl<TensorShape> &results) {
  TensorShape input = c.shape(adaptor.getInput());
  FailureOr<SmallVector<bool>> added = selectAxes(
      c.getSite(), adaptor.getAxes(), input.rank() + adaptor.getAxes().size());
  if (failed(added) || failed(rejectPerAxis(c, adaptor.getInput())))
    return failure();
  TensorShape result{{}, input.element};
  const AffineExpr *next = input.sizes.begin();
  for (bool isNew : *added)
    result.sizes.push_back(isNew ? c.constant(1) : *next++);
  results.push_back(std::move(result));
  return success();
}

OpFoldResult UnsqueezeOp::fold(FoldAdaptor adaptor) {
  return foldReshape(getInput(), adaptor.getInput(), getType());
}

void UnsqueezeOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                              MLIRContext *context) {
  patterns.add<MergeReshapes<UnsqueezeOp>>(context);
}

//===----------------------------------------------------------------------===//
// transpose
//===----------------------------------------------------------------------===//

LogicalResult
TransposeOp::inferResultShapes(ShapeContext &c, Adaptor adaptor,
                               SmallVectorImpl<TensorShape> &results) {
  TensorShape input = c.shape(adaptor.getInput());
  ArrayRef<int64_t> perm = adaptor.getPerm();
  if (static_cast<int64_t>(perm.size()) != input.rank())
    return c.error("'perm' has ", perm.size(), " axes but the input has rank ",
                   input.rank());
  if (!isPermutationVector(perm))
    return c.error("'perm' is not a permutation of the axes");
  TensorShape &result = results.emplace_back();
  for (int64_t axis : perm)
    result.sizes.push_back(input.sizes[axis]);
  result.element = input.element;
  if (auto perAxis =
          dyn_cast<quant::UniformQuantizedPerAxisType>(input.element))
    result.element = quant::UniformQuantizedPerAxisType::get(
        perAxis.getFlags(), perAxis.getStorageType(),
        perAxis.getExpressedType(), perAxis.getScales(),
        perAxis.getZeroPoints(),
        llvm::find(perm, perAxis.getQuantizedDimension()) - perm.begin(),
        perAxis.getStorageTypeMin(), perAxis.getStorageTypeMax());
  return success();
}

OpFoldResult TransposeOp::fold(FoldAdaptor adaptor) {
  if (llvm::equal(getPerm(), llvm::seq<int64_t>(0, getPerm().size())))
    return getInput();
  if (auto value = dyn_cast_if_present<ElementsAttr>(adaptor.getInput()))
    return transposeElements(value, getPerm());
  return {};
}

/// Two transposes in a row are one.
struct MergeTransposes : OpRewritePattern<TransposeOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(TransposeOp op,
                                PatternRewriter &rewriter) const override {
    auto first = op.getInput().getDefiningOp<TransposeOp>();
    if (!first)
      return rewriter.notifyMatchFailure(op, "input is not a transpose");
    SmallVector<int64_t> perm;
    for (int64_t axis : op.getPerm())
      perm.push_back(first.getPerm()[axis]);
    Location loc = rewriter.getFusedLoc({first.getLoc(), op.getLoc()});
    auto merged = TransposeOp::create(rewriter, loc, op.getType(),
                                      first.getInput(), perm);
    rewriter.replaceOp(op, merged);
    return success();
  }
};

/// A transpose that leaves the order of all axes larger than 1 moves nothing.
struct TransposeToReshape : OpRewritePattern<TransposeOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(TransposeOp op,
                                PatternRewriter &rewriter) const override {
    RankedTensorType type = op.getInput().getType();
    if (isa<quant::UniformQuantizedPerAxisType>(type.getElementType()))
      return rewriter.notifyMatchFailure(op, "is quantized per axis");
    int64_t last = -1;
    for (int64_t axis : op.getPerm()) {
      if (type.getDimSize(axis) == 1)
        continue;
      if (axis < last)
        return rewriter.notifyMatchFailure(op, "moves data");
      last = axis;
    }
    SmallVector<Value> sizes;
    for (int64_t axis : op.getPerm())
      if (type.isDynamicDim(axis))
        sizes.push_back(
            tensor::DimOp::create(rewriter, op.getLoc(), op.getInput(), axis));
    if (int64_t(sizes.size()) != int64_t(op.getType().getNumDynamicDims()))
      return rewriter.notifyMatchFailure(op, "result knows other sizes");
    rewriter.replaceOpWithNewOp<ReshapeOp>(op, op.getType(), op.getInput(),
                                           sizes);
    return success();
  }
};

void TransposeOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                              MLIRContext *context) {
  patterns.add<MergeTransposes, TransposeToReshape>(context);
  populateSinkTransposes(patterns);
}

//===----------------------------------------------------------------------===//
// index_tensor
//===----------------------------------------------------------------------===//

LogicalResult
IndexTensorOp::inferResultShapes(ShapeContext &c, Adaptor adaptor,
                                 SmallVectorImpl<TensorShape> &results) {
  if (adaptor.getValues().empty())
    return c.error("needs at least one number");
  if (failed(c.values(adaptor.getValues(), adaptor.getDynamics())))
    return failure();
  results.push_back({{c.constant(adaptor.getValues().size())},
                     IntegerType::get(c.getContext(), 64)});
  return success();
}

//===----------------------------------------------------------------------===//
// concat, pad
//===----------------------------------------------------------------------===//

LogicalResult
ConcatOp::inferResultShapes(ShapeContext &c, Adaptor adaptor,
                            SmallVectorImpl<TensorShape> &results) {
  if (adaptor.getInputs().empty())
    return c.error("needs at least one operand");
  auto first = cast<RankedTensorType>(adaptor.getInputs()[0].getType());
  if (failed(rejectPerAxis(c, adaptor.getInputs()[0])))
    return failure();
  int64_t axis = adaptor.getAxis();
  if (failed(checkAxis(c, axis, first.getRank(), "the first operand")))
    return failure();
  TensorShape begin = c.shape(adaptor.getInputs()[0]), result = begin;
  for (Value operand : adaptor.getInputs().drop_front()) {
    TensorShape shape = c.shape(operand);
    if (shape.element != result.element || shape.rank() != result.rank())
      return c.error("operands ", first, " and ", operand.getType(),
                     " do not fit together along axis ", axis);
    for (int64_t index = 0; index < shape.rank(); ++index) {
      AffineExpr &size = result.sizes[index], other = shape.sizes[index];
      if (index == axis) {
        size = normalizeSize(size + other);
        continue;
      }
      if (failed(c.requireEqual(size, other, "operands ", begin, " and ", shape,
                                " do not fit together along axis ", axis)))
        return failure();
      if (getKnownSize(other))
        size = other;
    }
  }
  results.push_back(std::move(result));
  return success();
}

OpFoldResult ConcatOp::fold(FoldAdaptor) {
  return getInputs().size() == 1 ? getInputs().front() : Value();
}

LogicalResult PadOp::inferResultShapes(ShapeContext &c, Adaptor adaptor,
                                       SmallVectorImpl<TensorShape> &results) {
  if (failed(rejectPerAxis(c, adaptor.getInput())))
    return failure();
  TensorShape input = c.shape(adaptor.getInput());
  size_t rank = input.rank();
  ArrayRef<int64_t> pads = adaptor.getPads();
  if (pads.size() != 2 * rank)
    return c.error("'pads' has ", pads.size(), " values but rank ", rank,
                   " needs ", 2 * rank);
  constexpr int64_t limit = int64_t(1) << 31;
  PadMode mode = adaptor.getMode();
  TensorShape result{{}, input.element};
  for (size_t axis = 0; axis < rank; ++axis) {
    AffineExpr size = input.sizes[axis];
    int64_t begin = pads[axis], end = pads[axis + rank];
    if (std::max(std::abs(begin), std::abs(end)) > limit)
      return c.error("'pads' is out of range along axis ", axis);
    result.sizes.push_back(normalizeSize(size + begin + end));
    // Cropping happens first; the other modes copy what it leaves.
    AffineExpr kept = normalizeSize(size + std::min<int64_t>(begin, 0) +
                                    std::min<int64_t>(end, 0));
    int64_t largest = std::max(begin, end);
    if (std::min(begin, end) < 0 &&
        (failed(c.requireAtLeast(result.sizes.back(), c.constant(0),
                                 "'pads' crops more than the ", size,
                                 " elements along axis ", axis)) ||
         failed(c.requireAtLeast(kept, c.constant(0),
                                 "'pads' crops more than the ", size,
                                 " elements along axis ", axis))))
      return failure();
    if (mode == PadMode::Reflect && largest > 0 &&
        failed(c.requireAtLeast(
            kept, c.constant(largest + 1), "mode reflect cannot pad ", kept,
            " elements by ", largest, " along axis ", axis)))
      return failure();
    if (mode != PadMode::Constant && largest > 0 &&
        failed(c.requireAtLeast(kept, c.constant(1),
                                "has nothing to pad with along axis ", axis)))
      return failure();
  }
  results.push_back(std::move(result));
  return success();
}

std::optional<SmallVector<int64_t>>
acc::graph::addPads(PadOp pad, ArrayRef<int64_t> pads) {
  size_t rank = pad.getInput().getType().getRank(), spatial = rank - 2;
  ArrayRef<int64_t> begin = pad.getPads().take_front(rank),
                    end = pad.getPads().drop_front(rank);
  if (rank < 3 || pads.size() != 2 * spatial || begin[0] || begin[1] ||
      end[0] || end[1] ||
      llvm::any_of(pad.getPads(), [](int64_t size) { return size < 0; }))
    return std::nullopt;
  SmallVector<int64_t> sum(pads);
  for (size_t axis = 0; axis < spatial; ++axis) {
    sum[axis] += begin[axis + 2];
    sum[axis + spatial] += end[axis + 2];
  }
  return sum;
}

OpFoldResult PadOp::fold(FoldAdaptor) {
  return llvm::all_of(getPads(), [](int64_t size) { return size == 0; })
             ? getInput()
             : Value();
}

#define GET_OP_CLASSES
#include "dialects/Graph/GraphMovement.cpp.inc"
