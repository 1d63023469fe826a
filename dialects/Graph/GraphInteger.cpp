//===- GraphInteger.cpp - Exact integer operators ----------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Graph/GraphInteger.h"
#include "dialects/Graph/Constants.h"

#include "mlir/Dialect/Traits.h"
#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace acc::graph;

namespace {

/// Reports mistakes found during inference as `'graph.x' op <message>`, the
/// words the verifier would use.
class Reporter {
public:
  Reporter(std::optional<Location> location, StringRef op)
      : location(location), op(op) {}

  LogicalResult operator()(const Twine &message) const {
    return emitOptionalError(location, "'", op, "' op ", message);
  }

private:
  std::optional<Location> location;
  StringRef op;
};

std::string describe(ArrayRef<int64_t> values) {
  std::string text = "[";
  for (auto [index, value] : llvm::enumerate(values))
    text += (index ? ", " : "") + std::to_string(value);
  return text + "]";
}

ArrayRef<int64_t> shapeOf(Value value) {
  return cast<RankedTensorType>(value.getType()).getShape();
}

} // namespace

//===----------------------------------------------------------------------===//
// ConvIntegerOp
//===----------------------------------------------------------------------===//

LogicalResult ConvIntegerOp::inferReturnTypes(MLIRContext *context,
                                              std::optional<Location> location,
                                              Adaptor adaptor,
                                              SmallVectorImpl<Type> &types) {
  Reporter error(location, getOperationName());
  ArrayRef<int64_t> input = shapeOf(adaptor.getInput());
  ArrayRef<int64_t> weight = shapeOf(adaptor.getWeight());
  ArrayRef<int64_t> bias = shapeOf(adaptor.getBias());
  if (input.size() < 3)
    return error("input needs at least 3 axes, has shape " + describe(input));
  if (weight.size() != input.size())
    return error("weight has " + Twine(weight.size()) +
                 " axes, but the input has " + Twine(input.size()));
  size_t spatial = input.size() - 2;
  ArrayRef<int64_t> strides = adaptor.getStrides(), pads = adaptor.getPads(),
                    dilations = adaptor.getDilations();
  if (strides.size() != spatial || dilations.size() != spatial ||
      pads.size() != 2 * spatial)
    return error("needs " + Twine(spatial) + " strides, " + Twine(spatial) +
                 " dilations and " + Twine(2 * spatial) + " pads");
  auto positive = [](int64_t value) { return value > 0; };
  if (!llvm::all_of(strides, positive) || !llvm::all_of(dilations, positive))
    return error("strides and dilations must be positive");
  if (llvm::any_of(pads, [](int64_t pad) { return pad < 0; }))
    return error("pads must not be negative, are " + describe(pads));
  int64_t group = adaptor.getGroup();
  if (group < 1 || input[1] % group || weight[0] % group ||
      weight[1] != input[1] / group)
    return error("group " + Twine(group) + " does not fit input " +
                 describe(input) + " and weight " + describe(weight));
  if (bias.size() != 1 || bias[0] != weight[0])
    return error("bias must have shape [" + Twine(weight[0]) + "], has " +
                 describe(bias));
  SmallVector<int64_t> result{input[0], weight[0]};
  for (size_t axis = 0; axis != spatial; ++axis) {
    int64_t window = (weight[axis + 2] - 1) * dilations[axis] + 1;
    int64_t room = input[axis + 2] + pads[axis] + pads[spatial + axis] - window;
    if (weight[axis + 2] < 1 || room < 0)
      return error("window of " + Twine(window) +
                   " elements does not fit spatial axis " + Twine(axis));
    result.push_back(room / strides[axis] + 1);
  }
  types.push_back(RankedTensorType::get(result, IntegerType::get(context, 32)));
  return success();
}

//===----------------------------------------------------------------------===//
// GemmIntegerOp
//===----------------------------------------------------------------------===//

LogicalResult GemmIntegerOp::inferReturnTypes(MLIRContext *context,
                                              std::optional<Location> location,
                                              Adaptor adaptor,
                                              SmallVectorImpl<Type> &types) {
  Reporter error(location, getOperationName());
  ArrayRef<int64_t> input = shapeOf(adaptor.getInput());
  ArrayRef<int64_t> weight = shapeOf(adaptor.getWeight());
  ArrayRef<int64_t> bias = shapeOf(adaptor.getBias());
  if (input.size() != 2 || weight.size() != 2 || input[1] != weight[1])
    return error("needs input (M, K) and weight (N, K), has " +
                 describe(input) + " and " + describe(weight));
  if (bias.size() != 1 || bias[0] != weight[0])
    return error("bias must have shape [" + Twine(weight[0]) + "], has " +
                 describe(bias));
  types.push_back(RankedTensorType::get({input[0], weight[0]},
                                        IntegerType::get(context, 32)));
  return success();
}

//===----------------------------------------------------------------------===//
// WeightedSumOp
//===----------------------------------------------------------------------===//

LogicalResult WeightedSumOp::inferReturnTypes(MLIRContext *context,
                                              std::optional<Location> location,
                                              Adaptor adaptor,
                                              SmallVectorImpl<Type> &types) {
  Reporter error(location, getOperationName());
  ValueRange inputs = adaptor.getInputs();
  if (inputs.empty())
    return error("needs at least one input");
  if (adaptor.getOffsets().size() != inputs.size() ||
      adaptor.getMultipliers().size() != inputs.size())
    return error("needs one offset and one multiplier for each of its " +
                 Twine(inputs.size()) + " inputs");
  for (int64_t multiplier : adaptor.getMultipliers()) {
    int64_t magnitude = std::abs(multiplier);
    if (magnitude >> llvm::countr_zero(uint64_t(magnitude | 1ll << 62)) >=
        1 << 15)
      return error("multiplier " + Twine(multiplier) +
                   " has more than 15 significant bits");
  }
  SmallVector<int64_t> result(shapeOf(inputs.front()));
  for (Value input : inputs.drop_front()) {
    SmallVector<int64_t> merged;
    if (!OpTrait::util::getBroadcastedShape(result, shapeOf(input), merged))
      return error("shapes " + describe(result) + " and " +
                   describe(shapeOf(input)) + " do not broadcast");
    result = merged;
  }
  types.push_back(RankedTensorType::get(result, IntegerType::get(context, 32)));
  return success();
}

//===----------------------------------------------------------------------===//
// GlobalSumIntegerOp
//===----------------------------------------------------------------------===//

LogicalResult GlobalSumIntegerOp::inferReturnTypes(
    MLIRContext *context, std::optional<Location> location, Adaptor adaptor,
    SmallVectorImpl<Type> &types) {
  SmallVector<int64_t> result(shapeOf(adaptor.getInput()));
  if (result.size() < 3)
    return Reporter(location, getOperationName())(
        "input needs at least 3 axes, has shape " + describe(result));
  std::fill(result.begin() + 2, result.end(), 1);
  types.push_back(RankedTensorType::get(result, IntegerType::get(context, 32)));
  return success();
}

//===----------------------------------------------------------------------===//
// RequantizeOp
//===----------------------------------------------------------------------===//

LogicalResult RequantizeOp::inferReturnTypes(MLIRContext *context,
                                             std::optional<Location>,
                                             Adaptor adaptor,
                                             SmallVectorImpl<Type> &types) {
  types.push_back(RankedTensorType::get(shapeOf(adaptor.getInput()),
                                        IntegerType::get(context, 8)));
  return success();
}

LogicalResult RequantizeOp::verify() {
  ArrayRef<int64_t> shape = shapeOf(getInput());
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
      failed(checkLength("multiplier", getMultiplier())))
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
    if (multiplier < 0 || multiplier >= 1 << 15)
      return emitOpError("multiplier ")
             << multiplier << " is not in [0, 32767]";
  bool halfEven = getRounding() == Rounding::HalfEven;
  int32_t post = getPostShift(), most = halfEven ? 14 : 30;
  if (post < halfEven || post > most)
    return emitOpError("post_shift ")
           << post << " is not in [" << int(halfEven) << ", " << most
           << "] for rounding " << stringifyRounding(getRounding());
  // Accessors of signless attributes return unsigned integers.
  int32_t mid = getMidShift(), zeroPoint = getZeroPoint(),
          lo = getOutLo().value_or(-128), hi = getOutHi().value_or(127);
  if (mid < 0 || mid > 15)
    return emitOpError("mid_shift ") << mid << " is not in [0, 15]";
  if (mid && !halfEven)
    return emitOpError("mid_shift is for rounding half_even");
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
// RebaseOp
//===----------------------------------------------------------------------===//

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
  return makeElements(type, [&](MutableArrayRef<char> data) {
    for (auto [index, byte] : llvm::enumerate(data))
      byte = (*raw)[raw->size() == 1 ? 0 : index] ^ char(0x80);
  });
}

LogicalResult RebaseOp::verify() {
  auto input = cast<RankedTensorType>(getInput().getType());
  auto result = cast<RankedTensorType>(getType());
  if (input.getShape() != result.getShape())
    return emitOpError("must not change the shape");
  if (input.getElementType() == result.getElementType())
    return emitOpError("must convert between ui8 and i8");
  return success();
}

#define GET_OP_CLASSES
#include "dialects/Graph/GraphInteger.cpp.inc"
