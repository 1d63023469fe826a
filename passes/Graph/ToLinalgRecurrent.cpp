//===- ToLinalgRecurrent.cpp - Recurrent networks to linalg ---------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The products with the weights are one contraction for all steps; a loop over
// the steps adds the products with the state. Weights are transposed first, so
// that results are contiguous along the axis that is computed in vectors.
//
//===----------------------------------------------------------------------===//

#include "dialects/Graph/GraphRecurrent.h"
#include "passes/Graph/RecurrentCell.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace acc::graph;

namespace {

using Sizes = SmallVector<OpFoldResult>;

template <typename Op>
constexpr int64_t numGates = std::is_same_v<Op, RnnOp>   ? 1
                             : std::is_same_v<Op, GruOp> ? 3
                                                         : 4;

Value convertElements(ImplicitLocOpBuilder &b, Value value, Type element) {
  if (typeOf(value).getElementType() == element)
    return value;
  AffineMap map = b.getMultiDimIdentityMap(typeOf(value).getRank());
  return createMap(b, value, element, {{value, map}},
                   [&](ImplicitLocOpBuilder &inner, ValueRange x) {
                     return convertFloat(inner, x[0], element);
                   });
}

template <typename Op>
SmallVector<Value> createNext(RecurrentCell &cell, Op op, Value gatesX,
                              ValueRange states) {
  if constexpr (std::is_same_v<Op, RnnOp>)
    return {cell.createRnn(gatesX, states[0])};
  else if constexpr (std::is_same_v<Op, GruOp>)
    return {cell.createGru(gatesX, states[0], op.getLinearBeforeReset())};
  else
    return cell.createLstm(gatesX, states[0], states[1], op.getInputForget());
}

/// Where a sequence has ended: the states before, and zeros as the result of
/// the step, which is appended.
void endSequences(RecurrentCell &cell, Value lengths, Value step,
                  ValueRange before, SmallVectorImpl<Value> &states) {
  ImplicitLocOpBuilder &b = cell.b;
  Type integer = typeOf(lengths).getElementType(), compute = cell.compute;
  Value position = arith::IndexCastOp::create(b, integer, step);
  AffineMap row = AffineMap::get(2, 0, b.getAffineDimExpr(0));
  auto select = [&](Value value, Value otherwise) {
    SmallVector<Indexed> operands{{lengths, row}, {value, cell.whole()}};
    if (otherwise)
      operands.push_back({otherwise, cell.whole()});
    return createMap(
        b, value, compute, operands,
        [&](ImplicitLocOpBuilder &inner, ValueRange x) -> Value {
          Value isActive = arith::CmpIOp::create(
              inner, arith::CmpIPredicate::slt, position, x[0]);
          Value rest = otherwise ? x[2] : createNumber(inner, compute, 0);
          return arith::SelectOp::create(inner, isActive, x[1], rest);
        });
  };
  Value result = select(states[0], {});
  for (auto [state, old] : llvm::zip(states, before))
    state = select(state, old);
  states.push_back(result);
}

/// Writes the results of one direction to `result`, which is returned with the
/// last states.
template <typename Op>
SmallVector<Value> createDirection(ImplicitLocOpBuilder &b, Op op,
                                   typename Op::Adaptor adaptor, int64_t index,
                                   Value result) {
  Sizes sizes = tensor::getMixedSizes(b, b.getLoc(), adaptor.getInput());
  Value steps = getValueOrCreateConstantIndexOp(b, b.getLoc(), sizes[0]);
  Type element = typeOf(adaptor.getInput()).getElementType();
  RecurrentCell cell{b,
                     index,
                     numGates<Op>,
                     typeOf(adaptor.getRecurrence()).getDimSize(2),
                     element,
                     getComputeType(element),
                     sizes[1],
                     adaptor.getBias(),
                     {},
                     op.getActivations(),
                     op.getActivationAlpha(),
                     op.getActivationBeta(),
                     op.getClip().convertToDouble()};
  SmallVector<Value> carried{cell.createInitialState(adaptor.getInitialH())};
  if constexpr (numGates<Op> == 4) {
    cell.peepholes = adaptor.getPeepholes();
    carried.push_back(cell.createInitialState(adaptor.getInitialC()));
  }
  Value gatesX =
      cell.contract(adaptor.getInput(), cell.transpose(adaptor.getWeight()),
                    cell.createInit({sizes[0], sizes[1]}, 0, 0, cell.gates));
  cell.recurrence = cell.transpose(adaptor.getRecurrence());
  size_t numStates = carried.size();
  carried.push_back(result);
  Value zero = arith::ConstantIndexOp::create(b, 0),
        one = arith::ConstantIndexOp::create(b, 1);
  auto loop = scf::ForOp::create(b, zero, steps, one, carried);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToEnd(loop.getBody());
  Value step = loop.getInductionVar();
  if (index == 1 || op.getDirection() == "reverse")
    step = arith::SubIOp::create(b, arith::SubIOp::create(b, steps, one), step);
  ValueRange args = loop.getRegionIterArgs();
  OpFoldResult first = cell.at(0), single = cell.at(1);
  Value now = cell.createSlice(
      gatesX, {step, first, first},
      {single, cell.batch, cell.at(cell.gates * cell.hidden)}, 1);
  SmallVector<Value> next =
      createNext(cell, op, now, args.take_front(numStates));
  if (Value lengths = adaptor.getSequenceLens())
    endSequences(cell, lengths, step, args, next);
  else
    next.push_back(next.front());
  next.back() = tensor::InsertSliceOp::create(
      b, convertElements(b, next.back(), element), args.back(),
      Sizes{step, cell.at(index), first, first},
      Sizes{single, single, cell.batch, cell.at(cell.hidden)},
      Sizes(4, single));
  for (size_t i = 0; i < numStates; ++i)
    next[i] = keepInPlace(b, next[i], args[i]);
  scf::YieldOp::create(b, next);
  SmallVector<Value> results{loop.getResults().back()};
  llvm::append_range(results, loop.getResults().drop_back());
  return results;
}

template <typename Op> class RecurrentPattern : public OpConversionPattern<Op> {
  using OpConversionPattern<Op>::OpConversionPattern;

  LogicalResult
  matchAndRewrite(Op op, typename Op::Adaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    Sizes sizes = tensor::getMixedSizes(b, b.getLoc(), adaptor.getInput());
    int64_t directions = op.getDirection() == "bidirectional" ? 2 : 1,
            hidden = typeOf(adaptor.getRecurrence()).getDimSize(2);
    Type element = typeOf(adaptor.getInput()).getElementType();
    Sizes state{b.getIndexAttr(directions), sizes[1], b.getIndexAttr(hidden)};
    Sizes whole{sizes[0]};
    llvm::append_range(whole, state);
    SmallVector<Value> results{tensor::EmptyOp::create(b, whole, element)};
    for (unsigned i = 1; i < op->getNumResults(); ++i)
      results.push_back(tensor::EmptyOp::create(b, state, element));
    state[0] = b.getIndexAttr(1);
    for (int64_t index = 0; index < directions; ++index) {
      SmallVector<Value> own =
          createDirection(b, op, adaptor, index, results[0]);
      results[0] = own[0];
      Sizes offsets{b.getIndexAttr(index), b.getIndexAttr(0),
                    b.getIndexAttr(0)};
      for (size_t i = 1; i < own.size(); ++i)
        results[i] = tensor::InsertSliceOp::create(
            b, convertElements(b, own[i], element), results[i], offsets, state,
            Sizes(3, b.getIndexAttr(1)));
    }
    rewriter.replaceOp(op, results);
    return success();
  }
};

} // namespace

void acc::graph::populateRecurrentToLinalg(const TypeConverter &converter,
                                           RewritePatternSet &patterns) {
  patterns.add<RecurrentPattern<RnnOp>, RecurrentPattern<GruOp>,
               RecurrentPattern<LstmOp>>(converter, patterns.getContext());
}
