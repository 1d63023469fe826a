//===- VTASteps.cpp - Kernels of one-instruction steps --------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/VTA/Graph/VTASteps.h"

#include "dialects/Graph/Constants.h"
#include "passes/VTA/Graph/ChannelBlocks.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/IndexingUtils.h"

using namespace mlir;
using namespace acc::graph;
using namespace acc::vta;

/// The number of axes of a packed tensor whose channels are in one section.
static constexpr int64_t rank = 6;

static Value createStep(ImplicitLocOpBuilder &b, Step step, Value acc,
                        Value operand) {
  switch (step) {
  case Step::Add:
    return arith::AddIOp::create(b, acc, operand);
  case Step::Mul:
    return arith::MulIOp::create(b, acc, operand);
  case Step::Max:
    return arith::MaxSIOp::create(b, acc, operand);
  case Step::Min:
    return arith::MinSIOp::create(b, acc, operand);
  case Step::ShiftRight:
    return arith::ShRSIOp::create(b, acc, operand);
  case Step::ShiftLeft:
    return arith::ShLIOp::create(b, acc, operand);
  }
  llvm_unreachable("all steps are handled");
}

/// Whether applying the step changes nothing.
static bool isNeutral(Step step, ArrayRef<int32_t> values) {
  if (step == Step::Max || step == Step::Min)
    return false;
  return llvm::all_of(values,
                      [&](int32_t v) { return v == (step == Step::Mul); });
}

Value VTASteps::emptyLike(ArrayRef<int64_t> shape, Type element) {
  return tensor::EmptyOp::create(b, shape, element);
}

Value VTASteps::generic(
    Value destination, ValueRange inputs, ArrayRef<AffineMap> maps,
    ArrayRef<utils::IteratorType> iterators,
    llvm::function_ref<Value(ImplicitLocOpBuilder &, ValueRange)> body) {
  return linalg::GenericOp::create(
             b, TypeRange(destination.getType()), inputs,
             ValueRange(destination), maps, iterators,
             [&](OpBuilder &nested, Location loc, ValueRange args) {
               ImplicitLocOpBuilder inner(loc, nested);
               linalg::YieldOp::create(inner, body(inner, args));
             })
      .getResult(0);
}

//===----------------------------------------------------------------------===//
// Element-wise steps
//===----------------------------------------------------------------------===//

SmallVector<utils::IteratorType> VTASteps::getAllParallel(int64_t loops) {
  return SmallVector<utils::IteratorType>(loops, utils::IteratorType::parallel);
}

int64_t VTASteps::countBlocks(Value packed) {
  return computeProduct(shapeOf(packed).drop_front().drop_back(4));
}

AffineExpr VTASteps::getBlockIndex(Value packed) {
  ArrayRef<int64_t> shape = shapeOf(packed);
  if (shape.size() == rank)
    return b.getAffineDimExpr(1);
  return b.getAffineDimExpr(1) * shape[2] + b.getAffineDimExpr(2);
}

Value VTASteps::apply(Step step, Value acc, int32_t value) {
  return apply(step, acc, ArrayRef<int32_t>(value));
}

Value VTASteps::apply(Step step, Value acc, ArrayRef<int32_t> values) {
  if (isNeutral(step, values))
    return acc;
  // A product with zero is a constant wherever the IR is simplified, and no
  // instruction computes a constant.
  if (step == Step::Mul && llvm::all_of(values, [](int32_t v) { return !v; }))
    return apply(Step::Max, apply(Step::Min, acc, 0), 0);
  if (!llvm::all_equal(values))
    return applyVector(step, acc, toLanes(acc, values));
  // What an instruction cannot hold is loaded once, for all channels.
  if (!llvm::isInt<16>(values.front()))
    return applyVector(step, acc,
                       SmallVector<int32_t>(tiles.blockOut, values.front()));
  int64_t loops = typeOf(acc).getRank();
  return generic(acc, {}, b.getMultiDimIdentityMap(loops),
                 getAllParallel(loops),
                 [&](ImplicitLocOpBuilder &inner, ValueRange x) {
                   Value operand = arith::ConstantOp::create(
                       inner, inner.getI32IntegerAttr(values.front()));
                   return createStep(inner, step, x[0], operand);
                 });
}

SmallVector<int32_t> VTASteps::toLanes(Value acc,
                                       ArrayRef<int32_t> values) const {
  int64_t count = countBlocks(acc) * tiles.blockOut;
  SmallVector<int32_t> result(count, values.size() == 1 ? values.front() : 0);
  if (values.size() == 1)
    return result;
  assert(lanes.size() == count && "lanes of another tensor");
  for (auto [value, channel] : llvm::zip(result, lanes.get()))
    if (channel != Lanes::kNone)
      value = values[channel];
  return result;
}

Value VTASteps::applyPositions(Step step, Value acc, ArrayRef<int32_t> values,
                               std::array<int64_t, 2> sizes) {
  if (isNeutral(step, values))
    return acc;
  // A tile for every position, all of whose elements are alike.
  auto type = RankedTensorType::get(
      {sizes[0], sizes[1], tiles.batch, tiles.blockOut}, b.getI32Type());
  ElementsAttr elements = makeElements(type, [&](MutableArrayRef<char> bytes) {
    auto *out = reinterpret_cast<int32_t *>(bytes.data());
    for (int32_t value : values)
      out = std::fill_n(out, tiles.batch * tiles.blockOut, value);
  });
  Value vector = ConstantOp::create(b, type, elements);
  // Rows and columns are the last axes in front of the tile.
  int64_t loops = typeOf(acc).getRank();
  SmallVector<AffineExpr, 4> places;
  for (int64_t axis = 0; axis < 4; ++axis)
    places.push_back(axis < 2 && sizes[axis] == 1
                         ? b.getAffineConstantExpr(0)
                         : b.getAffineDimExpr(loops - 4 + axis));
  AffineMap map = AffineMap::get(loops, 0, places, b.getContext());
  return generic(acc, vector, {map, b.getMultiDimIdentityMap(loops)},
                 getAllParallel(loops),
                 [&](ImplicitLocOpBuilder &inner, ValueRange x) {
                   return createStep(inner, step, x[1], x[0]);
                 });
}

Value VTASteps::applyVector(Step step, Value acc, ArrayRef<int32_t> values) {
  int64_t channels = values.size();
  auto type = RankedTensorType::get(
      {channels / tiles.blockOut, tiles.batch, tiles.blockOut}, b.getI32Type());
  ElementsAttr elements = makeElements(type, [&](MutableArrayRef<char> bytes) {
    auto *out = reinterpret_cast<int32_t *>(bytes.data());
    for (int64_t block = 0; block < channels; block += tiles.blockOut)
      for (int64_t row = 0; row < tiles.batch; ++row)
        for (int64_t lane = 0; lane < tiles.blockOut; ++lane)
          *out++ = values[block + lane];
  });
  Value vector = ConstantOp::create(b, type, elements);
  int64_t loops = typeOf(acc).getRank();
  AffineExpr block = channels == tiles.blockOut && countBlocks(acc) != 1
                         ? b.getAffineConstantExpr(0)
                         : getBlockIndex(acc);
  AffineMap map = AffineMap::get(
      loops, 0,
      {block, b.getAffineDimExpr(loops - 2), b.getAffineDimExpr(loops - 1)},
      b.getContext());
  return generic(acc, vector, {map, b.getMultiDimIdentityMap(loops)},
                 getAllParallel(loops),
                 [&](ImplicitLocOpBuilder &inner, ValueRange x) {
                   return createStep(inner, step, x[1], x[0]);
                 });
}

SmallVector<AffineExpr> VTASteps::getPlaces(Value acc, Value operand) {
  SmallVector<AffineExpr> places;
  for (auto [axis, size] : llvm::enumerate(shapeOf(operand)))
    places.push_back(size == 1 && shapeOf(acc)[axis] != 1
                         ? b.getAffineConstantExpr(0)
                         : b.getAffineDimExpr(axis));
  return places;
}

Value VTASteps::applyTensor(Step step, Value acc, Value operand) {
  int64_t loops = typeOf(acc).getRank();
  AffineMap places =
      AffineMap::get(loops, 0, getPlaces(acc, operand), b.getContext());
  return generic(acc, operand, {places, b.getMultiDimIdentityMap(loops)},
                 getAllParallel(loops),
                 [&](ImplicitLocOpBuilder &inner, ValueRange x) {
                   return createStep(inner, step, x[1], x[0]);
                 });
}

Value VTASteps::fill(ArrayRef<int64_t> shape, int32_t value) {
  Value scalar = arith::ConstantOp::create(b, b.getI32IntegerAttr(value));
  Value empty = emptyLike(shape, b.getI32Type());
  return linalg::FillOp::create(b, scalar, empty).getResult(0);
}

Value VTASteps::copy(Value acc) {
  return applyTensor(Step::Add, fill(shapeOf(acc), 0), acc);
}

Value VTASteps::widen(Value input) {
  AffineMap identity = b.getMultiDimIdentityMap(rank);
  return generic(emptyLike(shapeOf(input), b.getI32Type()), input,
                 {identity, identity}, getAllParallel(rank),
                 [](ImplicitLocOpBuilder &inner, ValueRange x) -> Value {
                   return arith::ExtSIOp::create(inner, inner.getI32Type(),
                                                 x[0]);
                 });
}

Value VTASteps::narrow(Value acc, Value destination) {
  int64_t loops = typeOf(acc).getRank();
  AffineMap identity = b.getMultiDimIdentityMap(loops);
  return generic(destination, acc, {identity, identity}, getAllParallel(loops),
                 [](ImplicitLocOpBuilder &inner, ValueRange x) -> Value {
                   return arith::TruncIOp::create(inner, inner.getI8Type(),
                                                  x[0]);
                 });
}

//===----------------------------------------------------------------------===//
// Anchors
//===----------------------------------------------------------------------===//

Value VTASteps::convolution(Value input, Value weight,
                            const ChannelBlocks &blocks,
                            ArrayRef<int64_t> resultShape,
                            ArrayRef<int64_t> strides,
                            ArrayRef<int64_t> dilations) {
  constexpr auto parallel = utils::IteratorType::parallel,
                 reduction = utils::IteratorType::reduction;
  SmallVector<utils::IteratorType> kinds;
  auto loop = [&](utils::IteratorType kind) {
    kinds.push_back(kind);
    return b.getAffineDimExpr(kinds.size() - 1);
  };
  AffineExpr n = loop(parallel);
  // Blocks of output channels, and the first block that each of them reads.
  SmallVector<AffineExpr, 2> co;
  if (blocks.sections > 1)
    co.push_back(loop(parallel));
  co.push_back(loop(parallel));
  AffineExpr first = co.back() * blocks.slope, output = co.back();
  if (blocks.sections > 1) {
    first = co[0] * blocks.sectionStride + first;
    output = co[0] * blocks.outputs + output;
  }
  AffineExpr oh = loop(parallel), ow = loop(parallel), ci = loop(reduction),
             kh = loop(reduction), kw = loop(reduction), row = loop(parallel),
             o = loop(parallel), i = loop(reduction);
  auto map = [&](ArrayRef<AffineExpr> exprs) {
    return AffineMap::get(kinds.size(), 0, exprs, b.getContext());
  };
  SmallVector<AffineExpr> result{n};
  llvm::append_range(result, co);
  llvm::append_range(result, ArrayRef<AffineExpr>{oh, ow, row, o});
  return generic(fill(resultShape, 0), {input, weight},
                 {map({n, first + ci, oh * strides[0] + kh * dilations[0],
                       ow * strides[1] + kw * dilations[1], row, i}),
                  map({output, ci, kh, kw, o, i}), map(result)},
                 kinds, addTerm);
}

Value VTASteps::windowConvolution(Value input, Value weight,
                                  ArrayRef<int64_t> resultShape,
                                  ArrayRef<int64_t> strides,
                                  int64_t rowDilation) {
  constexpr auto parallel = utils::IteratorType::parallel,
                 reduction = utils::IteratorType::reduction;
  AffineExpr n, block, oh, ow, kh, kw, row, lane, tap;
  bindDims(b.getContext(), n, block, oh, ow, kh, kw, row, lane, tap);
  auto map = [&](ArrayRef<AffineExpr> exprs) {
    return AffineMap::get(9, 0, exprs, b.getContext());
  };
  // A tile of weights has more columns than are read, and how many these are,
  // another operand says.
  return generic(fill(resultShape, 0),
                 {input, weight, emptyLike(tiles.window, b.getI32Type())},
                 {map({n, block, oh * strides[0] + kh * rowDilation,
                       ow * strides[1] + kw * tiles.window + tap, row, lane}),
                  map({block, kh, kw, lane, tap % tiles.blockIn}), map(tap),
                  map({n, block, oh, ow, row, lane})},
                 {parallel, parallel, parallel, parallel, reduction, reduction,
                  parallel, parallel, reduction},
                 [](ImplicitLocOpBuilder &inner, ValueRange x) {
                   return addTerm(inner, {x[0], x[1], x[3]});
                 });
}

Value VTASteps::flatten(Value input, Value weight,
                        ArrayRef<int64_t> resultShape) {
  // The loops of the result, of what is summed, and of one instruction. One
  // tile of images is one position, whichever axis counts it.
  SmallVector<AffineExpr, 10> d;
  for (unsigned axis = 0; axis < 10; ++axis)
    d.push_back(b.getAffineDimExpr(axis));
  AffineExpr image = d[resultShape[0] == shapeOf(input)[0] ? 0 : 2];
  auto map = [&](ArrayRef<AffineExpr> exprs) {
    return AffineMap::get(10, 0, exprs, b.getContext());
  };
  constexpr auto parallel = utils::IteratorType::parallel,
                 reduction = utils::IteratorType::reduction;
  return generic(fill(resultShape, 0), {input, weight},
                 {map({image, d[4], d[5], d[6], d[7], d[9]}),
                  map({d[1], d[4], d[5], d[6], d[8], d[9]}),
                  map({d[0], d[1], d[2], d[3], d[7], d[8]})},
                 {parallel, parallel, parallel, parallel, reduction, reduction,
                  reduction, parallel, parallel, reduction},
                 addTerm);
}

Value VTASteps::maxPool(Value wideInput, ArrayRef<int64_t> resultShape,
                        ArrayRef<int64_t> window, ArrayRef<int64_t> strides,
                        ArrayRef<int64_t> dilations) {
  SmallVector<AffineExpr, 8> d;
  for (unsigned axis = 0; axis < 8; ++axis)
    d.push_back(b.getAffineDimExpr(axis));
  auto map = [&](ArrayRef<AffineExpr> exprs) {
    return AffineMap::get(8, 0, exprs, b.getContext());
  };
  constexpr auto parallel = utils::IteratorType::parallel,
                 reduction = utils::IteratorType::reduction;
  return generic(fill(resultShape, -128),
                 {wideInput, emptyLike(window, b.getI32Type())},
                 {map({d[0], d[1], d[2] * strides[0] + d[4] * dilations[0],
                       d[3] * strides[1] + d[5] * dilations[1], d[6], d[7]}),
                  map({d[4], d[5]}), map({d[0], d[1], d[2], d[3], d[6], d[7]})},
                 {parallel, parallel, parallel, parallel, reduction, reduction,
                  parallel, parallel},
                 [](ImplicitLocOpBuilder &inner, ValueRange x) {
                   return createStep(inner, Step::Max, x[2], x[0]);
                 });
}

Value VTASteps::globalSumWide(Value wideInput) {
  ArrayRef<int64_t> shape = shapeOf(wideInput);
  AffineExpr zero = b.getAffineConstantExpr(0);
  AffineMap target =
      AffineMap::get(rank, 0,
                     {b.getAffineDimExpr(0), b.getAffineDimExpr(1), zero, zero,
                      b.getAffineDimExpr(4), b.getAffineDimExpr(5)},
                     b.getContext());
  SmallVector<utils::IteratorType> iterators = getAllParallel(rank);
  iterators[2] = iterators[3] = utils::IteratorType::reduction;
  return generic(fill({shape[0], shape[1], 1, 1, shape[4], shape[5]}, 0),
                 wideInput, {b.getMultiDimIdentityMap(rank), target}, iterators,
                 [](ImplicitLocOpBuilder &inner, ValueRange x) {
                   return createStep(inner, Step::Add, x[1], x[0]);
                 });
}
