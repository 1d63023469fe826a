//===- VTAProgramOps.cpp - Programs and instructions ----------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/VTA/VTADialect.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"

using namespace mlir;
using namespace acc;
using namespace acc::vta;

//===----------------------------------------------------------------------===//
// Text of the fields
//===----------------------------------------------------------------------===//

/// Parses `[a, b, ...]` with one integer per destination.
template <typename... T>
static ParseResult parseIntegers(OpAsmParser &parser, T &...destinations) {
  if (parser.parseLSquare())
    return failure();
  bool first = true;
  auto parseOne = [&](auto &destination) -> ParseResult {
    if (!first && parser.parseComma())
      return failure();
    first = false;
    return parser.parseInteger(destination);
  };
  if ((failed(parseOne(destinations)) || ...))
    return failure();
  return parser.parseRSquare();
}

/// Parses what follows `pop` or `push`: `(prev)`, `(next)` or `(prev, next)`.
static ParseResult parseDeps(OpAsmParser &parser, int32_t &deps, int shift) {
  return parser.parseCommaSeparatedList(
      AsmParser::Delimiter::Paren, [&]() -> ParseResult {
        StringRef name;
        if (parser.parseOptionalKeyword(&name, {"prev", "next"}))
          return parser.emitError(parser.getCurrentLocation(),
                                  "expected 'prev' or 'next'");
        deps |= (name == "prev" ? 1 : 2) << shift;
        return success();
      });
}

static void printDeps(OpAsmPrinter &printer, int32_t deps) {
  for (auto [name, shift] : {std::pair{"pop", 0}, {"push", 2}}) {
    int32_t bits = (deps >> shift) & 3;
    if (bits)
      printer << " " << name << "("
              << (bits == 3   ? "prev, next"
                  : bits == 1 ? "prev"
                              : "next")
              << ")";
  }
}

template <typename Fields>
static ParseResult parseSpare(OpAsmParser &parser, Fields &fields) {
  return parseIntegers(parser, fields.spare_low, fields.spare_high);
}

template <typename Fields>
static void printSpare(OpAsmPrinter &printer, const Fields &fields) {
  if (fields.spare_low || fields.spare_high)
    printer << " spare [" << fields.spare_low << ", " << fields.spare_high
            << "]";
}

/// Parses keywords of \p names, each at most once and in any order, as long as
/// there are some; \p parseField is called with each.
static ParseResult
parseFields(OpAsmParser &parser, OperationState &state,
            ArrayRef<StringRef> names,
            function_ref<ParseResult(StringRef)> parseField) {
  SmallVector<StringRef> left(names);
  StringRef name;
  while (succeeded(parser.parseOptionalKeyword(&name, left))) {
    llvm::erase(left, name);
    if (parseField(name))
      return failure();
  }
  return parser.parseOptionalAttrDict(state.attributes);
}

template <typename Op>
static ParseResult parseTransfer(OpAsmParser &parser, OperationState &state) {
  auto &fields = state.getOrAddProperties<typename Op::Properties>();
  StringRef memory;
  if (parser.parseKeyword(&memory))
    return failure();
  std::optional<isa::Memory> kind = isa::memoryFromName(memory);
  if (!kind)
    return parser.emitError(parser.getNameLoc())
           << "unknown memory '" << memory
           << "', expected uop, wgt, inp, acc, out, acc8, mem6 or mem7";
  fields.memory = int32_t(*kind);
  return parseFields(
      parser, state,
      {"sram", "dram", "size", "stride", "pad", "pop", "push", "spare"},
      [&](StringRef name) -> ParseResult {
        if (name == "spare")
          return parseSpare(parser, fields);
        if (name == "sram")
          return parser.parseInteger(fields.sram);
        if (name == "dram") {
          OptionalParseResult buffer =
              parser.parseOptionalInteger(fields.buffer);
          if (buffer.has_value() && failed(*buffer))
            return failure();
          return parseIntegers(parser, fields.dram);
        }
        if (name == "size")
          return parseIntegers(parser, fields.y_size, fields.x_size);
        if (name == "stride")
          return parser.parseInteger(fields.x_stride);
        if (name == "pad")
          return parseIntegers(parser, fields.y_pad_0, fields.y_pad_1,
                               fields.x_pad_0, fields.x_pad_1);
        return parseDeps(parser, fields.deps, name == "pop" ? 0 : 2);
      });
}

template <typename Op> static void printTransfer(OpAsmPrinter &printer, Op op) {
  const auto &fields = op.getProperties();
  printer << " " << isa::memoryName(isa::Memory(fields.memory)) << " sram "
          << fields.sram << " dram ";
  if (fields.buffer >= 0)
    printer << fields.buffer;
  printer << "[" << fields.dram << "] size [" << fields.y_size << ", "
          << fields.x_size << "] stride " << fields.x_stride;
  if (fields.y_pad_0 || fields.y_pad_1 || fields.x_pad_0 || fields.x_pad_1)
    printer << " pad [" << fields.y_pad_0 << ", " << fields.y_pad_1 << ", "
            << fields.x_pad_0 << ", " << fields.x_pad_1 << "]";
  printDeps(printer, fields.deps);
  printSpare(printer, fields);
  printer.printOptionalAttrDict(op->getDiscardableAttrDictionary().getValue());
}

/// The fields that GEMM and ALU share.
template <typename Fields>
static ParseResult parseLoopField(OpAsmParser &parser, Fields &fields,
                                  StringRef name) {
  if (name == "uop")
    return parseIntegers(parser, fields.uop_bgn, fields.uop_end);
  if (name == "iter")
    return parseIntegers(parser, fields.iter_out, fields.iter_in);
  if (name == "dst")
    return parseIntegers(parser, fields.dst_out, fields.dst_in);
  if (name == "src")
    return parseIntegers(parser, fields.src_out, fields.src_in);
  if (name == "reset")
    return fields.reset = 1, success();
  if (name == "spare")
    return parseSpare(parser, fields);
  return parseDeps(parser, fields.deps, name == "pop" ? 0 : 2);
}

static void printPair(OpAsmPrinter &printer, StringRef name, int32_t first,
                      int32_t second, int32_t unit = 0) {
  if (first != unit || second != unit)
    printer << " " << name << " [" << first << ", " << second << "]";
}

template <typename Fields>
static void printLoop(OpAsmPrinter &printer, const Fields &fields) {
  printer << " uop [" << fields.uop_bgn << ", " << fields.uop_end << "]";
  printPair(printer, "iter", fields.iter_out, fields.iter_in, 1);
  printPair(printer, "dst", fields.dst_out, fields.dst_in);
  printPair(printer, "src", fields.src_out, fields.src_in);
}

ParseResult InsnLoadOp::parse(OpAsmParser &parser, OperationState &state) {
  return parseTransfer<InsnLoadOp>(parser, state);
}
void InsnLoadOp::print(OpAsmPrinter &printer) { printTransfer(printer, *this); }

ParseResult InsnStoreOp::parse(OpAsmParser &parser, OperationState &state) {
  return parseTransfer<InsnStoreOp>(parser, state);
}
void InsnStoreOp::print(OpAsmPrinter &printer) {
  printTransfer(printer, *this);
}

ParseResult InsnGemmOp::parse(OpAsmParser &parser, OperationState &state) {
  auto &fields = state.getOrAddProperties<Properties>();
  return parseFields(parser, state,
                     {"reset", "window", "set", "uop", "iter", "dst", "src",
                      "wgt", "pop", "push", "spare"},
                     [&](StringRef name) -> ParseResult {
                       if (name == "window")
                         return fields.window = 1, success();
                       if (name == "set")
                         return fields.set = 1, success();
                       if (name == "wgt")
                         return parseIntegers(parser, fields.wgt_out,
                                              fields.wgt_in);
                       return parseLoopField(parser, fields, name);
                     });
}

void InsnGemmOp::print(OpAsmPrinter &printer) {
  const Properties &fields = getProperties();
  if (fields.reset)
    printer << " reset";
  if (fields.window)
    printer << " window";
  if (fields.set)
    printer << " set";
  printLoop(printer, fields);
  printPair(printer, "wgt", fields.wgt_out, fields.wgt_in);
  printDeps(printer, fields.deps);
  printSpare(printer, fields);
  printer.printOptionalAttrDict(
      (*this)->getDiscardableAttrDictionary().getValue());
}

ParseResult InsnAluOp::parse(OpAsmParser &parser, OperationState &state) {
  auto &fields = state.getOrAddProperties<Properties>();
  StringRef name;
  if (parser.parseKeyword(&name))
    return failure();
  std::optional<isa::AluOp> op = isa::aluOpFromName(name);
  if (!op)
    return parser.emitError(parser.getNameLoc())
           << "unknown operation '" << name
           << "', expected min, max, add, shr, mul, requantize or table";
  fields.alu_op = int32_t(*op);
  return parseFields(parser, state,
                     {"reset", "imm", "unused_imm", "uop", "iter", "dst", "src",
                      "pop", "push", "spare"},
                     [&](StringRef name) -> ParseResult {
                       if (name == "imm" || name == "unused_imm") {
                         fields.use_imm = name == "imm";
                         return parser.parseInteger(fields.imm);
                       }
                       return parseLoopField(parser, fields, name);
                     });
}

void InsnAluOp::print(OpAsmPrinter &printer) {
  const Properties &fields = getProperties();
  printer << " " << isa::aluOpName(isa::AluOp(fields.alu_op));
  if (fields.reset)
    printer << " reset";
  // A stream that others wrote may carry an immediate that it does not use.
  if (fields.use_imm || fields.imm)
    printer << (fields.use_imm ? " imm " : " unused_imm ") << fields.imm;
  printLoop(printer, fields);
  printDeps(printer, fields.deps);
  printSpare(printer, fields);
  printer.printOptionalAttrDict(
      (*this)->getDiscardableAttrDictionary().getValue());
}

ParseResult InsnFinishOp::parse(OpAsmParser &parser, OperationState &state) {
  auto &fields = state.getOrAddProperties<Properties>();
  return parseFields(parser, state, {"pop", "push", "spare"},
                     [&](StringRef name) -> ParseResult {
                       if (name == "spare")
                         return parseSpare(parser, fields);
                       return parseDeps(parser, fields.deps,
                                        name == "pop" ? 0 : 2);
                     });
}

void InsnFinishOp::print(OpAsmPrinter &printer) {
  printDeps(printer, getProperties().deps);
  printSpare(printer, getProperties());
  printer.printOptionalAttrDict(
      (*this)->getDiscardableAttrDictionary().getValue());
}

//===----------------------------------------------------------------------===//
// ProgramOp
//===----------------------------------------------------------------------===//

void ProgramOp::build(OpBuilder &builder, OperationState &state, StringRef name,
                      TypeRange buffers) {
  state.addAttribute(getSymNameAttrName(state.name),
                     builder.getStringAttr(name));
  state.addAttribute(getBuffersAttrName(state.name),
                     builder.getTypeArrayAttr(llvm::to_vector(buffers)));
  state.addRegion()->emplaceBlock();
}

LogicalResult ProgramOp::verify() {
  for (auto [index, type] :
       llvm::enumerate(getBuffers().getAsValueRange<TypeAttr>())) {
    auto memref = dyn_cast<MemRefType>(type);
    if (!memref || !memref.hasStaticShape() ||
        !memref.getLayout().isIdentity() ||
        !memref.getElementType().isSignlessInteger())
      return emitOpError() << "buffer #" << index << " must be a memref of "
                           << "integers with static shape and identity layout, "
                           << "but is " << type;
  }
  ConfigAttr config = ConfigAttr::lookup(*this);
  if (!config)
    return emitOpError() << "needs a module with a '" << ConfigAttr::kName
                         << "' attribute";
  if (!getTables())
    return success();
  if (getCached())
    return emitOpError("has tables beside its micro-ops, which have their "
                       "places already");
  if (!config.getConfig().aluTable)
    return emitOpError("has tables, which need ALU_TABLE");
  for (auto table : getTables()->getAsRange<DenseI8ArrayAttr>())
    if (table.size() != isa::Config::kTableEntries)
      return emitOpError() << "has a table of " << table.size()
                           << " entries, expected "
                           << isa::Config::kTableEntries;
  return success();
}

LogicalResult ProgramOp::verifyRegions() {
  isa::Config config = ConfigAttr::lookup(*this).getConfig();
  isa::Codec codec(config);
  UopsAttr uops = getUopsAttr();
  int64_t tableSize = uops ? uops.size() : 0;
  for (int64_t i = 0; i < tableSize; ++i)
    if (auto problem = codec.check(uops[i]))
      return emitOpError() << "micro-op " << i << ": " << *problem;
  int64_t numBuffers = getBuffers().size() + (uops ? 1 : 0);
  for (Operation &op : getBody().front()) {
    if (!mlir::isa<InsnLoadOp, InsnStoreOp, InsnGemmOp, InsnAluOp,
                   InsnFinishOp>(op))
      return op.emitOpError("is not an instruction");
    int32_t buffer;
    isa::Instruction insn = getInstruction(&op, &buffer);
    if (buffer >= numBuffers || buffer < isa::Program::kNone)
      return op.emitOpError() << "addresses buffer " << buffer
                              << ", but the program has " << numBuffers;
    if (auto *loop = const_cast<isa::MicroLoop *>(insn.loop());
        loop && !getCached()) {
      if (loop->uopBgn > loop->uopEnd || loop->uopEnd > tableSize)
        return op.emitOpError()
               << "executes micro-ops [" << loop->uopBgn << ", " << loop->uopEnd
               << "), but the table has " << tableSize;
      loop->uopBgn = loop->uopEnd = 0;
    }
    if (const isa::AluInsn *alu = insn.alu();
        alu && alu->op == isa::AluOp::Table && getTables() &&
        (alu->imm < 0 || alu->imm >= int32_t(getTables()->size())))
      return op.emitOpError()
             << "looks up in table " << alu->imm << ", but the program has "
             << getTables()->size();
    if (auto problem = codec.check(insn))
      return op.emitOpError() << *problem;
    if (auto problem = isa::checkForm(insn))
      return op.emitOpError() << *problem;
  }
  return success();
}

//===----------------------------------------------------------------------===//
// LaunchOp
//===----------------------------------------------------------------------===//

void LaunchOp::build(OpBuilder &builder, OperationState &state,
                     StringRef program, ValueRange operands) {
  build(builder, state, program, operands, /*parts=*/ArrayAttr());
}

LogicalResult LaunchOp::verify() {
  if (!getParts())
    return success();
  if (getParts()->empty())
    return emitOpError() << "runs no kernels";
  for (auto part : getParts()->getAsRange<PartAttr>())
    for (int64_t buffer : part.getBuffers().asArrayRef())
      if (buffer >= int64_t(getOperands().size()))
        return emitOpError()
               << "has " << getOperands().size() << " buffers, but kernel "
               << part.getLabel() << " is given buffer " << buffer;
  return success();
}

LogicalResult LaunchOp::verifySymbolUses(SymbolTableCollection &symbols) {
  auto program =
      symbols.lookupNearestSymbolFrom<ProgramOp>(*this, getProgramAttr());
  if (!program)
    return emitOpError() << "'" << getProgram() << "' is not a vta.program";
  if (program.getBuffers().size() != getOperands().size())
    return emitOpError() << "passes " << getOperands().size()
                         << " buffers, but '" << getProgram() << "' takes "
                         << program.getBuffers().size();
  for (auto [index, operand] : llvm::enumerate(getOperands())) {
    auto given = cast<MemRefType>(operand.getType());
    auto expected = cast<MemRefType>(
        cast<TypeAttr>(program.getBuffers()[index]).getValue());
    if (given.getShape() != expected.getShape() ||
        given.getElementType() != expected.getElementType() ||
        !given.getLayout().isIdentity())
      return emitOpError() << "buffer #" << index << " has type " << given
                           << ", but '" << getProgram() << "' takes "
                           << expected;
  }
  return success();
}
