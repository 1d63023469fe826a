//===- Scalars.cpp - Operations on scalars as expressions of C ------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/C/Scalars.h"

#include "passes/C/Types.h"

#include "llvm/ADT/StringSwitch.h"

using namespace mlir;
using namespace acc::c;
using emitc::CmpPredicate;

/// The name in the library of a function of math, without the "f" that those
/// of floats end with; empty if it has none.
static StringRef getLibraryName(Operation *op) {
  return llvm::StringSwitch<StringRef>(op->getName().getStringRef())
      .Case("math.absf", "fabs")
      .Case("math.acos", "acos")
      .Case("math.acosh", "acosh")
      .Case("math.asin", "asin")
      .Case("math.asinh", "asinh")
      .Case("math.atan", "atan")
      .Case("math.atan2", "atan2")
      .Case("math.atanh", "atanh")
      .Case("math.cbrt", "cbrt")
      .Case("math.ceil", "ceil")
      .Case("math.copysign", "copysign")
      .Case("math.cos", "cos")
      .Case("math.cosh", "cosh")
      .Case("math.erf", "erf")
      .Case("math.erfc", "erfc")
      .Case("math.exp", "exp")
      .Case("math.exp2", "exp2")
      .Case("math.expm1", "expm1")
      .Case("math.floor", "floor")
      .Case("math.fma", "fma")
      .Case("math.log", "log")
      .Case("math.log10", "log10")
      .Case("math.log1p", "log1p")
      .Case("math.log2", "log2")
      .Case("math.powf", "pow")
      .Case("math.round", "round")
      // In the default mode of rounding, which is to even.
      .Case("math.roundeven", "nearbyint")
      .Case("math.sin", "sin")
      .Case("math.sinh", "sinh")
      .Case("math.sqrt", "sqrt")
      .Case("math.tan", "tan")
      .Case("math.tanh", "tanh")
      .Case("math.trunc", "trunc")
      .Case("arith.remf", "fmod")
      .Default("");
}

/// The library's test of a property of floats.
static StringRef getTestName(Operation *op) {
  return llvm::StringSwitch<StringRef>(op->getName().getStringRef())
      .Case("math.isfinite", "isfinite")
      .Case("math.isinf", "isinf")
      .Case("math.isnan", "isnan")
      .Case("math.isnormal", "isnormal")
      .Default("");
}

static Type ptrdiff(MLIRContext *context) {
  return emitc::PtrDiffTType::get(context);
}

/// The type in which C compares, divides and shifts as signed; indices are
/// unsigned in C.
static Type getSigned(Type type) {
  return isa<emitc::SizeTType>(type) ? ptrdiff(type.getContext()) : type;
}

static Type bool1(OpBuilder &builder) { return builder.getI1Type(); }

Value Scalars::literal(Location loc, Type type, StringRef text) {
  return emitc::LiteralOp::create(builder, loc, type, text);
}

Value Scalars::size(Location loc, int64_t value) {
  auto type = emitc::SizeTType::get(builder.getContext());
  std::string text = std::to_string(value);
  return literal(loc, type, value < 0 ? "(size_t)" + text : text);
}

Value Scalars::cast(Value value, Type type) {
  return value.getType() == type
             ? value
             : emitc::CastOp::create(builder, value.getLoc(), type, value)
                   .getResult();
}

Value Scalars::compare(Location loc, CmpPredicate predicate, Value a, Value b) {
  return emitc::CmpOp::create(builder, loc, bool1(builder), predicate, a, b);
}

Value Scalars::call(Location loc, StringRef name, Type type,
                    ValueRange operands) {
  return emitc::CallOpaqueOp::create(builder, loc, type, name, operands)
      .getResult(0);
}

Value Scalars::select(Location loc, Value condition, Value a, Value b) {
  return emitc::ConditionalOp::create(builder, loc, a.getType(), condition, a,
                                      b);
}

Value Scalars::isNotZero(Value value) {
  return compare(value.getLoc(), CmpPredicate::ne, value,
                 literal(value.getLoc(), value.getType(), "0"));
}

Value Scalars::invert(Value value) {
  return emitc::LogicalNotOp::create(builder, value.getLoc(), bool1(builder),
                                     value);
}

/// The text of a float: as many digits as tell it from all others.
static std::string toText(const APFloat &value, bool isDouble) {
  if (value.isNaN())
    return "NAN";
  if (value.isInfinity())
    return value.isNegative() ? "-INFINITY" : "INFINITY";
  SmallString<32> text;
  value.toString(text, /*FormatPrecision=*/0, /*FormatMaxPadding=*/0,
                 /*TruncateZero=*/false);
  return (text + (isDouble ? "" : "f")).str();
}

static std::string toText(const APInt &value) {
  unsigned bits = value.getBitWidth();
  if (bits >= 32 && value.isMinSignedValue())
    return "INT" + std::to_string(bits) + "_MIN";
  std::string text = std::to_string(value.getSExtValue());
  return value.isSignedIntN(32) ? text : "INT64_C(" + text + ")";
}

Value Scalars::constant(Operation *op, Attribute value) {
  Location loc = op->getLoc();
  Type from = cast<TypedAttr>(value).getType(), type = getValueType(from);
  if (!type)
    return {};
  if (auto number = dyn_cast<FloatAttr>(value)) {
    if (from.isF16() || from.isBF16())
      return literal(
          loc, type,
          std::to_string(number.getValue().bitcastToAPInt().getZExtValue()));
    return literal(loc, type, toText(number.getValue(), from.isF64()));
  }
  auto number = dyn_cast<IntegerAttr>(value);
  if (!number)
    return {};
  if (from.isIndex())
    return size(loc, number.getInt());
  if (from.isInteger(1))
    return literal(loc, type, number.getValue().isZero() ? "false" : "true");
  return literal(loc, type, toText(number.getValue()));
}

/// Sums, differences and products of integers.
template <typename Op>
Value Scalars::wrapping(Operation *op, Type type, Value a, Value b) {
  Location loc = op->getLoc();
  if (type.isInteger(1))
    return isNotZero(binaryAs<emitc::BitwiseAndOp>(
        loc, getUnsignedForArithmetic(type), getUnsignedForArithmetic(type),
        binaryAs<Op>(loc, getUnsignedForArithmetic(type),
                     getUnsignedForArithmetic(type), a, b),
        literal(loc, getUnsignedForArithmetic(type), "1")));
  return binaryAs<Op>(loc, getUnsignedForArithmetic(type), type, a, b);
}

Value Scalars::compareIntegers(arith::CmpIOp op, Value a, Value b) {
  using P = arith::CmpIPredicate;
  P predicate = op.getPredicate();
  bool isUnsigned = predicate == P::ult || predicate == P::ule ||
                    predicate == P::ugt || predicate == P::uge;
  bool isSigned = !isUnsigned && predicate != P::eq && predicate != P::ne;
  Type type = a.getType();
  if (isUnsigned)
    type = getUnsigned(type);
  else if (isSigned)
    type = getSigned(type);
  // A boolean that is true is -1 where signs count.
  if (a.getType().isInteger(1) && isSigned) {
    std::swap(a, b);
    type = a.getType();
  }
  if (a.getType().isInteger(1))
    type = a.getType();
  CmpPredicate c;
  switch (predicate) {
  case P::eq:
    c = CmpPredicate::eq;
    break;
  case P::ne:
    c = CmpPredicate::ne;
    break;
  case P::slt:
  case P::ult:
    c = CmpPredicate::lt;
    break;
  case P::sle:
  case P::ule:
    c = CmpPredicate::le;
    break;
  case P::sgt:
  case P::ugt:
    c = CmpPredicate::gt;
    break;
  case P::sge:
  case P::uge:
    c = CmpPredicate::ge;
    break;
  }
  return compare(op.getLoc(), c, cast(a, type), cast(b, type));
}

Value Scalars::compareFloats(arith::CmpFOp op, Value a, Value b) {
  using P = arith::CmpFPredicate;
  Location loc = op.getLoc();
  auto is = [&](CmpPredicate predicate) {
    return compare(loc, predicate, a, b);
  };
  auto isNumber = [&](Value value) {
    return compare(loc, CmpPredicate::eq, value, value);
  };
  auto both = [&](Value x, Value y) -> Value {
    return emitc::LogicalAndOp::create(builder, loc, bool1(builder), x, y);
  };
  auto different = [&]() -> Value {
    return emitc::LogicalOrOp::create(builder, loc, bool1(builder),
                                      is(CmpPredicate::lt),
                                      is(CmpPredicate::gt));
  };
  switch (op.getPredicate()) {
  case P::AlwaysFalse:
    return literal(loc, bool1(builder), "false");
  case P::AlwaysTrue:
    return literal(loc, bool1(builder), "true");
  case P::OEQ:
    return is(CmpPredicate::eq);
  case P::OGT:
    return is(CmpPredicate::gt);
  case P::OGE:
    return is(CmpPredicate::ge);
  case P::OLT:
    return is(CmpPredicate::lt);
  case P::OLE:
    return is(CmpPredicate::le);
  case P::ONE:
    return different();
  case P::ORD:
    return both(isNumber(a), isNumber(b));
  case P::UEQ:
    return invert(different());
  case P::UGT:
    return invert(is(CmpPredicate::le));
  case P::UGE:
    return invert(is(CmpPredicate::lt));
  case P::ULT:
    return invert(is(CmpPredicate::ge));
  case P::ULE:
    return invert(is(CmpPredicate::gt));
  case P::UNE:
    return is(CmpPredicate::ne);
  case P::UNO:
    return invert(both(isNumber(a), isNumber(b)));
  }
  llvm_unreachable("all predicates are covered");
}

Value Scalars::integers(Operation *op, Type type, ArrayRef<Value> operands) {
  Location loc = op->getLoc();
  Value a = operands.empty() ? Value() : operands[0];
  Value b = operands.size() < 2 ? Value() : operands[1];
  auto as = [&](auto tag, Type other) {
    return binaryAs<decltype(tag)>(loc, other, type, a, b);
  };
  auto choose = [&](CmpPredicate predicate, Type other) {
    if (type.isInteger(1))
      other = type;
    return select(loc, compare(loc, predicate, cast(a, other), cast(b, other)),
                  a, b);
  };
  Type plain = getUnsigned(type), wide = getUnsignedForArithmetic(type);
  bool isBool = type.isInteger(1);
  return llvm::TypeSwitch<Operation *, Value>(op)
      .Case(
          [&](arith::AddIOp) { return wrapping<emitc::AddOp>(op, type, a, b); })
      .Case(
          [&](arith::SubIOp) { return wrapping<emitc::SubOp>(op, type, a, b); })
      .Case(
          [&](arith::MulIOp) { return wrapping<emitc::MulOp>(op, type, a, b); })
      .Case([&](arith::AndIOp) {
        return isBool ? as(emitc::LogicalAndOp(), type)
                      : as(emitc::BitwiseAndOp(), type);
      })
      .Case([&](arith::OrIOp) {
        return isBool ? as(emitc::LogicalOrOp(), type)
                      : as(emitc::BitwiseOrOp(), type);
      })
      .Case([&](arith::XOrIOp) {
        return isBool ? compare(loc, CmpPredicate::ne, a, b)
                      : as(emitc::BitwiseXorOp(), type);
      })
      .Case(
          [&](arith::ShLIOp) { return as(emitc::BitwiseLeftShiftOp(), wide); })
      .Case([&](arith::ShRSIOp) {
        return as(emitc::BitwiseRightShiftOp(), getSigned(type));
      })
      .Case([&](arith::ShRUIOp) {
        return as(emitc::BitwiseRightShiftOp(), plain);
      })
      .Case([&](arith::DivSIOp) { return as(emitc::DivOp(), getSigned(type)); })
      .Case([&](arith::RemSIOp) { return as(emitc::RemOp(), getSigned(type)); })
      .Case([&](arith::DivUIOp) { return as(emitc::DivOp(), plain); })
      .Case([&](arith::RemUIOp) { return as(emitc::RemOp(), plain); })
      .Case([&](arith::MaxSIOp) {
        // A boolean that is true is -1 where signs count.
        return choose(type.isInteger(1) ? CmpPredicate::lt : CmpPredicate::gt,
                      getSigned(type));
      })
      .Case([&](arith::MinSIOp) {
        return choose(type.isInteger(1) ? CmpPredicate::gt : CmpPredicate::lt,
                      getSigned(type));
      })
      .Case([&](arith::MaxUIOp) { return choose(CmpPredicate::gt, plain); })
      .Case([&](arith::MinUIOp) { return choose(CmpPredicate::lt, plain); })
      .Case([&](arith::CmpIOp compared) {
        return compareIntegers(compared, a, b);
      })
      .Case([&](arith::SelectOp) { return select(loc, a, b, operands[2]); })
      .Default([](Operation *) { return Value(); });
}

Value Scalars::floats(Operation *op, Type type, ArrayRef<Value> operands) {
  Location loc = op->getLoc();
  if (!llvm::all_of(op->getOperandTypes(),
                    [](Type type) { return type.isF32() || type.isF64(); }))
    return {};
  Value a = operands[0], b = operands.size() < 2 ? Value() : operands[1];
  return llvm::TypeSwitch<Operation *, Value>(op)
      .Case(
          [&](arith::AddFOp) { return binary<emitc::AddOp>(loc, type, a, b); })
      .Case(
          [&](arith::SubFOp) { return binary<emitc::SubOp>(loc, type, a, b); })
      .Case(
          [&](arith::MulFOp) { return binary<emitc::MulOp>(loc, type, a, b); })
      .Case(
          [&](arith::DivFOp) { return binary<emitc::DivOp>(loc, type, a, b); })
      .Case([&](arith::NegFOp) -> Value {
        return emitc::UnaryMinusOp::create(builder, loc, type, a);
      })
      .Case(
          [&](arith::CmpFOp compared) { return compareFloats(compared, a, b); })
      .Default([](Operation *) { return Value(); });
}

Value Scalars::widen(Operation *op, Type type, Value value) {
  Location loc = op->getLoc();
  Type from = op->getOperand(0).getType();
  Type f32 = builder.getF32Type();
  if (from.isF16())
    return cast(call(loc, helpers.use("acc_f32_of_f16"), f32, value), type);
  if (!from.isBF16())
    return cast(value, type);
  Type bits = IntegerType::get(builder.getContext(), 32, IntegerType::Unsigned);
  Value shifted = binary<emitc::BitwiseLeftShiftOp>(
      loc, bits, cast(value, bits), literal(loc, bits, "16"));
  return cast(call(loc, helpers.use("acc_f32_of_bits"), f32,
                   cast(shifted, builder.getI32Type())),
              type);
}

Value Scalars::narrow(Operation *op, Type type, Value value) {
  Location loc = op->getLoc();
  Type to = op->getResult(0).getType();
  if (to.isBF16()) // Expanded on integers before.
    return {};
  if (!to.isF16())
    return cast(value, type);
  if (value.getType().isF64())
    value = call(loc, helpers.use("acc_odd_f32_of_f64"), builder.getF32Type(),
                 value);
  return call(loc, helpers.use("acc_f16_of_f32"), type, value);
}

Value Scalars::bitcast(Operation *op, Type type, Value value) {
  Type from = op->getOperand(0).getType(), to = op->getResult(0).getType();
  if (to.isF32() && from.isInteger())
    return call(op->getLoc(), helpers.use("acc_f32_of_bits"), type, value);
  if (to.isF64() && from.isInteger())
    return call(op->getLoc(), helpers.use("acc_f64_of_bits"), type, value);
  if (from.isF32() && to.isInteger())
    return call(op->getLoc(), helpers.use("acc_bits_f32"), type, value);
  if (from.isF64() && to.isInteger())
    return call(op->getLoc(), helpers.use("acc_bits_f64"), type, value);
  // Small floats are their bits.
  return isa<FloatType>(type) ? Value() : cast(value, type);
}

Value Scalars::conversions(Operation *op, Type type, ArrayRef<Value> operands) {
  Location loc = op->getLoc();
  Value value = operands[0];
  Type from = value.getType();
  // What is true is -1 where signs count.
  auto negative = [&] {
    return select(loc, value, literal(loc, type, "-1"),
                  literal(loc, type, "0"));
  };
  auto throughUnsigned = [&] {
    return from.isInteger(1) ? cast(value, type)
                             : cast(cast(value, getUnsigned(from)), type);
  };
  return llvm::TypeSwitch<Operation *, Value>(op)
      .Case<arith::ExtSIOp, arith::SIToFPOp>([&](auto) {
        return from.isInteger(1) ? negative() : cast(value, type);
      })
      .Case<arith::ExtUIOp, arith::UIToFPOp, arith::IndexCastUIOp>(
          [&](auto) { return throughUnsigned(); })
      .Case([&](arith::IndexCastOp) {
        if (from.isInteger(1))
          return negative();
        return cast(cast(value, getSigned(from)), type);
      })
      .Case([&](arith::TruncIOp) {
        if (!type.isInteger(1))
          return cast(value, type);
        Type bits = getUnsignedForArithmetic(from);
        return isNotZero(binary<emitc::BitwiseAndOp>(
            loc, bits, cast(value, bits), literal(loc, bits, "1")));
      })
      .Case([&](arith::FPToSIOp) { return cast(value, type); })
      .Case([&](arith::FPToUIOp) {
        return type.isInteger(1) ? isNotZero(value)
                                 : cast(cast(value, getUnsigned(type)), type);
      })
      .Case([&](arith::ExtFOp) { return widen(op, type, value); })
      .Case([&](arith::TruncFOp) { return narrow(op, type, value); })
      .Case([&](arith::BitcastOp) { return bitcast(op, type, value); })
      .Default([](Operation *) { return Value(); });
}

Value Scalars::functions(Operation *op, Type type, ArrayRef<Value> operands) {
  Location loc = op->getLoc();
  Type i32 = builder.getI32Type(), i64 = builder.getI64Type();
  auto bits = [&](StringRef name) {
    Value width =
        literal(loc, i32, std::to_string(type.getIntOrFloatBitWidth()));
    Value value = cast(cast(operands[0], getUnsigned(type)), getUnsigned(i64));
    return cast(call(loc, helpers.use(name), i32, {value, width}), type);
  };
  if (StringRef name = getLibraryName(op); !name.empty()) {
    if (!type.isF32() && !type.isF64())
      return {};
    return call(loc, (name + (type.isF32() ? "f" : "")).str(), type, operands);
  }
  if (StringRef name = getTestName(op); !name.empty())
    return isNotZero(call(loc, name, i32, operands));
  return llvm::TypeSwitch<Operation *, Value>(op)
      .Case([&](math::AbsIOp) {
        Type wide = getUnsignedForArithmetic(type);
        Value zero = literal(loc, type, "0");
        Value negated =
            binaryAs<emitc::SubOp>(loc, wide, type, zero, operands[0]);
        return select(loc, compare(loc, CmpPredicate::lt, operands[0], zero),
                      negated, operands[0]);
      })
      .Case([&](math::RsqrtOp) {
        Value root = call(loc, type.isF32() ? "sqrtf" : "sqrt", type, operands);
        return binary<emitc::DivOp>(
            loc, type, literal(loc, type, type.isF32() ? "1.0f" : "1.0"), root);
      })
      .Case([&](math::FPowIOp) {
        return call(loc, type.isF32() ? "powf" : "pow", type,
                    {operands[0], cast(operands[1], type)});
      })
      .Case([&](math::IPowIOp) {
        return cast(call(loc, helpers.use("acc_power_i64"), i64,
                         {cast(operands[0], i64), cast(operands[1], i64)}),
                    type);
      })
      .Case(
          [&](math::CountLeadingZerosOp) { return bits("acc_leading_zeros"); })
      .Case([&](math::CountTrailingZerosOp) {
        return bits("acc_trailing_zeros");
      })
      .Case([&](math::CtPopOp) { return bits("acc_count_ones"); })
      .Default([](Operation *) { return Value(); });
}

/// The two halves of a product of twice the width.
void Scalars::extended(Operation *op, bool isSigned, IRMapping &mapping) {
  Location loc = op->getLoc();
  Value a = mapping.lookup(op->getOperand(0)),
        b = mapping.lookup(op->getOperand(1));
  Type type = a.getType(), i64 = builder.getI64Type(), u64 = getUnsigned(i64);
  mapping.map(
      op->getResult(0),
      binaryAs<emitc::MulOp>(loc, getUnsignedForArithmetic(type), type, a, b));
  unsigned width = type.getIntOrFloatBitWidth();
  Value high;
  if (width < 64) {
    auto extend = [&](Value value) {
      return isSigned ? cast(value, i64)
                      : cast(cast(value, getUnsigned(type)), u64);
    };
    Value product =
        binary<emitc::MulOp>(loc, isSigned ? i64 : u64, extend(a), extend(b));
    high = cast(binary<emitc::BitwiseRightShiftOp>(
                    loc, product.getType(), product,
                    literal(loc, product.getType(), std::to_string(width))),
                type);
  } else {
    high = call(loc, helpers.use("acc_high_product"), u64,
                {cast(a, u64), cast(b, u64)});
    // A negative factor is 2^64 too large as an unsigned one.
    Value zero = literal(loc, u64, "0");
    auto correct = [&](Value factor, Value other) {
      Value isNegative =
          compare(loc, CmpPredicate::lt, factor, literal(loc, type, "0"));
      high = binary<emitc::SubOp>(
          loc, u64, high, select(loc, isNegative, cast(other, u64), zero));
    };
    if (isSigned) {
      correct(a, b);
      correct(b, a);
    }
    high = cast(high, type);
  }
  mapping.map(op->getResult(1), high);
}

LogicalResult Scalars::lower(Operation *op, IRMapping &mapping) {
  auto fail = [&] {
    return op->emitError("'")
           << op->getName() << "' on "
           << (op->getNumOperands() ? op->getOperand(0).getType()
                                    : op->getResult(0).getType())
           << " has no equivalent in C";
  };
  if (auto constantOp = dyn_cast<arith::ConstantOp>(op)) {
    Value value = constant(op, constantOp.getValue());
    if (!value)
      return fail();
    mapping.map(op->getResult(0), value);
    return success();
  }
  for (Type type : op->getResultTypes())
    if (!getValueType(type))
      return fail();
  if (isa<arith::MulSIExtendedOp, arith::MulUIExtendedOp>(op)) {
    extended(op, isa<arith::MulSIExtendedOp>(op), mapping);
    return success();
  }
  if (op->getNumResults() != 1 || op->getNumOperands() == 0)
    return fail();
  SmallVector<Value> operands = llvm::map_to_vector(
      op->getOperands(), [&](Value value) { return mapping.lookup(value); });
  Type type = getValueType(op->getResult(0).getType());
  Value result = integers(op, type, operands);
  if (!result)
    result = floats(op, type, operands);
  if (!result)
    result = conversions(op, type, operands);
  if (!result)
    result = functions(op, type, operands);
  if (!result)
    return fail();
  mapping.map(op->getResult(0), result);
  return success();
}
