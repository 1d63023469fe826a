//===- ToLinalgReduction.cpp - Reductions and scans to linalg -------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One table: operator -> what is done to an element, how elements combine, and
// what is done to the result. Narrow floats are summed in f32.
//
//===----------------------------------------------------------------------===//

#include "dialects/Graph/GraphReduction.h"
#include "passes/Graph/ToLinalgFold.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace acc::graph;

namespace {

/// Whether integers are unsigned; floats do not ask.
using Binary = Value (*)(ImplicitLocOpBuilder &, bool, Value, Value);
using Unary = Value (*)(ImplicitLocOpBuilder &, bool, Value);

template <typename Float, typename Signed, typename Unsigned>
Value combine(ImplicitLocOpBuilder &b, bool isUnsigned, Value x, Value y) {
  if (isa<FloatType>(x.getType()))
    return Float::create(b, x, y);
  if (isUnsigned)
    return Unsigned::create(b, x, y);
  return Signed::create(b, x, y);
}

constexpr Binary add = combine<arith::AddFOp, arith::AddIOp, arith::AddIOp>;
constexpr Binary multiply =
    combine<arith::MulFOp, arith::MulIOp, arith::MulIOp>;
constexpr Binary largest =
    combine<arith::MaximumFOp, arith::MaxSIOp, arith::MaxUIOp>;
constexpr Binary smallest =
    combine<arith::MinimumFOp, arith::MinSIOp, arith::MinUIOp>;
constexpr Binary divide =
    combine<arith::DivFOp, arith::DivSIOp, arith::DivUIOp>;

Value magnitude(ImplicitLocOpBuilder &b, bool isUnsigned, Value x) {
  if (isa<FloatType>(x.getType()))
    return math::AbsFOp::create(b, x);
  return isUnsigned ? x : math::AbsIOp::create(b, x).getResult();
}

Value square(ImplicitLocOpBuilder &b, bool isUnsigned, Value x) {
  return multiply(b, isUnsigned, x, x);
}

Value root(ImplicitLocOpBuilder &b, bool, Value x) {
  return math::SqrtOp::create(b, x);
}

Value logarithm(ImplicitLocOpBuilder &b, bool, Value x) {
  return math::LogOp::create(b, x);
}

TypedAttr zero(Type type, bool) { return getZero(type); }
TypedAttr one(Type type, bool) {
  if (isa<FloatType>(type))
    return FloatAttr::get(type, 1.0);
  return IntegerAttr::get(type, 1);
}

/// How one operator reduces. With `isReal`, integers are computed on as f64.
struct Reduction {
  StringLiteral name;
  TypedAttr (*init)(Type, bool);
  Binary combine;
  Unary before = nullptr, after = nullptr;
  bool isReal = false, isMean = false;
};

constexpr Reduction reductions[] = {
    {"graph.reduce_sum", zero, add},
    {"graph.reduce_mean", zero, add, nullptr, nullptr, false, true},
    {"graph.reduce_max", getLowest, largest},
    {"graph.reduce_min", getHighest, smallest},
    {"graph.reduce_prod", one, multiply},
    {"graph.reduce_l1", zero, add, magnitude},
    {"graph.reduce_l2", zero, add, square, root, true},
    {"graph.reduce_log_sum", zero, add, nullptr, logarithm, true},
    {"graph.reduce_sum_square", zero, add, square},
};

/// Between the numbers of a tensor and those computed on; integers may become
/// floats and back.
Value convertNumber(ImplicitLocOpBuilder &b, bool isUnsigned, Value value,
                    Type type) {
  bool isFloat = isa<FloatType>(value.getType());
  if (value.getType() == type)
    return value;
  if (isFloat && isa<FloatType>(type))
    return convertFloat(b, value, type);
  if (isFloat)
    return isUnsigned ? arith::FPToUIOp::create(b, type, value).getResult()
                      : arith::FPToSIOp::create(b, type, value).getResult();
  return isUnsigned ? arith::UIToFPOp::create(b, type, value).getResult()
                    : arith::SIToFPOp::create(b, type, value).getResult();
}

/// What a reduction looks at: its operand, the axes, the types.
struct Site {
  ImplicitLocOpBuilder b;
  Value input;
  SmallVector<int64_t> axes;
  bool keep, isUnsigned;
  Type element, compute;
  AffineMap identity;

  Site(Operation *op, Value input, bool isReal,
       ConversionPatternRewriter &rewriter)
      : b(op->getLoc(), rewriter), input(input),
        isUnsigned(isUnsignedElement(op->getOperand(0).getType())),
        element(typeOf(input).getElementType()),
        compute(getComputeType(element)),
        identity(b.getMultiDimIdentityMap(typeOf(input).getRank())) {
    if (isReal && isa<IntegerType>(element))
      compute = b.getF64Type();
    axes = llvm::to_vector(
        op->getAttrOfType<DenseI64ArrayAttr>("axes").asArrayRef());
    auto keepdims = op->getAttrOfType<BoolAttr>("keepdims");
    keep = !keepdims || keepdims.getValue();
  }

  Value load(ImplicitLocOpBuilder &inner, Value x) const {
    return convertNumber(inner, isUnsigned, x, compute);
  }

  /// `after` on every element of a folded tensor, in the tensor's type.
  Value finish(Value folded,
               function_ref<Value(ImplicitLocOpBuilder &, Value)> after) {
    AffineMap map = b.getMultiDimIdentityMap(typeOf(folded).getRank());
    return createMap(b, folded, element, {{folded, map}},
                     [&](ImplicitLocOpBuilder &inner, ValueRange x) {
                       return convertNumber(inner, isUnsigned,
                                            after(inner, x[0]), element);
                     });
  }
};

class ReductionPattern : public ConversionPattern {
public:
  ReductionPattern(const TypeConverter &converter, MLIRContext *context,
                   const Reduction &rule)
      : ConversionPattern(converter, rule.name, /*benefit=*/1, context),
        rule(rule) {}

  LogicalResult
  matchAndRewrite(Operation *op, ArrayRef<Value> operands,
                  ConversionPatternRewriter &rewriter) const override {
    Site site(op, operands[0], rule.isReal, rewriter);
    Value result = createFold(
        site.b, site.input, site.axes, site.keep, {{site.input, site.identity}},
        rule.init(site.compute, site.isUnsigned),
        [&](ImplicitLocOpBuilder &inner, ValueRange x) {
          Value value = site.load(inner, x[0]);
          if (rule.before)
            value = rule.before(inner, site.isUnsigned, value);
          return rule.combine(inner, site.isUnsigned, x[1], value);
        });
    if (rule.after || rule.isMean || site.compute != site.element) {
      Value count = rule.isMean ? createCount(site) : Value();
      result = site.finish(result, [&](ImplicitLocOpBuilder &inner, Value x) {
        if (rule.isMean)
          return divide(inner, site.isUnsigned, x, count);
        return rule.after ? rule.after(inner, site.isUnsigned, x) : x;
      });
    }
    rewriter.replaceOp(op, result);
    return success();
  }

private:
  /// How many elements are averaged. No integers are zero on average, no floats
  /// are not a number.
  static Value createCount(Site &site) {
    ImplicitLocOpBuilder &b = site.b;
    Value count = countElements(b, site.input, site.axes);
    if (isa<IntegerType>(site.compute)) {
      Value least = arith::ConstantIndexOp::create(b, 1);
      count = b.createOrFold<arith::MaxUIOp>(count, least);
      return b.createOrFold<arith::IndexCastOp>(site.compute, count);
    }
    count = b.createOrFold<arith::IndexCastOp>(b.getI64Type(), count);
    return b.createOrFold<arith::SIToFPOp>(site.compute, count);
  }

  Reduction rule;
};

/// Stable: the maximum is subtracted first, if it is a number.
class LogSumExpPattern : public OpConversionPattern<ReduceLogSumExpOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(ReduceLogSumExpOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Site site(op, adaptor.getInput(), /*isReal=*/true, rewriter);
    ImplicitLocOpBuilder &b = site.b;
    Value top = createFold(
        b, site.input, site.axes, site.keep, {{site.input, site.identity}},
        getLowest(site.compute, false),
        [&](ImplicitLocOpBuilder &inner, ValueRange x) {
          return largest(inner, false, x[1], site.load(inner, x[0]));
        });
    AffineMap whole = b.getMultiDimIdentityMap(typeOf(top).getRank());
    Value offset =
        createMap(b, top, site.compute, {{top, whole}},
                  [&](ImplicitLocOpBuilder &inner, ValueRange x) -> Value {
                    Value size = math::AbsFOp::create(inner, x[0]);
                    Value infinity = arith::ConstantOp::create(
                        inner, getHighest(site.compute, false));
                    Value isNumber = arith::CmpFOp::create(
                        inner, arith::CmpFPredicate::ONE, size, infinity);
                    Value none = createNumber(inner, site.compute, 0.0);
                    return arith::SelectOp::create(inner, isNumber, x[0], none);
                  });
    AffineMap kept = dropAxes(b.getContext(), typeOf(site.input).getRank(),
                              site.axes, site.keep);
    Value sum = createFold(
        b, site.input, site.axes, site.keep,
        {{site.input, site.identity}, {offset, kept}}, getZero(site.compute),
        [&](ImplicitLocOpBuilder &inner, ValueRange x) -> Value {
          Value value =
              arith::SubFOp::create(inner, site.load(inner, x[0]), x[1]);
          return arith::AddFOp::create(inner, x[2],
                                       math::ExpOp::create(inner, value));
        });
    rewriter.replaceOp(
        op, createMap(b, sum, site.element, {{sum, whole}, {offset, whole}},
                      [&](ImplicitLocOpBuilder &inner, ValueRange x) {
                        Value result = arith::AddFOp::create(
                            inner, x[1], math::LogOp::create(inner, x[0]));
                        return convertNumber(inner, site.isUnsigned, result,
                                             site.element);
                      }));
    return success();
  }
};

/// The best element and its index, together.
template <typename Op, bool isMax>
class ArgPattern : public OpConversionPattern<Op> {
  using OpConversionPattern<Op>::OpConversionPattern;

  LogicalResult
  matchAndRewrite(Op op, typename Op::Adaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    Value input = adaptor.getInput();
    Type element = typeOf(input).getElementType();
    bool isUnsigned = isUnsignedElement(op.getInput().getType());
    int64_t axis = op.getAxis();
    TypedAttr worst = isMax ? getLowest(element, isUnsigned)
                            : getHighest(element, isUnsigned);
    SmallVector<Value> results = createFold(
        b, input, axis, op.getKeepdims(),
        {{input, b.getMultiDimIdentityMap(typeOf(input).getRank())}},
        {worst, b.getI64IntegerAttr(0)},
        [&](ImplicitLocOpBuilder &inner, ValueRange x) -> SmallVector<Value> {
          Value index = linalg::IndexOp::create(inner, axis);
          index = arith::IndexCastOp::create(inner, b.getI64Type(), index);
          Value wins = createComparison(inner, isUnsigned,
                                        op.getSelectLastIndex(), x[0], x[1]);
          return {arith::SelectOp::create(inner, wins, x[0], x[1]),
                  arith::SelectOp::create(inner, wins, index, x[2])};
        });
    rewriter.replaceOp(op, results[1]);
    return success();
  }

  static Value createComparison(ImplicitLocOpBuilder &b, bool isUnsigned,
                                bool orEqual, Value x, Value best) {
    using P = arith::CmpFPredicate;
    using Q = arith::CmpIPredicate;
    if (isa<FloatType>(x.getType())) {
      P predicate =
          isMax ? (orEqual ? P::OGE : P::OGT) : (orEqual ? P::OLE : P::OLT);
      Value wins = arith::CmpFOp::create(b, predicate, x, best);
      Value isNaN = arith::CmpFOp::create(b, P::UNO, x, x);
      if (!orEqual) {
        Value isFirst = arith::CmpFOp::create(b, P::ORD, best, best);
        isNaN = arith::AndIOp::create(b, isNaN, isFirst);
      }
      return arith::OrIOp::create(b, wins, isNaN);
    }
    Q over = isMax ? (orEqual ? Q::sge : Q::sgt) : (orEqual ? Q::sle : Q::slt);
    Q overUnsigned =
        isMax ? (orEqual ? Q::uge : Q::ugt) : (orEqual ? Q::ule : Q::ult);
    return arith::CmpIOp::create(b, isUnsigned ? overUnsigned : over, x, best);
  }
};

} // namespace

void acc::graph::populateReductionToLinalg(const TypeConverter &converter,
                                           RewritePatternSet &patterns) {
  MLIRContext *context = patterns.getContext();
  for (const Reduction &rule : reductions)
    patterns.add(std::make_unique<ReductionPattern>(converter, context, rule));
  patterns.add<LogSumExpPattern, ArgPattern<ArgMaxOp, true>,
               ArgPattern<ArgMinOp, false>>(converter, context);
}
