//===- Types.cpp - What values and elements are in C ----------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/C/Types.h"

#include "llvm/ADT/StringExtras.h"

using namespace mlir;

/// Whether C has integers of that width.
static bool hasInteger(unsigned bits) {
  return bits == 8 || bits == 16 || bits == 32 || bits == 64;
}

static Type unsignedOf(MLIRContext *context, unsigned bits) {
  return IntegerType::get(context, bits, IntegerType::Unsigned);
}

Type acc::c::getValueType(Type type) {
  if (type.isIndex())
    return emitc::SizeTType::get(type.getContext());
  if (type.isF16() || type.isBF16())
    return unsignedOf(type.getContext(), 16);
  if (type.isF32() || type.isF64() || type.isInteger(1))
    return type;
  auto integer = dyn_cast<IntegerType>(type);
  return integer && hasInteger(integer.getWidth()) ? type : Type();
}

Type acc::c::getStoredType(Type element) {
  if (element.isInteger(1))
    return unsignedOf(element.getContext(), 8);
  if (element.isIndex())
    return IntegerType::get(element.getContext(), 64);
  return getValueType(element);
}

std::string acc::c::getStoredName(Type element) {
  Type stored = getStoredType(element);
  std::string bits = std::to_string(stored.getIntOrFloatBitWidth());
  if (isa<FloatType>(stored))
    return "acc_f" + bits;
  bool isUnsigned = stored.isUnsignedInteger();
  // Types of a byte alias everything anyway.
  if (bits == "8")
    return isUnsigned ? "uint8_t" : "int8_t";
  return (isUnsigned ? "acc_u" : "acc_i") + bits;
}

Type acc::c::getPointerType(Type element, bool isRead, StringRef qualifier) {
  std::string name = isRead ? "const " : "";
  name += getStoredName(element) + " *" + qualifier.str();
  return emitc::OpaqueType::get(element.getContext(), name);
}

Type acc::c::getUnsigned(Type type) {
  auto integer = dyn_cast<IntegerType>(type);
  return integer ? unsignedOf(type.getContext(), integer.getWidth()) : type;
}

Type acc::c::getUnsignedForArithmetic(Type type) {
  auto integer = dyn_cast<IntegerType>(type);
  return integer
             ? unsignedOf(type.getContext(), std::max(32u, integer.getWidth()))
             : type;
}

std::string acc::c::toIdentifier(StringRef name) {
  std::string result = name.str();
  for (char &c : result)
    if (!llvm::isAlnum(c))
      c = '_';
  return result;
}

std::string acc::c::toComment(StringRef text) {
  std::string result;
  for (char c : text) {
    bool ends = !result.empty() && ((result.back() == '*' && c == '/') ||
                                    (result.back() == '/' && c == '*'));
    if (ends)
      result += ' ';
    result += static_cast<unsigned char>(c) < ' ' || c == 0x7f ? ' ' : c;
  }
  return result;
}
