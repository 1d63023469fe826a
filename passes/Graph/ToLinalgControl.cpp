//===- ToLinalgControl.cpp - Loops and branches to scf --------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// While operators are converted, graph.loop and graph.if only get other types.
// They become scf afterwards, when it shows which of the tensors that a turn
// hands on are memory of their own.
//
//===----------------------------------------------------------------------===//

#include "passes/Graph/ToLinalgControl.h"
#include "dialects/Graph/GraphControl.h"
#include "passes/Graph/LoopNests.h"
#include "passes/Graph/ToLinalgFold.h"

#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Transforms/LoopInvariantCodeMotionUtils.h"

using namespace mlir;
using namespace acc::graph;

namespace {

/// Rebuilds an operator, and its regions, with converted types.
template <typename Op> class ControlPattern : public OpConversionPattern<Op> {
  using OpConversionPattern<Op>::OpConversionPattern;

  LogicalResult
  matchAndRewrite(Op op, typename Op::Adaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    OperationState state(op.getLoc(), op->getName());
    state.addOperands(adaptor.getOperands());
    state.addAttributes(op->getAttrs());
    if (failed(this->getTypeConverter()->convertTypes(op->getResultTypes(),
                                                      state.types)))
      return failure();
    for (unsigned i = 0; i < op->getNumRegions(); ++i)
      state.addRegion();
    Operation *copy = rewriter.create(state);
    for (auto [from, to] : llvm::zip(op->getRegions(), copy->getRegions())) {
      rewriter.inlineRegionBefore(from, to, to.end());
      if (failed(rewriter.convertRegionTypes(&to, *this->getTypeConverter())))
        return failure();
    }
    rewriter.replaceOp(op, copy->getResults());
    return success();
  }
};

/// Moves what the block of a region does to where `b` is, for these arguments.
/// Returns what it yields.
SmallVector<Value> inlineBlock(ImplicitLocOpBuilder &b, Region &region,
                               ValueRange arguments) {
  Block &block = region.front();
  for (auto [argument, value] : llvm::zip(block.getArguments(), arguments))
    argument.replaceAllUsesWith(value);
  Operation *yield = block.getTerminator();
  SmallVector<Value> results(yield->getOperands());
  b.getInsertionBlock()->getOperations().splice(
      b.getInsertionPoint(), block.getOperations(), block.begin(),
      yield->getIterator());
  return results;
}

Value createCopy(ImplicitLocOpBuilder &b, Value value) {
  Value empty = createEmptyLike(b, value, typeOf(value).getElementType());
  return linalg::CopyOp::create(b, value, empty).getResult(0);
}

/// Stores a tensor in the memory of another one. As no operation of linalg, it
/// is not moved across reshapes, behind which bufferization loses sight of it.
Value storeInto(ImplicitLocOpBuilder &b, Value value, Value destination) {
  return bufferization::MaterializeInDestinationOp::create(b, value.getType(),
                                                           value, destination)
      .getResult();
}

/// Whether a tensor is certainly computed into memory of its own, and so stays
/// what it is when the states of a loop are overwritten.
bool hasOwnMemory(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    if (isa<tensor::EmptyOp, tensor::FromElementsOp, tensor::PadOp,
            tensor::GenerateOp>(op))
      return true;
    if (auto styled = dyn_cast<DestinationStyleOpInterface>(op))
      value = styled.getTiedOpOperand(cast<OpResult>(value))->get();
    else if (auto insert = dyn_cast<tensor::InsertSliceOp>(op))
      value = insert.getDest();
    else if (auto write = dyn_cast<tensor::InsertOp>(op))
      value = write.getDest();
    else if (auto loop = dyn_cast<scf::ForOp>(op))
      value = loop.getTiedLoopInit(cast<OpResult>(value))->get();
    else
      return false;
  }
  return false;
}

/// Moves what does not change from turn to turn in front of a loop; but not
/// what sums start from, which later passes look for beside them.
void hoistInvariants(LoopLikeOpInterface loop) {
  moveLoopInvariantCode(loop);
  SmallVector<OpOperand *> starts;
  for (Region *region : loop.getLoopRegions())
    region->walk([&](Operation *op) {
      for (OpOperand &operand : op->getOpOperands())
        if (auto fill = operand.get().getDefiningOp<linalg::FillOp>();
            fill && !loop->isAncestor(fill))
          starts.push_back(&operand);
    });
  for (OpOperand *operand : starts) {
    auto fill = operand->get().getDefiningOp<linalg::FillOp>();
    OpBuilder builder(operand->getOwner());
    IRMapping mapping;
    if (auto empty = fill.getOutputs().front().getDefiningOp<tensor::EmptyOp>())
      builder.clone(*empty, mapping);
    operand->set(builder.clone(*fill, mapping)->getResult(0));
    if (fill->use_empty())
      fill->erase();
  }
}

class LoopLowering {
public:
  explicit LoopLowering(LoopOp op)
      : op(op), b(op.getLoc(), op), i(b), numStates(op.getStates().size()),
        results(op.getStates()) {
    if (Value count = op.getCount())
      limit = i.readIndex(count, {});
    for (size_t index = 0; index < numStates; ++index)
      if (isCarried(index)) {
        carried.push_back(index);
        inits.push_back(op.getStates()[index]);
      }
    ValueRange open = op.getSizes();
    for (Value slices : op.getValues().drop_front(numStates)) {
      RankedTensorType type = typeOf(slices);
      Value room = op.getCapacity();
      SmallVector<Value> sizes;
      if (type.isDynamicDim(0))
        sizes.push_back(room);
      else
        room = i.constant(type.getDimSize(0));
      size_t numOpen = type.getNumDynamicDims() - sizes.size();
      llvm::append_range(sizes, open.take_front(numOpen));
      open = open.drop_front(numOpen);
      // Whatever the count is, nothing is written beyond the end.
      limit = limit ? i.min(limit, room) : room;
      inits.push_back(tensor::EmptyOp::create(b, type.getShape(),
                                              type.getElementType(), sizes));
    }
  }

  void run() {
    Value turns = op.getCondition() ? createWhile() : createFor();
    ResultRange made = loop->getResults();
    for (auto [index, value] : llvm::zip(carried, made))
      results[index] = value;
    size_t numSlices = inits.size() - carried.size();
    llvm::append_range(results, made.slice(carried.size(), numSlices));
    results.insert(results.begin(), createScalar(b, turns));
    op->replaceAllUsesWith(results);
    op->erase();
    hoistInvariants(loop);
  }

private:
  /// Whether a state changes from turn to turn, and anybody looks at it. Others
  /// would be dropped later, and the rest of what scf.while carries on change
  /// places, which bufferization does not expect.
  bool isCarried(size_t index) {
    Block &body = op.getBody().front();
    Value before = body.getArgument(1 + index);
    Value after =
        body.getTerminator()->getOperand(index + (op.getCondition() ? 1 : 0));
    return before != after &&
           !(before.use_empty() && op.getValues()[index].use_empty());
  }

  static Value createScalar(ImplicitLocOpBuilder &b, Value index) {
    Value number = arith::IndexCastOp::create(b, b.getI64Type(), index);
    return tensor::FromElementsOp::create(
        b, RankedTensorType::get({}, b.getI64Type()), number);
  }

  /// A turn: what is carried on, and behind it the condition if there is one.
  SmallVector<Value> createTurn(ImplicitLocOpBuilder &inner, Value number,
                                ValueRange before) {
    SmallVector<Value> arguments{createScalar(inner, number)};
    llvm::append_range(arguments, op.getStates());
    for (auto [index, value] : llvm::zip(carried, before))
      arguments[1 + index] = value;
    llvm::append_range(arguments, op.getCaptures());
    SmallVector<Value> yielded = inlineBlock(inner, op.getBody(), arguments);
    ArrayRef<Value> values(yielded);
    if (op.getCondition())
      values = values.drop_front();
    // States are overwritten after all that a turn reads was read.
    SmallVector<Value> next;
    for (size_t index : carried)
      next.push_back(hasOwnMemory(values[index])
                         ? values[index]
                         : createCopy(inner, values[index]));
    SmallVector<Value> slices;
    for (auto [slice, all] : llvm::zip(values.drop_front(numStates),
                                       before.drop_front(carried.size())))
      slices.push_back(insertSlice(inner, slice, all, number));
    for (auto [state, old] : llvm::zip(next, before))
      state = storeInto(inner, state, old);
    llvm::append_range(next, slices);
    if (op.getCondition())
      next.push_back(tensor::ExtractOp::create(inner, yielded.front()));
    return next;
  }

  static Value insertSlice(ImplicitLocOpBuilder &inner, Value slice, Value all,
                           Value number) {
    int64_t rank = typeOf(all).getRank();
    SmallVector<OpFoldResult> offsets(rank, inner.getIndexAttr(0)),
        sizes{inner.getIndexAttr(1)}, strides(rank, inner.getIndexAttr(1));
    offsets[0] = number;
    llvm::append_range(sizes,
                       tensor::getMixedSizes(inner, inner.getLoc(), slice));
    return tensor::InsertSliceOp::create(inner, slice, all, offsets, sizes,
                                         strides);
  }

  Value createFor() {
    loop = scf::ForOp::create(
        b, i.constant(0), limit, i.constant(1), inits,
        [&](OpBuilder &nested, Location loc, Value number, ValueRange before) {
          ImplicitLocOpBuilder inner(loc, nested);
          scf::YieldOp::create(inner, createTurn(inner, number, before));
        });
    return i.max(limit, i.constant(0));
  }

  /// Tensors come first: when unused numbers are dropped they stay in place.
  Value createWhile() {
    SmallVector<Value> start(inits);
    start.push_back(tensor::ExtractOp::create(b, op.getCondition()));
    start.push_back(i.constant(0));
    size_t numTensors = inits.size();
    auto made = scf::WhileOp::create(
        b, ValueRange(start).getTypes(), start,
        [&](OpBuilder &nested, Location loc, ValueRange values) {
          ImplicitLocOpBuilder inner(loc, nested);
          Indices indices(inner);
          Value goesOn = values[numTensors];
          if (limit)
            goesOn = indices.both(indices.less(values.back(), limit), goesOn);
          scf::ConditionOp::create(inner, goesOn, values);
        },
        [&](OpBuilder &nested, Location loc, ValueRange values) {
          ImplicitLocOpBuilder inner(loc, nested);
          Indices indices(inner);
          SmallVector<Value> next =
              createTurn(inner, values.back(), values.take_front(numTensors));
          next.push_back(indices.add(values.back(), indices.constant(1)));
          scf::YieldOp::create(inner, next);
        });
    loop = made;
    return made.getResults().back();
  }

  LoopOp op;
  ImplicitLocOpBuilder b;
  Indices i;
  size_t numStates;
  /// The states that are carried from turn to turn, by their numbers.
  SmallVector<size_t> carried;
  /// What the first turn starts from: these states, and room for slices.
  SmallVector<Value> inits;
  /// How many turns there are at most; null if only the condition ends them.
  Value limit;
  SmallVector<Value> results;
  LoopLikeOpInterface loop;
};

void lowerIf(IfOp op) {
  ImplicitLocOpBuilder b(op.getLoc(), op);
  ValueRange sizes = op.getSizes();
  SmallVector<Value> destinations;
  for (Value result : op.getValues()) {
    RankedTensorType type = typeOf(result);
    unsigned open = type.getNumDynamicDims();
    destinations.push_back(tensor::EmptyOp::create(
        b, type.getShape(), type.getElementType(), sizes.take_front(open)));
    sizes = sizes.drop_front(open);
  }
  auto branch = [&](Region &region) {
    return [&](OpBuilder &nested, Location loc) {
      ImplicitLocOpBuilder inner(loc, nested);
      SmallVector<Value> values = inlineBlock(inner, region, op.getCaptures());
      // Both branches leave their results in the same memory.
      for (auto [value, destination] : llvm::zip(values, destinations))
        value = storeInto(inner, value, destination);
      scf::YieldOp::create(inner, values);
    };
  };
  Value condition = tensor::ExtractOp::create(b, op.getCondition());
  auto made = scf::IfOp::create(b, condition, branch(op.getTaken()),
                                branch(op.getOtherwise()));
  op->replaceAllUsesWith(made);
  op->erase();
}

} // namespace

void acc::graph::populateControlToLinalg(const TypeConverter &converter,
                                         RewritePatternSet &patterns) {
  patterns.add<ControlPattern<LoopOp>, ControlPattern<IfOp>,
               ControlPattern<YieldOp>>(converter, patterns.getContext());
}

void acc::graph::lowerControl(Operation *root) {
  root->walk([](Operation *op) {
    if (auto loop = dyn_cast<LoopOp>(op))
      LoopLowering(loop).run();
    else if (auto branch = dyn_cast<IfOp>(op))
      lowerIf(branch);
  });
}
