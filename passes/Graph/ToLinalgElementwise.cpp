//===- ToLinalgElementwise.cpp - Element-wise operators to linalg ---------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One table: operator -> the computation of one element. Broadcasting and the
// conversions between stored and computed elements are the same for all.
//
//===----------------------------------------------------------------------===//

#include "dialects/Graph/GraphElementwise.h"
#include "dialects/Graph/GraphInteger.h"
#include "passes/Graph/ElementRules.h"
#include "passes/Graph/ToLinalg.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace acc::graph;

namespace {

Value select(ImplicitLocOpBuilder &b, Value condition, Value x, Value y) {
  return arith::SelectOp::create(b, condition, x, y);
}
Value compare(ImplicitLocOpBuilder &b, arith::CmpFPredicate predicate, Value x,
              Value y) {
  return arith::CmpFOp::create(b, predicate, x, y);
}
Value compare(ImplicitLocOpBuilder &b, arith::CmpIPredicate predicate, Value x,
              Value y) {
  return arith::CmpIOp::create(b, predicate, x, y);
}
Value zeroOf(ImplicitLocOpBuilder &b, Value value) {
  return createScalar(b, value.getType(), 0);
}

//===----------------------------------------------------------------------===//
// Arithmetic
//===----------------------------------------------------------------------===//

/// An operator by its three arith flavours, of any number of operands.
template <typename Float, typename Signed, typename Unsigned = Signed>
Value arithmetic(ImplicitLocOpBuilder &b, const ElementContext &context,
                 ValueRange x) {
  Value result = x.front();
  for (Value next : x.drop_front()) {
    if (context.isFloat())
      result = Float::create(b, result, next);
    else if (context.isUnsigned())
      result = Unsigned::create(b, result, next);
    else
      result = Signed::create(b, result, next);
  }
  return result;
}

template <typename Op>
Value binary(ImplicitLocOpBuilder &b, const ElementContext &, ValueRange x) {
  return Op::create(b, x[0], x[1]);
}

constexpr ElementRule addition = arithmetic<arith::AddFOp, arith::AddIOp>;
constexpr ElementRule maximum =
    arithmetic<arith::MaximumFOp, arith::MaxSIOp, arith::MaxUIOp>;
constexpr ElementRule minimum =
    arithmetic<arith::MinimumFOp, arith::MinSIOp, arith::MinUIOp>;

/// A divisor that traps nowhere: 1 instead of 0, and of -1 under the least
/// integer, which both leave remainder 0.
Value makeSafe(ImplicitLocOpBuilder &b, Value dividend, Value divisor,
               bool isUnsigned) {
  Type type = divisor.getType();
  using Predicate = arith::CmpIPredicate;
  Value unsafe = compare(b, Predicate::eq, divisor, zeroOf(b, divisor));
  if (!isUnsigned) {
    Value least = arith::ConstantOp::create(
        b, IntegerAttr::get(
               type, APInt::getSignedMinValue(type.getIntOrFloatBitWidth())));
    Value overflows = arith::AndIOp::create(
        b, compare(b, Predicate::eq, dividend, least),
        compare(b, Predicate::eq, divisor, createScalar(b, type, -1)));
    unsafe = arith::OrIOp::create(b, unsafe, overflows);
  }
  return select(b, unsafe, createScalar(b, type, 1), divisor);
}

Value division(ImplicitLocOpBuilder &b, const ElementContext &context,
               ValueRange x) {
  if (context.isFloat())
    return arith::DivFOp::create(b, x[0], x[1]);
  Value safe = makeSafe(b, x[0], x[1], context.isUnsigned());
  Value quotient = arithmetic<arith::DivFOp, arith::DivSIOp, arith::DivUIOp>(
      b, context, {x[0], safe});
  Value zero = zeroOf(b, x[1]);
  return select(b, compare(b, arith::CmpIPredicate::eq, x[1], zero), zero,
                quotient);
}

Value modulo(ImplicitLocOpBuilder &b, const ElementContext &context,
             ValueRange x) {
  Value divisor = x[1];
  if (!context.isFloat())
    divisor = makeSafe(b, x[0], divisor, context.isUnsigned());
  Value rest = arithmetic<arith::RemFOp, arith::RemSIOp, arith::RemUIOp>(
      b, context, {x[0], divisor});
  if (context.flag("fmod") || context.isUnsigned())
    return rest;
  // A remainder whose sign is not the divisor's has the divisor added to it.
  Value zero = zeroOf(b, rest);
  Value moved = addition(b, context, {rest, divisor});
  auto differ = [&](auto less, auto isNot) {
    Value signs = arith::XOrIOp::create(b, compare(b, less, rest, zero),
                                        compare(b, less, divisor, zero));
    return arith::AndIOp::create(b, compare(b, isNot, rest, zero), signs);
  };
  if (!context.isFloat())
    return select(b,
                  differ(arith::CmpIPredicate::slt, arith::CmpIPredicate::ne),
                  moved, rest);
  Value result =
      select(b, differ(arith::CmpFPredicate::OLT, arith::CmpFPredicate::ONE),
             moved, rest);
  return select(b, compare(b, arith::CmpFPredicate::OEQ, rest, zero),
                math::CopySignOp::create(b, zero, divisor), result);
}

/// base^exponent of integers by squaring, modulo the width of the base.
Value integerPower(ImplicitLocOpBuilder &b, Value base, Value exponent,
                   bool isUnsigned) {
  Type type = base.getType(), i64 = b.getI64Type();
  if (exponent.getType() != i64)
    exponent = isUnsigned
                   ? arith::ExtUIOp::create(b, i64, exponent).getResult()
                   : arith::ExtSIOp::create(b, i64, exponent).getResult();
  Value one = createScalar(b, type, 1);
  Value first = arith::ConstantIndexOp::create(b, 0),
        count = arith::ConstantIndexOp::create(b, 64),
        step = arith::ConstantIndexOp::create(b, 1);
  auto loop = scf::ForOp::create(
      b, first, count, step, ValueRange{one, base, exponent},
      [&](OpBuilder &nested, Location loc, Value, ValueRange state) {
        ImplicitLocOpBuilder inner(loc, nested);
        Value bit = arith::TruncIOp::create(inner, inner.getI1Type(), state[2]);
        Value product = arith::MulIOp::create(inner, state[0], state[1]);
        Value shifted = arith::ShRUIOp::create(inner, state[2],
                                               createScalar(inner, i64, 1));
        Value square = arith::MulIOp::create(inner, state[1], state[1]);
        scf::YieldOp::create(
            inner,
            ValueRange{select(inner, bit, product, state[0]), square, shifted});
      });
  Value result = loop.getResult(0);
  if (isUnsigned)
    return result;
  // 1 / base^-exponent, truncated: something is left of 1 and -1 only, whose
  // power the loop has computed, as -1 and the exponent agree on being odd.
  using Predicate = arith::CmpIPredicate;
  Value isUnit = arith::OrIOp::create(
      b, compare(b, Predicate::eq, base, one),
      compare(b, Predicate::eq, base, createScalar(b, type, -1)));
  Value isInverse =
      compare(b, Predicate::slt, exponent, createScalar(b, i64, 0));
  isInverse = arith::AndIOp::create(
      b, isInverse,
      arith::XOrIOp::create(b, isUnit, createScalar(b, b.getI1Type(), 1)));
  return select(b, isInverse, createScalar(b, type, 0), result);
}

Value power(ImplicitLocOpBuilder &b, const ElementContext &context,
            ValueRange x) {
  Type base = context.operandElement(0), exponent = context.operandElement(1);
  if (isa<IntegerType>(base) && isa<IntegerType>(exponent))
    return integerPower(b, x[0], x[1], isUnsignedElement(exponent));
  // f32 holds all of floats up to 32 bits and integers up to 16.
  auto isSmall = [](Type type) {
    return type.getIntOrFloatBitWidth() <= (isa<FloatType>(type) ? 32u : 16u);
  };
  Type type = isSmall(base) && isSmall(exponent) ? Type(b.getF32Type())
                                                 : Type(b.getF64Type());
  auto widen = [&](Value value, Type element) -> Value {
    if (isa<FloatType>(element))
      return resizeFloat(b, value, type);
    return integerToFloat(b, value, type, isUnsignedElement(element));
  };
  Value result =
      math::PowFOp::create(b, widen(x[0], base), widen(x[1], exponent));
  if (isa<FloatType>(base))
    return result;
  return floatToInteger(b, result, x[0].getType(), isUnsignedElement(base));
}

Value mean(ImplicitLocOpBuilder &b, const ElementContext &context,
           ValueRange x) {
  return arith::DivFOp::create(b, addition(b, context, x),
                               createScalar(b, x[0].getType(), x.size()));
}

Value absolute(ImplicitLocOpBuilder &b, const ElementContext &context,
               ValueRange x) {
  if (context.isFloat())
    return math::AbsFOp::create(b, x[0]);
  return context.isUnsigned() ? x[0] : math::AbsIOp::create(b, x[0]);
}

Value negate(ImplicitLocOpBuilder &b, const ElementContext &context,
             ValueRange x) {
  if (context.isFloat())
    return arith::NegFOp::create(b, x[0]);
  return arith::SubIOp::create(b, zeroOf(b, x[0]), x[0]);
}

Value sign(ImplicitLocOpBuilder &b, const ElementContext &context,
           ValueRange x) {
  Type type = x[0].getType();
  Value zero = zeroOf(b, x[0]), one = createScalar(b, type, 1);
  if (context.isFloat()) {
    // Only zeros and NaN are left; the absolute value makes zeros positive.
    Value negative = compare(b, arith::CmpFPredicate::OLT, x[0], zero);
    Value rest = select(b, negative, createScalar(b, type, -1),
                        math::AbsFOp::create(b, x[0]));
    return select(b, compare(b, arith::CmpFPredicate::OGT, x[0], zero), one,
                  rest);
  }
  Value positive =
      select(b, compare(b, arith::CmpIPredicate::ne, x[0], zero), one, zero);
  if (context.isUnsigned())
    return positive;
  return select(b, compare(b, arith::CmpIPredicate::slt, x[0], zero),
                createScalar(b, type, -1), positive);
}

/// The bound where `x` is beyond it, else `x`, be it NaN or a zero that equals
/// the bound. For floats this is one instruction, and maximum is several.
template <arith::CmpFPredicate isBeyond, ElementRule ofIntegers>
Value limit(ImplicitLocOpBuilder &b, const ElementContext &context, Value x,
            Value bound) {
  if (!context.isFloat())
    return ofIntegers(b, context, {x, bound});
  return select(b, compare(b, isBeyond, x, bound), bound, x);
}
constexpr auto atLeast = limit<arith::CmpFPredicate::OLT, maximum>,
               atMost = limit<arith::CmpFPredicate::OGT, minimum>;

Value relu(ImplicitLocOpBuilder &b, const ElementContext &context,
           ValueRange x) {
  return atLeast(b, context, x[0], zeroOf(b, x[0]));
}

Value pRelu(ImplicitLocOpBuilder &b, const ElementContext &context,
            ValueRange x) {
  if (context.isUnsigned())
    return x[0];
  Value zero = zeroOf(b, x[0]);
  Value negative = context.isFloat()
                       ? compare(b, arith::CmpFPredicate::OLT, x[0], zero)
                       : compare(b, arith::CmpIPredicate::slt, x[0], zero);
  return select(b, negative,
                arithmetic<arith::MulFOp, arith::MulIOp>(b, context, x), x[0]);
}

/// A bound of a clip as a constant of `type`, saturated to what it holds.
Value createBound(ImplicitLocOpBuilder &b, bool isUnsigned, Type type,
                  double bound) {
  if (isa<FloatType>(type))
    return createScalar(b, type, bound);
  bool exact;
  APSInt value(type.getIntOrFloatBitWidth(), isUnsigned);
  APFloat(bound).convertToInteger(value, APFloat::rmTowardZero, &exact);
  return arith::ConstantOp::create(b, IntegerAttr::get(type, value));
}

Value clip(ImplicitLocOpBuilder &b, const ElementContext &context,
           ValueRange x) {
  auto op = cast<ClipOp>(context.op);
  Value value = x[0];
  auto bound = [&](APFloat number) {
    return createBound(b, context.isUnsigned(), value.getType(),
                       number.convertToDouble());
  };
  if (op.getMin())
    value = atLeast(b, context, value, bound(*op.getMin()));
  if (op.getMax())
    value = atMost(b, context, value, bound(*op.getMax()));
  return value;
}

//===----------------------------------------------------------------------===//
// Logic
//===----------------------------------------------------------------------===//

/// All bits flipped; of bool there is one.
Value complement(ImplicitLocOpBuilder &b, const ElementContext &,
                 ValueRange x) {
  return arith::XOrIOp::create(b, x[0], createScalar(b, x[0].getType(), -1));
}

Value bitShift(ImplicitLocOpBuilder &b, const ElementContext &context,
               ValueRange x) {
  Type type = x[0].getType();
  unsigned width = type.getIntOrFloatBitWidth();
  // Shifts by the width or more are poison: such bits are shifted out.
  Value fits =
      compare(b, arith::CmpIPredicate::ult, x[1], createScalar(b, type, width));
  Value zero = zeroOf(b, x[0]);
  if (!context.flag("right"))
    return select(b, fits, arith::ShLIOp::create(b, x[0], x[1]), zero);
  if (context.isUnsigned())
    return select(b, fits, arith::ShRUIOp::create(b, x[0], x[1]), zero);
  Value amount = select(b, fits, x[1], createScalar(b, type, width - 1));
  return arith::ShRSIOp::create(b, x[0], amount);
}

template <arith::CmpFPredicate ofFloats, arith::CmpIPredicate ofSigned,
          arith::CmpIPredicate ofUnsigned>
Value comparison(ImplicitLocOpBuilder &b, const ElementContext &context,
                 ValueRange x) {
  if (context.isFloat())
    return compare(b, ofFloats, x[0], x[1]);
  return compare(b, context.isUnsigned() ? ofUnsigned : ofSigned, x[0], x[1]);
}
constexpr ElementRule
    equal = comparison<arith::CmpFPredicate::OEQ, arith::CmpIPredicate::eq,
                       arith::CmpIPredicate::eq>,
    greater = comparison<arith::CmpFPredicate::OGT, arith::CmpIPredicate::sgt,
                         arith::CmpIPredicate::ugt>,
    greaterOrEqual =
        comparison<arith::CmpFPredicate::OGE, arith::CmpIPredicate::sge,
                   arith::CmpIPredicate::uge>,
    less = comparison<arith::CmpFPredicate::OLT, arith::CmpIPredicate::slt,
                      arith::CmpIPredicate::ult>,
    lessOrEqual =
        comparison<arith::CmpFPredicate::OLE, arith::CmpIPredicate::sle,
                   arith::CmpIPredicate::ule>;

Value isNan(ImplicitLocOpBuilder &b, const ElementContext &, ValueRange x) {
  return compare(b, arith::CmpFPredicate::UNO, x[0], x[0]);
}

Value isInf(ImplicitLocOpBuilder &b, const ElementContext &context,
            ValueRange x) {
  auto is = [&](double value) {
    return compare(b, arith::CmpFPredicate::OEQ, x[0],
                   createScalar(b, x[0].getType(), value));
  };
  Value result = createScalar(b, b.getI1Type(), 0);
  if (context.flag("detect_negative"))
    result = arith::OrIOp::create(b, result, is(-INFINITY));
  if (context.flag("detect_positive"))
    result = arith::OrIOp::create(b, result, is(INFINITY));
  return result;
}

//===----------------------------------------------------------------------===//
// On stored elements
//===----------------------------------------------------------------------===//

Value where(ImplicitLocOpBuilder &b, const ElementContext &, ValueRange x) {
  return select(b, x[0], x[1], x[2]);
}

Value cast_(ImplicitLocOpBuilder &b, const ElementContext &context,
            ValueRange x) {
  auto op = cast<CastOp>(context.op);
  auto rounding = llvm::StringSwitch<ScaleRounding>(op.getRoundMode())
                      .Case("down", ScaleRounding::Down)
                      .Case("nearest", ScaleRounding::Nearest)
                      .Default(ScaleRounding::Up);
  return castElement(b, x[0], context.operandElement(), context.resultElement(),
                     {op.getSaturate(), rounding});
}

Value bitCast(ImplicitLocOpBuilder &b, const ElementContext &context,
              ValueRange x) {
  Type from = x[0].getType(), to = getStorageType(context.resultElement());
  if (from == to)
    return x[0];
  if (from.isInteger(1))
    return arith::ExtUIOp::create(b, to, x[0]);
  if (to.isInteger(1))
    return compare(b, arith::CmpIPredicate::ne, x[0], zeroOf(b, x[0]));
  return arith::BitcastOp::create(b, to, x[0]);
}

Value rebase(ImplicitLocOpBuilder &b, const ElementContext &context,
             ValueRange x) {
  auto op = cast<RebaseOp>(context.op);
  Value value =
      loadElement(b, x[0], getElementTypeOrSelf(op.getInput().getType()));
  // To and from uint8, this flips the highest bit, which is quicker.
  int64_t offset = op.getOffset();
  auto constant = [&](int64_t number) -> Value {
    return arith::ConstantOp::create(
        b, b.getIntegerAttr(value.getType(), APInt(8, number, /*isSigned=*/true,
                                                   /*implicitTrunc=*/true)));
  };
  if (std::abs(offset) == 128)
    value = arith::XOrIOp::create(b, value, constant(offset));
  else if (offset != 0)
    value = arith::AddIOp::create(b, value, constant(offset));
  return storeElement(b, value, getElementTypeOrSelf(op.getType()));
}

Value weightedSum(ImplicitLocOpBuilder &b, const ElementContext &context,
                  ValueRange x) {
  auto op = cast<WeightedSumOp>(context.op);
  auto constant = [&](int32_t value) -> Value {
    return arith::ConstantOp::create(b, b.getI32IntegerAttr(value));
  };
  Value total;
  for (auto [input, multiplier] : llvm::zip(x, op.getMultipliers())) {
    Value term = arith::ExtSIOp::create(b, b.getI32Type(), input);
    if (multiplier != 1)
      term = arith::MulIOp::create(b, term, constant(multiplier));
    total = total ? arith::AddIOp::create(b, total, term).getResult() : term;
  }
  if (int32_t bias = op.getBias())
    total = arith::AddIOp::create(b, total, constant(bias));
  return total;
}

Value mulInteger(ImplicitLocOpBuilder &b, const ElementContext &context,
                 ValueRange x) {
  auto op = cast<MulIntegerOp>(context.op);
  auto add = [&](Value value, int32_t amount) -> Value {
    if (amount == 0)
      return value;
    return arith::AddIOp::create(
        b, value, arith::ConstantOp::create(b, b.getI32IntegerAttr(amount)));
  };
  auto widen = [&](Value value, int32_t amount) {
    return add(arith::ExtSIOp::create(b, b.getI32Type(), value), amount);
  };
  Value product = arith::MulIOp::create(b, widen(x[0], op.getLhsOffset()),
                                        widen(x[1], op.getRhsOffset()));
  return add(product, op.getOffset());
}

Value scaleInteger(ImplicitLocOpBuilder &b, const ElementContext &context,
                   ValueRange x) {
  Value product = x.front();
  for (Value factor : x.drop_front())
    product = arith::MulIOp::create(b, product, factor);
  int32_t offset = cast<ScaleIntegerOp>(context.op).getOffset();
  if (offset == 0)
    return product;
  return arith::AddIOp::create(
      b, product, arith::ConstantOp::create(b, b.getI32IntegerAttr(offset)));
}

constexpr std::pair<StringLiteral, ElementRule> rules[] = {
    ruleOf<AddOp>(addition),
    ruleOf<SubOp>(arithmetic<arith::SubFOp, arith::SubIOp>),
    ruleOf<MulOp>(arithmetic<arith::MulFOp, arith::MulIOp>),
    ruleOf<DivOp>(division),
    ruleOf<ModOp>(modulo),
    ruleOf<PowOp>(power),
    ruleOf<SumOp>(addition),
    ruleOf<MeanOp>(mean),
    ruleOf<MaxOp>(maximum),
    ruleOf<MinOp>(minimum),
    ruleOf<AbsOp>(absolute),
    ruleOf<NegOp>(negate),
    ruleOf<SignOp>(sign),
    ruleOf<ReluOp>(relu),
    ruleOf<PReluOp>(pRelu),
    ruleOf<ClipOp>(clip),
    ruleOf<AndOp>(binary<arith::AndIOp>),
    ruleOf<OrOp>(binary<arith::OrIOp>),
    ruleOf<XorOp>(binary<arith::XOrIOp>),
    ruleOf<NotOp>(complement),
    ruleOf<BitwiseAndOp>(binary<arith::AndIOp>),
    ruleOf<BitwiseOrOp>(binary<arith::OrIOp>),
    ruleOf<BitwiseXorOp>(binary<arith::XOrIOp>),
    ruleOf<BitwiseNotOp>(complement),
    ruleOf<BitShiftOp>(bitShift),
    ruleOf<EqualOp>(equal),
    ruleOf<GreaterOp>(greater),
    ruleOf<GreaterOrEqualOp>(greaterOrEqual),
    ruleOf<LessOp>(less),
    ruleOf<LessOrEqualOp>(lessOrEqual),
    ruleOf<IsNanOp>(isNan),
    ruleOf<IsInfOp>(isInf),
    ruleOf<RebaseOp>(rebase),
    ruleOf<WeightedSumOp>(weightedSum),
    ruleOf<MulIntegerOp>(mulInteger),
    ruleOf<ScaleIntegerOp>(scaleInteger),
};

constexpr std::pair<StringLiteral, ElementRule> storageRules[] = {
    ruleOf<WhereOp>(where),
    ruleOf<CastOp>(cast_),
    ruleOf<BitCastOp>(bitCast),
};

class ElementwisePattern : public ConversionPattern {
public:
  ElementwisePattern(const TypeConverter &converter, MLIRContext *context,
                     StringRef name, ElementRule rule, bool onStorage)
      : ConversionPattern(converter, name, /*benefit=*/1, context), rule(rule),
        onStorage(onStorage) {}

  LogicalResult
  matchAndRewrite(Operation *op, ArrayRef<Value> operands,
                  ConversionPatternRewriter &rewriter) const override {
    auto type = dyn_cast_or_null<RankedTensorType>(
        getTypeConverter()->convertType(op->getResult(0).getType()));
    if (!type)
      return rewriter.notifyMatchFailure(op, "result is not a ranked tensor");
    ElementContext context{op};
    ImplicitLocOpBuilder b(op->getLoc(), rewriter);
    auto body = [&](ImplicitLocOpBuilder &inner, ValueRange stored) -> Value {
      if (onStorage)
        return rule(inner, context, stored);
      SmallVector<Value> elements;
      for (auto [index, element] : llvm::enumerate(stored))
        elements.push_back(
            loadElement(inner, element, context.operandElement(index)));
      return storeElement(inner, rule(inner, context, elements),
                          context.resultElement());
    };
    rewriter.replaceOp(op, createElementwise(b, type, operands, body));
    return success();
  }

private:
  ElementRule rule;
  bool onStorage;
};

} // namespace

bool acc::graph::isElementwise(Operation *op) {
  return llvm::any_of(
      ArrayRef<ElementRules>{rules, getFunctionRules(), storageRules},
      [&](ElementRules table) {
        return llvm::any_of(table, [&](const auto &row) {
          return row.first == op->getName().getStringRef();
        });
      });
}

void acc::graph::populateElementwiseToLinalg(const TypeConverter &converter,
                                             RewritePatternSet &patterns) {
  auto add = [&](ElementRules table, bool onStorage) {
    for (auto [name, rule] : table)
      patterns.add(std::make_unique<ElementwisePattern>(
          converter, patterns.getContext(), name, rule, onStorage));
  };
  add(rules, /*onStorage=*/false);
  add(getFunctionRules(), /*onStorage=*/false);
  add(storageRules, /*onStorage=*/true);
}
