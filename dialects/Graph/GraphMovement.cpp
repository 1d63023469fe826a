//===- GraphMovement.cpp - Operators that only move data ------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Graph/GraphMovement.h"
#include "dialects/Graph/Constants.h"
#include "dialects/Graph/Inference.h"

#include "mlir/Dialect/Quant/IR/QuantTypes.h"
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
  if (input.getType() == type)
    return input;
  if (auto elements = dyn_cast_if_present<ElementsAttr>(value))
    return reshapeElements(elements, type.getShape());
  return {};
}

static bool isReshape(Operation *op) {
  return isa_and_present<FlattenOp, ReshapeOp, SqueezeOp, UnsqueezeOp>(op);
}

/// Two reshapes in a row are one.
template <typename Op> struct MergeReshapes : OpRewritePattern<Op> {
  using OpRewritePattern<Op>::OpRewritePattern;

  LogicalResult matchAndRewrite(Op op,
                                PatternRewriter &rewriter) const override {
    Operation *producer = op.getInput().getDefiningOp();
    if (!isReshape(producer))
      return rewriter.notifyMatchFailure(op, "input is not a reshape");
    Location loc = rewriter.getFusedLoc({producer->getLoc(), op.getLoc()});
    auto reshape =
        ReshapeOp::create(rewriter, loc, op.getType(), producer->getOperand(0));
    rewriter.replaceOp(op, reshape);
    return success();
  }
};

LogicalResult FlattenOp::inferReturnTypes(MLIRContext *,
                                          std::optional<Location> location,
                                          Adaptor adaptor,
                                          SmallVectorImpl<Type> &types) {
  InferenceSite site{location, getOperationName()};
  auto input = cast<RankedTensorType>(adaptor.getInput().getType());
  int64_t axis = adaptor.getAxis();
  if (axis < 0 || axis > input.getRank())
    return site.error("'axis' is ", axis, " but the input has rank ",
                      input.getRank());
  if (failed(rejectPerAxis(site, input)))
    return failure();
  SmallVector<int64_t> shape{1, 1};
  for (auto [index, size] : llvm::enumerate(input.getShape()))
    shape[static_cast<int64_t>(index) < axis ? 0 : 1] *= size;
  return inferTensor(site, shape, input.getElementType(), types);
}

OpFoldResult FlattenOp::fold(FoldAdaptor adaptor) {
  return foldReshape(getInput(), adaptor.getInput(), getType());
}

void FlattenOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                            MLIRContext *context) {
  patterns.add<MergeReshapes<FlattenOp>>(context);
}

LogicalResult ReshapeOp::verify() {
  RankedTensorType input = getInput().getType();
  if (failed(rejectPerAxis({getLoc(), getOperationName()}, input)))
    return failure();
  if (input.getElementType() != getType().getElementType())
    return emitOpError("input holds ")
           << input.getElementType() << " but the result holds "
           << getType().getElementType();
  if (input.getNumElements() != getType().getNumElements())
    return emitOpError("input has ")
           << input.getNumElements() << " elements but the result has "
           << getType().getNumElements();
  return success();
}

OpFoldResult ReshapeOp::fold(FoldAdaptor adaptor) {
  return foldReshape(getInput(), adaptor.getInput(), getType());
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

LogicalResult SqueezeOp::inferReturnTypes(MLIRContext *,
                                          std::optional<Location> location,
                                          Adaptor adaptor,
                                          SmallVectorImpl<Type> &types) {
  InferenceSite site{location, getOperationName()};
  auto input = cast<RankedTensorType>(adaptor.getInput().getType());
  FailureOr<SmallVector<bool>> dropped =
      selectAxes(site, adaptor.getAxes(), input.getRank());
  if (failed(dropped) || failed(rejectPerAxis(site, input)))
    return failure();
  SmallVector<int64_t> shape;
  for (auto [axis, size] : llvm::enumerate(input.getShape())) {
    if (!(*dropped)[axis])
      shape.push_back(size);
    else if (size != 1)
      return site.error("axis ", axis, " has size ", size,
                        " and cannot be dropped");
  }
  return inferTensor(site, shape, input.getElementType(), types);
}

OpFoldResult SqueezeOp::fold(FoldAdaptor adaptor) {
  return foldReshape(getInput(), adaptor.getInput(), getType());
}

void SqueezeOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                            MLIRContext *context) {
  patterns.add<MergeReshapes<SqueezeOp>>(context);
}

LogicalResult UnsqueezeOp::inferReturnTypes(MLIRContext *,
                                            std::optional<Location> location,
                                            Adaptor adaptor,
                                            SmallVectorImpl<Type> &types) {
  InferenceSite site{location, getOperationName()};
  auto input = cast<RankedTensorType>(adaptor.getInput().getType());
  FailureOr<SmallVector<bool>> added = selectAxes(
      site, adaptor.getAxes(), input.getRank() + adaptor.getAxes().size());
  if (failed(added) || failed(rejectPerAxis(site, input)))
    return failure();
  SmallVector<int64_t> shape;
  const int64_t *next = input.getShape().begin();
  for (bool isNew : *added)
    shape.push_back(isNew ? 1 : *next++);
  return inferTensor(site, shape, input.getElementType(), types);
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
    rewriter.replaceOpWithNewOp<ReshapeOp>(op, op.getType(), op.getInput());
    return success();
  }
};

void TransposeOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                              MLIRContext *context) {
  patterns.add<MergeTransposes, TransposeToReshape>(context);
}

//===----------------------------------------------------------------------===//
// concat, pad
//===----------------------------------------------------------------------===//

LogicalResult ConcatOp::inferReturnTypes(MLIRContext *,
                                         std::optional<Location> location,
                                         Adaptor adaptor,
                                         SmallVectorImpl<Type> &types) {
  InferenceSite site{location, getOperationName()};
  if (adaptor.getInputs().empty())
    return site.error("needs at least one operand");
  auto first = cast<RankedTensorType>(adaptor.getInputs()[0].getType());
  if (failed(rejectPerAxis(site, first)))
    return failure();
  int64_t axis = adaptor.getAxis();
  if (axis < 0 || axis >= first.getRank())
    return site.error("'axis' is ", axis, " but the operands have rank ",
                      first.getRank());
  SmallVector<int64_t> shape(first.getShape());
  for (Value operand : adaptor.getInputs().drop_front()) {
    auto type = cast<RankedTensorType>(operand.getType());
    bool fits = type.getElementType() == first.getElementType() &&
                type.getRank() == first.getRank();
    for (int64_t index = 0; fits && index < first.getRank(); ++index)
      fits = index == axis || type.getDimSize(index) == shape[index];
    if (!fits)
      return site.error("operands ", first, " and ", type,
                        " do not fit together along axis ", axis);
    shape[axis] += type.getDimSize(axis);
  }
  return inferTensor(site, shape, first.getElementType(), types);
}

OpFoldResult ConcatOp::fold(FoldAdaptor) {
  return getInputs().size() == 1 ? getInputs().front() : Value();
}

LogicalResult PadOp::inferReturnTypes(MLIRContext *,
                                      std::optional<Location> location,
                                      Adaptor adaptor,
                                      SmallVectorImpl<Type> &types) {
  InferenceSite site{location, getOperationName()};
  auto input = cast<RankedTensorType>(adaptor.getInput().getType());
  if (failed(rejectPerAxis(site, input)))
    return failure();
  size_t rank = input.getRank();
  ArrayRef<int64_t> pads = adaptor.getPads();
  if (pads.size() != 2 * rank)
    return site.error("'pads' has ", pads.size(), " values but rank ", rank,
                      " needs ", 2 * rank);
  constexpr int64_t limit = int64_t(1) << 31;
  PadMode mode = adaptor.getMode();
  SmallVector<int64_t> shape;
  for (size_t axis = 0; axis < rank; ++axis) {
    int64_t size = input.getDimSize(axis);
    int64_t begin = pads[axis], end = pads[axis + rank];
    if (std::max(std::abs(begin), std::abs(end)) > limit)
      return site.error("'pads' is out of range along axis ", axis);
    if (size + begin + end < 0)
      return site.error("'pads' crops more than the ", size,
                        " elements along axis ", axis);
    // Cropping happens first; the other modes copy what it leaves.
    int64_t kept =
        size + std::min<int64_t>(begin, 0) + std::min<int64_t>(end, 0);
    int64_t largest = std::max(begin, end);
    if (mode == PadMode::Reflect && largest > 0 && largest >= kept)
      return site.error("mode reflect cannot pad ", kept, " elements by ",
                        largest, " along axis ", axis);
    if (mode != PadMode::Constant && largest > 0 && kept <= 0)
      return site.error("has nothing to pad with along axis ", axis);
    shape.push_back(size + begin + end);
  }
  return inferTensor(site, shape, input.getElementType(), types);
}

OpFoldResult PadOp::fold(FoldAdaptor) {
  return llvm::all_of(getPads(), [](int64_t size) { return size == 0; })
             ? getInput()
             : Value();
}

#define GET_OP_CLASSES
#include "dialects/Graph/GraphMovement.cpp.inc"
