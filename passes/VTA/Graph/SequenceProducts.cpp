//===- SequenceProducts.cpp - Products of two computed matrices -----------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// In the layout of sequences, (N, C / lanes, positions, 1, BATCH, lanes), the
// positions of one block of channels follow each other without a gap: BLOCK_OUT
// of them are one weight tile. So a computed matrix is a row of weight tiles as
// it is, and only its transpose takes work: a product with the identity.
//
// Zero points enter by sums over the rows and columns of the operands, which
// the matrix unit computes once for each and the vector unit adds:
//
//     sum (a - za) * (b - zb) = sum a * b - zb * sum a - za * sum b + K * za *
//     zb
//
//===----------------------------------------------------------------------===//

#include "passes/VTA/Graph/VTASteps.h"

#include "dialects/Graph/Constants.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace acc::graph;
using namespace acc::vta;

namespace {

/// The loops of a product of sequences: those of the result, the blocks that
/// are summed, and those of one instruction.
struct SequenceLoops {
  explicit SequenceLoops(Builder &b) {
    for (unsigned axis = 0; axis < 8; ++axis)
      d.push_back(b.getAffineDimExpr(axis));
  }
  AffineExpr operator[](unsigned axis) const { return d[axis]; }

  SmallVector<AffineExpr> input() const {
    return {d[0], d[4], d[2], d[3], d[5], d[7]};
  }
  SmallVector<AffineExpr> weight() const {
    return {d[0], d[4], d[1], d[6], d[7]};
  }
  SmallVector<AffineExpr> result() const {
    return {d[0], d[1], d[2], d[3], d[5], d[6]};
  }

private:
  SmallVector<AffineExpr, 8> d;
};

/// Numbers of `bits` bits whose sum is `value`.
SmallVector<int64_t> split(int64_t value, unsigned bits) {
  SmallVector<int64_t> parts;
  for (int64_t count = 1; parts.empty(); ++count) {
    // The larger of two that are nearly equal.
    int64_t part = value < 0 ? llvm::divideFloorSigned(value, count)
                             : llvm::divideCeilSigned(value, count);
    if (llvm::isIntN(bits, part))
      parts.assign(count, part);
  }
  int64_t rest = parts.front() * int64_t(parts.size()) - value;
  for (int64_t &part : parts)
    if (rest != 0) {
      part -= rest < 0 ? -1 : 1;
      rest -= rest < 0 ? -1 : 1;
    }
  return parts;
}

} // namespace

Value VTASteps::sumProducts(Value acc, Value input,
                            ArrayRef<AffineExpr> inputAt, Value weight,
                            ArrayRef<AffineExpr> weightAt) {
  SequenceLoops loops(b);
  auto map = [&](ArrayRef<AffineExpr> exprs) {
    return AffineMap::get(8, 0, exprs, b.getContext());
  };
  SmallVector<utils::IteratorType> kinds(8, utils::IteratorType::parallel);
  kinds[4] = kinds[7] = utils::IteratorType::reduction;
  return generic(acc, {input, weight},
                 {map(inputAt), map(weightAt), map(loops.result())}, kinds,
                 addTerm);
}

/// Elements that are `value` in the lanes below `depth` and 0 behind them, for
/// all blocks of lanes, in `rows` rows each.
static Value createLanes(ImplicitLocOpBuilder &b, int64_t depth, int64_t rows,
                         int64_t lanes, int64_t value) {
  int64_t blocks = llvm::divideCeilSigned(depth, lanes);
  auto type = RankedTensorType::get({blocks, rows, lanes}, b.getI8Type());
  ElementsAttr elements = makeElements(type, [&](MutableArrayRef<char> bytes) {
    for (auto [index, byte] : llvm::enumerate(bytes)) {
      int64_t block = int64_t(index) / (rows * lanes);
      byte = block * lanes + int64_t(index) % lanes < depth ? char(value) : 0;
    }
  });
  return ConstantOp::create(b, type, elements);
}

VTASteps::MatrixSum VTASteps::matrixProduct(Value input, Value weight,
                                            ArrayRef<int64_t> resultShape,
                                            const ZeroPoints &zero) {
  SequenceLoops loops(b);
  Value columns, rows;
  // What is added to all is added to the sums of columns or rows, of which
  // there are fewer.
  auto constant = int32_t(uint32_t(zero.offset) +
                          uint32_t(zero.depth * zero.input * zero.weight));
  if (zero.input != 0) {
    SmallVector<int64_t> shape(resultShape);
    shape[2] = shape[3] = 1;
    columns = fill(shape, 0);
    for (int64_t part : split(-zero.input, tiles.inputBits))
      columns = sumProducts(
          columns, createLanes(b, zero.depth, tiles.batch, tiles.blockIn, part),
          {loops[4], loops[5], loops[7]}, weight, loops.weight());
    columns = addBias(columns, std::exchange(constant, 0));
  }
  if (zero.weight != 0) {
    SmallVector<int64_t> shape(resultShape);
    shape[1] = 1;
    rows = fill(shape, 0);
    for (int64_t part : split(-zero.weight, tiles.weightBits))
      rows = sumProducts(
          rows, input, loops.input(),
          createLanes(b, zero.depth, tiles.blockOut, tiles.blockIn, part),
          {loops[4], loops[6], loops[7]});
    rows = addBias(rows, std::exchange(constant, 0));
  }
  Value acc = sumProducts(fill(resultShape, 0), input, loops.input(), weight,
                          loops.weight());
  if (columns)
    acc = applyTensor(Step::Add, acc, columns);
  if (rows)
    acc = applyTensor(Step::Add, acc, rows);
  return {acc, constant};
}

Value VTASteps::transpose(Value weight) {
  // (n, channels / lanes, positions / lanes, lanes, lanes) as weights times the
  // rows of the identity.
  ArrayRef<int64_t> shape = shapeOf(weight);
  int64_t lanes = tiles.blockIn;
  auto type = RankedTensorType::get({lanes / tiles.batch, tiles.batch, lanes},
                                    b.getI8Type());
  ElementsAttr elements = makeElements(type, [&](MutableArrayRef<char> bytes) {
    llvm::fill(bytes, 0);
    for (int64_t lane = 0; lane < lanes; ++lane)
      bytes[lane * lanes + lane] = 1;
  });
  Value identity = ConstantOp::create(b, type, elements);
  SmallVector<AffineExpr, 7> d;
  for (unsigned axis = 0; axis < 7; ++axis)
    d.push_back(b.getAffineDimExpr(axis));
  auto map = [&](ArrayRef<AffineExpr> exprs) {
    return AffineMap::get(7, 0, exprs, b.getContext());
  };
  SmallVector<utils::IteratorType> kinds(7, utils::IteratorType::parallel);
  kinds.back() = utils::IteratorType::reduction;
  return generic(fill({shape[0], shape[2], shape[1], lanes / tiles.batch,
                       tiles.batch, lanes},
                      0),
                 {identity, weight},
                 {map({d[3], d[4], d[6]}), map({d[0], d[2], d[1], d[5], d[6]}),
                  map(ArrayRef(d).take_front(6))},
                 kinds, addTerm);
}
