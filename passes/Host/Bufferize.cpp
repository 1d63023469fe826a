//===- Bufferize.cpp - main and native kernels on buffers -----------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/CPU/CPUDialect.h"
#include "dialects/Graph/Constants.h"
#include "dialects/TE/TEDialect.h"
#include "passes/Host/Passes.h"

#include "mlir/Dialect/Bufferization/Transforms/OneShotAnalysis.h"
#include "mlir/Dialect/Bufferization/Transforms/Transforms.h"

using namespace mlir;
using namespace mlir::bufferization;

namespace acc::host {
#define GEN_PASS_DEF_HOSTBUFFERIZE
#include "passes/Host/Passes.h.inc"
} // namespace acc::host

using namespace acc;

/// Elements of less than a byte without gaps, the first in the lowest bits.
/// Natively compiled code has a byte for each, other processors do not.
static ElementsAttr closeGaps(ElementsAttr elements) {
  unsigned width = elements.getElementType().getIntOrFloatBitWidth();
  std::optional<ArrayRef<char>> bytes = graph::getRawElements(elements);
  if (!bytes)
    return elements;
  int64_t count = elements.getNumElements(), perByte = 8 / width;
  auto type = RankedTensorType::get(llvm::divideCeil(count, perByte),
                                    IntegerType::get(elements.getContext(), 8));
  return graph::makeElements(type, [&](MutableArrayRef<char> target) {
    llvm::fill(target, 0);
    for (int64_t i = 0; i < count; ++i) {
      char element = (*bytes)[elements.isSplat() ? 0 : i];
      target[i / perByte] |= (element & ((1 << width) - 1))
                             << (i % perByte * width);
    }
  });
}

/// Constant tensors become arguments, so that their data stays out of the code.
static void constantsToArguments(func::FuncOp function) {
  SmallVector<Operation *> constants;
  function.walk([&](Operation *op) {
    if (op->hasTrait<OpTrait::ConstantLike>() && op->getNumResults() == 1 &&
        isa<RankedTensorType>(op->getResult(0).getType()))
      constants.push_back(op);
  });
  DenseMap<Attribute, Value> known;
  for (Operation *op : constants) {
    auto data = op->getAttrOfType<ElementsAttr>("value");
    if (!data)
      continue;
    if (op->use_empty()) {
      op->erase();
      continue;
    }
    Type element = data.getElementType();
    if (element.isInteger() && element.getIntOrFloatBitWidth() < 8 &&
        te::isReadElsewhereOnly(op->getResult(0)))
      data = closeGaps(data);
    Value &argument = known[data];
    if (!argument || argument.getType() != op->getResult(0).getType()) {
      unsigned position = function.getNumArguments();
      auto attributes = DictionaryAttr::get(
          op->getContext(),
          NamedAttribute(
              StringAttr::get(op->getContext(), cpu::CPUDialect::kConstant),
              data));
      (void)function.insertArgument(position, op->getResult(0).getType(),
                                    attributes, op->getLoc());
      argument = function.getArgument(position);
    }
    op->getResult(0).replaceAllUsesWith(argument);
    op->erase();
  }
}

static MemRefType bufferType(Type type) {
  auto tensor = cast<RankedTensorType>(type);
  return MemRefType::get(tensor.getShape(), tensor.getElementType());
}

/// Makes every tensor argument a buffer, of which those from `firstWritable`
/// may be written.
static void argumentsToBuffers(FunctionOpInterface function,
                               unsigned firstWritable) {
  Block &entry = function.getFunctionBody().front();
  OpBuilder builder = OpBuilder::atBlockBegin(&entry);
  for (BlockArgument argument : entry.getArguments()) {
    if (!isa<RankedTensorType>(argument.getType()))
      continue;
    Type tensor = argument.getType();
    argument.setType(bufferType(tensor));
    auto value = ToTensorOp::create(
        builder, argument.getLoc(), tensor, argument, /*restrict=*/true,
        /*writable=*/argument.getArgNumber() >= firstWritable);
    argument.replaceAllUsesExcept(value, value);
  }
}

static void storeResult(OpBuilder &builder, Value value, Value buffer) {
  MaterializeInDestinationOp::create(builder, value.getLoc(), TypeRange(),
                                     value, buffer, /*restrict=*/true,
                                     /*writable=*/true);
}

/// The tensors that are inserted one after the other to make up `value`, in
/// order, if there are many and nothing else looks at it before it is complete.
/// The analysis of bufferization compares all of them with one another, and
/// each time walks through the chain.
static SmallVector<tensor::InsertSliceOp> findParts(Value value,
                                                    Value destination) {
  constexpr size_t many = 8;
  SmallVector<tensor::InsertSliceOp> parts;
  Value whole = value;
  if (!value.use_empty())
    return {};
  while (auto insert = whole.getDefiningOp<tensor::InsertSliceOp>()) {
    if (!whole.use_empty() && !whole.hasOneUse())
      return {};
    parts.push_back(insert);
    whole = insert.getDest();
  }
  auto old = whole.getDefiningOp<ToTensorOp>();
  bool isDestination = old && old.getBuffer() == destination;
  if (parts.size() < many ||
      !(whole.getDefiningOp<tensor::EmptyOp>() || isDestination))
    return {};
  std::reverse(parts.begin(), parts.end());
  return parts;
}

/// Stores a result that is made up of many parts as these parts, each in its
/// part of the buffer.
static void storeInParts(OpBuilder &builder, Value value, Value buffer) {
  SmallVector<tensor::InsertSliceOp> parts = findParts(value, buffer);
  if (parts.empty())
    return storeResult(builder, value, buffer);
  for (tensor::InsertSliceOp part : parts) {
    auto type = memref::SubViewOp::inferRankReducedResultType(
        part.getSourceType().getShape(), cast<MemRefType>(buffer.getType()),
        part.getMixedOffsets(), part.getMixedSizes(), part.getMixedStrides());
    Value view = memref::SubViewOp::create(
        builder, part.getLoc(), type, buffer, part.getMixedOffsets(),
        part.getMixedSizes(), part.getMixedStrides());
    storeResult(builder, part.getSource(), view);
  }
  for (tensor::InsertSliceOp part : llvm::reverse(parts))
    part.erase();
}

/// Takes results as trailing arguments, but for those whose size is found out
/// on the way: they stay results.
static LogicalResult prepareMain(func::FuncOp function) {
  if (!function.getBody().hasOneBlock())
    return function.emitError("must be one block to be bufferized");
  constantsToArguments(function);
  argumentsToBuffers(function, function.getNumArguments());
  auto terminator =
      cast<func::ReturnOp>(function.getBody().front().getTerminator());
  OpBuilder builder(terminator);
  SmallVector<Value> results(terminator.getOperands()), returned;
  SmallVector<DictionaryAttr> returnedAttrs;
  for (auto [index, value] : llvm::enumerate(results)) {
    auto type = dyn_cast<RankedTensorType>(value.getType());
    if (!type)
      return function.emitError("returns a value that is not a tensor");
    NamedAttrList named(function.getResultAttrDict(index));
    named.set(cpu::CPUDialect::kOutput, builder.getI64IntegerAttr(index));
    DictionaryAttr attributes = named.getDictionary(function.getContext());
    if (!type.hasStaticShape()) {
      returned.push_back(ToBufferOp::create(builder, value.getLoc(),
                                            bufferType(type), value,
                                            /*read_only=*/true));
      returnedAttrs.push_back(attributes);
      continue;
    }
    unsigned position = function.getNumArguments();
    (void)function.insertArgument(position, bufferType(type), attributes,
                                  value.getLoc());
    storeResult(builder, value, function.getArgument(position));
  }
  terminator.getOperandsMutable().assign(returned);
  function.setType(FunctionType::get(
      function.getContext(), function.getBody().front().getArgumentTypes(),
      ValueRange(returned).getTypes()));
  function.setAllResultAttrs(returnedAttrs);
  return success();
}

static void prepareKernel(te::KernelOp kernel) {
  argumentsToBuffers(cast<FunctionOpInterface>(kernel.getOperation()),
                     kernel.getNumInputs());
  Block &entry = kernel.getBody().front();
  auto terminator = cast<te::ReturnOp>(entry.getTerminator());
  OpBuilder builder(terminator);
  size_t firstInit = entry.getNumArguments() - terminator.getNumOperands();
  SmallVector<Value> results(terminator.getOperands());
  for (auto [index, value] : llvm::enumerate(results)) {
    Value buffer = entry.getArgument(firstInit + index);
    if (llvm::count(results, value) == 1) {
      // Nothing but its store uses the result from here on.
      terminator->setOperand(index, buffer);
      storeInParts(builder, value, buffer);
    } else {
      storeResult(builder, value, buffer);
    }
  }
  terminator->setOperands({});
  kernel.setFunctionType(
      FunctionType::get(kernel.getContext(), entry.getArgumentTypes(), {}));
  kernel.removeResAttrsAttr();
}

/// Lets parts of a larger tensor be computed where they will be. Not so what is
/// stored for the next turn of a loop, or by one of two branches: until then
/// others may read what is there.
static LogicalResult computeInPlace(IRRewriter &rewriter, Operation *op) {
  OneShotBufferizationOptions options;
  options.allowReturnAllocsFromLoops = true;
  OneShotAnalysisState state(op, options);
  if (failed(analyzeOp(op, state)))
    return failure();
  auto extract = [](RewriterBase &rewriter,
                    SubsetInsertionOpInterface insertion, tensor::EmptyOp empty,
                    Operation *user) -> Value {
    auto store = dyn_cast<MaterializeInDestinationOp>(*insertion);
    if (store && isa<TensorType>(store.getDest().getType()))
      return {};
    return buildSubsetExtraction(rewriter, insertion, empty, user);
  };
  return eliminateEmptyTensors(rewriter, op, state, extract);
}

namespace {

struct BufferizePass : host::impl::HostBufferizeBase<BufferizePass> {
  using HostBufferizeBase::HostBufferizeBase;

  LogicalResult bufferize(Operation *op) {
    IRRewriter rewriter(op->getContext());
    if (failed(computeInPlace(rewriter, op)))
      return failure();
    OneShotBufferizationOptions options;
    options.bufferAlignment = alignment;
    options.setFunctionBoundaryTypeConversion(
        LayoutMapOption::IdentityLayoutMap);
    BufferizationState state;
    return runOneShotBufferize(op, options, state);
  }

  void runOnOperation() override {
    SmallVector<Operation *> functions;
    for (auto kernel : getOperation().getOps<te::KernelOp>())
      if (kernel.isOnHost() && kernel.getFunctionType().getNumResults()) {
        prepareKernel(kernel);
        functions.push_back(kernel);
      }
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (!function.isDeclaration() &&
          llvm::any_of(function.getResultTypes(),
                       llvm::IsaPred<RankedTensorType>)) {
        if (failed(prepareMain(function)))
          return signalPassFailure();
        functions.push_back(function);
      }
    for (Operation *op : functions)
      if (failed(bufferize(op)))
        return signalPassFailure();
  }
};

} // namespace
