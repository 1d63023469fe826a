//===- TEOps.cpp - Operators of the te dialect ----------------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/TE/TEDialect.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Interfaces/FunctionImplementation.h"
#include "mlir/Interfaces/ViewLikeInterface.h"

using namespace mlir;
using namespace acc::te;

/// The types of a program's buffers, in parentheses.
static ParseResult parseBufferTypes(OpAsmParser &parser, ArrayAttr &buffers) {
  SmallVector<Type> types;
  auto parseOne = [&]() { return parser.parseType(types.emplace_back()); };
  if (parser.parseCommaSeparatedList(AsmParser::Delimiter::Paren, parseOne))
    return failure();
  buffers = parser.getBuilder().getTypeArrayAttr(types);
  return success();
}

static void printBufferTypes(OpAsmPrinter &printer, Operation *,
                             ArrayAttr buffers) {
  printer << "(";
  llvm::interleaveComma(buffers.getAsValueRange<TypeAttr>(), printer);
  printer << ")";
}

#define GET_OP_CLASSES
#include "dialects/TE/TEOps.cpp.inc"

//===----------------------------------------------------------------------===//
// KernelOp
//===----------------------------------------------------------------------===//

ParseResult KernelOp::parse(OpAsmParser &parser, OperationState &result) {
  auto buildFunctionType =
      [](Builder &builder, ArrayRef<Type> inputs, ArrayRef<Type> results,
         function_interface_impl::VariadicFlag,
         std::string &) { return builder.getFunctionType(inputs, results); };
  return function_interface_impl::parseFunctionOp(
      parser, result, /*allowVariadic=*/false,
      getFunctionTypeAttrName(result.name), buildFunctionType,
      getArgAttrsAttrName(result.name), getResAttrsAttrName(result.name));
}

void KernelOp::print(OpAsmPrinter &printer) {
  function_interface_impl::printFunctionOp(
      printer, *this, /*isVariadic=*/false, getFunctionTypeAttrName(),
      getArgAttrsAttrName(), getResAttrsAttrName());
}

TargetAttrInterface KernelOp::getTargetInterface() {
  return cast<TargetAttrInterface>(getTarget());
}

bool KernelOp::isOnHost() { return getTargetInterface().isHost(); }

/// A schedule names memories of the kernel's target only.
static LogicalResult verifyMemories(KernelOp kernel) {
  auto schedule = dyn_cast_or_null<ScheduleAttr>(kernel.getScheduleAttr());
  if (!schedule)
    return success();
  SmallVector<Memory> memories = kernel.getTargetInterface().getMemories();
  auto isMemory = [&](Attribute space) {
    return !space || llvm::any_of(memories, [&](const Memory &memory) {
      return memory.space == space;
    });
  };
  if (!isMemory(schedule.getAccumulator()))
    return kernel.emitOpError("accumulates in ")
           << schedule.getAccumulator() << ", which is no memory of its target";
  if (schedule.getCaches())
    for (CacheAttr cache : schedule.getCaches().getAsRange<CacheAttr>())
      if (!isMemory(cache.getMemory()))
        return kernel.emitOpError("stages argument ")
               << cache.getArg() << " in " << cache.getMemory()
               << ", which is no memory of its target";
  return success();
}

LogicalResult KernelOp::verify() {
  if (!isa<TargetAttrInterface>(getTarget()))
    return emitOpError("has ") << getTarget()
                               << " as its target, which is none: expected "
                                  "an attribute such as #te.host";
  if (Attribute schedule = getScheduleAttr();
      schedule && !isa<ScheduleAttr>(schedule))
    return emitOpError("has ")
           << schedule << " as its schedule, which is no #te.schedule";
  if (failed(verifyMemories(*this)))
    return failure();
  FunctionType type = getFunctionType();
  if (type.getNumResults() > type.getNumInputs())
    return emitOpError("has ")
           << type.getNumResults() << " results but only "
           << type.getNumInputs()
           << " arguments; the trailing arguments must be the initial values "
              "of the results";
  for (auto [result, init] : llvm::zip(
           type.getResults(), type.getInputs().take_back(type.getNumResults())))
    if (result != init)
      return emitOpError("result type ")
             << result << " differs from its initial value's type " << init;
  return success();
}

//===----------------------------------------------------------------------===//
// ReturnOp
//===----------------------------------------------------------------------===//

LogicalResult ReturnOp::verify() {
  auto kernel = cast<KernelOp>((*this)->getParentOp());
  if (getOperandTypes() != kernel.getResultTypes())
    return emitOpError("operand types must be the result types of the kernel, ")
           << kernel.getFunctionType();
  return success();
}

//===----------------------------------------------------------------------===//
// LaunchOp
//===----------------------------------------------------------------------===//

/// Kernels and their callers are bufferized one at a time, so a tensor may meet
/// a memref, in whatever memory space; the element type stays, and so do sizes
/// that both know.
static bool isSameBuffer(Type lhs, Type rhs) {
  auto lhsShaped = dyn_cast<ShapedType>(lhs);
  auto rhsShaped = dyn_cast<ShapedType>(rhs);
  if (!lhsShaped || !rhsShaped)
    return lhs == rhs;
  return lhsShaped.getElementType() == rhsShaped.getElementType() &&
         lhsShaped.hasRank() && rhsShaped.hasRank() &&
         succeeded(verifyCompatibleShape(lhsShaped, rhsShaped));
}

/// Checks the launch of what is a program already.
static LogicalResult verifyLaunch(LaunchOp launch, ProgramOp program) {
  if (launch.getNumResults() != 0)
    return launch.emitOpError("has results, but @")
           << launch.getKernel() << " is a program, which writes to buffers";
  if (!llvm::equal(launch.getOperandTypes(),
                   program.getBuffers().getAsValueRange<TypeAttr>(),
                   isSameBuffer))
    return launch.emitOpError("operand types must be those of the buffers of @")
           << launch.getKernel() << ", " << program.getBuffers();
  if (static_cast<int64_t>(launch.getInits().size()) != program.getWritten())
    return launch.emitOpError("has ")
           << launch.getInits().size() << " written buffers but @"
           << launch.getKernel() << " writes " << program.getWritten();
  return success();
}

bool LaunchOp::isElsewhere() {
  auto kernel =
      SymbolTable::lookupNearestSymbolFrom<KernelOp>(*this, getKernelAttr());
  return kernel && !kernel.isOnHost();
}

bool acc::te::isReadElsewhereOnly(Value value) {
  return llvm::all_of(value.getUsers(), [](Operation *user) {
    auto launch = dyn_cast<LaunchOp>(user);
    return launch && launch.isElsewhere();
  });
}

LogicalResult LaunchOp::verifySymbolUses(SymbolTableCollection &symbols) {
  if (auto program =
          symbols.lookupNearestSymbolFrom<ProgramOp>(*this, getKernelAttr()))
    return verifyLaunch(*this, program);
  auto kernel =
      symbols.lookupNearestSymbolFrom<KernelOp>(*this, getKernelAttr());
  if (!kernel)
    return emitOpError("refers to no te.kernel or te.program named @")
           << getKernel();
  if (!llvm::equal(getOperandTypes(), kernel.getArgumentTypes(), isSameBuffer))
    return emitOpError("operand types must be the argument types of @")
           << getKernel() << ", " << kernel.getFunctionType();
  auto outs = getInits().getTypes();
  for (auto [result, init] : llvm::zip(getResultTypes(), outs))
    if (result != init)
      return emitOpError("result type ")
             << result << " differs from its initial value's type " << init;
  size_t tensors = llvm::count_if(outs, llvm::IsaPred<TensorType>);
  if (getNumResults() != tensors)
    return emitOpError("has ") << getNumResults() << " results but " << tensors
                               << " initial values on tensors";
  if (!kernel.getResultTypes().empty() &&
      kernel.getResultTypes().size() != getInits().size())
    return emitOpError("has ")
           << getInits().size() << " initial values but @" << getKernel()
           << " has " << kernel.getResultTypes().size() << " results";
  return success();
}

//===----------------------------------------------------------------------===//
// BitcastOp
//===----------------------------------------------------------------------===//

Value BitcastOp::getViewSource() { return getSource(); }

LogicalResult BitcastOp::verify() {
  auto from = cast<ShapedType>(getSource().getType()),
       to = cast<ShapedType>(getType());
  auto bits = [](ShapedType type) {
    return type.getNumElements() * type.getElementTypeBitWidth();
  };
  if (isa<MemRefType>(from) != isa<MemRefType>(to))
    return emitOpError("makes a tensor of a memref, or a memref of a tensor");
  if (auto buffer = dyn_cast<MemRefType>(from); buffer && !isContiguous(buffer))
    return emitOpError("reads a buffer with gaps, ") << buffer;
  if (bits(from) != bits(to))
    return emitOpError("makes ")
           << bits(to) << " bits of " << bits(from) << " bits";
  return success();
}

OpFoldResult BitcastOp::fold(FoldAdaptor) {
  if (getSource().getType() == getType())
    return getSource();
  auto producer = getSource().getDefiningOp<BitcastOp>();
  if (!producer)
    return {};
  if (producer.getSource().getType() == getType())
    return producer.getSource();
  getSourceMutable().assign(producer.getSource());
  return getResult();
}

void LaunchOp::getEffects(
    SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>>
        &effects) {
  for (OpOperand &operand : (*this)->getOpOperands()) {
    if (!isa<BaseMemRefType>(operand.get().getType()))
      continue;
    effects.emplace_back(MemoryEffects::Read::get(), &operand);
    if (isDpsInit(&operand))
      effects.emplace_back(MemoryEffects::Write::get(), &operand);
  }
}

//===----------------------------------------------------------------------===//
// CacheReadOp, CacheWriteOp
//===----------------------------------------------------------------------===//

/// Checks what both transfers share: same rank, integers or the same element
/// type, and on tensors the target's type as result.
static LogicalResult verifyTransfer(Operation *op, ShapedType source,
                                    ShapedType target, Value result) {
  if (source.getRank() != target.getRank())
    return op->emitOpError("source and target have ranks ")
           << source.getRank() << " and " << target.getRank();
  if (isa<MemRefType>(source) != isa<MemRefType>(target))
    return op->emitOpError("source and target must both be tensors or memrefs");
  if (isa<MemRefType>(target) == static_cast<bool>(result))
    return op->emitOpError("must have a result on tensors and none on memrefs");
  if (result && result.getType() != target)
    return op->emitOpError("result type ")
           << result.getType() << " differs from the target's, " << target;
  return success();
}

/// Reads and writes of memref operands; tensors have none.
static void getTransferEffects(
    OpOperand &source, OpOperand &target,
    SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>>
        &effects) {
  if (!isa<MemRefType>(target.get().getType()))
    return;
  effects.emplace_back(MemoryEffects::Read::get(), &source);
  effects.emplace_back(MemoryEffects::Write::get(), &target);
}

void CacheReadOp::build(OpBuilder &builder, OperationState &state, Value source,
                        Value target, ArrayRef<OpFoldResult> low,
                        ArrayRef<OpFoldResult> high) {
  SmallVector<Value> dynamicLow, dynamicHigh;
  SmallVector<int64_t> staticLow, staticHigh;
  dispatchIndexOpFoldResults(low, dynamicLow, staticLow);
  dispatchIndexOpFoldResults(high, dynamicHigh, staticHigh);
  SmallVector<Type> results;
  if (isa<RankedTensorType>(target.getType()))
    results.push_back(target.getType());
  build(builder, state, results, source, target, dynamicLow, dynamicHigh,
        staticLow, staticHigh, /*slots=*/IntegerAttr());
}

SmallVector<OpFoldResult> CacheReadOp::getMixedLow() {
  return getMixedValues(getStaticLow(), getLow(), getContext());
}

SmallVector<OpFoldResult> CacheReadOp::getMixedHigh() {
  return getMixedValues(getStaticHigh(), getHigh(), getContext());
}

void CacheReadOp::getEffects(
    SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>>
        &effects) {
  getTransferEffects(getSourceMutable(), getTargetMutable(), effects);
}

LogicalResult CacheReadOp::verify() {
  auto source = cast<ShapedType>(getSource().getType());
  auto target = cast<ShapedType>(getTarget().getType());
  if (failed(verifyTransfer(*this, source, target, getResult())))
    return failure();
  Type from = source.getElementType(), to = target.getElementType();
  if (from != to &&
      !(from.isInteger() && to.isInteger() &&
        from.getIntOrFloatBitWidth() < to.getIntOrFloatBitWidth()))
    return emitOpError("cannot read ") << from << " as " << to;
  if (getSlots() && *getSlots() < 1)
    return emitOpError("needs at least one slot");
  auto rank = static_cast<size_t>(target.getRank());
  if (getStaticLow().size() != rank || getStaticHigh().size() != rank)
    return emitOpError("needs ") << rank << " low and high paddings";
  for (size_t dim = 0; dim < rank; ++dim) {
    int64_t low = getStaticLow()[dim], high = getStaticHigh()[dim];
    if ((!ShapedType::isDynamic(low) && low < 0) ||
        (!ShapedType::isDynamic(high) && high < 0))
      return emitOpError("padding of dimension ") << dim << " is negative";
    if (ShapedType::isDynamic(low) || ShapedType::isDynamic(high) ||
        source.isDynamicDim(dim) || target.isDynamicDim(dim))
      continue;
    if (low + source.getDimSize(dim) + high != target.getDimSize(dim))
      return emitOpError("dimension ")
             << dim << " of the target is " << target.getDimSize(dim)
             << ", not " << low << " + " << source.getDimSize(dim) << " + "
             << high;
  }
  return success();
}

void CacheWriteOp::getEffects(
    SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>>
        &effects) {
  getTransferEffects(getSourceMutable(), getTargetMutable(), effects);
}

LogicalResult CacheWriteOp::verify() {
  auto source = cast<ShapedType>(getSource().getType());
  auto target = cast<ShapedType>(getTarget().getType());
  if (failed(verifyTransfer(*this, source, target, getResult())))
    return failure();
  Type from = source.getElementType(), to = target.getElementType();
  if (from != to &&
      !(from.isInteger() && to.isInteger() &&
        from.getIntOrFloatBitWidth() > to.getIntOrFloatBitWidth()))
    return emitOpError("cannot write ") << from << " as " << to;
  if (failed(verifyCompatibleShape(source, target)))
    return emitOpError("source and target have different shapes, ")
           << source << " and " << target;
  return success();
}

//===----------------------------------------------------------------------===//
// CheckOp
//===----------------------------------------------------------------------===//

LogicalResult CheckOp::verify() {
  if (getMessage().size() != getNumbers().size() + 1)
    return emitOpError("has ")
           << getMessage().size() << " texts for " << getNumbers().size()
           << " numbers; one more is needed";
  return success();
}

LogicalResult CheckOp::canonicalize(CheckOp op, PatternRewriter &rewriter) {
  if (!matchPattern(op.getCondition(), m_One()))
    return failure();
  rewriter.eraseOp(op);
  return success();
}

//===----------------------------------------------------------------------===//
// IntrinOp
//===----------------------------------------------------------------------===//

linalg::LinalgOp IntrinOp::getDefinition() {
  return cast<linalg::LinalgOp>(getBody().front().back());
}

LogicalResult IntrinOp::verifyRegions() {
  Block &block = getBody().front();
  linalg::LinalgOp definition;
  for (Operation &op : block) {
    if (op.hasTrait<OpTrait::ConstantLike>())
      continue;
    if (definition || !isa<linalg::LinalgOp>(op))
      return emitOpError("body must be a single linalg operation");
    definition = cast<linalg::LinalgOp>(op);
  }
  if (!definition || &block.back() != definition.getOperation())
    return emitOpError("body must be a single linalg operation");
  if (!definition.hasPureBufferSemantics())
    return emitOpError("must be defined on memrefs");
  for (BlockArgument argument : block.getArguments()) {
    auto type = dyn_cast<MemRefType>(argument.getType());
    if (!type && !argument.getType().isIntOrFloat())
      return emitOpError("argument #")
             << argument.getArgNumber()
             << " must be a memref or a scalar immediate, got "
             << argument.getType();
    if (type && !type.hasStaticShape())
      return emitOpError("argument #")
             << argument.getArgNumber() << " must have a static shape";
  }
  return success();
}

//===----------------------------------------------------------------------===//
// IssueOp
//===----------------------------------------------------------------------===//

void IssueOp::build(OpBuilder &builder, OperationState &state,
                    StringRef intrinsic, ValueRange inputs, ValueRange outputs,
                    ArrayRef<OpFoldResult> bounds, ArrayRef<AffineMap> maps,
                    std::optional<int64_t> immediate) {
  SmallVector<Value> dynamic;
  SmallVector<int64_t> sizes;
  dispatchIndexOpFoldResults(bounds, dynamic, sizes);
  build(builder, state, TypeRange(),
        FlatSymbolRefAttr::get(builder.getContext(), intrinsic), inputs,
        outputs, dynamic, builder.getDenseI64ArrayAttr(sizes),
        builder.getAffineMapArrayAttr(maps),
        immediate ? builder.getI64IntegerAttr(*immediate) : IntegerAttr());
}

void IssueOp::getEffects(
    SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>>
        &effects) {
  for (OpOperand &input : getInputsMutable())
    effects.emplace_back(MemoryEffects::Read::get(), &input);
  for (OpOperand &output : getOutputsMutable()) {
    effects.emplace_back(MemoryEffects::Read::get(), &output);
    effects.emplace_back(MemoryEffects::Write::get(), &output);
  }
}

LogicalResult IssueOp::verifySymbolUses(SymbolTableCollection &symbols) {
  if (!symbols.lookupNearestSymbolFrom<IntrinOp>(*this, getIntrinsicAttr()))
    return emitOpError("refers to no te.intrin named @") << getIntrinsic();
  return success();
}

LogicalResult IssueOp::verify() {
  size_t operands = getInputs().size() + getOutputs().size();
  if (getMaps().size() != operands)
    return emitOpError("has ")
           << operands << " operands but " << getMaps().size() << " maps";
  for (AffineMap map : getMaps().getAsValueRange<AffineMapAttr>())
    if (map.getNumDims() != getStaticBounds().size())
      return emitOpError("has ")
             << getStaticBounds().size() << " bounds but the map "
             << AffineMapAttr::get(map);
  return success();
}

//===----------------------------------------------------------------------===//
// ProgramOp
//===----------------------------------------------------------------------===//

LogicalResult ProgramOp::verify() {
  auto target = dyn_cast<TargetAttrInterface>(getTarget());
  if (!target)
    return emitOpError("has ") << getTarget()
                               << " as its target, which is none: expected an "
                                  "attribute such as #te.target<...>";
  if (target.isHost())
    return emitOpError("is for the host, which runs native code");
  for (Type type : getBuffers().getAsValueRange<TypeAttr>())
    if (auto buffer = dyn_cast<MemRefType>(type);
        !buffer || !buffer.hasStaticShape())
      return emitOpError("has ")
             << type << " among its buffers: expected memrefs of known sizes";
  int64_t count = getBuffers().size();
  if (getWritten() < 0 || getWritten() > count)
    return emitOpError("writes ")
           << getWritten() << " of its " << count << " buffers";
  return success();
}
