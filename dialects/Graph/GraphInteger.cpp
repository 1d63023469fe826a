//===- GraphInteger.cpp - Exact integer operators ----------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Graph/GraphInteger.h"
#include "dialects/Graph/Constants.h"
#include "dialects/Graph/GraphMovement.h"

#include "mlir/Dialect/Traits.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/PatternMatch.h"

using namespace mlir;
using namespace acc::graph;

static Type getI32(const ShapeContext &c) {
  return IntegerType::get(c.getContext(), 32);
}

/// One bias for each output channel.
static LogicalResult checkBias(ShapeContext &c, Value operand,
                               AffineExpr channels) {
  TensorShape bias = c.shape(operand);
  return c.requireEqual(bias.rank() == 1 ? bias.sizes[0] : c.constant(-1),
                        channels, "bias must have shape [", channels, "], has ",
                        bias);
}

//===----------------------------------------------------------------------===//
// ConvIntegerOp
//===----------------------------------------------------------------------===//

LogicalResult
ConvIntegerOp::inferResultShapes(ShapeContext &c, Adaptor adaptor,
                                 SmallVectorImpl<TensorShape> &results) {
  SmallVector<AffineExpr> input = c.shape(adaptor.getInput()).sizes;
  SmallVector<AffineExpr> weight = c.shape(adaptor.getWeight()).sizes;
  if (input.size() < 3)
    return c.error("input needs at least 3 axes, has shape ", ArrayRef(input));
  if (weight.size() != input.size())
    return c.error("weight has ", weight.size(), " axes, but the input has ",
                   input.size());
  int64_t group = adaptor.getGroup();
  if (group < 1)
    return c.error("group ", group, " must be positive");
  for (auto [a, b] : {std::pair{input[1] % group, c.constant(0)},
                      {weight[0] % group, c.constant(0)},
                      {weight[1], input[1].floorDiv(group)}})
    if (failed(c.requireEqual(a, b, "group ", group, " does not fit input ",
                              ArrayRef(input), " and weight ",
                              ArrayRef(weight))))
      return failure();
  if (failed(checkBias(c, adaptor.getBias(), weight[0])))
    return failure();
  FailureOr<SmallVector<AffineExpr>> spatial = c.windows(
      ArrayRef(input).drop_front(2), ArrayRef(weight).drop_front(2),
      adaptor.getStrides(), adaptor.getPads(), adaptor.getDilations());
  if (failed(spatial))
    return failure();
  results.push_back({{input[0], weight[0]}, getI32(c)});
  llvm::append_range(results.back().sizes, *spatial);
  return success();
}

namespace {

/// Padding in front of a convolution becomes its own if both pad with the same
/// number.
struct FoldPadIntoConvInteger : OpRewritePattern<ConvIntegerOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(ConvIntegerOp conv,
                                PatternRewriter &rewriter) const override {
    auto pad = conv.getInput().getDefiningOp<PadOp>();
    if (!pad || pad.getMode() != PadMode::Constant)
      return rewriter.notifyMatchFailure(conv, "input has no border");
    auto value = int8_t(pad.getConstantValue().convertToDouble());
    bool padsItself =
        llvm::any_of(conv.getPads(), [](int64_t size) { return size != 0; });
    if (padsItself && value != int8_t(conv.getPadValue()))
      return rewriter.notifyMatchFailure(conv, "pads with another number");
    std::optional<SmallVector<int64_t>> pads = addPads(pad, conv.getPads());
    if (!pads)
      return rewriter.notifyMatchFailure(conv, "pads no space, or crops");
    rewriter.modifyOpInPlace(conv, [&] {
      conv.getInputMutable().assign(pad.getInput());
      conv.setPads(*pads);
      conv.setPadValue(value);
    });
    return success();
  }
};

} // namespace

void ConvIntegerOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                                MLIRContext *context) {
  patterns.add<FoldPadIntoConvInteger>(context);
}

//===----------------------------------------------------------------------===//
// GemmIntegerOp
//===----------------------------------------------------------------------===//

LogicalResult
GemmIntegerOp::inferResultShapes(ShapeContext &c, Adaptor adaptor,
                                 SmallVectorImpl<TensorShape> &results) {
  SmallVector<AffineExpr> input = c.shape(adaptor.getInput()).sizes;
  SmallVector<AffineExpr> weight = c.shape(adaptor.getWeight()).sizes;
  bool fits = input.size() == 2 && weight.size() == 2;
  if (failed(c.requireEqual(fits ? input[1] : c.constant(0),
                            fits ? weight[1] : c.constant(1),
                            "needs input (M, K) and weight (N, K), has ",
                            ArrayRef(input), " and ", ArrayRef(weight))) ||
      failed(checkBias(c, adaptor.getBias(), weight[0])))
    return failure();
  results.push_back({{input[0], weight[0]}, getI32(c)});
  return success();
}

//===----------------------------------------------------------------------===//
// MatMulIntegerOp
//===----------------------------------------------------------------------===//

LogicalResult
MatMulIntegerOp::inferResultShapes(ShapeContext &c, Adaptor adaptor,
                                   SmallVectorImpl<TensorShape> &results) {
  TensorShape aShape = c.shape(adaptor.getA()),
              bShape = c.shape(adaptor.getB());
  ArrayRef<AffineExpr> a = aShape.sizes, b = bShape.sizes;
  if (a.size() < 2 || b.size() < 2)
    return c.error("operands have ranks ", a.size(), " and ", b.size(),
                   " but must be matrices or stacks of them");
  AffineExpr inner = b[b.size() - 2], columns = b.back();
  if (adaptor.getTransB())
    std::swap(inner, columns);
  if (failed(c.requireEqual(a.back(), inner, "sums over ", a.back(),
                            " elements of a but ", inner, " elements of b")))
    return failure();
  FailureOr<SmallVector<AffineExpr>> sizes =
      c.broadcast({a.drop_back(2), b.drop_back(2)});
  if (failed(sizes))
    return failure();
  sizes->push_back(a[a.size() - 2]);
  sizes->push_back(columns);
  results.push_back({std::move(*sizes), getI32(c)});
  return success();
}

//===----------------------------------------------------------------------===//
// WeightedSumOp
//===----------------------------------------------------------------------===//

LogicalResult
WeightedSumOp::inferResultShapes(ShapeContext &c, Adaptor adaptor,
                                 SmallVectorImpl<TensorShape> &results) {
  ValueRange inputs = adaptor.getInputs();
  if (inputs.empty())
    return c.error("needs at least one input");
  if (adaptor.getMultipliers().size() != inputs.size())
    return c.error("needs one multiplier for each of its ", inputs.size(),
                   " inputs");
  for (int64_t multiplier : adaptor.getMultipliers()) {
    int64_t magnitude = std::abs(multiplier);
    if (magnitude >> llvm::countr_zero(uint64_t(magnitude | 1ll << 62)) >=
        1 << 15)
      return c.error("multiplier ", multiplier,
                     " has more than 15 significant bits");
  }
  if (failed(inferBroadcast(c, inputs, results)))
    return failure();
  results.back().element = getI32(c);
  return success();
}

//===----------------------------------------------------------------------===//
// MulIntegerOp
//===----------------------------------------------------------------------===//

LogicalResult
MulIntegerOp::inferResultShapes(ShapeContext &c, Adaptor adaptor,
                                SmallVectorImpl<TensorShape> &results) {
  if (failed(inferBroadcast(c, adaptor.getOperands(), results)))
    return failure();
  results.back().element = getI32(c);
  return success();
}

//===----------------------------------------------------------------------===//
// ScaleIntegerOp
//===----------------------------------------------------------------------===//

LogicalResult
ScaleIntegerOp::inferResultShapes(ShapeContext &c, Adaptor adaptor,
                                  SmallVectorImpl<TensorShape> &results) {
  TensorShape input = c.shape(adaptor.getInput());
  for (Value factor : adaptor.getFactors()) {
    TensorShape shape = c.shape(factor);
    if (shape.rank() != input.rank())
      return c.error("a factor has ", shape.rank(), " axes, but the input has ",
                     input.rank());
    for (auto [own, size] : llvm::zip(shape.sizes, input.sizes))
      if (getKnownSize(own) != 1 &&
          failed(c.requireEqual(own, size, "factor ", ArrayRef(shape.sizes),
                                " does not fit input ", ArrayRef(input.sizes))))
        return failure();
  }
  results.push_back(std::move(input));
  return success();
}

//===----------------------------------------------------------------------===//
// GlobalSumIntegerOp
//===----------------------------------------------------------------------===//

LogicalResult
GlobalSumIntegerOp::inferResultShapes(ShapeContext &c, Adaptor adaptor,
                                      SmallVectorImpl<TensorShape> &results) {
  SmallVector<AffineExpr> sizes = c.shape(adaptor.getInput()).sizes;
  if (sizes.size() < 3)
    return c.error("input needs at least 3 axes, has shape ", ArrayRef(sizes));
  std::fill(sizes.begin() + 2, sizes.end(), c.constant(1));
  results.push_back({std::move(sizes), getI32(c)});
  return success();
}

//===----------------------------------------------------------------------===//
// GlobalMeanIntegerOp
//===----------------------------------------------------------------------===//

LogicalResult
GlobalMeanIntegerOp::inferResultShapes(ShapeContext &c, Adaptor adaptor,
                                       SmallVectorImpl<TensorShape> &results) {
  TensorShape shape = c.shape(adaptor.getInput());
  if (shape.rank() < 3)
    return c.error("input needs at least 3 axes, has shape ",
                   ArrayRef(shape.sizes));
  for (AffineExpr &size : llvm::drop_begin(shape.sizes, 2)) {
    if (failed(c.requireAtLeast(size, c.constant(1),
                                "takes the mean of no elements")))
      return failure();
    size = c.constant(1);
  }
  results.push_back(std::move(shape));
  return success();
}

LogicalResult GlobalMeanIntegerOp::verify() {
  for (APFloat scale : {getInputScale(), getScale()})
    if (!scale.isFiniteNonZero() || scale.isNegative())
      return emitOpError("scale ")
             << scale.convertToDouble() << " is not a positive finite number";
  // Accessors of signless attributes return unsigned integers.
  auto check = [&](StringRef prefix, int32_t zeroPoint, int32_t lo,
                   int32_t hi) -> LogicalResult {
    for (int32_t value : {zeroPoint, lo, hi})
      if (value < -128 || value > 127)
        return emitOpError() << prefix << "zero_point, " << prefix << "lo and "
                             << prefix << "hi must be in [-128, 127]";
    if (lo > hi)
      return emitOpError() << prefix << "lo exceeds " << prefix << "hi";
    return success();
  };
  if (failed(check("input_", getInputZeroPoint(), getInputLo(), getInputHi())))
    return failure();
  return check("", getZeroPoint(), getLo(), getHi());
}

//===----------------------------------------------------------------------===//
// RequantizeOp
//===----------------------------------------------------------------------===//

LogicalResult
RequantizeOp::inferResultShapes(ShapeContext &c, Adaptor adaptor,
                                SmallVectorImpl<TensorShape> &results) {
  results.push_back(c.shape(adaptor.getInput()));
  results.back().element = IntegerType::get(c.getContext(), 8);
  return success();
}

LogicalResult RequantizeOp::verify() {
  ArrayRef<int64_t> shape = getInput().getType().getShape();
  int64_t channels = shape.size() > 1 ? shape[1] : 1;
  auto checkLength = [&](StringRef name,
                         std::optional<ArrayRef<int32_t>> values) {
    if (!values || values->size() == 1 || int64_t(values->size()) == channels)
      return success();
    return LogicalResult(emitOpError() << name << " has " << values->size()
                                       << " values; needs 1 or " << channels
                                       << ", one per channel");
  };
  if (failed(checkLength("clip_lo", getClipLo())) ||
      failed(checkLength("clip_hi", getClipHi())) ||
      failed(checkLength("pre_shift", getPreShift())) ||
      failed(checkLength("multiplier", getMultiplier())) ||
      failed(checkLength("post_shift", getPostShift())))
    return failure();
  if (getClipLo() && getClipHi()) {
    ArrayRef<int32_t> lo = *getClipLo(), hi = *getClipHi();
    for (size_t i = 0, e = std::max(lo.size(), hi.size()); i != e; ++i)
      if (lo[lo.size() == 1 ? 0 : i] > hi[hi.size() == 1 ? 0 : i])
        return emitOpError("clip_lo exceeds clip_hi");
  }
  for (int32_t shift : getPreShift())
    if (shift < -31 || shift > 31)
      return emitOpError("pre_shift ") << shift << " is not in [-31, 31]";
  for (int32_t multiplier : getMultiplier())
    if (multiplier < 0)
      return emitOpError("multiplier ") << multiplier << " is negative";
  bool halfEven = getRounding() == Rounding::HalfEven;
  for (int32_t shift : getPostShift())
    if (shift < halfEven || shift > 30)
      return emitOpError("post_shift ")
             << shift << " is not in [" << int(halfEven)
             << ", 30] for rounding " << stringifyRounding(getRounding());
  if (getRounding() == Rounding::HalfUp && getPostShift().size() != 1)
    return emitOpError(
        "post_shift per channel is for rounding half_even and down");
  // Accessors of signless attributes return unsigned integers.
  int32_t mid = getMidShift(), zeroPoint = getZeroPoint(),
          lo = getOutLo().value_or(-128), hi = getOutHi().value_or(127);
  if (mid < 0 || mid > 15)
    return emitOpError("mid_shift ") << mid << " is not in [0, 15]";
  if ((mid || getAddend()) && !halfEven)
    return emitOpError("addend and mid_shift are for rounding half_even");
  if (std::optional<int32_t> bits = getBits(); bits && (*bits < 1 || *bits > 8))
    return emitOpError("bits ") << *bits << " is not in [1, 8]";
  auto isByte = [](int32_t value) { return value >= -128 && value <= 127; };
  if (!isByte(zeroPoint))
    return emitOpError("zero_point ") << zeroPoint << " is not in [-128, 127]";
  if (!isByte(lo) || !isByte(hi))
    return emitOpError("out_lo and out_hi must be in [-128, 127]");
  if (lo > hi)
    return emitOpError("out_lo exceeds out_hi");
  return success();
}

//===----------------------------------------------------------------------===//
// LookupOp
//===----------------------------------------------------------------------===//

LogicalResult
LookupOp::inferResultShapes(ShapeContext &c, Adaptor adaptor,
                            SmallVectorImpl<TensorShape> &results) {
  TensorShape input = c.shape(adaptor.getInput());
  SmallVector<AffineExpr> table = c.shape(adaptor.getTable()).sizes;
  constexpr int64_t entries = 256;
  if (table.size() != 2 || getKnownSize(table[1]) != entries)
    return c.error("needs a table of ", entries,
                   " entries, or one for each channel, has ", ArrayRef(table));
  if (getKnownSize(table[0]) != 1 &&
      failed(c.requireEqual(
          table[0], input.rank() > 1 ? input.sizes[1] : c.constant(1), "has ",
          table[0], " tables for an input of shape ", ArrayRef(input.sizes))))
    return failure();
  results.push_back(std::move(input));
  return success();
}

//===----------------------------------------------------------------------===//
// RebaseOp
//===----------------------------------------------------------------------===//

int64_t RebaseOp::getOffset() {
  auto from = cast<IntegerType>(getElementTypeOrSelf(getInput())),
       to = cast<IntegerType>(getElementTypeOrSelf(getType()));
  if (from.isUnsigned())
    return -(int64_t(1) << (from.getWidth() - 1));
  return to.isUnsigned() ? int64_t(1) << (to.getWidth() - 1) : 0;
}

OpFoldResult RebaseOp::fold(FoldAdaptor adaptor) {
  auto producer = getInput().getDefiningOp<RebaseOp>();
  if (producer && producer.getInput().getType() == getType())
    return producer.getInput();
  auto value = dyn_cast_if_present<ElementsAttr>(adaptor.getInput());
  std::optional<ArrayRef<char>> raw;
  if (value)
    raw = getRawElements(value);
  if (!raw)
    return {};
  auto type = cast<RankedTensorType>(getType());
  auto from = cast<IntegerType>(value.getElementType());
  int64_t offset = getOffset();
  return makeElements(type, [&](MutableArrayRef<char> data) {
    for (auto [index, byte] : llvm::enumerate(data)) {
      uint64_t bits = uint8_t((*raw)[raw->size() == 1 ? 0 : index]);
      byte = char(llvm::SignExtend64(bits, from.getWidth()) + offset);
      if (from.isUnsigned())
        byte = char((bits & llvm::maskTrailingOnes<uint64_t>(from.getWidth())) +
                    offset);
    }
  });
}

LogicalResult RebaseOp::inferShapes(ShapeContext &c,
                                    SmallVectorImpl<TensorShape> &results) {
  Type result = cast<RankedTensorType>(getType()).getElementType();
  results.push_back(c.shape(getInput()));
  if (results.back().element.isSignlessInteger(8) ==
      result.isSignlessInteger(8))
    return c.error("must convert between i8 and another type");
  results.back().element = result;
  return success();
}

#define GET_OP_CLASSES
#include "dialects/Graph/GraphInteger.cpp.inc"
