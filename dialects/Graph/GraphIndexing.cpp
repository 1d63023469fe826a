//===- GraphIndexing.cpp - Elements chosen by indices ---------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Graph/GraphIndexing.h"

#include "dialects/Graph/Constants.h"
#include "dialects/Graph/GraphMovement.h"
#include "dialects/Graph/GraphSlicing.h"
#include "dialects/Graph/Shape.h"

#include "mlir/IR/Matchers.h"
#include "mlir/IR/PatternMatch.h"

using namespace mlir;
using namespace acc::graph;

#define GET_OP_CLASSES
#include "dialects/Graph/GraphIndexing.cpp.inc"

/// Where there is an element to read, there is one to be read.
static LogicalResult requireElements(ShapeContext &c, const TensorShape &result,
                                     AffineExpr size, int64_t axis) {
  if (getKnownSize(c.product(result.sizes)) == 0)
    return success();
  return c.requireAtLeast(size, c.constant(1), "reads axis ", axis,
                          ", which has no elements");
}

//===----------------------------------------------------------------------===//
// Gathering
//===----------------------------------------------------------------------===//

LogicalResult
GatherOp::inferResultShapes(ShapeContext &c, Adaptor adaptor,
                            SmallVectorImpl<TensorShape> &results) {
  TensorShape data = c.shape(adaptor.getData());
  TensorShape indices = c.shape(adaptor.getIndices());
  int64_t axis = adaptor.getAxis();
  if (failed(checkAxis(c, axis, data.rank())) ||
      failed(rejectPerAxis(c, adaptor.getData())))
    return failure();
  ArrayRef<AffineExpr> sizes = data.sizes;
  TensorShape result{SmallVector<AffineExpr>(sizes.take_front(axis)),
                     data.element};
  llvm::append_range(result.sizes, indices.sizes);
  llvm::append_range(result.sizes, sizes.drop_front(axis + 1));
  if (failed(requireElements(c, result, sizes[axis], axis)))
    return failure();
  results.push_back(std::move(result));
  return success();
}

/// The one index that a constant tensor of indices holds, if it exists.
static std::optional<int64_t> getOnlyIndex(Attribute indices, int64_t size) {
  auto elements = dyn_cast_if_present<SplatElementsAttr>(indices);
  if (!elements || elements.getNumElements() != 1 ||
      ShapedType::isDynamic(size))
    return std::nullopt;
  int64_t index = elements.getSplatValue<APInt>().getSExtValue();
  index += index < 0 ? size : 0;
  if (index < 0 || index >= size)
    return std::nullopt;
  return index;
}

OpFoldResult GatherOp::fold(FoldAdaptor adaptor) {
  // All elements of a splat are equal, whichever are gathered.
  auto value = dyn_cast_if_present<SplatElementsAttr>(adaptor.getData());
  if (!value || !getType().hasStaticShape())
    return {};
  return reshapeElements(value, getType().getShape());
}

namespace {

/// A single index that is known is a slice.
struct GatherToSlice : OpRewritePattern<GatherOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(GatherOp op,
                                PatternRewriter &rewriter) const override {
    RankedTensorType type = op.getData().getType();
    Attribute value;
    if (!matchPattern(op.getIndices(), m_Constant(&value)) ||
        !type.hasStaticShape())
      return rewriter.notifyMatchFailure(op, "indices are not known");
    int64_t axis = op.getAxis();
    std::optional<int64_t> index = getOnlyIndex(value, type.getDimSize(axis));
    if (!index)
      return rewriter.notifyMatchFailure(op, "has more than one index");
    SmallVector<int64_t> starts(type.getRank(), 0), sizes(type.getShape()),
        steps(type.getRank(), 1);
    starts[axis] = *index;
    sizes[axis] = 1;
    auto slice =
        SliceOp::create(rewriter, op.getLoc(), type.clone(sizes), op.getData(),
                        ValueRange(), starts, sizes, steps);
    rewriter.replaceOpWithNewOp<ReshapeOp>(op, op.getType(), slice);
    return success();
  }
};

} // namespace

void GatherOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                           MLIRContext *context) {
  patterns.add<GatherToSlice>(context);
}

/// Indices of all axes of `data` but one may not be larger than the data.
static LogicalResult checkElementIndices(ShapeContext &c,
                                         const TensorShape &data,
                                         const TensorShape &indices,
                                         int64_t axis) {
  if (failed(checkAxis(c, axis, data.rank())))
    return failure();
  if (indices.rank() != data.rank())
    return c.error("data has rank ", data.rank(), " but indices have rank ",
                   indices.rank());
  for (int64_t other = 0; other < data.rank(); ++other)
    if (other != axis &&
        failed(c.requireAtLeast(data.sizes[other], indices.sizes[other],
                                "indices have ", indices.sizes[other],
                                " elements along axis ", other,
                                " but the data only has ", data.sizes[other])))
      return failure();
  return success();
}

LogicalResult
GatherElementsOp::inferResultShapes(ShapeContext &c, Adaptor adaptor,
                                    SmallVectorImpl<TensorShape> &results) {
  TensorShape data = c.shape(adaptor.getData());
  TensorShape result = c.shape(adaptor.getIndices());
  int64_t axis = adaptor.getAxis();
  result.element = data.element;
  if (failed(checkElementIndices(c, data, result, axis)) ||
      failed(rejectPerAxis(c, adaptor.getData())) ||
      failed(requireElements(c, result, data.sizes[axis], axis)))
    return failure();
  results.push_back(std::move(result));
  return success();
}

/// The length of the tuples that the last axis of `indices` holds, which index
/// some of `axes` axes.
static FailureOr<int64_t>
getTupleSize(ShapeContext &c, const TensorShape &indices, int64_t axes) {
  if (indices.rank() == 0)
    return c.error("indices are a scalar instead of tuples");
  std::optional<int64_t> size = getKnownSize(indices.sizes.back());
  if (!size)
    return c.error("indices need a known size along their last axis");
  if (*size < 1 || *size > axes)
    return c.error("indices are tuples of ", *size, " for ", axes, " axes");
  return *size;
}

LogicalResult
GatherNDOp::inferResultShapes(ShapeContext &c, Adaptor adaptor,
                              SmallVectorImpl<TensorShape> &results) {
  TensorShape data = c.shape(adaptor.getData());
  TensorShape indices = c.shape(adaptor.getIndices());
  int64_t batch = adaptor.getBatchDims();
  if (batch < 0 || batch >= std::min(data.rank(), indices.rank()))
    return c.error("'batch_dims' is ", batch, " but the operands have ranks ",
                   data.rank(), " and ", indices.rank());
  for (int64_t axis = 0; axis < batch; ++axis)
    if (failed(c.requireEqual(data.sizes[axis], indices.sizes[axis],
                              "data has ", data.sizes[axis], " but indices ",
                              indices.sizes[axis], " batches along axis ",
                              axis)))
      return failure();
  FailureOr<int64_t> count = getTupleSize(c, indices, data.rank() - batch);
  if (failed(count) || failed(rejectPerAxis(c, adaptor.getData())))
    return failure();
  TensorShape result{indices.sizes, data.element};
  result.sizes.pop_back();
  llvm::append_range(result.sizes,
                     ArrayRef(data.sizes).drop_front(batch + *count));
  for (int64_t axis = batch; axis < batch + *count; ++axis)
    if (failed(requireElements(c, result, data.sizes[axis], axis)))
      return failure();
  results.push_back(std::move(result));
  return success();
}

//===----------------------------------------------------------------------===//
// Scattering
//===----------------------------------------------------------------------===//

/// Results have the shape of the data, which updates must share elements with.
static LogicalResult inferScatter(ShapeContext &c, Value data, Value updates,
                                  SmallVectorImpl<TensorShape> &results) {
  if (failed(rejectPerAxis(c, data)) ||
      failed(c.requireSameElements({data, updates})))
    return failure();
  results.push_back(c.shape(data));
  return success();
}

static LogicalResult checkReduction(ShapeContext &c, ScatterReduction reduction,
                                    Value data) {
  if (reduction != ScatterReduction::None &&
      isa<quant::QuantizedType>(getElementTypeOrSelf(data)))
    return c.error("cannot combine quantized elements");
  return success();
}

static LogicalResult requireEqualShapes(ShapeContext &c,
                                        ArrayRef<AffineExpr> updates,
                                        ArrayRef<AffineExpr> wanted) {
  if (updates.size() != wanted.size())
    return c.error("updates have rank ", updates.size(), " instead of ",
                   wanted.size());
  for (auto [axis, pair] : llvm::enumerate(llvm::zip(updates, wanted))) {
    auto [size, other] = pair;
    if (failed(c.requireEqual(size, other, "updates have ", size,
                              " elements along axis ", axis, " instead of ",
                              other)))
      return failure();
  }
  return success();
}

/// Without updates nothing changes.
static OpFoldResult foldScatter(Value data, Value updates, Type type) {
  auto shape = cast<RankedTensorType>(updates.getType()).getShape();
  return llvm::is_contained(shape, 0) && data.getType() == type ? data
                                                                : Value();
}

LogicalResult
ScatterElementsOp::inferResultShapes(ShapeContext &c, Adaptor adaptor,
                                     SmallVectorImpl<TensorShape> &results) {
  TensorShape data = c.shape(adaptor.getData());
  TensorShape indices = c.shape(adaptor.getIndices());
  TensorShape updates = c.shape(adaptor.getUpdates());
  if (failed(checkElementIndices(c, data, indices, adaptor.getAxis())) ||
      failed(requireEqualShapes(c, updates.sizes, indices.sizes)) ||
      failed(checkReduction(c, adaptor.getReduction(), adaptor.getData())))
    return failure();
  return inferScatter(c, adaptor.getData(), adaptor.getUpdates(), results);
}

OpFoldResult ScatterElementsOp::fold(FoldAdaptor) {
  return foldScatter(getData(), getUpdates(), getType());
}

LogicalResult
ScatterNDOp::inferResultShapes(ShapeContext &c, Adaptor adaptor,
                               SmallVectorImpl<TensorShape> &results) {
  TensorShape data = c.shape(adaptor.getData());
  TensorShape indices = c.shape(adaptor.getIndices());
  TensorShape updates = c.shape(adaptor.getUpdates());
  FailureOr<int64_t> count = getTupleSize(c, indices, data.rank());
  if (failed(count))
    return failure();
  SmallVector<AffineExpr> wanted(ArrayRef(indices.sizes).drop_back());
  llvm::append_range(wanted, ArrayRef(data.sizes).drop_front(*count));
  if (failed(requireEqualShapes(c, updates.sizes, wanted)) ||
      failed(checkReduction(c, adaptor.getReduction(), adaptor.getData())))
    return failure();
  return inferScatter(c, adaptor.getData(), adaptor.getUpdates(), results);
}

OpFoldResult ScatterNDOp::fold(FoldAdaptor) {
  return foldScatter(getData(), getUpdates(), getType());
}

LogicalResult
TensorScatterOp::inferResultShapes(ShapeContext &c, Adaptor adaptor,
                                   SmallVectorImpl<TensorShape> &results) {
  TensorShape data = c.shape(adaptor.getData());
  TensorShape update = c.shape(adaptor.getUpdate());
  int64_t axis = adaptor.getAxis();
  if (failed(checkAxis(c, axis, data.rank())))
    return failure();
  if (axis == 0)
    return c.error("'axis' is 0, which is the axis of batches");
  SmallVector<AffineExpr> wanted(data.sizes);
  if (update.rank() == data.rank()) {
    wanted[axis] = update.sizes[axis];
    if (failed(c.requireAtLeast(data.sizes[axis], wanted[axis], "update has ",
                                wanted[axis], " elements along axis ", axis,
                                " but the data only has ", data.sizes[axis])))
      return failure();
  }
  if (failed(requireEqualShapes(c, update.sizes, wanted)))
    return failure();
  if (Value start = adaptor.getStart()) {
    TensorShape starts = c.shape(start);
    if (starts.rank() != 1)
      return c.error("needs a vector of positions, not rank ", starts.rank());
    if (failed(c.requireEqual(starts.sizes[0], data.sizes[0], "has ",
                              starts.sizes[0], " positions for ", data.sizes[0],
                              " batches")))
      return failure();
  }
  return inferScatter(c, adaptor.getData(), adaptor.getUpdate(), results);
}

OpFoldResult TensorScatterOp::fold(FoldAdaptor) {
  return foldScatter(getData(), getUpdate(), getType());
}

//===----------------------------------------------------------------------===//
// one_hot, reverse_sequence
//===----------------------------------------------------------------------===//

LogicalResult
OneHotOp::inferResultShapes(ShapeContext &c, Adaptor adaptor,
                            SmallVectorImpl<TensorShape> &results) {
  TensorShape result = c.shape(adaptor.getIndices());
  TensorShape values = c.shape(adaptor.getValues());
  int64_t axis = adaptor.getAxis();
  if (values.rank() != 1 || getKnownSize(values.sizes[0]) != 2)
    return c.error("needs two values, off and on");
  if (failed(checkAxis(c, axis, result.rank() + 1, "the result")) ||
      failed(rejectPerAxis(c, adaptor.getValues())))
    return failure();
  FailureOr<SmallVector<AffineExpr>> depth =
      c.values(static_cast<int64_t>(adaptor.getDepth()), adaptor.getDynamics());
  if (failed(depth) || failed(c.requireAtLeast(depth->front(), c.constant(0),
                                               "depth is ", depth->front())))
    return failure();
  result.sizes.insert(result.sizes.begin() + axis, depth->front());
  result.element = values.element;
  results.push_back(std::move(result));
  return success();
}

LogicalResult
ReverseSequenceOp::inferResultShapes(ShapeContext &c, Adaptor adaptor,
                                     SmallVectorImpl<TensorShape> &results) {
  TensorShape input = c.shape(adaptor.getInput());
  TensorShape lengths = c.shape(adaptor.getLengths());
  int64_t batch = adaptor.getBatchAxis(), time = adaptor.getTimeAxis();
  if (batch < 0 || time < 0 || batch == time ||
      std::max(batch, time) >= input.rank())
    return c.error("has batches along axis ", batch, " and times along axis ",
                   time, " of rank ", input.rank());
  if (lengths.rank() != 1)
    return c.error("needs a vector of lengths, not rank ", lengths.rank());
  if (failed(c.requireEqual(lengths.sizes[0], input.sizes[batch], "has ",
                            lengths.sizes[0], " lengths for ",
                            input.sizes[batch], " sequences")))
    return failure();
  results.push_back(std::move(input));
  return success();
}
