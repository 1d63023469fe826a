//===- ToLinalgElementwise.cpp - Element-wise operators to linalg ---------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One table: operator -> the computation of one element. Broadcasting is the
// same for all of them and lives in the indexing maps.
//
//===----------------------------------------------------------------------===//

#include "dialects/Graph/GraphElementwise.h"
#include "dialects/Graph/GraphInteger.h"
#include "dialects/Graph/GraphLayout.h"
#include "dialects/Graph/GraphQuantization.h"
#include "passes/Graph/ToLinalg.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace acc::graph;

namespace {

/// What a rule may look at besides the elements: attributes and the original,
/// signed or unsigned, types.
struct Context {
  Operation *op;
  bool isFloat, isUnsigned;
};

using Rule = Value (*)(ImplicitLocOpBuilder &, Context, ValueRange);

/// A binary operator by its three arith flavours.
template <typename Float, typename Signed, typename Unsigned>
Value arithmetic(ImplicitLocOpBuilder &b, Context context, ValueRange x) {
  if (context.isFloat)
    return Float::create(b, x[0], x[1]);
  if (context.isUnsigned)
    return Unsigned::create(b, x[0], x[1]);
  return Signed::create(b, x[0], x[1]);
}

constexpr Rule addition =
    arithmetic<arith::AddFOp, arith::AddIOp, arith::AddIOp>;
constexpr Rule maximum =
    arithmetic<arith::MaximumFOp, arith::MaxSIOp, arith::MaxUIOp>;
constexpr Rule minimum =
    arithmetic<arith::MinimumFOp, arith::MinSIOp, arith::MinUIOp>;

Value sum(ImplicitLocOpBuilder &b, Context context, ValueRange x) {
  Value total = x.front();
  for (Value next : x.drop_front())
    total = addition(b, context, {total, next});
  return total;
}

Value relu(ImplicitLocOpBuilder &b, Context context, ValueRange x) {
  Value zero = arith::ConstantOp::create(b, getZero(x[0].getType()));
  return maximum(b, context, {x[0], zero});
}

/// A bound of a clip as a constant of `type`, saturated to what it holds.
Value createBound(ImplicitLocOpBuilder &b, Context context, Type type,
                  double bound) {
  if (auto floating = dyn_cast<FloatType>(type))
    return arith::ConstantOp::create(b, FloatAttr::get(floating, bound));
  bool exact;
  APSInt value(type.getIntOrFloatBitWidth(), context.isUnsigned);
  APFloat(bound).convertToInteger(value, APFloat::rmTowardZero, &exact);
  return arith::ConstantOp::create(b, IntegerAttr::get(type, value));
}

Value clip(ImplicitLocOpBuilder &b, Context context, ValueRange x) {
  auto op = cast<ClipOp>(context.op);
  Value value = x[0];
  if (std::optional<APFloat> bound = op.getMin())
    value = maximum(b, context,
                    {value, createBound(b, context, value.getType(),
                                        bound->convertToDouble())});
  if (std::optional<APFloat> bound = op.getMax())
    value = minimum(b, context,
                    {value, createBound(b, context, value.getType(),
                                        bound->convertToDouble())});
  return value;
}

Value cast_(ImplicitLocOpBuilder &b, Context context, ValueRange x) {
  Type from = x[0].getType();
  Type resultElement = getElementTypeOrSelf(context.op->getResult(0));
  Type to = getStorageType(resultElement);
  if (from == to)
    return x[0];
  if (to.isInteger(1)) {
    Value zero = arith::ConstantOp::create(b, getZero(from));
    if (context.isFloat)
      return arith::CmpFOp::create(b, arith::CmpFPredicate::UNE, x[0], zero);
    return arith::CmpIOp::create(b, arith::CmpIPredicate::ne, x[0], zero);
  }
  bool wider = to.getIntOrFloatBitWidth() > from.getIntOrFloatBitWidth();
  if (context.isFloat && isa<FloatType>(to)) {
    if (wider)
      return arith::ExtFOp::create(b, to, x[0]);
    return arith::TruncFOp::create(b, to, x[0]);
  }
  if (context.isFloat) {
    if (isUnsignedElement(resultElement))
      return arith::FPToUIOp::create(b, to, x[0]);
    return arith::FPToSIOp::create(b, to, x[0]);
  }
  if (isa<FloatType>(to)) {
    if (context.isUnsigned)
      return arith::UIToFPOp::create(b, to, x[0]);
    return arith::SIToFPOp::create(b, to, x[0]);
  }
  if (!wider)
    return arith::TruncIOp::create(b, to, x[0]);
  if (context.isUnsigned)
    return arith::ExtUIOp::create(b, to, x[0]);
  return arith::ExtSIOp::create(b, to, x[0]);
}

Value rebase(ImplicitLocOpBuilder &b, Context, ValueRange x) {
  Value flip = arith::ConstantOp::create(
      b, b.getIntegerAttr(x[0].getType(), APInt::getSignedMinValue(8)));
  return arith::XOrIOp::create(b, x[0], flip);
}

Value weightedSum(ImplicitLocOpBuilder &b, Context context, ValueRange x) {
  auto op = cast<WeightedSumOp>(context.op);
  auto constant = [&](int32_t value) -> Value {
    return arith::ConstantOp::create(b, b.getI32IntegerAttr(value));
  };
  Value total;
  for (auto [input, offset, multiplier] :
       llvm::zip(x, op.getOffsets(), op.getMultipliers())) {
    Value term = arith::ExtSIOp::create(b, b.getI32Type(), input);
    if (offset)
      term = arith::AddIOp::create(b, term, constant(offset));
    if (multiplier != 1)
      term = arith::MulIOp::create(b, term, constant(multiplier));
    total = total ? arith::AddIOp::create(b, total, term).getResult() : term;
  }
  return total;
}

constexpr std::pair<StringLiteral, Rule> rules[] = {
    {"graph.add", addition},
    {"graph.sub", arithmetic<arith::SubFOp, arith::SubIOp, arith::SubIOp>},
    {"graph.mul", arithmetic<arith::MulFOp, arith::MulIOp, arith::MulIOp>},
    {"graph.div", arithmetic<arith::DivFOp, arith::DivSIOp, arith::DivUIOp>},
    {"graph.sum", sum},
    {"graph.relu", relu},
    {"graph.clip", clip},
    {"graph.cast", cast_},
    {"graph.rebase", rebase},
    {"graph.weighted_sum", weightedSum},
};

class ElementwisePattern : public ConversionPattern {
public:
  ElementwisePattern(const TypeConverter &converter, MLIRContext *context,
                     StringRef name, Rule rule)
      : ConversionPattern(converter, name, /*benefit=*/1, context), rule(rule) {
  }

  LogicalResult
  matchAndRewrite(Operation *op, ArrayRef<Value> operands,
                  ConversionPatternRewriter &rewriter) const override {
    auto type = dyn_cast_or_null<RankedTensorType>(
        getTypeConverter()->convertType(op->getResult(0).getType()));
    if (!type)
      return rewriter.notifyMatchFailure(op, "result is not a ranked tensor");
    Type element = getElementTypeOrSelf(op->getOperand(0));
    Context context{op, isa<FloatType>(element), isUnsignedElement(element)};
    ImplicitLocOpBuilder b(op->getLoc(), rewriter);
    rewriter.replaceOp(op, createElementwise(b, type, operands,
                                             [&](ImplicitLocOpBuilder &inner,
                                                 ValueRange elements) {
                                               return rule(inner, context,
                                                           elements);
                                             }));
    return success();
  }

private:
  Rule rule;
};

} // namespace

void acc::graph::populateElementwiseToLinalg(const TypeConverter &converter,
                                             RewritePatternSet &patterns) {
  for (auto [name, rule] : rules)
    patterns.add(std::make_unique<ElementwisePattern>(
        converter, patterns.getContext(), name, rule));
}
