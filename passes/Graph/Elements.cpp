//===- Elements.cpp - How elements are stored and computed on -------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Graph/Elements.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Quant/IR/QuantTypes.h"

using namespace mlir;

namespace acc::graph {

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

/// Floats whose bits are handled as integers.
static bool isSmallFloat(Type type) {
  return isa<FloatType>(type) && type.getIntOrFloatBitWidth() <= 8;
}

Type getStorageType(Type type) {
  MLIRContext *context = type.getContext();
  if (auto quantized = dyn_cast<quant::QuantizedType>(type))
    return IntegerType::get(
        context, std::max(quantized.getStorageTypeIntegralWidth(), 8u));
  if (isSmallFloat(type))
    return IntegerType::get(context, 8);
  if (auto integer = dyn_cast<IntegerType>(type))
    return IntegerType::get(context, integer.getWidth() == 1
                                         ? 1
                                         : std::max(integer.getWidth(), 8u));
  return type;
}

Type getComputeType(Type type) {
  if (isa<FloatType>(type) && type.getIntOrFloatBitWidth() < 32)
    return Float32Type::get(type.getContext());
  return getStorageType(type);
}

bool isUnsignedElement(Type type) {
  type = getElementTypeOrSelf(type);
  if (auto quantized = dyn_cast<quant::QuantizedType>(type))
    return !quantized.isSigned();
  // ONNX's bool is i1, whose one is 1 and not -1.
  return type.isUnsignedInteger() || type.isInteger(1);
}

//===----------------------------------------------------------------------===//
// Small helpers
//===----------------------------------------------------------------------===//

Value createScalar(ImplicitLocOpBuilder &b, Type type, double value) {
  if (auto floating = dyn_cast<FloatType>(type)) {
    APFloat number(value);
    bool exact;
    number.convert(floating.getFloatSemantics(), APFloat::rmNearestTiesToEven,
                   &exact);
    return arith::ConstantOp::create(b, FloatAttr::get(type, number));
  }
  APInt number(type.getIntOrFloatBitWidth(), static_cast<int64_t>(value),
               /*isSigned=*/true, /*implicitTrunc=*/true);
  return arith::ConstantOp::create(b, IntegerAttr::get(type, number));
}

namespace {

/// Arithmetic on the bits of floats, in i32.
struct Bits {
  ImplicitLocOpBuilder &b;

  Value constant(uint32_t value) {
    return arith::ConstantOp::create(
        b, b.getIntegerAttr(b.getI32Type(), APInt(32, value)));
  }
  Value add(Value x, Value y) { return arith::AddIOp::create(b, x, y); }
  Value sub(Value x, Value y) { return arith::SubIOp::create(b, x, y); }
  Value both(Value x, uint32_t mask) {
    return arith::AndIOp::create(b, x, constant(mask));
  }
  Value either(Value x, Value y) { return arith::OrIOp::create(b, x, y); }
  Value left(Value x, unsigned amount) {
    return arith::ShLIOp::create(b, x, constant(amount));
  }
  Value right(Value x, unsigned amount) {
    return arith::ShRUIOp::create(b, x, constant(amount));
  }
  Value compare(arith::CmpIPredicate predicate, Value x, uint32_t y) {
    return arith::CmpIOp::create(b, predicate, x, constant(y));
  }
  Value select(Value condition, Value x, Value y) {
    return arith::SelectOp::create(b, condition, x, y);
  }
  Value fromFloat(Value x) {
    return arith::BitcastOp::create(b, b.getI32Type(), x);
  }
  Value toFloat(Value x) {
    return arith::BitcastOp::create(b, b.getF32Type(), x);
  }
};

/// The layout of a small float: sign, exponent, mantissa.
struct SmallFloat {
  unsigned bits, mantissa;
  int bias;
  /// Codes without the sign: the largest finite number, and what stands for
  /// overflow and NaN. -1: there is none, and the largest number does.
  uint32_t largest, overflow, nan;
  /// NaN is the code of -0, which does not exist.
  bool noNegativeZero = false;

  static SmallFloat get(Type type) {
    if (isa<Float8E4M3FNType>(type))
      return {8, 3, 7, 0x7e, 0x7f, 0x7f};
    if (isa<Float8E4M3FNUZType>(type))
      return {8, 3, 8, 0x7f, 0x80, 0x80, true};
    if (isa<Float8E5M2Type>(type))
      return {8, 2, 15, 0x7b, 0x7c, 0x7e};
    if (isa<Float8E5M2FNUZType>(type))
      return {8, 2, 16, 0x7f, 0x80, 0x80, true};
    if (isa<Float6E2M3FNType>(type))
      return {6, 3, 1, 0x1f, 0x1f, 0x20};
    if (isa<Float6E3M2FNType>(type))
      return {6, 2, 3, 0x1f, 0x1f, 0x20};
    return {4, 1, 1, 0x7, 0x7, 0x8};
  }
  uint32_t signBit() const { return 1u << (bits - 1); }
};

} // namespace

//===----------------------------------------------------------------------===//
// Small floats
//===----------------------------------------------------------------------===//

/// 2^(code - 127).
static Value decodePowerOfTwo(Bits bits, Value code) {
  Value power = bits.left(code, 23);
  power = bits.select(bits.compare(arith::CmpIPredicate::eq, code, 0),
                      bits.constant(0x00400000), power);
  power = bits.select(bits.compare(arith::CmpIPredicate::eq, code, 255),
                      bits.constant(0x7fc00000), power);
  return bits.toFloat(power);
}

static Value decodeSmallFloat(ImplicitLocOpBuilder &b, Value stored,
                              Type type) {
  Bits bits{b};
  Value code = arith::ExtUIOp::create(b, b.getI32Type(), stored);
  if (isa<Float8E8M0FNUType>(type))
    return decodePowerOfTwo(bits, code);
  SmallFloat format = SmallFloat::get(type);
  Value magnitude = bits.both(code, format.signBit() - 1);
  // With the exponent of f32 it is too small by a power of two, which is exact
  // for denormals as well.
  Value value = arith::MulFOp::create(
      b, bits.toFloat(bits.left(magnitude, 23 - format.mantissa)),
      createScalar(b, b.getF32Type(), std::ldexp(1.0, 127 - format.bias)));
  Value result = bits.fromFloat(value);
  if (isa<Float8E5M2Type>(type))
    result = bits.select(
        bits.compare(arith::CmpIPredicate::uge, magnitude, format.overflow),
        bits.either(bits.left(magnitude, 21), bits.constant(0x7f800000)),
        result);
  if (isa<Float8E4M3FNType>(type))
    result = bits.select(
        bits.compare(arith::CmpIPredicate::eq, magnitude, format.nan),
        bits.constant(0x7fc00000), result);
  Value sign = bits.left(bits.both(code, format.signBit()), 32 - format.bits);
  result = bits.either(result, sign);
  if (format.noNegativeZero)
    result =
        bits.select(bits.compare(arith::CmpIPredicate::eq, code, format.nan),
                    bits.constant(0x7fc00000), result);
  return bits.toFloat(result);
}

/// The exponent alone, rounded as ONNX says; the sign is lost.
static Value encodePowerOfTwo(Bits bits, Value value, CastMode mode) {
  Value word = bits.fromFloat(value);
  Value exponent = bits.both(bits.right(word, 23), 0xff);
  Value up;
  if (mode.rounding == ScaleRounding::Up)
    up = bits.compare(arith::CmpIPredicate::ne, bits.both(word, 0x7fffff), 0);
  if (mode.rounding == ScaleRounding::Nearest) {
    Value half = bits.compare(arith::CmpIPredicate::uge,
                              bits.both(word, 0x7fffff), 0x400000);
    // A tie goes up unless the exponent is zero.
    Value isTie = bits.compare(arith::CmpIPredicate::eq,
                               bits.both(word, 0x7fffffff), 0x400000);
    up = arith::AndIOp::create(
        bits.b, half,
        arith::XOrIOp::create(bits.b, isTie,
                              createScalar(bits.b, bits.b.getI1Type(), 1)));
  }
  if (!up)
    return exponent;
  Value next = bits.select(up, bits.add(exponent, bits.constant(1)), exponent);
  uint32_t last = mode.saturate ? 0xfe : 0xff;
  return bits.select(bits.compare(arith::CmpIPredicate::uge, exponent, last),
                     exponent, next);
}

static Value encodeSmallFloat(ImplicitLocOpBuilder &b, Value value, Type type,
                              CastMode mode) {
  Bits bits{b};
  if (isa<Float8E8M0FNUType>(type))
    return arith::TruncIOp::create(b, b.getI8Type(),
                                   encodePowerOfTwo(bits, value, mode));
  SmallFloat format = SmallFloat::get(type);
  unsigned dropped = 23 - format.mantissa;
  Value word = bits.fromFloat(value);
  Value magnitude = bits.both(word, 0x7fffffff);

  // Round half to even by adding just below a half, and one if odd.
  Value odd = bits.both(bits.right(magnitude, dropped), 1);
  Value rounded = bits.add(
      bits.add(magnitude, bits.constant((1u << (dropped - 1)) - 1)), odd);
  Value normal = bits.sub(bits.right(rounded, dropped),
                          bits.constant(static_cast<uint32_t>(127 - format.bias)
                                        << format.mantissa));
  // Below the normal numbers, the sum with a number whose last digit is the
  // least denormal rounds.
  Value magic = createScalar(
      b, b.getF32Type(),
      std::ldexp(1.0, 1 - format.bias - int(format.mantissa) + 23));
  Value sum = arith::AddFOp::create(b, bits.toFloat(magnitude), magic);
  Value denormal = bits.sub(bits.fromFloat(sum), bits.fromFloat(magic));
  Value isDenormal =
      bits.compare(arith::CmpIPredicate::ult, magnitude,
                   static_cast<uint32_t>(128 - format.bias) << 23);
  Value code = bits.select(isDenormal, denormal, normal);

  Value isLarge = bits.compare(arith::CmpIPredicate::ugt, code, format.largest);
  Value sign = bits.left(bits.right(word, 31), format.bits - 1);
  if (format.noNegativeZero)
    sign = bits.select(bits.compare(arith::CmpIPredicate::eq, code, 0),
                       bits.constant(0), sign);
  code = bits.select(
      isLarge, bits.constant(mode.saturate ? format.largest : format.overflow),
      code);
  Value isNaN = bits.compare(arith::CmpIPredicate::ugt, magnitude, 0x7f800000);
  code = bits.select(isNaN, bits.constant(format.nan), code);
  code = bits.either(code, sign);
  if (format.noNegativeZero && !mode.saturate)
    code = bits.select(isLarge, bits.constant(format.overflow), code);
  if (format.nan == format.signBit())
    code = bits.select(isNaN, bits.constant(format.nan), code);
  return arith::TruncIOp::create(b, b.getI8Type(), code);
}

/// Rounds to f32 such that rounding once more to fewer digits is as good as
/// rounding once: what is not exact becomes odd.
static Value roundToOdd(ImplicitLocOpBuilder &b, Value value) {
  Bits bits{b};
  Value nearest = arith::TruncFOp::create(b, b.getF32Type(), value);
  Value back = arith::ExtFOp::create(b, b.getF64Type(), nearest);
  Value word = bits.fromFloat(nearest);
  auto magnitude = [&](Value x) -> Value {
    return arith::MaximumFOp::create(b, x, arith::NegFOp::create(b, x));
  };
  Value isAway = arith::CmpFOp::create(b, arith::CmpFPredicate::OGT,
                                       magnitude(back), magnitude(value));
  Value toward = bits.select(isAway, bits.sub(word, bits.constant(1)), word);
  Value isInexact =
      arith::CmpFOp::create(b, arith::CmpFPredicate::ONE, back, value);
  return bits.toFloat(
      bits.select(isInexact, bits.either(toward, bits.constant(1)), word));
}

//===----------------------------------------------------------------------===//
// Loading, storing, casting
//===----------------------------------------------------------------------===//

Value resizeFloat(ImplicitLocOpBuilder &b, Value value, Type type) {
  unsigned from = value.getType().getIntOrFloatBitWidth(),
           to = type.getIntOrFloatBitWidth();
  if (from < to)
    return arith::ExtFOp::create(b, type, value);
  if (from > to)
    return arith::TruncFOp::create(b, type, value);
  return value;
}

Value loadElement(ImplicitLocOpBuilder &b, Value stored, Type type) {
  if (isSmallFloat(type))
    return decodeSmallFloat(b, stored, type);
  if (isa<FloatType>(type))
    return resizeFloat(b, stored, getComputeType(type));
  auto integer = dyn_cast<IntegerType>(type);
  if (!integer || integer.getWidth() == 1 || integer.getWidth() >= 8)
    return stored;
  unsigned unused = 8 - integer.getWidth();
  if (integer.isUnsigned())
    return arith::AndIOp::create(b, stored,
                                 createScalar(b, b.getI8Type(), 255 >> unused));
  Value amount = createScalar(b, b.getI8Type(), unused);
  return arith::ShRSIOp::create(b, arith::ShLIOp::create(b, stored, amount),
                                amount);
}

Value storeElement(ImplicitLocOpBuilder &b, Value value, Type type,
                   CastMode mode) {
  if (isa<FloatType>(type)) {
    unsigned width = type.getIntOrFloatBitWidth();
    // Powers of two are made of what ONNX rounds to f32.
    if (value.getType().isF64() && width < 32)
      value =
          isa<Float8E8M0FNUType>(type)
              ? arith::TruncFOp::create(b, b.getF32Type(), value).getResult()
              : roundToOdd(b, value);
    if (isSmallFloat(type))
      return encodeSmallFloat(b, value, type, mode);
    return resizeFloat(b, value, type);
  }
  auto integer = dyn_cast<IntegerType>(type);
  if (!integer || integer.getWidth() == 1 || integer.getWidth() >= 8)
    return value;
  return arith::AndIOp::create(
      b, value, createScalar(b, b.getI8Type(), (1 << integer.getWidth()) - 1));
}

/// Saturates where `type` does not hold the value; NaN is 0.
static Value saturateToInteger(ImplicitLocOpBuilder &b, Value value, Type type,
                               bool isUnsigned) {
  unsigned width = type.getIntOrFloatBitWidth();
  auto bound = [&](const APInt &integer) -> Value {
    return arith::ConstantOp::create(b, IntegerAttr::get(type, integer));
  };
  auto isBeyond = [&](arith::CmpFPredicate predicate, double limit) -> Value {
    return arith::CmpFOp::create(b, predicate, value,
                                 createScalar(b, value.getType(), limit));
  };
  // The conversion itself is poison where the value does not fit; a select
  // that takes the other side is not.
  Value result;
  if (isUnsigned)
    result = arith::FPToUIOp::create(b, type, value);
  else
    result = arith::FPToSIOp::create(b, type, value);
  APInt least =
      isUnsigned ? APInt::getMinValue(width) : APInt::getSignedMinValue(width);
  APInt most =
      isUnsigned ? APInt::getMaxValue(width) : APInt::getSignedMaxValue(width);
  double limit = std::ldexp(1.0, isUnsigned ? width : width - 1);
  result = arith::SelectOp::create(
      b, isBeyond(arith::CmpFPredicate::OGE, limit), bound(most), result);
  result = arith::SelectOp::create(
      b, isBeyond(arith::CmpFPredicate::OLT, isUnsigned ? 0 : -limit),
      bound(least), result);
  return arith::SelectOp::create(
      b, arith::CmpFOp::create(b, arith::CmpFPredicate::UNO, value, value),
      bound(APInt(width, 0)), result);
}

Value floatToInteger(ImplicitLocOpBuilder &b, Value value, Type type,
                     bool isUnsigned) {
  unsigned width = type.getIntOrFloatBitWidth();
  if (width == 64 && isUnsigned) {
    Value isNegative =
        arith::CmpFOp::create(b, arith::CmpFPredicate::OLT, value,
                              createScalar(b, value.getType(), 0));
    return arith::SelectOp::create(b, isNegative,
                                   saturateToInteger(b, value, type, false),
                                   saturateToInteger(b, value, type, true));
  }
  Type through = width < 32 || !isUnsigned
                     ? b.getIntegerType(std::max(width, 32u))
                     : b.getI64Type();
  Value result = saturateToInteger(b, value, through, false);
  if (through != type)
    result = arith::TruncIOp::create(b, type, result);
  return result;
}

Value integerToFloat(ImplicitLocOpBuilder &b, Value value, Type type,
                     bool isUnsigned) {
  if (isUnsigned)
    return arith::UIToFPOp::create(b, type, value);
  return arith::SIToFPOp::create(b, type, value);
}

Value castElement(ImplicitLocOpBuilder &b, Value stored, Type from, Type to,
                  CastMode mode) {
  if (from == to)
    return stored;
  Value value = loadElement(b, stored, from);
  Type source = value.getType(), target = getComputeType(to);
  bool isUnsigned = isUnsignedElement(from);
  if (to.isInteger(1)) {
    Value zero = createScalar(b, source, 0);
    if (isa<FloatType>(source))
      return arith::CmpFOp::create(b, arith::CmpFPredicate::UNE, value, zero);
    return arith::CmpIOp::create(b, arith::CmpIPredicate::ne, value, zero);
  }
  if (isa<FloatType>(source)) {
    if (isa<FloatType>(to)) {
      if (target.isF64())
        value = resizeFloat(b, value, target);
      return storeElement(b, value, to, mode);
    }
    return storeElement(
        b, floatToInteger(b, value, target, isUnsignedElement(to)), to);
  }
  if (isa<FloatType>(to)) {
    // bf16 has the range of all integers: round once. f32 holds every integer
    // that the other small types do not round to their largest value.
    Type through = to.isBF16() && source.getIntOrFloatBitWidth() == 32
                       ? b.getF64Type()
                       : target;
    value = integerToFloat(b, value, through, isUnsigned);
    return storeElement(b, value, to, mode);
  }
  unsigned before = source.getIntOrFloatBitWidth(),
           after = target.getIntOrFloatBitWidth();
  if (before > after)
    value = arith::TruncIOp::create(b, target, value);
  else if (before < after && isUnsigned)
    value = arith::ExtUIOp::create(b, target, value);
  else if (before < after)
    value = arith::ExtSIOp::create(b, target, value);
  return storeElement(b, value, to);
}

} // namespace acc::graph
