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
#include "passes/Graph/ToLinalgActivation.h"
#include "passes/Graph/ToLinalgFold.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace acc::graph;

namespace {

using Sizes = SmallVector<OpFoldResult>;

RankedTensorType typeOf(Value value) {
  return cast<RankedTensorType>(value.getType());
}

/// The part of `value` at `offsets`, without the first `drop` axes, which have
/// size 1.
Value createSlice(ImplicitLocOpBuilder &b, Value value, const Sizes &offsets,
                  const Sizes &sizes, int64_t drop) {
  SmallVector<int64_t> shape =
      decomposeMixedValues(ArrayRef(sizes).drop_front(drop)).first;
  return tensor::ExtractSliceOp::create(b, typeOf(value).clone(shape), value,
                                        offsets, sizes,
                                        Sizes(sizes.size(), b.getIndexAttr(1)));
}

/// One direction of a network; `b` is where code is appended.
template <typename Op> class Direction {
public:
  static constexpr int64_t gates = std::is_same_v<Op, RnnOp>   ? 1
                                   : std::is_same_v<Op, GruOp> ? 3
                                                               : 4;

  Direction(Op op, typename Op::Adaptor adaptor, int64_t index,
            ImplicitLocOpBuilder &b)
      : op(op), adaptor(adaptor), index(index), b(b),
        element(typeOf(adaptor.getInput()).getElementType()),
        compute(getComputeType(element)),
        hidden(typeOf(adaptor.getRecurrence()).getDimSize(2)) {
    Sizes sizes = tensor::getMixedSizes(b, b.getLoc(), adaptor.getInput());
    steps = getValueOrCreateConstantIndexOp(b, b.getLoc(), sizes[0]);
    batch = sizes[1];
  }

  /// Returns the whole result and the last states.
  SmallVector<Value> create(Value result);

private:
  OpFoldResult at(int64_t value) { return b.getIndexAttr(value); }

  /// Matrix (rows, columns) of this direction, transposed, in the type that is
  /// computed in.
  Value transpose(Value matrices) {
    Sizes sizes = tensor::getMixedSizes(b, b.getLoc(), matrices);
    sizes[0] = at(1);
    Value matrix =
        createSlice(b, matrices, {at(index), at(0), at(0)}, sizes, 1);
    Value empty =
        tensor::EmptyOp::create(b, Sizes{sizes[2], sizes[1]}, compute);
    AffineMap swapped =
        AffineMap::getPermutationMap(ArrayRef<unsigned>{1, 0}, b.getContext());
    return createMap(b, empty, compute, {{matrix, swapped}},
                     [&](ImplicitLocOpBuilder &inner, ValueRange x) {
                       return convertFloat(inner, x[0], compute);
                     });
  }

  /// `count` gates of a half of the bias repeated to rows, or zeros.
  Value createInit(ArrayRef<OpFoldResult> rows, int64_t half, int64_t first,
                   int64_t count) {
    Sizes sizes(rows);
    sizes.push_back(at(count * hidden));
    Value empty = tensor::EmptyOp::create(b, sizes, compute);
    if (!adaptor.getBias())
      return linalg::FillOp::create(b, createNumber(b, compute, 0), empty)
          .getResult(0);
    Value bias = createSlice(b, adaptor.getBias(),
                             {at(index), at((half * gates + first) * hidden)},
                             {at(1), at(count * hidden)}, 1);
    auto rank = static_cast<int64_t>(sizes.size());
    AffineMap last = AffineMap::get(rank, 0, b.getAffineDimExpr(rank - 1));
    return createMap(b, empty, compute, {{bias, last}},
                     [&](ImplicitLocOpBuilder &inner, ValueRange x) {
                       return convertFloat(inner, x[0], compute);
                     });
  }

  /// init[rows..., n] + sum over k of lhs[rows..., k] * rhs[k, n].
  Value contract(Value lhs, Value rhs, Value init) {
    int64_t rank = typeOf(init).getRank();
    SmallVector<AffineExpr> dims;
    for (int64_t dim = 0; dim <= rank; ++dim)
      dims.push_back(b.getAffineDimExpr(dim));
    AffineExpr n = dims[rank - 1], k = dims[rank];
    SmallVector<AffineExpr> left(ArrayRef(dims).take_front(rank - 1));
    left.push_back(k);
    auto map = [&](ArrayRef<AffineExpr> results) {
      return AffineMap::get(rank + 1, 0, results, b.getContext());
    };
    SmallVector<utils::IteratorType> iterators(rank,
                                               utils::IteratorType::parallel);
    iterators.push_back(utils::IteratorType::reduction);
    return linalg::GenericOp::create(
               b, TypeRange(init.getType()), ValueRange{lhs, rhs},
               ValueRange(init),
               ArrayRef<AffineMap>{map(left), map({k, n}),
                                   map(ArrayRef(dims).take_front(rank))},
               iterators,
               [&](OpBuilder &nested, Location loc, ValueRange x) {
                 ImplicitLocOpBuilder inner(loc, nested);
                 Value product = arith::MulFOp::create(
                     inner, convertFloat(inner, x[0], compute), x[1]);
                 linalg::YieldOp::create(
                     inner,
                     arith::AddFOp::create(inner, x[2], product).getResult());
               })
        .getResult(0);
  }

  /// Gates `first` ... of a tensor (batch, gates * hidden).
  Value gate(Value all, int64_t first, int64_t count = 1) {
    return createSlice(b, all, {at(0), at(first * hidden)},
                       {batch, at(count * hidden)}, 0);
  }

  Value initialState(Value states) {
    Value empty = tensor::EmptyOp::create(b, Sizes{batch, at(hidden)}, compute);
    if (!states)
      return linalg::FillOp::create(b, createNumber(b, compute, 0), empty)
          .getResult(0);
    Value state = createSlice(b, states, {at(index), at(0), at(0)},
                              {at(1), batch, at(hidden)}, 1);
    return createMap(b, empty, compute, {{state, b.getMultiDimIdentityMap(2)}},
                     [&](ImplicitLocOpBuilder &inner, ValueRange x) {
                       return convertFloat(inner, x[0], compute);
                     });
  }

  /// Activation number `which` of this direction on a clipped value.
  Value activate(ImplicitLocOpBuilder &inner, int64_t which, Value x,
                 bool clips = true) {
    which += index * (gates == 1 ? 1 : gates - 1);
    double clip = op.getClip().convertToDouble();
    if (clips && clip > 0) {
      x = arith::MinimumFOp::create(inner, x,
                                    createNumber(inner, compute, clip));
      x = arith::MaximumFOp::create(inner, x,
                                    createNumber(inner, compute, -clip));
    }
    StringRef name = cast<StringAttr>(op.getActivations()[which]).getValue();
    return createActivation(inner, name, op.getActivationAlpha()[which],
                            op.getActivationBeta()[which], x);
  }

  SmallVector<Value> createStates(Value gatesX, ValueRange states, Value step);
  SmallVector<Value> createRnn(Value gatesX, ValueRange states);
  SmallVector<Value> createGru(Value gatesX, ValueRange states);
  SmallVector<Value> createLstm(Value gatesX, ValueRange states);

  Op op;
  typename Op::Adaptor adaptor;
  int64_t index;
  ImplicitLocOpBuilder &b;
  Type element, compute;
  int64_t hidden;
  Value steps, recurrence;
  OpFoldResult batch;
  AffineMap whole = b.getMultiDimIdentityMap(2);
};

template <typename Op>
SmallVector<Value> Direction<Op>::createRnn(Value gatesX, ValueRange states) {
  Value gatesH =
      contract(states[0], recurrence, createInit(batch, 1, 0, gates));
  return {createMap(b, states[0], compute, {{gatesX, whole}, {gatesH, whole}},
                    [&](ImplicitLocOpBuilder &inner, ValueRange x) {
                      return activate(inner, 0,
                                      arith::AddFOp::create(inner, x[0], x[1]));
                    })};
}

template <typename Op>
SmallVector<Value> Direction<Op>::createGru(Value gatesX, ValueRange states) {
  bool isLinear = op.getLinearBeforeReset();
  auto sum = [](ImplicitLocOpBuilder &inner, Value x, Value y) -> Value {
    return arith::AddFOp::create(inner, x, y);
  };
  auto product = [](ImplicitLocOpBuilder &inner, Value x, Value y) -> Value {
    return arith::MulFOp::create(inner, x, y);
  };
  // z * h + (1 - z) * candidate
  auto mix = [&](ImplicitLocOpBuilder &inner, Value z, Value h,
                 Value candidate) -> Value {
    Value rest =
        arith::SubFOp::create(inner, createNumber(inner, compute, 1), z);
    return sum(inner, product(inner, z, h), product(inner, rest, candidate));
  };
  Value h = states[0];
  Indexed state{h, whole};
  Indexed xz{gate(gatesX, 0), whole}, xr{gate(gatesX, 1), whole},
      xn{gate(gatesX, 2), whole};
  if (isLinear) {
    Value gatesH = contract(h, recurrence, createInit(batch, 1, 0, 3));
    Indexed hz{gate(gatesH, 0), whole}, hr{gate(gatesH, 1), whole},
        hn{gate(gatesH, 2), whole};
    return {createMap(b, h, compute, {xz, xr, xn, hz, hr, hn, state},
                      [&](ImplicitLocOpBuilder &inner, ValueRange x) {
                        Value z = activate(inner, 0, sum(inner, x[0], x[3]));
                        Value r = activate(inner, 0, sum(inner, x[1], x[4]));
                        Value n =
                            activate(inner, 1,
                                     sum(inner, x[2], product(inner, r, x[5])));
                        return mix(inner, z, x[6], n);
                      })};
  }
  auto columns = [&](int64_t first, int64_t count) {
    return createSlice(b, recurrence, {at(0), at(first * hidden)},
                       {at(hidden), at(count * hidden)}, 0);
  };
  Value gatesH = contract(h, columns(0, 2), createInit(batch, 1, 0, 2));
  Value reset = createMap(
      b, h, compute, {xr, {gate(gatesH, 1), whole}, state},
      [&](ImplicitLocOpBuilder &inner, ValueRange x) {
        return product(inner, activate(inner, 0, sum(inner, x[0], x[1])), x[2]);
      });
  Value candidate = contract(reset, columns(2, 1), createInit(batch, 1, 2, 1));
  return {
      createMap(b, h, compute,
                {xz, xn, {gate(gatesH, 0), whole}, {candidate, whole}, state},
                [&](ImplicitLocOpBuilder &inner, ValueRange x) {
                  Value z = activate(inner, 0, sum(inner, x[0], x[2]));
                  Value n = activate(inner, 1, sum(inner, x[1], x[3]));
                  return mix(inner, z, x[4], n);
                })};
}

template <typename Op>
SmallVector<Value> Direction<Op>::createLstm(Value gatesX, ValueRange states) {
  bool isCoupled = op.getInputForget();
  Value gatesH = contract(states[0], recurrence, createInit(batch, 1, 0, 4));
  SmallVector<Indexed> operands;
  for (Value all : {gatesX, gatesH})
    for (int64_t i = 0; i < 4; ++i)
      operands.push_back({gate(all, i), whole});
  operands.push_back({states[1], whole});
  Value peepholes = adaptor.getPeepholes();
  for (int64_t i = 0; peepholes && i < 3; ++i)
    operands.push_back({createSlice(b, peepholes, {at(index), at(i * hidden)},
                                    {at(1), at(hidden)}, 1),
                        AffineMap::get(2, 0, b.getAffineDimExpr(1))});
  // The gates are input, output, forget, cell; the peepholes input, output,
  // forget.
  SmallVector<Type> types(2, compute);
  return createMaps(
      b, states[0], types, operands,
      [&](ImplicitLocOpBuilder &inner, ValueRange x) -> SmallVector<Value> {
        auto value = [&](int64_t which, Value cell) -> Value {
          Value sum = arith::AddFOp::create(inner, x[which], x[which + 4]);
          if (!peepholes || !cell)
            return sum;
          Value weight = convertFloat(inner, x[9 + which], compute);
          return arith::AddFOp::create(
              inner, sum, arith::MulFOp::create(inner, weight, cell));
        };
        Value i = activate(inner, 0, value(0, x[8])), f;
        if (isCoupled)
          f = arith::SubFOp::create(inner, createNumber(inner, compute, 1), i);
        else
          f = activate(inner, 0, value(2, x[8]));
        Value c = activate(inner, 1, value(3, {}));
        Value cell =
            arith::AddFOp::create(inner, arith::MulFOp::create(inner, f, x[8]),
                                  arith::MulFOp::create(inner, i, c));
        Value o = activate(inner, 0, value(1, cell));
        // The output's own activation is of an unclipped state.
        Value h =
            arith::MulFOp::create(inner, o, activate(inner, 2, cell, false));
        return {h, cell};
      });
}

/// The next states and the result of a step; where a sequence has ended, the
/// old states and zero.
template <typename Op>
SmallVector<Value> Direction<Op>::createStates(Value gatesX, ValueRange states,
                                               Value step) {
  SmallVector<Value> next;
  if constexpr (gates == 1)
    next = createRnn(gatesX, states);
  else if constexpr (gates == 3)
    next = createGru(gatesX, states);
  else
    next = createLstm(gatesX, states);
  Value lengths = adaptor.getSequenceLens();
  Value now = next[0];
  if (lengths) {
    Type integer = typeOf(lengths).getElementType();
    Value position = arith::IndexCastOp::create(b, integer, step);
    AffineMap row = AffineMap::get(2, 0, b.getAffineDimExpr(0));
    auto select = [&](Value value, Value otherwise) {
      SmallVector<Indexed> operands{{lengths, row}, {value, whole}};
      if (otherwise)
        operands.push_back({otherwise, whole});
      return createMap(
          b, value, compute, operands,
          [&](ImplicitLocOpBuilder &inner, ValueRange x) -> Value {
            Value isActive = arith::CmpIOp::create(
                inner, arith::CmpIPredicate::slt, position, x[0]);
            Value rest = otherwise ? x[2] : createNumber(inner, compute, 0);
            return arith::SelectOp::create(inner, isActive, x[1], rest);
          });
    };
    now = select(next[0], {});
    for (auto [value, old] : llvm::zip(next, states))
      value = select(value, old);
  }
  next.push_back(createMap(b, now, element, {{now, whole}},
                           [&](ImplicitLocOpBuilder &inner, ValueRange x) {
                             return convertFloat(inner, x[0], element);
                           }));
  return next;
}

template <typename Op> SmallVector<Value> Direction<Op>::create(Value result) {
  OpFoldResult count = getAsOpFoldResult(steps);
  Value gatesX = contract(adaptor.getInput(), transpose(adaptor.getWeight()),
                          createInit({count, batch}, 0, 0, gates));
  recurrence = transpose(adaptor.getRecurrence());
  SmallVector<Value> carried{initialState(adaptor.getInitialH())};
  if constexpr (gates == 4)
    carried.push_back(initialState(adaptor.getInitialC()));
  size_t numStates = carried.size();
  carried.push_back(result);
  bool isReverse = index == 1 || op.getDirection() == "reverse";
  Value zero = arith::ConstantIndexOp::create(b, 0),
        one = arith::ConstantIndexOp::create(b, 1);
  auto loop = scf::ForOp::create(b, zero, steps, one, carried);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToEnd(loop.getBody());
  Value step = loop.getInductionVar();
  if (isReverse)
    step = arith::SubIOp::create(b, arith::SubIOp::create(b, steps, one), step);
  ValueRange args = loop.getRegionIterArgs();
  Value now = createSlice(b, gatesX, {step, at(0), at(0)},
                          {at(1), batch, at(gates * hidden)}, 1);
  SmallVector<Value> next = createStates(now, args.take_front(numStates), step);
  next.back() = tensor::InsertSliceOp::create(
      b, next.back(), args.back(), Sizes{step, at(index), at(0), at(0)},
      Sizes{at(1), at(1), batch, at(hidden)}, Sizes(4, at(1)));
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
    for (int64_t index = 0; index < directions; ++index) {
      Direction<Op> direction(op, adaptor, index, b);
      SmallVector<Value> own = direction.create(results[0]);
      results[0] = own[0];
      for (size_t i = 1; i < own.size(); ++i)
        results[i] = insertState(b, own[i], results[i], index, state);
    }
    rewriter.replaceOp(op, results);
    return success();
  }

  static Value insertState(ImplicitLocOpBuilder &b, Value value, Value states,
                           int64_t index, Sizes sizes) {
    Type element = typeOf(states).getElementType();
    AffineMap map = b.getMultiDimIdentityMap(2);
    if (typeOf(value).getElementType() != element)
      value = createMap(b, value, element, {{value, map}},
                        [&](ImplicitLocOpBuilder &inner, ValueRange x) {
                          return convertFloat(inner, x[0], element);
                        });
    sizes[0] = b.getIndexAttr(1);
    Sizes offsets{b.getIndexAttr(index), b.getIndexAttr(0), b.getIndexAttr(0)};
    return tensor::InsertSliceOp::create(b, value, states, offsets, sizes,
                                         Sizes(3, b.getIndexAttr(1)));
  }
};

} // namespace

void acc::graph::populateRecurrentToLinalg(const TypeConverter &converter,
                                           RewritePatternSet &patterns) {
  patterns.add<RecurrentPattern<RnnOp>, RecurrentPattern<GruOp>,
               RecurrentPattern<LstmOp>>(converter, patterns.getContext());
}
