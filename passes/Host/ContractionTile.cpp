//===- ContractionTile.cpp - The register tile of cpu.contract
//-------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Host/ContractionTile.h"

#include "llvm/Support/SaveAndRestore.h"

using namespace mlir;
using namespace acc;
using namespace acc::host;

FailureOr<ContractionTile> ContractionTile::create(OpBuilder &builder,
                                                   cpu::ContractOp op) {
  Location loc = op.getLoc();
  ContractionTile tile(builder, op);
  if (!op.getResults().empty() || !isVectorizable(op.getBody().front()))
    return failure();
  IndexBuilder index(builder, loc);
  FailureOr<OpenView> input = flattenOpen(builder, loc, op.getInput());
  FailureOr<FlatView> weights = flatten(builder, loc, op.getWeights());
  FailureOr<OpenView> output = flattenOpen(builder, loc, op.getInit());
  auto isContiguous = [](const OpenView &view) {
    return view.getStride(view.strides.size() - 1) == 1;
  };
  if (failed(input) || failed(weights) || failed(output) ||
      !isContiguous(*output) || !isContiguous(*input))
    return failure();
  tile.input = *input;
  tile.weights = *weights;
  tile.output = *output;
  for (auto [operand, map] : llvm::zip(
           op.getExtras(), op.getMaps().getAsValueRange<AffineMapAttr>())) {
    FailureOr<OpenView> view = flattenOpen(builder, loc, operand);
    if (failed(view))
      return failure();
    SmallVector<Value> byDimension(map.getNumDims(), index.constant(0));
    for (auto [expr, stride] : llvm::zip(map.getResults(), view->strides))
      if (auto dim = dyn_cast<AffineDimExpr>(expr))
        byDimension[dim.getPosition()] = stride;
    view->strides = byDimension;
    // Lanes are a known distance apart.
    if (!view->getStride(map.getNumDims() - 1))
      return failure();
    tile.operands.push_back(*view);
  }
  tile.width = op.getTile()[0];
  tile.lanes = op.getTile()[1];
  tile.size = op.getTileSize();

  auto kernel = op->getParentOfType<FunctionOpInterface>();
  if (!kernel)
    return failure();
  tile.placeStage(kernel.getFunctionBody().front());
  return tile;
}

void ContractionTile::placeStage(Block &block) {
  OpBuilder::InsertionGuard guard(*builder);
  builder->setInsertionPointToStart(&block);
  auto type =
      MemRefType::get({size * static_cast<int64_t>(llvm::PowerOf2Ceil(width))},
                      op.getAccumulatorType());
  stage = memref::AllocaOp::create(*builder, op.getLoc(), type,
                                   builder->getI64IntegerAttr(64));
}

void ContractionTile::parallel(Value count, Value own,
                               function_ref<void(Value, Value)> body) {
  IndexBuilder index(*builder, op.getLoc());
  Block *block = builder->getInsertionBlock();
  index.parallel(count, own, [&](Value iteration, Value memory) {
    llvm::SaveAndRestore saved(stage);
    if (Block *inner = builder->getInsertionBlock(); inner != block)
      placeStage(*inner);
    body(iteration, memory);
  });
}

void ContractionTile::setKernel(int64_t sums, std::array<int64_t, 2> window,
                                ArrayRef<int64_t> windowStrides,
                                ArrayRef<int64_t> windowDilations) {
  steps = sums;
  kernel = window;
  strides = llvm::to_vector(windowStrides);
  dilations = llvm::to_vector(windowDilations);
}

bool ContractionTile::joinRows() {
  int64_t columns = op.getInitType().getDimSize(3);
  auto joined = [&](const OpenView &view, Value buffer, AffineMap map) {
    std::optional<int64_t> row = view.getStride(2), column = view.getStride(3);
    if (row && column && (!ShapedType::isDynamic(columns) || *row == 0))
      return *row == (*column == 0 ? 0 : columns * *column);
    // Rows of unknown length follow each other in a buffer without gaps.
    unsigned last = map.getNumResults() - 1;
    return map.getNumResults() > 1 &&
           map.getResult(last) == builder->getAffineDimExpr(3) &&
           map.getResult(last - 1) == builder->getAffineDimExpr(2) &&
           cast<MemRefType>(buffer.getType()).getLayout().isIdentity();
  };
  AffineMap all = builder->getMultiDimIdentityMap(4);
  if (!joined(input, op.getInput(), all) || !joined(output, op.getInit(), all))
    return false;
  return llvm::all_of(llvm::zip(operands, op.getExtras(),
                                op.getMaps().getAsValueRange<AffineMapAttr>()),
                      [&](auto entry) { return std::apply(joined, entry); });
}

Type ContractionTile::getPanelType() {
  if (!op.isInteger())
    return builder->getF32Type();
  return builder->getIntegerType(op.getSum().bits);
}

Value ContractionTile::toPanel(Value element) {
  Location loc = op.getLoc();
  if (op.isInteger() && op.getSum().isUnsigned) {
    // Adding 128 to a byte is flipping its sign.
    Value flip = arith::ConstantOp::create(
        *builder, loc, builder->getIntegerAttr(builder->getI8Type(), -128));
    return arith::XOrIOp::create(*builder, loc, element, flip);
  }
  if (op.isInteger())
    return op.getSum().takesBytes()
               ? element
               : arith::ExtSIOp::create(*builder, loc, getPanelType(), element)
                     .getResult();
  return op.convertsInput() ? arith::ExtFOp::create(
                                  *builder, loc, builder->getF32Type(), element)
                                  .getResult()
                            : element;
}

TypedAttr ContractionTile::toPanel(int64_t element) {
  if (!op.isInteger())
    return builder->getF32FloatAttr(static_cast<float>(element));
  return builder->getIntegerAttr(
      getPanelType(),
      op.getSum().isUnsigned ? static_cast<int8_t>(element + 128) : element);
}

/// What zero is for an instruction whose first operand is unsigned, in every
/// lane.
Value ContractionTile::getUnsignedZero() {
  auto type = VectorType::get(4 * lanes, builder->getI8Type());
  return arith::ConstantOp::create(
      *builder, op.getLoc(),
      DenseElementsAttr::get(type, static_cast<int8_t>(-128)));
}

void ContractionTile::emitStarts(int64_t tiles, bool isFused) {
  fusesStarts = isFused;
  if (!op.isInteger() || !op.getSum().isUnsigned || isFused)
    return;
  Location loc = op.getLoc();
  IndexBuilder index(*builder, loc);
  int64_t vectors = size / lanes, all = steps * kernel[0] * kernel[1];
  starts = memref::AllocOp::create(
      *builder, loc, MemRefType::get({tiles * size}, builder->getI32Type()),
      ValueRange(), builder->getI64IntegerAttr(64));
  Value zero = arith::ConstantOp::create(
      *builder, loc,
      builder->getZeroAttr(VectorType::get(lanes, builder->getI32Type())));
  Value input = getUnsignedZero();
  auto loop = [&](function_ref<void(Value)> body) {
    if (!op.getChunks())
      return index.loop(tiles, body);
    index.parallel(index.constant(tiles), Value(),
                   [&](Value t, Value) { body(t); });
  };
  loop([&](Value t) {
    SmallVector<Value> sums = index.loop(
        all, SmallVector<Value>(vectors, zero),
        [&](Value k, ValueRange running) {
          SmallVector<Value> results;
          for (auto [w, sum] :
               llvm::zip(loadFilters(index.add(index.mul(t, all), k)), running))
            results.push_back(multiplyAdd(input, w, sum));
          return results;
        });
    for (auto [v, sum] : llvm::enumerate(sums))
      vector::StoreOp::create(
          *builder, loc, arith::SubIOp::create(*builder, loc, zero, sum),
          starts,
          ValueRange{
              index.add(index.mul(t, size), static_cast<int64_t>(v) * lanes)});
  });
}

/// One element of the input for every lane; of integers as many as it takes.
Value ContractionTile::loadInput(Value offset) {
  Location loc = op.getLoc();
  IndexBuilder index(*builder, loc);
  if (!op.isInteger()) {
    Value x = memref::LoadOp::create(*builder, loc, source, offset);
    return vector::BroadcastOp::create(*builder, loc,
                                       VectorType::get(lanes, x.getType()), x);
  }
  int64_t pack = op.getPack();
  Value elements = vector::LoadOp::create(
      *builder, loc, VectorType::get(pack, getPanelType()), source,
      ValueRange{index.mul(offset, pack)});
  Type wordType = builder->getIntegerType(pack * op.getSum().bits);
  Value word = vector::BitCastOp::create(
      *builder, loc, VectorType::get(1, wordType), elements);
  Value words = vector::BroadcastOp::create(
      *builder, loc, VectorType::get(lanes, wordType),
      vector::ExtractOp::create(*builder, loc, word, int64_t{0}));
  return vector::BitCastOp::create(
      *builder, loc, VectorType::get(pack * lanes, getPanelType()), words);
}

Value ContractionTile::multiplyAdd(Value x, Value w, Value acc) {
  Location loc = op.getLoc();
  if (!op.isInteger()) {
    auto contract = arith::FastMathFlagsAttr::get(
        builder->getContext(), arith::FastMathFlags::contract);
    Value product = arith::MulFOp::create(*builder, loc, x, w, contract);
    return arith::AddFOp::create(*builder, loc, product, acc, contract);
  }
  StringRef instruction = op.getSum().instruction;
  auto call = [&](StringRef intrinsic, Type type,
                  ValueRange operands) -> Value {
    return LLVM::CallIntrinsicOp::create(
               *builder, loc, type, builder->getStringAttr(intrinsic), operands)
        .getResults();
  };
  auto width = std::to_string(lanes * 32);
  if (instruction == "vpdpbusd")
    return call("llvm.x86.avx512.vpdpbusd." + width, acc.getType(),
                {acc, x, w});
  if (instruction == "sdot")
    return call("llvm.aarch64.neon.sdot.v4i32.v16i8", acc.getType(),
                {acc, x, w});
  return arith::AddIOp::create(*builder, loc, acc, multiplyPack(x, w, call));
}

/// The sum of the products of the elements that a lane takes at once.
Value ContractionTile::multiplyPack(
    Value x, Value w,
    llvm::function_ref<Value(StringRef, Type, ValueRange)> call) {
  Location loc = op.getLoc();
  StringRef instruction = op.getSum().instruction;
  auto sums = VectorType::get(lanes, builder->getI32Type());
  if (instruction == "sadalp") {
    // Products of bytes fit into 16 bits, -128 times -128, too.
    auto products = VectorType::get(2 * lanes, builder->getI16Type());
    return call("llvm.aarch64.neon.saddlp.v4i32.v8i16", sums,
                call("llvm.aarch64.neon.smull.v8i16", products, {x, w}));
  }
  if (instruction == "pmaddwd") {
    auto intrinsic = llvm::StringSwitch<StringRef>(std::to_string(lanes))
                         .Case("16", "llvm.x86.avx512.pmaddw.d.512")
                         .Case("8", "llvm.x86.avx2.pmadd.wd")
                         .Case("4", "llvm.x86.sse2.pmadd.wd")
                         .Default("");
    if (!intrinsic.empty())
      return call(intrinsic, sums, {x, w});
  }
  auto wide = VectorType::get(op.getPack() * lanes, builder->getI32Type());
  Value product = arith::MulIOp::create(
      *builder, loc, arith::ExtSIOp::create(*builder, loc, wide, x),
      arith::ExtSIOp::create(*builder, loc, wide, w));
  if (op.getPack() == 1)
    return product;
  auto halves = vector::DeinterleaveOp::create(*builder, loc, product);
  return arith::AddIOp::create(*builder, loc, halves.getRes1(),
                               halves.getRes2());
}

/// The weights of one step, counted from the first of all tiles.
SmallVector<Value> ContractionTile::loadFilters(Value step) {
  Location loc = op.getLoc();
  IndexBuilder index(*builder, loc);
  int64_t pack = op.getPack();
  Type element = op.getWeightsType().getElementType();
  Value offset = index.mul(step, size * pack);
  SmallVector<Value> filters;
  for (int64_t v = 0; v < size / lanes; ++v) {
    Value w = vector::LoadOp::create(
        *builder, loc, VectorType::get(lanes * pack, element), weights.memref,
        ValueRange{index.add(offset, v * lanes * pack)});
    if (isa<FloatType>(element) && !element.isF32())
      w = arith::ExtFOp::create(
          *builder, loc, VectorType::get(lanes, builder->getF32Type()), w);
    else if (op.isInteger() && !op.getSum().takesBytes())
      w = arith::ExtSIOp::create(
          *builder, loc, VectorType::get(lanes * pack, getPanelType()), w);
    filters.push_back(w);
  }
  return filters;
}

SmallVector<Value> ContractionTile::sum(Value base, Value filters,
                                        int64_t columns) {
  Location loc = op.getLoc();
  IndexBuilder index(*builder, loc);
  int64_t vectors = size / lanes;
  auto accumulator = VectorType::get(lanes, op.getAccumulatorType());
  Value zero = arith::ConstantOp::create(*builder, loc,
                                         builder->getZeroAttr(accumulator));
  SmallVector<Value> init;
  for (int64_t i = 0; i < columns * vectors; ++i) {
    if (i >= vectors)
      init.push_back(init[i - vectors]);
    else if (!starts)
      init.push_back(zero);
    else
      init.push_back(vector::LoadOp::create(
          *builder, loc, accumulator, starts,
          ValueRange{index.add(index.mul(filters, size), i * lanes)}));
  }
  bool countsZeros = op.isInteger() && op.getSum().isUnsigned && fusesStarts;
  if (countsZeros)
    init.append(vectors, zero);
  Value filter = index.mul(filters, steps * kernel[0] * kernel[1]);
  auto step = [&](Value k, Value i, Value j, ValueRange sums) {
    Value tap = index.add(
        index.mul(index.add(index.mul(k, kernel[0]), i), kernel[1]), j);
    SmallVector<Value> values = loadFilters(index.add(filter, tap));
    Value offset = index.add(base, index.mul(k, sourceStrides[0]));
    offset = index.add(offset,
                       index.mul(index.mul(i, dilations[0]), sourceStrides[1]));
    offset = index.add(offset,
                       index.mul(index.mul(j, dilations[1]), sourceStrides[2]));
    SmallVector<Value> results;
    for (int64_t p = 0; p < columns; ++p) {
      Value x = loadInput(index.add(
          offset, index.mul(index.constant(p * strides[1]), sourceStrides[2])));
      for (int64_t v = 0; v < vectors; ++v)
        results.push_back(multiplyAdd(x, values[v], sums[(p * vectors) + v]));
    }
    if (countsZeros)
      for (int64_t v = 0; v < vectors; ++v)
        results.push_back(multiplyAdd(getUnsignedZero(), values[v],
                                      sums[(columns * vectors) + v]));
    return results;
  };
  SmallVector<Value> results =
      index.loop(steps, init, [&](Value k, ValueRange outer) {
        return index.loop(kernel[0], outer, [&](Value i, ValueRange middle) {
          return index.loop(kernel[1], middle, [&](Value j, ValueRange inner) {
            return step(k, i, j, inner);
          });
        });
      });
  if (!countsZeros)
    return results;
  SmallVector<Value> sums;
  for (int64_t i = 0; i < columns * vectors; ++i)
    sums.push_back(
        arith::SubIOp::create(*builder, loc, results[i],
                              results[(columns * vectors) + (i % vectors)]));
  return sums;
}

void ContractionTile::emit(Value base, Value filters, int64_t columns,
                           ArrayRef<Value> position, Value channel,
                           int64_t outputs) {
  SmallVector<Value> sums = sum(base, filters, columns);
  if (op.isConvolution())
    storeColumns(sums, columns, position, channel, outputs);
  else
    storeRows(sums, columns, position, channel, outputs);
}
