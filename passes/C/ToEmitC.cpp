//===- ToEmitC.cpp - Main and kernels as functions of emitc ---------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/CPU/CPUDialect.h"
#include "passes/C/Body.h"
#include "passes/C/Expressions.h"
#include "passes/C/Passes.h"
#include "passes/C/Types.h"

#include "mlir/IR/DialectResourceBlobManager.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;

namespace acc::c {
#define GEN_PASS_DEF_CTOEMITC
#include "passes/C/Passes.h.inc"
} // namespace acc::c

using namespace acc;
using namespace acc::c;

/// The numbers of a constant as those of an array in C, one after the other; a
/// null attribute for elements that C does not have.
static TypedAttr toArray(ElementsAttr data) {
  Type element = data.getElementType();
  Type stored = getStoredType(element);
  if (!stored)
    return {};
  auto type = RankedTensorType::get({data.getNumElements()}, stored);
  if (auto resource = dyn_cast<DenseResourceElementsAttr>(data)) {
    AsmResourceBlob *blob = resource.getRawHandle().getBlob();
    if (!blob || element.isInteger(1))
      return {};
    return DenseElementsAttr::getFromRawBuffer(type, blob->getData());
  }
  auto dense = dyn_cast<DenseElementsAttr>(data);
  if (!dense)
    return {};
  if (element == stored)
    return dense.reshape(type);
  SmallVector<APInt> numbers;
  unsigned width = stored.getIntOrFloatBitWidth();
  if (isa<FloatType>(element))
    for (const APFloat &number : dense.getValues<APFloat>())
      numbers.push_back(number.bitcastToAPInt());
  else
    for (const APInt &number : dense.getValues<APInt>())
      numbers.push_back(element.isInteger(1) ? number.zextOrTrunc(width)
                                             : number.sextOrTrunc(width));
  return DenseElementsAttr::get(type, numbers);
}

/// The least number of 64 bits has no decimal literal in C; the array that has
/// it is written out.
static Attribute spellLeast(TypedAttr array) {
  auto dense = cast<DenseElementsAttr>(array);
  if (!dense.getElementType().isInteger(64) ||
      llvm::none_of(dense.getValues<APInt>(), [](const APInt &number) {
        return number.isMinSignedValue();
      }))
    return array;
  auto texts = llvm::map_range(
      dense.getValues<APInt>(), [](const APInt &number) -> std::string {
        return number.isMinSignedValue()
                   ? "INT64_MIN"
                   : std::to_string(number.getSExtValue());
      });
  return emitc::OpaqueAttr::get(array.getContext(),
                                "{" + llvm::join(texts, ", ") + "}");
}

/// The ONNX node that a location names, or nothing.
static std::string getLayer(Location loc) {
  auto name = loc->findInstanceOf<NameLoc>();
  return name ? name.getName().str() : "";
}

namespace {

class Source {
public:
  Source(ModuleOp module, StringRef prefix, ArrayRef<std::string> types)
      : module(module), builder(module.getContext()), prefix(prefix),
        types(types) {}

  LogicalResult build() {
    Block *old = module.getBody();
    auto main = module.lookupSymbol<func::FuncOp>("main");
    builder.setInsertionPoint(old, old->begin());
    names.insert((prefix + "_run").str());
    // Which helpers and constants there are is found out in the bodies, before
    // which they stand.
    head = emitc::VerbatimOp::create(builder, module.getLoc(), "");
    constants = emitc::VerbatimOp::create(builder, module.getLoc(), "");
    // Everything that cannot be in C is said at once.
    bool isWhole = true;
    for (auto kernel : module.getOps<te::KernelOp>())
      isWhole &= succeeded(buildKernel(kernel));
    isWhole &= succeeded(buildMain(main));
    if (!isWhole)
      return failure();
    buildHead();
    head->erase();
    constants->erase();
    for (Operation &op : llvm::make_early_inc_range(*old))
      if (!isa<emitc::EmitCDialect>(op.getDialect()))
        op.erase();
    return success();
  }

private:
  void say(const Twine &text, Location loc) {
    emitc::VerbatimOp::create(builder, loc, text.str());
  }

  /// A name that nothing else in the source has.
  std::string makeName(StringRef suffix) {
    std::string name = (prefix + "_" + toIdentifier(suffix)).str();
    std::string unique = name;
    for (unsigned i = 2; !names.insert(unique).second; ++i)
      unique = name + "_" + std::to_string(i);
    return unique;
  }

  /// Parameters that nothing reads would be warned of.
  void useParameters(emitc::FuncOp function) {
    for (BlockArgument argument : function.getArguments())
      if (argument.use_empty())
        emitc::VerbatimOp::create(builder, argument.getLoc(), "(void){};",
                                  ValueRange(argument));
  }

  void buildHead() {
    builder.setInsertionPoint(head);
    Location loc = module.getLoc();
    emitc::IncludeOp::create(builder, loc, builder.getStringAttr(prefix + ".h"),
                             UnitAttr());
    for (StringRef name :
         {"math.h", "stdbool.h", "stddef.h", "stdint.h", "string.h"})
      emitc::IncludeOp::create(builder, loc, builder.getStringAttr(name),
                               builder.getUnitAttr());
    say(getPrelude(), loc);
    for (StringRef definition : helpers.getDefinitions())
      say(definition + "\n", loc);
  }

  LogicalResult buildKernel(te::KernelOp kernel) {
    if (!kernel.isOnHost())
      return kernel.emitError("is a program of an accelerator, which C source "
                              "cannot have");
    Location loc = kernel.getLoc();
    Block &entry = kernel.getBody().front();
    SmallVector<Type> parameters;
    for (BlockArgument argument : entry.getArguments()) {
      auto buffer = dyn_cast<MemRefType>(argument.getType());
      Type element = buffer ? buffer.getElementType() : argument.getType();
      if (!(buffer ? getStoredType(element) : getValueType(element)))
        return kernel.emitError("computes on elements of type ")
               << element << ", which C does not have";
      parameters.push_back(
          buffer
              ? getPointerType(element, Body::isOnlyRead(argument), "restrict")
              : getValueType(element));
    }
    std::string name = makeName(kernel.getSymName());
    kernelNames[kernel.getSymNameAttr()] = name;
    SmallVector<std::string> layers;
    if (kernel.getLayers())
      for (auto layer : kernel.getLayers()->getAsValueRange<StringAttr>())
        layers.push_back(toComment(layer));
    OpBuilder::InsertionGuard guard(builder);
    if (!layers.empty())
      say("\n/* " + llvm::join(layers, ", ") + " */", loc);
    auto function = emitc::FuncOp::create(
        builder, loc, name, builder.getFunctionType(parameters, {}));
    function.setSpecifiersAttr(builder.getStrArrayAttr({"static"}));
    Block *body = function.addEntryBlock();
    builder.setInsertionPointToStart(body);
    Body kernelBody(builder, helpers,
                    [](Operation *) -> FailureOr<bool> { return false; });
    for (auto [argument, parameter] :
         llvm::zip(entry.getArguments(), body->getArguments()))
      kernelBody.mapping.map(argument, parameter);
    if (failed(kernelBody.lower(entry)))
      return failure();
    useParameters(function);
    emitc::ReturnOp::create(builder, loc, Value());
    formExpressions(function);
    return success();
  }

  /// An array for a constant of main.
  LogicalResult buildConstant(BlockArgument argument, Attribute data,
                              Body &body) {
    Location loc = argument.getLoc();
    auto elements = dyn_cast<ElementsAttr>(data);
    TypedAttr array = elements ? toArray(elements) : TypedAttr();
    if (!array)
      return emitError(loc, "has a constant of type ")
             << argument.getType() << ", which C does not have";
    auto type = cast<RankedTensorType>(array.getType());
    std::string layer = getLayer(loc);
    std::string name =
        makeName(layer.empty() ? "constant" : layer + "_constant");
    int64_t count = std::max<int64_t>(type.getNumElements(), 1);
    Attribute numbers =
        type.getNumElements()
            ? spellLeast(array)
            : emitc::OpaqueAttr::get(builder.getContext(), "{0}");
    auto arrayType = emitc::ArrayType::get({count}, type.getElementType());
    {
      OpBuilder::InsertionGuard guard(builder);
      builder.setInsertionPoint(constants);
      emitc::GlobalOp::create(builder, loc, name, arrayType, numbers,
                              /*extern_specifier=*/false,
                              /*static_specifier=*/true,
                              /*const_specifier=*/true);
    }
    body.mapping.map(
        argument,
        emitc::GetGlobalOp::create(builder, loc, arrayType, name).getResult());
    return success();
  }

  /// The type of a parameter of the function that users call.
  Type publicPointer(StringRef element, bool isRead) {
    return emitc::PointerType::get(emitc::OpaqueType::get(
        builder.getContext(), ((isRead ? "const " : "") + element).str()));
  }

  LogicalResult buildMain(func::FuncOp main) {
    Location loc = main.getLoc();
    Block &entry = main.getBody().front();
    unsigned last = entry.getNumArguments() - 1;
    SmallVector<std::pair<BlockArgument, bool>> buffers;
    for (BlockArgument argument : entry.getArguments()) {
      unsigned i = argument.getArgNumber();
      if (!main.getArgAttr(i, cpu::CPUDialect::kConstant) && i != last)
        buffers.emplace_back(argument,
                             !main.getArgAttr(i, cpu::CPUDialect::kOutput));
    }
    if (buffers.size() != types.size())
      return main.emitError("has ")
             << buffers.size() << " inputs and outputs, but " << types.size()
             << " types are given";
    if (entry.getTerminator()->getNumOperands())
      return main.emitError("returns what only a run knows the size of");
    SmallVector<Type> parameters;
    for (auto [buffer, type] : llvm::zip(buffers, types))
      parameters.push_back(publicPointer(type, buffer.second));
    parameters.push_back(publicPointer("void", false));
    auto result = emitc::OpaqueType::get(builder.getContext(), "int");
    say("\n/* The model: inputs, outputs and the arena. */", loc);
    auto function =
        emitc::FuncOp::create(builder, loc, (prefix + "_run").str(),
                              builder.getFunctionType(parameters, result));
    OpBuilder::InsertionGuard guard(builder);
    Block *block = function.addEntryBlock();
    builder.setInsertionPointToStart(block);
    Body body(builder, helpers, [&](Operation *op) { return lowerMain(op); });
    mapping = &body.mapping;
    Scalars scalars(builder, helpers);
    for (auto [buffer, parameter, type] :
         llvm::zip(buffers, block->getArguments(), types)) {
      Type element = cast<MemRefType>(buffer.first.getType()).getElementType();
      Type stored = getStoredType(element);
      if (!stored)
        return emitError(loc, "'")
               << getName(main, buffer.first) << "' has elements of type "
               << element << ", which C does not have";
      body.mapping.map(buffer.first,
                       buffer.first.use_empty()
                           ? parameter
                           : body.at(loc, element, buffer.second, parameter,
                                     scalars.size(loc, 0)));
    }
    BlockArgument workspace = entry.getArgument(last);
    body.mapping.map(workspace, block->getArguments().back());
    for (BlockArgument argument : entry.getArguments())
      if (Attribute data = main.getArgAttr(argument.getArgNumber(),
                                           cpu::CPUDialect::kConstant))
        if (!argument.use_empty() &&
            failed(buildConstant(argument, data, body)))
          return failure();
    if (failed(body.lower(entry)))
      return failure();
    useParameters(function);
    emitc::ReturnOp::create(builder, loc, scalars.literal(loc, result, "0"));
    formExpressions(function);
    return success();
  }

  static std::string getName(func::FuncOp main, BlockArgument argument) {
    auto name = main.getArgAttrOfType<StringAttr>(argument.getArgNumber(),
                                                  "graph.name");
    return name ? name.str() : "an input or output";
  }

  /// What main does beside computing sizes and making views.
  FailureOr<bool> lowerMain(Operation *op) {
    Location loc = op->getLoc();
    if (auto launch = dyn_cast<te::LaunchOp>(op)) {
      auto kernel = kernelNames.find(launch.getKernelAttr().getAttr());
      if (kernel == kernelNames.end())
        return launch.emitError("launches @")
               << launch.getKernel() << ", which is no native kernel";
      if (std::string layer = getLayer(loc); !layer.empty())
        say("/* " + toComment(layer) + " */", loc);
      SmallVector<Value> operands =
          llvm::map_to_vector(launch->getOperands(), [&](Value value) {
            return mapping->lookup(value);
          });
      emitc::CallOpaqueOp::create(builder, loc, TypeRange(), kernel->second,
                                  operands);
      return true;
    }
    Value condition;
    std::string text;
    if (auto check = dyn_cast<te::CheckOp>(op)) {
      condition = check.getCondition();
      text = llvm::join(
          llvm::map_range(check.getMessage().getAsValueRange<StringAttr>(),
                          [](StringRef part) { return part.str(); }),
          "...");
    } else if (auto assertion = dyn_cast<cf::AssertOp>(op)) {
      condition = assertion.getArg();
      text = assertion.getMsg().str();
    } else {
      return false;
    }
    say("/* " + toComment(text) + " */", loc);
    emitc::VerbatimOp::create(
        builder, loc, "if (!{}) return " + std::to_string(++checks) + ";",
        ValueRange(mapping->lookup(condition)));
    return true;
  }

  ModuleOp module;
  OpBuilder builder;
  /// Where helpers and constants go.
  Operation *head = nullptr, *constants = nullptr;
  StringRef prefix;
  ArrayRef<std::string> types;
  Helpers helpers;
  llvm::StringSet<> names;
  /// The functions of kernels.
  DenseMap<StringAttr, std::string> kernelNames;
  /// What values are in main.
  IRMapping *mapping = nullptr;
  int checks = 0;
};

struct ToEmitCPass : c::impl::CToEmitCBase<ToEmitCPass> {
  using CToEmitCBase::CToEmitCBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    auto main = module.lookupSymbol<func::FuncOp>("main");
    if (!main || main.getNumArguments() == 0 || !main.getBody().hasOneBlock()) {
      emitError(module.getLoc(), "needs a bufferized and planned @main");
      return signalPassFailure();
    }
    auto workspace = dyn_cast<MemRefType>(main.getArgumentTypes().back());
    if (!workspace || !workspace.hasStaticShape()) {
      emitError(module.getLoc(), "needs a planned @main");
      return signalPassFailure();
    }
    int64_t bytes = workspace.getNumElements();
    if (failed(Source(module, prefix, types).build()))
      return signalPassFailure();
    module->setAttr(cpu::CPUDialect::kWorkspace,
                    Builder(module).getI64IntegerAttr(bytes));
  }
};

} // namespace
