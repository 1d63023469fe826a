//===- VTAAttributes.cpp - Attributes of the vta dialect ------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/VTA/VTADialect.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace acc;
using namespace acc::vta;

#include "dialects/VTA/VTAEnums.cpp.inc"

namespace acc::vta::isa {
static llvm::hash_code hash_value(const Config &config) {
  llvm::hash_code hash = llvm::hash_combine(config.target, config.hwVersion);
  for (const Config::Key &key : Config::keys())
    hash = llvm::hash_combine(hash, config.*key.member);
  return hash;
}
} // namespace acc::vta::isa

#define GET_ATTRDEF_CLASSES
#include "dialects/VTA/VTAAttributes.cpp.inc"

void VTADialect::registerAttributes() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialects/VTA/VTAAttributes.cpp.inc"
      >();
}

//===----------------------------------------------------------------------===//
// ConfigAttr
//===----------------------------------------------------------------------===//

ConfigAttr ConfigAttr::lookup(Operation *op) {
  for (; op; op = op->getParentOp())
    if (auto module = dyn_cast<ModuleOp>(op))
      if (auto config = module->getAttrOfType<ConfigAttr>(kName))
        return config;
  return {};
}

LogicalResult ConfigAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                 isa::Config config, isa::Dialect) {
  std::vector<std::string> problems = config.validate();
  if (problems.empty())
    return success();
  return emitError() << "illegal accelerator configuration: "
                     << llvm::join(problems, "; ");
}

Attribute ConfigAttr::parse(AsmParser &parser, Type) {
  SMLoc loc = parser.getCurrentLocation();
  isa::Config config;
  isa::Dialect dialect = isa::Dialect::Acc;
  auto parseParameter = [&]() -> ParseResult {
    StringRef name;
    SMLoc nameLoc = parser.getCurrentLocation();
    if (parser.parseKeyword(&name) || parser.parseEqual())
      return failure();
    if (name == "target")
      return parser.parseString(&config.target);
    if (name == "hw_ver")
      return parser.parseString(&config.hwVersion);
    if (name == "dialect") {
      SMLoc valueLoc = parser.getCurrentLocation();
      StringRef value;
      if (parser.parseKeyword(&value))
        return failure();
      std::optional<isa::Dialect> known = isa::dialectFromName(value);
      if (!known)
        return parser.emitError(valueLoc)
               << "unknown dialect '" << value << "', expected acc or public";
      dialect = *known;
      return success();
    }
    int value;
    if (parser.parseInteger(value))
      return failure();
    if (name == "log_block") {
      config.logBlockIn = config.logBlockOut = value;
      return success();
    }
    auto keys = isa::Config::keys();
    auto key = llvm::find_if(keys, [&](const isa::Config::Key &k) {
      return StringRef(k.name).lower() == name;
    });
    if (key == keys.end())
      return parser.emitError(nameLoc) << "unknown parameter '" << name << "'";
    config.*key->member = value;
    return success();
  };
  if (parser.parseCommaSeparatedList(AsmParser::Delimiter::LessGreater,
                                     parseParameter))
    return {};
  return parser.getChecked<ConfigAttr>(loc, parser.getContext(), config,
                                       dialect);
}

void ConfigAttr::print(AsmPrinter &printer) const {
  const isa::Config &config = getConfig();
  const isa::Config defaults;
  printer << "<";
  // Sizes are always visible, the rest where it is not the default.
  if (config.target != defaults.target) {
    printer << "target = ";
    printer.printString(config.target);
    printer << ", ";
  }
  if (config.hwVersion != defaults.hwVersion) {
    printer << "hw_ver = ";
    printer.printString(config.hwVersion);
    printer << ", ";
  }
  auto isVisible = [&](const isa::Config::Key &key) {
    return !key.isExtension || config.*key.member != 0;
  };
  llvm::interleaveComma(llvm::make_filter_range(isa::Config::keys(), isVisible),
                        printer, [&](const isa::Config::Key &key) {
                          printer << StringRef(key.name).lower() << " = "
                                  << config.*key.member;
                        });
  if (getIsaDialect() != isa::Dialect::Acc)
    printer << ", dialect = " << isa::dialectName(getIsaDialect());
  printer << ">";
}

//===----------------------------------------------------------------------===//
// UopsAttr
//===----------------------------------------------------------------------===//

UopsAttr UopsAttr::get(MLIRContext *context, ArrayRef<isa::Uop> uops) {
  SmallVector<int32_t> values;
  values.reserve(uops.size() * 3);
  for (const isa::Uop &uop : uops)
    values.append({int32_t(uop.dst), int32_t(uop.src), int32_t(uop.wgt)});
  return get(context, values);
}

isa::Uop UopsAttr::operator[](size_t index) const {
  ArrayRef<int32_t> uop = getValues().slice(index * 3, 3);
  return {uint32_t(uop[0]), uint32_t(uop[1]), uint32_t(uop[2])};
}

LogicalResult UopsAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                               ArrayRef<int32_t> values) {
  if (values.size() % 3 != 0)
    return emitError() << "a micro-op is a triple, but there are "
                       << values.size() << " integers";
  if (llvm::any_of(values, [](int32_t value) { return value < 0; }))
    return emitError() << "indices of micro-ops must not be negative";
  return success();
}

Attribute UopsAttr::parse(AsmParser &parser, Type) {
  SmallVector<int32_t> values;
  SMLoc loc = parser.getCurrentLocation();
  auto parseInteger = [&] {
    return parser.parseInteger(values.emplace_back());
  };
  auto parseUop = [&]() -> ParseResult {
    size_t before = values.size();
    SMLoc uopLoc = parser.getCurrentLocation();
    if (parser.parseCommaSeparatedList(AsmParser::Delimiter::Square,
                                       parseInteger))
      return failure();
    if (values.size() != before + 3)
      return parser.emitError(uopLoc, "expected [dst, src, wgt]");
    return success();
  };
  if (parser.parseCommaSeparatedList(AsmParser::Delimiter::LessGreater,
                                     parseUop))
    return {};
  return parser.getChecked<UopsAttr>(loc, parser.getContext(), values);
}

void UopsAttr::print(AsmPrinter &printer) const {
  printer << "<";
  ArrayRef<int32_t> values = getValues();
  for (size_t i = 0; i < values.size(); i += 3)
    printer << (i ? ", [" : "[") << values[i] << ", " << values[i + 1] << ", "
            << values[i + 2] << "]";
  printer << ">";
}

//===----------------------------------------------------------------------===//
// PartAttr
//===----------------------------------------------------------------------===//

LogicalResult PartAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                               StringAttr, StringAttr label,
                               DenseI64ArrayAttr buffers,
                               DenseI64ArrayAttr offsets) {
  if (buffers.size() != offsets.size())
    return emitError() << "kernel " << label << " has " << buffers.size()
                       << " buffers, but " << offsets.size() << " offsets";
  for (auto numbers : {buffers, offsets})
    if (llvm::any_of(numbers.asArrayRef(), [](int64_t n) { return n < 0; }))
      return emitError() << "a buffer or an offset of kernel " << label
                         << " is negative";
  return success();
}

//===----------------------------------------------------------------------===//
// StepAttr, ActivationAttr
//===----------------------------------------------------------------------===//

/// Whether an operation takes two accumulators, or one and an immediate.
static bool isStep(AluKind op) {
  return isa::kAluOpFacts[static_cast<int>(op)].sources == 1;
}

LogicalResult StepAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                               AluKind op, DenseI64ArrayAttr values) {
  if (values.empty())
    return emitError() << "a step needs a value";
  if (!isStep(op))
    return emitError() << "a step has one operand, '" << stringifyAluKind(op)
                       << "' has another number of them";
  for (int64_t value : values.asArrayRef())
    if (op == AluKind::Shr ? value < 0 || value > 31 : !llvm::isInt<32>(value))
      return emitError() << "a step of '" << stringifyAluKind(op)
                         << "' cannot have the value " << value;
  return success();
}

/// What the vector unit computes of two values, in 32 bits that wrap.
static int32_t evaluate(AluKind op, int32_t a, int32_t b) {
  switch (op) {
  case AluKind::Min:
    return std::min(a, b);
  case AluKind::Max:
    return std::max(a, b);
  case AluKind::Add:
    return int32_t(uint32_t(a) + uint32_t(b));
  case AluKind::Shr:
    return a >> b;
  case AluKind::Mul:
    return int32_t(uint32_t(a) * uint32_t(b));
  case AluKind::Requantize:
  case AluKind::Table:
    break;
  }
  llvm_unreachable("a step has one operand");
}

int32_t StepAttr::evaluate(int32_t value, int64_t channel) const {
  ArrayRef<int64_t> values = getValues();
  return ::evaluate(getOp(), value,
                    int32_t(values[values.size() == 1 ? 0 : channel]));
}

LogicalResult
ActivationAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                       ArrayAttr before, ArrayAttr left, ArrayAttr right,
                       AluKind join, ArrayAttr after) {
  for (ArrayAttr steps : {before, left, right, after})
    if (!llvm::all_of(steps, llvm::IsaPred<StepAttr>))
      return emitError() << "an activation consists of #vta.step";
  if (right.empty() && !left.empty())
    return emitError() << "an activation joins nothing with the steps on the "
                          "left";
  if (join == AluKind::Shr)
    return emitError() << "an activation cannot join by a shift";
  if (!isStep(join))
    return emitError() << "an activation cannot join by '"
                       << stringifyAluKind(join) << "'";
  return success();
}

int32_t ActivationAttr::evaluate(int32_t value, int64_t channel) const {
  auto apply = [&](ArrayAttr steps, int32_t running) {
    for (auto step : steps.getAsRange<StepAttr>())
      running = step.evaluate(running, channel);
    return running;
  };
  int32_t x = apply(getBefore(), value);
  if (!getRight().empty())
    x = ::evaluate(getJoin(), apply(getLeft(), x), apply(getRight(), x));
  return apply(getAfter(), x);
}
