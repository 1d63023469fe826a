//===- RecurrentCell.cpp - One step of a recurrent network ----------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Graph/RecurrentCell.h"
#include "passes/Graph/ToLinalgActivation.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace acc::graph;

using Sizes = SmallVector<OpFoldResult>;

Value RecurrentCell::createSlice(Value value, const Sizes &offsets,
                                 const Sizes &sizes, int64_t drop) {
  SmallVector<int64_t> shape =
      decomposeMixedValues(ArrayRef(sizes).drop_front(drop)).first;
  return tensor::ExtractSliceOp::create(b, typeOf(value).clone(shape), value,
                                        offsets, sizes,
                                        Sizes(sizes.size(), b.getIndexAttr(1)));
}

Value RecurrentCell::transpose(Value matrices) {
  Sizes sizes = tensor::getMixedSizes(b, b.getLoc(), matrices);
  sizes[0] = at(1);
  Value matrix = createSlice(matrices, {at(index), at(0), at(0)}, sizes, 1);
  Value empty = tensor::EmptyOp::create(b, Sizes{sizes[2], sizes[1]}, compute);
  AffineMap swapped =
      AffineMap::getPermutationMap(ArrayRef<unsigned>{1, 0}, b.getContext());
  return createMap(b, empty, compute, {{matrix, swapped}},
                   [&](ImplicitLocOpBuilder &inner, ValueRange x) {
                     return convertFloat(inner, x[0], compute);
                   });
}

Value RecurrentCell::createInit(ArrayRef<OpFoldResult> rows, int64_t half,
                                int64_t first, int64_t count) {
  Sizes sizes(rows);
  sizes.push_back(at(count * hidden));
  Value empty = tensor::EmptyOp::create(b, sizes, compute);
  if (!bias)
    return linalg::FillOp::create(b, createNumber(b, compute, 0), empty)
        .getResult(0);
  Value row =
      createSlice(bias, {at(index), at((half * gates + first) * hidden)},
                  {at(1), at(count * hidden)}, 1);
  auto rank = static_cast<int64_t>(sizes.size());
  AffineMap last = AffineMap::get(rank, 0, b.getAffineDimExpr(rank - 1));
  return createMap(b, empty, compute, {{row, last}},
                   [&](ImplicitLocOpBuilder &inner, ValueRange x) {
                     return convertFloat(inner, x[0], compute);
                   });
}

Value RecurrentCell::contract(Value lhs, Value rhs, Value init) {
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

Value RecurrentCell::createInitialState(Value states) {
  Value empty = tensor::EmptyOp::create(b, Sizes{batch, at(hidden)}, compute);
  if (!states)
    return linalg::FillOp::create(b, createNumber(b, compute, 0), empty)
        .getResult(0);
  Value state = createSlice(states, {at(index), at(0), at(0)},
                            {at(1), batch, at(hidden)}, 1);
  return createMap(b, empty, compute, {{state, whole()}},
                   [&](ImplicitLocOpBuilder &inner, ValueRange x) {
                     return convertFloat(inner, x[0], compute);
                   });
}

Value RecurrentCell::gate(Value all, int64_t first, int64_t count) {
  return createSlice(all, {at(0), at(first * hidden)},
                     {batch, at(count * hidden)}, 0);
}

Value RecurrentCell::activate(ImplicitLocOpBuilder &inner, int64_t which,
                              Value x, bool clips) {
  which += index * (gates == 1 ? 1 : gates - 1);
  if (clips && clip > 0) {
    x = arith::MinimumFOp::create(inner, x, createNumber(inner, compute, clip));
    x = arith::MaximumFOp::create(inner, x,
                                  createNumber(inner, compute, -clip));
  }
  StringRef name = cast<StringAttr>(activations[which]).getValue();
  return createActivation(inner, name, alpha[which], beta[which], x);
}

Value RecurrentCell::createRnn(Value gatesX, Value h) {
  Value gatesH = contract(h, recurrence, createInit(batch, 1, 0, gates));
  return createMap(b, h, compute, {{gatesX, whole()}, {gatesH, whole()}},
                   [&](ImplicitLocOpBuilder &inner, ValueRange x) {
                     return activate(inner, 0,
                                     arith::AddFOp::create(inner, x[0], x[1]));
                   });
}

Value RecurrentCell::createGru(Value gatesX, Value h, bool isLinear) {
  auto sum = [](ImplicitLocOpBuilder &inner, Value x, Value y) -> Value {
    return arith::AddFOp::create(inner, x, y);
  };
  auto product = [](ImplicitLocOpBuilder &inner, Value x, Value y) -> Value {
    return arith::MulFOp::create(inner, x, y);
  };
  // z * h + (1 - z) * candidate
  auto mix = [&](ImplicitLocOpBuilder &inner, Value z, Value old,
                 Value candidate) -> Value {
    Value rest =
        arith::SubFOp::create(inner, createNumber(inner, compute, 1), z);
    return sum(inner, product(inner, z, old), product(inner, rest, candidate));
  };
  Indexed state{h, whole()};
  Indexed xz{gate(gatesX, 0), whole()}, xr{gate(gatesX, 1), whole()},
      xn{gate(gatesX, 2), whole()};
  if (isLinear) {
    Value gatesH = contract(h, recurrence, createInit(batch, 1, 0, 3));
    Indexed hz{gate(gatesH, 0), whole()}, hr{gate(gatesH, 1), whole()},
        hn{gate(gatesH, 2), whole()};
    return createMap(b, h, compute, {xz, xr, xn, hz, hr, hn, state},
                     [&](ImplicitLocOpBuilder &inner, ValueRange x) {
                       Value z = activate(inner, 0, sum(inner, x[0], x[3]));
                       Value r = activate(inner, 0, sum(inner, x[1], x[4]));
                       Value n = activate(
                           inner, 1, sum(inner, x[2], product(inner, r, x[5])));
                       return mix(inner, z, x[6], n);
                     });
  }
  auto columns = [&](int64_t first, int64_t count) {
    return createSlice(recurrence, {at(0), at(first * hidden)},
                       {at(hidden), at(count * hidden)}, 0);
  };
  Value gatesH = contract(h, columns(0, 2), createInit(batch, 1, 0, 2));
  Value reset = createMap(
      b, h, compute, {xr, {gate(gatesH, 1), whole()}, state},
      [&](ImplicitLocOpBuilder &inner, ValueRange x) {
        return product(inner, activate(inner, 0, sum(inner, x[0], x[1])), x[2]);
      });
  Value candidate = contract(reset, columns(2, 1), createInit(batch, 1, 2, 1));
  return createMap(
      b, h, compute,
      {xz, xn, {gate(gatesH, 0), whole()}, {candidate, whole()}, state},
      [&](ImplicitLocOpBuilder &inner, ValueRange x) {
        Value z = activate(inner, 0, sum(inner, x[0], x[2]));
        Value n = activate(inner, 1, sum(inner, x[1], x[3]));
        return mix(inner, z, x[4], n);
      });
}

SmallVector<Value> RecurrentCell::createLstm(Value gatesX, Value h, Value c,
                                             bool isCoupled) {
  Value gatesH = contract(h, recurrence, createInit(batch, 1, 0, 4));
  SmallVector<Indexed> operands;
  for (Value all : {gatesX, gatesH})
    for (int64_t i = 0; i < 4; ++i)
      operands.push_back({gate(all, i), whole()});
  operands.push_back({c, whole()});
  for (int64_t i = 0; peepholes && i < 3; ++i)
    operands.push_back({createSlice(peepholes, {at(index), at(i * hidden)},
                                    {at(1), at(hidden)}, 1),
                        AffineMap::get(2, 0, b.getAffineDimExpr(1))});
  // The gates are input, output, forget, cell; the peepholes input, output,
  // forget.
  SmallVector<Type> types(2, compute);
  return createMaps(
      b, h, types, operands,
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
        Value candidate = activate(inner, 1, value(3, {}));
        Value cell =
            arith::AddFOp::create(inner, arith::MulFOp::create(inner, f, x[8]),
                                  arith::MulFOp::create(inner, i, candidate));
        Value o = activate(inner, 0, value(1, cell));
        // The output's own activation is of an unclipped state.
        Value next =
            arith::MulFOp::create(inner, o, activate(inner, 2, cell, false));
        return {next, cell};
      });
}
