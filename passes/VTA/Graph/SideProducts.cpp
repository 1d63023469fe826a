//===- SideProducts.cpp - Sums that the matrix unit computes --------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The vector unit takes two cycles to add a second operand to an accumulator,
// and what it adds is loaded by the compute module, which does nothing else
// meanwhile. The matrix unit takes one cycle to add the product of an input and
// a weight tile, which the load module brings while others compute. So a bias
// is the product of one constant input with a tile per block of channels, and a
// sum of tensors the product of each with a diagonal tile.
//
//===----------------------------------------------------------------------===//

#include "passes/Support/ConstantProduct.h"
#include "passes/VTA/Graph/VTASteps.h"

#include "dialects/Graph/Constants.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace acc::graph;
using namespace acc::vta;

Value acc::vta::addTerm(ImplicitLocOpBuilder &b, ValueRange x) {
  Type wide = b.getI32Type();
  Value term = arith::MulIOp::create(b, arith::ExtSIOp::create(b, wide, x[0]),
                                     arith::ExtSIOp::create(b, wide, x[1]));
  return arith::AddIOp::create(b, x[2], term);
}

Value VTASteps::product(Value acc, Value input, ArrayRef<AffineExpr> inputAt,
                        Value weight, AffineExpr weightAt) {
  // The loops of one tile follow those of the accumulators: row, output and
  // input lane.
  size_t rank = typeOf(acc).getRank();
  SmallVector<AffineExpr> d;
  for (size_t axis = 0; axis <= rank; ++axis)
    d.push_back(b.getAffineDimExpr(axis));
  AffineExpr row = d[rank - 2], output = d[rank - 1], lane = d[rank];
  auto map = [&](ArrayRef<AffineExpr> exprs) {
    return AffineMap::get(d.size(), 0, exprs, b.getContext());
  };
  SmallVector<AffineExpr> at(inputAt);
  at.append({row, lane});
  SmallVector<utils::IteratorType> kinds(d.size(),
                                         utils::IteratorType::parallel);
  kinds.back() = utils::IteratorType::reduction;
  return generic(
      acc, {input, weight},
      {map(at), map({weightAt, output, lane}), map(ArrayRef(d).drop_back())},
      kinds, addTerm);
}

/// A constant of elements of at most 8 bits whose values are given by their
/// positions, a byte each.
static Value createBytes(ImplicitLocOpBuilder &b, ArrayRef<int64_t> shape,
                         unsigned bits,
                         llvm::function_ref<void(MutableArrayRef<char>)> fill) {
  auto type = RankedTensorType::get(shape, b.getIntegerType(bits));
  return ConstantOp::create(b, type, makeElements(type, fill));
}

Value VTASteps::addBias(Value acc, ArrayRef<int32_t> values) {
  bool isImmediate = llvm::all_equal(values) && llvm::isInt<16>(values.front());
  ConstantProduct constant(-tiles.getLeastInput() - 1, tiles.getLargestWeight(),
                           tiles.blockIn);
  int64_t largest = 0;
  for (int32_t value : values)
    largest = std::max(largest, std::abs(int64_t(value)));
  int64_t count = constant.count(largest), most = constant.getMost();
  if (isImmediate || count > ConstantProduct::kMostProducts)
    return apply(Step::Add, acc, values);

  Value input =
      createBytes(b, {1, tiles.batch, tiles.blockIn}, /*bits=*/8,
                  [&](MutableArrayRef<char> bytes) {
                    for (auto [index, byte] : llvm::enumerate(bytes))
                      byte = char(constant.getInput(index % tiles.blockIn));
                  });
  int64_t blocks = countBlocks(acc);
  SmallVector<int32_t> ofLanes = toLanes(acc, values);
  SmallVector<int64_t> rest(ofLanes.begin(), ofLanes.end());
  for (int64_t i = 0; i < count; ++i) {
    Value weight = createBytes(
        b, {blocks, tiles.blockOut, tiles.blockIn}, tiles.weightBits,
        [&](MutableArrayRef<char> bytes) {
          for (auto [channel, value] : llvm::enumerate(rest)) {
            // What this product adds: all of it, or as much as fits.
            int64_t part = std::clamp(value, -most, most);
            value -= part;
            constant.write(part, bytes.data() + channel * tiles.blockIn);
          }
        });
    acc = product(acc, input, b.getAffineConstantExpr(0), weight,
                  getBlockIndex(acc));
  }
  return acc;
}

bool VTASteps::canAddScaled(int32_t factor) const {
  return tiles.blockIn == tiles.blockOut &&
         std::abs(int64_t(factor)) <=
             ConstantProduct::kMostProducts * tiles.getLargestWeight();
}

/// One tile of weights with a factor on its diagonal.
static Value createDiagonal(ImplicitLocOpBuilder &b, Tiles tiles,
                            int32_t factor) {
  return createBytes(b, {1, tiles.blockOut, tiles.blockIn}, tiles.weightBits,
                     [&](MutableArrayRef<char> bytes) {
                       llvm::fill(bytes, 0);
                       for (int64_t lane = 0; lane < tiles.blockOut; ++lane)
                         bytes[lane * tiles.blockIn + lane] = char(factor);
                     });
}

Value VTASteps::addScaled(Value acc, Value input, int32_t factor) {
  assert(canAddScaled(factor) && "the factor is no weight");
  SmallVector<AffineExpr> at = getPlaces(acc, input);
  at.truncate(4);
  auto most = int32_t(tiles.getLargestWeight());
  while (factor != 0) {
    int32_t part = std::clamp(factor, -most, most);
    acc = product(acc, input, at, createDiagonal(b, tiles, part),
                  b.getAffineConstantExpr(0));
    factor -= part;
  }
  return acc;
}

Value VTASteps::globalSum(Value input) {
  assert(canAddScaled(1) && "no tile of weights adds an input as it is");
  ArrayRef<int64_t> shape = shapeOf(input);
  SmallVector<AffineExpr, 7> d;
  for (unsigned axis = 0; axis < 7; ++axis)
    d.push_back(b.getAffineDimExpr(axis));
  AffineExpr zero = b.getAffineConstantExpr(0);
  auto map = [&](ArrayRef<AffineExpr> exprs) {
    return AffineMap::get(7, 0, exprs, b.getContext());
  };
  SmallVector<utils::IteratorType> kinds(7, utils::IteratorType::parallel);
  kinds[2] = kinds[3] = kinds[6] = utils::IteratorType::reduction;
  return generic(
      fill({shape[0], shape[1], 1, 1, tiles.batch, tiles.blockOut}, 0),
      {input, createDiagonal(b, tiles, 1)},
      {map({d[0], d[1], d[2], d[3], d[4], d[6]}), map({zero, d[5], d[6]}),
       map({d[0], d[1], zero, zero, d[4], d[5]})},
      kinds, addTerm);
}
